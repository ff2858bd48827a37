"""One partition directory: load it in the model, and say what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkalog.core.release import release_text
from kafkalog.core.spoken import agreeing, count_text
from kafkalog.errors import LimitExceeded, UnreadableFile
from kafkalog.files.paths import join
from kafkalog.kafka.behaviours import (
    CHECKPOINT_NUMBERS_ABORT,
    EPOCHS_SORTED,
    LOG_DIRS_FAIL,
    METADATA_READ,
    METADATA_VERSIONS,
    NEWEST_EPOCH_WINS,
    STRAY_PARTITIONS,
    TEXT_FILE_FAILURE_CAUGHT,
)
from kafkalog.kafka.checkpoint_file import read_epoch_file, read_topic_id
from kafkalog.kafka.consumed import ConsumedRecords
from kafkalog.kafka.consumer import read_all, why_not_led
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.failure import BrokerAborts, LoadFailure, LogDirOffline
from kafkalog.kafka.file_names import SWAP, parse_offset
from kafkalog.kafka.known_fetches import KnownFetches
from kafkalog.kafka.load_context import LoadContext, LoadSettings
from kafkalog.kafka.loader import LoadedLog, LogLoader
from kafkalog.next_start.cause import (
    INVALID_BATCH,
    LOAD_FAILURE,
    LOADED,
    MARKED,
    NOTE,
    SEGMENTS_DELETED,
    STRAY,
    TORN_TAIL,
    UNKNOWN,
    UNREAD_RECORDS,
    Cause,
)
from kafkalog.next_start.loss import Loss, left_behind, lost_from
from kafkalog.next_start.options import CONSUMER_BYTES
from kafkalog.next_start.outcome import Assumed, Consumer, ConsumerRead, Outcome, Truncation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import PartitionContext
    from kafkalog.kafka.overlay import Disk

__all__ = ["Load", "Prediction", "Situation", "load_partition", "predict_partition", "unknown_outcome"]

T = TypeVar("T")
#: Why it is not known what is lost with logs that are gone.
_NOT_HERE = "what the `.log` files held is not in this log dir"
_BESIDE_LOGS = (".index", ".timeindex", ".txnindex", ".snapshot")
EPOCH_FILE = "leader-epoch-checkpoint"
METADATA_FILE = "partition.metadata"


@dataclass(frozen=True, kw_only=True)
class Situation(LoadSettings):
    """What a partition is loaded with, and what is worked out of it.

    Args:
        high_watermark: From `replication-offset-checkpoint`, 0 when there is no line; None: not known, the log's end is taken.
        kraft: Whether the broker runs with KRaft.
        consumer: Whether to work out what consumers read, which takes decoding the whole log; None: if it is not too large.
        consumer_limit: Bytes of logs up to which that is done when `consumer` is None.
        replay: Most bytes of logs whose recovery is worked out; None: any.
        context: What the log dir says of it; None: what is gone already is not looked for.
        compacts: Whether the topic's settings have its log compacted.
        was_compacted: Whether the log was compacted at any time, by its batches.
        reads_keys: Whether keys of records are read where they tell whether the log cleaner explains a hole.
        known: What is known of reading it, from other situations.
    """

    high_watermark: int | None = None
    kraft: bool = True
    consumer: bool | None = None
    consumer_limit: int = CONSUMER_BYTES
    replay: int | None = None
    context: PartitionContext | None = None
    compacts: bool = False
    was_compacted: bool = False
    reads_keys: bool = True
    known: KnownFetches = field(default_factory=KnownFetches, compare=False)

    @property
    def assumed(self) -> Assumed:
        """What an outcome says that was taken for its prediction."""
        return Assumed("clean" if self.clean else "unclean", self.recovery_point, release_text(self.release))


@dataclass
class Load:
    """How far loading came."""

    context: LoadContext
    epochs: LeaderEpochs | None = None
    log: LoadedLog | None = None
    failure: LoadFailure | None = None


class Prediction(NamedTuple):
    """An outcome, and what it means for others.

    `reads_log`: loading reads the log in a way that fails once the log dir is offline. `not_led`: why
    the broker cannot lead the partition, nor some of the others.

    `is_left_out`: the outcome is unknown because working it out would have taken too long.
    """

    outcome: Outcome
    reads_log: bool
    not_led: str | None = None
    is_left_out: bool = False


def predict_partition(path: str, disk: Disk, situation: Situation) -> Prediction:
    """What a start does to a partition directory. Never fails on what is in it.

    Args:
        path: The directory as it shall be printed.
        disk: Its overlay; used up.
        situation: What it is loaded with.
    """
    to_replay = _to_replay(disk, situation)
    if situation.replay is not None and to_replay > situation.replay:
        why = f"{to_replay} bytes of logs would be recovered, which is left out here: `kafkalog next-start` works it out"
        return Prediction(unknown_outcome(path, situation.assumed, why), reads_log=False, is_left_out=True)
    try:
        load = load_partition(disk, situation)
        outcome, not_led = _describe(path, load, situation), _not_led(load, situation)
    except (UnreadableFile, LimitExceeded) as error:
        return Prediction(unknown_outcome(path, situation.assumed, f"it cannot be read: {error}"), reads_log=False)
    unstable = None if load.log is None else load.log.producers.first_unstable_offset
    return Prediction(outcome, unstable is not None, not_led)


def _to_replay(disk: Disk, situation: Situation) -> int:
    """Bytes of the `.log` files that loading would recover: those that were not flushed, and those without a `.index`."""
    logs = sorted((offset, name) for name in disk.files if name.endswith(".log") and (offset := parse_offset(name)) is not None)
    size = 0
    for number, (_, name) in enumerate(logs):
        following = logs[number + 1][0] if number + 1 < len(logs) else None
        unflushed = not situation.clean and (following is None or following > (situation.recovery_point or 0))
        if unflushed or name.removesuffix(".log") + ".index" not in disk:
            scanned = situation.scanned.get(name)
            size += disk[name].size - (0 if scanned is None else scanned.end)
    return size


def unknown_outcome(path: str, assumed: Assumed, why: str) -> Outcome:
    """An outcome of which nothing is known, and why."""
    causes = (Cause(UNKNOWN, why),)
    return Outcome(
        path=path,
        assumed=assumed,
        broker=None,
        log_dir=None,
        partition="unknown",
        causes=causes,
        truncate=None,
        delete=None,
        rename=None,
        create=None,
        rebuild=None,
        why={"partition": why},
    )


def load_partition(disk: Disk, situation: Situation) -> Load:
    """Load it in the model, and keep how far that came: UnifiedLog.apply, the epochs, then the segments, then the topic id."""
    context = LoadContext(disk, situation)
    load = Load(context)
    try:
        load.epochs = LeaderEpochs(
            _read_text_file(_epoch_entries, disk, situation.release),
            as_they_are=not EPOCHS_SORTED.applies_to(situation.release),
            only_later=not NEWEST_EPOCH_WINS.applies_to(situation.release),
        )
        load.log = LogLoader(context, load.epochs).load()
        if load.epochs.written:
            # The file is written under another name and renamed, over whatever stands there.
            disk.delete(f"{EPOCH_FILE}.tmp")
        _read_text_file(_check_topic_id, disk, situation.release)
    except LoadFailure as failure:
        is_alone = isinstance(failure, LogDirOffline) and not LOG_DIRS_FAIL.applies_to(situation.release)
        load.failure = BrokerAborts(failure.kafka_class, failure.text, file=failure.file) if is_alone else failure
    return load


def _read_text_file(read: Callable[[Disk, Release], T], disk: Disk, release: Release) -> T:
    """Read a text file of the directory; before 3.2.1 nobody catches what its IOException has become by then."""
    try:
        return read(disk, release)
    except LogDirOffline as failure:
        if TEXT_FILE_FAILURE_CAUGHT.applies_to(release):
            raise
        raise BrokerAborts("KafkaStorageException", f"{failure.text} ({failure.kafka_class})", file=failure.file) from None


def _epoch_entries(disk: Disk, release: Release) -> Iterable[EpochEntry]:
    file = disk.get(EPOCH_FILE)
    if file is None:
        if EPOCH_FILE in disk:
            raise LogDirOffline("IOException", f"{EPOCH_FILE} is no regular file", file=EPOCH_FILE)
        disk.create(EPOCH_FILE)
        return []
    return read_epoch_file(file.read(), numbers_abort=CHECKPOINT_NUMBERS_ABORT.applies_to(release))


def _check_topic_id(disk: Disk, release: Release) -> None:
    if not METADATA_READ.applies_to(release):
        return
    file = disk.get(METADATA_FILE)
    if file is not None:
        read_topic_id(file.read(), any_version=METADATA_VERSIONS.applies_to(release))
    elif METADATA_FILE in disk:
        raise LogDirOffline("IOException", f"{METADATA_FILE} is no regular file", file=METADATA_FILE)


def _describe(path: str, load: Load, situation: Situation) -> Outcome:
    disk, log, failure = load.context.disk, load.log, load.failure
    stray = failure is None and _is_stray(disk, situation)
    loaded = failure is None and log is not None and situation.mark != "delete"
    behind = left_behind(log) if loaded and log is not None else Loss()
    loss = lost_from(disk, load.context.replaced) + behind
    consumer, why = _consumer(load, situation, stray=stray)
    logless = loaded and not stray and _lacks_its_logs(load, situation)
    if logless:
        load.context.remark("no `.log` is in the directory: an empty one is made")
        why = {**why, "records_lost": _NOT_HERE, "bytes_lost": _NOT_HERE}
    changes = _Changes(path, disk, load.context, log)
    return Outcome(
        path,
        situation.assumed,
        broker="aborts" if failure is not None and not isinstance(failure, LogDirOffline) else "starts",
        log_dir="offline" if isinstance(failure, LogDirOffline) else "online",
        partition=_state(situation, failure, stray=stray),
        causes=tuple(_causes(load, situation, behind, changes, stray=stray)),
        truncate=changes.truncated,
        delete=changes.deleted,
        rename=(*changes.renamed, *(((path, f"{path}.*-stray"),) if stray else ())),
        create=changes.created,
        rebuild=changes.rebuilt,
        log_start_offset=0 if stray else None if log is None or not loaded else log.log_start_offset,
        log_end_offset=0 if stray else None if log is None or not loaded else log.log_end_offset,
        records_lost=None if logless else loss.records,
        bytes_lost=None if logless else loss.size,
        time_range_lost=loss.time_range,
        epochs_after=_epochs_after(load, stray=stray),
        consumer=consumer,
        why=why,
    )


def _lacks_its_logs(load: Load, situation: Situation) -> bool:
    """Whether a log that was here is gone: its other files, or the checkpoints, tell of it."""
    names = load.context.disk.original
    if load.log is None or situation.mark or any(name.endswith((".log", f".log{SWAP}")) for name in names):
        return False
    others = any(name.endswith(_BESIDE_LOGS) and parse_offset(name) is not None for name in names)
    return others or (situation.recovery_point or 0) > 0 or (situation.high_watermark or 0) > 0


def _consumer(load: Load, situation: Situation, *, stray: bool) -> tuple[Consumer | None, dict[str, str]]:
    log = load.log
    if load.failure is not None or log is None or situation.mark in ("delete", "stray"):
        return None, {}
    if stray:
        empty = _shown(ConsumedRecords())
        return Consumer(empty, empty), {}
    if situation.is_tiered and log.log_start_offset < log.segments.first.base_offset:
        return None, {"consumer": f"the log begins in remote storage, up to offset {log.segments.first.base_offset}"}
    not_led = _not_led(load, situation)
    if not_led is not None:
        return None, {"consumer": f"nobody leads the partition, so nothing can be read: {not_led}"}
    size = sum(segment.size for segment in log.segments.all())
    if not (size <= situation.consumer_limit if situation.consumer is None else situation.consumer):
        asked = "it was not asked for" if situation.consumer is False else "`kafkalog next-start --consumer` does it"
        why = f"{size} bytes of records would have to be decoded: {asked}"
        return None, {"consumer": why}
    try:
        readings = read_all(log, situation.known)
    except LimitExceeded as error:
        return None, {"consumer": str(error)}
    offline = next((reading.offline for reading in readings if reading.offline), None)
    if offline:
        load.context.remark(f"the log dir goes offline when a consumer comes so far: {offline}")
    return Consumer(*map(_shown, readings)), {}


def _not_led(load: Load, situation: Situation) -> str | None:
    """Why the broker cannot lead it."""
    if load.log is None or load.failure is not None or situation.high_watermark is None or situation.mark:
        return None
    return why_not_led(load.log, situation.high_watermark)


def _is_stray(disk: Disk, situation: Situation) -> bool:
    if situation.mark == "stray":
        return False
    return (
        situation.kraft and STRAY_PARTITIONS.applies_to(situation.release) and not situation.mark and METADATA_FILE not in disk
    )


def _state(situation: Situation, failure: LoadFailure | None, *, stray: bool) -> str:
    if failure is not None:
        return "failed"
    if situation.mark == "delete":
        return "deleted"
    return "stray" if stray or situation.mark == "stray" else "loaded"


def _shown(reading: ConsumedRecords) -> ConsumerRead:
    error = None if reading.error is None else reading.error.kind
    return ConsumerRead(
        reading.records,
        reading.stops_at,
        error,
        reading.stuck or reading.loops,
        tuple(reading.handed),
        tuple(reading.skipped),
        reading.unreached,
        reading.aborted,
    )


def _epochs_after(load: Load, *, stray: bool) -> tuple[tuple[int, int], ...] | None:
    if stray:
        return ()
    if load.epochs is None:
        return None
    return tuple((entry.epoch, entry.start_offset) for entry in load.epochs.entries)


class _Changes:
    """What is different in the directory afterwards, as an outcome shows it."""

    def __init__(self, path: str, disk: Disk, context: LoadContext, log: LoadedLog | None) -> None:
        fates = list(disk.fates())
        self.deleted = tuple(join(path, name) for name, now in fates if now is None and name not in disk.files)
        self.renamed = tuple((join(path, name), join(path, now)) for name, now in fates if now not in (None, name))
        self.created = tuple(join(path, name) for name in disk.created)
        self.truncated = tuple(
            Truncation(join(path, name), file.size, _next_offset(name, log))
            for name, now in fates
            if now == name and name.endswith(".log") and (file := disk.original[name]).size < file.original_size
        )
        self.rebuilt = tuple(
            join(path, name)
            for name in disk.names()
            if name.endswith((".index", ".timeindex", ".txnindex")) and parse_offset(name) in context.rebuilt
        )


def _next_offset(name: str, log: LoadedLog | None) -> int | None:
    """The offset that a cut `.log` goes on with."""
    base_offset = parse_offset(name)
    if log is None or base_offset is None or base_offset not in log.segments:
        return None
    return log.segments[base_offset].read_next_offset()


def _causes(load: Load, situation: Situation, behind: Loss, changes: _Changes, *, stray: bool) -> Iterator[Cause]:
    told = False
    for cause in _findings_of_loading(load, behind, changes):
        told = True
        yield cause
    failure = load.failure
    if failure is not None:
        what = "the log dir goes offline" if isinstance(failure, LogDirOffline) else "the broker stops"
        yield Cause(LOAD_FAILURE, f"{what}: {failure}", failure.file)
    elif stray:
        text = f"{METADATA_FILE} is missing, so the directory is renamed -stray and an empty partition takes its place"
        yield Cause(STRAY, text, METADATA_FILE)
    elif situation.mark:
        yield Cause(MARKED, f"the directory is marked -{situation.mark}")
    elif not told:
        how = "nothing is checked after a clean stop" if situation.clean else "recovery finds nothing wrong"
        yield Cause(LOADED, f"loaded; {how}")


def _findings_of_loading(load: Load, behind: Loss, changes: _Changes) -> Iterator[Cause]:
    for text in load.context.remarks:
        yield Cause(NOTE, text)
    for found in load.context.invalid:
        text = f"recovery stops in {found.name} at position {found.position}: {found.reason}"
        yield Cause(INVALID_BATCH, text, found.name, found.position)
    blamed = {found.name for found in load.context.invalid}
    for cut in changes.truncated:
        name = cut.path.rpartition("/")[2]
        if name not in blamed and load.failure is None:
            text = f"{name} ends in bytes that are no whole batch: the start cuts them off at position {cut.position}"
            yield Cause(TORN_TAIL, text, name, cut.position)
    segments = sum(1 for before, now in changes.renamed if before.endswith(".log") and now.endswith(".deleted"))
    if segments:
        yield Cause(SEGMENTS_DELETED, f"{count_text(segments, 'segment')} deleted")
    if behind.size and load.log is not None:
        text = f"the log ends at offset {load.log.log_end_offset}, found from the last index entry on"
        records = (
            f"{count_text(behind.records, 'record')} after it {agreeing(behind.records, 'stays', 'stay')} in the file unread"
        )
        text = f"{text}; {records}, and their offsets are given out again"
        yield Cause(UNREAD_RECORDS, text)
