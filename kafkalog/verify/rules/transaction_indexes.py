"""Rules about `.txnindex`: the aborted transactions of a segment, against a replay of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import REBUILD
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.transaction_index import AbortedTxn, TransactionIndex
    from kafkalog.replay.producers import AbortedSpan


class TransactionIndexFile(NamedTuple):
    """The `.txnindex` of a segment, or its absence, against the aborted transactions that a replay finds.

    `data_start`: the log's start. `ahead`: log and index may have been read or copied while they grew.
    """

    path: str
    content: TransactionIndex | None
    aborted: tuple[AbortedSpan, ...]
    base: int
    last_offset: int
    data_start: int
    complete: bool
    compacted: bool
    unknown_markers: bool
    log_only: bool
    covered: bool
    log_path: str
    ahead: bool = False


def _entries(file: TransactionIndexFile) -> Iterator[tuple[int, AbortedTxn, Span]]:
    if file.content is not None:
        for number, entry in enumerate(file.content.entries):
            yield number, entry, ABORTED_TXN.span_of_entries(number)


def _valid(entry: AbortedTxn) -> bool:
    return entry.version == 0 and entry.producer_id >= 0 and 0 <= entry.first_offset <= entry.last_offset


@rule(
    "txnindex-odd-size",
    Severity.WARNING,
    on=TransactionIndexFile,
    message="after the entries ({entries}) {left} bytes are no entry of 34 bytes",
    consequence="Brokers ignore them; what they said is lost: an aborted transaction may be read as committed.",
    remedy=REBUILD,
    source="TransactionIndex.iterator (Kafka 3.9.1)",
    proof="txnindex-odd-size",
    near_miss="txnindex-without-its-last-entry",
    invariants="G1",
)
def txnindex_odd_size(file: TransactionIndexFile) -> Iterator[Hit]:
    """The file does not consist of whole entries."""
    if file.content is not None and file.content.damage is not None:
        span = file.content.damage.span
        yield Hit(span, None, left=span.size, entries=len(file.content.entries))


@rule(
    "txnindex-entry-invalid",
    Severity.ERROR,
    on=TransactionIndexFile,
    message="entry {number}: version {version}, producer {producer_id}, offsets {first} to {last}",
    consequence="A version above 255 keeps the broker from starting; other wrong fields make read_committed consumers skip "
    "committed records or see aborted ones.",
    remedy=REBUILD,
    source="AbortedTxn, TransactionIndex.sanityCheck (Kafka 3.9.1)",
    proof="txnindex-version",
    near_miss="empty-abort",
    invariants="G2 G3",
)
def txnindex_entry_invalid(file: TransactionIndexFile) -> Iterator[Hit]:
    """An entry has a version other than 0, a negative producer id, or offsets that make no range."""
    for number, entry, span in _entries(file):
        if not _valid(entry):
            yield Hit(
                span,
                None,
                number=number,
                version=entry.version,
                producer_id=entry.producer_id,
                first=entry.first_offset,
                last=entry.last_offset,
            )


@rule(
    "txnindex-not-increasing",
    Severity.ERROR,
    on=TransactionIndexFile,
    message="entry {number} ends at {last}, not after {before}",
    consequence="Appends to the index fail; read_committed consumers may miss aborted transactions.",
    remedy=REBUILD,
    source="TransactionIndex.append (Kafka 3.9.1)",
    proof="txnindex-swapped",
    near_miss="txnindex-without-its-last-entry",
    invariants="G4",
)
def txnindex_not_increasing(file: TransactionIndexFile) -> Iterator[Hit]:
    """Entries are in the order of their markers."""
    before = -1
    for number, entry, span in _entries(file):
        if _valid(entry):
            if entry.last_offset <= before:
                yield Hit(span, (entry.last_offset, entry.last_offset), number=number, last=entry.last_offset, before=before)
            before = max(before, entry.last_offset)


@rule(
    "txnindex-extra-entry",
    Severity.ERROR,
    on=TransactionIndexFile,
    message="entry {number} says that producer {producer_id} aborted at offset {last}; no such marker is in {file}",
    consequence="read_committed consumers skip records of producer {producer_id} that were never aborted.",
    remedy=REBUILD,
    source="TransactionIndex.collectAbortedTxns, TransactionIndex.sanityCheck (Kafka 3.9.1)",
    proof="txnindex-producer-changed",
    near_miss="empty-abort",
    invariants="G5 G6",
)
def txnindex_extra_entry(file: TransactionIndexFile) -> Iterator[Hit]:
    """An entry has no ABORT marker of its producer at its last offset, or lies outside the segment.

    INFO after the end of the active segment of a broker that may have been running: the log was read or copied first.
    """
    markers = {(span.producer_id, span.last_offset) for span in file.aborted}
    for number, entry, span in _entries(file):
        inside = file.base <= entry.last_offset <= file.last_offset
        if not _valid(entry) or (inside and (file.unknown_markers or (entry.producer_id, entry.last_offset) in markers)):
            continue
        yield Hit(
            span,
            (entry.first_offset, entry.last_offset),
            severity=Severity.INFO if file.ahead and entry.last_offset > file.last_offset else None,
            number=number,
            producer_id=entry.producer_id,
            last=entry.last_offset,
            file=file.log_path,
        )


@rule(
    "txnindex-first-offset-mismatch",
    Severity.WARNING,
    on=TransactionIndexFile,
    message="entry {number} of producer {producer_id} begins at {first}; by {file} its transaction begins at {actual}",
    consequence="read_committed consumers see records of an aborted transaction, or skip records of a committed one.",
    remedy=REBUILD,
    source="TransactionIndex.collectAbortedTxns (Kafka 3.9.1)",
    proof="txnindex-first-changed",
    near_miss="empty-abort",
    invariants="G7 G12",
)
def txnindex_first_offset_mismatch(file: TransactionIndexFile) -> Iterator[Hit]:
    """The first offset of an entry is not that of the transaction's first batch.

    Not judged in compacted logs, nor for transactions that began before the log's first batch; an abort of nothing has
    the marker's own offset. A broker that recovers a segment begins at the log's start: a transaction that began below may
    begin later in the index.
    """
    markers = {(span.producer_id, span.last_offset): span for span in file.aborted}
    for number, entry, span in _entries(file):
        found = markers.get((entry.producer_id, entry.last_offset))
        if found is None or not _valid(entry) or file.compacted or entry.first_offset == found.first_offset:
            continue
        if 0 <= found.first_offset < min(entry.first_offset, file.data_start):
            continue
        if entry.first_offset < file.data_start and not found.begin_known:
            continue
        if found.first_offset < 0 and (
            entry.first_offset == entry.last_offset or entry.first_offset < file.data_start or not file.complete
        ):
            continue
        yield Hit(
            span,
            (entry.first_offset, entry.last_offset),
            number=number,
            producer_id=entry.producer_id,
            first=entry.first_offset,
            actual=found.first_offset,
            file=file.log_path,
        )


@rule(
    "txnindex-lso-mismatch",
    Severity.WARNING,
    on=TransactionIndexFile,
    message="entry {number} has last stable offset {stored}; by {file} it was {actual}",
    consequence="Fetches that use the entry look for aborted transactions in too few or too many segments.",
    remedy=REBUILD,
    source="ProducerStateManager.lastStableOffset (Kafka 3.9.1)",
    proof="txnindex-lso-changed",
    near_miss="txnindex-of-a-follower",
    invariants="G9 G10 G12",
)
def txnindex_lso_mismatch(file: TransactionIndexFile) -> Iterator[Hit]:
    """The last stable offset of an entry is neither after its marker nor where another transaction was open.

    A follower appends many batches at once: to it, a transaction that another producer begins after the marker can be open
    already.
    """
    markers = {(span.producer_id, span.last_offset): span for span in file.aborted}
    for number, entry, span in _entries(file):
        found = markers.get((entry.producer_id, entry.last_offset))
        if found is None or not _valid(entry):
            continue
        actual = entry.last_offset + 1 if found.last_stable_offset is None or file.compacted else found.last_stable_offset
        exact = found.last_stable_offset is not None and not file.compacted
        stored = entry.last_stable_offset
        if actual == entry.last_offset + 1 and stored > actual:
            late = file.compacted or stored == found.next_begin
            odd = not (late and stored <= file.last_offset)
        else:
            odd = stored < 0 or stored > entry.last_offset + 1 or (exact and stored != actual)
        if odd:
            yield Hit(
                span, (entry.last_offset, entry.last_offset), number=number, stored=stored, actual=actual, file=file.log_path
            )


@rule(
    "txnindex-missing-entry",
    Severity.ERROR,
    on=TransactionIndexFile,
    message="producer {producer_id} aborted offsets {first} to {last}, {records} records; {file} does not list it",
    consequence="read_committed consumers are handed the records of that aborted transaction, without an error. A start after "
    "a clean stop changes nothing of that: it looks into no log.",
    remedy=REBUILD,
    source="TransactionIndex.append, UnifiedLog.append (Kafka 3.9.1), KAFKA-13727",
    proof="txnindex-emptied",
    near_miss="empty-abort",
    invariants="G8 G11 G12",
)
def txnindex_missing_entry(file: TransactionIndexFile) -> Iterator[Hit]:
    """An ABORT marker ended a transaction with data, and the index of its segment does not have it, or is gone.

    Data below the log's start do not count: a broker that recovers the segment does not look there. INFO at the end of the
    active segment of a broker that may have been running: the index may have been copied before the log.

    Where snapshots are missing, too, beside a marker of a clean stop, a broker takes that for a log without producers.
    """
    if file.log_only or file.covered or file.compacted:
        return
    listed = {entry.last_offset for _, entry, _ in _entries(file)}
    end = max(listed, default=-1)
    for aborted in file.aborted:
        if aborted.first_offset >= 0 and aborted.data_offset >= file.data_start and aborted.last_offset not in listed:
            yield Hit(
                Span(aborted.position, aborted.position + aborted.size),
                (aborted.first_offset, aborted.last_offset),
                path=file.log_path,
                severity=Severity.INFO if file.ahead and aborted.last_offset > end else None,
                producer_id=aborted.producer_id,
                first=aborted.first_offset,
                last=aborted.last_offset,
                records=aborted.records,
                file=file.path,
            )
