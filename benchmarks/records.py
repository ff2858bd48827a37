"""The library's record iterator beside aiokafka's pure-Python reader, and a dump beside the bare cost of CRC and codec.

    python -m benchmarks.records [--rounds 7]

One process, the rounds of both in turn, the median of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time

import zstandard
from aiokafka.record.default_records import _DefaultRecordBatchPy

from benchmarks.generate import batches
from kafkalog import RecordBatch
from kafkalog.core.checksum import crc32c

SHAPES = (("100 B values", "values100", 24), ("1 KiB values", "values1k", 48), ("zstd, 100 B values", "zstd", 24))


def ours(data: list[bytes]) -> int:
    """Check every CRC and read every record."""
    count = 0
    for batch in map(RecordBatch.read, data):
        assert batch.crc_ok
        for record in batch.records():
            count += record.offset >= 0
    return count


def theirs(data: list[bytes]) -> int:
    """The same with aiokafka."""
    count = 0
    for batch in map(_DefaultRecordBatchPy, data):
        assert batch.validate_crc()
        for record in batch:
            count += record.offset >= 0
    return count


def bare(data: list[bytes]) -> None:
    """Nothing but checksums and decompression."""
    context = zstandard.ZstdDecompressor()
    for batch in data:
        crc32c(memoryview(batch)[21:])
        if batch[22] & 7:
            context.decompressobj().decompress(batch[61:])


def seconds(function, data) -> float:
    """The CPU time of a call."""
    start = time.process_time()
    function(data)
    return time.process_time() - start


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("| shape | aiokafka ns/record | kafkalog ns/record | ratio | wanted | bare CRC and codec ns/record |")
    print("|---|---|---|---|---|---|")
    for name, shape, mib in SHAPES:
        data = list(batches(shape, mib << 20))
        count = ours(data)
        assert theirs(data) == count
        rows = [(seconds(theirs, data), seconds(ours, data), seconds(bare, data)) for _ in range(rounds)]
        them, us, least = (statistics.median(row[side] for row in rows) / count * 1e9 for side in range(3))
        ratio = statistics.median(row[0] / row[1] for row in rows)
        print(f"| {name} | {them:.0f} | {us:.0f} | {ratio:.2f} | 3.0 | {least:.0f} |", flush=True)


if __name__ == "__main__":
    main()
