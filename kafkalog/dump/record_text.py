"""The fast way to a batch's record lines: one template per batch, formatted once for all its records.

For regular batches without headers, filters or odd payloads; everything else goes the readable way in `log_printer`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kafkalog.core import attributes as bits
from kafkalog.core.record_walk import SAFE_BASE, compile_walk
from kafkalog.dump.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

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
}
_BOTH = {"key_size": "k >> 1", "value_size": "v >> 1"}
_TAILS = {"none": "\n", "both": " key: %b payload: %b\n", "any": "%b%b\n"}
_RAISE = "raise Irregular"
_NO_HEADERS = "if raw: raise Irregular\n            "


@cache
def _walk(values: tuple[str, ...], shown: str, tombstone_keys: bool) -> Callable[..., Any]:  # noqa: FBT001 - a cache key
    """The record loop that lists the given values of every record, and its key and value.

    `shown`: "none"; "both" for records that have key and value; "any" for all.
    """
    expressions = {**_EXPRESSIONS, **(_BOTH if shown == "both" else {})}
    parts = [expressions[value] for value in values]
    if shown == "both":
        parts += ["key", "val"]
    elif shown == "any":
        no_key = "k & 1" if tombstone_keys else "k & 1 or v & 1"
        parts += [f"b'' if {no_key} else b' key: ' + key", "b'' if v & 1 else b' payload: ' + val"]
    raises = {"key_null": _RAISE, "value_null": _RAISE} if shown == "both" else {}
    return compile_walk(
        f"{_NO_HEADERS}extend(({', '.join(parts)},))",
        setup="flat = []; extend = flat.extend",
        finish="return flat",
        extra=", base_sequence",
        payload=shown != "none",
        **raises,
    )


class RecordText:
    """Makes the record lines of regular batches.

    Args:
        dialect: Whose lines.
        printing: Whether keys and values are printed.
    """

    def __init__(self, dialect: Dialect, *, printing: bool) -> None:
        self._lines = lines_of(dialect)
        self._tombstone_keys = dialect.key_of_tombstone
        self._printing = printing
        self._shown = "both" if printing else "none"

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
        # What is the same for all records stands in the template; the sink leaves it out.
        timestamp = str(header.max_timestamp) if header.attributes & bits.LOG_APPEND_TIME else "%d"
        sequence = "-1" if header.base_sequence < 0 else "%d"
        if sequence == "%d" and header.base_sequence + header.last_offset_delta > 0x7FFFFFFF:
            return None
        constant = {"header_keys", "timestamp" if timestamp != "%d" else "", "sequence" if sequence != "%d" else ""}
        values = tuple(value for value in self._lines.record_values if value not in constant)
        flat = self._flat(values, data, at, end, count, base_offset, base_timestamp, header.base_sequence)
        if flat is None:
            return None
        line = self._lines.record_template(header, position, size, codec, timestamp, sequence, "") + _TAILS[self._shown]
        text: bytes = line.encode() * count % tuple(flat)
        return text, flat[values.index("offset") :: len(flat) // count]

    def _flat(self, values: tuple[str, ...], *where: Any) -> list[Any] | None:
        flat: list[Any] | None = _walk(values, self._shown, self._tombstone_keys)(*where)
        if flat is None and self._shown == "both":
            # Some key or value is null; it will be so in the batches that follow, too.
            self._shown = "any"
            flat = _walk(values, "any", self._tombstone_keys)(*where)
        return flat
