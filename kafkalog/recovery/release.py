"""Kafka's releases, and from which one on loading a log behaves how."""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.errors import RequestError

__all__ = ["BEHAVIOURS", "NEWEST", "ZOOKEEPER", "Behaviour", "Release", "parse_release"]

#: Last patch of each minor release.
_LAST_PATCH = {
    (0, 11): 3, (1, 0): 2, (1, 1): 1, (2, 0): 1, (2, 1): 1, (2, 2): 2, (2, 3): 1, (2, 4): 1, (2, 5): 1, (2, 6): 3,
    (2, 7): 2, (2, 8): 2, (3, 0): 2, (3, 1): 2, (3, 2): 3, (3, 3): 2, (3, 4): 1, (3, 5): 2, (3, 6): 2, (3, 7): 2,
    (3, 8): 1, (3, 9): 2, (4, 0): 1, (4, 1): 1, (4, 2): 0, (4, 3): 1,
}  # fmt: skip
_RANGE = "0.11.0.0 to 4.3.1, as X.Y.Z, or X.Y for its last patch"


class Behaviour(NamedTuple):
    """Something that loading does from one release on: `since` is that release, `source` where it was read or seen."""

    since: tuple[int, int, int]
    name: str
    text: str
    source: str


INDEXES_UNCHECKED = Behaviour(
    (2, 3, 0),
    "indexes-unchecked",
    "`.index` and `.timeindex` are not looked at; before, each was checked, and the segment recovered if it failed.",
    "LogSegment.sanityCheck, KAFKA-7283",
)
INVALID_RECORD_ENDS_SEGMENT = Behaviour(
    (2, 4, 0),
    "invalid-record-ends-segment",
    "A control record that cannot be read cuts the segment like a bad CRC; before, the broker stopped.",
    "LogSegment.recover",
)
SNAPSHOT_PER_SEGMENT = Behaviour(
    (2, 8, 0),
    "snapshot-per-segment",
    "Each segment keeps its `.snapshot`, which goes with it; snapshots of no segment are deleted.",
    "ProducerStateManager.removeStraySnapshots, KAFKA-10520",
)
SWAP_RENAMED = Behaviour(
    (3, 0, 0),
    "swap-renamed",
    "`.swap` files replace what they cover by deletion and renaming; before, the `.log.swap` was recovered first.",
    "LogLoader.load, KAFKA-12520",
)
EPOCHS_IN_EVERY_RECOVERY = Behaviour(
    (3, 0, 0),
    "epochs-in-every-recovery",
    "A segment that is recovered for want of its `.index` adds its leader epochs too.",
    "LogLoader.recoverSegment",
)
OFFLINE_STOPS_READS = Behaviour(
    (3, 0, 0),
    "offline-stops-reads",
    "In a log dir that went offline a partition with an open transaction stops the broker, for its log must be read.",
    "LocalLog.maybeHandleIOException",
)
CHECKPOINT_NUMBERS_ABORT = Behaviour(
    (3, 1, 0),
    "checkpoint-numbers-abort",
    "An entry of `leader-epoch-checkpoint` that is no number, or a negative count, stops the broker; before: log dir offline.",
    "CheckpointFile, server-common",
)
UNSTABLE_OFFSET_LENIENT = Behaviour(
    (3, 8, 0),
    "unstable-offset-lenient",
    "An open transaction said to begin behind the log's end is put up with; before, it stopped the broker.",
    "UnifiedLog.maybeConvertToOffsetMetadata",
)
STRAY_PARTITIONS = Behaviour(
    (3, 7, 0),
    "stray-partitions",
    "With KRaft, a directory without the topic id that the controller knows is renamed `-stray`, an empty one made.",
    "LogManager.loadLog, KAFKA-15650",
)
SEARCHES_BY_BASE_OFFSET = Behaviour(
    (4, 1, 0),
    "searches-by-base-offset",
    "Looking for an offset compares base offsets; a compressed message of magic 0 or 1 is unpacked for it.",
    "FileRecords.searchForOffsetFromPosition",
)

BEHAVIOURS = (
    INDEXES_UNCHECKED,
    INVALID_RECORD_ENDS_SEGMENT,
    SNAPSHOT_PER_SEGMENT,
    SWAP_RENAMED,
    EPOCHS_IN_EVERY_RECOVERY,
    OFFLINE_STOPS_READS,
    CHECKPOINT_NUMBERS_ABORT,
    STRAY_PARTITIONS,
    UNSTABLE_OFFSET_LENIENT,
    SEARCHES_BY_BASE_OFFSET,
)


class Release(NamedTuple):
    """A release of Kafka; `patch` of 0.11.0.x is x."""

    major: int
    minor: int
    patch: int

    def has(self, behaviour: Behaviour) -> bool:
        """Whether it behaves so."""
        return self >= behaviour.since

    @property
    def is_zookeeper(self) -> bool:
        """Whether it belongs to the time of ZooKeeper: before 3.0 KRaft was no choice."""
        return self.major < 3

    def __str__(self) -> str:
        return f"0.11.0.{self.patch}" if self.major == 0 else f"{self.major}.{self.minor}.{self.patch}"


#: What `auto` stands for: the newest release, and the last of ZooKeeper's time.
NEWEST = Release(4, 3, 1)
ZOOKEEPER = Release(2, 8, 2)


def parse_release(text: str) -> Release:
    """The release of a text: `3.9.1`, `3.9` for its last patch, `0.11.0.3`, `0.11`.

    Raises:
        RequestError: there is no such release, or it is outside the range.
    """
    parts = text.split(".")
    if all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        numbers = tuple(int(part) for part in parts)
        if numbers[:3] == (0, 11, 0) or numbers == (0, 11):
            numbers = (0, 11, *numbers[3:4])
        last = _LAST_PATCH.get(numbers[:2])  # type: ignore[call-overload]
        if last is not None and len(numbers) == 2:
            return Release(*numbers, last)
        if last is not None and len(numbers) == 3 and numbers[2] <= last:
            return Release(*numbers)
    raise RequestError(f"Kafka {text!r} is not known; accepted are {_RANGE}")
