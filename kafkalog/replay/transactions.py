"""Transactions: what the coordinator says in `__transaction_state`, joined with what stands in the partitions.

A transaction is open in a partition from its first transactional batch to its marker. It is hanging when the coordinator
will never write that marker: no transactional id has this producer id and epoch in a transaction with that partition.
Source: TransactionStateManager.loadTransactionMetadata, 3.9; ProducerStateManager, 3.9; KIP-664 (find-hanging).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.command_line import command
from kafkalog.core.control import ABORT, COMMIT, read_control_record
from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.core.messages.text import string_hash
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS, TRANSACTION_STATES
from kafkalog.errors import FormatError, LimitExceeded, UnreadableFile
from kafkalog.replay.coordinators import LoadWatch
from kafkalog.replay.logs import Log, Note, Notes, collect
from kafkalog.replay.until import END, Until

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.command_line import Command
    from kafkalog.core.messages.reader import Message
    from kafkalog.replay.coordinators import Load
    from kafkalog.replay.logs import Paths

__all__ = ["AbortedTransaction", "OpenTransaction", "TransactionalId", "Transactions", "read_transactions"]

TOPIC = "__transaction_state"

_ABORT = ("kafka-transactions.sh", "--bootstrap-server", "BROKER:PORT", "abort")
_OPEN_STATES = ("Ongoing", "PrepareCommit", "PrepareAbort")


class TransactionalId(NamedTuple):
    """What the coordinator last wrote about a transactional id. Times are milliseconds; `partitions` of its transaction."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    state: str
    timeout_ms: int
    start_timestamp: int
    last_update_timestamp: int
    partitions: tuple[tuple[str, int], ...]
    previous_producer_id: int
    next_producer_id: int
    next_producer_epoch: int
    client_version: int
    path: str
    record_offset: int

    @property
    def is_open(self) -> bool:
        """Whether a transaction is under way: begun, or ended but without all its markers."""
        return self.state in _OPEN_STATES


def abort_command(topic: str, partition: int, start_offset: int) -> Command:
    """The command that aborts a transaction on brokers of 3.0 and later (KIP-664)."""
    return command(_ABORT, {"--topic": topic, "--partition": partition, "--start-offset": start_offset}, "Kafka 3.0 or later")


def old_abort_command(topic: str, partition: int, producer_id: int, producer_epoch: int, coordinator_epoch: int) -> Command:
    """The command that aborts a transaction on brokers before 3.0, which have to be told what to write into the marker.

    Args:
        topic: Its topic.
        partition: The partition.
        producer_id: Of the transaction.
        producer_epoch: The newest one.
        coordinator_epoch: That of the producer's last marker; -1 when it has none, which the tool takes for 0.
    """
    options: dict[str, str | int] = {
        "--topic": topic,
        "--partition": partition,
        "--producer-id": producer_id,
        "--producer-epoch": producer_epoch,
        "--coordinator-epoch": max(0, coordinator_epoch),
    }
    return command(_ABORT, options, "Kafka before 3.0")


class OpenTransaction(NamedTuple):
    """Transactional records of one producer in one partition that no marker has ended yet.

    `verdict` is "ongoing" (the coordinator knows it), "hanging" (it does not) or "unknown" (`__transaction_state` was not
    given); `why` says what decided. Offsets and timestamps are of its first and last records.
    """

    path: str
    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    first_offset: int
    last_offset: int
    first_timestamp: int
    last_timestamp: int
    records: int
    verdict: str
    why: str
    transactional_id: str | None

    @property
    def abort_command(self) -> Command:
        """The command that makes the partition's leader write an ABORT marker."""
        return abort_command(self.topic, self.partition, self.first_offset)


class AbortedTransaction(NamedTuple):
    """A transaction that an ABORT marker has ended in one partition; `first_offset` None: its data is no longer there."""

    path: str
    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    first_offset: int | None
    marker_offset: int
    marker_timestamp: int
    coordinator_epoch: int
    transactional_id: str | None


