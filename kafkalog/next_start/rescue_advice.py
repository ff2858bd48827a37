"""What to do where a start would lose records that are there, or where files were deleted: the commands that rescue them."""

from __future__ import annotations

from kafkalog.core.command_line import FINDS_DELETED, carve_command

__all__ = ["SALVAGE", "SEEK", "sought"]

#: The command stands beside it.
SALVAGE = (
    "write the sound batches of this directory into a new one, with the `kafkalog salvage` below, and put that in its place;"
    " keep this one elsewhere."
)
#: Files are gone, not damaged.
SEEK = (
    "If nobody has a copy: what was deleted may still be on the disk. Write nothing more to it; "
    f"{FINDS_DELETED} finds batches in an image of it."
)


def sought(live: str) -> str:
    """How what was deleted is sought, without what is still there.

    Args:
        live: The log dir.
    """
    return SEEK.replace(FINDS_DELETED, f"`{carve_command(live).line}`")
