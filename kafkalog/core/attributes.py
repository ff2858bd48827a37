"""The attribute bits of a batch and of a magic 0/1 message, as a table."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ATTRIBUTE_BITS",
    "CODEC_MASK",
    "CONTROL",
    "DELETE_HORIZON",
    "KNOWN_BITS",
    "LEGACY_KNOWN_BITS",
    "LOG_APPEND_TIME",
    "TRANSACTIONAL",
    "AttributeBit",
    "timestamp_type_name",
]


class AttributeBit(NamedTuple):
    """One flag of the attributes field: its mask, Kafka's name, the lowest magic that has it, its meaning."""

    mask: int
    name: str
    since_magic: int
    meaning: str


CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40

ATTRIBUTE_BITS = (
    AttributeBit(CODEC_MASK, "compressionType", 0, "Codec id: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    AttributeBit(LOG_APPEND_TIME, "timestampType", 1, "Set: LogAppendTime, the broker's clock; clear: CreateTime."),
    AttributeBit(TRANSACTIONAL, "isTransactional", 2, "The batch belongs to a transaction."),
    AttributeBit(CONTROL, "isControlBatch", 2, "The records are control records, not data."),
    AttributeBit(DELETE_HORIZON, "hasDeleteHorizonMs", 2, "baseTimestamp holds the delete horizon (since Kafka 3.1)."),
)
KNOWN_BITS = sum(bit.mask for bit in ATTRIBUTE_BITS)
LEGACY_KNOWN_BITS = CODEC_MASK | LOG_APPEND_TIME


def timestamp_type_name(attributes: int) -> str:
    """`CreateTime` or `LogAppendTime`, from the attributes of a magic 1 message or a magic 2 batch."""
    return "LogAppendTime" if attributes & LOG_APPEND_TIME else "CreateTime"
