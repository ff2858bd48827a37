"""The log dirs of real brokers that the tests stand on: those of `fixtures/`, or the whole corpus.

    for case in fixture_log_dirs():          # release, workload; few and always there
        path = case.path()                   # a log dir, unpacked to a temporary folder where need be

`corpus_log_dirs()` gives all of `KAFKALOG_CORPUS` (`zk|kraft/<release>/<workload>/` with accounts beside), or skips.
"""

from __future__ import annotations

import atexit
import gzip
import json
import lzma
import os
import pathlib
import shutil
import tarfile
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
ZOOKEEPER_ERA = ("0.10.2.2", "0.11.0.3", "1.1.1", "2.1.1", "2.3.1", "2.8.2")
CORPUS = os.environ.get("KAFKALOG_CORPUS", "")


class LogDirCase(NamedTuple):
    """A log dir: `where` is the log dir itself or a tar file of it; the account stands at `account_stem` + ".json"."""

    release: str
    workload: str
    where: pathlib.Path
    account_stem: pathlib.Path

    @property
    def id(self) -> str:
        """`2.1.1/plain`."""
        return f"{self.release}/{self.workload}"

    @property
    def golden_name(self) -> str:
        """How golden cases over it begin: `zk/2.1.1/plain`."""
        return f"{'zk' if self.release in ZOOKEEPER_ERA else 'kraft'}/{self.id}"

    def path(self) -> str:
        """The log dir, to be read only; copy what you change."""
        return str(self.where if self.where.is_dir() else unpack(self.where))

    def partition_paths(self) -> list[str]:
        """Its sub-directories, ascending."""
        return sorted(entry.path for entry in os.scandir(self.path()) if entry.is_dir())

    def account(self) -> dict[str, Any]:
        """What the broker said of it."""
        account: dict[str, Any] = json.loads(self._beside(".json").read_text(encoding="utf-8"))
        return account

    def has_records(self) -> bool:
        """Whether the clients' account is there."""
        return self._beside(".records.jsonl.xz").exists() or self._beside(".records.jsonl.gz").exists()

    def records(self) -> Iterator[dict[str, Any]]:
        """The clients' account, row by row."""
        xz = self._beside(".records.jsonl.xz")
        data = xz.read_bytes() if xz.exists() else self._beside(".records.jsonl.gz").read_bytes()
        for line in (lzma.decompress(data) if xz.exists() else gzip.decompress(data)).splitlines():
            yield json.loads(line)

    def _beside(self, suffix: str) -> pathlib.Path:
        return self.account_stem.with_name(self.account_stem.name + suffix)


@cache
def scratch() -> pathlib.Path:
    """A folder for this run, removed at its end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kafkalog-fixtures-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def unpack(packed: pathlib.Path) -> pathlib.Path:
    """A packed log dir, unpacked; holes stay holes."""
    workload = packed.name.removesuffix(".tar.xz")
    target = scratch() / packed.parent.name
    # The first releases of Python 3.11 have no filters.
    how: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
    with tarfile.open(packed) as archive:
        archive.extractall(target, **how)
    return target / workload


def fixture(release: str, workload: str) -> LogDirCase:
    """One log dir of `fixtures/`."""
    plain = FIXTURES / "broker" / release / workload
    where = plain if plain.is_dir() else FIXTURES / "packed" / release / f"{workload}.tar.xz"
    if not where.exists():
        raise LookupError(f"{release}/{workload} is not in fixtures/")
    return LogDirCase(release, workload, where, FIXTURES / "accounts" / release / workload)


@cache
def fixture_log_dirs() -> tuple[LogDirCase, ...]:
    """All log dirs of `fixtures/`, oldest release first."""
    names = {(path.parent.name, path.name.removesuffix(".json")) for path in (FIXTURES / "accounts").glob("*/*.json")}
    return tuple(fixture(*name) for name in sorted(names, key=lambda name: (release_number(name[0]), name[1])))


@cache
def corpus_log_dirs() -> tuple[LogDirCase, ...]:
    """All log dirs of `KAFKALOG_CORPUS`; without it the calling test is skipped."""
    if not CORPUS:
        pytest.skip("KAFKALOG_CORPUS is not set: the whole corpus of log dirs is not here")
    folders = [path for path in pathlib.Path(CORPUS).glob("*/*/*") if path.is_dir()]
    cases = [LogDirCase(path.parent.name, path.name, path, path) for path in folders]
    return tuple(sorted(cases, key=lambda case: (release_number(case.release), case.workload)))


def release_number(release: str) -> list[int]:
    """A release as a sortable value."""
    return [int(part) for part in release.split(".")]
