"""Scanning a segment: every byte of its `.log`, with `.index` and `.timeindex` followed along.

The loop over batches is made for the ordinary one: a single merged test on the fields of a header and its checksum. What
is out of the ordinary in any way leaves the loop and is judged with care.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    LEAST_BATCH_LENGTH,
    LOG_OVERHEAD,
    MAGIC_AT,
    NO_PRODUCER_ID,
    RecordBatch,
)
from kafkalog.core.checksum import crc32c
from kafkalog.core.control import ControlRecord
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.line_ends import change_of_log
from kafkalog.core.log import walk
from kafkalog.core.log_digests import DigestNotes
from kafkalog.core.source import WindowedBytes
from kafkalog.errors import FileChanged, KafkalogError, UnreadableFile
from kafkalog.files.read_ahead import WINDOW, ReadAhead
from kafkalog.files.source import FileSource, hashes_of, read_file
from kafkalog.kafka.cleaner_traces import is_cleaned
from kafkalog.replay.producer_events import EventRecorder, transaction_end
from kafkalog.span import Padding, Span
from kafkalog.verify import rules as _rules  # noqa: F401 - fills the registry, in worker processes too
from kafkalog.verify.finding import Severity
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.rules.batches import ZeroProducers
from kafkalog.verify.rules.compaction import Horizons, Large
from kafkalog.verify.rules.order import hole_before
from kafkalog.verify.rules.shared import BatchSpot, BatchStep, MissingOffsets, spot_of
from kafkalog.verify.rules.tails import FileChange, Tail
from kafkalog.verify.scan.fast_loop import FastLoop
from kafkalog.verify.scan.metadata_records import unreadable_records
from kafkalog.verify.scan.odd_times import OddTimesNotes
from kafkalog.verify.scan.parts import WHOLE, PartScan, take_as_right
from kafkalog.verify.scan.records import RecordLook
from kafkalog.verify.scan.results import SegmentScan, SegmentTask
from kafkalog.verify.scan.segment_indexes import SegmentIndexes
from kafkalog.verify.scan.walk_state import NO_EPOCH, WalkState
from kafkalog.verify.scan.zero_runs import zeros_from, zeros_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.batch import Damage
    from kafkalog.files.read_ahead import Buffer
    from kafkalog.replay.regular_records import RegularRecords
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.rules.legacy import LegacyRecords
    from kafkalog.verify.rules.records import ControlRecords
    from kafkalog.verify.scan.key_notes import KeyNotes
    from kafkalog.verify.scan.parts import Part
    from kafkalog.verify.scan.record_lanes import LanesLook

__all__ = ["Scanner", "scan_part", "scan_segment"]

_LEADER_CHANGE = 2
#: Bytes of a log that are looked through for changed line ends.
_LINE_ENDS_BYTES = 4 << 20
#: Findings of one rule about one log that are listed; the others are counted.
_MOST_OF_A_KIND = 10_000
#: The rule about holes.
_HOLE = "offset-gap"
#: Bytes at the beginning of damage that rules look at.
_HEAD_BYTES = 64
#: A last offset delta up to which a batch with a wrong checksum is believed to end where it says.
_MOST_BELIEVED_DELTA = 1 << 24


def scan_part(task: SegmentTask, part: Part) -> PartScan:
    """Scan a part of one segment, by what `scan.parts` says."""
    scanner = Scanner(task, 1, part)
    scan = scanner.run()
    return PartScan(scan, scanner.begun, scanner.reached)


def scan_segment(task: SegmentTask, threads: int = 1, keys: KeyNotes | None = None) -> SegmentScan:
    """Scan one segment. Never raises on data or on files; what cannot be read is in the result.

    With 2 `threads`, one reads while the other checks; that pays where a core is free and records are not looked at. `keys`
    takes those of the records, as far as it wants them.
    """
    return Scanner(task, threads if task.settings.quick else 1, keys=keys).run()


class Scanner:
    """One scan, of a segment or of a part of it.

    `begun` and `reached` are what a `PartScan` says.
    """

    def __init__(self, task: SegmentTask, threads: int, part: Part = WHOLE, keys: KeyNotes | None = None) -> None:
        self._task = task
        self._keys = keys
        self._threads = threads
        self._part = part
        self.begun = None if part.begin else ""
        self.reached: str | None = None
        #: Whether nothing was found that headers do not tell.
        self._as_trusted = True
        self._quick = task.settings.quick
        self._looks_at_records = not self._quick
        self._path = task.paths.get(".log", "")
        self._state = WalkState()
        self._indexes = SegmentIndexes(task, 0, None, None)
        self._producers = EventRecorder(task.cuts, folds=True)
        self._times = OddTimesNotes(task.settings.now)
        self._regular = _regular_records(task.topic) if self._looks_at_records else None
        self._records = RecordLook(
            self._path,
            self._times,
            emit=self._emit_of_records,
            skip=self._skip,
            compacted=task.compacted,
            kraft=task.kraft,
            keys=keys,
            regular=self._regular,
        )
        self._findings: list[Finding] = []
        self._found: Counter[str] = Counter()
        self._not_checked: list[tuple[str, str]] = []
        self._failures: list[tuple[str, str]] = []
        self._files = self._bytes_read = self._size = self._inode = 0
        self._magics: set[int] = set()
        self._last_legacy = -1
        self._horizons: Horizons | None = None
        self._large: Large | None = None
        self._leader_changes: list[tuple[int, int]] = []
        self._line_ends: dict[str, str] = {}
        self._preallocated = False
        self._digests = DigestNotes() if task.settings.digests else None
        self._source: FileSource | None = None

    # --- results ---

    def _emit(self, subject: Any) -> None:
        """Note what the rules say about a subject."""
        for finding in findings_of(subject):
            if not (self._is_compacted() and RULES[finding.id].history):
                self._found[finding.id] += 1
                if self._found[finding.id] <= _MOST_OF_A_KIND:
                    self._findings.append(finding)

    def _is_compacted(self) -> bool:
        """Whether the log is known to have been compacted: quick checks read no keys, which could say that it was not."""
        return self._task.compacted or (self._quick and self._state.compaction_evidence is not None)

    def _emit_of_records(self, subject: Any) -> None:
        found = self._found.total()
        self._emit(subject)
        self._as_trusted &= self._found.total() == found

    def _skip(self, what: str) -> None:
        """Something in the log is not looked at."""
        self._not_checked.append((self._path, what))

    def _fail(self, error: UnreadableFile) -> None:
        """A file cannot be read."""
        self._failures.append((error.path, error.reason))

    def _result(self) -> SegmentScan:
        state, task = self._state, self._task
        return SegmentScan(
            base_offset=task.base_offset,
            path=self._path,
            findings=tuple(self._findings),
            size=self._size,
            batches=state.batches,
            records=state.records,
            first=state.first,
            last=state.last,
            valid_position=state.valid_position,
            valid_offset=state.valid_offset,
            max_timestamp=state.max_timestamp,
            epochs=tuple(state.epochs),
            events=tuple(self._producers.finish()),
            last_hole=self._producers.last_hole,
            compaction_evidence=state.compaction_evidence,
            tombstones=self._records.tombstones,
            horizons=self._horizons,
            large=self._large,
            magics=frozenset(self._magics),
            last_legacy=self._last_legacy,
            damaged=state.damaged,
            hashes=hashes_of(task.paths.values(), self._fail) if task.settings.hash and self.reached is None else {},
            not_checked=tuple(self._not_checked),
            over_limit=self._records.over_limit,
            regular_versions=self._regular_versions(),
            are_records_regular=not self._quick and not self._magics and not self._records.has_looked_closer,
            failures=tuple(self._failures),
            files=self._files,
            bytes_read=self._bytes_read,
            inode=self._inode,
            places=tuple(state.places),
            line_ends=self._line_ends,
            preallocated=self._preallocated,
            first_keyless=self._records.first_keyless,
            leader_changes=tuple(self._leader_changes),
            digests=None if self._digests is None or state.damaged or self._magics else self._digests.digests(),
        )

    def _regular_versions(self) -> frozenset[tuple[int, int]] | None:
        regular = self._regular
        is_known = regular is not None and regular.are_all and not self._state.damaged
        return frozenset(regular.versions) if regular is not None and is_known else None

    def _is_irregular(self) -> None:
        """Something in the log is not as `RegularRecords` wants it."""
        if self._regular is not None:
            self._regular.give_up()

    # --- files ---

    def run(self) -> SegmentScan:
        """Scan the segment's files."""
        try:
            if self._path:
                self._scan()
        except UnreadableFile as error:
            self._fail(error)
            self._is_irregular()
            if self._keys is not None:
                self._keys.give_up()
            self._state.damaged = True
            if isinstance(error, FileChanged) and error.path == self._path:
                self._changed(error.size_before, error.size_now)
        for kind, count in self._found.items():
            if count > _MOST_OF_A_KIND:
                self._skip(f"{count - _MOST_OF_A_KIND} more of {kind}: not listed one by one")
        self._state.close_epoch()
        return self._result()

    def _scan(self) -> None:
        task = self._task
        self._files += 1
        # Before the log's size is taken: a running broker appends to the log first.
        siblings = self._sibling(".index"), self._sibling(".timeindex")
        with FileSource(self._path) as source:
            self._source = source
            self._size, self._inode = source.size, source.inode
            self._indexes = SegmentIndexes(task, source.size, *siblings)
            if not self._walk(source):
                return
            for subject in self._indexes.finish(self._state, source, self._is_log_sound, any_magic_0=0 in self._magics):
                self._emit(subject)
            self._preallocated = self._indexes.is_preallocated
            self._not_checked.extend(self._indexes.unlisted())
            self._take_back_what_line_ends_explain(source)
            grown = source.grown
            if grown is not None or source.is_rewritten:
                self._changed(source.size, source.size if grown is None else grown.size_now)
        if grown is not None and not task.active:
            self._fail(grown)
        elif grown is not None:
            self._skip(f"bytes from {grown.size_before} on: appended during the scan")
        self._bytes_read += self._size
        if self._producers.zeros:
            position, first, last = self._producers.first_zeros
            span = Span(position, position + BATCH_HEADER.size)
            self._emit(ZeroProducers(path=self._path, batches=self._producers.zeros, span=span, offsets=(first, last)))
        times = self._times.of_segment(self._path)
        if times is not None:
            self._emit(times)

    def _changed(self, size_before: int, size_now: int) -> None:
        """The log changed while it was read."""
        self._emit(FileChange(path=self._path, size_before=size_before, size_now=size_now, active=self._task.active))

    def _sibling(self, suffix: str) -> bytes | None:
        path = self._task.paths.get(suffix)
        if path is None:
            return None
        self._files += 1
        try:
            data = read_file(path)
        except UnreadableFile as error:
            self._fail(error)
            return None
        self._bytes_read += len(data)
        return data

    def _take_back_what_line_ends_explain(self, source: FileSource) -> None:
        """Note the files whose line ends were changed; what was found in them is a consequence."""
        wrong = {found.path for found in self._findings if found.severity >= Severity.WARNING}
        of_log = None
        if self._state.damaged or self._path in wrong:
            of_log = change_of_log(source.read(0, _LINE_ENDS_BYTES))
        changed = {} if of_log is None else {self._path: of_log}
        changed |= self._indexes.changed_line_ends(wrong, of_log)
        self._line_ends = changed
        if changed:
            self._findings = [] if of_log is not None else [found for found in self._findings if found.path not in changed]

    def _is_log_sound(self) -> bool:
        """Whether the walk over the `.log` has found nothing wrong."""
        wrong = any(found.path == self._path and found.severity >= Severity.WARNING for found in self._findings)
        return not wrong and not self._state.damaged

    # --- the log ---

    def _walk(self, source: FileSource) -> bool:
        """Go over the log; whether its end was reached, and not only that of a part."""
        position, size, stop = 0, source.size, self._part.end
        if self._part.begin:
            begin = self._take_on_trust(source)
            if begin is None:
                return False
            position, self.begun = begin, self._known(begin)
        takes_lanes = self._task.settings.lanes and not (self._quick or self._task.kraft or self._regular is not None)
        lanes = _lanes_look(self._records) if takes_lanes else None
        loop = self._loop(look=None if self._quick else lanes or self._records, judge=self.judge)
        work = self._digested(loop)
        window = WINDOW if lanes is None else 2 * WINDOW
        read_ahead = None if self._task.kraft else ReadAhead(source, self._threads, window, stop)
        while position < size:
            if read_ahead is not None:
                position = read_ahead.run(position, work)
                if position >= size:
                    break
            if stop is not None and (batch := _framed(source, position)) is not None and batch.span.end > stop:
                if self._is_as_trusted(source):
                    self.reached = self._known(position)
                    return False
                stop, read_ahead = None, ReadAhead(source, self._threads, window)
                continue
            for item in walk(source, position):
                if isinstance(item, RecordBatch):
                    self.judge(item, crc_ok=item.crc_ok)
                    if self._digests is not None:
                        self._digests.take(bytes(item.data[:ATTRIBUTES_AT]), 0, ATTRIBUTES_AT)
                elif isinstance(item, LegacyBatch):
                    self._judge_legacy(item)
                else:
                    self._judge_gap(source, item)
                position = item.span.end
                if read_ahead is not None and isinstance(item, RecordBatch):
                    break
        self._state.finish()
        return True

    def _loop(
        self,
        *,
        look: RecordLook | LanesLook | None = None,
        judge: Callable[..., None],
        checksum: Callable[[memoryview], object] = crc32c,
    ) -> FastLoop:
        return FastLoop(
            state=self._state,
            base_offset=self._task.base_offset,
            indexes=self._indexes,
            producers=self._producers,
            look=look,
            judge=judge,
            latest=self._times.latest,
            largest=self._task.settings.large - LOG_OVERHEAD,
            is_compacted=self._is_compacted,
            note_hole=self._note_hole,
            has_horizons=lambda: self._horizons is not None,
            note_horizon=self._note_horizon,
            checksum=checksum,
        )

    def _digested(self, loop: FastLoop) -> Callable[[Buffer, int], tuple[int, bool]]:
        return loop.run if self._digests is None else partial(_digested, loop.run, self._digests)

    # --- parts of a log ---

    def _take_on_trust(self, source: FileSource) -> int | None:
        """Go over the batches before the part; gives where it begins, None when headers do not lead there."""
        end = self._part.begin
        read_ahead = ReadAhead(source, self._threads, WINDOW, end)
        work = self._digested(self._loop(judge=self.judge, checksum=take_as_right))
        self._looks_at_records = False
        position = read_ahead.run(0, work)
        while (batch := _framed(source, position)) is not None and batch.span.end <= end:
            self.judge(batch, crc_ok=True)
            if self._digests is not None:
                self._digests.take(bytes(batch.data[:ATTRIBUTES_AT]), 0, ATTRIBUTES_AT)
            position = read_ahead.run(batch.span.end, work)
        self._looks_at_records = not self._quick
        return None if batch is None else position

    def _is_as_trusted(self, source: FileSource) -> bool:
        """Whether nothing was found that who takes these batches on trust does not know."""
        looked_at = not (self._records.over_limit or self._times.of_records or self._magics or self._state.damaged)
        return self._as_trusted and looked_at and not source.is_rewritten

    def _known(self, position: int) -> str:
        """What stands for all that is known at a position of the log, from the headers of the batches before."""
        findings = [tuple(finding) for finding in self._findings]
        return sha256(repr((position, self._state.known(), self._producers.known(), findings)).encode()).hexdigest()

    def judge(self, batch: RecordBatch, *, crc_ok: bool) -> None:
        """Judge a magic 2 batch with care."""
        state, producers = self._state, self._producers
        stored_base = batch.base_offset
        limit = self._limit_of(stored_base, batch.span.end) if crc_ok else None
        base = self._proved_base(stored_base, batch.header.last_offset_delta, limit)
        batch = batch if base == stored_base else batch.with_base_offset(base)
        header = batch.header
        spot = spot_of(batch)
        is_wrong = stored_base != batch.base_offset
        if is_wrong or not crc_ok or header.records_count <= 0 or header.last_offset_delta < 0:
            self._is_irregular()
        if crc_ok:
            self._note_cleaning(batch, spot)
        self._judge_step(batch, spot, crc_ok=crc_ok, stored_base=stored_base if is_wrong else None, limit=limit)
        state.batches += 1
        if not crc_ok:
            state.note_damage()
            producers.blind(spot.base_offset)
            is_first = state.last is None and not state.after_damage
            expected = self._task.base_offset if is_first else state.expected
            believed = header.base_offset == expected and 0 <= header.last_offset_delta < _MOST_BELIEVED_DELTA
            self._follow(spot, 2, trusted=believed)
            return
        state.records += max(0, header.records_count)
        if batch.size > self._task.settings.large:
            self._note_large(spot, header.producer_id)
        control = self._judge_control(batch) if batch.is_control else None
        if self._looks_at_records and (control is None or control.problem is None):
            self._records.look_at(batch)
        producers.reach(spot.base_offset)
        if header.producer_id == NO_PRODUCER_ID and header.producer_epoch == header.base_sequence == 0:
            producers.zero(batch.position, spot.base_offset, spot.last_offset)
        if spot.base_offset != state.expected and state.last is not None:
            producers.hole(spot.base_offset)
        if batch.has_producer and control is None:
            producers.data(batch)
        if self._task.kraft and control is not None:
            self._note_leader(control, spot)
        elif self._task.kraft and not self._quick:
            for record in unreadable_records(self._path, batch):
                self._emit(record)
        state.follow_epoch(spot)
        if header.records_count > 0:
            state.hold_records(header.max_timestamp)
        self._times.note_batch(spot, header.base_timestamp)
        self._follow(spot, 2, trusted=header.last_offset_delta >= 0)

    def _limit_of(self, base: int, end: int) -> int | None:
        """The offset at which what follows a batch begins; None: not known, or the batch is where it is expected.

        Args:
            base: Its base offset.
            end: Where it ends in the file.
        """
        if self._state.after_damage or self._source is None or base == self._next_offset():
            return None
        if end >= self._source.size:
            return self._task.following
        window = self._source.window(end, BATCH_HEADER.size)
        head = window.data[end - window.start : end - window.start + BATCH_HEADER.size]
        if len(head) == BATCH_HEADER.size and head[MAGIC_AT] == 2:
            return BATCH_HEADER.read(head).base_offset
        following = _batch_from(self._source, end)
        return None if following is None else following.base_offset

    def _proved_base(self, stored: int, delta: int, limit: int | None) -> int:
        """The base offset that its neighbours prove a batch to have had; the stored one where they prove no other.

        Args:
            stored: The one that it has.
            delta: How far its last offset is from it.
            limit: The offset at which what follows begins.
        """
        low = self._next_offset()
        if limit is None or self._task.snapshot_epoch is not None or delta < 0 or (low <= stored and stored + delta < limit):
            return stored
        if low + delta + 1 == limit:
            return low
        proved = [base for bit in range(64) if low <= (base := stored ^ (1 << bit)) and base + delta < limit]
        return proved[0] if len(proved) == 1 else stored

    def _judge_step(
        self,
        batch: RecordBatch | LegacyBatch,
        spot: BatchSpot,
        *,
        crc_ok: bool,
        stored_base: int | None = None,
        limit: int | None = None,
    ) -> None:
        state = self._state
        step = BatchStep(
            path=self._path,
            batch=batch,
            spot=spot,
            previous=state.previous,
            expected=state.expected,
            segment_base=self._task.base_offset,
            top_epoch=state.top_epoch,
            kraft=self._task.kraft,
            snapshot_epoch=self._task.snapshot_epoch,
            crc_ok=crc_ok,
            first=state.last is None and not state.after_damage,
            compacted=self._is_compacted(),
            lost=None if crc_ok else self._offsets_of_damaged(batch, spot),
            stored_base=stored_base,
            limit=limit,
            zeros="" if crc_ok or self._source is None else _zeros_in(self._source, batch.span),
        )
        self._emit(step)
        hole = hole_before(step)
        if hole is not None:
            self._emit(hole)

    def _note_hole(self, first: int, last: int, span: Span) -> None:
        """Offsets are missing between two batches of a log that is not known to have been compacted."""
        if self._found[_HOLE] < _MOST_OF_A_KIND:
            self._emit(MissingOffsets(self._path, span, first, last))
        else:
            self._found[_HOLE] += 1

    def _offsets_of_damaged(self, batch: RecordBatch | LegacyBatch, spot: BatchSpot) -> tuple[int, int] | None:
        """The offsets that a batch with a wrong checksum took: by its neighbours, and by its own fields where these agree.

        In a log that may have holes its own fields tell more than its neighbours; and a wrapper tells no first offset.
        """
        low, high = self._next_offset(), self._last_before(batch.span.end)
        most = low + _MOST_BELIEVED_DELTA if high is None else high
        own = self._task.compacted and low <= spot.base_offset <= most
        first = spot.base_offset if own else low
        believed = first <= spot.last_offset <= most
        if believed and (high is None or self._task.compacted or isinstance(batch, LegacyBatch)):
            return first, spot.last_offset
        return None if high is None else (first, high)

    def _next_offset(self) -> int:
        """The offset that is expected here: what follows the batch before, or the segment's base offset."""
        last = self._state.previous or self._state.last
        return self._task.base_offset if last is None else last.last_offset + 1

    def _last_before(self, position: int) -> int | None:
        """The last offset that a batch which ends at a position can have, by the batch or segment after it; None: not known."""
        if self._source is None:
            return None
        if position < self._source.size:
            following = _batch_from(self._source, position)
            is_later = following is not None and following.base_offset > self._next_offset()
            return following.base_offset - 1 if following is not None and is_later else None
        return None if self._task.following is None else self._task.following - 1

    def _follow(self, spot: BatchSpot, magic: int, *, trusted: bool) -> None:
        """Go on to the end of a batch; the offsets of one that is not `trusted` prove nothing."""
        state = self._state
        state.after_damage = not trusted
        self._indexes.follow(spot, magic, state, trusted=trusted)
        if trusted:
            state.follow(spot)
        else:
            state.lose_order()

    def _note_cleaning(self, batch: RecordBatch, spot: BatchSpot) -> None:
        """Note what only the log cleaner leaves."""
        header, horizon = batch.header, batch.delete_horizon_ms
        if self._state.compaction_evidence is None and is_cleaned(batch):
            self._state.compaction_evidence = spot.base_offset
        if horizon is not None and header.records_count > 0:
            if self._horizons is None:
                self._horizons = Horizons(1, horizon, horizon, spot)
            else:
                self._note_horizon(horizon)

    def _note_horizon(self, horizon: int) -> None:
        assert self._horizons is not None
        self._horizons = self._horizons.with_one(horizon)

    def _note_large(self, spot: BatchSpot, producer_id: int) -> None:
        noted = self._large
        self._large = Large(1, spot, producer_id) if noted is None else noted.with_one(spot, producer_id)

    # --- control batches ---

    def _judge_control(self, batch: RecordBatch) -> ControlRecords:
        """Decode a control batch; its markers are noted for the replay."""
        control = self._records.control(batch)
        self._emit(control)
        if control.problem is not None or not all(isinstance(content, ControlRecord) for _, content in control.records):
            self._is_irregular()
        header, decoded = batch.header, control.records
        if header.producer_id >= 0 and not self._task.kraft:
            self._producers.reach(header.base_offset)
            record, content = decoded[0] if decoded else (None, None)
            timestamp = header.max_timestamp if record is None else record.timestamp
            marker = content if isinstance(content, ControlRecord) else None
            self._producers.end(transaction_end(batch, header.base_offset, timestamp, marker))
        return control

    def _note_leader(self, control: ControlRecords, spot: BatchSpot) -> None:
        for _, content in control.records:
            if isinstance(content, ControlRecord) and content.type_id == _LEADER_CHANGE:
                self._leader_changes.append((spot.epoch, spot.base_offset))

    # --- what is no batch of magic 2 ---

    def _judge_legacy(self, batch: LegacyBatch) -> None:
        """Judge a message or wrapper of magic 0 or 1."""
        state, crc_ok, base = self._state, batch.crc_ok, batch.last_offset
        state.batches += 1
        self._magics.add(batch.magic)
        records: LegacyRecords | None = None
        if crc_ok and (batch.compression_id == 0 or not self._quick):
            records = self._records.legacy(batch)
            state.records += records.messages
            if records.messages:
                base = min(base, records.first_offset)
        elif batch.compression_id:
            # Only decompression tells where a wrapper begins; without it, where it may begin at the earliest.
            base = min(base, state.expected if state.expected >= 0 else max(0, self._task.base_offset))
        stored_base, delta = base, batch.last_offset - base
        limit = self._limit_of(base, batch.span.end) if records is not None else None
        base = self._proved_base(base, delta, limit)
        spot = BatchSpot(
            position=batch.position,
            end=batch.position + batch.size,
            base_offset=base,
            last_offset=base + delta,
            epoch=NO_EPOCH,
            max_timestamp=batch.max_timestamp,
        )
        self._last_legacy = max(self._last_legacy, spot.last_offset)
        self._producers.hole(spot.last_offset + 1)  # offsets inside a wrapper are not followed
        self._judge_step(batch, spot, crc_ok=crc_ok, stored_base=stored_base if base != stored_base else None, limit=limit)
        if batch.size > self._task.settings.large and crc_ok:
            self._note_large(spot, NO_PRODUCER_ID)
        if not crc_ok:
            state.note_damage()
        elif records is not None:
            self._emit(records)
        state.hold_records(batch.max_timestamp)
        if batch.magic and crc_ok:
            self._times.note_batch(spot, spot.max_timestamp)
        self._follow(spot, batch.magic, trusted=base >= 0 and (crc_ok or base == state.expected))

    def _judge_gap(self, source: FileSource, item: Damage | Padding) -> None:
        """Judge bytes that are no batch."""
        state, task = self._state, self._task
        active, clean = task.active, task.clean
        if not isinstance(item, Padding):
            self._is_irregular()
        at_end = item.span.end >= source.size
        following = None if at_end else _batch_from(source, item.span.end)
        self._emit(
            Tail(
                path=self._path,
                item=item,
                at_end=at_end,
                active=active,
                clean=clean,
                previous=state.previous or state.last,
                next=following,
                head=source.read(item.span.start, _HEAD_BYTES),
                size=source.size,
                expected=self._next_offset(),
                following=task.following,
                zeros="" if isinstance(item, Padding) else _zeros_in(source, item.span),
            )
        )
        if not (at_end and active and not clean):
            state.note_damage()
        if not at_end:
            self._producers.blind(-1 if following is None else following.base_offset)
            state.lose_order()
            state.after_damage = True
            self._indexes.skip(item.span.end, following)


