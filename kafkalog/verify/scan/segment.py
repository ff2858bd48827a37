"""Scanning a segment: every byte of its `.log`, with `.index` and `.timeindex` followed along.

The loop over batches is made for the ordinary one: a single merged test on the fields of a header and its checksum. What
is out of the ordinary in any way leaves the loop and is judged with care.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING, Any

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD, NO_PRODUCER_ID, Damage, RecordBatch
from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.dates import timestamp_cause
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.line_ends import change_of_entries, change_of_log, fits
from kafkalog.core.log import walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.core.record_counts import count_records
from kafkalog.core.source import HELD
from kafkalog.core.span import Span
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.errors import FileChanged, FormatError, LimitExceeded, UnreadableFile
from kafkalog.files.read_ahead import Relay
from kafkalog.files.source import FileSource, hashes_of, read_file
from kafkalog.replay.producer_events import EventRecorder, transaction_end
from kafkalog.verify import rules as _rules  # noqa: F401 - fills the registry, in worker processes too
from kafkalog.verify.finding import Severity
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.rules.batches import ZeroProducers
from kafkalog.verify.rules.compaction import Horizons, Large
from kafkalog.verify.rules.indexes import StaleEntries
from kafkalog.verify.rules.legacy import LegacyRecords
from kafkalog.verify.rules.order import OddTimes, SegmentTimes
from kafkalog.verify.rules.records import ControlRecords
from kafkalog.verify.rules.shared import BatchSpot, BatchStep, EpochRun
from kafkalog.verify.rules.tails import FileChange, Tail
from kafkalog.verify.scan.fast_loop import ANCIENT_MS, walk_regular
from kafkalog.verify.scan.index_walks import MOST_REPORTED, OffsetIndexWalk, TimeIndexWalk
from kafkalog.verify.scan.metadata_records import unreadable_records
from kafkalog.verify.scan.records import look_at_records
from kafkalog.verify.scan.results import SegmentScan, SegmentTask
from kafkalog.verify.scan.stale_entries import first_stale_offset_entry, first_stale_time_entry

if TYPE_CHECKING:
    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.span import Padding
    from kafkalog.files.read_ahead import Slot

__all__ = ["Scanner", "scan_segment"]

_BASE_OFFSET = BATCH_HEADER.partial("base_offset")
_BASE_TIMESTAMP = BATCH_HEADER.partial("base_timestamp")
#: How many bytes of an index entry ascend from entry to entry: those of its first field.
_OFFSET_KEY = OFFSET_INDEX_ENTRY["relative_offset"].type.size
_TIME_KEY = TIME_INDEX_ENTRY["timestamp"].type.size
_HEADER = BATCH_HEADER.size
#: Bytes between two of the batches whose place is kept.
_PLACE_INTERVAL = 1 << 20
_NO_EPOCH = -1
_LEADER_CHANGE = 2
#: Bytes of a log that are looked through for changed line ends.
_LINE_ENDS_BYTES = 4 << 20
#: Clocks differ; a day ahead is a fault.
FUTURE_MS = 24 * 3600 * 1000
#: Control records of one batch that are looked at; a batch that has been written by a broker has a few.
_MOST_CONTROL_RECORDS = 1 << 12
#: Messages of a wrapper that are held for the rules; of a larger one they are read again.
_MOST_HELD = 1 << 14
#: Findings of one rule about one log that are listed; the others are counted.
_MOST_OF_A_KIND = 10_000


def _are_untrimmed(offsets: bytes | None, times: bytes | None) -> bool:
    """Whether the indexes of a segment, those that are there, end in preallocated space."""
    found = [(offsets, OFFSET_INDEX_ENTRY.size), (times, TIME_INDEX_ENTRY.size)]
    ends = [padded_end(data, size) + size <= len(data) for data, size in found if data is not None]
    return bool(ends) and all(ends)


def scan_segment(task: SegmentTask, threads: int = 1) -> SegmentScan:
    """Scan one segment. Never raises on data or on files; what cannot be read is in the result.

    With 2 `threads`, one reads while the other checks; that pays where a core is free and records are not looked at.
    """
    return Scanner(task, threads if task.settings.quick else 1).run()


def _ascends(data: bytes, size: int, key: int) -> bool:
    """Whether the first `key` bytes of entries grow from one to the next, zeros at the end left out."""
    keys = [data[at : at + key] for at in range(0, padded_end(data, size), size)]
    return len(data) % size == 0 and all(map(lt, keys, islice(keys, 1, None)))


class Scanner:
    """The state of one scan."""

    def __init__(self, task: SegmentTask, threads: int) -> None:
        self.task = task
        self.threads = threads
        #: Batches whose length field says more are looked at with care.
        self.most = task.settings.large - LOG_OVERHEAD
        self.path = task.paths.get(".log", "")
        self.scan = SegmentScan(task.base_offset, self.path)
        self.producers = EventRecorder(task.cuts)
        self.index: OffsetIndexWalk | None = None
        self.times: TimeIndexWalk | None = None
        #: The task as the indexes are judged by it.
        self.index_task = task
        self.offset_doubts: list[object] = []
        self.time_doubts: list[object] = []
        self.quick = task.settings.quick
        self.high = task.settings.now + FUTURE_MS
        self.expected = -1  # next offset if nothing is missing; -1 before the first batch and after damage
        self.previous: BatchSpot | None = None
        self.after_damage = False
        self.epoch = _NO_EPOCH
        self.epoch_run: tuple[int, int, int] | None = None
        self.epoch_last: BatchSpot | None = None
        self.top_epoch: BatchSpot | None = None
        self.max_timestamp = -1
        self.max_position = self.max_offset = -1
        self.max_full = -1  # over batches that hold records
        self.any_full = False
        self.any_magic_0 = False
        #: Timestamps that are out of the ordinary, by their cause.
        self.future: dict[str, OddTimes] = {}
        self.ancient: dict[str, OddTimes] = {}
        self.missing: dict[str, OddTimes] = {}
        self.odd_records: dict[str, OddTimes] = {}
        self.kraft_wait = 0
        self.over_limit = 0
        self.first_over_limit = ""
        self.found: Counter[str] = Counter()

    # --- results ---

    def emit(self, subject: Any) -> None:
        """What the rules say about a subject."""
        for finding in findings_of(subject):
            if not (self.task.compacted and RULES[finding.id].history):
                self.found[finding.id] += 1
                if self.found[finding.id] <= _MOST_OF_A_KIND:
                    self.scan.findings.append(finding)

    def fail(self, error: UnreadableFile) -> None:
        """A file cannot be read."""
        self.scan.failures.append((error.path, error.reason))

    # --- files ---

    def run(self) -> SegmentScan:
        """Scan the segment's files."""
        scan, task = self.scan, self.task
        try:
            self._run()
        except UnreadableFile as error:
            self.fail(error)
            scan.damaged = True
            if isinstance(error, FileChanged) and error.path == self.path:
                self.emit(
                    FileChange(path=self.path, size_before=error.size_before, size_now=error.size_now, active=task.active)
                )
        if self.over_limit:
            scan.not_checked.append((self.path, f"the records of {self.over_limit} batches, {self.first_over_limit}"))
        for kind, count in self.found.items():
            if count > _MOST_OF_A_KIND:
                scan.not_checked.append((self.path, f"{count - _MOST_OF_A_KIND} more of {kind}: not listed one by one"))
        scan.events = self.producers.finish()
        scan.last_hole = self.producers.last_hole
        self._close_epoch_run()
        scan.max_timestamp = self.max_timestamp
        if task.settings.hash:
            self._hash()
        return scan

    def _run(self) -> None:
        scan, task = self.scan, self.task
        if not self.path:
            return
        scan.files += 1
        # Before the log's size is taken: a running broker appends to the log first.
        siblings = self._sibling(".index"), self._sibling(".timeindex")
        with FileSource(self.path) as source:
            scan.size, scan.inode = source.size, source.inode
            self._open_indexes(source.size, *siblings)
            self._walk(source)
            self._finish_indexes(source)
            self._take_back_what_line_ends_explain(source)
            grown = source.grown
            if grown is not None or source.is_rewritten:
                self.emit(
                    FileChange(
                        path=self.path,
                        size_before=source.size,
                        size_now=source.size if grown is None else grown.size_now,
                        active=task.active,
                    )
                )
        if grown is not None and not task.active:
            self.fail(grown)
        elif grown is not None:
            scan.not_checked.append((self.path, f"bytes from {grown.size_before} on: appended during the scan"))
        scan.bytes_read += scan.size
        if self.producers.zeros:
            position, first, last = self.producers.first_zeros
            self.emit(
                ZeroProducers(
                    path=self.path, count=self.producers.zeros, span=Span(position, position + _HEADER), offsets=(first, last)
                )
            )
        if self.future or self.ancient or self.missing or self.odd_records:
            self.emit(
                SegmentTimes(
                    path=self.path,
                    now=task.settings.now,
                    future=self.future,
                    ancient=self.ancient,
                    missing=self.missing,
                    records=self.odd_records,
                )
            )

    def _sibling(self, suffix: str) -> bytes | None:
        path = self.task.paths.get(suffix)
        if path is None:
            return None
        self.scan.files += 1
        try:
            data = read_file(path)
        except UnreadableFile as error:
            self.fail(error)
            return None
        self.scan.bytes_read += len(data)
        return data

    def _open_indexes(self, log_size: int, offsets: bytes | None, times: bytes | None) -> None:
        task = self.task
        if task.kraft and task.active and task.clean and _are_untrimmed(offsets, times):
            # Since 4.4 a clean stop does not trim the indexes of the metadata log, nor append the last entry.
            task = self.index_task = replace(task, clean=False)
        if offsets is not None:
            self.index = OffsetIndexWalk(task.paths[".index"], offsets, task, log_size, self.offset_doubts.append)
        if times is not None:
            self.times = TimeIndexWalk(task.paths[".timeindex"], times, task, self.time_doubts.append)

    def _settle_doubts(self, source: FileSource) -> None:
        """Report the entries that do not fit, unless they are what a truncation leaves in an index that is in use."""
        index, times, task = self.index, self.times, self.index_task
        self.scan.preallocated = any(file is not None and file.padding is not None for file in (index, times))
        lenient = (self.scan.preallocated or task.in_use) and task.active and not task.clean
        for file, doubts, first_stale in (
            (index, self.offset_doubts, first_stale_offset_entry),
            (times, self.time_doubts, first_stale_time_entry),
        ):
            if file is None or not doubts:
                continue
            stale = first_stale(file.data[: file.end], task.base_offset, source) if lenient else None
            if stale is None:
                for doubt in doubts:
                    self.emit(doubt)
            else:
                file.reported = 0
                self.emit(
                    StaleEntries(
                        path=file.path, log_path=self.path, number=stale, entries=file.count, entry_size=file.entry_size
                    )
                )

    def _finish_indexes(self, source: FileSource) -> None:
        index, times, scan = self.index, self.times, self.scan
        last = scan.last
        blind = scan.damaged
        if index is not None:
            index.finish(last.end if last is not None else 0, last)
            self.emit(index.summary(times, log_is_sound=self._log_is_sound()))
        if times is not None:
            times.finish(last, blind=blind)
        self._settle_doubts(source)
        if times is not None:
            self.emit(times.summary(index, log_is_sound=self._log_is_sound()))
            if not blind and not self.any_magic_0 and last is not None:
                self.emit(
                    times.end_subject(
                        self.max_timestamp,
                        self.max_full,
                        self.max_position,
                        self.max_offset,
                        all_emptied=not self.any_full,
                    )
                )
        for file in (index, times):
            if file is not None and file.reported > MOST_REPORTED:
                reason = f"{file.reported - MOST_REPORTED} more entries are wrong: not listed one by one"
                scan.not_checked.append((file.path, reason))

    def _take_back_what_line_ends_explain(self, source: FileSource) -> None:
        """Note the files whose line ends were changed; what was found in them is a consequence."""
        wrong = {found.path for found in self.scan.findings if found.severity >= Severity.WARNING}
        of_log = None
        if self.scan.damaged or self.path in wrong:
            of_log = change_of_log(source.read(0, _LINE_ENDS_BYTES))
        changed = {} if of_log is None else {self.path: of_log}
        for file, key in ((self.index, _OFFSET_KEY), (self.times, _TIME_KEY)):
            if file is None or file.path not in wrong:
                continue
            if of_log is not None and fits(file.data, of_log, file.entry_size):
                changed[file.path] = of_log
            elif change := change_of_entries(file.data, partial(_ascends, size=file.entry_size, key=key)):
                changed[file.path] = change
        self.scan.line_ends = changed
        if changed:
            kept = [] if of_log is not None else [found for found in self.scan.findings if found.path not in changed]
            self.scan.findings[:] = kept

    def _log_is_sound(self) -> bool:
        """Whether the walk over the `.log` has found nothing wrong."""
        wrong = any(found.path == self.path and found.severity >= Severity.WARNING for found in self.scan.findings)
        return not wrong and not self.scan.damaged

    def _hash(self) -> None:
        self.scan.hashes = hashes_of(self.task.paths.values(), self.fail)

    # --- the log ---

    def _walk(self, source: FileSource) -> None:
        position, size = 0, source.size
        relay = None if self.task.kraft else Relay(source, self.threads)
        while position < size:
            if relay is not None:
                position = relay.run(position, self._look)
                if position >= size:
                    break
            for item in walk(source, position):
                if isinstance(item, RecordBatch):
                    self.judge(item, crc_ok=item.crc_ok)
                elif isinstance(item, LegacyBatch):
                    self._legacy(item)
                else:
                    self._gap(source, item)
                position = item.span.end
                if relay is not None and isinstance(item, RecordBatch):
                    break
        if not self.scan.damaged and self.scan.last is not None:
            self.scan.valid_position = self.scan.last.end
            self.scan.valid_offset = self.scan.last.last_offset

    def _look(self, slot: Slot, position: int) -> tuple[int, bool]:
        return walk_regular(self, slot, position)

    # --- what the loop over ordinary batches asks for and reports ---

    def raised(self, spot: BatchSpot) -> None:
        """An ordinary batch has the largest timestamp so far."""
        self.max_timestamp, self.max_position, self.max_offset = spot.max_timestamp, spot.position, spot.last_offset

    def passed(self, last: BatchSpot) -> None:
        """Ordinary batches were passed, up to `last`."""
        self.expected = last.last_offset + 1
        self.any_full = True
        self.max_full = max(self.max_full, self.max_timestamp)
        self.previous = self.epoch_last = last
        self._last_is(last)

    def _last_is(self, spot: BatchSpot) -> None:
        places = self.scan.places
        if spot.position - (places[-1][1] if places else 0) >= _PLACE_INTERVAL:
            places.append((spot.last_offset, spot.position))
        self.scan.last = spot

    def previous_place(self, position: int) -> tuple[int, int]:
        """Where the batch before the one at `position` begins and ends."""
        return (position, position) if self.previous is None else (self.previous.position, self.previous.end)

    def irregular_records(self, data: bytearray, at: int, end: int, attributes: int, count: int, time: int, begin: int) -> None:
        """Look at the records of a batch whose header is ordinary; report them if they are not."""
        found = count_records(data, at + _HEADER, end, count, attributes & bits.CODEC_MASK)
        base_time = _BASE_TIMESTAMP.unpack_from(data, at)[0]
        if found is not None and base_time + found.smallest < ANCIENT_MS and not attributes & bits.LOG_APPEND_TIME:
            self._odd_record_times(RecordBatch.read(bytes(data[at:end]), begin + at))
        if (
            found is None
            or found.next_delta != count
            or found.gaps
            or base_time + found.largest != time
            or (found.null_keys and self.task.compacted)
        ):
            batch = RecordBatch.read(bytes(data[at:end]), begin + at)
            self._look_closer(batch)
        elif found.null_keys and self.scan.first_keyless is None:
            self.scan.first_keyless = _BASE_OFFSET.unpack_from(data, at)[0]
        if found is not None:
            self.scan.tombstones += found.null_values

    def judge(self, batch: RecordBatch, *, crc_ok: bool) -> None:
        """Judge a magic 2 batch with care."""
        scan, header = self.scan, batch.header
        spot = _spot_of(batch)
        self._step(batch, spot, crc_ok=crc_ok)
        scan.batches += 1
        if not crc_ok:
            self._damaged()
            self.producers.blind(spot.base_offset)
            self._follow(spot, 2, trusted=header.base_offset == self.expected and 0 <= header.last_offset_delta < 1 << 24)
            return
        scan.records += max(0, header.records_count)
        partial = header.records_count < header.last_offset_delta + 1
        horizon = batch.delete_horizon_ms
        if ((partial and not batch.is_control) or horizon is not None) and scan.compaction_evidence is None:
            scan.compaction_evidence = spot.base_offset
        if horizon is not None and header.records_count > 0:
            scan.horizons = scan.horizons.with_one(horizon) if scan.horizons else Horizons(1, horizon, horizon, spot)
        if batch.size > self.task.settings.large:
            self._note_large(spot, header.producer_id)
        control = self._control(batch) if batch.is_control else None
        if not self.quick and (control is None or control.problem is None):
            self._records(batch)
        self.producers.reach(spot.base_offset)
        if header.producer_id == NO_PRODUCER_ID and header.producer_epoch == header.base_sequence == 0:
            self.producers.zero(batch.position, spot.base_offset, spot.last_offset)
        if spot.base_offset != self.expected and self.scan.last is not None:
            self.producers.hole(spot.base_offset)
        if batch.has_producer and control is None and not batch.is_control:
            self.producers.data(batch)
        if self.task.kraft and control is not None:
            self._kraft_control(control, spot)
        elif self.task.kraft and not self.quick:
            for record in unreadable_records(self.path, batch):
                self.emit(record)
        self._epoch(spot)
        if header.records_count > 0:
            self.any_full = True
            self.max_full = max(self.max_full, header.max_timestamp)
        self._odd_times(spot, header.base_timestamp)
        self._follow(spot, 2, trusted=header.last_offset_delta >= 0)

    def _note_large(self, spot: BatchSpot, producer_id: int) -> None:
        large = self.scan.large
        self.scan.large = Large(1, spot, producer_id) if large is None else large.with_one(spot, producer_id)

    def _records(self, batch: RecordBatch) -> None:
        header = batch.header
        if header.records_count == 0 and batch.size == _HEADER:
            return
        found = count_records(batch.data, _HEADER, batch.size, header.records_count, batch.compression_id)
        append_time = batch.timestamp_type == "LogAppendTime"
        smallest = header.max_timestamp if found is None or append_time else header.base_timestamp + found.smallest
        if smallest < ANCIENT_MS <= header.max_timestamp:
            self._odd_record_times(batch)
        if (
            found is None
            or found.next_delta > header.last_offset_delta + 1
            or (found.gaps and header.records_count > header.last_offset_delta)
            or found.gaps
            or not (append_time or header.base_timestamp + found.largest == header.max_timestamp)
            or (found.null_keys and self.task.compacted)
        ):
            self._look_closer(batch)
        if found is not None:
            self.scan.tombstones += found.null_values
            if found.null_keys and self.scan.first_keyless is None:
                self.scan.first_keyless = batch.base_offset

    def _look_closer(self, batch: RecordBatch) -> None:
        records = look_at_records(self.path, batch, compacted=self.task.compacted)
        self.emit(records)
        self._note_limit(batch, records.problem)

    def _note_limit(self, batch: RecordBatch | LegacyBatch, problem: Damage | None) -> None:
        """Records that are too large to be looked at are neither sound nor damaged."""
        if problem is not None and isinstance(problem.error, LimitExceeded):
            self.over_limit += 1
            self.first_over_limit = self.first_over_limit or f"the first at position {batch.position}: {problem.error}"

    def _control(self, batch: RecordBatch) -> ControlRecords:
        """Decode a control batch; its markers are noted for the replay."""
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
            reason = f"control records after the first {len(decoded)} of the batch at position {batch.position}"
            self.scan.not_checked.append((self.path, reason))
        subject = ControlRecords(path=self.path, batch=batch, records=tuple(decoded), problem=problem, kraft=self.task.kraft)
        self.emit(subject)
        header = batch.header
        if header.producer_id >= 0 and not self.task.kraft:
            self.producers.reach(header.base_offset)
            record, content = decoded[0] if decoded else (None, None)
            timestamp = header.max_timestamp if record is None else record.timestamp
            control = content if isinstance(content, ControlRecord) else None
            self.producers.end(transaction_end(batch, header.base_offset, timestamp, control))
        return subject

    def _kraft_control(self, control: ControlRecords, spot: BatchSpot) -> None:
        for _, content in control.records:
            if isinstance(content, ControlRecord) and content.type_id == _LEADER_CHANGE:
                self.scan.leader_changes.append((spot.epoch, spot.base_offset))

    def _legacy(self, batch: LegacyBatch) -> None:
        """Judge a message or wrapper of magic 0 or 1."""
        scan = self.scan
        crc_ok = batch.crc_ok
        base = batch.last_offset
        scan.batches += 1
        self.any_magic_0 |= batch.magic == 0
        scan.magics.add(batch.magic)
        scan.last_legacy = max(scan.last_legacy, base)
        self.producers.hole(base + 1)  # offsets inside a wrapper are not followed
        records: LegacyRecords | None = None
        if crc_ok and (batch.compression_id == 0 or not self.quick):
            records = self._legacy_records(batch)
            scan.records += records.count
            if records.count:
                base = min(base, records.first_offset)
            if scan.first_keyless is None and any(message.key is None for message in records.messages):
                scan.first_keyless = base
        elif batch.compression_id:
            # Only decompression tells where a wrapper begins; without it, where it may begin at the earliest.
            base = min(base, self.expected if self.expected >= 0 else max(0, self.task.base_offset))
        spot = BatchSpot(batch.position, batch.position + batch.size, base, batch.last_offset, _NO_EPOCH, batch.max_timestamp)
        self._step(batch, spot, crc_ok=crc_ok)
        if batch.size > self.task.settings.large and crc_ok:
            self._note_large(spot, -1)
        if not crc_ok:
            self._damaged()
        elif records is not None:
            self.emit(records)
        self.any_full = True
        self.max_full = max(self.max_full, batch.max_timestamp)
        if batch.magic and crc_ok:
            self._odd_times(spot, spot.max_timestamp)
        self._follow(spot, batch.magic, trusted=base >= 0 and (crc_ok or base == self.expected))

    def _legacy_records(self, batch: LegacyBatch) -> LegacyRecords:
        held: list[LegacyRecord] = []
        count, first, problem = 0, -1, None
        for item in batch.walk_records():
            if isinstance(item, Damage):
                problem = item
                self._note_limit(batch, item)
                continue
            first = item.offset if not count else first
            count += 1
            self.scan.tombstones += item.value is None
            if count <= _MOST_HELD and item.end <= HELD:
                held.append(item)
            del item
        return LegacyRecords(
            path=self.path,
            batch=batch,
            held=tuple(held) if len(held) == count else None,
            count=count,
            first_offset=first,
            problem=problem,
        )

    def _step(self, batch: RecordBatch | LegacyBatch, spot: BatchSpot, *, crc_ok: bool) -> None:
        self.emit(
            BatchStep(
                path=self.path,
                batch=batch,
                spot=spot,
                previous=self.previous,
                expected=self.expected,
                segment_base=self.task.base_offset,
                top_epoch=self.top_epoch,
                kraft=self.task.kraft,
                snapshot_epoch=self.task.snapshot_epoch,
                crc_ok=crc_ok,
                first=self.scan.last is None and not self.after_damage,
            )
        )

    def _follow(self, spot: BatchSpot, magic: int, *, trusted: bool) -> None:
        """Go behind a batch: the indexes, the state for the next one."""
        self.after_damage = False
        previous = self.previous
        index, times = self.index, self.times
        if index is not None and spot.position >= index.want:
            before = (previous.position, previous.end) if previous is not None else (spot.position, spot.position)
            if trusted:
                index.arrive(spot.position, spot.base_offset, spot.last_offset, *before)
            else:
                index.skip(spot.end)
        if not trusted:
            self.previous, self.expected = None, -1
            return
        if times is not None and times.want <= spot.last_offset:
            times.arrive(spot, magic, self.max_timestamp, self.max_position, self.max_offset)
        if spot.max_timestamp > self.max_timestamp:
            self.max_timestamp, self.max_position, self.max_offset = spot.max_timestamp, spot.position, spot.last_offset
        if self.scan.first is None:
            self.scan.first = spot
        self.previous = spot
        self._last_is(spot)
        self.expected = spot.last_offset + 1

    def _epoch(self, spot: BatchSpot) -> None:
        if spot.epoch != self.epoch:
            self._close_epoch_run()
            self.epoch = spot.epoch
            self.epoch_run = (spot.epoch, spot.base_offset, spot.position) if spot.epoch >= 0 else None
        self.epoch_last = spot
        if spot.epoch >= 0 and (self.top_epoch is None or spot.epoch > self.top_epoch.epoch):
            self.top_epoch = spot

    def _close_epoch_run(self) -> None:
        if self.epoch_run is not None and self.epoch_last is not None:
            last = self.epoch_last
            self.scan.epochs.append(EpochRun(*self.epoch_run, last.base_offset, last.last_offset))
        self.epoch_run = None

    def _odd_times(self, spot: BatchSpot, first: int) -> None:
        """Note a batch's maxTimestamp if it is odd; of negative ones, all stored as -1, the `first` record's tells more."""
        time = spot.max_timestamp
        if time > self.high:
            _note_time(self.future, spot, spot.last_offset, time)
        elif time < 0:
            _note_time(self.missing, spot, spot.base_offset, min(time, first))
        elif time < ANCIENT_MS:
            _note_time(self.ancient, spot, spot.base_offset, time)

    def _odd_record_times(self, batch: RecordBatch) -> None:
        """Note the records of a batch that are from before Kafka, although its largest timestamp is not."""
        spot = _spot_of(batch)
        for record in batch.walk_records():
            if not isinstance(record, Damage) and record.timestamp < ANCIENT_MS:
                _note_time(self.odd_records, spot, record.offset, record.timestamp)

    def _damaged(self) -> None:
        scan = self.scan
        if not scan.damaged:
            scan.damaged = True
            if self.previous is not None:
                scan.valid_position, scan.valid_offset = self.previous.end, self.previous.last_offset
            elif scan.last is not None:
                scan.valid_position, scan.valid_offset = scan.last.end, scan.last.last_offset

    def _gap(self, source: FileSource, item: Damage | Padding) -> None:
        """Bytes that are no batch."""
        at_end = item.span.end >= source.size
        active_tail = at_end and self.task.active
        following: BatchSpot | None = None
        if not at_end:
            behind = next(iter(walk(source, item.span.end)), None)
            if isinstance(behind, RecordBatch):
                following = BatchSpot(
                    behind.position, behind.position + behind.size, behind.base_offset, behind.last_offset, -1, -1
                )
            elif isinstance(behind, LegacyBatch):
                last = behind.last_offset
                following = BatchSpot(behind.position, behind.position + behind.size, last, last, -1, -1)
        head = source.read(item.span.start, 64)
        self.emit(
            Tail(
                path=self.path,
                item=item,
                at_end=at_end,
                active=self.task.active,
                clean=self.task.clean,
                previous=self.previous or self.scan.last,
                next=following,
                head=head,
                size=source.size,
            )
        )
        if not (active_tail and not self.task.clean):
            self._damaged()
        if not at_end:
            self.producers.blind(-1 if following is None else following.base_offset)
            self.previous, self.expected, self.after_damage = None, -1, True
            if self.index is not None:
                self.index.skip(item.span.end)
            if self.times is not None and following is not None:
                self.times.skip_to(following.base_offset)


def _spot_of(batch: RecordBatch) -> BatchSpot:
    header = batch.header
    last, epoch = batch.last_offset, header.partition_leader_epoch
    return BatchSpot(batch.position, batch.position + batch.size, header.base_offset, last, epoch, header.max_timestamp)


def _note_time(times: dict[str, OddTimes], spot: BatchSpot, offset: int, timestamp: int) -> None:
    """Count an odd timestamp by its cause; the largest stands for those after now, the first for the others."""
    cause = timestamp_cause(timestamp)
    known = times.get(cause)
    if known is None:
        times[cause] = OddTimes(1, spot, offset, timestamp)
    elif timestamp > known.timestamp >= ANCIENT_MS:
        times[cause] = OddTimes(known.number + 1, spot, offset, timestamp)
    else:
        times[cause] = known._replace(number=known.number + 1)
