"""`diff`: from paths to what differs."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from kafkalog.core.release import parse_release
from kafkalog.diff.compare import Both, compare
from kafkalog.diff.logical import LogicalComparison
from kafkalog.diff.pairing import SIDES, paired, paired_directories
from kafkalog.diff.values import NotCompared, ReplicaDiff, Replicas, Unpaired
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.arguments import check_type, path_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.core.release import Release
    from kafkalog.diff.replica import Replica

__all__ = ["diff", "diffs_among", "each_diff"]


def diff(
    *paths: str | os.PathLike[str],
    logical: bool = False,
    leader: str | None = None,
    show: int = 0,
    kafka_version: str | None = None,
) -> Replicas:
    """Where replicas of partitions differ, and what each would throw away if it followed the other.

    >>> found = diff("fixtures/broker/2.3.1/diverge-before-b0/stock-0", "fixtures/broker/2.3.1/diverge-before-b1/stock-0")
    >>> found.pairs[0].relation, found.pairs[0].if_a_follows_b.truncate_to
    ('b-is-prefix', 60)

    Args:
        paths: Two or more partition directories, or log dirs whose partitions are paired by topic id, else by name. They are
            called A, B, C … in this order.
        logical: Whether to compare record by record too.
        leader: The letter of the path that is the leader: each of the others is compared with it alone. None: all with all.
        show: How many of the first records that differ are given, of each replica.
        kafka_version: The release whose rules followers go by; None: what their log dirs show.

    Raises:
        RequestError: fewer than two paths, a file, nothing in common, no such letter or release.
        UnreadableFile: a path is missing, or holds nothing of Kafka.
    """
    check_type("logical", logical, bool)
    check_type("leader", leader, str, None)
    check_type("show", show, int)
    check_type("kafka_version", kafka_version, str, None)
    release = None if kafka_version is None else parse_release(kafka_version)
    texts = [path_of(path) for path in paths]
    pairs: list[ReplicaDiff] = []
    unpaired: list[Unpaired] = []
    not_compared: list[NotCompared] = []
    for found in each_diff(texts, logical=logical, leader=leader, show=show, release=release):
        if isinstance(found, ReplicaDiff):
            pairs.append(found)
        elif isinstance(found, Unpaired):
            unpaired.append(found)
        else:
            not_compared.append(found)
    return Replicas(pairs=tuple(pairs), unpaired=tuple(unpaired), not_compared=tuple(not_compared))


def each_diff(
    paths: Sequence[str],
    *,
    logical: bool = False,
    leader: str | None = None,
    show: int = 0,
    release: Release | None = None,
) -> Iterator[ReplicaDiff | Unpaired | NotCompared]:
    """The same one by one, as it is found; first what has no counterpart."""
    if leader is not None and leader not in SIDES[: len(paths)]:
        raise RequestError(f"{leader!r} is none of the paths: they are called {', '.join(SIDES[: len(paths)])}")
    rows, unpaired, not_compared = paired(paths)
    yield from not_compared
    yield from unpaired
    for row in rows:
        for one, other in combinations(row, 2):
            if leader in (None, one.side, other.side):
                yield _one(one, other, logical=logical, leader=leader, show=show, release=release)


def diffs_among(paths: Iterable[str]) -> Iterator[ReplicaDiff | NotCompared]:
    """Every two replicas of a partition among partition directories, whose folders are called A, B, C … in their order."""
    for row in paired_directories(paths):
        for one, other in combinations(row, 2):
            yield _one(one, other, logical=False, leader=None, show=0, release=None)


def _one(
    one: Replica, other: Replica, *, logical: bool, leader: str | None, show: int, release: Release | None
) -> ReplicaDiff | NotCompared:
    follows = Both(leader in (None, other.side), leader in (None, one.side))
    try:
        found = compare(one, other, release, follows)
        if not logical and not show:
            return found
        comparison = LogicalComparison(one, other, found.compared_from, found.log_end, show)
        result = comparison.run(is_settled=logical)
    except UnreadableFile as error:
        return NotCompared(error.path, error.reason)
    return replace(found, logical=result if logical else None, records=comparison.shown)
