"""The lines of a batch and its records as JSON: one template per batch, formatted once for some hundred records.

Record lines are made here of regular batches; everything else goes the readable way in `jsonl`.
"""

from __future__ import annotations

import json
from binascii import hexlify
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.properties import format_uuid
from kafkalog.core.record_walk import MOST_HEADERS, NO_HEADERS, SAFE_BASE, HeaderSink, compile_walk, runs
from kafkalog.core.source import Bytes, WindowedBytes
from kafkalog.dump.json_forms import json_form, text_json
from kafkalog.dump.lone_records import LoneRecords
from kafkalog.dump.record_condition import Condition, condition_of
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.kafka.java import BOOLEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.filters import Filters
    from kafkalog.core.source import Source
    from kafkalog.dump.decoders.base import Decoder
    from kafkalog.dump.json_forms import JsonForm
    from kafkalog.dump.lone_records import Lines

__all__ = ["Passed", "RecordLines"]

#: Lines that are handed out at once.
_PIECE = 512
#: Raw lengths whose text is made once.
_SIZES = 1 << 13
#: Kinds of batches, and ways through each: for records with key and value and without headers, for those without a key or a
#: value, too, and the same with headers.
_KINDS, _WAYS = 8, 4
#: What stands in the template of a line for the position of the batch, and for the broker's timestamp.
_POSITION, _TIMESTAMP = b"\0", b"\1"
#: Bytes of a record's key or value in hex, by their place in the bytes: those of the batch, which is all in hex at once.
_HEXED = {"data[q:r]": "hexed[2 * q:2 * r]", "data[r:q]": "hexed[2 * r:2 * q]"}
_MOST_SEQUENCE = 0x7FFFFFFF


class Passed(NamedTuple):
    """How far the fast way came: records whose lines are out, the offset expected next, whether that was all of the batch."""

    records: int
    expected: int
    whole: bool


class _Loop(NamedTuple):
    """The record loop for a kind of batches: it gives a flat list of `width` values for each wanted record.

    `before`, `after`: a line, with a `%` for each of the values, around the position of the batch. `in_hex`: it wants all bytes
    in hex.
    """

    walk: Callable[..., tuple[list[Any], list[tuple[int, int, int]], int, int, int, bool]]
    width: int
    before: bytes
    after: bytes
    in_hex: bool


