"""Lines out of labels: a dialect's label tuples become functions and templates, made once.

A batch line has twenty fields and a shallow dump prints little else, so the labels are turned into the text of a function
with one f-string. A record line is made in two steps: `record_template` fills in what is the same for the whole batch and
leaves `%d` and `%b` for the rest, in the order of `record_values`; the template, times the number of records, is then
formatted once per batch.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BatchHeader
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.record import increment_sequence, wrap64
from kafkalog.kafka.java import BOOLEAN
from kafkalog.kafka.reading_rules import reading_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.dump.dialects import Dialect, Label

__all__ = ["RECORD_VALUES", "Lines", "codec_names", "lines_of", "lone_record_line"]

#: How the values of a batch line are got, as expressions over the header's fields and the parameters of `_HEADER_LINE`.
BATCH_VALUES = {
    **{name: f"{{{name}}}" for name in BatchHeader._fields},
    "last_offset": "{last_offset}",
    "last_sequence": "{-1 if base_sequence == -1 else increment_sequence(base_sequence, last_offset_delta)}",
    "is_transactional": f"{{BOOLEAN[attributes // {bits.TRANSACTIONAL} & 1]}}",
    "is_control": f"{{BOOLEAN[attributes // {bits.CONTROL} & 1]}}",
    "delete_horizon": (
        f"{{f'OptionalLong[{{base_timestamp}}]' if attributes & {bits.DELETE_HORIZON} else 'OptionalLong.empty'}}"
    ),
    "position": "{position}",
    "size": "{size}",
    "codec": "{codec}",
    "valid": "{BOOLEAN[valid]}",
}

#: The values that differ from record to record, and their place in the template. Those in braces may be the same for all
#: records of a batch; whoever makes the template says so.
RECORD_VALUES = {
    "offset": "%d",
    "timestamp": "{timestamp}",
    "key_size": "%d",
    "value_size": "%d",
    "sequence": "{sequence}",
    "header_keys": "[{header_keys}]",
}

#: What a record of a magic 2 batch says of values that only messages of magic 0 and 1 have.
_V2_CONSTANTS = {"record_valid": "true", "record_crc": "null"}

_LEGACY_VALUES = {
    **{name: f"{{{name}}}" for name in ("offset", "timestamp", "key_size", "value_size", "record_crc", "position")},
    **{name: f"{{{name}}}" for name in ("magic", "codec", "size", "base_offset", "last_offset")},
    "record_valid": "{BOOLEAN[record_valid]}",
    "base_sequence": "-1",
    "last_sequence": "-1",
    "producer_epoch": "-1",
    "partition_leader_epoch": "-1",
}


@cache
def codec_names(dialect: Dialect) -> tuple[str, ...]:
    """The codecs that a dialect's releases know, by id, in their spelling."""
    names = (row.name for row in COMPRESSION_TYPES[: reading_rules(dialect.since).codecs])
    return tuple(name.upper() if dialect.upper_codecs else name for name in names)


class Lines(NamedTuple):
    """The functions and templates of a dialect; all text without the line break.

    `batch(header, position, size, codec, valid)`: a whole magic 2 batch line; `batch_head(header)`: its first piece, all
    that is out when the rest fails. `tail(position, timestamp_type, max_timestamp, valid, size, magic, codec, crc)`: the
    second piece, of every magic. `record_template(header, position, size, codec, timestamp, sequence, header_keys)`: see
    the module. `legacy_record(...)`: a record line of magic 0 or 1.
    """

    batch: Callable[..., str]
    batch_head: Callable[..., str]
    tail: Callable[..., str]
    record_template: Callable[..., str]
    record_values: tuple[str, ...]
    legacy_record: Callable[..., str]


def lone_record_line(dialect: Dialect, *, with_batch: bool) -> str:
    """The text of an f-string of the line of a sound batch without a codec and with one record, and of the record's line.

    Expressions name the header's fields, `position`, the batch's `size_of_batch`, and what a record loop knows of the record
    (see `record_walk`); the record has the batch's base offset. Without `with_batch` only the record has a line.
    """
    values = {
        **BATCH_VALUES,
        "last_offset": "{base_offset}",
        "last_sequence": "{base_sequence}",
        "is_control": BOOLEAN[0],
        "delete_horizon": "OptionalLong.empty",
        "size": "{size_of_batch}",
        "codec": codec_names(dialect)[0],
        "valid": BOOLEAN[1],
    }
    of_record = {
        **values,
        **_V2_CONSTANTS,
        "offset": "{base_offset}",
        "timestamp": "{base_timestamp + t}",
        "key_size": "{-1 if k & 1 else k >> 1}",
        "value_size": "{-1 if v & 1 else v >> 1}",
        "sequence": "{base_sequence}",
        "header_keys": "[{raw}]",
    }
    record = dialect.record_prefix + _fields((*dialect.record_head, *dialect.record_v2), of_record)
    batch = _fields((*dialect.batch_head, *dialect.batch_tail), values)
    return (f"{batch}\n{record}" if with_batch else record).replace("{timestamp_type}", "CreateTime")


def _fields(labels: tuple[Label, ...], values: dict[str, str]) -> str:
    return " ".join(f"{label.text}: {values[label.value]}" for label in labels)


def _compile(parameters: str, preamble: str, text: str) -> Callable[..., str]:
    source = f"def line({parameters}):\n{preamble}    return f{text!r}\n"
    space: dict[str, Any] = {"BOOLEAN": BOOLEAN, "increment_sequence": increment_sequence, "wrap64": wrap64}
    exec(compile(source, "<kafkalog line>", "exec"), space)  # noqa: S102 - the text is all ours, see the module
    line: Callable[..., str] = space["line"]
    return line


_UNPACK = f"""\
    ({", ".join(BatchHeader._fields)}) = header
    last_offset = base_offset + last_offset_delta
    if last_offset > 0x7FFFFFFFFFFFFFFF or last_offset < -0x8000000000000000: last_offset = wrap64(last_offset)
"""
_TYPE = f"    timestamp_type = 'LogAppendTime' if attributes & {bits.LOG_APPEND_TIME} else 'CreateTime'\n"


@cache
def lines_of(dialect: Dialect) -> Lines:
    """The functions and templates of a dialect."""
    head = _fields(dialect.batch_head, BATCH_VALUES)
    tail_values = {**BATCH_VALUES, "max_timestamp": "{max_timestamp}"}
    tail = _fields(dialect.batch_tail, tail_values)
    record_values = {**BATCH_VALUES, **_V2_CONSTANTS, **RECORD_VALUES}
    record = (*dialect.record_head, *dialect.record_v2)
    legacy = (*dialect.record_head, *dialect.record_legacy)
    return Lines(
        batch=_compile("header, position, size, codec, valid", _UNPACK + _TYPE, f"{head} {tail}"),
        batch_head=_compile("header", _UNPACK, head),
        tail=_compile("position, timestamp_type, max_timestamp, valid, size, magic, codec, crc", "", tail),
        record_template=_compile(
            "header, position, size, codec, timestamp='%d', sequence='%d', header_keys='%b'",
            _UNPACK + _TYPE,
            dialect.record_prefix + _fields(record, record_values),
        ),
        record_values=tuple(label.value for label in record if label.value in RECORD_VALUES),
        legacy_record=_compile(
            "offset, timestamp_type, timestamp, key_size, value_size, record_crc, record_valid, "
            "base_offset, last_offset, size, magic, codec, position",
            "",
            dialect.record_prefix + _fields(legacy, _LEGACY_VALUES) + dialect.legacy_suffix.replace("}", "}}"),
        ),
    )
