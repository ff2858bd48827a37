"""The lines of the text files: checkpoints, properties, JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import read_leader_epochs, read_offset_checkpoint
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS
from kafkalog.core.properties import read_json_file, read_partition_metadata, read_properties, read_quorum_state
from kafkalog.show.values import Part, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkalog.core.batch import Damage

__all__ = ["line_parts"]

#: Name of a file → names of its first lines, that of the others, and what they mean.
_CHECKPOINT = ("version", "count")
_MEANINGS = {
    "version": "Version of the file, 0.",
    "count": "Lines that follow.",
    "epoch startOffset": "A leader epoch and the first offset of it.",
    "topic partition offset": "A partition and its offset.",
    "topic_id": "The topic's id, in base64.",
    "comment": "Not read.",
}


def line_parts(path: str, data: bytes) -> list[Part]:
    """Each line of a text file, with what is wrong with it."""
    names, damages = _names_and_damages(os.path.basename(path), data)
    parts, at = [], 0
    for number, raw in enumerate(data.splitlines(keepends=True)):
        end = at + len(raw)
        text = raw.rstrip(b"\r\n").decode("utf-8", "replace")
        field = names(number, text)
        problem = "; ".join(str(d.error) for d in damages if d.span.start <= at < d.span.end)
        row = Row(at, end, field, "text", None, text, _MEANINGS.get(field, ""), problem, "text", 0, None, data, at)
        parts.append(Part("line", f"line {number}", at, end, raw, [row], number))
        at = end
    return parts


def _names_and_damages(name: str, data: bytes) -> tuple[Callable[[int, str], str], Sequence[Damage]]:
    """What the lines of a file are called, and what cannot be read in it."""
    if name == "leader-epoch-checkpoint":
        return _of_checkpoint("epoch startOffset"), read_leader_epochs(data).damages
    if name in LOG_DIR_CHECKPOINTS:
        return _of_checkpoint("topic partition offset"), read_offset_checkpoint(data).damages
    if name == "partition.metadata":
        return lambda number, _: ("version", "topic_id")[number] if number < 2 else "line", _several(
            read_partition_metadata(data).damage
        )
    if name == "meta.properties":
        return _of_properties, _several(read_properties(data).damage)
    if name == "quorum-state":
        return lambda *_: "JSON", _several(read_quorum_state(data).damage)
    return lambda *_: "JSON", _several(read_json_file(data).damage)


def _of_checkpoint(entry: str) -> Callable[[int, str], str]:
    return lambda number, _: _CHECKPOINT[number] if number < len(_CHECKPOINT) else entry


def _of_properties(_: int, text: str) -> str:
    return "comment" if text[:1] in ("#", "!", "") else text.partition("=")[0]


def _several(damage: Damage | None) -> Sequence[Damage]:
    return () if damage is None else (damage,)
