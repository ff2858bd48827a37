"""Remote storage beside the local logs: what was copied, what is there, and what the segments there hold."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.checkpoint import read_leader_epochs
from kafkalog.core.filename import parse_remote_file_name
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.spoken import offsets_spoken
from kafkalog.core.transaction_index import read_transaction_index
from kafkalog.errors import UnreadableFile, WorkerLost
from kafkalog.files.aiven import AIVEN_KEYS, missing_key
from kafkalog.files.paths import join
from kafkalog.files.source import read_file
from kafkalog.replay.remote_segments import COPY_FINISHED, COPY_STARTED, DELETE_FINISHED, DELETE_STARTED
from kafkalog.span import Span
from kafkalog.verify.report import NotChecked, PartitionReport, in_order
from kafkalog.verify.rule import RULES, findings_of, loss_of
from kafkalog.verify.rules.tiers import (
    RESTORE_INDEX,
    RESTORE_OBJECT,
    CorruptChunk,
    MissingObjects,
    OtherOffsets,
    OtherSize,
    RemoteEpochs,
    RemoteGap,
    UncountedObjects,
    UnfinishedSegment,
    UnknownObject,
    UnusableIndex,
)
from kafkalog.verify.scan.journal import Pending, noted_or_begun
from kafkalog.verify.scan.remote import scan_encoded
from kafkalog.verify.scan.results import SegmentScan, SegmentTask
from kafkalog.verify.scan.segment import scan_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from kafkalog.core.remote_manifest import Manifest
    from kafkalog.files.tier import RemotePartition, RemoteSegment
    from kafkalog.replay.remote_segments import KnownPartition, KnownSegment
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.journal import ScanJournal
    from kafkalog.verify.scan.results import Settings

__all__ = ["LocalLog", "Tier", "copied_ranges", "expected_path", "not_lost", "scan_tier", "tier_report", "tier_subjects"]

#: Segments that are scanned ahead.
_AHEAD = 64
_REQUIRED = (".index", ".timeindex", ".snapshot", ".leader_epoch_checkpoint")


class LocalLog(NamedTuple):
    """The local log of a partition: its log start offset (None: not known), its first offset, the one after its last."""

    path: str
    log_start: int | None
    first: int
    end: int | None


class Tier(NamedTuple):
    """One partition of remote storage, with all that is known of it.

    Args:
        path: Where what is found is told.
        store: What is there; None: remote storage was not given.
        scans: Of its segments, by id, as far as they could be read.
        known: By `__remote_log_metadata`; None: there is no record of it.
        is_whole: Whether what that does not tell of was never there.
        local: Its local log; None: it is not here.
    """

    path: str
    store: RemotePartition | None = None
    scans: dict[str, SegmentScan] = {}  # noqa: RUF012 - never changed
    known: KnownPartition | None = None
    is_whole: bool = False
    local: LocalLog | None = None

    @property
    def segments(self) -> dict[str, RemoteSegment]:
        """What is there, by id."""
        return {} if self.store is None else {one.name.segment_id: one for one in self.store.segments}


# --- scanning -----------------------------------------------------------------------------------------------------------


class ScannedTier(NamedTuple):
    """What the scans of a partition's segments brought back, by id; and what was not looked at."""

    scans: dict[str, SegmentScan]
    not_checked: list[NotChecked]


def scan_tier(
    store: RemotePartition, settings: Settings, executor: Executor | None, journal: ScanJournal | None
) -> ScannedTier:
    """Scan the segments of a partition in remote storage."""
    found = ScannedTier({}, [])
    readable = [segment for segment in store.segments if ".log" in segment.paths]
    locked: dict[str, int] = {}
    for segment in readable:
        name = None if segment.manifest is None else missing_key(segment.manifest)
        if name is not None:
            locked[name] = locked.get(name, 0) + 1
    for name, count in locked.items():
        which = f"{count} of its {len(store.segments)} segments {'is' if count == 1 else 'are'}"
        reason = f"{which} encrypted with the key {name!r}, which was not given: --aiven-key {name}=FILE.pem"
        found.not_checked.append(NotChecked(store.path, reason, failed=True))
    begun: deque[tuple[RemoteSegment, SegmentScan | Pending]] = deque()
    for segment in readable:
        if segment.manifest is None or missing_key(segment.manifest) is None:
            begun.append((segment, _begun(segment, store.path, settings, executor, journal)))
        while len(begun) > _AHEAD:
            _take_in(found, *begun.popleft())
    for one in begun:
        _take_in(found, *one)
    return found


