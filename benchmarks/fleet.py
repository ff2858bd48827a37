"""A log dir of thousands of small sound partitions: what each costs, whether memory stays flat, what a second process wins.

    python -m benchmarks.fleet [--partitions 2000] [--segments 10] [--batches 4] [--growth] [--damaged] [--work DIR]
    python -m benchmarks.fleet --gib 1 20 [--work DIR]

`verify` and `next-start` beside `find` and `cat` of the same files; with --growth at n, 2n and 4n partitions, and what each
further one costs: the start of the program is not in that. The files of all partitions are hard links to those of one, so
that the tree takes little of the disk. All of it is in the page cache. With --damaged a bit is wrong in every partition. With
--gib the partitions are one segment of 1 GiB each, and two processes stand beside one.
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


def write_tree(tree: Path, partitions: int, segments: int, size: int, per_batch: int = PER_BATCH) -> None:
    """The log dir; `size` is that of a segment, bytes."""
    model = tree.with_name("model-0")
    write_partition(model, size, segments, per_batch, VALUE, 0)
    end = _end_of(model, per_batch)
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


def _end_of(partition: Path, per_batch: int) -> int:
    """The offset after the last of a partition."""
    last = max(partition.glob("*.log"))
    records = sum(1 for _ in _batches(last)) * per_batch
    return int(last.stem) + records


def _batches(log: Path):
    """Positions of the batches of a log; the file is not held, for a child's peak of memory begins with its parent's."""
    with log.open("rb") as file:
        at = 0
        while length := file.read(12)[8:]:
            yield at
            at = file.seek(int.from_bytes(length, "big"), os.SEEK_CUR)


def measure(work: Path, partitions: int, segments: int, batches: int, *, damaged: bool) -> dict[str, float]:
    """One tree, all commands; a row each. Gives the CPU seconds of each."""
    spent = {}
    tree = work / f"data-{partitions}"
    write_tree(tree, partitions, segments, batches * 1200)
    if damaged:
        log = tree / "topic-0000-0" / f"{0:020}.log"
        data = bytearray(log.read_bytes())
        data[100] ^= 1
        log.write_bytes(data)  # the one file of all partitions
    files = sum(len(names) for _, _, names in os.walk(tree))
    print(f"{partitions:,} partitions, {partitions * segments:,} segments, {files:,} files", flush=True)
    kafkalog = (sys.executable, "-m", "kafkalog")
    read_all = f"find {tree} -type f -print0 | xargs -0 cat > /dev/null"
    for name, words in (
        ("find | cat", ("bash", "-c", read_all)),
        ("verify --no-next-start", (*kafkalog, "verify", "-q", "--exit-zero", "--jobs", "1", "--no-next-start", str(tree))),
        ("verify", (*kafkalog, "verify", "-q", "--exit-zero", "--jobs", "1", str(tree))),
        ("verify, two processes", (*kafkalog, "verify", "-q", "--exit-zero", "--jobs", "2", str(tree))),
        ("next-start", (*kafkalog, "next-start", "-q", "--exit-zero", "--jobs", "1", str(tree))),
        ("verify --format jsonl", (*kafkalog, "verify", "--exit-zero", "--jobs", "1", "--format", "jsonl", str(tree))),
        ("next-start, two processes", (*kafkalog, "next-start", "-q", "--exit-zero", "--jobs", "2", str(tree))),
    ):
        wall, processor, memory = run(*words)
        spent[name] = processor
        per = 1000 * processor / partitions
        print(f"| {name:26} | {wall:6.1f} | {processor:6.1f} | {per:5.2f} | {memory:5.0f} |", flush=True)
    shutil.rmtree(tree)
    return spent


def tell_growth(few: int, least: dict[str, float], many: int, most: dict[str, float]) -> None:
    """What each further partition costs: the start of the program is not in it."""
    for name, spent in most.items():
        print(f"{name}: {1000 * (spent - least[name]) / (many - few):.2f} ms of CPU for each further partition", flush=True)


def measure_large(work: Path, gib: int) -> None:
    """Partitions of 1 GiB each, with one process and with two."""
    tree = work / f"large-{gib}"
    write_tree(tree, gib, 1, 1 << 30, 138)
    kafkalog = (sys.executable, "-m", "kafkalog")
    for options in ((), ("--quick",)):
        walls = []
        for jobs in ("1", "2"):
            words = ("verify", "-q", "--no-next-start", "--jobs", jobs, *options, str(tree))
            wall, processor, memory = run(*kafkalog, *words)
            walls.append(wall)
            name = " ".join((f"{gib} GiB, verify --jobs", jobs, *options))
            print(f"| {name} | {wall:.1f} | {processor:.1f} | {1000 * processor / gib:.0f} | {memory:.0f} |", flush=True)
        print(f"{walls[0] / walls[1]:.2f} times as fast with two", flush=True)
    shutil.rmtree(tree)


def main() -> None:
    """Make the trees, and run the commands on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--damaged", action="store_true")
    parser.add_argument("--gib", type=int, nargs="+", default=())
    parser.add_argument("--work")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-fleet-", dir=options.work))
    print("| command | wall s | CPU s | CPU ms a partition | peak MiB |\n|---|---|---|---|---|")
    try:
        for gib in options.gib:
            measure_large(work, gib)
        counts = [] if options.gib else [options.partitions * factor for factor in ((1, 2, 4) if options.growth else (1,))]
        spent = [measure(work, count, options.segments, options.batches, damaged=options.damaged) for count in counts]
        if options.growth and spent:
            tell_growth(counts[0], spent[0], counts[-1], spent[-1])
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
