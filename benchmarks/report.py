"""`report` of a log dir of thousands of partitions, some of them damaged, beside `verify` of the same: time, memory, size.

    python -m benchmarks.report [--partitions 2000] [--damaged 100] [--batches 50] [--work DIR]

Every partition has a log of so many batches of a hundred records; in the damaged ones a bit of a batch is wrong.
What `report` takes more than `verify` is the work of the page. All of it is in the page cache.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.generate import START_MS, batch, record
from benchmarks.growth import log_dir
from benchmarks.info import run

_RECORDS = 100


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


def main() -> None:
    """Make the tree, and run both commands on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--damaged", type=int, default=100)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--work")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="kafkalog-report-", dir=options.work))
    try:
        tree = work / "data"
        tree.mkdir()
        write_tree(tree, options.partitions, options.damaged, options.batches)
        page = work / "page.html"
        kafkalog = (sys.executable, "-m", "kafkalog")
        more = ("--jobs", "1", "--exit-zero", "--now", f"@{START_MS + 86_400_000}")
        shape = f"{options.partitions:,} partitions, {options.damaged:,} damaged, {options.batches:,} batches each"
        print(f"{shape}\n{'':24} {'wall s':>8} {'CPU s':>8} {'MiB':>6}")
        spent = {}
        for name, words in (
            ("verify", ("verify", "-q", str(tree))),
            ("report", ("report", str(tree), "-o", str(page))),
            ("report --timelines 0", ("report", str(tree), "-o", str(page), "--force", "--timelines", "0")),
        ):
            wall, processor, memory = run(*kafkalog, *words, *more)
            spent[name] = processor
            print(f"{name:24} {wall:8.1f} {processor:8.1f} {memory:6.0f}")
            if name == "report":
                size = page.stat().st_size
        print(
            f"report takes {spent['report'] / spent['verify']:.2f} times what verify does; the page has {size / 1024:,.0f} KiB"
        )
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
