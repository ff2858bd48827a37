"""Damage of every kind, chosen by a seed, to the files of any partition: for tests that ask a model and a real broker the same.

    situation = harm(files, random.Random(7))       # files: name → bytes, not changed

A `Harmed` is what is put into the directory, and the lines of the log dir's checkpoints for it. One to three edits each.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.checksum import crc32, crc32c

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["Harmed", "harm", "log_bases"]

SUFFIXES = (".deleted", ".cleaned", ".swap")
EPOCHS = "leader-epoch-checkpoint"
_INT = {"q": 64, "i": 32, "h": 16, "b": 8, "I": 32}
_FORMATS = {
    "base_offset": "q", "batch_length": "i", "partition_leader_epoch": "i", "magic": "b", "attributes": "h",
    "last_offset_delta": "i", "base_timestamp": "q", "max_timestamp": "q", "producer_id": "q", "producer_epoch": "h",
    "base_sequence": "i", "records_count": "i",
}  # fmt: skip
_OUTSIDE_CRC = ("base_offset", "batch_length", "partition_leader_epoch", "magic")


class Harmed(NamedTuple):
    """What a start finds: files, directories among them, the checkpoints' lines, the kind of stop; and what was done."""

    files: dict[str, bytes]
    directories: tuple[str, ...]
    clean: bool
    recovery_point: int
    log_start: int
    said: tuple[str, ...]


def log_bases(files: dict[str, bytes]) -> list[int]:
    """Base offsets of the segments, ascending."""
    return sorted(int(name[:20]) for name in files if re.fullmatch(r"\d{20}\.log", name))


def _batches(data: bytes) -> list[tuple[int, int]]:
    """(position, size) of the batches as far as their sizes lead."""
    found, at = [], 0
    while at + 17 <= len(data):
        (size,) = struct.unpack_from(">i", data, at + 8)
        if size < 14 or at + 12 + size > len(data):
            break
        found.append((at, 12 + size))
        at += 12 + size
    return found


def _end_offset(files: dict[str, bytes]) -> int:
    bases = log_bases(files)
    if not bases:
        return 0
    data = files[f"{bases[-1]:020d}.log"]
    found = _batches(data)
    if not found:
        return bases[-1]
    at = found[-1][0]
    (base,) = struct.unpack_from(">q", data, at)
    delta = struct.unpack_from(">i", data, at + 23)[0] if data[at + 16] == 2 and found[-1][1] >= 61 else 0
    return base + delta + 1


class _Hand:
    """One set of edits in progress."""

    def __init__(self, files: dict[str, bytes], rng: random.Random) -> None:
        self.files = dict(files)
        self.rng = rng
        self.directories: set[str] = set()
        self.said: list[str] = []
        self.end = _end_offset(files)
        self.bases = log_bases(files) or [0]

    def pick(self, *suffixes: str, sized: bool = False) -> str | None:
        names = sorted(name for name in self.files if name.endswith(suffixes) and (self.files[name] or not sized))
        return self.rng.choice(names) if names else None

    def log(self) -> str | None:
        """A log: the last one as often as all the others."""
        names = sorted(name for name in self.files if re.fullmatch(r"-?\d+\.log", name) and self.files[name])
        if not names:
            return None
        return names[-1] if self.rng.random() < 0.5 else self.rng.choice(names)

    def note(self, text: str) -> None:
        self.said.append(text)

    def value(self, kind: str, old: int) -> int:
        """A value near the old one, or one at a border."""
        bits = _INT[kind]
        near = [old + d for d in (-3, -1, 1, 2, 7)] + [old ^ (1 << self.rng.randrange(bits))]
        far = [
            0,
            1,
            -1,
            -5,
            13,
            14,
            48,
            49,
            (1 << (bits - 1)) - 1,
            -(1 << (bits - 1)),
            1 << min(bits - 2, 31),
            1 << min(bits - 2, 40),
        ]
        value = self.rng.choice(near if self.rng.random() < 0.5 else far)
        value &= (1 << bits) - 1
        return value - (1 << bits) if kind != "I" and value >> (bits - 1) else value


