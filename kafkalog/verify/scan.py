"""Scanning a segment: every byte of its `.log`, with `.index` and `.timeindex` followed along.

The loop over batches is made for the ordinary one: a single merged test on the fields of a header and its checksum. What
is out of the ordinary in any way leaves the loop and is judged with care.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.checksum import crc32c
from kafkalog.core.control import ABORT, COMMIT, ControlRecord, read_control_record
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import walk
from kafkalog.errors import FormatError, UnreadableFile
from kafkalog.files.source import FileSource, read_file
from kafkalog.verify import rules as _rules  # noqa: F401 - fills the registry, in worker processes too
from kafkalog.verify.index_checks import MOST_REPORTED, NEVER, NO_ENTRY, OffsetIndexWalk, TimeIndexWalk
from kafkalog.verify.producers import EventRecorder
from kafkalog.verify.record_checks import count_records, look_at_records
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.stale_entries import first_stale_offset_entry, first_stale_time_entry
from kafkalog.verify.subjects import BatchSpot, BatchStep, ControlRecords, LegacyRecords, SegmentTimes, StaleEntries, Tail
from kafkalog.verify.task import EpochRun, Horizons, Large, Marker, SegmentScan, SegmentTask

if TYPE_CHECKING:
    from kafkalog.core.span import Padding

__all__ = ["scan_segment"]

_UNPACK = struct.Struct(">qiibIhiqqqhii").unpack_from
_HEADER = BATCH_HEADER.size
#: Bytes read at a time, into the same buffer again and again: fresh memory costs more than the checksums.
_WINDOW = 1 << 19
#: Bytes between two of the batches whose place is kept.
_PLACE_INTERVAL = 1 << 20
_NO_EPOCH = -1
_LEADER_CHANGE = 2
#: 2011-01-01: Kafka's first release. A clock that is right cannot be earlier.
ANCIENT_MS = 1293840000000
#: Clocks differ; a day ahead is a fault.
FUTURE_MS = 24 * 3600 * 1000


def scan_segment(task: SegmentTask) -> SegmentScan:
    """Scan one segment. Never raises on data or on files; what cannot be read is in the result."""
    return _Scanner(task).run()


class _Scanner:
    """The state of one scan."""

    def __init__(self, task: SegmentTask) -> None:
        self.task = task
        self.path = task.paths.get(".log", "")
        self.scan = SegmentScan(task.base_offset, self.path, has_log=bool(self.path))
        self.producers = EventRecorder(task.cuts)
        self.index: OffsetIndexWalk | None = None
        self.times: TimeIndexWalk | None = None
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
        self.future = self.ancient = self.missing = 0
        self.ancient_spot: BatchSpot | None = None
        self.missing_spot: BatchSpot | None = None
        self.kraft_wait = 0

    # --- results ---

    def emit(self, subject: Any) -> None:
        """What the rules say about a subject."""
        for finding in findings_of(subject):
            if not (self.task.compacted and RULES[finding.id].history):
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
        scan.events = self.producers.finish()
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
        with FileSource(self.path) as source:
            scan.size = source.size
            self._open_indexes(source.size)
            self._walk(source)
            self._finish_indexes(source)
            grown = source.grown
        if grown is not None and not task.active:
            self.fail(grown)
        elif grown is not None:
            scan.not_checked.append((self.path, f"bytes from {grown.size_before} on: appended during the scan"))
        scan.bytes_read += scan.size
        if self.future or self.ancient or self.missing:
            self.emit(
                SegmentTimes(
                    self.path,
                    task.settings.now,
                    self.max_timestamp,
                    self.max_position,
                    self.max_offset,
                    self.future,
                    self.ancient_spot,
                    self.ancient,
                    self.missing_spot,
                    self.missing,
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

    def _open_indexes(self, log_size: int) -> None:
        data = self._sibling(".index")
        if data is not None:
            self.index = OffsetIndexWalk(self.task.paths[".index"], data, self.task, log_size, self.offset_doubts.append)
        data = self._sibling(".timeindex")
        if data is not None:
            self.times = TimeIndexWalk(self.task.paths[".timeindex"], data, self.task, self.time_doubts.append)

    def _settle_doubts(self, source: FileSource) -> None:
        """Report the entries that do not fit, unless they are what a truncation leaves in an index that is in use."""
        index, times, task = self.index, self.times, self.task
        self.scan.preallocated = any(file is not None and file.padding is not None for file in (index, times))
        lenient = self.scan.preallocated and task.active and not task.clean
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
                self.emit(StaleEntries(file.path, self.path, stale, file.count, file.entry_size))

    def _finish_indexes(self, source: FileSource) -> None:
        index, times, scan = self.index, self.times, self.scan
        last = scan.last
        blind = scan.damaged
        if index is not None:
            index.finish(last.end if last is not None else 0, last)
            self.emit(index.summary(times))
        if times is not None:
            times.finish(last, blind=blind)
        self._settle_doubts(source)
        if times is not None:
            self.emit(times.summary(index))
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

    def _hash(self) -> None:
        for path in self.task.paths.values():
            digest = hashlib.sha256()
            try:
                with FileSource(path) as source:
                    at = 0
                    while at < source.size:
                        data = source.read(at, 1 << 20)
                        digest.update(data)
                        at += len(data)
            except UnreadableFile as error:
                self.fail(error)
                continue
            self.scan.hashes[path] = digest.hexdigest()

    # --- the log ---

    def _walk(self, source: FileSource) -> None:
        position, size = 0, source.size
        # A batch that does not fit the window is judged with care: so are those that are too large.
        data = bytearray(min(_WINDOW, size, max(_HEADER, self.task.settings.large)))
        buffer = memoryview(data)
        while position < size:
            if not self.task.kraft:
                size_read = source.read_into(buffer, position)
                reached = self._fast(data, buffer[:size_read], position)
                if reached > position:
                    position = reached
                    continue
            for item in walk(source, position):
                if isinstance(item, RecordBatch):
                    self._batch(item, crc_ok=item.crc_ok)
                elif isinstance(item, LegacyBatch):
                    self._legacy(item)
                else:
                    self._gap(source, item)
                position = item.span.end
                if isinstance(item, RecordBatch) and not self.task.kraft:
                    break
        if not self.scan.damaged and self.scan.last is not None:
            self.scan.valid_position = self.scan.last.end
            self.scan.valid_offset = self.scan.last.last_offset

    def _fast(self, data: bytearray, view: memoryview, begin: int) -> int:  # noqa: PLR0915 - a call per batch costs too much
        """Go over batches of magic 2 with right checksums that lie wholly in a window; stop at any other.

        Args:
            data: The window's buffer.
            view: The part of it that was filled.
            begin: Position in the file of its first byte, where a batch begins.

        Returns:
            The position reached.
        """
        checksum, unpack, regular = crc32c, _UNPACK, self.producers.regular
        careful_records = None if self.quick else self._irregular_records
        low, high, segment = ANCIENT_MS, self.high, self.task.base_offset
        index, times = self.index, self.times
        entries = index.entries if index is not None else iter(())
        time_entries = times.entries if times is not None else iter(())
        at, batches, filled = 0, 0, len(view)
        while True:
            # Everything that the loop needs, taken anew after each batch that was out of the ordinary.
            expected, epoch = self.expected, self.epoch
            top, top_at, top_offset = self.max_timestamp, -1, self.max_offset
            entry_number, entry_offset, entry_before, entry_at = -1, -1, -1, -1
            want = want_offset = NEVER
            if index is not None:
                want, entry_number, entry_offset, entry_before = index.want - begin, index.number, index.offset, index.before
            time_number, entry_time, time_seen, time_offset = -1, -1, -1, -1
            if times is not None:
                want_offset, time_number, entry_time = times.want, times.number, times.regular_timestamp
            first_expected, last_at, odd = expected, -1, False
            while True:
                try:
                    base, length, e, magic, crc, attributes, delta, first_time, time, pid, pe, sequence, count = unpack(
                        view, at
                    )
                except struct.error:
                    break
                end = at + 12 + length
                # A slice ends with the window: the checksum of a batch that says it is longer may still be right.
                if end > filled or checksum(view[at + 21 : end]) != crc or magic != 2 or length < 49:
                    break
                if not (
                    base == expected
                    and delta + 1 == count > 0
                    and e == epoch
                    and low <= time <= high
                    and (
                        (pid == pe == -1 and sequence < 1 and 0 <= attributes < 5)
                        or regular(pid, pe, sequence, base, delta, time, attributes, begin + at)
                    )
                ):
                    odd = True
                    break
                expected = base + count
                if careful_records is not None:
                    careful_records(data, at, end, attributes, count, first_time, time, begin)
                if at >= want:
                    assert index is not None
                    last = base + delta
                    if at == want and entry_offset == last and entry_before < base:
                        entry_before, entry_at = last, at
                        relative, place = next(entries, NO_ENTRY)
                        entry_number += 1
                        entry_offset, want = segment + relative, place - begin
                        if entry_offset <= last or want <= at:
                            index.settle(entry_number - 1, entry_offset, 0, (begin + at, base, last))
                            want, entry_at = index.follow((relative, place)) - begin, -1
                            entry_number, entry_offset = index.number, index.offset
                    else:
                        if entry_at >= 0:
                            index.settle(entry_number, entry_offset, want + begin, self._batch_at(view, entry_at, begin))
                        before = at if last_at < 0 else last_at
                        want, entry_at = index.arrive(begin + at, base, last, begin + before, begin + at) - begin, -1
                        entry_number, entry_offset, entry_before = index.number, index.offset, index.before
                if expected > want_offset:
                    assert times is not None
                    last = base + delta
                    if want_offset == last and entry_time == time and top < time:
                        time_seen, time_offset = time, last
                        entry_time, relative = next(time_entries, NO_ENTRY)
                        time_number += 1
                        want_offset = segment + relative
                        if entry_time <= time or want_offset < last:
                            times.settle(time_number - 1, entry_time, 0, (time, last))
                            want_offset, time_seen = times.follow((entry_time, relative)), -1
                            time_number, entry_time = times.number, times.regular_timestamp
                    else:
                        if time_seen >= 0:
                            times.settle(time_number, entry_time, want_offset, (time_seen, time_offset))
                        spot = BatchSpot(begin + at, begin + end, base, last, e, time)
                        top_position = self.max_position if top_at < 0 else begin + top_at
                        want_offset, time_seen = times.arrive(spot, 2, top, top_position, top_offset), -1
                        time_number, entry_time = times.number, times.regular_timestamp
                if time > top:
                    top, top_at, top_offset = time, at, base + delta
                batches += 1
                last_at = at
                at = end
            if index is not None and entry_at >= 0:
                index.settle(entry_number, entry_offset, want + begin, self._batch_at(view, entry_at, begin))
            if times is not None and time_seen >= 0:
                times.settle(time_number, entry_time, want_offset, (time_seen, time_offset))
            if last_at >= 0:
                self.scan.records += expected - first_expected
                self._store(view, begin, last_at, expected, top, top_at, top_offset)
            if not odd:
                break
            self._batch(RecordBatch.read(bytes(view[at:end]), begin + at), crc_ok=True)
            at = end
        self.scan.batches += batches
        return begin + at

    def _store(self, view: memoryview, begin: int, last_at: int, expected: int, top: int, top_at: int, top_offset: int) -> None:
        """Take over the state of the fast loop."""
        self.expected = expected
        if top_at >= 0:
            self.max_timestamp, self.max_position, self.max_offset = top, begin + top_at, top_offset
        self.any_full = True
        self.max_full = max(self.max_full, self.max_timestamp)
        base, length, epoch, _, _, _, delta, _, time, *_ = _UNPACK(view, last_at)
        position = begin + last_at
        spot = BatchSpot(position, position + 12 + length, base, base + delta, epoch, time)
        self.previous = self.epoch_last = spot
        self._last_is(spot)

    def _last_is(self, spot: BatchSpot) -> None:
        places = self.scan.places
        if spot.position - (places[-1][1] if places else 0) >= _PLACE_INTERVAL:
            places.append((spot.last_offset, spot.position))
        self.scan.last = spot

    def _irregular_records(
        self, data: bytearray, at: int, end: int, attributes: int, count: int, first_time: int, time: int, begin: int
    ) -> None:
        """Look at the records of a batch whose header is ordinary; report them if they are not."""
        found = count_records(data, at + _HEADER, end, count, attributes & 7)
        if (
            found is None
            or found.next_delta != count
            or found.gaps
            or first_time + found.largest != time
            or (found.null_keys and self.task.compacted)
        ):
            batch = RecordBatch.read(bytes(data[at:end]), begin + at)
            self.emit(look_at_records(self.path, batch, compacted=self.task.compacted))
        elif found.null_keys and self.scan.first_keyless is None:
            self.scan.first_keyless = self._base_at(data, at)
        if found is not None:
            self.scan.tombstones += found.null_values

    @staticmethod
    def _batch_at(view: memoryview, at: int, begin: int) -> tuple[int, int, int]:
        """Position, first and last offset of the batch at a place of the window."""
        base, _, _, _, _, _, delta, *_ = _UNPACK(view, at)
        return begin + at, base, base + delta

    @staticmethod
    def _base_at(data: bytearray, at: int) -> int:
        return int.from_bytes(data[at : at + 8], "big")

    def _batch(self, batch: RecordBatch, *, crc_ok: bool) -> None:
        """Judge a magic 2 batch with care."""
        scan, header = self.scan, batch.header
        spot = BatchSpot(
            batch.position,
            batch.position + batch.size,
            header.base_offset,
            batch.last_offset,
            header.partition_leader_epoch,
            header.max_timestamp,
        )
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
        if batch.has_producer and control is None and not batch.is_control:
            self.producers.data(batch)
        if self.task.kraft and control is not None:
            self._kraft_control(control, spot)
        self._epoch(spot)
        if header.records_count > 0:
            self.any_full = True
            self.max_full = max(self.max_full, header.max_timestamp)
        self._odd_times(spot)
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
        if (
            found is None
            or found.next_delta > header.last_offset_delta + 1
            or (found.gaps and header.records_count > header.last_offset_delta)
            or found.gaps
            or not (append_time or header.base_timestamp + found.largest == header.max_timestamp)
            or (found.null_keys and self.task.compacted)
        ):
            self.emit(look_at_records(self.path, batch, compacted=self.task.compacted))
        if found is not None:
            self.scan.tombstones += found.null_values
            if found.null_keys and self.scan.first_keyless is None:
                self.scan.first_keyless = batch.base_offset

    def _control(self, batch: RecordBatch) -> ControlRecords:
        """Decode a control batch; its markers are noted for the replay."""
        decoded: list[tuple[Any, ControlRecord | FormatError]] = []
        problem: Damage | None = None
        for item in batch.walk_records():
            if isinstance(item, Damage):
                problem = item
                break
            try:
                decoded.append((item, read_control_record(item.key, item.value)))
            except FormatError as error:
                decoded.append((item, error))
        subject = ControlRecords(self.path, batch, tuple(decoded), problem, self.task.kraft)
        self.emit(subject)
        header = batch.header
        if header.producer_id >= 0 and not self.task.kraft:
            self.producers.reach(header.base_offset)
            content = decoded[0][1] if decoded else None
            known = isinstance(content, ControlRecord) and content.type_id in (ABORT, COMMIT)
            assert not known or isinstance(content, ControlRecord)
            self.producers.marker(
                Marker(
                    header.producer_id,
                    header.producer_epoch,
                    content.type_id == COMMIT if known else None,  # type: ignore[union-attr]
                    content.fields["coordinatorEpoch"] if known else None,  # type: ignore[union-attr]
                    header.base_offset,
                    decoded[0][0].timestamp if decoded else header.max_timestamp,
                    batch.position,
                    batch.size,
                )
            )
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
        records: LegacyRecords | None = None
        if crc_ok and (batch.compression_id == 0 or not self.quick):
            messages, problem = [], None
            for item in batch.walk_records():
                if isinstance(item, Damage):
                    problem = item
                else:
                    messages.append(item)
            records = LegacyRecords(self.path, batch, tuple(messages), problem)
            scan.records += len(messages)
            if messages:
                base = min(base, messages[0].offset)
            scan.tombstones += sum(message.value is None for message in messages)
            if scan.first_keyless is None and any(message.key is None for message in messages):
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
            self._odd_times(spot)
        self._follow(spot, batch.magic, trusted=base >= 0 and (crc_ok or base == self.expected))

    def _step(self, batch: RecordBatch | LegacyBatch, spot: BatchSpot, *, crc_ok: bool) -> None:
        self.emit(
            BatchStep(
                self.path,
                batch,
                spot,
                self.previous,
                self.expected,
                self.task.base_offset,
                self.top_epoch,
                self.task.kraft,
                self.task.snapshot_epoch,
                crc_ok,
                self.scan.last is None and not self.after_damage,
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

    def _odd_times(self, spot: BatchSpot) -> None:
        time = spot.max_timestamp
        if time > self.high:
            self.future += 1
        elif time < 0:
            self.missing += 1
            self.missing_spot = self.missing_spot or spot
        elif time < ANCIENT_MS:
            self.ancient += 1
            self.ancient_spot = self.ancient_spot or spot

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
                self.path,
                item,
                at_end,
                self.task.active,
                self.task.clean,
                self.previous or self.scan.last,
                following,
                head,
                source.size,
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
