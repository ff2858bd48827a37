"""What `diff` found as plain JSON objects: the lines of `--format jsonl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.release import release_text
from kafkalog.diff.values import ReplicaDiff, Unpaired
from kafkalog.dump.json_forms import object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.diff.values import DifferingRecord, Following, NotCompared, OnlyThere

__all__ = ["diff_lines"]

Line = dict[str, Any]
_SCHEMA = "kafkalog.diff/1"
#: Bytes of a key, a value or a header up to which they are given; of larger ones there is the length.
_MOST = 1 << 20


def diff_lines(found: Iterable[ReplicaDiff | Unpaired | NotCompared], payload: str) -> Iterator[Line]:
    """`pair` with its `record` lines, `unpaired`, `not_read`; last the `summary`.

    Args:
        found: What was found.
        payload: The form of keys, values and headers.
    """
    counts = {"pairs": 0, "equal": 0, "prefix": 0, "diverge": 0, "unpaired": 0, "not_read": 0}
    for one in found:
        if isinstance(one, ReplicaDiff):
            counts["pairs"] += 1
            counts[one.outcome] += 1
            yield _pair(one)
            for record in one.records:
                yield _record(one, record, payload)
        elif isinstance(one, Unpaired):
            counts["unpaired"] += 1
            yield {"schema": _SCHEMA, "type": "unpaired", "side": one.side, "path": one.path}
        else:
            counts["not_read"] += 1
            yield {"schema": _SCHEMA, "type": "not_read", "path": one.path, "reason": one.reason}
    yield {"schema": _SCHEMA, "type": "summary", **counts}


def _pair(found: ReplicaDiff) -> Line:
    first, logical = found.first_difference, found.logical
    return {
        "schema": _SCHEMA,
        "type": "pair",
        "a": found.a,
        "b": found.b,
        "sides": list(found.sides),
        "topic": found.topic,
        "partition": found.partition,
        "topic_id_equal": found.topic_id_equal,
        "relation": found.relation,
        "compared_from": found.compared_from,
        "same_through_offset": found.same_through_offset,
        "first_difference": None
        if first is None
        else {
            "offset": first.offset,
            "kind": first.kind,
            "epochs": list(first.epochs),
            "places": [None if place is None else {"path": place[0], "position": place[1]} for place in first.places],
        },
        "differences": dict(found.differences),
        "a_only": _only(found.a_only),
        "b_only": _only(found.b_only),
        "log_start": list(found.log_start),
        "log_end": list(found.log_end),
        "high_watermark": list(found.high_watermark),
        "epochs_a": [list(entry) for entry in found.epochs_a],
        "epochs_b": [list(entry) for entry in found.epochs_b],
        "damaged_bytes": list(found.damaged_bytes),
        "if_a_follows_b": _following(found.if_a_follows_b),
        "if_b_follows_a": _following(found.if_b_follows_a),
        "logically_equal": None if logical is None else logical.is_equal,
        "logical": None
        if logical is None
        else {
            "same": logical.same,
            "differing": logical.differing,
            "superseded": list(logical.superseded),
            "lost": list(logical.lost),
            "lost_offsets": [None if offsets is None else list(offsets) for offsets in logical.lost_offsets],
        },
    }


def _only(found: OnlyThere) -> Line:
    return {
        "batches": found.batches,
        "records": found.records,
        "bytes": found.size,
        "offsets": [list(offsets) for offsets in found.offsets],
        "more_ranges": found.more_ranges,
        "time_range": None if found.time_range is None else list(found.time_range),
    }


def _following(found: Following | None) -> Line | None:
    if found is None:
        return None
    return {
        "truncate_to": found.truncate_to,
        "records_lost": found.records_lost,
        "bytes_lost": found.bytes_lost,
        "steps": [list(step) for step in found.steps],
        "by_high_watermark": found.by_high_watermark,
        "starts_over": found.starts_over,
        "why": found.why or None,
        "release": release_text(found.release),
    }


def _record(pair: ReplicaDiff, record: DifferingRecord, payload: str) -> Line:
    form = object_of(payload)

    def shown(data: bytes | None) -> Line | None:
        return None if data is None or form is None else _object(data, form)

    return {
        "schema": _SCHEMA,
        "type": "record",
        "path": pair.a if record.side == pair.sides[0] else pair.b,
        "side": record.side,
        "kind": record.kind,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": shown(record.key),
        "value": shown(record.value),
        "headers": [{"key": shown(key), "value": shown(value)} for key, value in record.headers],
    }


def _object(data: bytes, form: Callable[[bytes], Line]) -> Line:
    return form(data) if len(data) <= _MOST else {"length": len(data)}
