"""What `show` found as plain JSON objects: the lines of `--format jsonl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.show.values import Part

__all__ = ["part_lines"]

_SCHEMA = "kafkalog.show/1"


def part_lines(path: str, part: Part, most: int | None) -> Iterator[dict[str, Any]]:
    """`part`, then a `field` for each of its rows.

    Args:
        path: The file.
        part: The part.
        most: Bytes of a field that are given; None: all of them.
    """
    yield {
        "schema": _SCHEMA,
        "type": "part",
        "path": path,
        "kind": part.kind,
        "number": part.number,
        "position": part.start,
        "end": part.end,
        "title": part.title,
    }
    for row in part.rows:
        yield {
            "schema": _SCHEMA,
            "type": "field",
            "path": path,
            "space": row.space,
            "position": row.start,
            "end": row.end,
            "field": row.field,
            "depth": row.depth,
            "stored_as": row.type,
            "value": row.value,
            "note": row.note,
            "meaning": row.meaning,
            "problem": row.problem or None,
            "bytes": row.bytes(most).hex(),
            "bytes_left_out": 0 if most is None else max(0, row.size - most),
        }
