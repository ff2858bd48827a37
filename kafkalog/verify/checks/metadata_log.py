"""The metadata log as a whole: its start, its epochs, its snapshots and `quorum-state`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.properties import read_quorum_state
from kafkalog.core.span import Span
from kafkalog.errors import FormatError, KafkalogError
from kafkalog.files.paths import join
from kafkalog.files.segment import Segment
from kafkalog.verify.rules.kraft import KraftLog, KraftSnapshot, QuorumFile

if TYPE_CHECKING:
    from kafkalog.verify.checks.partition import PartitionCheck
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["judge_metadata_log"]


def judge_metadata_log(check: PartitionCheck, snapshots: list[SegmentScan]) -> None:
    """Judge the log against its snapshots and `quorum-state`."""
    checkpoints = tuple((p.base_offset, p.epoch or 0, path) for p, path in check.partition.checkpoints if not p.pending)
    changes = {epoch for scan in check.scans for epoch, _ in scan.leader_changes}
    late = []
    seen: set[int] = set()
    for number, scan in enumerate(check.scans):
        for at, run in enumerate(scan.epochs):
            begins = bool(number or at or run.first_base == 0)
            if run.epoch not in seen and run.epoch not in changes and begins:
                late.append((run.epoch, run.first_base, scan.path, run.position))
            seen.add(run.epoch)
    start = 0 if check.log_only else check.log_start() or 0
    runs = tuple((run, scan.path) for scan in check.scans for run in scan.epochs)
    check.emit(
        KraftLog(
            path=check.path,
            log_start=start,
            checkpoints=checkpoints,
            runs=runs,
            late_leaders=tuple(late),
            log_end=check.log_end() or 0,
        )
    )
    _quorum(check)
    for scan in snapshots:
        _kraft_snapshot(check, scan)


def _quorum(check: PartitionCheck) -> None:
    path = check.partition.file("quorum-state")
    data = None if path is None else check.read(path)
    if (path is not None and data is None) or "quorum-state" in check.partition.others or check.log_only:
        return
    epochs = [run.epoch for scan in check.scans for run in scan.epochs]
    log_path = check.scans[-1].path if check.scans else check.path
    state = None if data is None else read_quorum_state(data)
    path = path or join(check.path, "quorum-state")
    check.emit(
        QuorumFile(
            path=path,
            size=len(data or b""),
            state=state,
            log_path=log_path,
            log_epoch=max(epochs, default=-1),
            in_use=check.in_use(),
        )
    )


def _kraft_snapshot(check: PartitionCheck, scan: SegmentScan) -> None:
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
        return
    check.emit(
        KraftSnapshot(
            path=scan.path,
            size=scan.size,
            first_control=first,
            last_control=last,
            first_span=first_span,
            last_span=last_span,
        )
    )
