"""Tables beside the record loop they stand on, and beside what there was before them: pairs in one run, equal output first.

    python -m benchmarks.table [--mib 64] [--rounds 5]

Each figure is the median ratio of CPU seconds; the peak memory is that of a process of its own, above its imports.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import pandas as pd
import pyarrow.parquet

import kafkalog
from benchmarks.generate import batches

COLUMNS = "key,value,offset,timestamp,headers"
#: Shape, and the ratios wanted: columns beside the record loop, pandas beside pandas.
SHAPES = (
    ("16 KiB batches, 100 B values", "values100", 5.0, 10.0),
    ("the same with two headers", "headers", None, None),
    ("lz4", "lz4", 2.5, None),
    ("zstd", "zstd", 2.5, None),
)
MEMORY = """
import re, sys, kafkalog, kafkalog.table.arrow
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
sum(part.num_rows for part in kafkalog.table(sys.argv[2]).batches())  # what is imported when it is used
before = peak()
rows = sum(part.num_rows for part in kafkalog.table(sys.argv[1]).batches())
print((peak() - before) / 1024)
"""


def cpu(function, partition) -> float:
    """The CPU seconds of a call."""
    began = time.process_time()
    function(partition)
    return time.process_time() - began


def ratio(slow, fast, partition, rounds) -> float:
    """How many times faster the second is: the median of pairs."""
    return statistics.median(cpu(slow, partition) / cpu(fast, partition) for _ in range(rounds))


def tuples(partition) -> int:
    """The record loop as it is: checksums, and a tuple for each record."""
    return sum(len(list(batch.records())) for batch in partition.batches() if batch.crc_ok)


def columns(partition) -> int:
    """The same records as columns."""
    return sum(part.num_rows for part in partition.table(columns=COLUMNS).batches())


def frame_of_records(partition):
    """What there was before tables."""
    return pd.DataFrame(partition.records())


def frame_of_table(partition):
    """A dataframe of the table."""
    return partition.table(columns=COLUMNS).to_pandas()


def check(partition) -> int:
    """That all ways give the same; how many records there are."""
    rows = partition.table(columns=COLUMNS).to_arrow()
    records = list(partition.records())
    assert rows["offset"].to_pylist() == [record.offset for record in records]
    assert rows["key"].to_pylist() == [record.key for record in records]
    assert rows["value"].to_pylist() == [record.value for record in records]
    headers = [[(one["key"].encode(), one["value"]) for one in row or ()] for row in rows["headers"].to_pylist()]
    assert headers == [list(record.headers) for record in records]
    return len(records)


def peak_mib(path) -> float:
    """The peak memory of a pass over all columns, above the imports."""
    few = "fixtures/broker/2.1.1/plain/twitter-status-0"
    found = subprocess.run([sys.executable, "-c", MEMORY, path, few], capture_output=True, text=True, check=True)
    return float(found.stdout)


def sizes(path, folder) -> tuple[int, int, int]:
    """Bytes of a segment, of its Parquet export, and of the same table as pyarrow writes it by default."""
    ours, theirs = (os.path.join(folder, name) for name in ("ours.parquet", "theirs.parquet"))
    out = [sys.executable, "-m", "kafkalog", "export", path, "--columns", COLUMNS, "-o", ours, "--force"]
    subprocess.run(out, check=True)
    table = kafkalog.table(path, columns=COLUMNS).to_arrow()
    pyarrow.parquet.write_table(table, theirs)
    assert pyarrow.parquet.read_table(ours).equals(table)
    return os.path.getsize(f"{path}/{0:020}.log"), os.path.getsize(ours), os.path.getsize(theirs)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| shape | columns beside tuples | wanted | pandas beside pandas | wanted | ns/record | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, shape, of_columns, of_frames) in enumerate(SHAPES):
            path = pathlib.Path(folder, f"t-{number}")
            path.mkdir()
            with (path / f"{0:020}.log").open("wb") as file:
                file.writelines(batches(shape, arguments.mib << 20))
            partition = kafkalog.open_partition(path)
            count = check(partition)
            row = (
                ratio(tuples, columns, partition, arguments.rounds),
                ratio(frame_of_records, frame_of_table, partition, max(1, arguments.rounds // 2)),
                statistics.median(cpu(columns, partition) for _ in range(arguments.rounds)) / count * 1e9,
                peak_mib(str(path)),
            )
            wanted = [value or "" for value in (of_columns, of_frames)]
            shown = f"{row[0]:.1f} | {wanted[0]} | {row[1]:.1f} | {wanted[1]} | {row[2]:.0f} | {row[3]:.0f}"
            print(f"| {name} | {shown} |", flush=True)
            if shape == "zstd":
                segment, ours, theirs = sizes(str(path), folder)
        print(f"\nParquet of the last: {ours / segment:.2f} of the segment (wanted 0.8), ", end="")
        print(f"{ours / theirs:.2f} of pyarrow's defaults (wanted 0.5)")


if __name__ == "__main__":
    main()
