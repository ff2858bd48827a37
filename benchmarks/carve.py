"""`kafkalog carve` on a fragmented image with an answer key: speed beside reading and beside checksums, and what it finds.

    python -m benchmarks.carve [--mib 1024] [--rounds 3] [--work DIR]

The image: two fifths random bytes, a quarter zeros, 15 % lines of text, and a fifth pieces of three logs, with batches of
11 KiB, of 1 KiB and of 58 KiB, in blocks of 4 KiB, pieces of 64 KiB to 4 MiB. Beside it: the bare reads of the same bytes, and
those with one `crc32c` of them; CPU seconds of one process, the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.verify import batch, records
from kafkalog.carve.api import Settings, carve
from kafkalog.core.checksum import crc32c
from tests.carve.images import BLOCK, Extent, answers
from tests.verify.lab import batches_of

WINDOW = 8 << 20


def logs(size):
    """Three logs of about so many bytes each."""
    found = []
    for per_batch, values in ((100, 100), (8, 100), (64, 900)):
        body = records(per_batch, values, b"key-0001")
        out, offset, total = [], 0, 0
        while total < size:
            # Bodies differ, so that no batch has the bytes of another one.
            own = body[:-8] + offset.to_bytes(7, "big") + body[-1:]
            out.append(batch(offset, own, per_batch, 7, offset & 0x7FFFFFFF, 1_700_000_000_000 + offset))
            offset, total = offset + per_batch, total + len(out[-1])
        found.append(b"".join(out))
    return found


def write_image(path, size, sources, rnd):
    """Write it; gives the places of the pieces."""
    text = b"".join(
        b"2026-11-29 INFO worker-%d GET /items/%d 200\n" % (rnd.randrange(9), rnd.randrange(10**6)) for _ in range(50_000)
    )
    at = [0] * len(sources)
    extents, position = [], 0
    with path.open("wb") as out:
        while position < size:
            length = min(BLOCK * rnd.randrange(16, 1024), size - position)
            kind = rnd.random()
            if kind < 0.4:
                data = rnd.randbytes(length)
            elif kind < 0.65:
                data = bytes(length)
            elif kind < 0.8:
                data = (text * (length // len(text) + 1))[:length]
            else:
                log = rnd.randrange(len(sources))
                data = sources[log][at[log] : at[log] + length]
                if not data:
                    continue
                extents.append(Extent(position, log, at[log], len(data)))
                at[log] += len(data)
                data += bytes(-len(data) % BLOCK)
            out.write(data)
            position += len(data)
    return extents, at


def seconds(work):
    """CPU and wall seconds of a call, and what it gives."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.process_time() - cpu, time.perf_counter() - wall, found


def read(path, *, with_crc):
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(WINDOW))
        while size := file.readinto(buffer):
            if with_crc:
                crc32c(buffer[:size])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-carve-", dir=arguments.work))
    try:
        measure(work, arguments.mib << 20, arguments.rounds)
    finally:
        shutil.rmtree(work)


def measure(work, size, rounds):
    image = work / "disk.img"
    sources = logs(size // 12)
    extents, used = write_image(image, size, sources, random.Random(5))
    sources = [source[:end] for source, end in zip(sources, used, strict=True)]
    # What is left of the last batch of each log is not one.
    whole = []
    for source in sources:
        end, at = 0, 0
        while at + 12 <= len(source):
            at += 12 + int.from_bytes(source[at + 8 : at + 12], "big")
            end = at if at <= len(source) else end
        whole.append(source[:end])
    key = answers(whole, extents)
    rows = {}
    for with_numpy in (True, False):
        times = []
        for number in range(rounds):
            out = work / f"out-{with_numpy}-{number}"
            bare = seconds(lambda: read(image, with_crc=False))
            crc = seconds(lambda: read(image, with_crc=True))
            settings = Settings(jobs=1, with_numpy=with_numpy)
            ours = seconds(lambda out=out, settings=settings: carve([str(image)], str(out), settings, lambda _: iter(())))
            times.append((ours[0], ours[1], ours[0] / bare[0], ours[0] / crc[0]))
        cpu, wall, beside_read, beside_crc = (statistics.median(column) for column in zip(*times, strict=True))
        rows["with numpy" if with_numpy else "without"] = {
            "GB/s of CPU": round(size / cpu / 1e9, 2), "GB/s": round(size / wall / 1e9, 2),
            "beside reading": round(beside_read, 2), "beside reading and one checksum": round(beside_crc, 2),
        }  # fmt: skip
    found = ours[2]
    got = {batch for log in out.rglob("*.log") for batch in batches_of(log.read_bytes())}
    wanted, cut = set(key.whole.values()), set(key.cut)
    everything = {batch for log in whole for batch in batches_of(log)}
    rows["found"] = {
        "whole": f"{len(wanted & got)} of {len(wanted)}", "false": len(got - everything),
        "stitched": f"{len(cut & got)} of {len(cut)}",
        "in more pieces": key.others, "groups": len(found.groups), "skipped": len(found.skipped),
    }  # fmt: skip
    json.dump(rows, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