class RecordLines:
    """Makes the record lines of the batches of a file.

    Args:
        schema: Of the lines.
        path: Of the file.
        form: How keys and values are shown; None: they are not.
        filters: Which records are wanted.
        decoder: Adds what the records of an internal topic say, where keys and values are shown.
    """

    def __init__(self, schema: str, path: str, form: str | None, filters: Filters, decoder: Decoder | None) -> None:
        self._fronts = tuple(_front(schema, kind, path) for kind in ("batch", "record", "mismatch"))
        self._batch_line = _template_of(self._fronts[0]) + b"%d" + _BATCH_REST
        self._form = form
        self._ensure_ascii = not path.isascii()
        self._filters = filters
        self._decoder = None if form is None else decoder
        #: The number of the way that fitted the batch before: nulls and headers will be in those that follow, too.
        self._way = 0
        self._loops: dict[int, _Loop] = {}

    def _shape(self, number: int) -> _Shape:
        append_time = bool(number & 4)
        return _Shape(
            form=self._form,
            ensure_ascii=self._ensure_ascii,
            append_time=append_time,
            sequenced=bool(number & 2),
            compressed=bool(number & 1),
            headers=number >= 2 * _KINDS,
            nulls=bool(number & _KINDS),
            gaps=not self._filters.active,
            condition=condition_of(self._filters, append_time=append_time),
            decoder=self._decoder,
        )

    def _make_loop(self, number: int) -> _Loop:
        shape = self._shape(number)
        before, after = shape.template(self._fronts[1]).split(_POSITION)
        self._loops[number] = found = _Loop(_walk(shape), len(shape.values()), before, after, shape.in_hex)
        return found

    def batch(self, batch: RecordBatch) -> bytes:
        """The line of a batch."""
        header, attributes, horizon = batch.header, batch.header.attributes, batch.delete_horizon_ms
        return self._batch_line % (
            batch.position,
            *header,
            batch.size,
            _TRUTH[batch.crc_ok],
            _CODECS[attributes & bits.CODEC_MASK],
            b"LogAppendTime" if attributes & bits.LOG_APPEND_TIME else b"CreateTime",
            batch.last_offset,
            batch.last_sequence,
            _TRUTH[batch.is_transactional],
            _TRUTH[batch.is_control],
            b"null" if horizon is None else b"%d" % horizon,
        )

    def lone_lines(self, source: Source, position: int, end: int, expected: int) -> Lines:
        """The lines of the next batches of one record, and of these, all of which are wanted; `expected` as in `of`."""
        return _lone(self._shape(0)).lines(source, position, end, end, expected=expected, extra=self._fronts)

    def of(self, batch: RecordBatch, expected: int) -> Iterator[bytes | Passed]:
        """Pieces of text with the lines of a batch, up to the first record that is irregular; the last item is a `Passed`.

        Args:
            batch: Any batch.
            expected: The offset that would follow the records before; 0: there are none, any may come.
        """
        (base_offset, _, _, _, _, attributes, last_delta, base_timestamp, _, _, _, base_sequence, count) = batch.header
        nothing = Passed(0, expected, whole=False)
        if (
            count <= 0
            or attributes & bits.CONTROL
            or not -SAFE_BASE < base_offset < SAFE_BASE
            or not -SAFE_BASE < base_timestamp < SAFE_BASE
            or (base_sequence >= 0 and base_sequence + max(count, last_delta + 1) > _MOST_SEQUENCE)
        ):
            yield nothing
            return
        data: Bytes
        data, at = batch.data, BATCH_HEADER.size
        if attributes & bits.CODEC_MASK:
            try:
                result = batch.inflate()
            except (FormatError, LimitExceeded):
                result = None
            if result is None or result.problem is not None:
                yield nothing
                return
            data, at = result.data, 0
        if not isinstance(data, WindowedBytes):
            yield from self._lines(batch, data, at, count, batch.position, expected)
            return
        done = 0
        for run in runs(data, at, count):
            passed = nothing._replace(expected=expected)
            held = run.data[run.start : run.end] if run.records else b""
            place = batch.position + run.begin + run.start
            for made in self._lines(batch, held, 0, run.records, place, expected) if run.records else ():
                if isinstance(made, Passed):
                    passed = made
                else:
                    yield made
            done, expected = done + passed.records, passed.expected
            if not passed.whole:
                break
            at = run.begin + run.end
        yield Passed(done, expected, whole=done == count and at == len(data))

    def _lines(
        self, batch: RecordBatch, data: bytes, at: int, count: int, position: int, expected: int
    ) -> Iterator[bytes | Passed]:
        """As `of`, of records that should fill `data`, which stands at a position, from `at` on; each way as far as it goes."""
        (base_offset, _, _, _, _, attributes, _, base_timestamp, newest, _, _, base_sequence, _) = batch.header
        append_time = bool(attributes & bits.LOG_APPEND_TIME)
        kind = append_time << 2 | (base_sequence >= 0) << 1 | bool(attributes & bits.CODEC_MASK)
        if append_time:
            base_timestamp = newest
        batch_position, end = b"%d" % batch.position, len(data)
        done, delta = 0, expected - base_offset
        for way in range(self._way, _WAYS):
            number = way * _KINDS + kind
            walk, width, before, after, in_hex = self._loops.get(number) or self._make_loop(number)
            if append_time:
                after = after.replace(_TIMESTAMP, b"%d" % newest)
            line = before + batch_position + after
            hexed = hexlify(data) if in_hex else b""
            is_regular = True
            while is_regular and done < count:
                values, gaps, passed, delta, at, is_regular = walk(
                    data, at, end, min(count - done, _PIECE), base_offset, base_timestamp,
                    position, base_sequence, delta, hexed,
                )  # fmt: skip
                done += passed
                if gaps:
                    yield self._with_gaps(line, width, values, gaps, batch)
                elif values:
                    yield line * (len(values) // width) % tuple(values)
            if is_regular:
                self._way = way
                break
        yield Passed(done, base_offset + delta, whole=done == count and at == end)

    def _with_gaps(
        self, line: bytes, width: int, values: list[Any], gaps: list[tuple[int, int, int]], batch: RecordBatch
    ) -> bytes:
        """Lines of records, some of which have an offset that does not follow the one before.

        `gaps`: of each of these the number of values up to its last, the offset delta that was expected, and its own.
        """
        lines: list[bytes] = []
        done, base_offset = 0, batch.header.base_offset
        for at, expected, found in gaps:
            if base_offset + expected == 0:
                continue  # there was none before, and any may come
            gap = _gap(self._fronts[2], batch.position, base_offset + found, base_offset + expected).encode()
            lines += line * ((at - done) // width), gap.replace(b"%", b"%%")
            done = at
        lines.append(line * ((len(values) - done) // width))
        return b"".join(lines) % tuple(values)


#: The fields of a batch's line: Kafka's names, and how each is written.
_BATCH_FIELDS = (
    *((field.kafka_name, "%d") for field in BATCH_HEADER.fields),
    ("size", "%d"),
    ("isValid", "%b"),
    ("compressionType", "%b"),
    ("timestampType", '"%b"'),
    ("lastOffset", "%d"),
    ("lastSequence", "%d"),
    ("isTransactional", "%b"),
    ("isControl", "%b"),
    ("deleteHorizonMs", "%b"),
)
_BATCH_REST = "".join(f',"{name}":{value}' for name, value in _BATCH_FIELDS).encode() + b"}\n"
_TRUTH = tuple(name.encode() for name in BOOLEAN)
_CODECS = tuple(f'"{row.name}"'.encode() for row in COMPRESSION_TYPES)
_CODECS += (b"null",) * (bits.CODEC_MASK + 1 - len(_CODECS))


def _template_of(text: str) -> bytes:
    """A text as part of a template."""
    return text.encode().replace(b"%", b"%%")


class _Shape(NamedTuple):
    """What the lines of a batch look like.

    `form` None: without keys and values. `headers`, `nulls`: for records with headers, without a key or a value, too; the
    narrower, the faster. `gaps`: offsets that are missing are told.
    """

    form: str | None
    ensure_ascii: bool
    append_time: bool
    sequenced: bool
    compressed: bool
    headers: bool
    nulls: bool
    gaps: bool
    condition: Condition
    decoder: Decoder | None

    @property
    def needs_bytes(self) -> bool:
        """Whether the loop has to give keys and values as they are."""
        return self.condition.wanted_key is not None or self.decoder is not None

    def payload(self) -> dict[str, str]:
        """The expressions for key and value."""
        if self.form is None:
            return {}
        both = {"key": "key", "value": "val"}
        if not self.needs_bytes:
            return both
        if not self.nulls:
            return {name: f"made({data})" for name, data in both.items()}
        return {name: f"b'null' if {data} is None else {self.made(f'made({data})')}" for name, data in both.items()}

    def in_loop(self, data: str) -> str:
        """The expression for bytes of a record, which stand in `data`."""
        made = _HEXED[data] if self.form == "hex" else f"made({data})"
        return self.made(made) if self.nulls else made

    def made(self, text: str) -> str:
        """The expression for bytes that may be null, from that for their text."""
        assert self.form is not None
        return f"template % {text}" if json_form(self.form, ensure_ascii=self.ensure_ascii).begin else text

    def values(self) -> dict[str, str]:
        """What is another one in each line: the expression of the record loop, by the place in `template`."""
        found = {
            "position": "" if self.compressed else "position + p",
            "offset": "base_offset + o",
            "timestamp": "" if self.append_time else "base_timestamp + t",
            "keySize": f"sizes[k] if k < {_SIZES} else size_text(k)" if self.nulls else "k >> 1",
            "valueSize": f"sizes[v] if v < {_SIZES} else size_text(v)" if self.nulls else "v >> 1",
            "sequence": "base_sequence + o" if self.sequenced else "",
            **self.payload(),
            "headers": "raw" if self.headers else "",
            "decoded": "" if self.decoder is None else "decoded(base_offset + o, key, val).encode()",
        }
        return {name: expression for name, expression in found.items() if expression}

    @property
    def in_hex(self) -> bool:
        """Whether the loop wants all bytes in hex, at once."""
        return self.form == "hex" and not self.needs_bytes

    def template(self, front: str) -> bytes:
        """A line, with a `%` for each of the values, and `_POSITION` for that of the batch; `_TIMESTAMP` for one of all.

        `front` is what stands before the position.
        """
        position = "null" if self.compressed else "%d"
        timestamp = _TIMESTAMP.decode() if self.append_time else "%d"
        sequence = "%d" if self.sequenced else "-1"
        size, value, headers = ("%b" if self.nulls else "%d"), "%b", ("%b" if self.headers else "")
        if self.form is not None and not self.nulls:
            form = json_form(self.form, ensure_ascii=self.ensure_ascii)
            value = f"{form.begin.decode()}%b{form.end.decode()}"
        payload = "" if self.form is None else f',"key":{value},"value":{value}'
        decoded = "" if self.decoder is None else ',"decoded":%b'
        line = (
            f'{position},"batchPosition":{_POSITION.decode()},"offset":%d,"timestamp":{timestamp},"keySize":{size},'
            f'"valueSize":{size},"sequence":{sequence}{payload},"headers":[{headers}]{decoded}}}\n'
        )
        return _template_of(front) + line.encode()


@lru_cache(maxsize=64)
def _front(schema: str, kind: str, path: str) -> str:
    """What stands before the position in a line."""
    fields = {"schema": schema, "type": kind, "path": path, "position": None}
    return json.dumps(fields, ensure_ascii=not path.isascii(), separators=(",", ":")).removesuffix("null}")


def _size_text(raw: int) -> bytes:
    """A raw length as JSON."""
    return b"null" if raw & 1 else b"%d" % (raw >> 1)


@cache
def _sizes() -> tuple[bytes, ...]:
    return tuple(map(_size_text, range(_SIZES)))


#: The loop over records of a batch, one way as far as it goes. `e` is the offset delta that is expected.
_FRAME = """
def walk(data, p, end, count, base_offset, base_timestamp{extra}{own}):
    i = 0; values = []; extend = values.extend; gaps = []; is_regular = True
    {setup}
    try:
        for i in range(count):
            {record}
            p = q
        i = count
    except (Irregular, IndexError):
        {otherwise}
    {finish}
"""


@cache
def _walk(shape: _Shape) -> Callable[..., Any]:
    """The record loop that gives the lines."""
    extend = shape.condition.guard(f"extend(({', '.join(shape.values().values())},))")
    watch = "if o != e: gaps.append((len(values), e, o))" if shape.gaps else "pass"
    form = None if shape.form is None else json_form(shape.form, ensure_ascii=shape.ensure_ascii)
    headers = _KEYS_ALONE if form is None else _KEYS_AND_VALUES
    if shape.in_hex:
        headers = headers._replace(value=headers.value.replace("made(data[q:r])", _HEXED["data[q:r]"]))
    return compile_walk(
        f"{extend}\n{watch}\ne = o + 1",
        setup="pass",
        otherwise="is_regular = False",
        finish="return values, gaps, i, e, p, is_regular",
        extra=", position, base_sequence, e, hexed",
        names=(
            ("sizes", _sizes()),
            ("size_text", _size_text),
            ("wanted_key", shape.condition.wanted_key),
            *_loop_names(shape, form),
        ),
        **_payload_of(shape),
        headers=headers if shape.headers else NO_HEADERS,
        frame=_FRAME,
    )


def _loop_names(shape: _Shape, form: JsonForm | None) -> Iterator[tuple[str, Any]]:
    """What the text of keys, values and headers needs."""
    yield from _header_names(form, ensure_ascii=shape.ensure_ascii)
    if form is not None:
        yield "made", form.made
        yield "template", form.begin + b"%b" + form.end
    if shape.decoder is not None:
        yield "decoded", _decoded(shape.decoder, ensure_ascii=shape.ensure_ascii)


@cache
def _lone(shape: _Shape) -> LoneRecords:
    """What makes the lines of batches of one record, which have no codec; `shape` says how keys and values are shown."""
    batch = "".join(f',"{field.kafka_name}":{{{field.name}}}' for field in BATCH_HEADER.fields)
    form = None if shape.form is None else json_form(shape.form, ensure_ascii=shape.ensure_ascii)
    payload = "" if form is None else ',"key":{shown(key)},"value":{shown(val)}'
    said = "" if shape.decoder is None else ',"decoded":{decoded(base_offset, key, val)}'
    text = (
        f'{{batch_front}}{{position}}{batch},"size":{{size_of_batch}},"isValid":true,"compressionType":"none",'
        '"timestampType":"CreateTime","lastOffset":{base_offset},"lastSequence":{base_sequence},'
        f'"isTransactional":{{BOOLEAN[attributes == {bits.TRANSACTIONAL}]}},"isControl":false,"deleteHorizonMs":null}}}}\n'
        '{record_front}{begin + p},"batchPosition":{position},"offset":{base_offset},"timestamp":{base_timestamp + t},'
        '"keySize":{null if k & 1 else k >> 1},"valueSize":{null if v & 1 else v >> 1},"sequence":{base_sequence}'
        f'{payload},"headers":[{{raw}}]{said}}}}}\n'
        "{none if base_offset == expected or not expected else gap(mismatch_front, position, base_offset, expected)}"
    )
    return LoneRecords(
        text,
        payload=None if form is None else str,
        headers=(_KEYS_ALONE if form is None else _KEYS_AND_VALUES)._replace(
            finish="raw = b''.join(parts)[:-1].decode()", none="''"
        ),
        names=(
            *(("null", "null"), ("none", ""), ("gap", _gap), ("shown", None if form is None else _shown(form))),
            *_loop_names(shape, form),
        ),
        extra=", batch_front, record_front, mismatch_front",
    )


def _gap(front: str, position: int, offset: int, expected: int) -> str:
    """The line that tells of a gap in front of a record's offset."""
    return f'{front}{position},"kind":"non-consecutive","offset":{offset},"previousOffset":{expected - 1}}}\n'


def _shown(form: JsonForm) -> Callable[[bytes | None], str]:
    """What makes the JSON of a key or value."""
    begin, made, end = form.begin.decode(), form.made, form.end.decode()
    return lambda data: "null" if data is None else f"{begin}{made(data).decode()}{end}"


def _payload_of(shape: _Shape) -> dict[str, Any]:
    """How the loop gives keys and values: as text where nothing else is asked for."""
    null = "raise Irregular"
    if shape.needs_bytes:
        key_null = "key = None" if shape.nulls or shape.condition.wanted_key is not None else null
        return {"key_null": key_null, "value_null": "val = None" if shape.nulls else null}
    if shape.form is None:
        return {"payload": None} if shape.nulls else {"payload": None, "key_null": null, "value_null": null}
    if not shape.nulls:
        return {"payload": shape.in_loop, "key_null": null, "value_null": null}
    return {"payload": shape.in_loop, "key_null": "key = b'null'", "value_null": "val = b'null'"}


def _decoded(decoder: Decoder, *, ensure_ascii: bool) -> Callable[[int, bytes | None, bytes | None], str]:
    def decoded(offset: int, key: bytes | None, value: bytes | None) -> str:
        made = None if ensure_ascii else decoder.object_text(key, value)
        if made is not None:
            return made
        found = decoder.decode_object(offset, key, value)
        text = json.dumps(found, ensure_ascii=ensure_ascii, separators=(",", ":"), default=format_uuid)
        return text.encode("utf-8", "backslashreplace").decode()

    return decoded


#: Make the text between the brackets of `headers`, each header with a comma after it.
_KEYS_ALONE = HeaderSink(
    begin="parts = []; append = parts.append",
    key="append(front_of(data[q:r]))",
    finish="raw = b''.join(parts)[:-1]",
    most=str(MOST_HEADERS),
    repeats=True,
)
_KEYS_AND_VALUES = _KEYS_ALONE._replace(
    begin="parts = []; append = parts.append; add = parts.extend",
    key="name = data[q:r]",
    null="append(null_of(name))",
    value="add((front_of(name), made(data[q:r]), end_of_value))",
)


def _header_names(form: JsonForm | None, *, ensure_ascii: bool) -> Iterator[tuple[str, Any]]:
    """What these need: the texts in front of a value, of a null value, and after a value."""
    if form is None:
        yield "front_of", _keys_with(b"},", ensure_ascii=ensure_ascii)
        return
    yield "front_of", _keys_with(b',"value":' + form.begin, ensure_ascii=ensure_ascii)
    yield "null_of", _keys_with(b',"value":null},', ensure_ascii=ensure_ascii)
    yield "end_of_value", form.end + b"},"


def _keys_with(rest: bytes, *, ensure_ascii: bool) -> Callable[[bytes], bytes]:
    """What gives the text of a header's key, with something after it. Keys repeat, so their text is kept."""
    text = text_json(ensure_ascii=ensure_ascii)

    @lru_cache(maxsize=1024)
    def key_with(key: bytes) -> bytes:
        return b'{"key":%b%b' % (text(key), rest)

    return key_with
