"""Scans that outlive their run: what `verify` notes in a journal, so that it need not be done again."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafkalog.core.compression import MAX_DECOMPRESSED
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.journal import Journal
from kafkalog.files.mounted import node_at
from kafkalog.files.nodes import Piece, Versioned
from kafkalog.services import service
from kafkalog.verify.scan.scan_json import scan_from_json, scan_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from contextlib import AbstractContextManager

    from kafkalog.verify.scan.results import SegmentScan, SegmentTask, Settings

__all__ = ["Pending", "Place", "ScanJournal", "journal_at", "noted_or_begun"]

SCHEMA = "kafkalog.journal/1"
#: Settings that say how a scan is done, and change nothing of what it finds.
_HOW_ALONE = frozenset({"lanes"})


class ScanJournal:
    """A journal of scans.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def place_of(self, task: SegmentTask, objects: Sequence[str] = ()) -> Place | None:
        """Where the scan of a segment is noted, as its files are now; None where it cannot be seen whether these have changed.

        Args:
            task: The segment.
            objects: What its files are made of, where that is something else.

        Raises:
            RequestError: the journal cannot be written any more.
        """
        self._journal.check()
        files = tuple(objects or task.paths.values())
        states = _states_of(files)
        return None if states is None else Place(self._journal, files, states, _key_of(task, states))


class Place(NamedTuple):
    """Where the scan of a segment is noted: the key is made of what was asked for, and of the files' states before it began."""

    journal: Journal
    files: tuple[str, ...]
    states: tuple[tuple[int, ...], ...]
    key: str

    def scan(self) -> SegmentScan | None:
        """The scan that is noted; None when there is none."""
        row = self.journal.get(self.key)
        try:
            return None if row is None else scan_from_json(row["scan"])
        except (KeyError, TypeError, ValueError):
            return None

    def note(self, scan: SegmentScan) -> None:
        """Note a scan, unless something could not be read, or was written to meanwhile: it may be otherwise next time."""
        if self.key not in self.journal and not scan.failures and _states_of(self.files) == self.states:
            with suppress(ValueError):
                self.journal.put(self.key, {"path": scan.path, "scan": scan_to_json(scan)})


class Pending(NamedTuple):
    """A scan that others do, noted as soon as it is done: what is judged in order may wait for others."""

    future: Future[SegmentScan]
    place: Place | None

    @classmethod
    def of(cls, future: Future[SegmentScan], place: Place | None) -> Pending:
        """See that a scan is noted."""
        if place is not None:
            future.add_done_callback(lambda done: place.note(done.result()) if _has_result(done) else None)
        return cls(future, place)

    def result(self) -> SegmentScan:
        """The scan, noted; who called back may not have come to that."""
        scan = self.future.result()
        if self.place is not None:
            self.place.note(scan)
        return scan


T = TypeVar("T")


def noted_or_begun(
    place: Place | None,
    executor: Executor | None,
    here: Callable[[], SegmentScan],
    elsewhere: Callable[[Executor], T],
) -> SegmentScan | T:
    """The scan of a segment that is noted; else it is scanned, or begun.

    Args:
        place: Where it is noted; None: nowhere.
        executor: Where to scan; None: here.
        here: Scans it here.
        elsewhere: Begins to scan it elsewhere.
    """
    noted = None if place is None else place.scan()
    if noted is not None:
        return noted
    if executor is not None:
        return elsewhere(executor)
    scan = here()
    if place is not None:
        place.note(scan)
    return scan


def _has_result(future: Future[SegmentScan]) -> bool:
    return not future.cancelled() and future.exception() is None


def _key_of(task: SegmentTask, states: tuple[tuple[int, ...], ...]) -> str:
    # The settings are those of the whole journal.
    asked = [[name, getattr(task, name)] for name in sorted(task.__dataclass_fields__) if name != "settings"]
    return sha256(json.dumps([asked, states], sort_keys=True).encode()).hexdigest()


def _states_of(files: Iterable[str]) -> tuple[tuple[int, ...], ...] | None:
    """What changes when one of these files does; None where one is no file of its own, or its store tells no versions."""
    try:
        states = tuple(_state_of(path) for path in files)
    except (OSError, ValueError, UnreadableFile):
        return None
    return tuple(state for state in states if state is not None) if None not in states else None


def _state_of(path: str) -> tuple[int, ...] | None:
    node = node_at(path, beneath=True)
    if isinstance(node, Piece):
        return (node.number, node.size) if isinstance(node.opened, Versioned) else None
    status = os.stat(path)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def journal_at(
    path: str | None, examined: Iterable[str], settings: Settings, *, is_now_given: bool
) -> AbstractContextManager[tuple[Settings, ScanJournal | None]]:
    """The journal of a run, begun or gone on with, and the settings of the run: the clock is that of the journal.

    Args:
        path: The file; None: no journal.
        examined: The paths that are examined.
        settings: What the caller wants.
        is_now_given: Whether the clock was given, and not read.

    Raises:
        RequestError: it cannot be used, or was begun with other settings.
    """
    return nullcontext((settings, None)) if path is None else _opened(Journal(path, examined, SCHEMA), settings, is_now_given)


@contextmanager
def _opened(journal: Journal, settings: Settings, is_now_given: bool) -> Iterator[tuple[Settings, ScanJournal]]:  # noqa: FBT001
    try:
        if journal.head is None:
            journal.begin(_head_of(settings))
        now = journal.head.get("now") if journal.head is not None else None
        if not is_now_given and type(now) is int:
            settings = settings._replace(now=now)
        _check(journal, _head_of(settings))
        yield settings, ScanJournal(journal)
        journal.check()
    finally:
        journal.close()


def _head_of(settings: Settings) -> dict[str, Any]:
    """All that a scan depends on besides its segment."""
    decide = {name: value for name, value in settings._asdict().items() if name not in _HOW_ALONE}
    return {"version": service("version"), **decide, "max_decompressed": MAX_DECOMPRESSED.get()}


def _check(journal: Journal, head: dict[str, Any]) -> None:
    began = journal.head or {}
    for name, value in head.items():
        if name not in began or began[name] != value:
            before, now = (json.dumps(one) for one in (began.get(name), value))
            raise RequestError(
                f"{journal.path} was begun with {name.replace('_', '-')} {before}, and this run has {now}: "
                "run it as it was begun, or name another file"
            )
