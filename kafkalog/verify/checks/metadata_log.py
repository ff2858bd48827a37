"""The metadata log as a whole: its start, its epochs, its snapshots and `quorum-state`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.properties import read_quorum_state
from kafkalog.errors import FormatError, KafkalogError
from kafkalog.files.paths import join
from kafkalog.files.segment import Segment
from kafkalog.span import Span
from kafkalog.verify.rules.kraft import KraftLog, KraftSnapshot, QuorumFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["metadata_log_subjects"]


def metadata_log_subjects(facts: PartitionFacts) -> Iterator[KraftLog | QuorumFile | KraftSnapshot]:
    """The metadata log with its snapshots and `quorum-state`; nothing of another log."""
    if not facts.directory.kraft_log:
        return
    yield _log(facts)
    quorum = _quorum(facts)
    if quorum is not None:
        yield quorum
    for scan in facts.snapshot_scans:
        snapshot = _snapshot(facts, scan)
        if snapshot is not None:
            yield snapshot


def _log(facts: PartitionFacts) -> KraftLog:
    checkpoints = tuple((p.base_offset, p.epoch or 0, path) for p, path in facts.partition.checkpoints if not p.pending)
    changes = {epoch for scan in facts.scans for epoch, _ in scan.leader_changes}
    late = []
    seen: set[int] = set()
    for number, scan in enumerate(facts.scans):
        for at, run in enumerate(scan.epochs):
            begins = bool(number or at or run.first_base == 0)
            if run.epoch not in seen and run.epoch not in changes and begins:
                late.append((run.epoch, run.first_base, scan.path, run.position))
            seen.add(run.epoch)
    return KraftLog(
        path=facts.path,
        log_start=0 if facts.directory.log_only else facts.log_start or 0,
        checkpoints=checkpoints,
        runs=tuple((run, scan.path) for scan in facts.scans for run in scan.epochs),
        late_leaders=tuple(late),
        log_end=facts.log_end or 0,
    )


def _quorum(facts: PartitionFacts) -> QuorumFile | None:
    file = facts.quorum_file
    data = None if file is None else file.data
    if (file is not None and data is None) or "quorum-state" in facts.partition.others or facts.directory.log_only:
        return None
    return QuorumFile(
        path=join(facts.path, "quorum-state") if file is None else file.path,
        size=len(data or b""),
        state=None if data is None else read_quorum_state(data),
        log_path=facts.scans[-1].path if facts.scans else facts.path,
        log_epoch=max((run.epoch for scan in facts.scans for run in scan.epochs), default=-1),
        in_use=facts.in_use,
    )


def _snapshot(facts: PartitionFacts, scan: SegmentScan) -> KraftSnapshot | None:
    first = last = "nothing"
    first_span = last_span = Span(0, scan.size)
    try:
        for number, batch in enumerate(Segment(0, {".log": scan.path}).batches()):
            control = "data"
            for record in batch.walk_records() if batch.magic == 2 and getattr(batch, "is_control", False) else ():
                try:
                    content: Any = read_control_record(record.key, record.value)  # type: ignore[union-attr]
                except (FormatError, AttributeError):
                    continue
                if isinstance(content, ControlRecord):
                    control = content.name
                    if not number:
                        break
            if not number:
                first, first_span = control, batch.span
            last, last_span = control, batch.span
    except KafkalogError:
        return None
    return KraftSnapshot(
        path=scan.path,
        size=scan.size,
        first_control=first,
        last_control=last,
        first_span=first_span,
        last_span=last_span,
        is_replaceable=_is_replaceable(facts, scan),
    )


def _is_replaceable(facts: PartitionFacts, scan: SegmentScan) -> bool:
    """Whether the log begins at 0, or an older snapshot reaches its start."""
    start = facts.log_start or 0
    return not start or any(start <= name.base_offset < scan.base_offset for name, _ in facts.partition.checkpoints)
