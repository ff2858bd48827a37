"""The producers of a partition: a replay of its log, and what `.txnindex` and `.snapshot` say of them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kafkalog.core.filename import COORDINATOR_TOPICS
from kafkalog.core.transaction_index import read_transaction_index
from kafkalog.replay.producer_events import Cut, TransactionEnd
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.verify.checks.snapshots import differences_of_entry, missing_producers
from kafkalog.verify.rules.producers import OpenTransactionView
from kafkalog.verify.rules.snapshots import MissingProducer, SnapshotEntry
from kafkalog.verify.rules.transaction_indexes import TransactionIndexFile

if TYPE_CHECKING:
    from kafkalog.files.segment import Segment
    from kafkalog.replay.producers import AbortedSpan, ProducerState
    from kafkalog.verify.checks.partition import PartitionCheck
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["ProducerChecks"]

_FAR = 1 << 62


class ProducerChecks:
    """The replay of a partition whose scans are in.

    Args:
        check: The partition's; it gets the findings, and the aborted transactions whose data are still there.
    """

    def __init__(self, check: PartitionCheck) -> None:
        self.check = check
        self.start = check.known_start()
        #: Base offsets of segments whose producers' state differs from that at the snapshot before.
        self.changed: set[int] = set()
        self.seeded = self.start == 0
        self.has_producers = False

    def run(self, log_end: int | None) -> None:
        """Replay producers over all segments; compare `.txnindex` and `.snapshot` on the way."""
        current = {"path": ""}

        def at_cut(offset: int, states: dict[int, ProducerState], reliable: bool) -> None:  # noqa: FBT001 - a callback
            self._compare_snapshot(offset, states, current["path"], reliable=reliable, replay=replay)

        replay = ProducerReplay(
            self.check.emit, at_cut, coordinator=self.check.topic in COORDINATOR_TOPICS, from_start=self.start == 0
        )
        written = False
        for segment, scan in zip(self.check.segments, self.check.scans, strict=True):
            current["path"] = scan.path
            if scan.is_unread:
                replay.forget()
            if written:
                self.changed.add(segment.base_offset)
            written = any(not isinstance(event, Cut) for event in scan.events)
            aborted = tuple(replay.feed(_events_of(scan)))
            self.check.aborted += [span for span in aborted if span.first_offset >= 0]
            self._transaction_index(segment, scan, aborted, complete=replay.complete and replay.reliable)
            if scan.is_unread:
                replay.forget()
            elif scan.damaged:
                replay.reliable = replay.complete = False
        self.has_producers = bool(replay.states)
        number = self.check.partition.number
        if log_end is not None and not self.check.kraft_log:
            self.check.open_transactions = tuple(
                replay.open_transactions(self.check.topic or "", -1 if number is None else number)
            )
            for transaction in self.check.open_transactions:
                self.check.emit(
                    OpenTransactionView(
                        path=transaction.path,
                        transaction=transaction,
                        now=self.check.settings.now,
                        log_end=log_end,
                        topic=self.check.topic,
                        partition=number,
                        pinned=replay.first_open_offset() or 0,
                        kraft=self.check.around.kraft,
                    )
                )

    def _compare_snapshot(
        self, offset: int, states: dict[int, ProducerState], log_path: str, *, reliable: bool, replay: ProducerReplay
    ) -> None:
        path, snapshot, _ = self.check.snapshots[offset]
        end = self.check.log_end()
        if end is None or offset > end:
            return
        if not snapshot.crc_ok or snapshot.damage is not None or self.check.kraft_log:
            return
        if not reliable:
            return
        for number, entry in enumerate(snapshot.entries):
            state = states.get(entry.producer_id)
            differences = differences_of_entry(
                entry, state, compacted=self.check.compacted, complete=self.seeded, start=self.start
            )
            if found := tuple(differences):
                span = snapshot.span_of_entry(number)
                self.check.emit(
                    SnapshotEntry(
                        path=path,
                        offset=offset,
                        number=number,
                        producer_id=entry.producer_id,
                        differences=found,
                        span=span,
                        log_path=log_path,
                    )
                )
        older = bisect_left(self.check.snapshot_offsets, offset)
        if older and not self.check.compacted:
            before, size = self.check.snapshot_offsets[older - 1], self.check.snapshots[offset][2]
            for state in missing_producers(snapshot.entries, states, replay.heard_of, max(before, self.start)):
                self.check.emit(
                    MissingProducer(path=path, offset=offset, before=before, state=state, size=size, log_path=log_path)
                )
        if not self.seeded and not self.check.compacted:
            self.seeded = True
            for entry in snapshot.entries:
                if entry.producer_id not in states:
                    replay.adopt(entry)

    def _transaction_index(
        self, segment: Segment, scan: SegmentScan, aborted: tuple[AbortedSpan, ...], *, complete: bool
    ) -> None:
        path = segment.paths.get(".txnindex")
        index = None
        if path is not None:
            data = self.check.read(path)
            if data is None:
                return
            index = read_transaction_index(data)
        if path is None and not aborted:
            return
        self.check.emit(
            TransactionIndexFile(
                path=path or segment.paths[".log"].removesuffix(".log") + ".txnindex",
                index=index,
                aborted=aborted,
                base=segment.base_offset,
                last_offset=_FAR
                if scan.is_unread
                else scan.last.last_offset
                if scan.last is not None
                else segment.base_offset - 1,
                data_start=self.start,
                complete=complete,
                compacted=self.check.compacted,
                unknown_markers=scan.damaged
                or scan.is_unread
                or any(isinstance(event, TransactionEnd) and event.committed is None for event in scan.events),
                log_only=self.check.log_only,
                covered=segment.base_offset in self.check.swapped,
                log_path=scan.path,
                ahead=segment.base_offset == self.check.active and self.check.in_use(),
            )
        )


def _events_of(scan: SegmentScan) -> SegmentEvents:
    """What the replay wants to know of a segment."""
    return SegmentEvents(
        path=scan.path,
        events=scan.events,
        epochs=[(run.first_base, run.epoch) for run in scan.epochs],
        first_offset=None if scan.first is None else scan.first.base_offset,
        end_offset=None if scan.last is None else scan.last.last_offset + 1,
        last_hole=scan.last_hole,
        damaged=scan.damaged,
    )
