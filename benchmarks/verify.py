"""Ratios of `kafkalog.verify`, each pair measured in one process, rounds interleaved.

    python -m benchmarks.verify [MIB [GIB]]
    python -m benchmarks.verify --shapes [MIB] [--only SHAPE ...]
    python -m benchmarks.verify --numpy [MIB] [--only SHAPE ...]

* quick: against the bare loop of one `crc32c` call per batch over the same slices, read through the same window; and,
  for scale, over bytes that are in memory already (copying 16 KiB out of the page cache takes longer than their checksum);
* full: against aiokafka's pure-Python iteration of the same records, without its checksum;
* two workers against one, on eight segments; peak memory of a process that verifies them;
* with a second number: a directory of so many GiB and one of a tenth of that, in time per GiB and peak memory, quick and full;
* `--shapes`: every shape of `benchmarks.generate`, quick against the bare loop, full in time a record against ordinary records.
  What any run costs is left out: it is the difference between a log of so many MiB and one of half of them that counts;
* `--numpy`: full with numpy against without, both in this process and numpy imported before; equal reports first.

The data are made here: 100-byte values in 16 KiB batches, with and without producer ids, and one-record batches; each
segment has the `.index` and `.timeindex` that a broker writes.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from benchmarks.generate import SHAPES
from benchmarks.generate import write_partition as write_shape
from kafkalog.core.checksum import crc32c
from kafkalog.verify import verify

ROUNDS = 5
WINDOW = 1 << 19
START_MS = 1_700_000_000_000


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def records(count, size, key):
    out = bytearray()
    for delta in range(count):
        body = b"\0" + varint(delta) + varint(delta) + varint(len(key)) + key + varint(size) + b"v" * size + b"\0"
        out += varint(len(body)) + body
    return bytes(out)


def batch(offset, body, count, producer_id, sequence, timestamp):
    epoch = 0 if producer_id >= 0 else -1
    tail = struct.pack(
        ">hiqqqhii",
        0,
        count - 1,
        timestamp,
        timestamp + count - 1,
        producer_id,
        epoch,
        sequence if producer_id >= 0 else -1,
        count,
    )
    tail += body
    return struct.pack(">qiibI", offset, len(tail) + 9, 0, 2, crc32c(tail)) + tail


def write_partition(folder, size, segments, per_batch, value_size, producers):
    """A partition directory of `segments` segments with about `size` bytes each."""
    folder.mkdir()
    body = records(per_batch, value_size, b"key-0001")
    offset, count = 0, 0
    sequences = dict.fromkeys(range(producers), 0)
    for _ in range(segments):
        base, written, since = offset, 0, 0
        index, times = bytearray(), bytearray()
        with (folder / f"{base:020d}.log").open("wb") as log:
            while written < size:
                producer_id = count % producers if producers else -1
                data = batch(offset, body, per_batch, producer_id, sequences.get(producer_id, -1), START_MS + offset)
                if producers:
                    sequences[producer_id] += per_batch
                last = offset + per_batch - 1
                if since > 4096:
                    index += struct.pack(">ii", last - base, written)
                    times += struct.pack(">qi", START_MS + last, last - base)
                    since = 0
                log.write(data)
                written += len(data)
                since += len(data)
                offset += per_batch
                count += 1
        if not times or struct.unpack(">q", times[-12:-4])[0] != START_MS + last:
            times += struct.pack(">qi", START_MS + last, last - base)
        (folder / f"{base:020d}.index").write_bytes(index)
        (folder / f"{base:020d}.timeindex").write_bytes(times)
    (folder / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")


def slices(folder):
    """The checksummed range of every batch, per log."""
    found = []
    for path in sorted(folder.glob("*.log")):
        data = path.read_bytes()
        at, ranges = 0, []
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big")
            ranges.append((at + 21, end))
            at = end
        found.append((path, ranges))
    return found


def bare(found):
    """One checksum call per slice, the file read through a window of the same size as verify's."""
    for path, ranges in found:
        fd = os.open(path, os.O_RDONLY)
        view = memoryview(bytearray(WINDOW))
        begin, have = 0, 0
        for a, b in ranges:
            if b > begin + have:
                begin, have = a, os.preadv(fd, [view], a)
            crc32c(view[a - begin : b - begin])
        os.close(fd)


def bare_in_memory(found):
    """The same over bytes that are in memory already: what no reader of files reaches."""
    for view, ranges in found:
        for a, b in ranges:
            crc32c(view[a:b])