def _begun(
    segment: RemoteSegment, folder: str, settings: Settings, executor: Executor | None, journal: ScanJournal | None
) -> SegmentScan | Pending:
    is_plain = segment.manifest is None
    objects = () if is_plain else [join(folder, f"{segment.name.stem}{suffix}") for suffix in sorted(segment.objects)]
    scan: Callable[[SegmentTask], SegmentScan] = scan_segment if is_plain else partial(scan_encoded, AIVEN_KEYS.get() or {})
    task = _task(segment, settings)
    place = None if journal is None else journal.place_of(task, objects)
    return noted_or_begun(place, executor, lambda: scan(task), lambda there: Pending.of(there.submit(scan, task), place))


def _take_in(found: ScannedTier, segment: RemoteSegment, scan: SegmentScan | Pending) -> None:
    try:
        found.scans[segment.name.segment_id] = scan if isinstance(scan, SegmentScan) else scan.result()
    except WorkerLost as error:
        path, base = segment.paths[".log"], segment.name.base_offset
        lost = SegmentScan(base_offset=base, path=path, damaged=True, failures=((path, str(error)),))
        found.scans[segment.name.segment_id] = lost


def _task(segment: RemoteSegment, settings: Settings) -> SegmentTask:
    paths: dict[str, str] = {s: segment.paths[s] for s in (".log", ".index", ".timeindex") if s in segment.paths}
    return SegmentTask(base_offset=segment.name.base_offset, paths=paths, settings=settings)


# --- findings -----------------------------------------------------------------------------------------------------------


def tier_report(tier: Tier, not_checked: Iterable[NotChecked]) -> PartitionReport:
    """What is said of a partition in remote storage."""
    assert tier.store is not None
    scans = [tier.scans[segment_id] for segment_id in tier.segments if segment_id in tier.scans]
    damaged = next((scan for scan in scans if scan.damaged), None)
    whole = damaged or (scans[-1] if scans else None)
    starts = [segment.name.base_offset for segment in tier.store.segments]
    ends = [end for _, end in _ranges(tier)]
    valid = None
    if whole is not None:
        valid = whole.base_offset - 1 if whole.valid_offset is None else whole.valid_offset
    name = tier.store.name
    return PartitionReport(
        path=tier.path,
        topic=None if name is None else name.topic,
        partition=None if name is None else name.partition,
        findings=in_order(_held_elsewhere(tier, finding) for finding in (*_own(tier), *_asked(tier))),
        valid_through_offset=valid,
        valid_file="" if whole is None else whole.path,
        valid_position=0 if whole is None else whole.valid_position,
        log_start_offset=min(starts, default=None),
        log_end_offset=max(ends) + 1 if ends else None,
        segments=len(tier.store.segments),
        batches=sum(scan.batches for scan in scans),
        records=sum(scan.records for scan in scans),
        bytes=sum(scan.bytes_read for scan in scans),
        readable=not any(item.failed for item in not_checked) and not any(scan.is_unread for scan in scans),
        files=sum(scan.files for scan in scans),
        hashes=tuple(sorted((path, digest) for scan in scans for path, digest in scan.hashes.items())),
        topic_id=None if name is None else name.topic_id,
        is_remote=True,
    )


def _asked(tier: Tier) -> Iterator[Finding]:
    for subject in tier_subjects(tier):
        yield from findings_of(subject)


def _held_elsewhere(tier: Tier, finding: Finding) -> Finding:
    """A finding about a segment, without the offsets that are somewhere else, or count no longer."""
    name = parse_remote_file_name(os.path.basename(finding.path))
    if name is None or finding.offsets is None or loss_of(finding) is None or finding.id == "remote-object-missing":
        return finding  # what is missing has been looked for elsewhere
    lost = _uncovered(*finding.offsets, _covers(tier, {name.segment_id}))
    if lost == [finding.offsets]:
        return finding
    offsets = (lost[0][0], lost[-1][1]) if lost else None
    return finding._replace(offsets=offsets, consequence=f"{finding.consequence}{_held(tier, finding.offsets, lost)}")


