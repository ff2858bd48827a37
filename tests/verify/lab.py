"""A copy of one partition of a fixture's log dir, to be damaged."""

from __future__ import annotations

import pathlib
import shutil
import struct

from kafkalog.core.batch import BATCH_HEADER, BatchHeader
from kafkalog.core.checksum import crc32, crc32c
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY
from tests.log_dirs import FIXTURES

BROKER = FIXTURES / "broker"


class Lab:
    """The copy: `root` is the log dir, `dir` the partition.

    Args:
        target: Where to copy to.
        source: `release/workload/partition` below `fixtures/broker`.
    """

    def __init__(self, target: pathlib.Path, source: str) -> None:
        log_dir = BROKER / source.rpartition("/")[0]
        self.root = target
        self.name = source.rpartition("/")[2]
        self.dir = target / self.name
        target.mkdir(parents=True, exist_ok=True)
        for path in log_dir.iterdir():
            if path.is_file():
                shutil.copy(path, target)
        shutil.copytree(log_dir / self.name, self.dir)
        self._keep_lines()

    def _keep_lines(self) -> None:
        """Checkpoint lines of partitions that were not copied are left out."""
        topic, _, number = self.name.rpartition("-")
        for path in self.root.glob("*-checkpoint"):
            self.lines(path.name, [line for line in path.read_text().splitlines()[2:] if line.startswith(f"{topic} {number} ")])

    def lines(self, name: str, lines: list[str]) -> None:
        """Write a checkpoint file of the log dir."""
        (self.root / name).write_text(f"0\n{len(lines)}\n" + "".join(f"{line}\n" for line in lines))

    def checkpoint(self, name: str, offset: int | None) -> None:
        """Set or remove this partition's line."""
        topic, _, number = self.name.rpartition("-")
        self.lines(name, [] if offset is None else [f"{topic} {number} {offset}"])

    def crashed(self) -> None:
        """Take the clean-shutdown marker away."""
        (self.root / ".kafka_cleanshutdown").unlink()

    # --- files ---

    def path(self, number: int, suffix: str = ".log") -> pathlib.Path:
        """A file of segment `number`."""
        return sorted(self.dir.glob("*.log"))[number].with_suffix(suffix)

    def patch(self, path: pathlib.Path, position: int, data: bytes) -> None:
        """Overwrite bytes."""
        old = path.read_bytes()
        position %= len(old) or 1
        path.write_bytes(old[:position] + data + old[position + len(data) :])

    def append(self, path: pathlib.Path, data: bytes) -> None:
        """Add bytes at the end."""
        path.write_bytes(path.read_bytes() + data)

    def cut(self, path: pathlib.Path, size: int) -> None:
        """Keep the first `size` bytes; a negative number counts from the end."""
        path.write_bytes(path.read_bytes()[:size])

    def entry(self, path: pathlib.Path, number: int, form: str, *values: int) -> None:
        """Overwrite an entry of an index file."""
        size = struct.calcsize(form)
        count = path.stat().st_size // size
        self.patch(path, number % count * size, struct.pack(form, *values))

    # --- batches ---

    def batches(self, number: int) -> list[bytes]:
        """The batches of segment `number`, or messages of magic 0 and 1."""
        data, found, at = self.path(number).read_bytes(), [], 0
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big")
            found.append(data[at:end])
            at = end
        return found

    def write(self, number: int, batches: list[bytes]) -> None:
        """Write the batches of segment `number`."""
        self.path(number).write_bytes(b"".join(batches))

    def change(self, number: int, at: int, change) -> None:
        """Put `change(batch)` in the place of batch `at`."""
        batches = self.batches(number)
        batches[at] = change(batches[at])
        self.write(number, batches)

    def field(self, number: int, at: int, *, seal: bool = True, **values: int) -> None:
        """Set header fields of a magic 2 batch; the checksum is made right again unless `seal` is False."""
        self.change(number, at, lambda batch: fields(batch, seal=seal, **values))

    def find(self, number: int, condition) -> int:
        """Number of the first batch whose header fulfils a condition."""
        for at, batch in enumerate(self.batches(number)):
            if condition(BATCH_HEADER.read(batch)):
                return at
        raise LookupError

    # --- snapshots ---

    def snapshot(self, which: int, at: int, **values: int) -> None:
        """Set fields of an entry of a snapshot and make its checksum right again."""
        path = sorted(self.dir.glob("*.snapshot"))[which]
        data = bytearray(path.read_bytes())
        for name, value in values.items():
            field = PRODUCER_ENTRY[name]
            struct.pack_into(f">{field.type.code}", data, 10 + at * PRODUCER_ENTRY.size + field.at, value)
        struct.pack_into(">I", data, 2, crc32c(bytes(data[6:])))
        path.write_bytes(data)


def seal(batch: bytes) -> bytes:
    """Make length and checksum of a magic 2 batch right."""
    data = bytearray(batch)
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
    return bytes(data)


def fields(batch: bytes, *, seal: bool = True, **values: int) -> bytes:
    """A batch with other header fields."""
    data = bytearray(batch)
    for name, value in values.items():
        field = BATCH_HEADER[name]
        struct.pack_into(f">{field.type.code}", data, field.at, value)
    if seal:
        struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
    return bytes(data)


def header(batch: bytes) -> BatchHeader:
    """The header of a magic 2 batch."""
    return BATCH_HEADER.read(batch)


def message(
    offset: int, magic: int, value: bytes | None, *, attributes: int = 0, timestamp: int = 1_500_000_000_000, extra: bytes = b""
) -> bytes:
    """A message of magic 0 or 1 without a key."""
    body = struct.pack(">bb", magic, attributes) + (struct.pack(">q", timestamp) if magic else b"") + struct.pack(">i", -1)
    body += struct.pack(">i", -1 if value is None else len(value)) + (value or b"") + extra
    return struct.pack(">qiI", offset, len(body) + 4, crc32(body)) + body