def _digested(
    run: Callable[[Buffer, int], tuple[int, bool]], digests: DigestNotes, buffer: Buffer, position: int
) -> tuple[int, bool]:
    """Go over batches in a buffer, and take their digests."""
    reached, more = run(buffer, position)
    digests.take(buffer.data, position - buffer.begin, reached - buffer.begin)
    return reached, more


def _framed(source: FileSource, position: int) -> RecordBatch | None:
    """The batch of magic 2 at a position, whatever it holds; None: there is none that ends in the log."""
    head = source.read(position, BATCH_HEADER.size)
    if len(head) < BATCH_HEADER.size:
        return None
    header = BATCH_HEADER.read(head)
    size = LOG_OVERHEAD + header.batch_length
    if header.magic != 2 or header.batch_length < LEAST_BATCH_LENGTH or position + size > source.size:
        return None
    return RecordBatch(header, position, WindowedBytes(source, position, size))


def _lanes_look(look: RecordLook) -> LanesLook | None:
    """A look at the records of many batches at once; None: numpy is not installed."""
    try:
        from kafkalog.verify.scan.record_lanes import LanesLook
    except ImportError:
        return None
    return LanesLook(look)


def _regular_records(topic: str) -> RegularRecords | None:
    """What notes the records of a coordinator's topic; None: those of this topic are not noted."""
    if not topic:
        return None
    from kafkalog.replay.regular_records import NOTED_TOPICS, RegularRecords

    return RegularRecords(topic) if topic in NOTED_TOPICS else None


def _zeros_in(source: FileSource, damaged: Span) -> str:
    found = zeros_from(source, damaged.start, damaged.end)
    return "" if found is None else zeros_text(found)


def _first_offset(batch: RecordBatch | LegacyBatch) -> int:
    """The first offset of a batch; the last one of a wrapper that cannot be read."""
    if isinstance(batch, LegacyBatch) and not batch.crc_ok:
        return batch.header.offset
    first: int = batch.last_offset
    with suppress(KafkalogError):
        first = batch.base_offset
    return first


def _batch_from(source: FileSource, position: int) -> BatchSpot | None:
    """The batch that begins at a position; None when there is none."""
    batch = next(iter(walk(source, position)), None)
    if not isinstance(batch, RecordBatch | LegacyBatch):
        return None
    return BatchSpot(
        position=batch.position,
        end=batch.position + batch.size,
        base_offset=_first_offset(batch),
        last_offset=batch.last_offset,
        epoch=NO_EPOCH,
        max_timestamp=-1,
    )
