"""The order in which the hash tables of Java and Scala list what is in them: it decides what the tool prints first.

Source: java.util.HashMap;
scala.collection.mutable.HashTable and FlatHashTable, immutable.HashSet (2.12); mutable.HashMap and HashSet (2.13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kafkalog.core.messages.text import string_hash
from kafkalog.core.record import wrap32
from kafkalog.kafka.behaviours import Behaviour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.release import Release

__all__ = ["java_map_order", "partition_hash", "scala_map_order", "scala_set_order"]

T = TypeVar("T")

_MASK = 0xFFFFFFFF

#: Kafka is built with several; this is the one of its own downloads.
SCALA_2_13 = Behaviour(
    (3, 0, 0),
    "scala-2.13",
    "Kafka's own builds are made with Scala 2.13; before, with 2.11 or 2.12.",
    "kafka_2.13-3.0.0.tgz",
)


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


def _spread(value: int) -> int:
    return value ^ value >> 16


def java_map_order(keys: Iterable[str]) -> list[str]:
    """The order in which a java.util.HashMap filled by computeIfAbsent lists `keys`, given in order of insertion."""
    distinct = list(dict.fromkeys(keys))
    size = 16
    for count in range(len(distinct)):
        # The table grows before an insertion, once it holds more than three quarters of its size.
        if count > size * 3 // 4:
            size *= 2
    buckets: dict[int, list[str]] = {}
    for key in distinct:
        buckets.setdefault(_spread(string_hash(key)) & size - 1, []).insert(0, key)
    return [key for bucket in sorted(buckets) for key in buckets[bucket]]


def scala_map_order(keys: Iterable[str], release: Release) -> list[str]:
    """The order in which a mutable HashMap of a release's Scala lists `keys`, given in order of insertion."""
    distinct = list(dict.fromkeys(keys))
    hashes = {key: string_hash(key) for key in distinct}
    if SCALA_2_13.applies_to(release):
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
        improved = _spread(hashed(item))
        return improved & (size - 1), wrap32(improved)

    return sorted(items, key=place)


Partition = tuple[str, int]


def scala_set_order(groups: Iterable[Iterable[Partition]], release: Release) -> list[Partition]:
    """Topic partitions in the order a mutable Set of a release's Scala lists them: each group was made a Set, then added."""
    sets = [list(dict.fromkeys(group)) for group in groups]
    if not SCALA_2_13.applies_to(release):
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
