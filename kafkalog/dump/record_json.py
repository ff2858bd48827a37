"""The fast way to a batch's record lines as JSON: the text is made in the record loop, without an object for each record.

For regular batches without filters or decoders; everything else goes the readable way in `jsonl`.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.record_walk import MOST_HEADERS, SAFE_BASE, HeaderSink, compile_walk, runs
from kafkalog.core.source import Bytes, WindowedBytes
from kafkalog.dump.json_forms import json_expression, json_names, text_json
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.batch import RecordBatch

__all__ = ["Passed", "record_lines"]

#: Lines that are handed out at once.
_PIECE = 512
_MOST_SEQUENCE = 0x7FFFFFFF
_HEADER_TEXT = HeaderSink(
    begin="parts = []; append = parts.append", finish="raw = ','.join(parts)", none="''", most=str(MOST_HEADERS)
)


class Passed(NamedTuple):
    """How far the fast way came: records whose lines are out, the offset expected next, whether that was all of the batch."""

    records: int
    expected: int
    whole: bool


def record_lines(batch: RecordBatch, schema: str, path: str, form: str | None, expected: int) -> Iterator[str | Passed]:
    """Pieces of text with the record lines of a batch, up to the first record that is irregular; the last item is a `Passed`.

    Args:
        batch: Any batch.
        schema: Of the lines.
        path: Of the file.
        form: How keys and values are shown; None: they are not.
        expected: The offset that would follow the records before; 0: there are none, any may come.
    """
    header = batch.header
    nothing = Passed(0, expected, whole=False)
    count, base_sequence = header.records_count, header.base_sequence
    if (
        count <= 0
        or batch.is_control
        or not -SAFE_BASE < header.base_offset < SAFE_BASE
        or not -SAFE_BASE < header.base_timestamp < SAFE_BASE
        or (base_sequence >= 0 and base_sequence + max(count, header.last_offset_delta + 1) > _MOST_SEQUENCE)
    ):
        yield nothing
        return
    data: Bytes
    data, at = batch.data, BATCH_HEADER.size
    if batch.compression_id:
        try:
            result = batch.inflate()
        except (FormatError, LimitExceeded):
            result = None
        if result is None or result.problem is not None:
            yield nothing
            return
        data, at = result.data, 0
    ensure_ascii = not path.isascii()
    walk = _walk(
        form, ensure_ascii, bool(header.attributes & bits.LOG_APPEND_TIME), base_sequence >= 0, bool(batch.compression_id)
    )
    front = _front(schema, "record", path)
    middle = f',"batchPosition":{batch.position},"offset":'

    def gap(expected: int, offset: int) -> str:
        """The line after a record whose offset does not follow the one before."""
        if not expected:
            return ""
        place = f'{batch.position},"kind":"non-consecutive","offset":{offset},"previousOffset":{expected - 1}'
        return f"{_front(schema, 'mismatch', path)}{place}}}\n"

    def lines(data: bytes, at: int, end: int, number: int, begin: int) -> Iterator[str | Passed]:
        """Of records that should fill a part of the batch's bytes, of which `data` begins at number `begin`."""
        made: Iterator[str | Passed] = walk(
            data, at, end, number, header.base_offset, header.base_timestamp,
            front, middle, batch.position + begin, base_sequence, header.max_timestamp, expected, gap,
        )  # fmt: skip
        return made

    if not isinstance(data, WindowedBytes):
        yield from lines(data, at, len(data), count, 0)
        return
    done = 0
    for run in runs(data, at, count):
        passed = Passed(0, expected, whole=False)
        for made in lines(run.data, run.start, run.end, run.records, run.begin) if run.records else ():
            if isinstance(made, Passed):
                passed = made
            else:
                yield made
        done, expected = done + passed.records, passed.expected
        if not passed.whole:
            break
        at = run.begin + run.end
    yield Passed(done, expected, whole=done == count and at == len(data))


@lru_cache(maxsize=64)
def _front(schema: str, kind: str, path: str) -> str:
    fields = {"schema": schema, "type": kind, "path": path, "position": None}
    return json.dumps(fields, ensure_ascii=not path.isascii(), separators=(",", ":")).removesuffix("null}")


@cache
def _walk(form: str | None, ensure_ascii: bool, append_time: bool, sequenced: bool, compressed: bool) -> Callable[..., Any]:  # noqa: FBT001 - a cache key
    """The record loop that makes the lines."""
    place = "null" if compressed else "{position + p}"
    stamp = "append_time" if append_time else "base_timestamp + t"
    sequence = "{base_sequence + o}" if sequenced else "-1"
    payload = "" if form is None else ',"key":{key},"value":{val}'
    line = (
        f'{{front}}{place}{{middle}}{{offset}},"timestamp":{{{stamp}}},'
        '"keySize":{"null" if k & 1 else k >> 1},"valueSize":{"null" if v & 1 else v >> 1},'
        f'"sequence":{sequence}{payload},"headers":[{{raw or ""}}]}}}}\\n'
    )
    statements = (
        "offset = base_offset + o",
        f"line(f'{line}')",
        "if offset != expected: line(gap(expected, offset))",
        "expected = offset + 1",
        f"if len(rows) >= {_PIECE}: yield ''.join(rows); rows.clear()",
    )
    return compile_walk(
        "\n            ".join(statements),
        setup="rows = []; line = rows.append; whole = True",
        otherwise="whole = False",
        finish="yield ''.join(rows)\n    yield Passed(i, expected, whole)",
        extra=", front, middle, position, base_sequence, append_time, expected, gap",
        names=(
            ("Passed", Passed),
            ("front_of", _front_of(form, ensure_ascii=ensure_ascii)),
            *(() if form is None else json_names(form, ensure_ascii=ensure_ascii).items()),
        ),
        payload=None if form is None else partial(json_expression, form),
        key_null="pass" if form is None else "key = 'null'",
        value_null="pass" if form is None else "val = 'null'",
        headers=_header_sink(form),
    )


def _header_sink(form: str | None) -> HeaderSink:
    """Makes the text between the brackets of `headers`."""
    if form is None:
        return _HEADER_TEXT._replace(key="append(front_of(data[q:r]) + '}')")
    value = json_expression(form, "data[q:r]", before="{name}", after="}}")
    return _HEADER_TEXT._replace(key="name = front_of(data[q:r])", null="append(name + 'null}')", value=f"append({value})")


def _front_of(form: str | None, *, ensure_ascii: bool) -> Callable[[bytes], str]:
    """What gives the text in front of a header's value. Keys repeat, so their text is kept."""
    text = text_json(ensure_ascii=ensure_ascii)
    after = "" if form is None else ',"value":'

    @lru_cache(maxsize=1024)
    def front_of(key: bytes) -> str:
        return f'{{"key":{text(key)}{after}'

    return front_of
