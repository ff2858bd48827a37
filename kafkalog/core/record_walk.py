"""The fast record loop: the same reading as `record.read_record`, three times as fast, for regular records only.

A function call per varint would cost more than everything else together, so the loop is a source text with the varints
written out, and a *sink* is put into it: the statement that runs for each record. A sink works with these local names:

    o, t        offset delta and timestamp delta
    k, v        raw (zig-zag) key and value length: odd means null, else the size is half of it
    key, val    the bytes, or None
    raw         what the `HeaderSink` makes of the header section: its bytes by default
    i, p, q     number of the record, its first byte, the byte after it
    base_offset, base_timestamp

What is not perfectly regular (a varint of more than nine bytes, a length that does not add up, values near the ends of
64 bits) raises `Irregular`; then `otherwise` runs, and whoever made the loop reads on from record `i` at `p` the readable
way, which knows what exactly is wrong. Everything before `p` has been read and checked.

The loop needs all its bytes at hand, and a sink that keeps something of each record wants few of them: `runs` cuts a large
batch into runs of regular records that the loop can be given one by one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.source import PIECE, Bytes, WindowedBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "CHECKED_HEADERS",
    "MOST_AT_ONCE",
    "MOST_HEADERS",
    "NO_HEADERS",
    "SAFE_BASE",
    "HeaderSink",
    "Irregular",
    "Run",
    "compile_headers",
    "compile_walk",
    "runs",
    "size_at",
]

#: Records of a batch that are listed at once.
MOST_AT_ONCE = 1 << 15
#: Headers of a record that are listed at once.
MOST_HEADERS = 1 << 12

#: Base offsets and timestamps beyond this could overflow 64 bits, which only the readable way models.
SAFE_BASE = 1 << 61

#: No value yet: a third byte follows.
_MORE = [None] * 128
#: Varints by their first byte: the raw value, or for one that goes on the values by the second byte.
_RAWS: list[Any] = [*range(128), *([*range(low, 1 << 14, 128), *_MORE] for low in range(128))]
#: The same for signed values: of the even ones, and of the odd ones between them.
_SIGNED: list[Any] = [(n >> 1) ^ -(n & 1) for n in range(128)]
_SIGNED += [
    [*(range(~(low >> 1), -(1 << 13) - 1, -64) if low & 1 else range(low >> 1, 1 << 13, 64)), *_MORE] for low in range(128)
]


class Irregular(Exception):
    """The record is not perfectly regular; nothing is known about why."""


def _raw(data: bytes, p: int) -> tuple[int, int]:
    """Any varint from its first byte: raw value and the place after it."""
    value = shift = 0
    while shift < 63:
        byte = data[p]
        p += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > SAFE_BASE:
                break
            return value, p
        shift += 7
    raise Irregular


def size_at(data: bytes, p: int) -> tuple[int, int]:
    """A raw 32-bit varint, which may not take more than five bytes, and the place after it."""
    value, q = _raw(data, p)
    if value > 0xFFFFFFFF or q - p > 5:
        raise Irregular
    return value, q


def _signed32(data: bytes, p: int) -> tuple[int, int]:
    value, p = size_at(data, p)
    return (value >> 1) ^ -(value & 1), p


def _signed64(data: bytes, p: int) -> tuple[int, int]:
    value, p = _raw(data, p)
    return (value >> 1) ^ -(value & 1), p


class HeaderSink(NamedTuple):
    """What a loop does with the headers of a record: statements, and an expression.

    `key` and `value` run for `data[q:r]`, `null` instead of `value`; `begin` and `finish` stand around the headers of a
    record, the first of which begins after `w`. `finish` sets `raw`; `none` is its value for a record without headers.
    `most`: how many headers are taken. `repeats`: the same headers are expected again, in the next records of the log, so that
    what became of them is kept for a while.
    """

    begin: str = "pass"
    key: str = "pass"
    null: str = "pass"
    value: str = "pass"
    finish: str = 'raw = data[w:q] if h else b""'
    none: str = 'b""'
    most: str = "end - q"
    repeats: bool = False


#: Keeps the bytes of the header section.
BYTES_OF_HEADERS = HeaderSink()
#: Checks them, and remembers which were fine.
CHECKED_HEADERS = HeaderSink(finish="raw = True", none="True", repeats=True)
#: Leaves records with headers to another loop.
NO_HEADERS = HeaderSink(begin="raise Irregular")

#: What a loop names in each record, as parameters.
_OWN = ", signed=signed, raws=raws, after_key=after_key, after_value=after_value, seen=seen"

#: A loop over records: around what is done for each of them, `{record}`.
_FRAME = """
def walk(data, p, end, count, base_offset, base_timestamp{extra}{own}):
    i = 0
    try:
        {setup}
        for i in range(count):
            {record}
            p = q
        i = count
        if p != end: raise Irregular
    except (Irregular, IndexError):
        {otherwise}
    {finish}
