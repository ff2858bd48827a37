"""A partition that was judged by itself, before it is compared with others, and what of it these comparisons need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from kafkalog.files.partition import Partition

if TYPE_CHECKING:
    from uuid import UUID

    from kafkalog.files.directory import Directory
    from kafkalog.kafka.scanned_log import PackedLogs
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.replay.regular_records import RegularLog
    from kafkalog.verify.checks.controller import PartitionClaim
    from kafkalog.verify.checks.log_dir import LogDirCheck
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.told import Owner

__all__ = ["Compared", "Verified"]


class Compared(Protocol):
    """A partition, as far as it is compared with others: looked at here, or told of by another host."""

    report: PartitionReport

    @property
    def directory(self) -> str:
        """Path of its directory."""

    @property
    def topic(self) -> str:
        """Its topic by the directory's name; "" when that is no partition's."""

    @property
    def topic_id(self) -> UUID | None:
        """From its `partition.metadata`."""

    @property
    def owner(self) -> Owner | None:
        """The log dir it was looked at in."""

    @property
    def claim(self) -> PartitionClaim | None:
        """What it says of itself that a controller may know otherwise."""

    @property
    def is_file(self) -> bool:
        """Whether a single file of it was asked for."""


@dataclass(kw_only=True, slots=True)
class Verified:
    """A partition that was judged by itself.

    Args:
        listed: Its directory, as it was when it was judged.
        report: What was found; findings that others lead to are added.
        topic_id: From its `partition.metadata`.
        owner: The log dir it was looked at in, None for a directory or a file given by itself.
        claim: What it says of itself that a controller may know otherwise.
        scanned_logs: Name of a `.log` → the part of it that was found sound.
        open_transactions: Those without a marker in its log, oldest first.
        compacted: Whether its log was compacted, by what is said of it and by its batches.
        is_file: Whether a single file of it was asked for.
        kinds: Of the files that are there: suffixes of the segments' files, names of the others.
        regular: Of a coordinator's topic what its records say of a load, where all are regular; None: only a replay tells.
    """

    listed: Directory
    report: PartitionReport
    topic_id: UUID | None
    owner: LogDirCheck | None
    claim: PartitionClaim | None
    scanned_logs: PackedLogs
    open_transactions: tuple[OpenTransaction, ...] = ()
    compacted: bool = False
    is_file: bool = False
    kinds: frozenset[str] = frozenset()
    regular: RegularLog | None = None

    def __post_init__(self) -> None:
        self.kinds = _same(self.kinds)

    @property
    def directory(self) -> str:
        """Path of its directory."""
        return self.listed.path

    @property
    def topic(self) -> str:
        """Its topic by the directory's name; "" when that is no partition's."""
        return self.report.topic or ""

    @property
    def partition(self) -> Partition:
        """Its directory as a partition's; made when it is asked for, because there may be thousands."""
        return Partition(self.listed.path, self.listed)


@cache
def _same(kinds: frozenset[str]) -> frozenset[str]:
    """The same object for equal sets: thousands of directories have files of the same kinds."""
    return kinds
