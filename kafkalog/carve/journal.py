"""What a search has found so far, range by range: an interrupted one goes on from there."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.carve.scan import Scanned
from kafkalog.carve.values import Run, Skipped
from kafkalog.errors import RequestError
from kafkalog.files.journal import Journal
from kafkalog.files.output_file import PARTIAL
from kafkalog.services import service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.carve.scan import Search
    from kafkalog.files.image import Image

__all__ = ["JOURNAL", "SearchJournal", "Task", "journal_of"]

#: What the name of the new directory gets for it.
JOURNAL = f".carve{PARTIAL}"
SCHEMA = "kafkalog.carve-journal/1"
#: Fields of a run that a search fills in; what its records look like is found later.
_FIELDS = tuple(one.name for one in fields(Run) if one.name not in ("shape", "copies", "is_cut"))
_SETS = ("producers", "codecs")


class Task(NamedTuple):
    """A range of an image: its path and number, the first byte, the one after the last."""

    path: str
    number: int
    begin: int
    end: int


class SearchJournal:
    """A journal of the ranges that have been searched.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def found_in(self, task: Task) -> Scanned | None:
        """What is noted of a range; None when nothing is."""
        row = self._journal.get(_key_of(task))
        try:
            return None if row is None else _scanned(row)
        except (KeyError, TypeError, ValueError):
            return None

    def add(self, task: Task, found: Scanned) -> None:
        """Note what is in a range.

        Raises:
            RequestError: the system refuses.
        """
        runs = [[_plain(getattr(run, name)) for name in _FIELDS] for run in found.runs]
        told = {"over": found.over, "flat": found.flat_bytes, "sampled": found.sampled_bytes, "skipped": found.skipped}
        self._journal.put(_key_of(task), {**told, "runs": runs})
        self._journal.check()


@contextmanager
def journal_of(
    path: str,
    examined: Iterable[str],
    images: Sequence[Image],
    search: Search,
    limits: tuple[int, int | None],
    *,
    is_wanted: bool,
) -> Iterator[SearchJournal]:
    """The journal of a search, which is removed when all is done.

    Args:
        path: Where it is kept.
        examined: What is read, and must not be written to.
        images: What is searched.
        search: What is looked for.
        limits: Where the search begins and ends in each image.
        is_wanted: Whether to go on with what is in it.

    Raises:
        RequestError: it is of another search, or no journal; another run writes it; or the system refuses.
    """
    asked = [
        [[image.path, image.size, image.changed] for image in images],
        [search.max_batch, search.legacy, search.block_size, sorted(search.live)],
        limits,
    ]
    head = {"version": service("version"), "search": sha256(json.dumps(asked).encode()).hexdigest()}
    with Journal(path, examined, SCHEMA) as journal:
        if journal.head is None or not is_wanted:
            journal.begin(head)
        elif any(journal.head.get(name) != value for name, value in head.items()):
            why = "is of a search of other images, with other options or by another version: leave out --resume"
            raise RequestError(f"{path} {why}")
        yield SearchJournal(journal)
        journal.remove()


def _key_of(task: Task) -> str:
    return f"{task.number:032x}{task.begin:032x}"


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _scanned(row: dict[str, Any]) -> Scanned:
    runs = []
    for values in row["runs"]:
        run: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
        runs.append(Run(**run | {name: set(run[name]) for name in _SETS}))
    return Scanned(runs, [Skipped(*one) for one in row["skipped"]], row["over"], row["flat"], row["sampled"])
