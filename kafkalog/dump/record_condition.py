"""Which records are wanted, as a condition that stands in a record loop: `Filters.values_pass`, written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.core.filters import Filters

__all__ = ["Condition", "condition_of"]


class Condition(NamedTuple):
    """An expression over the names of a record loop, "" when every record is wanted.

    `base_timestamp` has to be that of the records where all have the broker's. `wanted_key`: what the expression names so;
    then the loop has to give the bytes of keys.
    """

    text: str
    wanted_key: bytes | None

    def guard(self, statements: str) -> str:
        """Statements, parted by semicolons, that run for wanted records only."""
        return f"if {self.text}: {statements}" if self.text else statements


def condition_of(filters: Filters, *, append_time: bool) -> Condition:
    """The condition of filters, the producer apart, which a batch has.

    Args:
        filters: What is wanted.
        append_time: All records have the same timestamp.
    """
    timestamp = "base_timestamp" if append_time else "base_timestamp + t"
    parts = (
        ("base_offset + o >= {}", filters.first_offset),
        ("base_offset + o < {}", filters.end_offset),
        (timestamp + " >= {}", filters.since),
        (timestamp + " < {}", filters.until),
        ("k == {} and key == wanted_key", None if filters.key is None else 2 * len(filters.key)),
    )
    return Condition(" and ".join(text.format(value) for text, value in parts if value is not None), filters.key)
