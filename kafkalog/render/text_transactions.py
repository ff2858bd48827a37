"""Transactional ids and transactions as text for people: what hangs comes last, because a terminal scrolls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.spoken import listed
from kafkalog.render.items import Line
from kafkalog.render.quantities import agreeing, count_text, moment, size_text, when
from kafkalog.render.replay_parts import NAMES, loads_text, notes_text, section
from kafkalog.replay.coordinator_loads import newest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.render.items import Item
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.replay.transactions import AbortedTransaction, Transactions

__all__ = ["transactions_text"]


def transactions_text(
    found: Transactions,
    aborted: Collection[AbortedTransaction],
    release_of: Callable[[str], Release] = newest,
    *,
    release_is_named: bool = False,
) -> Iterator[Item]:
    """The transactional ids, what is open in the partitions, the aborted ones that are listed; last what hangs."""
    yield from loads_text(found.loads, release_of, release_is_named=release_is_named)
    yield from section(
        "Transactional ids",
        ("transactional id", "producer id", "epoch", "state", "started (UTC)", "last update (UTC)", "timeout ms", "partitions"),
        [
            [
                item.transactional_id,
                item.producer_id,
                item.producer_epoch,
                item.state,
                moment(item.start_timestamp),
                moment(item.last_update_timestamp),
                item.timeout_ms,
                " ".join(f"{topic}-{partition}" for topic, partition in item.partitions) or None,
            ]
            for item in found.ids.values()
        ],
    )
    yield from section(
        "Open in the partitions",
        ("partition", "verdict", "first offset", "records", "since (UTC)", "producer id", "epoch", "transactional id"),
        [
            [
                f"{begun.topic}-{begun.partition}",
                begun.verdict,
                begun.first_offset,
                begun.records,
                moment(begun.first_timestamp),
                begun.producer_id,
                begun.producer_epoch,
                begun.transactional_id,
            ]
            for begun in found.open
        ],
    )
    yield from section(
        "Aborted",
        ("partition", "producer id", "epoch", "first offset", "marker at", "marker written (UTC)", "transactional id"),
        [
            [
                f"{ended.topic}-{ended.partition}",
                ended.producer_id,
                ended.producer_epoch,
                ended.first_offset,
                ended.marker_offset,
                moment(ended.marker_timestamp),
                ended.transactional_id,
            ]
            for ended in aborted
        ],
    )
    if aborted and len(aborted) < found.aborted_count:
        yield f"({found.aborted_count - len(aborted):,} that were found before these are left out: --format jsonl lists all)"
        yield ""
    if found.committed or found.aborted_count:
        more = " (--aborted lists the transactions that were aborted)" if found.aborted_count and not aborted else ""
        markers = f"{found.committed:,} COMMIT and {found.aborted_count:,} ABORT markers in the partitions{more}"
        yield Line(0, "", markers, prose=True)
        yield ""
    elif not (found.ids or found.open or found.problems):
        yield "No transactional ids, and no transactions in the partitions."
        yield ""
    yield from _unproven([begun for begun in found.open if begun.verdict == "unknown"])
    yield from _hanging([begun for begun in found.open if begun.verdict == "hanging"], release_of)
    yield from notes_text(found.notes)


def _unproven(transactions: Iterable[OpenTransaction]) -> Iterator[Item]:
    """Why it is not known whether transactions hang."""
    reasons: dict[str, list[str]] = {}
    for begun in transactions:
        reasons.setdefault(begun.why, []).append(f"{begun.topic}-{begun.partition} from offset {begun.first_offset}")
    for why, places in reasons.items():
        what = "this one hangs" if len(places) == 1 else "these hang"
        yield Line(0, "", f"It is not known whether {what}: {listed(places, NAMES)}", prose=True)
        yield Line(2, "", why, prose=True)
    yield from [""] if reasons else []


#: Brokers that take the abort command with the first offset alone.
_TAKES_OFFSET = (3, 0, 0, 0)


def _hanging(transactions: list[OpenTransaction], release_of: Callable[[str], Release]) -> Iterator[Item]:
    """Which transactions hang, what they block and what ends them."""
    if not transactions:
        return
    count = len(transactions)
    yield Line(0, f"{count_text(count, 'transaction')} {agreeing(count, 'hangs', 'hang')}.", "", style="warning")
    for begun in transactions:
        name = f"{begun.topic}-{begun.partition}"
        yield Line(0, "", f"{name} from offset {begun.first_offset}: {begun.why}.", prose=True)
        if begun.blocked_records is not None and begun.blocked_bytes is not None:
            what = f"{count_text(begun.blocked_records, 'record')} ({size_text(begun.blocked_bytes)})"
            since = f", since {when(begun.first_timestamp)} UTC" if begun.first_timestamp >= 0 else ""
            yield Line(2, "", f"read_committed consumers do not get {what}{since}", prose=True)
        is_new = release_of(begun.path) >= _TAKES_OFFSET
        for command in begun.abort_commands[: 1 if is_new else 2]:
            yield f"  {command.use}:" if not is_new else "  abort it with:"
            yield f"    {command.line}"
            yield from (Line(4, "note:", note, prose=True, style="label") for note in command.notes)
    yield "Make sure that its producer is gone before you abort one."
    yield ""