class Transactions(NamedTuple):
    """All that was found, ids and partitions ascending; `committed` and `aborted_count` count the markers."""

    ids: dict[str, TransactionalId]
    open: list[OpenTransaction]
    aborted: list[AbortedTransaction]
    aborted_count: int
    committed: int
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    loads: tuple[Load, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Transactions({len(self.ids)} ids, {len(self.open)} open, {self.aborted_count} aborted, "
            f"{self.committed} committed, {len(self.notes)} notes, {len(self.problems)} problems)"
        )


def read_transactions(
    paths: Paths, until: Until = END, *, on_aborted: Callable[[AbortedTransaction], object] | None = None
) -> Transactions:
    """The state of all transactional ids, and the transactions in the partitions that are given.

    Args:
        paths: Log dirs, partition directories or `.log` files.
        until: Up to where the records of `__transaction_state` count, and with a time the batches in the partitions, too.
            Only the end proves that a transaction hangs: before it the verdict is "ongoing" or "unknown".
        on_aborted: Called with each aborted transaction when it is found. They are not collected then: there can be millions.
    """
    given = collect(paths, TOPIC)
    problems = list(given.problems)
    notes = Notes()
    ids: dict[str, TransactionalId] = {}
    records = 0
    in_full = True
    loads: list[Load] = []
    for log in given.wanted:
        watch = LoadWatch(TRANSACTION_RECORDS)
        try:
            records += _replay(log, until, ids, notes, watch)
            if until == END and log.topic is not None:
                watch.end(log)
                own = [(item.transactional_id, item.record_offset) for item in ids.values() if item.path in log.files]
                loads.append(watch.load(log, own))
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
            in_full = False
    in_full = in_full and not notes
    if not given.wanted and not given.others:
        problems.append(Note("", None, f"neither a partition of {TOPIC} nor another one was given"))
    owners = _owners(ids)
    collected: list[AbortedTransaction] = []
    found = _Found(owners, on_aborted or collected.append)
    for log in sorted(given.others, key=lambda log: (log.topic or "", log.name.partition if log.name else 0)):
        try:
            _scan(log, Until(time=until.time), found, notes)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    whole = _is_whole(given.wanted, ids)
    judged = [_judge(item, ids, owners, known=bool(given.wanted), whole=whole) for item in found.open]
    if until != END:
        judged = [_unproven(item, "at that moment: {}") for item in judged]
    elif not in_full:
        judged = [_unproven(item, f"{{}}; but not all of {TOPIC} could be read") for item in judged]
    in_order = dict(sorted(ids.items()))
    return Transactions(
        in_order, judged, collected, found.aborted, found.committed, notes, tuple(problems), records, tuple(loads)
    )


def _replay(log: Log, until: Until, ids: dict[str, TransactionalId], notes: list[Note], watch: LoadWatch) -> int:
    count = 0
    for item in log.records(notes, watch.unreadable):
        record = item.record
        if not until.holds(record.offset, record.timestamp):
            continue
        count += 1
        if isinstance(item.batch, RecordBatch) and item.batch.is_control:
            continue
        decoded = read_coordinator_record(TRANSACTION_RECORDS, record.key, record.value)
        watch.record(record.offset, record.value, decoded)
        if decoded.problem:
            notes.append(Note(item.path, record.offset, decoded.problem))
        if decoded.key is None:
            continue
        name = decoded.key["transactionalId"]
        if record.value is None:
            ids.pop(name, None)
        elif decoded.value is not None:
            ids[name] = _transactional_id(name, decoded.value, item.path, record.offset)
            if not 0 <= decoded.value["transactionStatus"] < len(TRANSACTION_STATES):
                problem = f"unknown state {decoded.value['transactionStatus']} of {name}"
                notes.append(Note(item.path, record.offset, problem))
                watch.unreadable(record.offset, problem)
    return count


def _transactional_id(name: str, value: Message, path: str, offset: int) -> TransactionalId:
    number = value["transactionStatus"]
    state = TRANSACTION_STATES[number] if 0 <= number < len(TRANSACTION_STATES) else f"unknown ({number})"
    partitions = [
        (entry["topic"], partition) for entry in value["transactionPartitions"] or [] for partition in entry["partitionIds"]
    ]
    return TransactionalId(
        name,
        value["producerId"],
        value["producerEpoch"],
        state,
        value["transactionTimeoutMs"],
        value["transactionStartTimestampMs"],
        value["transactionLastUpdateTimestampMs"],
        tuple(sorted(partitions)),
        value.get("previousProducerId", -1),
        value.get("nextProducerId", -1),
        value.get("nextProducerEpoch", -1),
        value.get("clientTransactionVersion", 0),
        path,
        offset,
    )


#: Partitions of the topic unless `transaction.state.log.num.partitions` says otherwise.
_DEFAULT_PARTITIONS = 50


def _is_whole(logs: tuple[Log, ...], ids: dict[str, TransactionalId]) -> bool:
    """Whether all partitions of the topic are given, as far as the ids in them show: their hash tells how many there are."""
    numbers = sorted(log.name.partition if log.name else -1 for log in logs)
    count = len(numbers)
    if numbers != list(range(count)):
        return False
    homes = {path: log.name.partition for log in logs if log.name for path in log.files}
    hashes = [(string_hash(item.transactional_id), homes[item.path]) for item in ids.values()]
    if any(_home(value, count) != home for value, home in hashes):
        return False
    return count >= _DEFAULT_PARTITIONS or any(_home(value, _DEFAULT_PARTITIONS) != home for value, home in hashes)


def _home(value: int, count: int) -> int:
    """The partition of a transactional id with that hash.

    Source: TransactionStateManager.partitionFor and Utils.abs, 2.8 to 4.3.
    """
    size = value if value < 1 << 31 else (1 << 32) - value
    return (size if size < 1 << 31 else 0) % count


def _owners(ids: dict[str, TransactionalId]) -> dict[int, str]:
    """Transactional id by producer id, the ids a producer has had before or is about to get included."""
    owners: dict[int, str] = {}
    for item in ids.values():
        for producer_id in (item.next_producer_id, item.previous_producer_id):
            if producer_id >= 0:
                owners.setdefault(producer_id, item.transactional_id)
    owners.update({item.producer_id: item.transactional_id for item in ids.values()})
    return owners


# --- the partitions ---------------------------------------------------------------------------------------------------


class _Found:
    """What the scan of the partitions has found; aborted transactions go where the caller wants them and are counted."""

    def __init__(self, owners: dict[int, str], on_aborted: Callable[[AbortedTransaction], object]) -> None:
        self.owners = owners
        self.on_aborted = on_aborted
        self.open: list[OpenTransaction] = []
        self.aborted = 0
        self.committed = 0


def _scan(log: Log, until: Until, found: _Found, notes: list[Note]) -> None:
    if log.name is None:
        return
    topic, partition = log.name.topic, log.name.partition
    under_way: dict[int, OpenTransaction] = {}
    for path, item in log.walk():
        if not isinstance(item, RecordBatch) or not item.is_transactional:
            if isinstance(item, Damage):
                notes.append(log.damage_note(path, item))
            continue
        header = item.header
        if not until.holds(item.base_offset, header.max_timestamp):
            continue
        if not item.crc_ok:
            notes.append(Note(path, item.base_offset, "the batch's CRC is wrong; it counts all the same"))
        if item.is_control:
            _end((path, topic, partition), item, under_way.pop(header.producer_id, None), found, notes)
            continue
        begun = under_way.get(header.producer_id)
        if begun is None:
            under_way[header.producer_id] = OpenTransaction(
                path,
                topic,
                partition,
                header.producer_id,
                header.producer_epoch,
                item.base_offset,
                item.last_offset,
                header.base_timestamp,
                header.max_timestamp,
                header.records_count,
                "unknown",
                f"no partition of {TOPIC} was given",
                None,
            )
        else:
            under_way[header.producer_id] = begun._replace(
                producer_epoch=header.producer_epoch,
                last_offset=item.last_offset,
                last_timestamp=header.max_timestamp,
                records=begun.records + header.records_count,
            )
    found.open.extend(sorted(under_way.values(), key=lambda item: item.first_offset))


def _end(
    place: tuple[str, str, int],
    batch: RecordBatch,
    begun: OpenTransaction | None,
    found: _Found,
    notes: list[Note],
) -> None:
    try:
        for record in batch.records():
            marker = read_control_record(record.key, record.value)
            if marker.type_id == COMMIT:
                found.committed += 1
            elif marker.type_id == ABORT:
                found.aborted += 1
                found.on_aborted(
                    AbortedTransaction(
                        *place,
                        batch.header.producer_id,
                        batch.header.producer_epoch,
                        begun.first_offset if begun else None,
                        record.offset,
                        record.timestamp,
                        marker.fields["coordinatorEpoch"],
                        found.owners.get(batch.header.producer_id),
                    )
                )
    except (FormatError, LimitExceeded) as error:
        notes.append(Note(place[0], batch.base_offset, f"a marker that cannot be read: {error}"))


def _judge(
    item: OpenTransaction, ids: dict[str, TransactionalId], owners: dict[int, str], *, known: bool, whole: bool
) -> OpenTransaction:
    if not known:
        return item
    name = owners.get(item.producer_id)
    if name is None and not whole:
        return item._replace(why=f"no transactional id in the partitions of {TOPIC} given has this producer id; others may")
    if name is None:
        return item._replace(verdict="hanging", why="no transactional id has this producer id")
    owner = ids[name]
    place = (item.topic, item.partition)
    if not owner.is_open:
        why = f"{name} is in state {owner.state}: its transaction has ended"
    elif owner.producer_id != item.producer_id:
        why = f"{name} goes on with producer id {owner.producer_id}"
    elif place not in owner.partitions:
        why = f"the open transaction of {name} does not hold this partition"
    elif owner.producer_epoch < item.producer_epoch:
        why = f"{name} is at epoch {owner.producer_epoch}"
    else:
        return item._replace(verdict="ongoing", why=f"{name} is in state {owner.state}", transactional_id=name)
    return item._replace(verdict="hanging", why=why, transactional_id=name)


def _unproven(item: OpenTransaction, why: str) -> OpenTransaction:
    """What hangs for all that is known; but clocks differ, a coordinator may still write, records may be lost."""
    return item._replace(verdict="unknown", why=why.format(item.why)) if item.verdict == "hanging" else item
