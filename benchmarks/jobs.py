"""From which size on worker processes pay: `verify` with one process and with one for each core, on logs of 1 to 64 MiB.

    python -m benchmarks.jobs [--rounds 7] [--sizes MIB ...]

Both are run in turn, in processes of their own as `kafkalog verify` is, so that the time that starting workers takes is in it;
told is the median of the ratios. `kafkalog.verify.engine` starts workers from the size on from which they win in both ways.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.verify import write_partition

SIZES = (1, 2, 4, 8, 16, 32, 64)
#: Values of a record in a batch, and their bytes, of the log that the other benchmarks use.
PER_BATCH, VALUE = 138, 100
_SEGMENTS = 8


def seconds(folder, jobs, options):
    """How long a run takes."""
    command = [sys.executable, "-m", "kafkalog", "verify", "-q", "--jobs", str(jobs), *options, str(folder)]
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    given = parser.parse_args()
    print("| logs, MiB | full: one process s | two processes s | ratio | quick: one process s | two processes s | ratio |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as root:
        for size in given.sizes:
            folder = pathlib.Path(root) / f"size{size}-0"
            write_partition(folder, (size << 20) // _SEGMENTS, _SEGMENTS, PER_BATCH, VALUE, 0)
            cells = [str(size)]
            for options in ((), ("--quick",)):
                pairs = [(seconds(folder, 1, options), seconds(folder, 2, options)) for _ in range(given.rounds)]
                one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
                ratio = statistics.median(a / b for a, b in pairs)
                cells += [f"{one:.2f}", f"{two:.2f}", f"{ratio:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
