"""`next_starts` of a partition directory by itself, of every shape: CPU time a record.

    python -m benchmarks.next_start [--mib 4] [--rounds 3] [SHAPE ...]

What the start does after a clean stop and after an unclean one, for a broker of each era, and what consumers of both isolation
levels then read: eight readings of the same bytes, unless what is known of one serves the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.generate import SHAPES, write_partition
from kafkalog import next_starts, open_partition


def records_in(path: Path) -> int:
    """How many records there are, markers included."""
    return sum(batch.header.records_count for segment in open_partition(path).segments for batch in segment.batches())


def best_of(rounds: int, path: Path) -> float:
    """Least CPU seconds of a prediction."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        outcomes = list(next_starts(path))
        spent.append(time.process_time() - began)
        assert all(outcome.partition == "loaded" and not outcome.records_lost for outcome in outcomes), outcomes
    return min(spent)


def main() -> None:
    """Write each shape, and predict its next start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", default=[shape for shape in SHAPES if shape != "metadata"])
    parser.add_argument("--mib", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| shape | records | CPU s | µs a record |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes:
            path = write_partition(Path(folder, shape), shape, options.mib << 20)
            records, spent = records_in(path), best_of(options.rounds, path)
            print(f"| {shape} | {records:,} | {spent:.2f} | {spent / records * 1e6:.1f} |", flush=True)


if __name__ == "__main__":
    main()
