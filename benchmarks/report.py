"""`report` beside `verify`, and how large its page gets: of thousands of partitions, and of a log of thousands of segments.

    python -m benchmarks.report [--partitions 2000] [--damaged 100] [--batches 50] [--work DIR]
    python -m benchmarks.report --log [--segments 5000] [--points 50000] [--damaged 100]

In the log dir every partition has a log of so many batches of a hundred records. In the log a segment has its share of the
points, each a batch of one record, a second apart. A bit is wrong in so many partitions, or batches. What `report` takes more
than `verify` is the work of the page. All of it is in the page cache.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.generate import START_MS, batch, record
from benchmarks.growth import log_dir, segment
from benchmarks.info import run

_RECORDS = 100
_KIB = 1024


def write_tree(tree: Path, partitions: int, damaged: int, batches: int) -> None:
    """The log dir."""
    values = b"".join(record(number, number, b"key", b"v" * 100) for number in range(_RECORDS))
    whole = [batch(at * _RECORDS, values, _RECORDS, newest=START_MS + at * 1000) for at in range(batches)]
    log = b"".join(whole)
    wrong = bytearray(log)
    wrong[len(log) // 2] ^= 1
    names = [f"topic-{number // 10:04}-{number % 10}" for number in range(partitions)]
    for number, name in enumerate(names):
        folder = tree / name
        folder.mkdir()
        (folder / f"{0:020}.log").write_bytes(wrong if number < damaged else log)
        (folder / f"{0:020}.index").write_bytes(b"")
        (folder / f"{0:020}.timeindex").write_bytes(b"")
        (folder / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
    log_dir(tree, recovery_point=dict.fromkeys(names, batches * _RECORDS))


def write_log(tree: Path, segments: int, points: int, damaged: int) -> None:
    """A log dir with one partition; a new leader every five hundredth part of it."""
    folder = tree / "orders-0"
    folder.mkdir()
    each, every = points // segments, max(points // damaged, 1)
    epochs = 500
    for base in range(0, points, each):
        batches = []
        for offset in range(base, base + each):
            time = START_MS + offset * 1000
            whole = batch(offset, record(0, 0, b"key", b"v" * 100), timestamp=time, leader_epoch=offset * epochs // points)
            batches.append(whole[:-1] + bytes([whole[-1] ^ 1]) if offset % every == every // 2 else whole)
        segment(folder, base, batches)
    lines = "".join(f"{epoch} {-(-epoch * points // epochs)}\n" for epoch in range(epochs))
    (folder / "leader-epoch-checkpoint").write_text(f"0\n{epochs}\n{lines}")
    log_dir(tree, recovery_point={"orders-0": points})


def main() -> None:
    """Make the files, and run both commands on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--damaged", type=int, default=100)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--segments", type=int, default=5000)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--work")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-report-", dir=options.work))
    try:
        tree = work / "data"
        tree.mkdir()
        if options.log:
            write_log(tree, options.segments, options.points, options.damaged)
            shape = f"{options.segments:,} segments, {options.points:,} batches, {options.damaged:,} of them damaged"
        else:
            write_tree(tree, options.partitions, options.damaged, options.batches)
            shape = f"{options.partitions:,} partitions, {options.damaged:,} damaged, {options.batches:,} batches each"
        measure(tree, work / "page.html", shape)
    finally:
        shutil.rmtree(work)


def measure(tree: Path, page: Path, shape: str) -> None:
    """Run both commands, and say what each took."""
    kafkalog = (sys.executable, "-m", "kafkalog")
    more = ("--jobs", "1", "--exit-zero", "--now", f"@{START_MS + 86_400_000}")
    print(f"{shape}\n{'':24} {'wall s':>8} {'CPU s':>8} {'MiB':>6} {'page KiB':>9}")
    spent = {}
    for name, words in (
        ("verify", ("verify", "-q", str(tree))),
        ("report", ("report", str(tree), "-o", str(page))),
        ("report --timelines 0", ("report", str(tree), "-o", str(page), "--force", "--timelines", "0")),
    ):
        wall, spent[name], memory = run(*kafkalog, *words, *more)
        size = f"{page.stat().st_size / _KIB:9,.0f}" if page.exists() else ""
        print(f"{name:24} {wall:8.1f} {spent[name]:8.1f} {memory:6.0f} {size}")
    print(f"report takes {spent['report'] / spent['verify']:.2f} times what verify does")


if __name__ == "__main__":
    main()
