"""Images of disks with logs in pieces, and where each piece lies: the answers that `carve` is held against."""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import NamedTuple

from tests.encode import R, batch
from tests.verify.lab import batches_of, seal

BLOCK = 4096
_LINE = b"2026-11-29 05:%02d:%02d INFO worker-%d GET /api/items/%d HTTP/1.1 200 %d\n"


def log_of(seed, count, *, name="orders", producer_id=-1, base=0, largest=40):
    """A log of so many batches, of 1 to `largest` records each with a JSON value."""
    rnd = random.Random(seed)
    out, offset, sequence = [], base, 0
    for _ in range(count):
        records = []
        for at in range(rnd.randint(1, largest)):
            value = b'{"%s": %d, "note": "%s"}' % (name.encode(), offset + at, b"x" * rnd.randrange(200))
            records.append(R(offset_delta=at, key=b"k%d" % rnd.randrange(99), value=value))
        idempotent = producer_id >= 0
        made = batch(
            records,
            base_offset=offset,
            leader_epoch=offset // 1000,
            base_timestamp=1_700_000_000_000 + offset,
            producer_id=producer_id,
            producer_epoch=0 if idempotent else -1,
            base_sequence=sequence if idempotent else -1,
            crc=0,
        )
        out.append(seal(made))
        offset, sequence = offset + len(records), sequence + len(records)
    return b"".join(out)


class Extent(NamedTuple):
    """A piece of a log: where it lies in the image, which log's it is, where it begins in that, its bytes."""

    position: int
    log: int
    start: int
    size: int


class Answers(NamedTuple):
    """What is in an image.

    `whole`: positions of whole batches → their bytes. `cut`: bytes of each batch that lies in two pieces, while those before
    and after it lie whole beside them. `others`: how many lie in more pieces, or have no such neighbours.
    """

    whole: dict[int, bytes]
    cut: list[bytes]
    others: int


def fragmented(logs, seed, *, longest=64, noise=0.5):
    """An image with logs in pieces of 1 to `longest` blocks, in their order, between other data; and its answers.

    Args:
        logs: The bytes of each log.
        seed: Of the random numbers.
        longest: Blocks of the longest piece.
        noise: How often other data come next.
    """
    rnd = random.Random(seed)
    text = b"".join(
        _LINE % (rnd.randrange(60), rnd.randrange(60), rnd.randrange(9), rnd.randrange(10**6), rnd.randrange(10**5))
        for _ in range(2000)
    )
    image, extents = bytearray(), []
    at = dict.fromkeys(range(len(logs)), 0)
    while at:
        size = BLOCK * rnd.randint(1, longest)
        if rnd.random() < noise:
            kind = rnd.random()
            image += (
                rnd.randbytes(size) if kind < 0.4 else bytes(size) if kind < 0.7 else (text * (size // len(text) + 1))[:size]
            )
            continue
        log = rnd.choice(list(at))
        piece = logs[log][at[log] : at[log] + size]
        extents.append(Extent(len(image), log, at[log], len(piece)))
        image += piece + bytes(-len(piece) % BLOCK)
        at[log] += len(piece)
        if at[log] >= len(logs[log]):
            del at[log]
    return bytes(image), answers(logs, extents)


def answers(logs, extents):
    whole, cut, others = {}, [], 0
    for number, log in enumerate(logs):
        pieces: list[Extent] = []
        for extent in extents:
            if extent.log != number:
                continue
            before = pieces[-1] if pieces else None
            if before is not None and before.position + before.size == extent.position:
                pieces[-1] = before._replace(size=before.size + extent.size)
            else:
                pieces.append(extent)
        begins = [piece.start for piece in pieces]
        lies = []
        position = 0
        for one in batches_of(log):
            first = bisect_left(begins, position + 1) - 1
            last = bisect_left(begins, position + len(one)) - 1
            lies.append((one, first, last, pieces[first].position + position - begins[first]))
            position += len(one)
        for at, (one, first, last, place) in enumerate(lies):
            if first == last:
                whole[place] = one
            elif (
                last == first + 1
                and 0 < at < len(lies) - 1
                and lies[at - 1][1:3] == (first, first)
                and lies[at + 1][1:3] == (last, last)
            ):
                cut.append(one)
            else:
                others += 1
    return Answers(whole, cut, others)