def _bytes_edit(hand: _Hand, name: str) -> None:
    """Damage that knows nothing of what the file holds."""
    rng = hand.rng
    data = bytearray(hand.files[name])
    at = rng.randrange(len(data) + 1)
    kind = rng.choice(("flip", "cut", "zeros", "zero-tail", "random", "insert", "remove", "empty", "text"))
    if kind == "flip" and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "zeros":
        data[at : at + rng.choice((8, 64, 500))] = bytes(len(data[at : at + 64]))
    elif kind == "zero-tail":
        data += bytes(rng.choice((1, 7, 8, 12, 17, 18, 100, 4096)))
    elif kind == "random":
        size = len(data[at : at + 30])
        data[at : at + size] = rng.randbytes(size)
    elif kind == "insert":
        data[at:at] = rng.randbytes(rng.randrange(1, 60))
    elif kind == "remove":
        del data[at : at + rng.randrange(1, 60)]
    elif kind == "empty":
        data.clear()
    else:
        data += b"# a line by a hurried editor\n"
    hand.files[name] = bytes(data)
    hand.note(f"{kind} {name}@{at}")


def _log_bytes(hand: _Hand) -> None:
    name = hand.log()
    if name is not None:
        _bytes_edit(hand, name)


def _fix_crc(data: bytearray, at: int, size: int) -> None:
    if data[at + 16] < 2:
        struct.pack_into(">I", data, at + 12, crc32(bytes(data[at + 16 : at + size])))
    else:
        struct.pack_into(">I", data, at + 17, crc32c(bytes(data[at + 21 : at + size])))


def _some_batch(hand: _Hand) -> tuple[str, bytearray, list[tuple[int, int]], int] | None:
    name = hand.log()
    if name is None:
        return None
    data = bytearray(hand.files[name])
    found = _batches(data)
    if not found:
        return None
    number = len(found) - 1 if hand.rng.random() < 0.3 else hand.rng.randrange(len(found))
    return name, data, found, number


def _header_field(hand: _Hand) -> None:
    """A header field of a batch, mostly with a CRC that agrees."""
    some = _some_batch(hand)
    if some is None:
        return
    name, data, found, number = some
    at, size = found[number]
    if size < BATCH_HEADER.size or data[at + 16] < 2:
        _legacy_field(hand, name, data, at, size)
        return
    field = hand.rng.choice(tuple(_FORMATS))
    kind = _FORMATS[field]
    place = at + BATCH_HEADER[field].at
    (old,) = struct.unpack_from(f">{kind}", data, place)
    new = old ^ hand.rng.choice((1, 2, 4, 8, 16, 32, 48, 64, 256)) if field == "attributes" else hand.value(kind, old)
    struct.pack_into(f">{kind}", data, place, new)
    if field not in _OUTSIDE_CRC and hand.rng.random() < 0.8:
        _fix_crc(data, at, size)
    hand.files[name] = bytes(data)
    hand.note(f"{field} {old}->{new} {name}@{at}")


def _legacy_field(hand: _Hand, name: str, data: bytearray, at: int, size: int) -> None:
    kind, place = hand.rng.choice((("q", 0), ("i", 8), ("b", 16), ("b", 17), ("q", 18)))
    if place + struct.calcsize(kind) > size:
        return
    (old,) = struct.unpack_from(f">{kind}", data, at + place)
    new = hand.value(kind, old)
    struct.pack_into(f">{kind}", data, at + place, new)
    if place > 8 and hand.rng.random() < 0.7:
        _fix_crc(data, at, size)
    hand.files[name] = bytes(data)
    hand.note(f"legacy@{place} {old}->{new} {name}@{at}")


def _body(hand: _Hand) -> None:
    """Bytes behind a header, with a CRC that agrees."""
    some = _some_batch(hand)
    if some is None:
        return
    name, data, found, number = some
    at, size = found[number]
    first = at + (BATCH_HEADER.size if data[at + 16] >= 2 and size > BATCH_HEADER.size else 16)
    if first >= at + size:
        return
    for _ in range(hand.rng.choice((1, 1, 3))):
        place = hand.rng.randrange(first, min(at + size, first + 40) if hand.rng.random() < 0.6 else at + size)
        data[place] = hand.rng.choice((data[place] ^ 1 << hand.rng.randrange(8), 0, 1, 2, 255, 127))
    _fix_crc(data, at, size)
    hand.files[name] = bytes(data)
    hand.note(f"body {name}@{at}")