def clocked(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def ratio(label, ours, reference, goal):
    """How many times as fast as the reference, median of the rounds."""
    ours()
    reference()
    found = sorted(clocked(reference) / clocked(ours) for _ in range(ROUNDS))
    print(f"{label:58} {statistics.median(found):6.2f} x   (goal {goal}; {found[0]:.2f} to {found[-1]:.2f})", flush=True)


def quietly(report):
    assert not [f for f in report.all_findings() if f.severity > 1], list(report.all_findings())[:3]


def iterate_with_aiokafka(folder):
    from aiokafka.record.default_records import _DefaultRecordBatchPy

    for path in sorted(folder.glob("*.log")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big")
            for _ in _DefaultRecordBatchPy(bytearray(data[at:end])):
                pass
            at = end


class Sizes:
    """A shape in two sizes: what either costs is told by the difference, for what any run costs is the same."""

    def __init__(self, root, shape, size):
        where = [root / f"{shape}-{number}" for number in range(2)]
        self.paths = [generated(folder, shape, size >> number) for number, folder in enumerate(where)]
        self.slices = [slices(next(path for path in folder.iterdir() if path.is_dir())) for folder in where]
        large, small = (sum(part.records for part in verify(path).partitions) for path in self.paths)
        self.records = large - small

    def costs(self):
        """CPU seconds of the bare loop, of quick and of full checks, each of the larger and the smaller size."""
        calls = [
            *(lambda found=found: bare(found) for found in self.slices),
            *(lambda path=path: verify(path, quick=True) for path in self.paths),
            *(lambda path=path: verify(path) for path in self.paths),
        ]
        return [used(call) for call in calls]

    def each(self, rounds):
        """The same a record, by the least of the rounds."""
        least = [min(column) for column in zip(*rounds, strict=True)]
        return [(large - small) / self.records for large, small in zip(least[::2], least[1::2], strict=True)]


#: What full checks of a shape may cost, as a part of their speed on ordinary records; and all others.
_FULL_WANTED = {"headers": 1 / 1.3, "gaps": 1 / 1.5}
_WANTED = 1 / 3


def shapes(megabytes, only):
    """What each shape costs beside the ordinary one, in CPU time, the least of the rounds."""
    print("| shape | quick beside the bare loop | wanted | full, ns a record | beside ordinary records | wanted |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        ordinary = Sizes(pathlib.Path(name), "values100", megabytes << 20)
        for shape in only or SHAPES:
            if shape == "metadata":
                continue
            mine = Sizes(pathlib.Path(name, "shape"), shape, megabytes << 20)
            rounds = [(ordinary.costs(), mine.costs()) for _ in range(ROUNDS)]
            beside = ordinary.each(row for row, _ in rounds)[2]
            loop, quick, full = mine.each(row for _, row in rounds)
            wanted = _FULL_WANTED.get(shape, _WANTED)
            print(f"| {shape} | {loop / quick:.2f} | 0.3 | {full * 1e9:.0f} | {beside / full:.2f} | {wanted:.2f} |", flush=True)
            shutil.rmtree(pathlib.Path(name, "shape"))


def with_numpy(megabytes, only):
    """What full checks cost with numpy beside without, in CPU time."""
    import kafkalog.core.lanes  # noqa: F401 - not measured here: LANES_PAY_FROM is about that
    from kafkalog.verify import engine

    def run(path, *, lanes):
        engine.LANES_PAY_FROM = 0 if lanes else 1 << 60
        return verify(path, now=START_MS)

    print("| shape | without, ns a record | with | ratio | wanted | with, beside ordinary records | quick |")
    print("|---|---|---|---|---|---|---|")
    ordinary = None
    with tempfile.TemporaryDirectory() as name:
        for shape, wanted in _WITH_NUMPY.items():
            if only and shape not in only:
                continue
            path = generated(pathlib.Path(name, shape), shape, megabytes << 20)
            report = run(path, lanes=True)
            assert report.to_jsonl() == run(path, lanes=False).to_jsonl(), f"{shape}: the reports differ"
            records = sum(part.records for part in report.partitions)
            rows = [
                [
                    used(call) / records * 1e9
                    for call in (
                        lambda: run(path, lanes=False),  # noqa: B023 - called at once
                        lambda: run(path, lanes=True),  # noqa: B023
                        lambda: verify(path, quick=True),  # noqa: B023
                    )
                ]
                for _ in range(ROUNDS)
            ]
            plain, lanes, quick = (min(column) for column in zip(*rows, strict=True))
            ordinary = ordinary or lanes
            ratio = statistics.median(row[0] / row[1] for row in rows)
            print(
                f"| {shape} | {plain:.0f} | {lanes:.0f} | {ratio:.2f} | {wanted} | {lanes / ordinary:.2f} | {quick:.0f} |",
                flush=True,
            )


#: Shapes, and how many times as fast checks with numpy are wanted.
_WITH_NUMPY = {
    "values100": 4.0,
    "zstd": 2.0,
    "lz4": 2.0,
    "headers": 4.0,
    "unique-headers": 4.0,
    "nulls": 4.0,
    "tombstones": 4.0,
    "gaps": "",
    "one-record": "",
    "values1k": "",
}


def generated(folder, shape, size):
    """A partition of a shape; a compacted one in a log dir that says so."""
    where = write_shape(folder, shape, size)
    made = SHAPES[shape]()
    if not (made.gaps and made.is_named):
        return where
    (folder / "cleaner-offset-checkpoint").write_text(f"0\n1\n{where.name.replace('-', ' ')} {1 << 40}\n")
    return folder


def used(call):
    """CPU seconds."""
    began = time.process_time()
    call()
    return time.process_time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mib", type=int, nargs="?", default=256, help="MiB of the segments")
    parser.add_argument("gib", type=int, nargs="?", help="GiB of a directory whose time and memory are held against a tenth")
    parser.add_argument("--shapes", type=int, nargs="?", const=64, metavar="MIB", help="every shape beside the ordinary one")
    parser.add_argument("--numpy", type=int, nargs="?", const=64, metavar="MIB", help="with numpy beside without")
    parser.add_argument("--only", nargs="+", default=(), choices=SHAPES, metavar="SHAPE", help="these shapes")
    given = parser.parse_args()
    if given.shapes:
        shapes(given.shapes, given.only)
    elif given.numpy:
        with_numpy(given.numpy, given.only)
    else:
        beside_others(given.mib << 20, given.gib)


def beside_others(size, gigabytes):
    """What checks cost beside bare checksums and aiokafka, and what two workers do."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        plain, idempotent, single, eight = (root / f"{kind}-0" for kind in ("plain", "idempotent", "single", "eight"))
        write_partition(plain, size, 1, 138, 100, 0)
        write_partition(idempotent, size, 1, 138, 100, 5)
        write_partition(single, size // 4, 1, 1, 100, 0)
        write_partition(eight, size // 4, 8, 138, 100, 0)
        for label, folder, goal in (
            ("quick, 16 KiB batches / sliced CRC loop", plain, 0.80),
            ("quick, 16 KiB idempotent batches / sliced CRC loop", idempotent, 0.65),
            ("quick, one-record batches / sliced CRC loop", single, 0.30),
        ):
            found = slices(folder)
            held = [(memoryview(path.read_bytes()), ranges) for path, ranges in found]
            ratio(label, lambda f=folder: quietly(verify(f, quick=True)), lambda f=found: bare(f), goal)
            ratio(
                "    the same / bytes in memory", lambda f=folder: verify(f, quick=True), lambda h=held: bare_in_memory(h), "-"
            )
        small = root / "small-0"
        write_partition(small, 8 << 20, 1, 138, 100, 0)
        ratio(
            "full / aiokafka's pure-Python iteration", lambda: quietly(verify(small)), lambda: iterate_with_aiokafka(small), 2.5
        )
        ratio("full, two workers / one, eight segments", lambda: verify(eight, jobs=2), lambda: verify(eight), 1.8)
        print(f"peak memory of a process of its own: {peak(eight)[1]:.0f} MiB (goal 80)")
        if gigabytes:
            linear(root, gigabytes << 30)


def peak(folder, *, quick=False):
    """Seconds and peak memory in MiB of a process that verifies a directory."""
    code = (
        "from kafkalog.verify import verify; import re, time\n"
        f"began = time.perf_counter(); verify({str(folder)!r}, quick={quick})\n"
        "print(time.perf_counter() - began, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    seconds, kibibytes = done.stdout.split()
    return float(seconds), int(kibibytes) / 1024


def linear(root, size):
    """Time per GiB and peak memory of a directory, and of one of a tenth of its size."""
    for name, part in (("tenth-0", size // 10), ("whole-0", size)):
        write_partition(root / name, part // 10, 10, 138, 100, 5)
        for quick in (True, False):
            seconds, mebibytes = peak(root / name, quick=quick)
            kind = "quick" if quick else "full"
            print(
                f"{part / (1 << 30):.1f} GiB, {kind}: {seconds * (1 << 30) / part:.2f} s/GiB, peak {mebibytes:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
