"""`.txnindex`: the transactions that were aborted in a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from kafkalog.core.layout import INT16, INT64, Layout
from kafkalog.core.offset_index import leftover

if TYPE_CHECKING:
    from kafkalog.core.batch import Damage

__all__ = ["ABORTED_TXN", "AbortedTxn", "TransactionIndex", "read_transaction_index"]


class AbortedTxn(NamedTuple):
    """One entry of a `.txnindex` file."""

    version: Annotated[int, INT16, "Version of the entry, 0; Kafka up to 4.3 looks at its first byte only."]
    producer_id: Annotated[int, INT64, "The producer whose transaction was aborted."]
    first_offset: Annotated[int, INT64, "First offset of the transaction."]
    last_offset: Annotated[int, INT64, "Offset of its abort marker."]
    last_stable_offset: Annotated[int, INT64, "First offset of the oldest other open transaction, else lastOffset + 1."]


ABORTED_TXN = Layout(AbortedTxn)


class TransactionIndex(NamedTuple):
    """A whole `.txnindex`. Entry number i is at byte 34·i; up to 33 bytes may be left over."""

    entries: tuple[AbortedTxn, ...]
    damage: Damage | None


def read_transaction_index(data: bytes) -> TransactionIndex:
    """Read a `.txnindex` file. Never fails: what is not an entry is damage."""
    return TransactionIndex(tuple(ABORTED_TXN.read_all(data)), leftover(data, ABORTED_TXN.size))
