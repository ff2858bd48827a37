"""What the coordinator says in `__transaction_state`: its transactional ids, and whether an open transaction is one of theirs.

A transaction is hanging when the coordinator will never write its marker: no transactional id has this producer id and
epoch in a transaction with that partition. The two logs must be of one moment for that, or the difference between them is only
that one of them is older: see `Copy`.
Source: TransactionStateManager.loadTransactionMetadata, 3.9; KIP-664 (find-hanging).
"""

from __future__ import annotations

from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.messages.records import read_coordinator_record, value_reader
from kafkalog.core.messages.text import string_hash
from kafkalog.core.messages.transaction import STATUS, TRANSACTION_RECORDS, TRANSACTION_STATES
from kafkalog.errors import UnreadableFile
from kafkalog.replay.coordinator_loads import LoadWatch
from kafkalog.replay.known_keys import KnownKeys
from kafkalog.replay.logs import Note
from kafkalog.replay.until import END

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.reader import Message
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.image import Image
    from kafkalog.replay.logs import Log, Notes
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.replay.until import Until

__all__ = ["TOPIC", "Copy", "TransactionState", "TransactionalId"]

TOPIC = "__transaction_state"

_OPEN_STATES = ("Ongoing", "PrepareCommit", "PrepareAbort")
#: Partitions of the topic unless `transaction.state.log.num.partitions` says otherwise.
_DEFAULT_PARTITIONS = 50
#: Files that were read, or fetched from a leader, one after the other are taken to be of moments less than this apart: as long
#: as find-hanging lets a transaction be open before it asks about it (transaction.max.timeout.ms). Milliseconds.
_APART = 15 * 60 * 1000


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


class Copy(NamedTuple):
    """How the files of a partition and those of `__transaction_state` came to be here: whether they are of one moment.

    `is_one_stop`: one broker left both with one clean stop. `image` is the cluster's metadata, None where it is not known: it
    tells whether other brokers have replicas, from which this one may still have had to fetch.
    """

    is_one_stop: bool
    image: Image | None = None

    def doubt(self, topic: str, partition: int) -> str:
        """Why one of the two may be older than the other, "" when neither can be."""
        if not self.is_one_stop:
            return "no clean stop shows that the files are of one moment"
        for name, number in ((topic, partition), (TOPIC, None)):
            found = None if self.image is None else self.image.topic(name)
            for state in () if found is None else found.partitions.values():
                if number in (None, state.partition) and len(state.replicas) > 1:
                    return f"other brokers have replicas of {name}, and this one may have lagged"
        return ""


