"""Markers of a clean shutdown that the logs beside them contradict: what a clean stop leaves in a log, and what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Contradiction", "StopTraces", "contradiction", "is_against", "is_closed_by_a_stop"]


class StopTraces(NamedTuple):
    """What a log shows of a clean stop, which puts recovery point and snapshot at its end, and trims its indexes.

    Args:
        is_point_before_end: The recovery point lies before the log's end.
        lacks_point: There is no line for it in a checkpoint of recovery points that has others.
        lacks_snapshot: There is no snapshot at the log's end, though the log has producers.
        is_padded: An index of the active segment is preallocated.
    """

    is_point_before_end: bool = False
    lacks_point: bool = False
    lacks_snapshot: bool = False
    is_padded: bool = False


class Contradiction(NamedTuple):
    """How many logs were judged, how many of them contradict the marker, and in what beside their recovery points."""

    judged: int
    against: int
    without_snapshot: int
    padded: int

    @property
    def text(self) -> str:
        """In words."""
        return (
            "the broker believes the marker `.kafka_cleanshutdown` and recovers nothing, but"
            f" {self.against} of {self.judged} logs say that it was not stopped cleanly: their recovery point lies before their"
            f" end, {self.without_snapshot} have no snapshot at the end, {self.padded} have preallocated indexes in the active"
            " segment"
        )


def contradiction(logs: Iterable[StopTraces], *, no_points: bool) -> Contradiction | None:
    """How the logs of a log dir contradict its marker; None when they do not, or when those that do are the fewer.

    Args:
        logs: Those with records that a clean stop would have closed.
        no_points: Whether no recovery point was ever written: a broker that is killed in its first minute has none.
    """
    traces = list(logs)
    against = [one for one in traces if is_against(one, no_points=no_points)]
    closed = sum(not any(one) for one in traces)
    if len(against) <= closed:
        return None
    without = sum(one.lacks_snapshot for one in against)
    return Contradiction(len(traces), len(against), without, sum(one.is_padded for one in against))


def is_against(traces: StopTraces, *, no_points: bool) -> bool:
    """Whether a log contradicts the marker."""
    return (no_points or traces.is_point_before_end) and (traces.lacks_snapshot or traces.is_padded)


def is_closed_by_a_stop(directory: str) -> bool:
    """Whether a clean stop closes a directory as a log: not the metadata log, nor what is on its way out."""
    name = parse_partition_name(directory.rpartition("/")[2])
    return name is not None and name.mark in ("", "future") and name.topic not in METADATA_TOPICS
