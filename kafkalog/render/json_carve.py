"""What `carve` found as plain JSON objects: the lines of `NEWDIR.carve.jsonl` and of `--format jsonl`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kafkalog.carve.values import Run
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.carve.values import Carved, FoundGroup, Piece, Stitch

__all__ = ["account_of", "carve_lines"]

Line = dict[str, Any]
_SCHEMA = "kafkalog.carve/1"
_CODECS = {row.id: row.name for row in COMPRESSION_TYPES}


def account_of(found: Carved) -> Iterator[bytes]:
    """The lines as bytes."""
    return (f"{printable_json(json.dumps(line))}\n".encode() for line in carve_lines(found))


def carve_lines(found: Carved) -> Iterator[Line]:
    """For each group `group`, then its `run` lines; last the `summary`."""
    for group in found.groups:
        yield _group(group, found)
        for number, chain in enumerate(group.chains):
            yield from (_run(piece, stitch, group, number, found) for piece, stitch in _with_stitches(chain))
    yield {
        "schema": _SCHEMA,
        "type": "summary",
        "images": list(found.images),
        "out": found.out if found.groups else None,
        "bytes": found.searched_bytes,
        "groups": len(found.groups),
        "runs": found.runs,
        "batches": found.batches,
        "records": found.records,
        "batch_bytes": found.found_bytes,
        "cut": found.cut,
        "stitched": found.stitched,
        "copies": found.copies,
        "live_batches": found.live_batches,
        "skipped": [
            {"image": found.images[one.image], "span": [one.start, one.end], "reason": one.kind} for one in found.skipped
        ],
        "sampled_bytes": found.sampled_bytes,
        "flat_bytes": found.flat_bytes,
    }


def _with_stitches(chain: Sequence[Piece]) -> Iterator[tuple[Run, Stitch | None]]:
    """Its runs, each with the stitched batch before it."""
    before: Stitch | None = None
    for piece in chain:
        if isinstance(piece, Run):
            yield piece, before
            before = None
        else:
            before = piece


def _group(group: FoundGroup, found: Carved) -> Line:
    runs = [piece for chain in group.chains for piece in chain if isinstance(piece, Run)]
    return {
        "schema": _SCHEMA,
        "type": "group",
        "path": f"{found.out}/{group.name}",
        "guess": group.guess,
        "guess_why": list(group.guess_why),
        "why": list(group.why),
        "chains": len(group.chains),
        "runs": len(runs),
        "offsets": group.offsets,
        "missing": group.missing,
        "batches": group.batches,
        "records": group.records,
        "bytes": group.size,
        "time_range": None if group.time_range is None else list(group.time_range),
    }


def _run(run: Run, stitch: Stitch | None, group: FoundGroup, chain: int, found: Carved) -> Line:
    times = (run.first_timestamp, run.last_timestamp)
    return {
        "schema": _SCHEMA,
        "type": "run",
        "group": group.name,
        "chain": chain,
        "image": found.images[run.image],
        "span": [run.start, run.end],
        "offsets": [run.first_offset, run.next_offset - 1],
        "batches": run.batches,
        "records": run.records,
        "magic": run.magic,
        "epochs": [run.first_epoch, run.last_epoch],
        "producers": sorted(run.producers),
        "time_range": None if None in times else list(times),
        "codecs": [_CODECS[codec] for codec in sorted(run.codecs)],
        "also_live": run.is_live,
        "copies": run.copies,
        "is_cut": run.is_cut,
        "stitched_with": None
        if stitch is None
        else {
            "offsets": [stitch.base_offset, stitch.last_offset],
            "spans": [[stitch.start, stitch.start + stitch.head], [stitch.tail_start, stitch.tail_start + stitch.tail]],
        },
    }
