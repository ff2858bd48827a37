"""Several reports as one: what runs over parts of one log dir say of the log dir itself is counted once."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from kafkalog.verify.told import Told, all_told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import Report

__all__ = ["is_one_host", "merged"]

T = TypeVar("T")


def merged(reports: Sequence[Report]) -> Report:
    """One report of several; the clock and the release are the first one's."""
    told = all_told(report.told for report in reports)
    whole = replace(
        reports[0],
        partitions=tuple(chain.from_iterable(report.partitions for report in reports)),
        findings=tuple(chain.from_iterable(report.findings for report in reports)),
        not_checked=tuple(chain.from_iterable(report.not_checked for report in reports)),
        files=sum(report.files for report in reports),
        bytes=sum(report.bytes for report in reports),
        hashes=tuple(chain.from_iterable(report.hashes for report in reports)),
        suppressed=sum(report.suppressed for report in reports),
        left_out=sum(report.left_out for report in reports),
        next_start=tuple(chain.from_iterable(report.next_start for report in reports)),
        told=told,
    )
    if len(reports) == 1 or not is_one_host(reports):
        return whole
    log_dirs = set(chain.from_iterable(map(_log_dirs, reports)))
    return replace(
        whole,
        findings=_once((report.findings for report in reports), _of_finding, lambda a, b: b.severity > a.severity),
        hashes=tuple(dict.fromkeys(whole.hashes)),
        # How many partitions each run has left out, and why, is its own matter.
        not_checked=_once((report.not_checked for report in reports), lambda one: None if one.path in log_dirs else one),
        files=whole.files - (0 if told is None else _counted_again(told)),
        left_out=_left_out(reports),
        next_start=_once((report.next_start for report in reports), _of_outcome),
        told=None if told is None else _told_once(told),
    )


def is_one_host(reports: Iterable[Report]) -> bool:
    """Whether equal paths of several reports may be the same place.

    They are not where two have a partition directory of one path, or log dirs of one path and different brokers. Nor are they
    where two tell of one log dir, and one of them has left none of its partitions out: nothing is left for the other.
    """
    reports = list(reports)
    paths = Counter(path for report in reports for path in {partition.path for partition in report.partitions})
    told = {(one.path, one.identity) for report in reports if report.told is not None for one in report.told.log_dirs}
    if any(count > 1 for count in chain(paths.values(), Counter(path for path, _ in told).values())):
        return False
    left_out: dict[str, list[int]] = {}
    for report in reports:
        for path in {*(one.path for one in report.findings), *(one.path for one in report.next_start)}:
            left_out.setdefault(path, []).append(report.left_out)
    return all(len(each) == 1 or all(each) for each in left_out.values())


def _log_dirs(report: Report) -> set[str]:
    """The log dirs that a report is about, as far as it tells; and those around partitions that were given by themselves."""
    told = () if report.told is None else report.told.log_dirs
    within = [*(one.path for one in report.partitions if not one.is_remote), *(one.path for one in report.findings)]
    return {*map(os.path.dirname, within), *(one.path for one in told)}


def _of_finding(finding: Finding) -> Hashable:
    return finding.id, finding.path, finding.span, finding.offsets, finding.message


def _of_outcome(outcome: Outcome) -> Hashable:
    return outcome.path, outcome.assumed.stop, outcome.assumed.release


def _once(
    several: Iterable[Collection[T]],
    key_of: Callable[[T], Hashable],
    is_better: Callable[[T, T], bool] = lambda _known, _other: False,
) -> tuple[T, ...]:
    """What several hold; what two of them hold by one key, once. What has no key is kept."""
    kept: list[T] = []
    places: dict[Hashable, int] = {}
    for items in several:
        earlier = dict(places)
        for item in items:
            key = key_of(item)
            at = None if key is None else earlier.get(key)
            if at is None:
                places[key] = len(kept)
                kept.append(item)
            elif is_better(kept[at], item):
                kept[at] = item
    return tuple(kept)


def _left_out(reports: Iterable[Report]) -> int:
    """Partitions that none of the reports has: of those about one log dir, each knows how many there are."""
    groups: list[tuple[set[str], list[Report]]] = []
    for report in reports:
        log_dirs, members = _log_dirs(report), [report]
        for group in [group for group in groups if not group[0].isdisjoint(log_dirs)]:
            groups.remove(group)
            log_dirs, members = log_dirs | group[0], [*group[1], *members]
        groups.append((log_dirs, members))
    return sum(
        max(len(one.partitions) + one.left_out for one in members) - sum(len(one.partitions) for one in members)
        for _, members in groups
    )


def _counted_again(told: Told) -> int:
    """Files of log dirs that several runs have counted."""
    seen: set[str] = set()
    again = 0
    for log_dir in told.log_dirs:
        again += log_dir.files if log_dir.path in seen else 0
        seen.add(log_dir.path)
    return again


def _told_once(told: Told) -> Told:
    """The same, each path once; of a metadata log, what the run that has looked at it tells."""
    log_dirs = {one.path: one for one in reversed(told.log_dirs)}
    metadata_logs = {one.path: one for one in sorted(told.metadata_logs, key=lambda one: one.quorum is not None)}
    return replace(
        told,
        log_dirs=tuple(log_dirs[path] for path in dict.fromkeys(one.path for one in told.log_dirs)),
        metadata_logs=tuple(metadata_logs[path] for path in dict.fromkeys(one.path for one in told.metadata_logs)),
    )