def _whole_batches(hand: _Hand) -> None:
    """Batches removed, doubled, exchanged, or from elsewhere."""
    some = _some_batch(hand)
    if some is None:
        return
    name, data, found, number = some
    at, size = found[number]
    batch = bytes(data[at : at + size])
    kind = hand.rng.choice(("remove", "double", "exchange", "foreign", "remove", "shift", "end", "half"))
    if kind == "remove":
        del data[at : at + size]
    elif kind == "double":
        data[at:at] = batch
    elif kind == "exchange" and number + 1 < len(found):
        after, more = found[number + 1]
        data[at : after + more] = bytes(data[after : after + more]) + batch
    elif kind == "foreign":
        other = hand.log()
        assert other is not None
        theirs = _batches(hand.files[other])
        if theirs:
            begin, length = hand.rng.choice(theirs)
            data[at:at] = hand.files[other][begin : begin + length]
    elif kind == "end":
        del data[at:]
    elif kind == "half":
        del data[at + size // 2 :]
    else:
        (old,) = struct.unpack_from(">q", data, at)
        shift = hand.rng.choice((-1, 1, 5, 1 << 31, 1 << 33))
        for begin, _ in found[number:]:
            (old,) = struct.unpack_from(">q", data, begin)
            struct.pack_into(">q", data, begin, max(-(1 << 63), min((1 << 63) - 1, old + shift)))
    hand.files[name] = bytes(data)
    hand.note(f"batch-{kind} {name}@{at}")


def _append(hand: _Hand) -> None:
    """A copy of a batch behind the end, with an offset of its own."""
    some = _some_batch(hand)
    if some is None:
        return
    _, data, found, number = some
    at, size = found[number]
    batch = bytearray(data[at : at + size])
    offset = hand.end + hand.rng.choice((0, 0, 0, 3, -2, 1 << 31, 1 << 32))
    struct.pack_into(">q", batch, 0, offset)
    if size >= BATCH_HEADER.size and batch[16] == 2 and hand.rng.random() < 0.4:
        struct.pack_into(">q", batch, 43, hand.rng.choice((-1, 4711, 0)))
        struct.pack_into(">h", batch, 21, hand.rng.choice((0, 16, 48, 32)) | batch[22] & 7)
        _fix_crc(batch, 0, len(batch))
    last = f"{hand.bases[-1]:020d}.log"
    if last in hand.files:
        hand.files[last] += bytes(batch)
        hand.note(f"append {last} offset {offset}")


def _marker(hand: _Hand) -> None:
    """A transaction marker whose key or value says something else, with a CRC that agrees."""
    names = [name for name in hand.files if name.endswith(".log")]
    hand.rng.shuffle(names)
    for name in sorted(names, key=lambda _: hand.rng.random()):
        data = bytearray(hand.files[name])
        control = [(a, s) for a, s in _batches(data) if s >= 70 and data[a + 16] == 2 and data[a + 22] & 0x20]
        if control:
            at, size = hand.rng.choice(control)
            place = hand.rng.randrange(at + 61, at + size)
            data[place] = hand.rng.choice((0, 1, 2, 5, 255, 128, data[place] ^ 1))
            _fix_crc(data, at, size)
            hand.files[name] = bytes(data)
            hand.note(f"marker {name}@{at}+{place - at}")
            return


def _index(hand: _Hand) -> None:
    name = hand.pick(".index", ".timeindex", ".txnindex")
    if name is None:
        return
    width = 8 if name.endswith(".index") else 12 if name.endswith(".timeindex") else 34
    data = bytearray(hand.files[name])
    kind = hand.rng.choice(("delete", "bytes", "entry", "drop", "double", "other", "append", "all"))
    if kind == "delete":
        del hand.files[name]
    elif kind == "bytes":
        _bytes_edit(hand, name)
        return
    elif kind == "all":
        for other in [one for one in hand.files if one.endswith(name[name.rindex(".") :])]:
            del hand.files[other]
    elif kind == "other":
        other = hand.pick(".index", ".timeindex", ".txnindex")
        assert other is not None
        hand.files[name] = hand.files[other]
    else:
        slots = len(data) // width
        at = hand.rng.randrange(slots) * width if slots else 0
        if kind == "entry" and slots:
            place = at + hand.rng.randrange(width)
            data[place] ^= 1 << hand.rng.randrange(8)
        elif kind == "drop":
            del data[at : at + width]
        elif kind == "double":
            data[at:at] = data[at : at + width]
        elif width == 8:
            data += struct.pack(">ii", hand.rng.choice((0, 3, 10**6, -1)), hand.rng.choice((0, 61, 10**6, -1)))
        elif width == 12:
            data += struct.pack(">qi", 1 << hand.rng.choice((3, 41, 62)), hand.rng.choice((0, 3, 10**6, -1)))
        else:
            first = hand.rng.choice((*hand.bases, 0, hand.end))
            data += struct.pack(
                ">hqqqq", hand.rng.choice((0, 0, 1, 256)), 7, first, first + hand.rng.choice((-9, 0, 9)), hand.end
            )
        hand.files[name] = bytes(data)
    hand.note(f"index-{kind} {name}")


def _snapshot(hand: _Hand) -> None:
    name = hand.pick(".snapshot")
    kind = hand.rng.choice(("delete", "all", "bytes", "copy", "rename", "entry", "other"))
    if name is None or kind == "copy":
        data = b"" if name is None else hand.files[name]
        offset = hand.rng.choice((*hand.bases, hand.end, hand.end + 5, 1, hand.bases[-1] + 1))
        hand.files[f"{offset:020d}.snapshot"] = data
        hand.note(f"snapshot-copy {offset}")
        return
    if kind == "delete":
        del hand.files[name]
    elif kind == "all":
        for one in [one for one in hand.files if one.endswith(".snapshot")]:
            del hand.files[one]
    elif kind == "rename":
        offset = hand.rng.choice((hand.end, hand.end + 5, 1, hand.bases[-1] + 1, hand.bases[0]))
        hand.files[f"{offset:020d}.snapshot"] = hand.files.pop(name)
    elif kind == "other":
        other = hand.pick(".snapshot")
        assert other is not None
        hand.files[name] = hand.files[other]
    elif kind == "entry" and len(hand.files[name]) >= 56:
        data = bytearray(hand.files[name])
        count = (len(data) - 10) // 46
        at = 10 + 46 * hand.rng.randrange(count)
        first = hand.rng.choice((-1, 0, hand.bases[-1], hand.end - 1, hand.end, hand.end + 9))
        struct.pack_into(">q", data, at + 38, first)
        struct.pack_into(">I", data, 2, crc32c(bytes(data[6:])))
        hand.files[name] = bytes(data)
    else:
        _bytes_edit(hand, name)
        return
    hand.note(f"snapshot-{kind} {name}")


def _epoch_file(hand: _Hand) -> None:
    if hand.rng.random() < 0.2:
        hand.files.pop(EPOCHS, None)
        hand.note("epochs-missing")
        return
    entries = []
    for line in hand.files.get(EPOCHS, b"").decode("latin-1").splitlines()[2:]:
        words = line.split()
        if len(words) == 2 and all(re.fullmatch(r"-?\d+", word) for word in words):
            entries.append((int(words[0]), int(words[1])))
    for _ in range(hand.rng.randrange(1, 3)):
        entries.insert(
            hand.rng.randrange(len(entries) + 1),
            (hand.rng.choice((0, 1, 2, 5, 90, -1)), hand.rng.choice((0, 1, *hand.bases, hand.end, hand.end + 3, -2))),
        )
        if len(entries) > 1 and hand.rng.random() < 0.3:
            del entries[hand.rng.randrange(len(entries))]
        if hand.rng.random() < 0.2:
            hand.rng.shuffle(entries)
    count = len(entries) + hand.rng.choice((0, 0, 0, 0, 0, 1, -1))
    text = f"0\n{count}\n" + "".join(f"{epoch} {start}\n" for epoch, start in entries)
    if hand.rng.random() < 0.15:
        at = hand.rng.randrange(len(text))
        text = text[:at] + hand.rng.choice((" ", "\n", "x", "\0", "9", "-", "\t", "\r")) + text[at:]
    hand.files[EPOCHS] = text.encode()
    hand.note(f"epochs {text!r}")


def _names(hand: _Hand) -> None:
    """Files deleted, renamed, copied under another name."""
    rng = hand.rng
    name = rng.choice(sorted(hand.files)) if hand.files else None
    if name is None:
        return
    kind = rng.choice(("delete", "rename", "copy", "directory", "odd", "segment", "exchange"))
    stem, _, extension = name.partition(".")
    bases = (*hand.bases, 0, 1, hand.end, hand.end + 7, hand.bases[-1] + 1)
    to = f"{rng.choice(bases):020d}.{extension or 'log'}"
    if kind == "delete":
        del hand.files[name]
    elif kind == "rename":
        hand.files[to] = hand.files.pop(name)
    elif kind == "copy":
        hand.files[to] = hand.files[name]
    elif kind == "directory":
        del hand.files[name]
        hand.directories.add(name)
    elif kind == "segment":
        for one in [one for one in hand.files if one.startswith(stem + ".")]:
            del hand.files[one]
    elif kind == "exchange":
        other = rng.choice(sorted(hand.files))
        hand.files[name], hand.files[other] = hand.files[other], hand.files[name]
        to = other
    else:
        to = rng.choice((
            f"{stem.lstrip('0') or '0'}.{extension}", f"-{stem}.{extension}", f"{stem}.{extension}~", f"{stem}.{extension}.bak",
            f"{stem}0.{extension}", f"x{stem}.{extension}", "notes.log", "notes.txt", "README", f".{name}",
            "7.snapshot", "9223372036854775807.log", "9223372036854775808.log", "+5.log", "00000000000000000005.index",
        ))  # fmt: skip
        # Of two names for one offset the broker takes the one that the file system lists last.
        twin = to.lstrip("0") == name.lstrip("0")
        hand.files[to] = hand.files.pop(name) if twin or rng.random() < 0.5 else hand.files[name]
    hand.note(f"name-{kind} {name} {to}")


def _leftovers(hand: _Hand) -> None:
    """What an interrupted cleaning, split or deletion leaves, in whole or in part."""
    rng = hand.rng
    suffix = rng.choice(SUFFIXES)
    base = rng.choice(hand.bases)
    if suffix == ".swap" and any(name.endswith(".swap") and not name.startswith(f"{base:020d}.") for name in hand.files):
        # Before 3.0, of two swaps the broker completes the one first that the file system lists first.
        suffix = ".deleted"
    files = [name for name in sorted(hand.files) if name.startswith(f"{base:020d}.") and not name.endswith(SUFFIXES)]
    move = rng.random() < 0.4
    for name in files:
        if rng.random() < 0.7:
            hand.files[name + suffix] = hand.files.pop(name) if move else hand.files[name]
    log = f"{base:020d}.log{suffix}"
    how = rng.randrange(5)
    following = [one for one in hand.bases if one > base]
    if how == 0 and following:
        hand.files[log] = hand.files.get(f"{base:020d}.log", b"") + hand.files.get(f"{following[0]:020d}.log", b"")
    elif how == 1 and log in hand.files:
        _bytes_edit(hand, log)
    elif how == 2:
        hand.files[log] = b""
    elif how == 3:
        found = _batches(hand.files.get(log, b""))
        if found:
            place, size = rng.choice(found)
            hand.files[log] = hand.files[log][:place] + hand.files[log][place + size :]
    hand.note(f"left{suffix} {base} move={move} how={how}")


_EDITS: tuple[tuple[int, Callable[[_Hand], None]], ...] = (
    (12, _log_bytes), (14, _header_field), (6, _body), (9, _whole_batches), (5, _append), (5, _marker), (12, _index),
    (10, _snapshot), (8, _epoch_file), (9, _names), (8, _leftovers),
)  # fmt: skip


def harm(files: dict[str, bytes], rng: random.Random, *, clean: bool | None = None) -> Harmed:
    """The files after one to three edits, and the circumstances of the start."""
    hand = _Hand(files, rng)
    weights = [weight for weight, _ in _EDITS]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        rng.choices(_EDITS, weights)[0][1](hand)
    clean = (rng.random() < 0.45) if clean is None else clean
    points = (hand.end, hand.bases[-1], 0, hand.bases[len(hand.bases) // 2], hand.bases[-1] + 1, hand.end + 11)
    point = hand.end if clean else rng.choice(points)
    start = 0
    if rng.random() < 0.2:
        start = rng.choice((hand.bases[0], hand.bases[len(hand.bases) // 2] + 1, hand.end, hand.end + 7, 2, hand.bases[-1]))
    said = (*hand.said, f"clean={clean} recovery_point={point} log_start={start}")
    directories = tuple(sorted(hand.directories - set(hand.files)))
    return Harmed(hand.files, directories, clean, point, start, said)
