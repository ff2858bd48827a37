"""`info` of a large log dir, beside `find -ls` of the same tree.

    python -m benchmarks.info [--partitions 2000] [--segments 10] [--mib 1024] [--work DIR]

Every segment has a `.log` of that size, whose first and last batches are written and between which is a hole, two indexes and a
snapshot. The files of one partition are made; the others are links to them, so that the tree takes little room. All of it
is in the page cache: what is measured is the work of the command and the system calls, not a disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generate import START_MS, batch, record
from benchmarks.growth import log_dir, snapshot

_INDEX_ENTRY = struct.Struct(">ii")
_TIME_ENTRY = struct.Struct(">qi")
#: Offsets of a segment, and batches at its end, of as many records each.
_OFFSETS, _LAST, _RECORDS = 1_000_000, 3, 100


def write_segment(folder: Path, base: int, size: int) -> None:
    """The files of one segment."""
    values = b"".join(record(number, number, b"key", b"v" * 100) for number in range(_RECORDS))
    ends = [base, *(base + _OFFSETS - _RECORDS * left for left in range(_LAST, 0, -1))]
    batches = [batch(first, values, _RECORDS, newest=START_MS + _RECORDS) for first in ends]
    stem = folder / f"{base:020}"
    with open(f"{stem}.log", "wb") as log:
        log.write(batches[0])
        at = size - sum(map(len, batches[1:]))
        log.seek(at)
        log.write(b"".join(batches[1:]))
    Path(f"{stem}.index").write_bytes(_INDEX_ENTRY.pack(ends[1] - base + _RECORDS - 1, at))
    Path(f"{stem}.timeindex").write_bytes(_TIME_ENTRY.pack(START_MS + _RECORDS, _OFFSETS - 1))
    snapshot(folder, base, [])


def write_tree(tree: Path, partitions: int, segments: int, size: int) -> None:
    """A log dir of so many partitions with so many segments each."""
    names = [f"topic-{number // 10:04}-{number % 10}" for number in range(partitions)]
    first = tree / names[0]
    first.mkdir()
    for number in range(segments):
        write_segment(first, number * _OFFSETS, size)
    (first / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
    for name in names[1:]:
        (tree / name).mkdir()
        for file in os.listdir(first):
            os.link(first / file, tree / name / file)
    log_dir(tree, recovery_point_offset_checkpoint=dict.fromkeys(names, segments * _OFFSETS))


def run(*command: str) -> tuple[float, float, float]:
    """Wall and CPU seconds, and peak MiB, of a command."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    spent = time.perf_counter() - began
    assert process.returncode == 0, command
    return spent, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Make the tree, and run the commands on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--work")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-info-", dir=options.work))
    try:
        write_tree(work, options.partitions, options.segments, options.mib << 20)
        info = (sys.executable, "-m", "kafkalog", "info")
        rows = [
            ("find -ls", run("find", str(work), "-ls")),
            ("info", run(*info, str(work))),
            ("info --format jsonl --segments", run(*info, "--format", "jsonl", "--segments", str(work))),
        ]
    finally:
        shutil.rmtree(work)
    count = options.partitions * options.segments
    print(f"{options.partitions} partitions, {count} segments of {options.mib} MiB\n")
    print("| command | s | CPU s | ms a segment | peak MiB |\n|---|---|---|---|---|")
    for name, (wall, used, peak) in rows:
        print(f"| `{name}` | {wall:.2f} | {used:.2f} | {1000 * wall / count:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
