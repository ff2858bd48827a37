"""What each release prints, as data: a dialect is a row, and a later one is an earlier one plus named edits with a source.

How a release *reads* is not here but in `kafkalog.kafka.behaviours`, since loading a log depends on it too.

A line is a tuple of labels. `Label("lastOffset", "last_offset")` prints `lastOffset: <last_offset>`; the value is a name
that `lines.py` knows how to get. In a text, `{timestamp_type}` stands for the timestamp type's own name.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.release import RELEASES, Release, parse_release, release_text

__all__ = ["DIALECTS", "GOLDEN_RELEASES", "Control", "Dialect", "Label", "dialect_of", "is_proven", "unproven_releases"]


class Label(NamedTuple):
    """A field of a line: the text in front of the colon, and the name of its value."""

    text: str
    value: str


class Control(NamedTuple):
    """How one type of control record is printed: its name, and the text in front of its JSON (None: not decoded)."""

    name: str
    json_text: str | None = None


Labels = tuple[Label, ...]


class Dialect(NamedTuple):
    """Everything that depends on the release. `since` is the first release that has it so, `source` why it changed."""

    since: Release
    source: str
    # --- .log ---
    heading: str
    batch_always: bool
    """Batch lines are printed in deep mode too."""
    print_is_deep: bool
    """--print-data-log implies --deep-iteration."""
    batch_head: Labels
    batch_tail: Labels
    record_prefix: str
    record_head: Labels
    record_v2: Labels
    record_legacy: Labels
    legacy_suffix: str
    upper_codecs: bool
    key_of_tombstone: bool
    """A record without a value still shows its key."""
    bar_before_payload: bool
    """--skip-record-metadata: a line without a key begins with the bar too."""
    controls: tuple[Control, ...]
    checkpoints: bool
    """`.checkpoint` files are read as logs."""
    first_record_is_compared: bool
    """The first record of a file is expected to have offset 0."""
    # --- indexes ---
    index_compares_first_record: bool
    empty_index_is_reported: bool
    zero_stops_after_check: bool
    """Padding is recognised only after it was compared with the log."""
    time_index_reads_all: bool
    # --- the rest ---
    snapshot_line: str
    """Name of the layout of producer lines, see `state_printer.py`."""
    snapshot_schema: str
    """Which reader complains about malformed snapshots: `struct` or `message`."""
    transaction_state_names: bool
    """The JSON of `__transaction_state` spells a state by its name."""
    dotless_names_kill: bool
    map_order: str
    """Whose hash maps order the report blocks: Scala's or Java's."""
    sorted_reports: bool
    """Mismatches descend by offset and non-consecutive pairs ascend, each once."""
    non_consecutive_text: str
    not_found_text: str

    def evolve(self, since: str, source: str, **changes: object) -> Dialect:
        """The dialect of a later release: this one with some columns changed."""
        return self._replace(since=parse_release(since), source=source, **changes)  # type: ignore[arg-type]


def after(labels: Labels, text: str, *new: Label) -> Labels:
    """`labels` with others after the one of that text."""
    at = [label.text for label in labels].index(text) + 1
    return (*labels[:at], *new, *labels[at:])


def without(labels: Labels, *texts: str) -> Labels:
    """`labels` without those of these texts."""
    return tuple(label for label in labels if label.text not in texts)


_TIMESTAMP = "{timestamp_type}"
_UNKNOWN = Control("UNKNOWN")

V0_11_0_0 = Dialect(
    since=(0, 11, 0, 0),
    source="DumpLogSegments.scala, tag 0.11.0.0",
    heading="Starting offset: ",
    batch_always=False,
    print_is_deep=False,
    batch_head=(
        Label("baseOffset", "base_offset"),
        Label("lastOffset", "last_offset"),
        Label("baseSequence", "base_sequence"),
        Label("lastSequence", "last_sequence"),
        Label("producerId", "producer_id"),
        Label("producerEpoch", "producer_epoch"),
        Label("partitionLeaderEpoch", "partition_leader_epoch"),
        Label("isTransactional", "is_transactional"),
    ),
    batch_tail=(
        Label("position", "position"),
        Label(_TIMESTAMP, "max_timestamp"),
        Label("isvalid", "valid"),
        Label("size", "size"),
        Label("magic", "magic"),
        Label("compresscodec", "codec"),
        Label("crc", "crc"),
    ),
    record_prefix="",
    record_head=(
        Label("offset", "offset"),
        Label("position", "position"),
        Label(_TIMESTAMP, "timestamp"),
        Label("isvalid", "record_valid"),
        Label("keysize", "key_size"),
        Label("valuesize", "value_size"),
        Label("magic", "magic"),
        Label("compresscodec", "codec"),
    ),
    record_v2=(
        Label("producerId", "producer_id"),
        Label("sequence", "sequence"),
        Label("isTransactional", "is_transactional"),
        Label("headerKeys", "header_keys"),
    ),
    record_legacy=(Label("crc", "record_crc"),),
    legacy_suffix="",
    upper_codecs=True,
    key_of_tombstone=False,
    bar_before_payload=False,
    controls=(Control("ABORT"), Control("COMMIT")),
    checkpoints=False,
    first_record_is_compared=False,
    index_compares_first_record=True,
    empty_index_is_reported=False,
    zero_stops_after_check=True,
    time_index_reads_all=False,
    snapshot_line="plain",
    snapshot_schema="struct",
    transaction_state_names=False,
    dotless_names_kill=True,
    map_order="scala",
    sorted_reports=False,
    non_consecutive_text="Non-consecutive offsets in :",
    not_found_text="The following indexed offsets are not found in the log.",
)
V0_11_0_2 = V0_11_0_0.evolve(
    "0.11.0.2",
    "tag 0.11.0.2: record lines name the producer's epoch",
    record_v2=after(V0_11_0_0.record_v2, "producerId", Label("producerEpoch", "producer_epoch")),
)
V1_0_0 = V0_11_0_2.evolve("1.0.0", "tag 1.0.0: all cached batches of a producer", snapshot_line="queue")
V1_0_2 = V1_0_0.evolve("1.0.2", "tag 1.0.2: the first cached batch of a producer", snapshot_line="first-batch")
V1_1_0 = V1_0_2.evolve(
    "1.1.0", "tag 1.1.0: printing implies deep iteration; sizes no longer overflow",
    print_is_deep=True,
)  # fmt: skip
V2_0_0 = V1_1_0.evolve(
    "2.0.0", "tag 2.0.0: count",
    batch_head=after(V1_1_0.batch_head, "lastOffset", Label("count", "records_count")),
)  # fmt: skip
V2_0_1 = V2_0_0.evolve(
    "2.0.1", "KAFKA-7467: isControl",
    batch_head=after(V2_0_0.batch_head, "isTransactional", Label("isControl", "is_control")),
)  # fmt: skip
V2_1_0 = V2_0_1.evolve(
    "2.1.0", "tag 2.1.0: zstd, FileRecords.slice, the warm section of indexes, wrap-aware sequences",
    snapshot_line="first-batch-wrapped",
)  # fmt: skip
V2_2_0 = V2_1_0.evolve(
    "2.2.0", "KAFKA-7687: batch lines always, short record lines below them",
    batch_always=True,
    batch_tail=(*without(V2_1_0.batch_tail, "isvalid"), Label("isvalid", "valid")),
    record_prefix="| ",
    record_head=without(V2_1_0.record_head, "position", "isvalid", "magic", "compresscodec"),
    record_v2=without(V2_1_0.record_v2, "producerId", "producerEpoch", "isTransactional"),
    record_legacy=(Label("crc", "record_crc"), Label("isvalid", "record_valid")),
)  # fmt: skip
V2_3_0 = V2_2_0.evolve(
    "2.3.0", "KAFKA-7487: index entries are compared with the batch's last offset",
    index_compares_first_record=False, zero_stops_after_check=False,
    non_consecutive_text="Non-consecutive offsets in ",
)  # fmt: skip
V2_4_0 = V2_3_0.evolve("2.4.0", "KAFKA-8745: keys of tombstones", key_of_tombstone=True)
V2_4_1 = V2_4_0.evolve(
    "2.4.1", "KAFKA-8710: a producer without a batch shows none", snapshot_line="optional-batch",
)  # fmt: skip
V2_7_0 = V2_4_1.evolve(
    "2.7.0", "KAFKA-10492: control records of the Raft log, first numbering",
    controls=(*V2_4_1.controls, Control("QUORUM_REASSIGNMENT"), Control("LEADER_CHANGE")),
)  # fmt: skip
V2_8_0 = V2_7_0.evolve(
    "2.8.0", "KAFKA-10694 and KAFKA-12327: long record lines, empty indexes are reported",
    record_head=(
        Label("offset", "offset"),
        Label("isValid", "record_valid"),
        Label("crc", "record_crc"),
        Label("keySize", "key_size"),
        Label("valueSize", "value_size"),
        Label(_TIMESTAMP, "timestamp"),
        Label("baseOffset", "base_offset"),
        Label("lastOffset", "last_offset"),
        Label("baseSequence", "base_sequence"),
        Label("lastSequence", "last_sequence"),
        Label("producerEpoch", "producer_epoch"),
        Label("partitionLeaderEpoch", "partition_leader_epoch"),
        Label("batchSize", "size"),
        Label("magic", "magic"),
        Label("compressType", "codec"),
        Label("position", "position"),
    ),
    empty_index_is_reported=True,
)  # fmt: skip
V3_0_0 = V2_8_0.evolve(
    "3.0.0", "tag 3.0.0: short record lines with a stray brace, codecs by name, Scala 2.13",
    record_head=(
        Label("offset", "offset"),
        Label(_TIMESTAMP, "timestamp"),
        Label("keySize", "key_size"),
        Label("valueSize", "value_size"),
    ),
    record_legacy=(Label("isValid", "record_valid"), Label("crc", "record_crc")),
    legacy_suffix="}",
    upper_codecs=False,
    controls=(*V1_1_0.controls, Control("LEADER_CHANGE"), Control("SNAPSHOT_HEADER"), Control("SNAPSHOT_FOOTER")),
)  # fmt: skip
V3_1_0 = V3_0_0.evolve("3.1.0", "tag 3.1.0: the producer's last timestamp", snapshot_line="last-timestamp")
V3_2_0 = V3_1_0.evolve(
    "3.2.0", "tag 3.2.0: deleteHorizonMs",
    batch_head=after(V3_1_0.batch_head, "isControl", Label("deleteHorizonMs", "delete_horizon")),
)  # fmt: skip
V3_3_0 = V3_2_0.evolve(
    "3.3.0", "KAFKA-13845 and KAFKA-13687: KRaft snapshots, --max-bytes",
    heading="Log starting offset: ",
    checkpoints=True,
    controls=(
        *V3_2_0.controls[:3],
        Control("SNAPSHOT_HEADER", "SnapshotHeader "),
        Control("SNAPSHOT_FOOTER", "SnapshotFooter "),
    ),
)  # fmt: skip
V3_5_0 = V3_3_0.evolve("3.5.0", "tag 3.5.0: the first offset of a transaction as OptionalLong", snapshot_line="optional-long")
V3_8_0 = V3_5_0.evolve(
    "3.8.0", "KAFKA-16518 and KAFKA-16540: KRaft version and voters",
    controls=(*V3_5_0.controls, Control("KRAFT_VERSION", "KRaftVersion "), Control("KRAFT_VOTERS", "KRaftVoters ")),
)  # fmt: skip
V4_0_0 = V3_8_0.evolve("4.0.0", "tag 4.0.0: snapshots through generated messages", snapshot_schema="message")
V4_1_0 = V4_0_0.evolve(
    "4.1.0", "KAFKA-19069: leader changes",
    controls=(*V4_0_0.controls[:2], Control("LEADER_CHANGE", "LeaderChange: "), *V4_0_0.controls[3:]),
)  # fmt: skip
V4_3_0 = V4_1_0.evolve(
    "4.3.0", "KAFKA-14579: rewritten in Java",
    legacy_suffix="",
    bar_before_payload=True,
    first_record_is_compared=True,
    time_index_reads_all=True,
    snapshot_line="no-trailing-blank",
    dotless_names_kill=False,
    map_order="java",
    sorted_reports=True,
    not_found_text="The following indexed offsets are not found in :{path}",
)  # fmt: skip
V4_4_0 = V4_3_0.evolve(
    "4.4.0", "tag 4.4.0: aborted transactions through a generated message, transaction states by name",
    transaction_state_names=True,
)  # fmt: skip

#: Every dialect, ascending.
DIALECTS = (
    V0_11_0_0, V0_11_0_2, V1_0_0, V1_0_2, V1_1_0, V2_0_0, V2_0_1, V2_1_0, V2_2_0, V2_3_0, V2_4_0, V2_4_1, V2_7_0,
    V2_8_0, V3_0_0, V3_1_0, V3_2_0, V3_3_0, V3_5_0, V3_8_0, V4_0_0, V4_1_0, V4_3_0, V4_4_0,
)  # fmt: skip

#: The releases whose real output the tests compare with.
GOLDEN_RELEASES = tuple(
    map(parse_release, "0.11.0.3 1.1.1 2.1.1 2.3.1 2.8.2 3.1.2 3.2.3 3.7.2 3.9.1 4.1.1 4.3.1 4.4.0".split())  # noqa: SIM905
)


def dialect_of(release: Release) -> Dialect:
    """The dialect that a release speaks."""
    return next(dialect for dialect in reversed(DIALECTS) if dialect.since <= release)


def is_proven(release: Release) -> bool:
    """Whether it is compared with real output of a release of the same dialect."""
    return any(dialect_of(golden) is dialect_of(release) for golden in GOLDEN_RELEASES)


def unproven_releases() -> list[str]:
    """The releases whose dialect is compared with no real output, as text."""
    return [release_text(release) for release in RELEASES if not is_proven(release)]
