"""From which release on loading a log behaves how."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.core.release import Release

__all__ = ["BEHAVIOURS", "LAST_OF_ZOOKEEPER", "Behaviour", "is_zookeeper_era"]


class Behaviour(NamedTuple):
    """Something that loading does from one release on: `since` is that release, `source` where it was read or seen."""

    since: Release
    name: str
    text: str
    source: str
    #: Later releases that do not: those made from an older branch.
    not_in: tuple[Release, ...] = ()

    def applies_to(self, release: Release) -> bool:
        """Whether a release behaves so."""
        return release >= self.since and release not in self.not_in


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
SNAPSHOT_MARKED = Behaviour(
    (3, 0, 0),
    "snapshot-marked",
    "The `.snapshot` of a segment that recovery deletes is renamed with it; before, it stayed, and was deleted a minute later.",
    "ProducerStateManager.removeAndMarkSnapshotForDeletion",
)
SNAPSHOTS_OF_WHOLE_LOG_UNMARKED = Behaviour(
    (3, 1, 0),
    "snapshots-of-whole-log-unmarked",
    "When the log ends below its start and all segments go, their snapshots are deleted at once, not renamed.",
    "LogLoader.removeAndDeleteSegmentsAsync, which goes through a live view that is empty by then",
)
METADATA_VERSIONS = Behaviour(
    (3, 7, 0),
    "metadata-versions",
    "A version above 0 in `partition.metadata` is accepted; before: log dir offline.",
    "PartitionMetadataReadBuffer.read",
)
KRAFT_SNAPSHOTS_KEPT = Behaviour(
    (3, 3, 0),
    "kraft-snapshots-kept",
    "`.checkpoint.deleted` files of `__cluster_metadata` are left alone; before, they went with everything `.deleted`.",
    "LogLoader.removeTempFilesAndCollectSwapFiles",
)
SPLIT_INDEXES_BATCHES = Behaviour(
    (3, 9, 1),
    "split-indexes-batches",
    "The parts of a split segment get index entries for their batches; before and in 4.0.0, for chunks of up to 1 MiB.",
    "LogSegment.append",
    not_in=((4, 0, 0),),
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
MALFORMED_MESSAGE_UNCAUGHT = Behaviour(
    (3, 8, 0),
    "malformed-message-uncaught",
    "A key or value of magic 0 or 1 that goes beyond its message costs a consumer the records before it in the same fetch too.",
    "CompletedFetch.parseRecord, KIP-1036",
)
STRAY_PARTITIONS = Behaviour(
    (3, 7, 0),
    "stray-partitions",
    "With KRaft, a directory without the topic id that the controller knows is renamed `-stray`, an empty one made.",
    "LogManager.loadLog, KAFKA-15650",
)
FAILURE_EMPTIES_SEGMENT = Behaviour(
    (4, 0, 0),
    "failure-empties-segment",
    "Any I/O error while an unflushed segment is recovered empties the segment and deletes all later ones; before: log dir offline.",
    "LogLoader.recoverLog",
)
READ_TELLS_BATCH = Behaviour(
    (4, 0, 0),
    "read-tells-batch",
    "The last stable offset is the base offset of the batch that the oldest open transaction is said to begin in.",
    "LogSegment.read",
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
    SNAPSHOT_MARKED,
    SWAP_RENAMED,
    KRAFT_SNAPSHOTS_KEPT,
    SPLIT_INDEXES_BATCHES,
    EPOCHS_IN_EVERY_RECOVERY,
    OFFLINE_STOPS_READS,
    SNAPSHOTS_OF_WHOLE_LOG_UNMARKED,
    CHECKPOINT_NUMBERS_ABORT,
    METADATA_VERSIONS,
    STRAY_PARTITIONS,
    UNSTABLE_OFFSET_LENIENT,
    MALFORMED_MESSAGE_UNCAUGHT,
    FAILURE_EMPTIES_SEGMENT,
    READ_TELLS_BATCH,
    SEARCHES_BY_BASE_OFFSET,
)


#: The last release of ZooKeeper's time, which `auto` takes for a log dir of that time.
LAST_OF_ZOOKEEPER: Release = (2, 8, 2)


def is_zookeeper_era(release: Release) -> bool:
    """Whether a release is older than the choice between ZooKeeper and KRaft."""
    return release < (3,)
