"""The producers of a partition: a replay of its log, and what `.txnindex` and `.snapshot` say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.log import NEVER
from kafkalog.core.transaction_index import read_transaction_index
from kafkalog.replay.producer_events import TransactionEnd
from kafkalog.verify.rules.producers import UnendedTransaction
from kafkalog.verify.rules.snapshots import SnapshotFile
from kafkalog.verify.rules.transaction_indexes import TransactionIndexFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["producer_subjects"]


def producer_subjects(facts: PartitionFacts) -> Iterator[object]:
    """What the replay found, and what the files beside the log say of producers."""
    yield from _snapshot_files(facts)
    history = facts.producers
    yield from history.steps
    yield from history.entries
    yield from history.missing
    for scan in facts.scans:
        index = _transaction_index(facts, scan)
        if index is not None:
            yield index
    yield from _open_transactions(facts)


def _snapshot_files(facts: PartitionFacts) -> Iterator[SnapshotFile]:
    directory = facts.directory
    newest = max(directory.snapshots, default=None)
    for offset, (path, snapshot, size) in directory.snapshots.items():
        yield SnapshotFile(
            path=path,
            offset=offset,
            snapshot=snapshot,
            size=size,
            log_end=facts.log_end,
            clean=directory.clean,
            end_confirmed=facts.end_confirmed,
            being_written=offset == newest and facts.in_use,
        )


def _transaction_index(facts: PartitionFacts, scan: SegmentScan) -> TransactionIndexFile | None:
    """A segment's `.txnindex`, or the lack of one that should be there."""
    directory, base = facts.directory, scan.base_offset
    aborts, file = facts.producers.aborts[base], facts.transaction_indexes.get(base)
    if file is None and not aborts.spans:
        return None
    if file is not None and file.data is None:
        return None
    last_offset = scan.last.last_offset if scan.last is not None else base - 1
    empty_markers = any(isinstance(event, TransactionEnd) and event.committed is None for event in scan.events)
    return TransactionIndexFile(
        path=scan.path.removesuffix(".log") + ".txnindex" if file is None else file.path,
        content=None if file is None or file.data is None else read_transaction_index(file.data),
        aborted=aborts.spans,
        base=base,
        last_offset=NEVER if scan.is_unread else last_offset,
        data_start=facts.known_start,
        complete=aborts.complete,
        compacted=facts.compacted,
        unknown_markers=scan.damaged or scan.is_unread or empty_markers,
        log_only=directory.log_only,
        covered=base in directory.swapped,
        log_path=scan.path,
        ahead=base == directory.active and facts.in_use,
    )


def _open_transactions(facts: PartitionFacts) -> Iterator[UnendedTransaction]:
    log_end = facts.log_end
    if log_end is None:
        return
    for transaction in facts.producers.open:
        yield UnendedTransaction(
            path=transaction.path,
            transaction=transaction,
            now=facts.directory.settings.now,
            log_end=log_end,
            topic=facts.partition.topic,
            partition=facts.partition.number,
            pinned=facts.producers.last_stable_offset,
            kraft=facts.context.kraft,
        )
