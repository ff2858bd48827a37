"""What holds for all tests: nothing under an examined tree is ever opened for writing, made, renamed or removed."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.log_dirs import CORPUS, FIXTURES

settings.register_profile("kafkalog", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kafkalog")

#: Trees that the tests examine in place.
EXAMINED = tuple(os.path.realpath(path) for path in (FIXTURES / "broker", FIXTURES / "golden", CORPUS) if str(path))

_violations: list[str] = []
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime")


def _is_examined(path) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return os.path.realpath(os.fsdecode(path)).startswith(tuple(f"{tree}/" for tree in EXAMINED))


def _watch(event, args) -> None:
    if event == "open":
        path, _, flags = args
        if flags & _WRITING and _is_examined(path):
            _violations.append(f"open {path!r} with flags {flags:o}")
    elif event in _CHANGES and any(_is_examined(arg) for arg in args):
        _violations.append(f"{event} {args!r}")


def _inventory() -> dict[str, tuple[int, int]]:
    return {
        os.path.join(folder, name): (status.st_size, status.st_mtime_ns)
        for tree in EXAMINED
        for folder, _, names in os.walk(tree)
        for name in names
        for status in (os.lstat(os.path.join(folder, name)),)
    }


@pytest.fixture(scope="session", autouse=True)
def examined_trees_stay_as_they_are():
    """Watches every `open` of this process, and compares names, sizes and times before and after the whole suite."""
    before = _inventory()
    sys.addaudithook(_watch)
    yield
    assert _violations == []
    assert _inventory() == before
