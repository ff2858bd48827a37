"""Something in a log dir, outside its partitions, that a start does not get over."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Trouble"]


@dataclass(frozen=True)
class Trouble:
    """Something in a log dir, outside its partitions, that a start does not get over.

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
