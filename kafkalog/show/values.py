"""What is shown: parts of a file (a batch, an entry, a line), each of rows that share out all its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.errors import KafkalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kafkalog.core.layout import Layout
    from kafkalog.core.source import Bytes

__all__ = ["Focus", "NothingThere", "Part", "Row", "Wanted", "layout_rows"]


class NothingThere(KafkalogError):
    """The file has no such position, offset or entry; the text says what it has instead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The place that is wanted: at most one of `position`, `offset` and `entry`; the start of the file without one.

    Args:
        position: A byte of the file.
        offset: A log offset.
        entry: Number of a batch, an entry or a line, from 0.
        context: How many parts to show before it and after it.
        records: Of a batch, how many records field by field; of another file without a place, how many entries or lines.
    """

    position: int | None = None
    offset: int | None = None
    entry: int | None = None
    context: int = 0
    records: int = 5

    @property
    def is_open(self) -> bool:
        """Whether no place is named."""
        return self.position is None and self.offset is None and self.entry is None


class Row(NamedTuple):
    """A field, or bytes that are told of together.

    Args:
        start: Its first byte: in the file, or in the decompressed records of the batch at `space`.
        end: The byte after it.
        field: Kafka's name of it.
        type: How it is stored: `int32`, `varint`, `bytes` …
        value: Its number; None for bytes.
        note: What that comes to: a date, an offset, the text of a payload; "" for nothing.
        meaning: What the field is for, as in the docs.
        problem: What is wrong with it; "" for nothing.
        kind: `number`, `time`, `checksum`, `payload`, `text` or `opaque` (bytes that are not taken apart here).
        depth: 0 for the batch or entry, 1 for a record in it, 2 for a record's header.
        space: None, or the position of the batch in whose decompressed records it is.
        data: What the bytes are cut out of, and where they begin there.
        at: See `data`.
    """

    start: int
    end: int
    field: str
    type: str
    value: int | None
    note: str
    meaning: str
    problem: str
    kind: str
    depth: int
    space: int | None
    data: Bytes
    at: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.end - self.start

    def bytes(self, most: int | None = None) -> bytes:
        """Its bytes; with `most`, no more than so many of them."""
        size = self.size if most is None else min(self.size, most)
        return bytes(self.data[self.at : self.at + size])


class Part(NamedTuple):
    """A part of a file: what it is, where, and its rows, which can be gone over once.

    Args:
        kind: `batch`, `message`, `damage`, `padding`, `header`, `entry` or `line`.
        title: What it is, in words.
        start: Its first byte in the file.
        end: The byte after it.
        data: Its bytes.
        rows: Its rows: those in the file by place, then those in what it decompresses to.
        number: Of a batch, an entry or a line, from 0; None: not counted.
    """

    kind: str
    title: str
    start: int
    end: int
    data: Bytes
    rows: Iterable[Row]
    number: int | None = None


@dataclass(slots=True)
class Focus:
    """Which records of a batch are shown field by field; the others are told of together.

    Args:
        records: How many, at most.
        offset: That of the first one; None: any.
        position: A byte of it in the file, where the batch is not compressed; None: any.
        is_met: Set when one of them is found.
    """

    records: int
    offset: int | None = None
    position: int | None = None
    is_met: bool = field(default=False)


def layout_rows(
    layout: Layout[Any],
    data: Bytes,
    at: int,
    start: int,
    notes: Mapping[str, tuple[str, str]],
    *,
    end: int | None = None,
    depth: int = 0,
    space: int | None = None,
) -> Iterator[Row]:
    """The fields of a fixed structure, as far as they fit before `end`.

    Args:
        layout: Its declaration.
        data: What it is cut out of.
        at: Where it begins in that.
        start: Its first byte.
        notes: Name of a field → what its value comes to, and what is wrong with it.
        end: The byte after the last that there is, by the count of `start`; None: all are there.
        depth: As in `Row`.
        space: As in `Row`.
    """
    for one in layout.fields:
        if end is not None and start + one.end > end:
            return
        (value,) = layout.partial(one.name).unpack(bytes(data[at : at + one.end]))
        note, problem = notes.get(one.name, ("", ""))
        kind = "checksum" if one.name == "crc" else "time" if one.name.endswith("timestamp") else "number"
        yield Row(
            start + one.at,
            start + one.end,
            one.kafka_name,
            one.type.name,
            value,
            note,
            one.meaning,
            problem,
            kind,
            depth,
            space,
            data,
            at + one.at,
        )
