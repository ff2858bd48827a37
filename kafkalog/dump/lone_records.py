"""The fast way through batches of one record each: the line of the batch and that of its record, made in one go.

A topic that is written now and then, and every internal one, consists of such batches. What is spent on each of them is
mostly the way from function to function, so that here one loop goes from batch to batch. It takes sound batches of magic 2
without a codec, with one regular record; where there is any other, or a record that cannot be shown, it ends.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.attributes import TRANSACTIONAL
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LEAST_BATCH_LENGTH, LOG_OVERHEAD, BatchHeader
from kafkalog.core.checksum import crc32c
from kafkalog.core.record_walk import SAFE_BASE, compile_walk
from kafkalog.dump.tool_died import ToolDied
from kafkalog.kafka.java import BOOLEAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.record_walk import HeaderSink
    from kafkalog.core.source import Source

__all__ = ["TRIES", "Lines", "LoneRecords"]

#: How often batches of one record are hoped for in vain.
TRIES = 8
#: Batches whose lines are made at once, and the longest of them.
_MOST_AT_ONCE, _LONGEST = 256, 1 << 16

#: The names are those of `lines.BATCH_VALUES`, but for the size: the record has a `size` of its own. `expected` is the offset
#: after that of the record before.
_FRAME = f"""
def walk(data, view, at, limit, stop, begin, expected{{extra}}{{own}}):
    {{setup}}
    try:
        while at < stop and len(lines) < {_MOST_AT_ONCE}:
            {", ".join(BatchHeader._fields)} = unpack(data, at)
            if records_count != 1 or magic != 2 or last_offset_delta or base_offset < 0: break
            if attributes & {~TRANSACTIONAL} or base_sequence < -1: break
            if not {LEAST_BATCH_LENGTH} <= batch_length <= {_LONGEST} or not {-SAFE_BASE} < base_timestamp < {SAFE_BASE}: break
            end = at + {LOG_OVERHEAD} + batch_length
            if end > limit or checksum(view[at + {ATTRIBUTES_AT}:end]) != crc: break
            position = begin + at; size_of_batch = end - at; p = at + {BATCH_HEADER.size}
            {{record}}
            if o or q != end: break
            line = {{emitted}}
            lines.append(line); offsets.append(base_offset)
            at = end; expected = base_offset + 1
    except (Irregular, IndexError, UnicodeDecodeError, ToolDied, error):
        {{otherwise}}
    {{finish}}
"""


class Lines(NamedTuple):
    """Lines of batches that follow each other: their text, the offsets of their records, and where the last one ends."""

    text: bytes
    offsets: list[int]
    end: int


class LoneRecords:
    """Makes the lines of batches of one record.

    Args:
        text: That of an f-string with the lines of a batch and its record, over the names of the loop.
        payload: See `compile_walk`.
        headers: See `compile_walk`; what it makes is text.
        names: What else the text may name.
        extra: Further parameters of the loop, as text, with a leading comma.
    """

    def __init__(
        self,
        text: str,
        *,
        payload: Callable[[str], str] | None,
        headers: HeaderSink,
        names: tuple[tuple[str, Any], ...],
        extra: str = "",
    ) -> None:
        self._walk: Callable[..., tuple[list[str], list[int], int]] = compile_walk(
            "pass",
            setup="lines = []; offsets = []",
            otherwise="pass",
            finish="return lines, offsets, at",
            extra=extra,
            names=(
                ("unpack", BATCH_HEADER.unpack_from),
                ("checksum", crc32c),
                ("error", struct.error),
                ("ToolDied", ToolDied),
                ("UnicodeDecodeError", UnicodeDecodeError),
                ("BOOLEAN", BOOLEAN),
                *names,
            ),
            payload=payload,
            headers=headers,
            frame=_FRAME.replace("{emitted}", f"f{text!r}".replace("{", "{{").replace("}", "}}")),
        )

    def lines(
        self, source: Source, position: int, stop: int, end: int, *, expected: int = 0, extra: tuple[Any, ...] = ()
    ) -> Lines:
        """The lines of the next batches from a position on.

        Args:
            source: The log.
            position: Where the first of them begins.
            stop: Where none begins any more.
            end: First byte that does not belong to the log.
            expected: The offset that would follow the record before.
            extra: Values of the further parameters.
        """
        begin, data = source.window(position, min(BATCH_HEADER.size, end - position))
        limit = min(len(data), end - begin)
        lines, offsets, at = self._walk(
            data, memoryview(data), position - begin, limit, min(stop - begin, limit), begin, expected, *extra
        )
        return Lines("".join(lines).encode(), offsets, begin + at)
