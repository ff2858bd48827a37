"""Something in a log dir, outside its partitions, that a start fails on."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Noted", "Obstacle"]


@dataclass(frozen=True)
class Obstacle:
    """Something in a log dir, outside its partitions, that a start fails on.

    Args:
        path: The file or directory.
        effect: `aborts`: the broker exits. `unloaded`: the log dir is offline from the start. `offline`: it goes offline
            before its partitions load, and the broker exits if one of them has a transaction open. `late`: it goes
            offline once they are loaded. `doubtful`: it may. `unserved`: no partition of it is served.
        reason: Why, in words.
        remedy: What to do about it, where that is certain.
    """

    path: str
    effect: str
    reason: str
    remedy: str = ""


class Noted(NamedTuple):
    """What was noted about a log dir, outside its partitions.

    Args:
        obstacles: What a start does not get over.
        remarks: What it does, and is worth knowing.
        conflicts: Directory name → why the broker exits when it has loaded it.
        notes: Directory name → what is worth knowing of one partition.
    """

    obstacles: tuple[Obstacle, ...] = ()
    remarks: tuple[str, ...] = ()
    conflicts: Mapping[str, str] = MappingProxyType({})
    notes: Mapping[str, str] = MappingProxyType({})

    def and_also(self, *others: Noted) -> Noted:
        """All of it with more, in this order; of two texts about one directory the later one counts."""
        everything = (self, *others)
        return Noted(
            tuple(obstacle for one in everything for obstacle in one.obstacles),
            tuple(remark for one in everything for remark in one.remarks),
            {name: text for one in everything for name, text in one.conflicts.items()},
            {name: text for one in everything for name, text in one.notes.items()},
        )
