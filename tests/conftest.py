"""What holds for all tests: no examined tree is ever changed, and every fixture is used."""

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


#: Files below `fixtures/` that tests have opened in this process; of xdist's workers too, once they have ended.
_opened: set[str] = set()
_FIXTURES = f"{os.path.realpath(FIXTURES)}/"
_hashing = False


def _watch(event, args) -> None:
    if event == "open":
        path, _, flags = args
        if isinstance(path, str) and path.startswith(_FIXTURES) and not _hashing:
            _opened.add(path.removeprefix(_FIXTURES))
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


@pytest.fixture(autouse=True)
def what_only_hashes_a_fixture_does_not_use_it(request):
    """Do not count what `test_fixtures.py` opens."""
    global _hashing  # noqa: PLW0603 - the audit hook cannot be taken away or given anything
    _hashing = request.path.name == "test_fixtures.py"
    yield
    _hashing = False


def _unused_fixtures() -> list[str]:
    """Files of `SHA256SUMS` that no test has opened. The recipes made the others."""
    lines = (FIXTURES / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return [name for line in lines if not (name := line.split("  ", 1)[1]).startswith("recipes/") and name not in _opened]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    """Take over what a worker of xdist has opened."""
    del error
    _opened.update(getattr(node, "workeroutput", {}).get("opened", ()))


def pytest_sessionfinish(session, exitstatus) -> None:
    """Fail a run of the whole suite in which a fixture was not used."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["opened"] = sorted(_opened)
    elif exitstatus == pytest.ExitCode.OK and _is_whole(config):
        config.stash[_UNUSED] = unused = _unused_fixtures()
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if unused else exitstatus


_UNUSED = pytest.StashKey[list[str]]()


def _is_whole(config) -> bool:
    chosen = ("keyword", "deselect", "ignore", "ignore_glob", "lf", "collectonly")
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.option.markexpr == "not kafka"
    return whole and not any(getattr(config.option, name, None) for name in chosen)


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Name the fixtures that no test has used."""
    for name in config.stash.get(_UNUSED, ()):
        terminalreporter.write_line(f"FAILED fixtures/{name}: no test opens it", red=True)


@pytest.fixture(scope="session", autouse=True)
def examined_trees_stay_as_they_are():
    """Watches every `open` of this process, and compares names, sizes and times before and after the whole suite."""
    before = _inventory()
    sys.addaudithook(_watch)
    yield
    assert _violations == []
    assert _inventory() == before
