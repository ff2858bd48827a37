"""The fast way to a batch's record lines: one template per batch, formatted once for all its records.

For regular batches without filters or odd payloads; everything else goes the readable way in `log_printer`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.record_walk import MOST_HEADERS, NO_HEADERS, SAFE_BASE, HeaderSink, compile_walk
from kafkalog.dump.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.batch import BatchHeader
    from kafkalog.dump.dialects import Dialect

__all__ = ["RecordText"]

#: The sink's expressions for the values of a record line.
_EXPRESSIONS = {
    "offset": "base_offset + o",
    "timestamp": "base_timestamp + t",
    "key_size": "-1 if k & 1 else k >> 1",
    "value_size": "-1 if v & 1 else v >> 1",
    "sequence": "base_sequence + o",
    "header_keys": "raw",
}
_BOTH = {"key_size": "k >> 1", "value_size": "v >> 1"}
_TAILS = {"none": "\n", "both": " key: %b payload: %b\n", "any": "%b%b\n"}
_RAISE = "raise Irregular"
_HEADER_KEYS = HeaderSink(
    begin="keys = []", key="keys.append(data[q:r])", finish="raw = b','.join(keys)", most=str(MOST_HEADERS), repeats=True
)


class _Way(NamedTuple):
    """One of the record loops.

    `shown` is of keys and values "none"; "both" for records that have key and value; "any" for all. `headers`: for records
    with headers too. The narrower, the faster.
    """

    shown: str
    headers: bool = False

    def wider(self) -> Iterator[_Way]:
        """This one, and those that take more records, the fastest first."""
        for headers in (False, True) if not self.headers else (True,):
            for shown in ("both", "any") if self.shown == "both" else (self.shown,):
                yield _Way(shown, headers)


class _Loop(NamedTuple):
    """A record loop that gives a flat list of `width` values for each record, its offset at `offset_at`."""

    walk: Callable[..., list[Any] | None]
    width: int
    offset_at: int


@cache
def _loop(values: tuple[str, ...], way: _Way, append_time: bool, sequenced: bool, tombstone_keys: bool) -> _Loop:  # noqa: FBT001 - a cache key
    """The loop that lists the given values of every record, and its key and value.

    What is the same for all records of a batch stands in the template, and is left out.
    """
    constant = {
        "timestamp" if append_time else "",
        "" if sequenced else "sequence",
        "" if way.headers else "header_keys",
    }
    values = tuple(value for value in values if value not in constant)
    shown = way.shown
    expressions = {**_EXPRESSIONS, **(_BOTH if shown == "both" else {})}
    parts = [expressions[value] for value in values]
    if shown == "both":
        parts += ["key", "val"]
    elif shown == "any":
        no_key = "k & 1" if tombstone_keys else "k & 1 or v & 1"
        parts += [f"b'' if {no_key} else b' key: ' + key", "b'' if v & 1 else b' payload: ' + val"]
    raises = {"key_null": _RAISE, "value_null": _RAISE} if shown == "both" else {}
    walk = compile_walk(
        f"extend(({', '.join(parts)},))",
        setup="flat = []; extend = flat.extend",
        finish="return flat",
        extra=", base_sequence",
        payload=None if shown == "none" else str,
        headers=_HEADER_KEYS if way.headers else NO_HEADERS,
        **raises,
    )
    return _Loop(walk, len(parts), values.index("offset"))


class RecordText:
    """Makes the record lines of regular batches.

    Args:
        dialect: Whose lines.
        printing: Whether keys and values are printed.
    """

    def __init__(self, dialect: Dialect, *, printing: bool) -> None:
        self._lines = lines_of(dialect)
        self._tombstone_keys = dialect.key_of_tombstone
        #: The way that fitted the batch before.
        self._way = _Way("both" if printing else "none")

    def make(
        self, data: bytes, at: int, end: int, header: BatchHeader, position: int, size: int, codec: str, count: int
    ) -> tuple[bytes, list[int]] | None:
        """The lines of all records and their offsets, or None if the batch must go the readable way.

        Args:
            data: Holds the (decompressed) records between `at` and `end`.
            at: Where they begin.
            end: Where they end.
            header: The batch's header.
            position: Of the batch in its file.
            size: Of the batch in bytes.
            codec: The codec's name in the dialect's spelling.
            count: How many records these are, of those in the batch.
        """
        base_offset, base_timestamp = header.base_offset, header.base_timestamp
        if not -SAFE_BASE < base_offset < SAFE_BASE or not -SAFE_BASE < base_timestamp < SAFE_BASE:
            return None
        append_time, sequenced = bool(header.attributes & bits.LOG_APPEND_TIME), header.base_sequence >= 0
        if sequenced and header.base_sequence + header.last_offset_delta > 0x7FFFFFFF:
            return None
        # Nulls and headers of a batch will be in those that follow, too.
        for way in self._way.wider():
            loop = _loop(self._lines.record_values, way, append_time, sequenced, self._tombstone_keys)
            flat = loop.walk(data, at, end, count, base_offset, base_timestamp, header.base_sequence)
            if flat is not None:
                break
        else:
            return None
        self._way = way
        timestamp = str(header.max_timestamp) if append_time else "%d"
        template = self._lines.record_template(
            header, position, size, codec, timestamp, "%d" if sequenced else "-1", "%b" if way.headers else ""
        )
        text: bytes = (template + _TAILS[way.shown]).encode() * count % tuple(flat)
        return text, flat[loop.offset_at :: loop.width]
