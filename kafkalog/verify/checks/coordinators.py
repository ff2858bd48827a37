"""Whether the coordinators of the release load the partitions of their topics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.core.release import NEWEST, OLDEST, release_text
from kafkalog.replay.group_replay import SHARE_TOPIC
from kafkalog.replay.group_replay import TOPIC as GROUP_TOPIC
from kafkalog.replay.groups import read_groups
from kafkalog.replay.transactions import TOPIC as TRANSACTION_TOPIC
from kafkalog.replay.transactions import read_transactions
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.coordinators import UnloadedPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.core.release import Release
    from kafkalog.replay.coordinators import Load
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.verified import Verified

__all__ = ["unloaded"]

#: Names in one message.
_NAMES = 10


def unloaded(verified: Sequence[Verified], release: Release | None) -> Iterator[tuple[int, Iterable[Finding]]]:
    """Findings about partitions that coordinators do not load, by their place in `verified`.

    Args:
        verified: The partitions.
        release: The release that starts; None: the one that the log dir speaks for.
    """
    for number, one in enumerate(verified):
        name = parse_partition_name(os.path.basename(os.path.realpath(one.report.path)))
        if one.is_file or name is None or name.mark:
            continue
        if name.topic in (GROUP_TOPIC, SHARE_TOPIC):
            loads = read_groups(one.partition).loads
        elif name.topic == TRANSACTION_TOPIC:
            loads = read_transactions(one.partition).loads
        else:
            continue
        shown = NEWEST if one.owner is None else one.owner.era.releases[0]
        for load in loads:
            view = _view(load, release or shown, given=release is not None)
            if view is not None:
                yield number, findings_of(view)


def _view(load: Load, release: Release, *, given: bool) -> UnloadedPartition | None:
    failure = load.failure(release)
    certain = failure is not None
    if failure is None and not given:
        # The log dir does not tell which of the older releases is meant.
        failure = next((item for item in load.failures if not item.ends), None)
        release = OLDEST
    if failure is None:
        return None
    lost = load.lost(failure)
    more = f" and {len(lost) - _NAMES} more" if len(lost) > _NAMES else ""
    return UnloadedPartition(
        path=load.file_of(failure),
        release=release_text(release) if certain else f"releases before {release_text(failure.until)}",
        offset=failure.offset,
        reason=failure.reason,
        outcome=load.outcome(failure, release),
        lost=", ".join(lost[:_NAMES]) + more or "none",
        ends=failure.ends,
        certain=certain,
    )
