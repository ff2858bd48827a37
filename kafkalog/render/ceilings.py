"""How much of a report is told where nothing else is asked for: apart from what tells it, so that options can name it."""

from __future__ import annotations

__all__ = ["MOST_PARTITIONS"]

#: Damaged partitions that are told in full; the others have a row in a table.
MOST_PARTITIONS = 20
