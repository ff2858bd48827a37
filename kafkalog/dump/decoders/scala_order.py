"""The order in which Scala's hash tables list what is in them: it decides what the old decoders print first.

Source: scala.collection.mutable.HashTable and FlatHashTable, immutable.HashSet (2.12); mutable.HashMap and HashSet (2.13).
Kafka's own builds used here are those with Scala 2.11 and 2.12 up to 2.8, with 2.13 since 3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kafkalog.core.messages.text import string_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.messages.schema import Release

__all__ = ["map_order", "partition_hash", "set_order"]

T = TypeVar("T")

_MASK = 0xFFFFFFFF
_SCALA_2_13: Release = (3, 0, 0)


def partition_hash(topic: str, partition: int) -> int:
    """TopicPartition.hashCode, as an unsigned 32-bit number."""
    return (31 * (31 + partition) + string_hash(topic)) & _MASK


def _byteswap32(value: int) -> int:
    value = value * 0x9E3775CD & _MASK
    value = int.from_bytes(value.to_bytes(4, "big"), "little")
    return value * 0x9E3775CD & _MASK


def _index(value: int, rotation: int, bits: int) -> int:
    improved = _byteswap32(value)
    rotated = (improved >> rotation | improved << (32 - rotation)) & _MASK
    return rotated >> (32 - bits) & ((1 << bits) - 1)


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def map_order(keys: Iterable[str], release: Release) -> list[str]:
    """Keys in the order a mutable HashMap lists them, when they were put into it in this order."""
    distinct = list(dict.fromkeys(keys))
    hashes = {key: string_hash(key) for key in distinct}
    if release >= _SCALA_2_13:
        size = 16
        for count in range(len(distinct)):
            if count + 1 >= size * 3 // 4:
                size *= 2
        return _order_2_13(distinct, hashes.__getitem__, size)
    return _map_order_2_12(distinct, hashes)


def _map_order_2_12(keys: list[str], hashes: dict[str, int]) -> list[str]:
    bits = 4
    buckets: list[list[str]] = [[] for _ in range(1 << bits)]
    for count, key in enumerate(keys, 1):
        # The rotation stays that of the first table, whatever the table grows to.
        buckets[_index(hashes[key], 4, bits)].insert(0, key)
        if count > (3 << bits) // 4:
            bits += 1
            grown: list[list[str]] = [[] for _ in range(1 << bits)]
            for bucket in reversed(buckets):
                for entry in bucket:
                    grown[_index(hashes[entry], 4, bits)].insert(0, entry)
            buckets = grown
    return [key for bucket in reversed(buckets) for key in bucket]


def _order_2_13(items: list[T], hashed: Callable[[T], int], size: int) -> list[T]:
    def place(item: T) -> tuple[int, int]:
        value = hashed(item)
        improved = value ^ value >> 16
        return improved & (size - 1), _signed(improved)

    return sorted(items, key=place)


Partition = tuple[str, int]


def set_order(groups: Iterable[Iterable[Partition]], release: Release) -> list[Partition]:
    """Topic partitions in the order a mutable Set lists them, when each group was made a Set and then added to it."""
    sets = [list(dict.fromkeys(group)) for group in groups]
    if release < _SCALA_2_13:
        return _set_order_2_12(sets)
    size = 16
    content: dict[Partition, int] = {}
    for group in sets:
        while size < int((len(group) + 1) / 0.75):
            size *= 2
        # Up to four elements are added one by one; a HashSet is poured in without looking whether it fits.
        one_by_one = len(group) <= 4
        for item in group:
            if one_by_one and len(content) + 1 >= size * 3 // 4:
                size *= 2
            content.setdefault(item, partition_hash(*item))
    return _order_2_13(list(content), content.__getitem__, size)


def _set_order_2_12(sets: list[list[Partition]]) -> list[Partition]:
    bits = 5
    table: list[Partition | None] = [None] * (1 << bits)
    content: set[Partition] = set()
    for group in sets:
        for item in _immutable_order_2_12(group):
            if item in content:
                continue
            content.add(item)
            _probe(table, item, bits)
            if len(content) >= (1 << bits) * 450 // 1000:
                bits += 1
                grown: list[Partition | None] = [None] * (1 << bits)
                for entry in table:
                    if entry is not None:
                        _probe(grown, entry, bits)
                table = grown
    return [entry for entry in table if entry is not None]


def _probe(table: list[Partition | None], item: Partition, bits: int) -> None:
    at = _index(partition_hash(*item), bits, bits)
    while table[at] is not None:
        at = (at + 1) % len(table)
    table[at] = item


def _immutable_order_2_12(items: list[Partition]) -> list[Partition]:
    if len(items) <= 4:
        return items

    def digits(item: Partition) -> list[int]:
        value = partition_hash(*item)
        value = value + ~(value << 9) & _MASK
        value ^= value >> 14
        value = value + (value << 4) & _MASK
        value ^= value >> 10
        return [value >> shift & 31 for shift in range(0, 35, 5)]

    return sorted(items, key=digits)
