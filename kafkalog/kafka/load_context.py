"""What loading one partition works on: the directory, and what the log dir says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import EMPTY_TRANSACTION_IGNORED
from kafkalog.kafka.index_interval import infer_index_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.core.release import Release
    from kafkalog.kafka.epochs import LeaderEpochs
    from kafkalog.kafka.overlay import Disk, DiskFile
    from kafkalog.kafka.scanned_log import ScannedLog

__all__ = ["InvalidFound", "LoadContext", "LoadSettings"]


@dataclass(frozen=True)
class InvalidFound:
    """Where recovery found the first bad batch of a segment: file, byte position, why."""

    name: str
    position: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class LoadSettings:
    """What a partition is loaded with, apart from its own directory.

    Args:
        clean: Whether the log dir was shut down cleanly.
        release: The release that starts.
        recovery_point: From `recovery-point-offset-checkpoint`, 0 when there is no line; None: not known, 0 is taken.
        log_start: From `log-start-offset-checkpoint`, 0 when there is no line.
        mark: `delete`, `future` or `stray` when the directory's name says so, else "".
        is_compacted: Whether the log cleaner is known to have worked here.
        is_tiered: Whether the log is known to begin in remote storage.
        index_interval_bytes: `index.interval.bytes`; None: read off the indexes that are there.
        scanned: Name of a `.log` → what a scan has found in it: these bytes need not be read again.
    """

    clean: bool
    release: Release
    recovery_point: int | None = 0
    log_start: int = 0
    mark: str = ""
    is_compacted: bool = False
    is_tiered: bool = False
    index_interval_bytes: int | None = None
    scanned: Mapping[str, ScannedLog] = field(default_factory=dict)


@dataclass
class LoadContext:
    """One load of one partition.

    Args:
        disk: The directory, as an overlay.
        settings: What it is loaded with.
    """

    disk: Disk
    settings: LoadSettings
    #: The leader epochs that a segment's recovery adds to; None: it adds to none.
    epochs_in_recovery: LeaderEpochs | None = None
    #: Base offsets of the segments whose indexes were wiped and built again.
    rebuilt: set[int] = field(default_factory=set)
    #: Names of the `.log` files that an interrupted swap was to replace, and that something has replaced.
    replaced: set[str] = field(default_factory=set)
    #: The bad batches that recovery stopped at, in order; and what else it has to say.
    invalid: list[InvalidFound] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def release(self) -> Release:
        """The release whose behaviour is modelled."""
        return self.settings.release

    @cached_property
    def index_interval(self) -> int:
        """Bytes that must lie between two entries of a rebuilt `.index`."""
        stated = self.settings.index_interval_bytes
        return infer_index_interval(self.disk) if stated is None else stated

    def scanned_of(self, file: DiskFile) -> ScannedLog | None:
        """What a scan has found in a file; None: there was none, or the file is no longer as it was."""
        if file.origin is None or file.changed or not EMPTY_TRANSACTION_IGNORED.applies_to(self.release):
            # Before 2.8 producers are followed in ways for which a scan does not keep enough.
            return None
        scanned = self.settings.scanned.get(file.origin)
        return scanned if scanned is not None and scanned.end <= file.size else None

    def note_invalid(self, name: str, position: int, reason: str) -> None:
        """Recovery of a segment ended before its end."""
        self.invalid.append(InvalidFound(name, position, reason))

    def remark(self, text: str) -> None:
        """Add something that the reason of the outcome is to name."""
        self.remarks.append(text)
