"""A partition that is written to as a broker does it: the log first, then preallocated indexes; rolls, deletions, cuts."""

from __future__ import annotations

import pathlib
import random
import struct
import threading

from kafkalog.core.checksum import crc32c

_INDEX_SIZE = 4096
_PER_SEGMENT = 40


def _batch(base: int, epoch: int, time: int) -> bytes:
    value = random.Random(base).randbytes(20)
    record = bytes((2 * (6 + len(value)), 0, 0, 0, 1, 2 * len(value))) + value + b"\0"
    body = struct.pack(">hiqqqhii", 0, 0, time, time, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", base, len(body) + 9, epoch, 2, crc32c(body)) + body


class LiveLog:
    """The partition `topic-0` in a log dir, and a thread that writes to it until `stop`.

    Args:
        root: The log dir.
        act: Called by the thread now and then, with this object, between two appends.
        then: Batches per segment, as soon as the thread runs.
    """

    def __init__(self, root: pathlib.Path, act, then: int = _PER_SEGMENT) -> None:
        self.per_segment, self._then = _PER_SEGMENT, then
        self.dir = root / "topic-0"
        self.dir.mkdir(parents=True)
        (root / "meta.properties").write_text("#\n#\nversion=0\nbroker.id=0\n")
        for name in ("recovery-point", "replication", "log-start", "cleaner"):
            (root / f"{name}-offset-checkpoint").write_text("0\n0\n")
        (self.dir / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
        self.next, self.base, self.act = 0, 0, act
        self._halt = threading.Event()
        self.errors: list[Exception] = []
        self.roll()
        self._thread = threading.Thread(target=self._run)

    def path(self, suffix: str, base: int | None = None) -> pathlib.Path:
        return self.dir / f"{self.base if base is None else base:020d}{suffix}"

    def roll(self) -> None:
        """Trim the indexes of the active segment and begin a new one."""
        if self.next:
            last = self.next - 1 - self.base
            if not self.times or self.times[-1][1] < last:
                self._add(".timeindex", ">qi", self.times, (1_700_000_000_000 + self.next - 1, last))
            for suffix, size in ((".index", 8 * len(self.entries)), (".timeindex", 12 * len(self.times))):
                with self.path(suffix).open("r+b") as file:
                    file.truncate(size)
        self.base, self.position = self.next, 0
        self.entries, self.times = [], []
        self.path(".log").write_bytes(b"")
        for suffix, size in ((".index", _INDEX_SIZE), (".timeindex", _INDEX_SIZE // 12 * 12)):
            self.path(suffix).write_bytes(bytes(size))
        if self.next:
            self.path(".snapshot").write_bytes(struct.pack(">hI", 1, crc32c(bytes(4))) + bytes(4))

    def append(self) -> None:
        """Append a batch, and entries for every fourth."""
        data = _batch(self.next, 0, 1_700_000_000_000 + self.next)
        with self.path(".log").open("ab") as log:
            log.write(data)
        relative = self.next - self.base
        if relative % 4 == 3:
            self._add(".index", ">ii", self.entries, (relative, self.position))
            self._add(".timeindex", ">qi", self.times, (1_700_000_000_000 + self.next, relative))
        self.position += len(data)
        self.next += 1
        if relative + 1 == self.per_segment:
            self.roll()

    def _add(self, suffix, form, rows, row) -> None:
        with self.path(suffix).open("r+b") as file:
            file.seek(len(rows) * struct.calcsize(form))
            file.write(struct.pack(form, *row))
        rows.append(row)

    def delete_first(self) -> None:
        """Put the oldest segment aside, as retention does, and delete it."""
        first = min(int(path.stem) for path in self.dir.glob("*.log"))
        if first != self.base:
            for suffix in (".log", ".index", ".timeindex", ".snapshot"):
                if self.path(suffix, first).exists():
                    self.path(suffix, first).rename(self.path(f"{suffix}.deleted", first))
            for path in sorted(self.dir.glob("*.log.deleted"))[:-3]:
                for suffix in (".index", ".timeindex", ".snapshot", ".log"):
                    path.with_suffix("").with_suffix(f"{suffix}.deleted").unlink(missing_ok=True)

    def truncate(self) -> None:
        """Cut off the second half of the active segment; the indexes keep their bytes."""
        keep = (self.next - self.base) // 2
        if not keep:
            return
        with self.path(".log").open("r+b") as log:
            size = self.position // (self.next - self.base)
            log.truncate(keep * size)
        self.position = keep * size
        self.next = self.base + keep
        self.entries = [row for row in self.entries if row[0] < keep]
        self.times = [row for row in self.times if row[1] < keep]

    def _run(self) -> None:
        try:
            while not self._halt.wait(0.0003):
                self.append()
                if self.next % 7 == 0:
                    self.act(self)
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.errors.append(error)

    def __enter__(self) -> LiveLog:
        for _ in range(_PER_SEGMENT * 3):
            self.append()
        self.per_segment = self._then
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self._thread.join()
        assert self.errors == []
