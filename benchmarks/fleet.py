"""A log dir of thousands of small sound partitions: what each costs, whether memory stays flat, what a second process wins.

    python -m benchmarks.fleet [--partitions 2000] [--segments 10] [--batches 4] [--growth] [--work DIR]

`verify` and `next-start` beside `find` and `cat` of the same files; with --growth at n, 2n and 4n partitions. The files of all
partitions are hard links to those of one, so that the tree takes little of the disk. All of it is in the page cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.growth import log_dir
from benchmarks.info import run
from benchmarks.verify import write_partition

#: Records of a batch, and the bytes of their values.
PER_BATCH, VALUE = 10, 100
#: A snapshot of producers of a log that has none.
_NO_PRODUCERS = bytes.fromhex("000148674bc700000000")


def write_tree(tree: Path, partitions: int, segments: int, batches: int) -> None:
    """The log dir."""
    model = tree.with_name("model-0")
    write_partition(model, batches * 1200, segments, PER_BATCH, VALUE, 0)
    end = _end_of(model)
    for offset in (*sorted(int(log.stem) for log in model.glob("*.log"))[1:], end):
        (model / f"{offset:020}.snapshot").write_bytes(_NO_PRODUCERS)
    files = [entry.name for entry in os.scandir(model)]
    names = [f"topic-{number // 10:04}-{number % 10}" for number in range(partitions)]
    tree.mkdir()
    for name in names:
        os.mkdir(tree / name)
        for file in files:
            os.link(model / file, tree / name / file)
    ends = dict.fromkeys(names, end)
    log_dir(tree, recovery_point=ends, replication=ends, log_start={}, cleaner={})
    (tree / "meta.properties").write_text("#\n#\nversion=0\nbroker.id=1\n")  # no metadata log, so ZooKeeper
    shutil.rmtree(model)


def _end_of(partition: Path) -> int:
    """The offset after the last of a partition."""
    last = max(partition.glob("*.log"))
    records = sum(1 for _ in _batches(last)) * PER_BATCH
    return int(last.stem) + records


def _batches(log: Path):
    data, at = log.read_bytes(), 0
    while at < len(data):
        yield at
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")


def measure(work: Path, partitions: int, segments: int, batches: int) -> None:
    """One tree, all commands; a row each."""
    tree = work / f"data-{partitions}"
    write_tree(tree, partitions, segments, batches)
    files = sum(len(names) for _, _, names in os.walk(tree))
    print(f"{partitions:,} partitions, {partitions * segments:,} segments, {files:,} files", flush=True)
    kafkalog = (sys.executable, "-m", "kafkalog")
    read_all = f"find {tree} -type f -print0 | xargs -0 cat > /dev/null"
    for name, words in (
        ("find | cat", ("bash", "-c", read_all)),
        ("verify --no-next-start", (*kafkalog, "verify", "-q", "--jobs", "1", "--no-next-start", str(tree))),
        ("verify", (*kafkalog, "verify", "-q", "--jobs", "1", str(tree))),
        ("verify, two processes", (*kafkalog, "verify", "-q", "--jobs", "2", str(tree))),
        ("next-start", (*kafkalog, "next-start", "-q", "--jobs", "1", str(tree))),
        ("next-start, two processes", (*kafkalog, "next-start", "-q", "--jobs", "2", str(tree))),
    ):
        wall, processor, memory = run(*words)
        per = 1000 * processor / partitions
        print(f"| {name:26} | {wall:6.1f} | {processor:6.1f} | {per:5.2f} | {memory:5.0f} |", flush=True)
    shutil.rmtree(tree)


def main() -> None:
    """Make the trees, and run the commands on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--work")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-fleet-", dir=options.work))
    print("| command | wall s | CPU s | CPU ms a partition | peak MiB |\n|---|---|---|---|---|")
    try:
        for factor in (1, 2, 4) if options.growth else (1,):
            measure(work, options.partitions * factor, options.segments, options.batches)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
