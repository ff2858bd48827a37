"""How Kafka reads and loads, and from which release on: each fact is here once, whoever needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.core.release import Release

__all__ = ["BEHAVIOURS", "LAST_OF_ZOOKEEPER", "Behaviour", "is_zookeeper_era"]


class Behaviour(NamedTuple):
    """Something that Kafka does in reading or loading from release `since` on; `source` is where it was read or seen."""

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
    "`.index` and `.timeindex` are not checked at a start, and a segment whose `.index` is missing is recovered; before,"
    " both were checked, a segment that failed the check was recovered, and a missing index was made again, empty.",
    "LogSegment.sanityCheck, KAFKA-7283",
)
SHORT_LOG_GOES = Behaviour(
    (2, 2, 0),
    "short-log-goes",
    "A log that ends below its start is deleted, and a new one starts there; before, it stayed, and a log without segments"
    " started at 0.",
    "Log.recoverLog",
)
METADATA_READ = Behaviour(
    (2, 8, 0),
    "metadata-read",
    "`partition.metadata` is read; before, there was no such file.",
    "PartitionMetadataFile",
)
READS_UP_TO_POSITION = Behaviour(
    (2, 4, 0),
    "reads-up-to-position",
    "To rebuild its producers the broker reads the log up to the position where it ends; before, it looked up the end"
    " offset in the index of each segment.",
    "Log.rebuildProducerState",
)
UNSTABLE_OFFSET_SOUGHT = Behaviour(
    (2, 4, 0),
    "unstable-offset-sought",
    "The start of the oldest open transaction is looked for in later segments too; before, the broker stopped when it was"
    " not found.",
    "Log.maybeIncrementFirstUnstableOffset",
)
LOG_DIRS_FAIL = Behaviour(
    (1, 0, 0),
    "log-dirs-fail",
    "An I/O error takes the log dir offline; before, it stopped the broker.",
    "LogDirFailureChannel, KIP-112",
)
SNAPSHOT_BEFORE_RECOVERY = Behaviour(
    (1, 0, 0),
    "snapshot-before-recovery",
    "A `.snapshot` is written where the recovery of a segment begins, not only where it ends.",
    "Log.recoverSegment",
)
MISSING_INDEX_MADE = Behaviour(
    (1, 1, 0),
    "missing-index-made",
    "A missing `.index` is made again, empty (up to 2.2), and a segment whose index fails the check gets its `.txnindex`"
    " emptied; before, the first made the segment be recovered, and the second was deleted.",
    "LogSegment.sanityCheck, Log.loadSegmentFiles",
)
INDEX_SWAP_COUNTS = Behaviour(
    (1, 1, 0),
    "index-swap-counts",
    "Where an `.index.swap` is found, the indexes of its segment are deleted; before, the `.index.swap` itself was.",
    "Log.removeTempFilesAndCollectSwapFiles",
)
LAST_TIME_REMEMBERED = Behaviour(
    (1, 1, 0),
    "last-time-remembered",
    "The last entry of a `.timeindex` is remembered as it was given; before, it was read back, its offset cut to 32 bits.",
    "TimeIndex.lastEntry",
)
SIZE_CANNOT_OVERFLOW = Behaviour(
    (1, 1, 0),
    "size-cannot-overflow",
    "A batch that ends after the 2^31st byte ends the log; before, the sum overflowed, and the batch was taken to be there.",
    "FileLogInputStream.nextBatch",
)
TRUNCATES_INDEXES = Behaviour(
    (1, 1, 0),
    "truncates-indexes",
    "Emptying a segment with no batch at its base offset or above empties its indexes; before, it changed nothing.",
    "LogSegment.truncateTo",
)
LAST_OFFSETS_INDEXED = Behaviour(
    (2, 0, 0),
    "last-offsets-indexed",
    "Entries of a rebuilt `.index` name the last offsets of batches; before, the first ones, and a `.index` whose last entry"
    " was the base offset failed the check.",
    "LogSegment.recover, OffsetIndex.sanityCheck",
)
OVERFLOW_NOTICED = Behaviour(
    (2, 0, 0),
    "overflow-noticed",
    "An offset that the indexes cannot hold is noticed; before, it was cut to 32 bits.",
    "LogSegment.ensureOffsetInRange, KAFKA-6264",
)
LATER_SWAPS_GO = Behaviour(
    (2, 0, 0),
    "later-swaps-go",
    "A `.swap` at or above the lowest `.cleaned` is deleted, and a completed swap keeps a segment that ends before it;"
    " before, every `.log.swap` was completed, and replaced the segment before it too.",
    "Log.removeTempFilesAndCollectSwapFiles, Log.completeSwapOperations",
)
SNAPSHOT_AT_END = Behaviour(
    (2, 0, 0),
    "snapshot-at-end",
    "Rebuilding the producers writes a `.snapshot` at its end, and one for each of the last two segments; before, one for"
    " each segment that was read, and none at the end.",
    "Log.rebuildProducerState",
)
EMPTY_MARKER_PASSES = Behaviour(
    (2, 0, 0),
    "empty-marker-passes",
    "A control batch without a record is skipped; before, it stopped the broker, and a consumer of committed records.",
    "ProducerAppendInfo.append, Fetcher.containsAbortMarker",
)
MAGIC_READ_FIRST = Behaviour(
    (2, 0, 0),
    "magic-read-first",
    "A consumer fails at an unknown magic even where the batch goes beyond what it got; before, that ended the fetch.",
    "ByteBufferLogInputStream.nextBatchSize",
)
SLICES_CHECKED = Behaviour(
    (2, 1, 0),
    "slices-checked",
    "A slice that begins after the end of the log is refused; before, it was empty.",
    "FileRecords.slice",
)
INDEX_END_SEARCHED_FIRST = Behaviour(
    (2, 1, 0),
    "index-end-searched-first",
    "The last 8 KiB of an index are searched first, which matters in one that is garbled or ends in zeros.",
    "AbstractIndex.indexSlotRangeFor, KAFKA-6432",
)
ZSTD_FRAMES_JOINED = Behaviour(
    (2, 3, 0),
    "zstd-frames-joined",
    "The records of a batch may be several zstd frames; before, a frame that ended where a record begins ended the records.",
    "zstd-jni 1.4.0, ZstdInputStream.read",
)
NEWEST_EPOCH_WINS = Behaviour(
    (2, 0, 0),
    "newest-epoch-wins",
    "A leader epoch found in recovery drops the entries it contradicts; before, it was not taken if it began below the last.",
    "LeaderEpochFileCache.assign",
)
TRANSACTION_BEGINS_WITH_BATCH = Behaviour(
    (2, 1, 0),
    "transaction-begins-with-batch",
    "A transaction begins at the offset of its first batch; before, at the last offset of that batch minus the difference"
    " of its last and first sequence numbers.",
    "ProducerAppendInfo.append",
)
ZSTD_KNOWN = Behaviour(
    (2, 1, 0),
    "zstd-known",
    "Codec 4, zstd, is known; before, consumers failed at it, and a control batch, or (before 2.0) a message of magic 0 or 1,"
    " that named it stopped the broker.",
    "CompressionType.forId, KIP-110",
)
HEADER_KEYS_SLICED = Behaviour(
    (2, 7, 0),
    "header-keys-sliced",
    "A header key that goes beyond its record is an error of the record; before, in a compressed batch, it cost a consumer the"
    " records before it in the same fetch too.",
    "DefaultRecord.readHeaders",
)
PRODUCERS_RETAINED = Behaviour(
    (2, 4, 0),
    "producers-retained",
    "A producer in a `.snapshot` is known, wherever it wrote last; before, one that had written nothing at the log's start or"
    " above was dropped, with its open transaction.",
    "ProducerStateManager.loadFromSnapshot, KAFKA-7190",
)
FETCHES_UP_TO_POSITION = Behaviour(
    (2, 4, 0),
    "fetches-up-to-position",
    "A fetch ends where the high watermark or the last stable offset is; before, that offset was looked up in the segment"
    " that is read, which fails at a broken size field further on.",
    "Log.read",
)
RANGES_CHECKED = Behaviour(
    (2, 5, 0),
    "ranges-checked",
    "An empty range of offsets (from N to N) has no segments; before, it had the segment that begins before N.",
    "Log.logSegments",
)
EPOCH_ZERO_SKIPPED = Behaviour(
    (2, 1, 0),
    "epoch-zero-skipped",
    "Recovery does not take leader epoch 0 from the log.",
    "LogSegment.recover",
)
EPOCH_ZERO_KEPT = Behaviour(
    (2, 6, 0),
    "epoch-zero-kept",
    "Recovery takes leader epoch 0 from the log again, as before 2.1.",
    "LogSegment.recover",
)
OWN_TRANSACTIONS_PASSED = Behaviour(
    (2, 2, 0),
    "own-transactions-passed",
    "Older transactions of the same producer do not count for the last stable offset in a rebuilt `.txnindex`.",
    "ProducerStateManager.lastStableOffset",
)
EPOCHS_SORTED = Behaviour(
    (2, 7, 0),
    "epochs-sorted",
    "Entries of `leader-epoch-checkpoint` that contradict each other go; before, it was taken as it is.",
    "LeaderEpochFileCache.assign",
)
EPOCHS_GO_WITH_LOG = Behaviour(
    (2, 8, 0),
    "epochs-go-with-log",
    "When the log ends below its start and all segments go, so do its leader epochs and snapshots; before, both stayed.",
    "Log.recoverLog",
)
ZOMBIES_PASS = Behaviour(
    (2, 4, 0),
    "zombies-pass",
    "A transaction marker of an older producer or coordinator epoch is accepted; before, it stopped the broker.",
    "ProducerAppendInfo.appendEndTxnMarker",
)
PRODUCERS_FOLLOWED_BEFORE = Behaviour(
    (2, 8, 0),
    "producers-followed-before",
    "Before a segment is recovered, open transactions are followed from one segment to the next; before 2.8, a transaction"
    " that was open at the end of a segment stayed open, and set the last stable offset in the rebuilt `.txnindex`.",
    "Log.updateProducers",
)
EMPTY_TRANSACTION_IGNORED = Behaviour(
    (2, 8, 0),
    "empty-transaction-ignored",
    "A marker without a transaction changes nothing; before, it ended a transaction of its own, and an abort got a"
    " `.txnindex` entry.",
    "ProducerAppendInfo.appendEndTxnMarker",
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
TEXT_FILE_FAILURE_CAUGHT = Behaviour(
    (3, 2, 1),
    "text-file-failure-caught",
    "A `leader-epoch-checkpoint` or `partition.metadata` that cannot be read takes the log dir offline; before, it stopped the"
    " broker.",
    "LogManager.loadLogs, KAFKA-13773",
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
    "The parts of a split segment get index entries for their batches; before and in 4.0.0, for chunks of up to 1 MiB."
    " A batch of unknown magic stops the broker there.",
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
    "A segment that is recovered because its `.index` is missing adds its leader epochs too.",
    "LogLoader.recoverSegment",
)
OFFLINE_STOPS_READS = Behaviour(
    (3, 0, 0),
    "offline-stops-reads",
    "In a log dir that went offline, a partition with an open transaction stops the broker, because its log must be read,"
    " and cannot.",
    "LocalLog.maybeHandleIOException",
)
CHECKPOINT_NUMBERS_ABORT = Behaviour(
    (3, 1, 0),
    "checkpoint-numbers-abort",
    "An entry of `leader-epoch-checkpoint` that is no number, or a negative count, stops the broker; before, it was a"
    " malformed line as any other.",
    "CheckpointFile, server-common",
)
UNSTABLE_OFFSET_LENIENT = Behaviour(
    (3, 8, 0),
    "unstable-offset-lenient",
    "An open transaction said to begin after the log's end is accepted; before, it stopped the broker.",
    "UnifiedLog.maybeConvertToOffsetMetadata",
)
MALFORMED_MESSAGE_UNCAUGHT = Behaviour(
    (3, 8, 0),
    "malformed-message-uncaught",
    "A key or value of magic 0 or 1 that goes beyond its message costs a consumer the records before it in the same fetch too.",
    "CompletedFetch.parseRecord, KIP-1036",
)
DELETES_UNREAD = Behaviour(
    (3, 7, 0),
    "deletes-unread",
    "A segment is deleted without a look into its `.timeindex`; before (since 2.3), a directory of that name took the log"
    " dir offline.",
    "LogSegment.toString",
)
INDEXES_RENAMED_UNREAD = Behaviour(
    (2, 6, 0),
    "indexes-renamed-unread",
    "The files of a deleted segment are renamed as they are; before, both indexes were opened first.",
    "LogSegment.changeFileSuffixes",
)
DELETED_ONCE_NAMED = Behaviour(
    (2, 8, 0),
    "deleted-once-named",
    "All segments that are to be deleted are looked at before the first is renamed; before, they were looked at after the"
    " renaming.",
    "Log.deleteSegmentFiles, SegmentDeletionReason.logReason",
)
FUTURE_NAMES = Behaviour(
    (1, 1, 0),
    "future-names",
    "Directories may be marked `-future`; before, such a name stopped the broker, as any name does that is no topic-partition.",
    "Log.parseTopicPartitionName, KIP-113",
)
STRAY_NAMES = Behaviour(
    (3, 6, 1),
    "stray-names",
    "Directories may be marked `-stray`; before, such a name stopped the broker.",
    "UnifiedLog.parseTopicPartitionName",
)
STRAY_PARTITIONS = Behaviour(
    (3, 7, 0),
    "stray-partitions",
    "With KRaft, a directory without the topic id that the controller knows is renamed `-stray`, an empty one made; before, one"
    " of a topic or a place that the controller does not know was renamed `-delete`, and deleted a minute later.",
    "LogManager.loadLog, KAFKA-15650; BrokerMetadataPublisher.findStrayPartitions",
)
FAILURE_EMPTIES_SEGMENT = Behaviour(
    (4, 0, 0),
    "failure-empties-segment",
    "An I/O error while an unflushed segment is recovered empties it and deletes all later ones; before: log dir offline.",
    "LogLoader.recoverLog",
)
READ_NAMES_BATCH = Behaviour(
    (4, 0, 0),
    "read-names-batch",
    "The last stable offset is the base offset of the batch that the oldest open transaction is said to begin in.",
    "LogSegment.read",
)
SEARCHES_BY_BASE_OFFSET = Behaviour(
    (4, 1, 0),
    "searches-by-base-offset",
    "Looking for an offset compares base offsets; a compressed message of magic 0 or 1 is unpacked for it.",
    "FileRecords.searchForOffsetFromPosition",
)

BOOTSTRAP_READ = Behaviour(
    (3, 3, 0),
    "bootstrap-read",
    "A KRaft node reads `bootstrap.checkpoint`, and exits at a metadata.version in it that it does not know.",
    "BootstrapDirectory.read, KIP-778",
)
BOOTSTRAP_FOR_EMPTY_LOG = Behaviour(
    (4, 0, 1),
    "bootstrap-for-empty-log",
    "The level in `bootstrap.checkpoint` only counts while the metadata log is empty.",
    "BootstrapDirectory.read, KAFKA-19192",
)
METADATA_FAULTS_FATAL = Behaviour(
    (3, 3, 0),
    "metadata-faults-fatal",
    "A controller exits at a record of the metadata log that does not fit those before it, as of a topic that is unknown.",
    "SharedServer.metadataLoaderFaultHandler, QuorumController.replay",
)
META_COMPLETED = Behaviour(
    (2, 8, 0),
    "meta-completed",
    "A broker with ZooKeeper writes what `meta.properties` lacks, and exits at any version but 0; before, it exited where"
    " version or broker.id was missing, and another version took the log dir offline (up to 0.11: it exited).",
    "BrokerMetadataCheckpoint.read, RawMetaProperties",
)
META_MADE_ANEW = Behaviour(
    (3, 7, 0),
    "meta-made-anew",
    "A KRaft node writes a missing `meta.properties` again, if another of its log dirs has one and the metadata log is not in"
    " this one; before, it exited, as at any version but 1.",
    "MetaPropertiesEnsemble, KAFKA-15858; KafkaRaftServer.initializeLogDirs",
)
KRAFT_ONLY = Behaviour(
    (4, 0, 0),
    "kraft-only",
    "There is no ZooKeeper: in a log dir of its time, unless the metadata was migrated before, the controller knows no topic,"
    " and all directories are renamed `-stray`.",
    "LogManager.isStrayKraftReplica, KIP-866",
)
LEAST_SEGMENT_BYTES = Behaviour(
    (4, 1, 0),
    "least-segment-bytes",
    "A topic whose segment.bytes is below 1 MiB stops the broker.",
    "LogConfig, KIP-1030",
)
WIDE_TXN_INDEX_VERSION = Behaviour(
    (4, 4, 0),
    "wide-txn-index-version",
    "The version of a `.txnindex` entry is its first two bytes, and any but 0 stops the broker; before, it was the first byte,"
    " and only one above 0 did.",
    "TransactionIndex.iterable",
)
EPOCHS_ASKED_AGAIN = Behaviour(
    (2, 0, 0),
    "epochs-asked-again",
    "A follower that does not know the epoch in the leader's answer asks again, with an older one; before, the leader answered"
    " with an offset alone, and the follower cut its log there.",
    "AbstractFetcherThread.getOffsetTruncationState, KIP-279",
)
EPOCHS_IN_EVERY_LOG = Behaviour(
    (3, 0, 0),
    "epochs-in-every-log",
    "A new leader notes its epoch in every log; before, not in one that was written in message format 0 or 1.",
    "UnifiedLog.maybeAssignEpochStartOffset, KIP-724",
)

#: Every row above.
BEHAVIOURS = tuple(row for row in tuple(globals().values()) if isinstance(row, Behaviour))


#: The last release of ZooKeeper's time, which `auto` takes for a log dir of that time.
LAST_OF_ZOOKEEPER: Release = (2, 8, 2)


def is_zookeeper_era(release: Release) -> bool:
    """Whether a release is older than the choice between ZooKeeper and KRaft."""
    return release < (3,)
