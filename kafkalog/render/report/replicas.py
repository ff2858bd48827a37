"""The replicas among the partitions of a report, compared two by two."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command_on, quoted
from kafkalog.diff.api import diffs_among
from kafkalog.diff.values import ReplicaDiff
from kafkalog.render.quantities import count_text, size_text
from kafkalog.render.report.blocks import Block, blocks_of
from kafkalog.render.text_diff import counts_text, name_of_pair, pair_details, relation_text

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Pair", "Replicas", "replicas_among"]

#: Pairs that diverge, and pairs of which one goes on, that are shown.
_DIVERGE, _GO_ON = 50, 200


class Pair(NamedTuple):
    """Two replicas.

    Args:
        name: The partition.
        text: How they are related.
        loss: What each of them throws away if it follows the other.
        blocks: All that is to be said of them; none where one only goes on.
        command: What compares them again.
    """

    name: str
    text: str
    loss: tuple[str, ...]
    blocks: tuple[Block, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """What comparing has found.

    Args:
        sum: How many pairs there are of each kind.
        folders: Letter and path of where the replicas lie.
        diverging: Pairs that contradict each other.
        going_on: Pairs of which one goes on where the other ends.
        left_out: How many more there are of both.
        not_compared: Paths that could not be read, and why.
    """

    sum: str
    folders: tuple[tuple[str, str], ...]
    diverging: tuple[Pair, ...]
    going_on: tuple[Pair, ...]
    left_out: int
    not_compared: tuple[tuple[str, str], ...]


def replicas_among(paths: Iterable[str]) -> Replicas | None:
    """The replicas among partition directories, compared; None where no two of them are replicas."""
    counts = Counter(equal=0, prefix=0, diverge=0)
    folders: dict[str, str] = {}
    diverging: list[Pair] = []
    going_on: list[Pair] = []
    not_compared: list[tuple[str, str]] = []
    for found in diffs_among(paths):
        if not isinstance(found, ReplicaDiff):
            not_compared.append((found.path, found.reason))
            continue
        counts[found.outcome] += 1
        folders |= zip(found.sides, map(os.path.dirname, (found.a, found.b)), strict=True)
        if found.diverge and len(diverging) < _DIVERGE:
            diverging.append(_pair(found, tuple(blocks_of(pair_details(found, "none")))))
        elif found.outcome == "prefix" and len(going_on) < _GO_ON:
            going_on.append(_pair(found, ()))
    if not counts.total() and not not_compared:
        return None
    return Replicas(
        sum=counts_text(counts),
        folders=tuple(sorted(folders.items())),
        diverging=tuple(diverging),
        going_on=tuple(going_on),
        left_out=counts["diverge"] + counts["prefix"] - len(diverging) - len(going_on),
        not_compared=tuple(not_compared),
    )


def _pair(found: ReplicaDiff, blocks: tuple[Block, ...]) -> Pair:
    loss = []
    for side, other, following in zip(
        found.sides, found.sides[::-1], (found.if_a_follows_b, found.if_b_follows_a), strict=True
    ):
        if following is not None and following.records_lost:
            size = size_text(following.bytes_lost or 0)
            loss.append(f"{side} loses {count_text(following.records_lost, 'record')}, {size}, if it follows {other}")
    command = command_on(("kafkalog", "diff", quoted(found.a)), found.b).line
    return Pair(name_of_pair(found), relation_text(found), tuple(loss), blocks, command)
