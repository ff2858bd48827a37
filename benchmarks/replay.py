"""`groups` and `transactions` over a million records: CPU seconds and peak memory of whole processes, text and JSON lines.

python -m benchmarks.replay [--records 1000000] [CASE ...]
"""

from __future__ import annotations

import argparse
import struct
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.generate import START_MS, batch, record, string
from benchmarks.growth import CONTROL, TRANSACTIONAL, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PER_BATCH = 200
#: CPU seconds wanted over a million records.
_WANTED = 8.0


def commits(groups: int, partitions: int) -> Callable[[int], Iterator[tuple[bytes, bytes]]]:
    """Committed offsets of as many groups, each of as many partitions, again and again."""

    def pairs(count: int) -> Iterator[tuple[bytes, bytes]]:
        for number in range(count):
            group, partition = divmod(number % (groups * partitions), partitions)
            key = struct.pack(">h", 1) + string(f"group-{group}") + string("orders") + struct.pack(">i", partition)
            yield key, struct.pack(">hqi", 3, number, 0) + string("") + struct.pack(">q", START_MS + number)

    return pairs


def states(ids: int) -> Callable[[int], Iterator[tuple[bytes, bytes]]]:
    """States of as many transactional ids: ongoing with a partition, then complete."""

    def pairs(count: int) -> Iterator[tuple[bytes, bytes]]:
        for number in range(count):
            status, part = (4, struct.pack(">i", 0)) if number % 2 else (1, struct.pack(">i", 1) + string("t"))
            part += b"" if number % 2 else struct.pack(">ii", 1, number % 50)
            head = struct.pack(">hqhib", 0, number // 2 % ids, 0, 60000, status)
            key = struct.pack(">h", 0) + string(f"transactional-id-{number // 2 % ids}")
            yield key, head + part + struct.pack(">qq", START_MS + number, START_MS + number)

    return pairs


def in_batches(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Records in batches of 200."""
    left, offset = iter(pairs), 0
    while some := list(islice(left, _PER_BATCH)):
        section = b"".join(record(0, delta, *pair) for delta, pair in enumerate(some))
        yield batch(offset, section, len(some), timestamp=START_MS + offset)
        offset += len(some)


def markers(count: int) -> Iterator[bytes]:
    """As many transactions of 100,000 producers, one after the other; every third is aborted."""
    one = record(0, 0, b"key", b"value")
    for number in range(count):
        producer, sequence, offset = number % 100_000, number // 100_000, 2 * number
        times = {"timestamp": START_MS + number}
        yield batch(offset, one, attributes=TRANSACTIONAL, producer=(producer, 0, sequence), **times)
        end = record(0, 0, struct.pack(">hh", 0, number % 3 > 0), struct.pack(">hi", 0, 0))
        yield batch(offset + 1, end, attributes=TRANSACTIONAL | CONTROL, producer=(producer, 0, -1), **times)


#: What is read, by which command, in which directory, and the batches of so many records of it.
CASES = {
    "5,000 offsets of 100 groups": ("groups", "__consumer_offsets-0", commits(100, 50)),
    "an offset each of 100,000 groups": ("groups", "__consumer_offsets-0", commits(100_000, 1)),
    "as many live offsets as records, ten a group": ("groups", "__consumer_offsets-0", commits(10**9, 10)),
    "1,000 transactional ids": ("transactions", "__transaction_state-0", states(1_000)),
    "100,000 transactional ids": ("transactions", "__transaction_state-0", states(100_000)),
    "markers of 100,000 producers": ("transactions", "orders-0", None),
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="; ".join(CASES))
    parser.add_argument("--records", type=int, default=1_000_000)
    given = parser.parse_args()
    print("| case | MiB | text: CPU s | peak MiB | JSON lines: CPU s | peak MiB | wanted s |")
    print("|---|---|---|---|---|---|---|")
    for name in given.cases or CASES:
        command, directory, pairs = CASES[name]
        with tempfile.TemporaryDirectory() as root:
            log = Path(root, directory, f"{0:020d}.log")
            log.parent.mkdir()
            with log.open("wb") as file:
                file.writelines(markers(given.records) if pairs is None else in_batches(pairs(given.records)))
            cells = [name, f"{log.stat().st_size >> 20}"]
            for form in ("text", "jsonl"):
                seconds, peak, _ = measured(f"{command} --format {form}", Path(root))
                cells += [f"{seconds:.1f}", f"{peak:.0f}"]
        print(f"| {' | '.join(cells)} | {_WANTED * given.records / 1e6:.1f} |", flush=True)


if __name__ == "__main__":
    main()
