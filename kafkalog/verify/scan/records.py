"""The careful look at the records of a batch: everything that the rules ask for."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.dates import ANCIENT_MS
from kafkalog.core.record import wrap32
from kafkalog.core.record_counts import PlacedBatch, count_records, plain_batches
from kafkalog.core.record_keys import held_key
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.verify.rules.legacy import LegacyRecords, OddMessage
from kafkalog.verify.rules.records import ControlRecords, Disorder, Records

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.legacy import LegacyBatch
    from kafkalog.replay.regular_records import RegularRecords
    from kafkalog.verify.scan.key_notes import KeyNotes
    from kafkalog.verify.scan.odd_times import OddTimesNotes

__all__ = ["RecordLook"]

_BASE_OFFSET = BATCH_HEADER.partial("base_offset")
_HEADER = BATCH_HEADER.size
#: Control records of one batch that are looked at; a batch that has been written by a broker has a few.
_MOST_CONTROL_RECORDS = 1 << 12


class RecordLook:
    """Looks at the records of a segment's batches, and counts what the rules about whole segments ask for.

    `tombstones` counts records without a value, `first_keyless` is the offset of the first batch with a record that has no key.

    Args:
        path: The segment's `.log`.
        times: Takes the odd timestamps.
        emit: Takes what a rule is to judge.
        skip: Takes what is not looked at, in words.
        compacted: The log is known to have been compacted.
        kraft: It is the metadata log or a snapshot of it.
        keys: Takes the keys of the records, as far as it wants them; None: nobody asks for them.
        regular: Takes the records of a coordinator's topic, as long as all are regular; None: it is another topic.
    """

    def __init__(
        self,
        path: str,
        times: OddTimesNotes,
        *,
        emit: Callable[[object], None],
        skip: Callable[[str], None],
        compacted: bool,
        kraft: bool,
        keys: KeyNotes | None = None,
        regular: RegularRecords | None = None,
    ) -> None:
        self._path = path
        self._times = times
        self._emit = emit
        self._skip = skip
        self.compacted = compacted
        self._kraft = kraft
        self.keys = keys
        self.regular = regular
        self.tombstones = 0
        self.has_looked_closer = False
        self.first_keyless: int | None = None
        #: Batches whose headers are ordinary, ascending, until their records are looked at.
        self.waiting: list[PlacedBatch] = []
        self._over_limit = 0
        self._first_over_limit = ""

    @property
    def over_limit(self) -> str:
        """The batches whose records exceed a limit of kafkalog's own, in words; "" without any."""
        batches = "batch" if self._over_limit == 1 else "batches"
        return f"the records of {self._over_limit} {batches}, {self._first_over_limit}" if self._over_limit else ""

    # --- magic 2 ---

    def settle(self, data: bytearray, begin: int) -> None:
        """Look at the batches that are waiting, in the order of the log; `data`, where they are, begins at `begin` in it."""
        waiting = self.waiting
        if not waiting:
            return
        first = waiting[0][0]
        # Every record without a key is out of the ordinary in a compacted log, and in others the first of them.
        keyless = len(waiting) if self.compacted else int(self.first_keyless is None)
        held = bytes(memoryview(data)[first : waiting[-1][1]])
        noted: list[bytes] | None = [] if self._notes_keys(data, begin) else None
        if self.regular is not None and self.regular.are_all:
            keys: list[bytes | None] = []
            values: list[bytes | None] = []
            left, tombstones = plain_batches(held, first, waiting, ANCIENT_MS, keyless, records=(keys, values))
            self._note_regular(self.regular, keys, values, left)
            noted = None if noted is None else [held_key(key) for key in keys if key is not None]
        else:
            left, tombstones = plain_batches(held, first, waiting, ANCIENT_MS, keyless, noted)
        self.tombstones += tombstones
        for batch in left:
            self.look_at_ordinary(data, batch, begin)
        if noted is not None:
            self._note_keys(noted, left, data, begin)
        waiting.clear()

    def _notes_keys(self, data: bytearray, begin: int) -> bool:
        """Whether the keys of all batches that are waiting are to be noted; where some are not, that is done here."""
        keys = self.keys
        if keys is None or not keys.wants_more:
            return False
        at, _, _, _, delta, _, _ = self.waiting[-1]
        if _BASE_OFFSET.unpack_from(data, at)[0] + delta < keys.below:
            return True
        for at, end, *_ in self.waiting:
            keys.note_batch(RecordBatch.read(bytes(data[at:end]), begin + at))
        return False

    def _note_regular(
        self,
        regular: RegularRecords,
        keys: list[bytes | None],
        values: list[bytes | None],
        left: list[PlacedBatch],
    ) -> None:
        """Note the records of plain batches, unless others than markers are left: those that wait are ordinary."""
        if all(attributes & bits.CONTROL for _, _, attributes, *_ in left):
            regular.note(keys, values)
        else:
            regular.give_up()

    def _note_keys(self, noted: list[bytes], left: list[PlacedBatch], data: bytearray, begin: int) -> None:
        """Note the keys of plain batches, and those of the batches that are left."""
        assert self.keys is not None
        self.keys.note(noted)
        for at, end, attributes, *_ in left:
            if attributes & (bits.CODEC_MASK | bits.CONTROL):
                self.keys.note_batch(RecordBatch.read(bytes(data[at:end]), begin + at))
            else:
                self.keys.give_up()  # some of its keys may be among those noted

    def look_at_ordinary(self, data: bytearray, batch: PlacedBatch, begin: int) -> None:
        """Look at the records of a batch whose header is ordinary; `data`, where it is, begins at `begin` in the log."""
        at, end, attributes, count, delta, base_time, time = batch
        found = count_records(data, at + _HEADER, end, count, attributes & bits.CODEC_MASK)
        append_time = attributes & bits.LOG_APPEND_TIME
        if found is not None and base_time + found.smallest < ANCIENT_MS and not append_time:
            self._times.note_records(RecordBatch.read(bytes(data[at:end]), begin + at))
        if (
            found is None
            or found.next_delta > delta + 1
            or found.backward
            or (found.gaps and count > delta)
            or not (append_time or base_time + found.largest == time)
            or (found.null_keys and self.compacted)
        ):
            self._look_closer(RecordBatch.read(bytes(data[at:end]), begin + at))
        elif found.null_keys and self.first_keyless is None:
            self.first_keyless = _BASE_OFFSET.unpack_from(data, at)[0]
        if found is not None:
            self.tombstones += found.null_values

    def look_at(self, batch: RecordBatch) -> None:
        """Look at the records of a batch whose header is out of the ordinary."""
        header = batch.header
        if header.records_count == 0 and batch.size == _HEADER:
            return
        if self.keys is not None:
            self.keys.note_batch(batch)
        if self.regular is not None and not batch.is_control:
            self.regular.note_batch(batch)
        found = count_records(batch.data, _HEADER, batch.size, header.records_count, batch.compression_id)
        append_time = batch.timestamp_type == "LogAppendTime"
        smallest = header.max_timestamp if found is None or append_time else header.base_timestamp + found.smallest
        if smallest < ANCIENT_MS <= header.max_timestamp:
            self._times.note_records(batch)
        if (
            found is None
            or found.next_delta > header.last_offset_delta + 1
            or found.backward
            or (found.gaps and header.records_count > header.last_offset_delta)
            or not (append_time or header.base_timestamp + found.largest == header.max_timestamp)
            or (found.null_keys and self.compacted)
        ):
            self._look_closer(batch)
        if found is not None:
            self.tombstones += found.null_values
            if found.null_keys and self.first_keyless is None:
                self.first_keyless = batch.base_offset

    def _look_closer(self, batch: RecordBatch) -> None:
        self.has_looked_closer = True
        records = _read_with_care(self._path, batch, compacted=self.compacted)
        self._emit(records)
        self._note_limit(batch, records.problem)

    def _note_limit(self, batch: RecordBatch | LegacyBatch, problem: Damage | None) -> None:
        """Records that are too large to be looked at are neither sound nor damaged."""
        if problem is not None and isinstance(problem.error, LimitExceeded):
            self._over_limit += 1
            self._first_over_limit = self._first_over_limit or f"the first at position {batch.position}: {problem.error}"

    def control(self, batch: RecordBatch) -> ControlRecords:
        """The records of a control batch, decoded."""
        decoded: list[tuple[Any, ControlRecord | FormatError]] = []
        problem: Damage | None = None
        for item in islice(batch.walk_records(), _MOST_CONTROL_RECORDS):
            if isinstance(item, Damage):
                problem = item
                self._note_limit(batch, item)
                break
            try:
                decoded.append((item, read_control_record(item.key, item.value)))
            except FormatError as error:
                decoded.append((item, error))
        if len(decoded) == _MOST_CONTROL_RECORDS < batch.header.records_count:
            self._skip(f"control records after the first {len(decoded)} of the batch at position {batch.position}")
        return ControlRecords(path=self._path, batch=batch, records=tuple(decoded), problem=problem, kraft=self._kraft)

    # --- magic 0 and 1 ---

    def legacy(self, batch: LegacyBatch) -> LegacyRecords:
        """The messages of a message or wrapper of magic 0 or 1."""
        if self.keys is not None:
            self.keys.give_up()
        if self.regular is not None:
            self.regular.give_up()
        count, first, last = 0, -1, -1
        ordered = sound_crcs = True
        nested = keyless = False
        largest: int | None = None
        unused: OddMessage | None = None
        other_magic: OddMessage | None = None
        problem: Damage | None = None
        for item in batch.walk_records():
            if isinstance(item, Damage):
                problem = item
                self._note_limit(batch, item)
                continue
            offset = item.offset
            if not count:
                first = offset
            elif offset <= last:
                ordered = False
            last = offset
            count += 1
            if item.magic == 1 and (largest is None or item.timestamp > largest):
                largest = item.timestamp
            if item.magic != batch.magic and other_magic is None:
                other_magic = OddMessage(offset, item.magic)
            if item.unused and unused is None:
                unused = OddMessage(offset, item.unused)
            nested = nested or bool(item.attributes & bits.CODEC_MASK)
            sound_crcs = sound_crcs and item.crc_ok
            keyless = keyless or item.key is None
            self.tombstones += item.value is None
            del item
        if self.first_keyless is None and keyless:
            self.first_keyless = min(batch.last_offset, first)
        return LegacyRecords(
            path=self._path,
            batch=batch,
            messages=count,
            first_offset=first,
            last_offset=last,
            ordered=ordered,
            largest_timestamp=largest,
            nested=nested,
            sound_crcs=sound_crcs,
            unused=unused,
            other_magic=other_magic,
            problem=problem,
        )