def _own(tier: Tier) -> Iterator[Finding]:
    """What the scans found, in the words of remote storage: nothing there is cut or rebuilt by the start of a broker."""
    for scan in tier.scans.values():
        chunks = [Span(c.original.position, c.original.position + c.original.size) for c in scan.bad_chunks]
        for finding in scan.findings:
            if not chunks or (finding.path == scan.path and not _touches(finding, chunks)):
                yield _retold(finding, is_log=finding.path == scan.path)


def _touches(finding: Finding, chunks: Iterable[Span]) -> bool:
    """Whether a finding is about bytes of a chunk that could not be read, which were taken for zeros."""
    span = finding.span
    return span is None or any(span.start < chunk.end and chunk.start < span.end for chunk in chunks)


def _retold(finding: Finding, *, is_log: bool) -> Finding:
    foretold = RULES[finding.id].foretold_of(finding)
    consequence = finding.consequence
    for sentence in (foretold.clean, foretold.unclean):
        consequence = consequence.removesuffix(sentence).rstrip() if sentence else consequence
    remedy = RESTORE_OBJECT if is_log else RESTORE_INDEX
    return finding._replace(consequence=consequence or finding.consequence, remedy=remedy, commands=())


def tier_subjects(tier: Tier) -> Iterator[Any]:
    """What the rules are asked about a partition in remote storage."""
    yield from _missing(tier)
    yield from _gaps(tier)
    yield from _unfinished(tier)
    for segment_id, segment in tier.segments.items():
        stated = None if tier.known is None else tier.known.segments.get(segment_id)
        if stated is None or stated.state == COPY_FINISHED:
            yield from _of_segment(tier, segment, stated)
        if tier.known is not None and tier.is_whole:
            yield from _unknown(segment, stated, tier)


def _is_there(segment: RemoteSegment | None) -> bool:
    """Whether a segment's log can be read, but for what is wrong in it."""
    return segment is not None and ".log" in segment.objects and (not segment.is_encoded or ".rsm-manifest" in segment.objects)


def _missing(tier: Tier) -> Iterator[MissingObjects]:
    if tier.store is None or tier.known is None or tier.known.deleted:
        return
    segments = tier.segments
    finished = tier.known.in_state(COPY_FINISHED)
    for is_missing, group in groupby(finished, key=lambda one: not _is_there(segments.get(one.segment_id))):
        missing = list(group)
        if is_missing:
            yield _missing_together(tier, missing)


def _missing_together(tier: Tier, missing: list[KnownSegment]) -> MissingObjects:
    names = [_object(tier, one) for one in missing]
    starts = [one.start_offset for one in missing if one.start_offset is not None]
    ends = [one.end_offset for one in missing if one.end_offset is not None]
    stated = (min(starts), max(ends)) if starts and ends else None
    lost = [] if stated is None else _uncovered(*stated, _covers(tier, {one.segment_id for one in missing}))
    return MissingObjects(
        path=join(tier.path, names[0]),
        names=tuple(names),
        stated=stated,
        offsets=(lost[0][0], lost[-1][1]) if lost else None,
        metadata=missing[0].path,
        at=missing[0].offset,
        held=_held(tier, stated, lost),
    )


def _object(tier: Tier, segment: KnownSegment) -> str:
    """Which object of a segment is missing: its log, or Aiven's manifest."""
    there = tier.segments.get(segment.segment_id)
    suffix = ".log" if there is None or ".log" not in there.objects else ".rsm-manifest"
    return _stem(segment) + suffix


def _stem(segment: KnownSegment) -> str:
    return segment.segment_id if segment.start_offset is None else f"{segment.start_offset:020d}-{segment.segment_id}"


def _held(tier: Tier, stated: tuple[int, int] | None, lost: list[tuple[int, int]]) -> str:
    if stated is None or lost == [stated]:
        return ""
    if lost:
        return " The other offsets are in the local log, or in other segments, or count no longer."
    if tier.local is not None and tier.local.first <= stated[1]:
        return " Nothing is lost yet: the local log has these offsets until local retention deletes them."
    return " Nothing is lost: other segments have these offsets, or they count no longer."


