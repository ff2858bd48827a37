"""A salvage as JSON lines, which are its manifest: schema `kafkalog.salvage/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.salvage.values import Kept, LeftOut, PartitionSalvage, Salvage

__all__ = ["salvage_lines"]

SCHEMA = "kafkalog.salvage/1"


def salvage_lines(salvage: Salvage) -> Iterator[dict[str, Any]]:
    """The lines: per partition what was kept, left out, is gone and was written, then the partition; last a summary."""
    for partition in salvage.partitions:
        for line in _lines_of(partition):
            yield {"schema": SCHEMA, **line}
    yield {
        "schema": SCHEMA,
        "type": "summary",
        "path": salvage.path,
        "accepted": salvage.is_accepted,
        "complete": salvage.is_whole,
        "partitions": len(salvage.partitions),
        "records": sum(one.records for one in salvage.partitions),
        "bytes": sum(one.bytes for one in salvage.partitions),
        "unread": [{"path": error.path, "reason": error.reason} for error in salvage.unread],
        "notes": list(salvage.notes),
    }


def _lines_of(one: PartitionSalvage) -> Iterator[dict[str, Any]]:
    yield from (_kept(run) for run in one.kept)
    yield from (_left_out(left) for left in one.left_out)
    for gone in one.gone:
        offsets = [gone.first, gone.last]
        yield {"type": "gone", "path": one.path, "offsets": offsets, "reason": gone.reason, "certain": gone.is_certain}
    for transaction in one.open_transactions:
        yield {
            "type": "open_transaction",
            "path": transaction.path,
            "producer_id": transaction.producer_id,
            "producer_epoch": transaction.producer_epoch,
            "first_offset": transaction.first_offset,
            "last_offset": transaction.last_offset,
            "records": transaction.records,
            "abort_command": transaction.abort_command.line,
        }
    for doubt in one.doubtful:
        yield {"type": "doubtful_transaction", "path": one.path, **doubt._asdict(), "lost": list(doubt.lost)}
    for file in one.files:
        yield {"type": "file", **file._asdict()}
    yield {
        "type": "partition",
        "path": one.path,
        "sources": list(one.sources),
        "topic": one.topic,
        "partition": one.partition,
        "topic_id": one.topic_id,
        "release": one.release,
        "index_interval_bytes": one.index_interval_bytes,
        "log_start_offset": one.log_start_offset,
        "log_end_offset": one.log_end_offset,
        "deleted_below": one.deleted_below,
        "batches": one.batches,
        "records": one.records,
        "bytes": one.bytes,
        "complete": one.is_whole,
        "records_lost_between": [[gone.first, gone.last] for gone in one.gone if gone.is_certain],
        "open_transactions": len(one.open_transactions),
        "problems": list(one.problems),
        "notes": list(one.notes),
    }


def _kept(run: Kept) -> dict[str, Any]:
    return {
        "type": "kept",
        "path": run.path,
        "span": list(run.span[:2]),
        "source_path": run.source_path,
        "source_span": list(run.source_span[:2]),
        "offsets": list(run.offsets),
        "epoch": run.epoch,
        "batches": run.batches,
        "records": run.records,
        "sha256": run.sha256,
        "flipped": [flip._asdict() for flip in run.flips],
    }


def _left_out(left: LeftOut) -> dict[str, Any]:
    return {
        "type": "left_out",
        "path": left.path,
        "span": list(left.span[:2]),
        "offsets": None if left.offsets is None else list(left.offsets),
        "kind": left.kind,
        "reason": left.reason,
        "covered": left.is_covered,
    }