"""

_RECORD = """
n = data[p]
if n < 128: s = p + 1
else:
    n = raws[n][data[p + 1]]; s = p + 2
    if n is None: n, s = size(data, p)
t = data[s + 1]; o = data[s + 2]; q = s + 3
if t < 128: t = signed[t]
else:
    t = signed[t][o]
    if t is None: t, q = signed64(data, s + 1)
    o = data[q]; q += 1
if o < 128: o = signed[o]
else:
    o = signed[o][data[q]]; q += 1
    if o is None: o, q = signed32(data, q - 2)
k = data[q]; q += 1
if k & 129:
    if k > 127:
        k = raws[k][data[q]]; q += 1
        if k is None: k, q = size(data, q - 2)
    if k & 1: {key_null}; r = q
    else: r = q + (k >> 1); {key_bytes}
else: r = q + (k >> 1); {key_bytes}
v = data[r]; r += 1
if v > 127:
    v = raws[v][data[r]]; r += 1
    if v is None: v, r = size(data, r - 2)
if v & 1: {value_null}; q = r
else: q = r + (v >> 1); {value_bytes}
if data[q]:
{section}else: q += 1; raw = {headers.none}
if (q - s) << 1 != n: raise Irregular
{emit}
"""

#: How far it is from the count of headers to the first one, from the length of a key to that of its value, and from there to
#: the next header, by the one byte of the count or the length; far out of the data where it is not regular or not one byte.
_FAR = 1 << 60
_AFTER_COUNT = [1 if not n & 0x81 else _FAR for n in range(256)]
_AFTER_KEY = [1 + (n >> 1) if not n & 0x81 else _FAR for n in range(256)]
_AFTER_VALUE = [1 if n & 1 else 1 + (n >> 1) for n in range(128)] + [_FAR] * 128

_SECTION = """
w = q; h = data[q]; q += 1
if h > 127: h, q = size(data, w)
if h & 1 or h >> 1 > {headers.most}: raise Irregular
{headers.begin}
for _ in range(h >> 1):
    z = data[q]; q += 1
    if z > 127: z, q = size(data, q - 1)
    if z & 1: raise Irregular
    r = q + (z >> 1); {headers.key}
    z = data[r]; q = r + 1
    if z > 127: z, q = size(data, r)
    if z & 1: {headers.null}
    else: r = q + (z >> 1); {headers.value}; q = r
if q > end: raise Irregular
{headers.finish}
"""

#: The same for a sink that looks at no header by itself: over short ones in steps.
_STEPS = """
w = q; h = data[q]
try:
    q += after_count[h]; q += after_key[data[q]]; q += after_value[data[q]]
    if h > 2:
        q += after_key[data[q]]; q += after_value[data[q]]
        for _ in range((h >> 1) - 2): q += after_key[data[q]]; q += after_value[data[q]]
except IndexError: q = -1
if (q - s) << 1 == n and q <= end:
    {headers.finish}
else:
    q = w
{section}
"""

#: Around that, for sections that may have been seen before: compared with the last one, and looked up until too many in a row
#: were new.
_SEEN_SECTION = """
r = s + (n >> 1)
if tries and data[q:r] == last_section and r <= end: raw = last_raw; q = r
else:
    raw = seen.get(data[q:r]) if tries else None
    if raw is None:
{section}
        if tries and (q - s) << 1 == n: tries -= 1; keep(seen, data[w:q], raw)
    elif r > end: raise Irregular
    else: last_section = data[q:r]; last_raw = raw; q = r; tries = {tries}
