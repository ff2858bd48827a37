"""Whether each command grows no faster than its input: inputs of n, 2n and 4n of every shape, one run each.

    python -m benchmarks.growth [--scale 1.0] [--work DIR] [SHAPE ...]

Printed are CPU seconds of whole processes, and the growth: what the second doubling costs over what the first costs. The
start-up falls out of it. 2 is linear, n log n a little more, 4 quadratic. Short differences are noise: enlarge with --scale.
"µs each" is what one more costs.

A new shape is a function below that writes its input into a directory, with `@shape` in front.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.generate import START_MS, batch, record, string
from kafkalog.core.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parent.parent
_INDEX_ENTRY = struct.Struct(">ii")
_TIME_ENTRY = struct.Struct(">qi")
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
_ABORTED = struct.Struct(">hqqqq")
TRANSACTIONAL, CONTROL = 0x10, 0x20


class Shape(NamedTuple):
    """`write(folder, n)` makes the input; `commands` are run on it, in the folder, the folder's path behind them."""

    n: int
    commands: tuple[str, ...]
    write: Callable[[Path, int], None]


SHAPES: dict[str, Shape] = {}


def shape(n: int, *commands: str) -> Callable[[Callable[[Path, int], None]], Callable[[Path, int], None]]:
    """Register a shape under its function's name."""

    def add(write: Callable[[Path, int], None]) -> Callable[[Path, int], None]:
        SHAPES[write.__name__.replace("_", "-")] = Shape(n, commands, write)
        return write

    return add


# --- what the shapes are made of ------------------------------------------------------------------------------------------


ONE = record(0, 0, b"key", b"value")


def partition(folder: Path, name: str = "t-0") -> Path:
    """A new partition directory."""
    made = folder / name
    made.mkdir()
    return made


