"""How the transactions of a log ended: what decides which of its records a consumer of committed records gets."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import ABORT, COMMIT, read_control_type
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.core.log import Batch
    from kafkalog.core.transaction_index import AbortedTxn

__all__ = ["TransactionEnds", "kind_of_marker"]


class _Markers:
    """The markers of one producer: their offsets, ascending, and whether each is an ABORT."""

    __slots__ = ("aborts", "offsets")

    def __init__(self) -> None:
        self.offsets = array("q")
        self.aborts = bytearray()

    def add(self, offset: int, *, abort: bool) -> None:
        at = bisect_left(self.offsets, offset)
        self.offsets.insert(at, offset)
        self.aborts.insert(at, abort)


class TransactionEnds:
    """The markers of a log, and what is open at its end.

    Where the log cannot be read, an entry of a `.txnindex` stands for the marker that it names. A COMMIT marker that cannot
    be read leaves no such trace: its transaction then ends with the producer's next marker.

    Args:
        batches: All batches of the log, in order.
        entries: Those of all its `.txnindex` files.

    Attributes:
        first_open_offset: Where the oldest transaction begins that no marker has ended; None when all have.
    """

    def __init__(self, batches: Iterable[Batch], entries: Iterable[AbortedTxn] = ()) -> None:
        self._markers: dict[int, _Markers] = {}
        unread = sorted((entry.last_offset, entry.producer_id) for entry in entries)
        open_since: dict[int, int] = {}
        first: int | None = None
        last = -1
        for batch in batches:
            first, last = batch.base_offset if first is None else first, batch.last_offset
            # What can be read speaks for itself.
            if unread:
                del unread[bisect_left(unread, (batch.base_offset, -2)) : bisect_right(unread, (last, 1 << 63))]
            if not isinstance(batch, RecordBatch) or not batch.is_transactional:
                continue
            if not batch.is_control:
                open_since.setdefault(batch.header.producer_id, batch.base_offset)
                continue
            kind = kind_of_marker(batch)
            if kind is not None:
                open_since.pop(batch.header.producer_id, None)
                self._add(batch.header.producer_id, batch.base_offset, abort=kind == ABORT)
        for offset, producer_id in unread:
            if first is not None and first <= offset < last:
                self._add(producer_id, offset, abort=True)
                if open_since.get(producer_id, offset) < offset:
                    del open_since[producer_id]
        self.first_open_offset = min(open_since.values(), default=None)

    def _add(self, producer_id: int, offset: int, *, abort: bool) -> None:
        self._markers.setdefault(producer_id, _Markers()).add(offset, abort=abort)

    def is_aborted(self, batch: RecordBatch) -> bool | None:
        """Whether a batch belongs to an aborted transaction; None: its transaction has no end in the log."""
        if not batch.is_transactional or batch.is_control:
            return False
        markers = self._markers.get(batch.header.producer_id)
        at = 0 if markers is None else bisect_right(markers.offsets, batch.base_offset)
        if markers is None or at == len(markers.offsets):
            return None
        return bool(markers.aborts[at])


def kind_of_marker(batch: RecordBatch) -> int | None:
    """ABORT or COMMIT; None when the batch holds no marker, as one that the log cleaner has emptied."""
    try:
        for record in batch.records():
            kind = read_control_type(record.key)[1]
            return kind if kind in (ABORT, COMMIT) else None
    except (FormatError, LimitExceeded):
        pass
    return None
