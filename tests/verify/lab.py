"""A copy of one partition of a fixture's log dir, to be damaged, and what verify then finds."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import BATCH_HEADER, BatchHeader
from kafkalog.core.checksum import crc32, crc32c
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY
from kafkalog.files.source import FileSource
from kafkalog.verify import Finding, verify
from tests.log_dirs import FIXTURES, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BROKER = FIXTURES / "broker"
NOW = 1795500000000


class Lab:
    """The copy: `root` is the log dir, `dir` the partition.

    Args:
        target: Where to copy to.
        source: `release/workload/partition` below `fixtures/broker` or `fixtures/packed`, or a folder of a packed case.
    """

    def __init__(self, target: pathlib.Path, source: str) -> None:
        log_dir = self.source = _folder(source.rpartition("/")[0])
        self.root = target
        self.name = source.rpartition("/")[2]
        self.dir = target / self.name
        target.mkdir(parents=True, exist_ok=True)
        for path in log_dir.iterdir():
            if path.is_file():
                shutil.copy(path, target)
        shutil.copytree(log_dir / self.name, self.dir)
        self._keep_lines()

    @property
    def target(self) -> pathlib.Path:
        """What verify is given: the log dir, or the partition when no file of the log dir is left."""
        return self.root if any(path.is_file() for path in self.root.iterdir()) else self.dir

    def beside(self, partition: str, name: str = "") -> pathlib.Path:
        """Copy another partition of the same log dir into it, by another name if wanted."""
        return pathlib.Path(shutil.copytree(self.source / partition, self.root / (name or partition)))

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
        return batches_of(self.path(number).read_bytes())

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


def _folder(source: str) -> pathlib.Path:
    """A log dir, packed or not, or a folder in a packed case."""
    if (BROKER / source).is_dir():
        return BROKER / source
    packed = FIXTURES / "packed" / f"{source}.tar.xz"
    case, _, below = source.partition("/")
    return unpack(packed) if packed.exists() else unpack(FIXTURES / "cases" / f"{case}.tar.xz") / below


def batches_of(data: bytes) -> list[bytes]:
    """The batches of a log's bytes, or messages of magic 0 and 1."""
    found, at = [], 0
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big")
        found.append(data[at:end])
        at = end
    return found


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


class Case(NamedTuple):
    """A proof or a near miss: copies of partitions, what is done to them, and how they are looked at.

    `change` gets a `Lab` for each of `sources`, in `d1`, `d2` …; `meanwhile` too: a context in which verify runs. `options`
    are those of verify.
    """

    sources: tuple[str, ...]
    change: Callable[..., object]
    options: dict[str, Any]
    meanwhile: Callable[..., contextlib.AbstractContextManager[object]] | None

    def look(self, where: pathlib.Path, **options: Any) -> Looked:
        """Make the copies in the empty folder `where`, change them, verify them."""
        labs = [Lab(where / f"d{number}", source) for number, source in enumerate(self.sources, 1)]
        before = _contents(where)
        self.change(*labs)
        after = _contents(where)
        with contextlib.nullcontext() if self.meanwhile is None else self.meanwhile(*labs):
            report = verify([lab.target for lab in labs], now=NOW, **options | self.options)
        return Looked([relative(finding, where) for finding in report.all_findings()], _changes(before, after))


@contextlib.contextmanager
def changed_in_each_look(path: pathlib.Path, change: Callable[[], object], most: int = 1000) -> Iterator[list[FileSource]]:
    """Have a file changed once each time that it is opened and read, `most` times; gives the list of these looks."""
    read_into, looks = FileSource.read_into, []

    def and_change(source, buffer, position):
        if source.path == str(path) and source not in looks and len(looks) < most:
            looks.append(source)
            change()
        return read_into(source, buffer, position)

    FileSource.read_into = and_change
    try:
        yield looks
    finally:
        FileSource.read_into = read_into


class Looked(NamedTuple):
    """What verify found, and what had been changed: path → first byte and the one after the last, None when it is gone.

    All paths are relative to the folder that the log dirs are in.
    """

    findings: list[Finding]
    changed: dict[str, tuple[int, int] | None]


def relative(finding: Finding, where: pathlib.Path) -> Finding:
    """A finding with paths relative to a folder, in its texts too."""

    def cut(text: str) -> str:
        return text.replace(f"{where}/", "")

    return finding._replace(
        path=cut(finding.path),
        message=cut(finding.message),
        consequence=cut(finding.consequence),
        remedy=cut(finding.remedy),
        facts={name: cut(value) if isinstance(value, str) else value for name, value in finding.facts.items()},
    )


def _contents(where: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(where)): path.read_bytes() if path.is_file() else b"" for path in where.rglob("*")}


def _changes(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, tuple[int, int] | None]:
    changed: dict[str, tuple[int, int] | None] = dict.fromkeys(before.keys() - after.keys())
    changed |= {path: (0, len(after[path])) for path in after.keys() - before.keys()}
    kept = before.keys() & after.keys()
    return changed | {path: _changed_range(before[path], after[path]) for path in kept if after[path] != before[path]}


def _changed_range(before: bytes, after: bytes) -> tuple[int, int]:
    """First byte that differs, and the one behind the last."""
    least = min(len(before), len(after))
    start = next((at for at in range(least) if before[at] != after[at]), least)
    same = next((at for at in range(least - start) if before[-1 - at] != after[-1 - at]), least - start)
    return start, max(start, len(after) - same)