def log_dir(folder: Path, *, clean: bool = True, **checkpoints: dict[str, int]) -> None:
    """The files of a broker's log dir; a checkpoint's offsets stand under its name with underscores."""
    properties = "version=1\nnode.id=1\ncluster.id=QVx0aGUtdGVzdC1jbHVzdA\ndirectory.id=YU-F-wxfC-EUNADZw_Qzcw\n"
    (folder / "meta.properties").write_text(properties)
    if clean:
        (folder / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":1}')
    for name, offsets in checkpoints.items():
        lines = "".join(f"{one.rpartition('-')[0]} {one.rpartition('-')[2]} {offset}\n" for one, offset in offsets.items())
        (folder / f"{name.replace('_', '-')}-offset-checkpoint").write_text(f"0\n{len(offsets)}\n{lines}")


def segment(folder: Path, base: int, batches: list[bytes], *, siblings: bool = True) -> None:
    """A log and its indexes, as a roll leaves them."""
    (folder / f"{base:020d}.log").write_bytes(b"".join(batches))
    if siblings:
        _, delta, newest = last_of(batches[-1])
        relative = last_of(batches[-1])[0] + delta - base
        (folder / f"{base:020d}.index").write_bytes(b"")
        (folder / f"{base:020d}.timeindex").write_bytes(_TIME_ENTRY.pack(newest, relative))


def last_of(data: bytes) -> tuple[int, int, int]:
    """Base offset, last offset delta and newest timestamp of a batch."""
    return struct.unpack_from(">q", data)[0], *struct.unpack_from(">i8xq", data, 23)


def snapshot(folder: Path, offset: int, producers: list[tuple[int, ...]]) -> None:
    """A producer snapshot; rows as the file has them."""
    body = struct.pack(">i", len(producers)) + b"".join(_SNAPSHOT_ENTRY.pack(*row) for row in producers)
    (folder / f"{offset:020d}.snapshot").write_bytes(struct.pack(">hI", 1, crc32c(body)) + body)


def epochs(folder: Path, starts: list[tuple[int, int]]) -> None:
    """`leader-epoch-checkpoint`."""
    lines = "".join(f"{epoch} {start}\n" for epoch, start in starts)
    (folder / "leader-epoch-checkpoint").write_text(f"0\n{len(starts)}\n{lines}")


def one(offset: int, **more) -> bytes:
    """A batch of one record, a second after that of the offset before."""
    return batch(offset, ONE, timestamp=START_MS + offset * 1000, **more)


def data(offset: int, producer: tuple[int, int, int], *, transactional: bool = True) -> bytes:
    """The same with a producer."""
    return one(offset, producer=producer, attributes=TRANSACTIONAL if transactional else 0)


def marker(offset: int, producer_id: int, *, commit: bool = False) -> bytes:
    """A transaction marker."""
    section = record(0, 0, struct.pack(">hh", 0, commit), struct.pack(">hi", 0, 0))
    return batch(
        offset,
        section,
        timestamp=START_MS + offset * 1000,
        attributes=TRANSACTIONAL | CONTROL,
        producer=(producer_id, 0, -1),
    )


# --- the shapes -----------------------------------------------------------------------------------------------------------


@shape(1000, "verify", "next-start", "dump --deep-iteration")
def log_only_segments(folder: Path, n: int) -> None:
    where = partition(folder)
    for base in range(n):
        segment(where, base, [one(base)], siblings=False)


@shape(1000, "verify", "next-start", "next-start --assume-stop unclean")
def whole_segments(folder: Path, n: int) -> None:
    where = partition(folder)
    for base in range(n):
        segment(where, base, [one(base)])
        snapshot(where, base + 1, [])
    epochs(where, [(0, 0)])
    log_dir(folder, recovery_point={"t-0": n}, replication={"t-0": n}, log_start={})


@shape(1000, "verify", "next-start", "salvage -o NEW", "diff SAME")
def unclean_segments(folder: Path, n: int) -> None:
    where = partition(folder)
    for base in range(n):
        segment(where, base, [one(base, producer=(7, 0, base))])
        snapshot(where, base + 1, [(7, 0, base, base, 0, START_MS + base * 1000, -1, -1)])
    epochs(where, [(0, 0)])
    log_dir(folder, clean=False, recovery_point={"t-0": 0}, replication={"t-0": n}, log_start={})


@shape(500, "verify", "next-start")
def deleted_segments(folder: Path, n: int) -> None:
    where = partition(folder)
    for base in range(n):
        segment(where, base, [one(base)])
        for suffix in (".log", ".index", ".timeindex"):
            (where / f"{base:020d}{suffix}").rename(where / f"{base:020d}{suffix}.deleted")
        snapshot(where, base, [])
        (where / f"{base:020d}.snapshot").rename(where / f"{base:020d}.snapshot.deleted")
    segment(where, n, [one(n)])


@shape(500, "verify", "next-start")
def swapped_segments(folder: Path, n: int) -> None:
    where = partition(folder)
    for base in range(n):
        segment(where, base, [one(base)])
        for suffix in (".log", ".index", ".timeindex"):
            shutil.copy(where / f"{base:020d}{suffix}", where / f"{base:020d}{suffix}.swap")
    segment(where, n, [one(n)])


@shape(5000, "verify", "next-start", "salvage -o NEW", "diff SAME")
def leader_epochs(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [one(offset, leader_epoch=offset) for offset in range(n)])
    epochs(where, [(offset, offset) for offset in range(n)])


@shape(5000, "verify", "next-start", "salvage -o NEW")
def leader_epochs_that_fall(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [one(offset, leader_epoch=n - offset) for offset in range(n)])


@shape(5000, "verify", "next-start")
def epoch_lines_of_nothing(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [one(0), one(1)])
    epochs(where, [(epoch, n - epoch) for epoch in range(n)])


@shape(2000, "verify", "next-start", "next-start --assume-stop unclean")
def aborted_transactions(folder: Path, n: int) -> None:
    """Of one producer."""
    _aborted(folder, n, 1)


@shape(2000, "verify", "next-start")
def aborted_transactions_of_many_producers(folder: Path, n: int) -> None:
    _aborted(folder, n, n)


def _aborted(folder: Path, n: int, producers: int) -> None:
    where = partition(folder)
    batches, entries = [], []
    for number in range(n):
        producer = number % producers
        batches += [data(2 * number, (producer, 0, number // producers)), marker(2 * number + 1, producer)]
        entries.append(_ABORTED.pack(0, producer, 2 * number, 2 * number + 1, 2 * number + 2))
    segment(where, 0, batches)
    (where / f"{0:020d}.txnindex").write_bytes(b"".join(entries))
    rows = [
        (producer, 0, (n - 1) // producers, 2 * n - 2, 0, START_MS + 2000 * n - 1000, 0, -1) for producer in range(producers)
    ]
    if producers == 1:
        snapshot(where, 2 * n, rows)


@shape(2000, "verify", "next-start")
def open_transactions(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [data(offset, (offset, 0, 0)) for offset in range(n)])


@shape(2000, "verify", "next-start", "next-start --assume-stop unclean", "salvage -o NEW")
def overlapping_transactions(folder: Path, n: int) -> None:
    """All are open at once, then all are aborted."""
    where = partition(folder)
    batches = [data(offset, (offset, 0, 0)) for offset in range(n)]
    batches += [marker(n + number, number) for number in range(n)]
    segment(where, 0, batches)


@shape(5000, "verify", "next-start", "next-start --assume-stop unclean")
def producers(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [data(offset, (offset, 0, 0), transactional=False) for offset in range(n)])
    snapshot(where, n, [(number, 0, 0, number, 0, START_MS + number * 1000, -1, -1) for number in range(n)])


@shape(2000, "verify", "next-start")
def producers_and_segments(folder: Path, n: int) -> None:
    """Every tenth producer rolls the segment; a snapshot holds those of the last ten only, as expiry leaves it."""
    where = partition(folder)
    for base in range(0, n, 10):
        segment(where, base, [data(base + d, (base + d, 0, 0), transactional=False) for d in range(10)])
        rows = [(number, 0, 0, number, 0, START_MS + number * 1000, -1, -1) for number in range(base, base + 10)]
        snapshot(where, base + 10, rows)


@shape(2000, "verify", "next-start")
def wrong_sequences(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [data(offset, (1, 0, offset * 3), transactional=False) for offset in range(n)])


@shape(5000, "verify", "next-start", "next-start --assume-stop unclean")
def wrong_index_entries(folder: Path, n: int) -> None:
    where = partition(folder)
    batches = [one(offset) for offset in range(n)]
    segment(where, 0, batches)
    size = len(batches[0])
    # Positions point into the middle of batches; timestamps are those of the batch before.
    index = b"".join(_INDEX_ENTRY.pack(offset, size * offset + 7) for offset in range(1, n))
    times = b"".join(_TIME_ENTRY.pack(START_MS + offset * 1000 - 1000, offset) for offset in range(1, n))
    (where / f"{0:020d}.index").write_bytes(index)
    (where / f"{0:020d}.timeindex").write_bytes(times)


@shape(1000, "verify", "next-start", "dump --deep-iteration")
def damages(folder: Path, n: int) -> None:
    """Every second batch has a flipped bit in its record."""
    where = partition(folder)
    batches = []
    for offset in range(2 * n):
        whole = bytearray(one(offset))
        whole[-3] ^= (offset & 1) << 2
        batches.append(bytes(whole))
    segment(where, 0, batches)


@shape(500, "verify", "next-start", "dump --deep-iteration --format jsonl")
def lost_heads(folder: Path, n: int) -> None:
    """Between any two batches lie 100 bytes of no batch."""
    where = partition(folder)
    segment(where, 0, [b"".join((one(2 * number), b"\x7f" * 100, one(2 * number + 1))) for number in range(n)], siblings=False)


@shape(2000, "verify", "next-start")
def offset_gaps(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [one(2 * number) for number in range(n)], siblings=False)
    log_dir(folder, recovery_point={"t-0": 2 * n}, replication={"t-0": 2 * n})


@shape(500, "verify", "next-start")
def partitions(folder: Path, n: int) -> None:
    names = [f"t-{number}" for number in range(n)]
    for name in names:
        where = partition(folder, name)
        segment(where, 0, [one(0)])
        epochs(where, [(0, 0)])
        (where / "partition.metadata").write_text("version: 0\ntopic_id: dGhlLXRlc3QtdG9waWMtaQ")
    ends = dict.fromkeys(names, 1)
    log_dir(folder, recovery_point=ends, replication=ends, log_start={})


@shape(20000, "verify", "next-start")
def checkpoint_lines(folder: Path, n: int) -> None:
    segment(partition(folder), 0, [one(0)])
    ends = {f"t-{number}": 1 for number in range(n)}
    log_dir(folder, recovery_point=ends, replication=ends, log_start=ends, cleaner=ends)


@shape(2000, "verify", "next-start")
def foreign_files(folder: Path, n: int) -> None:
    where = partition(folder)
    segment(where, 0, [one(0)])
    for number in range(n):
        (where / f"notes-{number}.txt").write_text("x")


@shape(5000, "verify", "next-start", "groups")
def committed_offsets(folder: Path, n: int) -> None:
    """Of as many groups."""
    where = partition(folder, "__consumer_offsets-0")
    batches = []
    for offset in range(n):
        key = struct.pack(">h", 1) + string(f"group-{offset}") + string("t") + struct.pack(">i", 0)
        value = struct.pack(">hqi", 3, offset, 0) + string("") + struct.pack(">q", START_MS)
        batches.append(batch(offset, record(0, 0, key, value), timestamp=START_MS + offset))
    segment(where, 0, batches)


@shape(5000, "verify", "next-start", "transactions")
def transactional_ids(folder: Path, n: int) -> None:
    where = partition(folder, "__transaction_state-0")
    batches = []
    for offset in range(n):
        key = struct.pack(">h", 0) + string(f"id-{offset}")
        # Version 0: producer id and epoch, timeout, status Empty, no partitions, last update and start.
        value = struct.pack(">hqhibiqq", 0, offset, 0, 60000, 0, -1, START_MS, -1)
        batches.append(batch(offset, record(0, 0, key, value), timestamp=START_MS + offset))
    segment(where, 0, batches)


@shape(100_000, "groups", "verify")
def commits_again(folder: Path, n: int) -> None:
    """Of a hundred groups, in batches of 200 records."""
    keys = [struct.pack(">h", 1) + string(f"group-{number}") + string("orders") + struct.pack(">i", 0) for number in range(100)]
    _in_batches(
        partition(folder, "__consumer_offsets-0"),
        (
            (keys[number % 100], struct.pack(">hqi", 3, number, 0) + string("") + struct.pack(">q", START_MS))
            for number in range(n)
        ),
    )


@shape(100_000, "transactions", "verify")
def states_again(folder: Path, n: int) -> None:
    """Of a hundred transactional ids, in batches of 200 records."""
    keys = [struct.pack(">h", 0) + string(f"id-{number}") for number in range(100)]
    _in_batches(
        partition(folder, "__transaction_state-0"),
        ((keys[number % 100], struct.pack(">hqhibiqq", 0, number, 0, 60000, 0, -1, START_MS, -1)) for number in range(n)),
    )


def _in_batches(where: Path, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    pairs, batches, offset = iter(pairs), [], 0
    while some := list(islice(pairs, 200)):
        section = b"".join(record(0, delta, *pair) for delta, pair in enumerate(some))
        batches.append(batch(offset, section, len(some), timestamp=START_MS + offset))
        offset += len(some)
    segment(where, 0, batches)


@shape(500, "verify", "next-start", "transactions")
def hanging_transactions(folder: Path, n: int) -> None:
    """One in each of as many partitions, each of an id of its own that is ongoing."""
    where = partition(folder, "__transaction_state-0")
    batches = []
    for offset in range(n):
        key = struct.pack(">h", 0) + string(f"id-{offset}")
        part = string(f"t{offset}") + struct.pack(">ii", 1, 0)
        value = struct.pack(">hqhibi", 0, offset, 0, 60000, 1, 1) + part + struct.pack(">qq", START_MS, START_MS)
        batches.append(batch(offset, record(0, 0, key, value), timestamp=START_MS + offset))
    segment(where, 0, batches)
    for number in range(n):
        segment(partition(folder, f"t{number}-0"), 0, [data(0, (number, 0, 0))])
    log_dir(folder)


@shape(2000, "verify", "next-start", "metadata")
def topics(folder: Path, n: int) -> None:
    """In the metadata log: a TopicRecord and a PartitionRecord each."""
    where = partition(folder, "__cluster_metadata-0")
    batches = []
    for number in range(n):
        uid = (number + 2**64).to_bytes(16, "big")
        topic = b"\x01\x02\x00" + bytes([len(f"t{number}") + 1]) + f"t{number}".encode() + uid + b"\x00"
        one_replica = b"\x02" + struct.pack(">i", 1)
        row = (
            b"\x01\x03\x00"
            + struct.pack(">i", 0)
            + uid
            + one_replica * 2
            + b"\x01\x01"
            + struct.pack(">iii", 1, 0, 0)
            + b"\x00"
        )
        section = record(0, 0, None, topic) + record(0, 1, None, row)
        batches.append(batch(2 * number, section, 2, timestamp=START_MS + number, leader_epoch=1))
    segment(where, 0, batches)


@shape(100, "dump --print-data-log", "verify", "next-start")
def records_with_headers(folder: Path, n: int) -> None:
    section = b"".join(record(d, d, b"key", b"v" * 80, ((b"trace", b"0123456789"), (b"type", None))) for d in range(100))
    batches = [
        batch(100 * number, section, 100, timestamp=START_MS + number, newest=START_MS + number + 99) for number in range(n)
    ]
    segment(partition(folder), 0, batches, siblings=False)


@shape(5000, "verify", "dump --print-data-log", "next-start")
def one_record_batches(folder: Path, n: int) -> None:
    segment(partition(folder), 0, [one(offset) for offset in range(n)])


@shape(250_000, "dump --print-data-log", "dump --print-data-log --format jsonl", "verify", "next-start")
def records_of_one_batch(folder: Path, n: int) -> None:
    section = b"".join(record(0, delta, None, b"") for delta in range(n))
    segment(partition(folder), 0, [batch(0, section, n)], siblings=False)


@shape(50_000, "dump --print-data-log", "verify", "next-start")
def gzip_members(folder: Path, n: int) -> None:
    """A batch whose records are compressed one by one, as members of one gzip stream."""
    members = b"".join(gzip.compress(record(0, delta, None, b""), 1, mtime=0) for delta in range(n))
    segment(partition(folder), 0, [batch(0, members, n, attributes=1)], siblings=False)


@shape(100, "dump --print-data-log", "verify", "next-start")
def false_heads(folder: Path, n: int) -> None:
    """Heads of batches that claim the rest of the file each, after a batch whose length is wrong."""
    head = struct.pack(">qiibI", 0, 1 << 20, 0, 2, 0) + bytes(43)
    broken = batch(0, ONE)[:8] + struct.pack(">i", 20) + bytes(100)
    segment(partition(folder), 0, [broken, head * n, bytes(1 << 20), one(1)], siblings=False)


@shape(5000, "carve -o NEW --block-size 512")
def pieces_on_a_disk(folder: Path, n: int) -> None:
    """An image: a log in pieces of three blocks, with blocks of something else between them; each border cuts a batch."""
    log = b"".join(map(one, range(n)))
    with (folder / "disk.img").open("wb") as image:
        for begin in range(0, len(log), 1536):
            image.write(log[begin : begin + 1536].ljust(1536, b"-") + bytes(range(1, 129)) * 4)


# --- measuring ------------------------------------------------------------------------------------------------------------


def words_of(command: str, paths: Iterable[str], new: str) -> list[str]:
    """The words of a command of a shape, with its paths at the end.

    Args:
        command: In it `NEW` stands for a directory that is not there yet, `SAME` for the paths once more.
        paths: The paths.
        new: A directory that is not there.
    """
    paths = list(paths)
    words = (paths if word == "SAME" else [new] if word == "NEW" else [word] for word in command.split())
    return [*(one for each in words for one in each), *paths]


def measured(command: str, folder: Path) -> tuple[float, float, int]:
    """CPU seconds, peak MiB and exit status of a command over a folder."""
    paths = [str(folder)] if any(path.is_file() for path in folder.iterdir()) else sorted(map(str, folder.iterdir()))
    with tempfile.TemporaryDirectory() as beside:
        words = words_of(command, paths, str(Path(beside) / "new"))
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, sys.executable, "-m", "kafkalog", *words],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        )
    seconds, peak, status = done.stdout.split()
    return float(seconds), int(peak) / 1024, int(status)


#: A child begins with the peak of the process that it was forked from, so a small one has to stand between.
_MEASURE = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, child.returncode)
"""


def grow(name: str, scale: float, work: Path) -> None:
    """Measure one shape and print its rows."""
    made = SHAPES[name]
    sizes = [max(1, int(made.n * scale)) * factor for factor in (1, 2, 4)]
    rows: dict[str, list[tuple[float, float, int]]] = {command: [] for command in made.commands}
    for size in sizes:
        folder = work / f"{name}-{size}"
        folder.mkdir()
        made.write(folder, size)
        for command in made.commands:
            rows[command].append(measured(command, folder))
        shutil.rmtree(folder)
    for command, ((first, _, _), (second, _, _), (third, peak, status)) in rows.items():
        growth = (third - second) / (second - first) if second - first > 0.02 else float("nan")
        each = (third - second) / (sizes[2] - sizes[1]) * 1e6
        print(
            f"| {name} | {command} | {sizes[0]} | {first:.2f} | {second:.2f} | {third:.2f} | {growth:.1f} "
            f"| {each:.0f} | {peak:.0f} | {status} |",
            flush=True,
        )


def main() -> None:
    """Measure the shapes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=", ".join(SHAPES))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--work")
    given = parser.parse_args()
    unknown = sorted(set(given.shapes) - set(SHAPES))
    if unknown:
        parser.error(f"no shape is called {unknown[0]!r}; there are {', '.join(SHAPES)}")
    print("| shape | command | n | CPU s | at 2n | at 4n | growth | µs each | peak MiB | exit |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        for name in given.shapes or SHAPES:
            grow(name, given.scale, Path(work))


if __name__ == "__main__":
    main()
