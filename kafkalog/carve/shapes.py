"""What records look like: what says that two logs are of one topic, when no name does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kafkalog.carve.values import Shape
from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.source import HELD
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from kafkalog.core.legacy import LegacyBatch

__all__ = ["shape_of"]

#: Bytes of a value that is read as JSON.
_MOST_JSON = 1 << 16
#: Names in an object that are kept.
_MOST_NAMES = 24
#: Confluent's framing: a zero byte, four bytes of a schema id; registries count these from 1.
_FRAME, _MOST_SCHEMAS = 5, 1 << 20


def shape_of(batch: RecordBatch | LegacyBatch) -> Shape:
    """What the first record of a batch looks like."""
    if isinstance(batch, RecordBatch) and batch.is_control:
        return Shape()
    try:
        first = next(iter(batch.walk_records(limit=HELD)), None)
    except (FormatError, LimitExceeded):
        return Shape()
    if first is None or isinstance(first, Damage):
        return Shape()
    return Shape(*_kind(first.value), _kind(first.key)[0])


def _kind(data: bytes | None) -> tuple[str, str]:
    if data is None:
        return "null", ""
    if len(data) > _FRAME and not data[0] and 0 < (schema := int.from_bytes(data[1:_FRAME], "big")) < _MOST_SCHEMAS:
        return "schema", str(schema)
    if data[:1] in (b"{", b"[") and len(data) <= _MOST_JSON:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return "json", ", ".join(sorted(map(str, found))[:_MOST_NAMES])
        if found is not None:
            return "json", ""
    try:
        return ("text", "") if data.decode().isprintable() else ("bytes", "")
    except UnicodeDecodeError:
        return "bytes", ""
