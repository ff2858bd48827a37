"""The fast way to a batch's record lines: one template per batch, formatted once for all its records.

For regular batches, with any payload and any filter; everything else goes the readable way in `log_text`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.record_walk import MOST_HEADERS, NO_HEADERS, SAFE_BASE, HeaderSink, Irregular, compile_walk
from kafkalog.dump.lines import lines_of, lone_record_line
from kafkalog.dump.lone_records import LoneRecords
from kafkalog.dump.record_condition import Condition, condition_of
from kafkalog.dump.tool_died import ToolDied

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.batch import BatchHeader
    from kafkalog.core.filters import Filters
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.payload import Payload

    Tail = Callable[[int, bytes | None, bytes | None], bytes]
    #: Makes a line of a batch, with a `%` for each of the values: of header, position, size and codec.
    Template = Callable[[BatchHeader, int, int, str], bytes]

__all__ = ["MAX_SEQUENCE", "Part", "RecordText"]

#: The largest sequence number; 0 follows it.
MAX_SEQUENCE = 0x7FFFFFFF

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
_TAILS = {"none": "\n", "both": " key: %b payload: %b\n", "any": "%b%b\n", "tail": "%b\n"}
_RAISE = "raise Irregular"
_HEADER_KEYS = HeaderSink(
    begin="keys = []", key="keys.append(data[q:r])", finish="raw = b','.join(keys)", most=str(MOST_HEADERS), repeats=True
)


class Part(NamedTuple):
    """A batch whose records are to be printed; they stand, decompressed, in `section[start:end]`."""

    header: BatchHeader
    position: int
    size: int
    codec: str
    section: bytes
    start: int
    end: int


class _Way(NamedTuple):
    """One of the record loops.

    `shown` is of keys and values "none"; "both" for records that have key and value; "any" for all; "tail" calls a function
    for what follows the fields. `headers`: for records with headers too. The narrower, the faster.
    """

    shown: str
    headers: bool


class _Loop(NamedTuple):
    """A record loop that gives a flat list of `width` values for each wanted record, its offset at `offset_at`."""

    walk: Callable[..., list[Any] | None]
    width: int
    offset_at: int


@cache
def _loop(
    values: tuple[str, ...],
    way: _Way,
    append_time: bool,  # noqa: FBT001 - cache keys, this one and those that follow
    sequenced: bool,  # noqa: FBT001
    tombstone_keys: bool,  # noqa: FBT001
    condition: Condition,
    tail: Tail | None,
) -> _Loop:
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
    elif shown == "tail":
        parts += ["tail(base_offset + o, key, val)"]
    raises = {"key_null": _RAISE, "value_null": _RAISE} if shown == "both" else {}
    if shown == "both" and condition.wanted_key is not None:
        raises["key_null"] = "key = None"  # it is not wanted
    walk = compile_walk(
        condition.guard(f"extend(({', '.join(parts)},))"),
        setup="flat = []; extend = flat.extend",
        finish="return flat",
        extra=", base_sequence",
        names=(("tail", tail), ("wanted_key", condition.wanted_key)),
        payload=None if shown == "none" and condition.wanted_key is None else str,
        headers=_HEADER_KEYS if way.headers else NO_HEADERS,
        **raises,
    )
    return _Loop(walk, len(parts), values.index("offset"))


def _tail_of(payload: Payload, *, front: str, bar: str) -> Tail:
    """What makes that part of a line which shows key and value.

    Args:
        payload: How they are shown.
        front: What stands in front of the first of them.
        bar: What stands in front of a value without a key.
    """
    texts, before_key, before_value = payload.texts, f"{front}key: ".encode(), f"{bar}payload: ".encode()

    def tail(offset: int, key: bytes | None, value: bytes | None) -> bytes:
        key_text, value_text = texts(offset, key, value)
        parts: Any
        if value_text is None:
            parts = () if key_text is None else (before_key, key_text)
        elif key_text is None:
            parts = (before_value, value_text)
        else:
            parts = (before_key, key_text, b" payload: ", value_text)
        try:
            return b"".join(parts)
        except TypeError:  # one of them comes in pieces
            raise Irregular from None

    return tail


class RecordText:
    """Makes the record lines of regular batches.

    Args:
        dialect: Whose lines.
        payload: How keys and values are printed; None: they are not.
        filters: Which records are wanted.
        skip_metadata: Lines show keys and values only.
    """

    def __init__(self, dialect: Dialect, payload: Payload | None, filters: Filters, *, skip_metadata: bool) -> None:
        self._lines = lines_of(dialect)
        self._tombstone_keys = dialect.key_of_tombstone
        self._skip_metadata = skip_metadata
        self._conditions = tuple(condition_of(filters, append_time=append_time) for append_time in (False, True))
        self._tail: Tail | None = None
        shown: tuple[str, ...] = ("none",)
        if payload is not None and payload.shows_something:
            shown = ("both", "any", "tail") if payload.is_plain and not skip_metadata else ("tail",)
            front = dialect.record_prefix if skip_metadata else " "
            self._tail = _tail_of(payload, front=front, bar=front if dialect.bar_before_payload else " ")
        self._ways = tuple(_Way(kind, headers) for headers in (False, True) for kind in shown)
        #: The number of the way that fitted the batch before: nulls and headers will be in those that follow, too.
        self._number = 0
        self._loops: dict[int, tuple[_Loop, Template]] = {}

    def lone_records(self, dialect: Dialect, *, with_batches: bool) -> LoneRecords:
        """What makes the lines of batches of one record, all of which are wanted, with all that lines show."""
        no_key = "k & 1" if self._tombstone_keys else "k & 1 or v & 1"
        text = f"{{'' if {no_key} else ' key: ' + key}}{{'' if v & 1 else ' payload: ' + val}}"
        payload, after = {
            "none": (None, ""),
            "both": ("{}.decode()".format, text),
            "tail": (str, "{tail(base_offset, key, val).decode()}"),
        }[self._ways[0].shown]
        return LoneRecords(
            lone_record_line(dialect, with_batch=with_batches) + after + "\n",
            payload=payload,
            headers=_HEADER_KEYS._replace(finish="raw = b','.join(keys).decode()", none="''"),
            names=(("tail", self._tail),),
        )

    def make(
        self, data: bytes, at: int, end: int, header: BatchHeader, position: int, size: int, codec: str, count: int
    ) -> tuple[bytes, list[int]] | None:
        """The lines of all wanted records and their offsets, or None if the batch must go the readable way.

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
        (base_offset, _, _, _, _, attributes, last_delta, base_timestamp, newest, _, _, base_sequence, _) = header
        if not -SAFE_BASE < base_offset < SAFE_BASE or not -SAFE_BASE < base_timestamp < SAFE_BASE:
            return None
        append_time, sequenced = bool(attributes & bits.LOG_APPEND_TIME), base_sequence >= 0
        if sequenced and base_sequence + last_delta > MAX_SEQUENCE:
            return None
        if append_time:
            base_timestamp = newest
        for number in range(self._number, len(self._ways)):
            kind = number << 2 | append_time << 1 | sequenced
            loop, template = self._loops.get(kind) or self._make_loop(kind)
            try:
                flat = loop.walk(data, at, end, count, base_offset, base_timestamp, base_sequence)
            except ToolDied:
                return None
            if flat is None:
                continue
            text: bytes = template(header, position, size, codec) * (len(flat) // loop.width) % tuple(flat)
            if text.isascii() or _is_utf8(text):
                self._number = number
                return text, flat[loop.offset_at :: loop.width]
        return None

    def _make_loop(self, kind: int) -> tuple[_Loop, Template]:
        """The loop for batches of a kind (number of the way, LogAppendTime, sequence numbers), and what makes a template."""
        way, append_time, sequenced = self._ways[kind >> 2], bool(kind & 2), bool(kind & 1)
        values = ("offset",) if self._skip_metadata else self._lines.record_values
        loop = _loop(
            values, way, append_time, sequenced, self._tombstone_keys, self._conditions[append_time], self._tail
        )  # fmt: skip
        record_template, tail = self._lines.record_template, _TAILS[way.shown]
        sequence, header_keys = "%d" if sequenced else "-1", "%b" if way.headers else ""

        def template(header: BatchHeader, position: int, size: int, codec: str) -> bytes:
            timestamp = str(header.max_timestamp) if append_time else "%d"
            line = record_template(header, position, size, codec, timestamp, sequence, header_keys)
            return (line + tail).encode()

        def keys_and_values(*_: object) -> bytes:
            return b"%.0a" + tail.encode()  # of the offset nothing is shown

        self._loops[kind] = found = loop, keys_and_values if self._skip_metadata else template
        return found


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
