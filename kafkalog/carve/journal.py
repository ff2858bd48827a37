"""What a search has found so far, range by range: an interrupted one goes on from there."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.carve.scan import Scanned
from kafkalog.carve.values import Run, Skipped
from kafkalog.errors import RequestError
from kafkalog.files.output_file import PARTIAL, growing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from kafkalog.carve.scan import Search
    from kafkalog.files.image import Image

__all__ = ["JOURNAL", "Journal", "Task", "journal_of"]

#: What the name of the new directory gets for it.
JOURNAL = f".carve{PARTIAL}"
#: Fields of a run that a search fills in; what its records look like is found later.
_FIELDS = tuple(one.name for one in fields(Run) if one.name not in ("shape", "copies", "is_cut"))
_SETS = ("producers", "codecs")


class Task(NamedTuple):
    """A range of an image: its path and number, the first byte, the one after the last."""

    path: str
    number: int
    begin: int
    end: int


class Journal:
    """What is known of the ranges that have been searched; `done` by image and first byte."""

    def __init__(self, file: IO[bytes], path: str, head: dict[str, Any], *, is_wanted: bool) -> None:
        self._file = file
        self._path = path
        self.done: dict[tuple[int, int], Scanned] = {}
        end = self._read(head) if is_wanted else 0
        self._file.seek(end)
        self._file.truncate()
        if not end:
            self._write(head)

    def _read(self, head: dict[str, Any]) -> int:
        """Take in what is there; gives the end of its last whole line."""
        end = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            row = json.loads(line)
            if not number and row != head:
                why = "is of a search of other images, or with other options: leave out --resume"
                raise RequestError(f"{self._path} {why}")
            if number:
                self.done[row["image"], row["begin"]] = _scanned(row)
            end += len(line)
        return end

    def add(self, task: Task, found: Scanned) -> None:
        """Note what is in a range."""
        runs = [[_plain(getattr(run, name)) for name in _FIELDS] for run in found.runs]
        told = {"over": found.over, "flat": found.flat_bytes, "sampled": found.sampled_bytes, "skipped": found.skipped}
        self._write({"image": task.number, "begin": task.begin, **told, "runs": runs})

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()


@contextmanager
def journal_of(
    path: str, images: Sequence[Image], search: Search, limits: tuple[int, int | None], *, is_wanted: bool
) -> Iterator[Journal]:
    """The journal of a search, which is removed when all is done.

    Args:
        path: Where it is kept.
        images: What is searched.
        search: What is looked for.
        limits: Where the search begins and ends in each image.
        is_wanted: Whether to go on with what is in it.

    Raises:
        RequestError: it is of another search, or another run writes it.
        OSError: the system refuses.
    """
    live = hashlib.sha256(",".join(map(str, sorted(search.live))).encode()).hexdigest()
    head = {
        "images": [[image.path, image.size, image.changed] for image in images],
        "search": [search.max_batch, search.legacy, search.block_size, live],
        "limits": list(limits),
    }
    with growing(path) as file:
        yield Journal(file, path, head, is_wanted=is_wanted)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _scanned(row: dict[str, Any]) -> Scanned:
    runs = []
    for values in row["runs"]:
        run: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
        runs.append(Run(**run | {name: set(run[name]) for name in _SETS}))
    return Scanned(runs, [Skipped(*one) for one in row["skipped"]], row["over"], row["flat"], row["sampled"])