"""
_TRIES = 8

#: Header sections that are kept, and the bytes of the largest.
_SECTIONS_KEPT = 256
_LARGEST_KEPT = 1 << 10


def _keep(seen: dict[bytes, Any], section: bytes, raw: Any) -> None:
    """Keep what became of a header section; what was kept before goes when there is too much of it."""
    if len(section) <= _LARGEST_KEPT:
        if len(seen) >= _SECTIONS_KEPT:
            seen.clear()
        seen[section] = raw


_KEY_NULL = "key = None"
_VALUE_NULL = "val = None"


@cache
def compile_walk(
    emit: str,
    *,
    setup: str = "rows = []; emit = rows.append",
    finish: str = "return rows",
    otherwise: str = "return None",
    extra: str = "",
    names: tuple[tuple[str, Any], ...] = (),
    payload: Callable[[str], str] | None = str,
    key_null: str = _KEY_NULL,
    value_null: str = _VALUE_NULL,
    values: bool = True,
    headers: HeaderSink = BYTES_OF_HEADERS,
    frame: str = _FRAME,
) -> Callable[..., Any]:
    """Make a record loop with a sink.

    Args:
        emit: The statement, or lines of them, for each record; with `yield` in it the loop is a generator.
        setup: The statement before the loop.
        finish: The statement after it.
        otherwise: The statement that runs when record `i` at `p` is irregular or bytes up to `end` are left over.
        extra: Further parameters, as text, with a leading comma.
        names: What else the statements may name.
        payload: Gives the expression for `key` and `val` from that for their bytes; None: they are not needed, and undefined.
        key_null: The statement for a null key; it may raise Irregular to leave such records to another loop.
        value_null: The same for a null value.
        values: Whether `val` is needed; if not, it is undefined.
        headers: What happens with headers.
        frame: The loop around, with `{record}` on a line of its own: `data[p]` is where one begins, `end` where all of them
            end; `{own}` ends the parameters.

    Returns:
        `walk(data, at, end, count, base_offset, base_timestamp, ...)`: reads `count` records that must fill
        `data[at:end]` exactly; bytes around them are not looked at.
    """
    from textwrap import indent

    section = _SECTION.format(headers=headers)
    if headers.key == headers.null == headers.value == headers.begin == "pass" and headers.most == HeaderSink().most:
        section = _STEPS.format(headers=headers, section=indent(section, " " * 4))
    if headers.repeats:
        section = _SEEN_SECTION.format(section=indent(section, " " * 8), tries=_TRIES)
        setup = f"tries = {_TRIES}; last_section = last_raw = None; {setup}"
    record = _RECORD.format(
        section=indent(section, " " * 4),
        emit=emit,
        headers=headers,
        key_null=key_null if payload or key_null != _KEY_NULL else "pass",
        value_null=value_null if (payload and values) or value_null != _VALUE_NULL else "pass",
        key_bytes=f"key = {payload('data[q:r]')}" if payload else "pass",
        value_bytes=f"val = {payload('data[r:q]')}" if payload and values else "pass",
    )
    blanks = frame[: frame.index("{record}")].rpartition("\n")[2]
    record = indent(record, blanks).strip()
    source = frame.format(extra=extra, own=_OWN, setup=setup, finish=finish, otherwise=otherwise, record=record)
    space: dict[str, Any] = {
        "Irregular": Irregular,
        "signed": _SIGNED,
        "raws": _RAWS,
        "after_count": _AFTER_COUNT,
        "after_key": _AFTER_KEY,
        "after_value": _AFTER_VALUE,
        "size": size_at,
        "signed32": _signed32,
        "signed64": _signed64,
        "seen": {},
        "keep": _keep,
        **dict(names),
    }
    exec(compile(source, "<kafkalog record loop>", "exec"), space)  # noqa: S102 - the text is all ours, see the module
    walk: Callable[..., Any] = space["walk"]
    return walk


@cache
def compile_headers(headers: HeaderSink, *, names: tuple[tuple[str, Any], ...] = ()) -> Callable[[bytes], Any]:
    """Make what reads a header section by itself: a function of its bytes that gives what `finish` sets `raw` to.

    It raises Irregular or IndexError.
    """
    from textwrap import indent

    section = indent(_SECTION.format(headers=headers), " " * 4)
    source = f"def read(data):\n    q = 0; end = len(data)\n{section}\n    if q != end: raise Irregular\n    return raw"
    space: dict[str, Any] = {"Irregular": Irregular, "size": size_at, **dict(names)}
    exec(compile(source, "<kafkalog header loop>", "exec"), space)  # noqa: S102 - the text is all ours, see the module
    read: Callable[[bytes], Any] = space["read"]
    return read


class Run(NamedTuple):
    """`records` regular records, one after the other, in `data[start:end]`; `data` begins at number `begin` of all bytes.

    With `records` 0: from `start` to `end`, which may lie beyond `data`, stands one record that is irregular or larger than
    a piece, to be read the readable way.
    """

    data: bytes
    start: int
    end: int
    records: int
    begin: int


@cache
def _measure() -> Callable[..., tuple[int, int]]:
    return compile_walk("pass", setup="pass", finish="return i, p", otherwise="pass", payload=None)


def runs(data: Bytes, at: int, count: int) -> Iterator[Run]:
    """Cut `count` records, which should fill the bytes from `at` on, into runs; ends early where a length leads nowhere.

    Args:
        data: The (decompressed) record bytes.
        at: Where the first record begins.
        count: How many records there should be.
    """
    size = len(data)
    while count > 0 and at < size:
        begin, held = data.window(at, min(PIECE, size - at)) if isinstance(data, WindowedBytes) else (0, data)
        start, end = at - begin, min(len(held), size - begin)
        done, place = _measure()(held, start, end, min(count, MOST_AT_ONCE), 0, 0)
        if done:
            yield Run(held, start, place, done, begin)
            count -= done
            at = begin + place
            continue
        length, place = _length(data, at)
        if length < 0 or place + length > size:
            return
        yield Run(held, start, place + length - begin, 0, begin)
        count -= 1
        at = place + length


def _length(data: Bytes, at: int) -> tuple[int, int]:
    """The length in front of the record at `at`, -1 when it cannot be read, and the place after it."""
    try:
        raw, used = size_at(data[at : at + 5], 0)
    except (Irregular, IndexError):
        return -1, at
    return (raw >> 1) ^ -(raw & 1), at + used
