"""What the broker makes of file names in a partition directory."""

from __future__ import annotations

from functools import lru_cache

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.recovery.failure import BrokerAborts

__all__ = ["CLEANED", "DELETED", "INDEX_SUFFIXES", "SWAP", "offset_of_name", "parse_offset"]

DELETED = ".deleted"
CLEANED = ".cleaned"
SWAP = ".swap"
INDEX_SUFFIXES = (".index", ".timeindex", ".txnindex")


@lru_cache(maxsize=1 << 16)
def parse_offset(name: str) -> int | None:
    """The number before the first dot of a file name, None when there is no dot or no number of 64 bits."""
    number, dot, _ = name.partition(".")
    return parse_java_integer(number, 64) if dot else None


def offset_of_name(name: str) -> int:
    """The number before the first dot of a file name.

    Raises:
        BrokerAborts: there is none.

    Source: LogFileUtils.offsetFromFileName, Kafka 3.9.1.
    """
    offset = parse_offset(name)
    if offset is None:
        kind = "NumberFormatException" if "." in name else "StringIndexOutOfBoundsException"
        raise BrokerAborts(kind, f"the name of {name} does not begin with an offset")
    return offset