class TransactionState:
    """Partitions of `__transaction_state`, replayed one after the other; open transactions are judged when all are read.

    Args:
        notes: Gets what could not be used.
        until: Up to where their records count.
    """

    def __init__(self, notes: Notes, until: Until = END) -> None:
        self.ids: dict[str, TransactionalId] = {}
        self.records = 0
        self.loads: list[Load] = []
        self.problems: list[Note] = []
        #: Whether every record of the partitions could be used.
        self.is_read_in_full = True
        self._notes = notes
        self._until = until
        self._logs: list[Log] = []
        self._newest = -1  # timestamp of the newest record, by a broker's clock

    def read(self, log: Log) -> Load | None:
        """Replay a partition; returns what coordinators make of it, None where that is not known."""
        self._logs.append(log)
        watch = LoadWatch(TRANSACTION_RECORDS)
        notes_before = self._notes.total
        try:
            self.records += self._replay(log, watch)
            if self._until != END or log.topic is None:
                return None
            watch.end(log, log.ends())
        except UnreadableFile as error:
            self.problems.append(Note(error.path, None, error.reason))
            self.is_read_in_full = False
            return None
        finally:
            self.is_read_in_full &= self._notes.total == notes_before
        files = frozenset(log.files)
        own = [(item.transactional_id, item.record_offset) for item in self.ids.values() if item.path in files]
        load = watch.load(log, own)
        self.loads.append(load)
        return load

    def _replay(self, log: Log, watch: LoadWatch) -> int:
        count, is_bounded = 0, self._until != END
        number = TRANSACTION_RECORDS[0].number
        known: KnownKeys[str] = KnownKeys(TRANSACTION_RECORDS, number, itemgetter("transactionalId"), frozenset({STATUS}))
        # Of most a later one comes before anybody asks what it says: regular ones are kept as their records have them.
        newest: dict[str, tuple[bytes | Message, str, int]] = {}
        try:
            for path, batch, records in log.plain_records(self._notes, watch.unreadable):
                is_control = isinstance(batch, RecordBatch) and batch.is_control
                for offset, timestamp, key, value in records:
                    if is_bounded and not self._until.holds(offset, timestamp):
                        continue
                    count += 1
                    if timestamp > self._newest:  # noqa: PLR1730 - a call costs more
                        self._newest = timestamp
                    if is_control:
                        continue
                    again = known.read(key, value)
                    if again is not None and 0 <= again[2][STATUS] < len(TRANSACTION_STATES):
                        newest[again[0]] = again[1], path, offset
                        continue
                    decoded = read_coordinator_record(TRANSACTION_RECORDS, key, value)
                    watch.record(offset, value, decoded)
                    if decoded.problem:
                        self._notes.append(Note(path, offset, decoded.problem))
                    if decoded.key is None:
                        continue
                    name = decoded.key["transactionalId"]
                    if value is None:
                        known.forget(key)
                        newest.pop(name, None)
                        self.ids.pop(name, None)
                    elif decoded.value is not None:
                        newest[name] = decoded.value, path, offset
                        known.learn(value, decoded)
                        if not 0 <= decoded.value[STATUS] < len(TRANSACTION_STATES):
                            problem = f"unknown state {decoded.value[STATUS]} of {name}"
                            self._notes.append(Note(path, offset, problem))
                            watch.unreadable(offset, problem)
        finally:
            self.ids.update((name, _transactional_id(name, *newest.pop(name))) for name in list(newest))
        return count

    @cached_property
    def owners(self) -> dict[int, str]:
        """Transactional id by producer id, the ids a producer has had before or is about to get included."""
        owners: dict[int, str] = {}
        for item in self.ids.values():
            for producer_id in (item.next_producer_id, item.previous_producer_id):
                if producer_id >= 0:
                    owners.setdefault(producer_id, item.transactional_id)
        owners.update({item.producer_id: item.transactional_id for item in self.ids.values()})
        return owners

    @cached_property
    def _has_all_partitions(self) -> bool:
        """Whether the whole topic was read, as far as the ids in it show: their hash tells how many partitions there are."""
        numbers = sorted(log.name.partition if log.name else -1 for log in self._logs)
        count = len(numbers)
        if numbers != list(range(count)):
            return False
        homes = {path: log.name.partition for log in self._logs if log.name for path in log.files}
        hashes = [(string_hash(item.transactional_id), homes[item.path]) for item in self.ids.values()]
        if any(_home(value, count) != home for value, home in hashes):
            return False
        return count >= _DEFAULT_PARTITIONS or any(_home(value, _DEFAULT_PARTITIONS) != home for value, home in hashes)

    def judged(self, transaction: OpenTransaction, copy: Callable[[], Copy]) -> OpenTransaction:
        """An open transaction of a partition with a verdict: does the coordinator know it?

        Args:
            transaction: The transaction.
            copy: Tells how its partition and this topic came to be here; called where it matters.
        """
        if not self._logs:
            return transaction
        judged = self._judged(transaction)
        if judged.verdict != "hanging":
            return judged
        if self._until != END:
            return judged._replace(verdict="unknown", why=f"at that moment: {judged.why}")
        if not self.is_read_in_full:
            return judged._replace(verdict="unknown", why=f"{judged.why}; but not all of {TOPIC} could be read")
        doubt = copy().doubt(judged.topic, judged.partition)
        if doubt and not self._is_of_one_moment(judged):
            return judged._replace(verdict="unknown", why=f"{judged.why}; but {doubt}")
        return judged

    def _is_of_one_moment(self, item: OpenTransaction) -> bool:
        """Whether the coordinator's log goes on after the transaction began, and the partition's after its marker was due."""
        owner = self.ids.get(item.transactional_id or "")
        ended = -1 if owner is None else owner.last_update_timestamp
        return 0 <= item.next_marker_timestamp <= self._newest - _APART and item.last_marker_timestamp > ended

    def _judged(self, item: OpenTransaction) -> OpenTransaction:
        name = self.owners.get(item.producer_id)
        if name is None and not self._has_all_partitions:
            return item._replace(why=f"no transactional id in the partitions of {TOPIC} given has this producer id; others may")
        if name is None:
            return item._replace(verdict="hanging", why="no transactional id has this producer id")
        owner = self.ids[name]
        if not owner.is_open:
            why = f"{name} is in state {owner.state}: its transaction has ended"
        elif owner.producer_id != item.producer_id:
            why = f"{name} goes on with producer id {owner.producer_id}"
        elif (item.topic, item.partition) not in owner.partitions:
            why = f"the open transaction of {name} does not hold this partition"
        elif owner.producer_epoch < item.producer_epoch:
            why = f"{name} is at epoch {owner.producer_epoch}"
        else:
            return item._replace(verdict="ongoing", why=f"{name} is in state {owner.state}", transactional_id=name)
        return item._replace(verdict="hanging", why=why, transactional_id=name)


def _transactional_id(name: str, value: bytes | Message, path: str, offset: int) -> TransactionalId:
    if isinstance(value, bytes):
        value = value_reader(TRANSACTION_RECORDS, TRANSACTION_RECORDS[0].number, int.from_bytes(value[:2], "big"))(value, 2)[0]
    number = value[STATUS]
    state = TRANSACTION_STATES[number] if 0 <= number < len(TRANSACTION_STATES) else f"unknown ({number})"
    partitions = [
        (entry["topic"], partition) for entry in value["transactionPartitions"] or [] for partition in entry["partitionIds"]
    ]
    return TransactionalId(
        transactional_id=name,
        producer_id=value["producerId"],
        producer_epoch=value["producerEpoch"],
        state=state,
        timeout_ms=value["transactionTimeoutMs"],
        start_timestamp=value["transactionStartTimestampMs"],
        last_update_timestamp=value["transactionLastUpdateTimestampMs"],
        partitions=tuple(sorted(partitions)),
        previous_producer_id=value.get("previousProducerId", -1),
        next_producer_id=value.get("nextProducerId", -1),
        next_producer_epoch=value.get("nextProducerEpoch", -1),
        client_version=value.get("clientTransactionVersion", 0),
        path=path,
        record_offset=offset,
    )


def _home(value: int, count: int) -> int:
    """The partition of a transactional id with that hash.

    Source: TransactionStateManager.partitionFor and Utils.abs, 2.8 to 4.3.
    """
    size = value if value < 1 << 31 else (1 << 32) - value
    return (size if size < 1 << 31 else 0) % count
