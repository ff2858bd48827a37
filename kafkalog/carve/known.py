"""Partitions that are there: those that what is found may be of, and those whose batches need not be found."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from kafkalog.carve.groups import Known
from kafkalog.carve.scan import batch_key
from kafkalog.carve.shapes import shape_of
from kafkalog.carve.values import Shape
from kafkalog.core.log import first_offset
from kafkalog.errors import RequestError
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import LogDir
from kafkalog.files.partition import Partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["known_partitions", "live_batches"]

#: The topic of a schema registry, and how it calls the schemas of a topic's values (TopicNameStrategy).
_SCHEMAS, _OF_VALUES = "_schemas", "-value"
#: Batches whose producer and records are looked at, from the beginning of each segment.
_LOOKED_AT = 8


def known_partitions(paths: Iterable[str]) -> list[Known]:
    """What the partitions at paths look like.

    Raises:
        RequestError: a path is a file.
        UnreadableFile: it is missing, or something in it cannot be read.
    """
    found: list[Known] = []
    for partition in _partitions(paths):
        if partition.topic == _SCHEMAS:
            found += _registered(partition)
            continue
        producers: set[int] = set()
        shapes = set()
        for segment in partition.segments:
            snapshot = segment.producer_snapshot
            producers.update(() if snapshot is None else (entry.producer_id for entry in snapshot.entries))
            for _, batch in zip(range(_LOOKED_AT), segment.batches(), strict=False):
                shapes.add(shape_of(batch))
                producers.add(getattr(batch.header, "producer_id", -1))
        found.append(Known(partition.path, frozenset(producers - {-1}), frozenset(shapes)))
    return found


def _registered(partition: Partition) -> Iterator[Known]:
    """Topics by the schemas that a schema registry has for their values: `_schemas`, subjects named after topics."""
    topics: dict[str, set[str]] = defaultdict(set)
    for record in partition.records():
        try:
            said = json.loads(record.value or b"")
            subject, schema = said["subject"], said["id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if isinstance(subject, str) and isinstance(schema, int) and subject.endswith(_OF_VALUES):
            topics[subject].add(str(schema))
    for subject, schemas in sorted(topics.items()):
        shapes = frozenset(Shape("schema", schema) for schema in schemas)
        why = f"{partition.path} has it for the subject {subject}"
        yield Known(f"topic {subject.removesuffix(_OF_VALUES)}", frozenset(), shapes, why)


def live_batches(paths: Iterable[str]) -> frozenset[int]:
    """What tells the batches of the partitions at paths.

    Raises:
        RequestError, UnreadableFile: as for `known_partitions`.
    """
    return frozenset(
        batch_key(first_offset(batch), batch.header.crc, batch.size)
        for partition in _partitions(paths)
        for batch in partition.batches()
    )


def _partitions(paths: Iterable[str]) -> Iterator[Partition]:
    for path in paths:
        text, kind, directory = classify(path)
        if kind is Kind.FILE:
            raise RequestError(f"{text} is a file: give a partition directory or a log dir")
        if kind is Kind.PARTITION:
            yield Partition(text, directory)
        else:
            yield from LogDir(text, directory).partitions()