def _ranges(tier: Tier) -> list[tuple[int, int]]:
    """First and last offset of each segment that is there, by its manifest or its batches."""
    found = []
    for segment_id, segment in tier.segments.items():
        scan = tier.scans.get(segment_id)
        if segment.manifest is not None:
            found.append((segment.manifest.metadata.start_offset, segment.manifest.metadata.end_offset))
        elif scan is not None and scan.last is not None:
            found.append((segment.name.base_offset, scan.last.last_offset))
    return sorted(found)


def _stated(segments: Iterable[KnownSegment]) -> list[tuple[int, int]]:
    return [
        (one.start_offset, one.end_offset) for one in segments if one.start_offset is not None and one.end_offset is not None
    ]


def _covers(tier: Tier, without: set[str]) -> list[tuple[int, int]]:
    """Offsets that are somewhere, or count no longer: of other copied segments, of the local log, below the log's start."""
    known = [] if tier.known is None else tier.known.in_state(COPY_FINISHED)
    covers = _stated(one for one in known if one.segment_id not in without)
    if tier.local is not None:
        covers.append((tier.local.first, tier.local.first if tier.local.end is None else tier.local.end - 1))
        if tier.local.log_start:
            covers.append((0, tier.local.log_start - 1))
    return covers


def _uncovered(first: int, last: int, covers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of a range of offsets that no other range covers."""
    found, at = [], first
    for start, end in sorted(covers):
        if start > at:
            found.append((at, min(start - 1, last)))
        at = max(at, end + 1)
        if at > last:
            break
    if at <= last:
        found.append((at, last))
    return [(start, end) for start, end in found if start <= end]


def _gaps(tier: Tier) -> Iterator[RemoteGap | UncountedObjects]:
    """Offsets between two segments, or between the last one and the local log, that are nowhere."""
    if tier.known is not None and tier.known.deleted:
        return
    copied = _ranges(tier) if tier.known is None else _stated(tier.known.in_state(COPY_FINISHED))
    is_stated = tier.known is not None or all(one.manifest is not None for one in tier.segments.values())
    if not copied and (tier.known is None or not tier.known.segments):
        return
    first = min((start for start, _ in copied), default=None)
    # Segments are deleted from the oldest on.
    gone = [] if tier.known is None else _stated(tier.known.in_state(DELETE_STARTED, DELETE_FINISHED))
    covers = [*copied, *((start, end) for start, end in gone if first is None or end < first)]
    last = max(end for _, end in covers) if covers else None
    if last is None:
        return
    begin = min(start for start, _ in covers)
    local = tier.local
    if local is not None:
        begin = max(begin, local.log_start or 0)
        last = max(last, local.first - 1)
        covers.append((local.first, max(last, local.first if local.end is None else local.end - 1)))
    there = [] if tier.known is None else _ranges(tier)
    for start, end in _uncovered(begin, last, covers):
        holders = [one for one in there if one[0] <= end and start <= one[1]]
        if holders:
            yield UncountedObjects(path=tier.path, offsets=(start, end), names=_logs_of(tier, holders))
        for first_gone, last_gone in _uncovered(start, end, holders):
            yield _gap(tier, first_gone, last_gone, is_stated=is_stated)


def _logs_of(tier: Tier, ranges: list[tuple[int, int]]) -> tuple[str, ...]:
    starts = {start for start, _ in ranges}
    return tuple(f"{one.name.stem}.log" for one in tier.segments.values() if one.name.base_offset in starts)


def _gap(tier: Tier, start: int, end: int, *, is_stated: bool) -> RemoteGap:
    is_before_local = tier.local is not None and end + 1 == tier.local.first
    return RemoteGap(
        path=tier.path,
        offsets=(start, end),
        before=f"what is copied before them ends with {start - 1}",
        after=f"the local log begins with {end + 1}" if is_before_local else f"what is copied after them begins with {end + 1}",
        is_stated=is_stated,
    )


def _unfinished(tier: Tier) -> Iterator[UnfinishedSegment]:
    if tier.known is None:
        return
    segments = tier.segments
    for one in tier.known.in_state(COPY_STARTED, DELETE_STARTED):
        has_object = None if tier.store is None else one.segment_id in segments
        stated = _stated([one])
        yield UnfinishedSegment(
            path=tier.path,
            name=_stem(one),
            state=one.state,
            offsets=stated[0] if stated else None,
            event_ms=one.event_ms,
            has_object=has_object,
        )


def _unknown(segment: RemoteSegment, stated: KnownSegment | None, tier: Tier) -> Iterator[UnknownObject]:
    assert tier.known is not None
    if stated is not None and stated.state != DELETE_FINISHED:
        return
    suffix = ".log" if ".log" in segment.objects else next(iter(segment.objects))
    why = (
        "no record of `__remote_log_metadata` names its segment"
        if stated is None
        else f"its deletion was finished, by {stated.path}, offset {stated.offset}"
    )
    yield UnknownObject(path=join(tier.path, segment.name.stem + suffix), name=segment.name.stem + suffix, why=why)


# --- one segment --------------------------------------------------------------------------------------------------------


def _of_segment(tier: Tier, segment: RemoteSegment, stated: KnownSegment | None) -> Iterator[Any]:
    yield from _indexes(tier, segment)
    scan = tier.scans.get(segment.name.segment_id)
    yield from _sizes(tier, segment, stated, scan)
    if scan is None or scan.first is None or scan.last is None:
        return
    yield from _chunks(segment, scan)
    start, end = _stated_offsets(segment, stated)
    if start is not None and end is not None and (scan.first.base_offset < start or scan.last.last_offset > end):
        lost = _uncovered(start, end, [*_covers(tier, {segment.name.segment_id}), _held_by(scan)])
        yield OtherOffsets(
            path=scan.path,
            span=Span(0, scan.size),
            first=scan.first.base_offset,
            last=scan.last.last_offset,
            start=start,
            end=end,
            offsets=(lost[0][0], lost[-1][1]) if lost else None,
        )
    elif stated is not None and stated.epochs:
        yield RemoteEpochs(path=scan.path, runs=scan.epochs, stated=stated.epochs)


def _held_by(scan: SegmentScan) -> tuple[int, int]:
    assert scan.first is not None
    assert scan.last is not None
    return scan.first.base_offset, scan.last.last_offset


def _stated_offsets(segment: RemoteSegment, stated: KnownSegment | None) -> tuple[int | None, int | None]:
    if stated is not None and stated.start_offset is not None:
        return stated.start_offset, stated.end_offset
    if segment.manifest is not None:
        return segment.manifest.metadata.start_offset, segment.manifest.metadata.end_offset
    return None, None


def _sizes(tier: Tier, segment: RemoteSegment, stated: KnownSegment | None, scan: SegmentScan | None) -> Iterator[OtherSize]:
    if ".log" not in segment.objects:
        return
    manifest, size = segment.manifest, segment.objects[".log"]
    if manifest is not None:
        expected, source = manifest.chunks.stored_size, "its manifest"
    elif stated is not None and stated.size is not None and not segment.is_encoded:
        expected, source = stated.size, f"{stated.path}, offset {stated.offset},"
    else:
        return
    if size == expected:
        return
    _, end = _stated_offsets(segment, stated)
    lost: list[tuple[int, int]] = []
    if size < expected and end is not None and scan is not None and manifest is None:
        last = segment.name.base_offset - 1 if scan.last is None else scan.last.last_offset
        lost = _uncovered(last + 1, end, _covers(tier, {segment.name.segment_id}))
    yield OtherSize(
        path=join(tier.path, f"{segment.name.stem}.log"),
        span=Span(expected if size > expected else 0, size),
        size=size,
        expected=expected,
        source=source,
        offsets=(lost[0][0], lost[-1][1]) if lost else None,
    )


def _chunks(segment: RemoteSegment, scan: SegmentScan) -> Iterator[CorruptChunk]:
    assert segment.manifest is not None or not scan.bad_chunks
    for chunk in sorted(scan.bad_chunks):
        span = Span(chunk.original.position, chunk.original.position + chunk.original.size)
        offsets = [
            one.offsets
            for one in scan.findings
            if one.path == scan.path and one.offsets is not None and _touches(one, [span]) and one.span is not None
        ]
        _, end = _stated_offsets(segment, None)
        if scan.last is not None and scan.last.end <= span.end and end is not None and end > scan.last.last_offset:
            # No batch begins after it.
            offsets.append((scan.last.last_offset + 1, end))
        yield CorruptChunk(
            path=scan.path,
            span=span,
            number=chunk.number,
            chunks=0 if segment.manifest is None else len(segment.manifest.chunks.sizes),
            begin=chunk.stored.position,
            end=chunk.stored.position + chunk.stored.size,
            reason=chunk.reason,
            offsets=(min(one[0] for one in offsets), max(one[1] for one in offsets)) if offsets else None,
        )


def _indexes(tier: Tier, segment: RemoteSegment) -> Iterator[UnusableIndex]:
    """Files that go with a segment's log and cannot be used."""
    if ".log" not in segment.objects:
        return
    if segment.is_encoded:
        yield from _encoded_indexes(tier, segment)
        if segment.manifest is None or ".indexes" not in segment.objects:
            return
        if missing_key(segment.manifest) is not None:
            yield from _cut_off(segment, segment.manifest)
            return
    for suffix in _REQUIRED:
        if suffix not in segment.paths:
            yield UnusableIndex(path=join(tier.path, segment.name.stem + suffix), kind=suffix, problem="is not there")
    for suffix in (*_REQUIRED, ".txnindex"):
        if suffix in segment.paths and (problem := _problem_of(segment.paths[suffix], suffix)):
            yield UnusableIndex(path=segment.paths[suffix], kind=suffix, problem=problem)


def _encoded_indexes(tier: Tier, segment: RemoteSegment) -> Iterator[UnusableIndex]:
    for suffix in (".indexes", ".rsm-manifest"):
        path = join(tier.path, segment.name.stem + suffix)
        if suffix not in segment.objects:
            yield UnusableIndex(path=path, kind=suffix, problem="is not there")
        elif suffix == ".rsm-manifest" and segment.problem:
            yield UnusableIndex(path=path, kind=suffix, problem=segment.problem)


def _cut_off(segment: RemoteSegment, manifest: Manifest) -> Iterator[UnusableIndex]:
    """Indexes that are not there as a whole, by the places that the manifest tells: that much shows without the key."""
    size = segment.objects[".indexes"]
    for suffix, part in manifest.indexes.items():
        end = part.position + part.size
        if end > size:
            problem = f"is cut off: it ends at byte {end} of {segment.name.stem}.indexes, which has {size} bytes"
            yield UnusableIndex(path=segment.paths[suffix], kind=suffix, problem=problem)


def _problem_of(path: str, suffix: str) -> str:
    """What is wrong with an index, besides what a scan of the log beside it shows."""
    try:
        data = read_file(path)
    except UnreadableFile as error:
        return f"cannot be read: {error.reason}" if error.path == path else f"cannot be read: {error}"
    if suffix == ".snapshot":
        snapshot = read_producer_snapshot(data)
        damage = snapshot.damage
        if damage is None and not snapshot.crc_ok:
            return "is damaged: its checksum is wrong"
    elif suffix == ".leader_epoch_checkpoint":
        damage = next(iter(read_leader_epochs(data).damages), None)
    elif suffix == ".txnindex":
        damage = read_transaction_index(data).damage
    else:
        return ""
    return "" if damage is None else f"is damaged: {damage.reason}"


def copied_ranges(tier: Tier) -> list[tuple[int, int]]:
    """First and last offset of each copied segment, without those that are known to be gone from remote storage."""
    if tier.known is None or tier.known.deleted:
        return []
    segments = tier.segments
    copied = tier.known.in_state(COPY_FINISHED)
    return _stated(one for one in copied if tier.store is None or _is_there(segments.get(one.segment_id)))


def not_lost(finding: Finding, copied: list[tuple[int, int]]) -> Finding:
    """A finding about offsets that are gone from a local log, without those that were copied to remote storage."""
    if finding.offsets is None or loss_of(finding) != "gone":
        return finding
    left = _uncovered(*finding.offsets, copied)
    if left == [finding.offsets]:
        return finding
    offsets = (left[0][0], left[-1][1]) if left else None
    text = "What remote storage has of these offsets is not lost" + (f": {offsets_spoken(*offsets)} are." if offsets else ".")
    return finding._replace(offsets=offsets, consequence=f"{finding.consequence} {text}")


def expected_path(beside: str, partition: KnownPartition, *, is_encoded: bool) -> str:
    """Where in remote storage a partition should be, by its names, and by where another one is."""
    root = os.path.dirname(os.path.dirname(beside) if is_encoded else beside)
    topic, number, topic_id = partition.topic, partition.partition, partition.topic_id
    return os.path.join(root, f"{topic}-{topic_id}/{number}" if is_encoded else f"{topic}-{number}-{topic_id}")