def _read_with_care(path: str, batch: RecordBatch, *, compacted: bool) -> Records:
    """The records of a batch, read one by one, with everything that the rules ask for."""
    largest: int | None = None
    nulls = 0
    first_null: int | None = None
    problem: Damage | None = None
    disorder: Disorder | None = None
    read, delta = 0, -1
    for item in batch.walk_records():
        if isinstance(item, Damage):
            problem = item
            break
        before, delta = delta, wrap32(item.offset - batch.base_offset)
        if disorder is None and not before < delta <= batch.header.last_offset_delta:
            disorder = Disorder(read, before, delta)
        read += 1
        largest = item.timestamp if largest is None else max(largest, item.timestamp)
        if item.key is None:
            nulls += 1
            first_null = item.offset if first_null is None else first_null
        del item
    trailing = False
    if problem is not None and batch.compression_id in (1, 2, 3, 4) and not isinstance(problem.error, LimitExceeded):
        trailing = batch.inflate().trailing and read == batch.header.records_count
    return Records(
        path=path,
        batch=batch,
        read=read,
        last_delta=delta,
        disorder=disorder,
        max_timestamp=largest,
        null_keys=nulls,
        first_null_key=first_null,
        problem=problem,
        trailing=trailing,
        compacted=compacted,
    )
