"""The cluster's metadata: the image that the records of `__cluster_metadata` add up to, from a snapshot and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import read_control_record
from kafkalog.core.features import KRAFT_VERSION
from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, METADATA_TOPICS
from kafkalog.core.messages.json_form import json_object
from kafkalog.core.messages.records import FramedRecord, read_metadata_record
from kafkalog.errors import FormatError, UnreadableFile
from kafkalog.files.arguments import check_type
from kafkalog.replay.image import Image
from kafkalog.replay.image_records import apply_record, changes_image
from kafkalog.replay.logs import Log, LogRecord, Note, Notes, collect, log_of, read_file_records
from kafkalog.replay.metadata_history import MetadataHistory
from kafkalog.replay.metadata_snapshots import choose_snapshot
from kafkalog.replay.until import END, Until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.files.partition import Partition
    from kafkalog.replay.logs import Paths

__all__ = ["Metadata", "Place", "Written", "read_metadata", "read_metadata_file", "read_metadata_part"]


class Place(NamedTuple):
    """A record: the file, and its offset."""

    path: str
    offset: int


class Written(NamedTuple):
    """What a release must know that replays these records, each with the first record that asks for it.

    `levels` are those that features were given, by name and level, lowered ones included; `kinds` the record types and
    versions, with the type's name ("" when it is not known here).
    """

    levels: dict[tuple[str, int], Place]
    kinds: dict[tuple[int, int], tuple[str, Place]]


class Metadata(NamedTuple):
    """An image with the snapshot it began with (None: the log's first record), and what went wrong on the way.

    `history` is what the replayed records show to have been so before, `written` what a reader of them must know. `damage` is
    the first place of a log whose bytes are damaged: what the records after it say may be wrong, for some are not replayed.
    `misfit` is the first record that does not fit those before it: something that it is about is unknown.
    """

    image: Image
    snapshot: str | None
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    history: MetadataHistory
    written: Written
    damage: Note | None = None
    misfit: Note | None = None

    def __repr__(self) -> str:
        return f"Metadata({self.image!r}, {len(self.notes)} notes, {len(self.problems)} problems)"


_LEVEL = "FeatureLevelRecord"
#: The record by which a controller shows that it is alive.
_NOTHING = "NoOpRecord"


class _LogNotes(Notes):
    """Passes the notes about a log's bytes on, and keeps the first that no crash explains."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self.first: Note | None = None

    def append(self, note: Note) -> None:
        """Take a note."""
        if note.is_finding and self.first is None:
            self.first = note
        self._notes.append(note)


class _Replay:
    """Applies metadata records to an image."""

    def __init__(self) -> None:
        self.image = Image()
        self.history = MetadataHistory()
        self.written = Written({}, {})
        self.notes = Notes()
        self.log_notes = _LogNotes(self.notes)
        self.records = 0
        self.misfit: Note | None = None
        #: An open metadata transaction, which counts as a whole or not at all: its first offset, and its records.
        self.begun: LogRecord | None = None
        self.transaction: list[tuple[LogRecord, FramedRecord]] = []

    def result(self, base: str | None, problems: list[Note]) -> Metadata:
        """What it has come to."""
        damage = self.log_notes.first
        return Metadata(
            image=self.image,
            snapshot=base,
            notes=self.notes,
            problems=tuple(problems),
            records=self.records,
            history=self.history,
            written=self.written,
            damage=damage,
            misfit=self.misfit,
        )

    def feed(self, items: Iterable[LogRecord], until: Until = END, start: int = 0) -> None:
        for item in items:
            record = item.record
            if record.offset < start or not until.holds(record.offset, record.timestamp):
                continue
            self.records += 1
            image = self.image
            image.last_offset = max(image.last_offset, record.offset)
            image.last_timestamp = record.timestamp
            if isinstance(item.batch, RecordBatch):
                image.last_epoch = item.batch.header.partition_leader_epoch
                if item.batch.is_control:
                    self.control(item)
                    continue
            decoded = read_metadata_record(record.value)
            if decoded.problem:
                self.notes.append(Note(item.path, record.offset, decoded.problem))
            self.see(decoded, Place(item.path, record.offset))
            if decoded.value is not None:
                self.one(item, decoded)

    def see(self, decoded: FramedRecord, place: Place) -> None:
        """Note what a release must know to replay a record."""
        if decoded.type is not None and decoded.version is not None:
            self.written.kinds.setdefault((decoded.type, decoded.version), (decoded.name, place))
        if decoded.name == _LEVEL and decoded.value is not None and "featureLevel" in decoded.value:
            self.written.levels.setdefault((decoded.value["name"], decoded.value["featureLevel"]), place)

    def control(self, item: LogRecord) -> None:
        """The quorum's own records: its protocol version and its voters."""
        try:
            decoded = read_control_record(item.record.key, item.record.value)
        except FormatError as error:
            self.notes.append(Note(item.path, item.record.offset, f"a control record that cannot be read: {error}"))
            return
        if decoded.name == "KRAFT_VERSION":
            self.image.features[KRAFT_VERSION] = level = decoded.fields["kRaftVersion"]
            self.written.levels.setdefault((KRAFT_VERSION, level), Place(item.path, item.record.offset))
        elif decoded.name == "KRAFT_VOTERS":
            self.image.others["quorum", "voters"] = json_object(decoded.fields["voters"])

    def one(self, item: LogRecord, decoded: FramedRecord) -> None:
        if decoded.name == "BeginTransactionRecord":
            self.begun, self.transaction = item, []
        elif decoded.name in ("EndTransactionRecord", "AbortTransactionRecord"):
            held, self.begun, self.transaction = self.transaction, None, []
            for pair in held if decoded.name == "EndTransactionRecord" else ():
                self.apply(*pair)
        elif self.begun is not None:
            self.transaction.append((item, decoded))
        else:
            self.apply(item, decoded)

    def apply(self, item: LogRecord, decoded: FramedRecord) -> None:
        value = decoded.value
        if value is None or decoded.name == _NOTHING:
            return
        if not changes_image(decoded.name):
            self.notes.append(Note(item.path, item.record.offset, f"{decoded.name}: an image has no such thing"))
            return
        self.history.see(self.image, decoded.name, value, item.record.offset)
        problem = apply_record(self.image, decoded.name, value)
        if problem:
            note = Note(item.path, item.record.offset, f"{decoded.name}: {problem}")
            self.misfit = self.misfit or note
            self.notes.append(note)


def read_metadata(paths: Paths, until: Until = END) -> Metadata:
    """The image from the `__cluster_metadata` found at `paths`.

    Args:
        paths: Log dirs, the partition's directory, or single `.log` and `.checkpoint` files of it.
        until: Up to where the records count; the newest snapshot that does not reach beyond it is the base.
    """
    check_type("until", until, Until)
    logs = collect(paths, *METADATA_TOPICS)
    problems = list(logs.problems)
    replay = _Replay()
    base: str | None = None
    if not logs.wanted and not problems:
        problems.append(Note("", None, logs.what_was_given_instead_of(CLUSTER_METADATA_TOPIC)))
    for log in logs.wanted:
        try:
            base = _replay_log(replay, log, until, problems) or base
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    if replay.begun is not None and until == END:
        # Before the end every transaction is open for a while.
        message = f"a metadata transaction without an end begins here; its {len(replay.transaction)} records do not count"
        replay.notes.append(Note(replay.begun.path, replay.begun.record.offset, message))
    return replay.result(base, problems)


def read_metadata_part(partition: Partition, snapshot: str | None, start: int, end: int) -> Metadata:
    """The image that one snapshot and a part of the log add up to.

    Args:
        partition: The directory of `__cluster_metadata`.
        snapshot: The snapshot to begin with; None: nothing.
        start: First offset of the log that counts.
        end: The one after the last.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    replay = _Replay()
    if snapshot is not None:
        replay.feed(read_file_records(snapshot, replay.notes))
        replay.image.last_offset = start - 1
    if start < end:
        replay.feed(log_of(partition).records(replay.log_notes), Until(offset=end - 1), start)
    return replay.result(snapshot, [])


def read_metadata_file(path: str, data: bytes | None = None) -> Metadata:
    """The image of the records in one file alone: `bootstrap.checkpoint`, or a snapshot.

    Args:
        path: The file.
        data: Its bytes, when they have been read already.

    Raises:
        UnreadableFile: it cannot be read.
    """
    replay = _Replay()
    replay.feed(read_file_records(path, replay.notes, data))
    return replay.result(path, [])


def _replay_log(replay: _Replay, log: Log, until: Until, problems: list[Note]) -> str | None:
    first = _first_offset(log)
    base = choose_snapshot(log, until, replay.notes)
    if base is not None and base.damage and first == 0:
        base = None  # The log has everything.
    start = 0
    if base is not None:
        # A snapshot numbers its records from 0; what they say is the state before its end offset.
        replay.feed(read_file_records(base.path, replay.notes))
        start = base.end_offset
        replay.image.last_offset = start - 1
        replay.image.last_epoch = base.epoch
        replay.history.since = start
        if base.damage:
            problems.append(Note(base.path, None, f"{base.damage}: the image is not whole"))
    if first is not None and first > start:
        where = "the snapshot's end" if base else "offset 0 and there is no snapshot"
        problems.append(Note(log.path, first, f"the log starts at {first}, after {where}: the image is not whole"))
    replay.feed(log.records(replay.log_notes), until, start)
    return base.path if base else None


def _first_offset(log: Log) -> int | None:
    for _, item in log.walk():
        if isinstance(item, RecordBatch):
            return item.base_offset
    return None
