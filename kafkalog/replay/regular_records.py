"""Whether a coordinator's topic holds nothing but regular records of a few types: then their versions tell what a load does.

A coordinator that loads its partition can fail at a committed offset, a classic group or a transactional id only where the
record cannot be read, or its version is unknown: see `coordinator_loads`. So a check that goes over the records anyway can
note the versions, and need not replay them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.reader import NOT_REGULAR
from kafkalog.core.messages.record_types import find_record_type
from kafkalog.core.messages.records import key_reader, value_reader, value_schema
from kafkalog.core.messages.schema import NEWEST
from kafkalog.core.messages.transaction import STATUS, TRANSACTION_RECORDS, TRANSACTION_STATES
from kafkalog.replay.coordinator_loads import LoadWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.record_types import RecordType
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.logs import Ends, Log

__all__ = ["NOTED_TOPICS", "RegularLog", "RegularRecords"]

#: By topic: its record types, and the numbers of those whose regular records are told by their version.
_TYPES: dict[str, tuple[tuple[RecordType, ...], tuple[int, ...]]] = {
    "__consumer_offsets": (GROUP_RECORDS, (0, 1, 2)),
    "__transaction_state": (TRANSACTION_RECORDS, (0,)),
}
NOTED_TOPICS = frozenset(_TYPES)
#: Keys that are known for a while: the same come again and again.
_MOST_KEYS = 1 << 15


class RegularRecords:
    """Notes records of a topic, as long as all of them are regular ones of the types above.

    Args:
        topic: One of `NOTED_TOPICS`.
    """

    def __init__(self, topic: str) -> None:
        types, numbers = _TYPES[topic]
        #: Record types and versions of their values.
        self.versions: set[tuple[int, int]] = set()
        #: Whether all records so far are regular.
        self.are_all = True
        kinds = {
            number.to_bytes(2, "big"): (key_reader(types, number), _Readers(types, number, self.versions)) for number in numbers
        }
        self._keys = _Keys(kinds)

    def give_up(self) -> None:
        """Something is not regular, or not known: the records have to be replayed."""
        self.are_all = False
        self._keys.clear()

    def note(self, keys: Iterable[bytes | None], values: Iterable[bytes | None]) -> None:
        """Note records: their keys, and the value of each."""
        readers_of, count = self._keys, len(TRANSACTION_STATES)
        try:
            for key, value in zip(keys, values, strict=True):
                readers = readers_of[key]
                if value is not None:
                    message, end = readers[value[:2]](value, 2)
                    if end != len(value) or (message and not 0 <= message[STATUS] < count):
                        self.give_up()
                        return
        except (KeyError, *NOT_REGULAR):
            self.give_up()

    def note_batch(self, batch: RecordBatch) -> None:
        """Note the records of a batch."""
        for item in batch.walk_records():
            if not self.are_all:
                return
            if isinstance(item, Damage):
                self.give_up()
            else:
                self.note((item.key,), (item.value,))


class _Readers(dict[bytes, "Callable[[bytes, int], tuple[Message, int]]"]):
    """What reads the values of a record type, by the bytes of their version."""

    def __init__(self, types: tuple[RecordType, ...], number: int, versions: set[tuple[int, int]]) -> None:
        super().__init__()
        self._types = types
        self._number = number
        self._versions = versions

    def __missing__(self, version: bytes) -> Callable[[bytes, int], tuple[Message, int]]:
        number, kind = int.from_bytes(version, "big", signed=True), find_record_type(self._types, self._number)
        if len(version) != 2 or kind is None or not 0 <= number <= value_schema(self._types, kind, number).highest(NEWEST):
            raise KeyError(version)
        self._versions.add((self._number, number))
        reader = self[version] = value_reader(self._types, self._number, number, frozenset({STATUS}))
        return reader


class _Keys(dict["bytes | None", _Readers]):
    """What reads the values, by the key; so many are kept."""

    def __init__(self, kinds: dict[bytes, tuple[Callable[[bytes, int], tuple[Message, int]], _Readers]]) -> None:
        super().__init__()
        self._kinds = kinds

    def __missing__(self, key: bytes | None) -> _Readers:
        if key is None:
            raise KeyError(key)
        read, readers = self._kinds[key[:2]]
        _, end = read(key, 2)
        if end != len(key):
            raise KeyError(key)
        if len(self) >= _MOST_KEYS:
            self.clear()
        self[key] = readers
        return readers


class RegularLog(NamedTuple):
    """A partition whose records are all regular: the versions that `RegularRecords` has noted, and where its log ends."""

    versions: frozenset[tuple[int, int]]
    ends: Ends

    def load(self, log: Log) -> Load:
        """What coordinators make of it; whom a failure concerns, and where the record is, only a replay tells."""
        watch = LoadWatch(_TYPES[log.topic or ""][0])
        for number, version in sorted(self.versions):
            watch.version(-1, number, version)
        watch.end(log, self.ends)
        return watch.load(log, ())
