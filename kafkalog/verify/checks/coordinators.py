"""What coordinators make of their topics: whether they load the partitions, and which open transactions hang."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.core.release import NEWEST, OLDEST, release_text
from kafkalog.core.spoken import listed
from kafkalog.errors import UnreadableFile
from kafkalog.files.paths import real_name
from kafkalog.replay.group_replay import SHARE_TOPIC
from kafkalog.replay.group_replay import TOPIC as GROUP_TOPIC
from kafkalog.replay.groups import read_groups
from kafkalog.replay.logs import Notes, log_of
from kafkalog.replay.transaction_state import TOPIC as TRANSACTION_TOPIC
from kafkalog.replay.transaction_state import TransactionState
from kafkalog.verify.rules.coordinators import UnloadedPartition
from kafkalog.verify.rules.producers import HangingTransaction

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from kafkalog.core.release import Release
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.verified import Verified

__all__ = ["Coordinators"]

#: Names in one message.
_NAMES = 10


class Coordinators:
    """The coordinators of the partitions that were looked at: each partition of `__transaction_state` is replayed once.

    Args:
        verified: The partitions; a subject is yielded with the place of its partition among them.
    """

    def __init__(self, verified: Sequence[Verified]) -> None:
        self._verified = verified
        #: Partitions of `__transaction_state` by their log dir, each alone that was given by itself.
        self._members: dict[Hashable, list[int]] = {}
        for number, one in enumerate(verified):
            if _topic_of(one) == TRANSACTION_TOPIC:
                self._members.setdefault(_home_of(number, one), []).append(number)
        self._states: dict[Hashable, TransactionState] = {}
        self._loads: dict[int, Load] = {}

    def _state_in(self, home: Hashable) -> TransactionState:
        if home not in self._states:
            state = self._states[home] = TransactionState(Notes())
            for number in self._members[home]:
                with suppress(UnreadableFile):
                    load = state.read(log_of(self._verified[number].partition))
                    if load is not None:
                        self._loads[number] = load
        return self._states[home]

    def hanging(self) -> Iterator[tuple[int, HangingTransaction]]:
        """Open transactions that `__transaction_state` in the same log dir knows better."""
        for number, one in enumerate(self._verified):
            home = _home_of(number, one)
            if one.owner is None or home not in self._members or _is_marked(one.report):
                continue
            findings = {f.facts["first"]: f for f in one.report.findings if f.id == "txn-open"}
            for transaction in one.open_transactions if findings else ():
                judged = self._state_in(home).judged(transaction, one.owner.copy)
                if judged.verdict == "hanging" and judged.first_offset in findings:
                    finding = findings[judged.first_offset]
                    yield number, _hanging(finding, judged)

    def unloaded(self, release: Release | None) -> Iterator[tuple[int, UnloadedPartition]]:
        """Partitions that coordinators do not load.

        Args:
            release: The release that starts; None: the one that the log dir speaks for.
        """
        for number, one in enumerate(self._verified):
            shown = NEWEST if one.owner is None else one.owner.era.releases[0]
            told = partial(_unloaded, release=release or shown, is_certain=release is not None)
            if one.regular is not None and told(one.regular.load(log_of(one.partition))) is None:
                continue
            for load in self._loads_of(number, one):
                subject = told(load)
                if subject is not None:
                    yield number, subject

    def _loads_of(self, number: int, one: Verified) -> Sequence[Load]:
        topic = _topic_of(one)
        if topic in (GROUP_TOPIC, SHARE_TOPIC):
            return read_groups(one.partition).loads
        if topic == TRANSACTION_TOPIC:
            self._state_in(_home_of(number, one))
        return [self._loads[number]] if number in self._loads else []


def _topic_of(one: Verified) -> str | None:
    """The topic of a partition that a broker serves; None for what is on its way out or in, and for a single file."""
    name = parse_partition_name(real_name(one.report.path))
    return None if one.is_file or name is None or name.mark else name.topic


def _home_of(number: int, one: Verified) -> Hashable:
    return ("directory", number) if one.owner is None else ("log dir", id(one.owner))


def _is_marked(report: PartitionReport) -> bool:
    """Whether a directory is on its way out or in: markers go to where the partition is."""
    name = parse_partition_name(os.path.basename(report.path))
    return name is not None and bool(name.mark)


def _hanging(finding: Finding, transaction: OpenTransaction) -> HangingTransaction:
    assert finding.span is not None
    return HangingTransaction(
        path=finding.path,
        span=finding.span,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        first_offset=transaction.first_offset,
        last_offset=transaction.last_offset,
        why=transaction.why,
        commands=finding.commands,
    )


def _unloaded(load: Load, release: Release, *, is_certain: bool) -> UnloadedPartition | None:
    """What is not loaded; `is_certain`: it is known that no older release is meant."""
    failure = load.failure(release)
    certain = failure is not None
    if failure is None and not is_certain:
        failure = next((item for item in load.failures if not item.ends), None)
        release = OLDEST
    if failure is None:
        return None
    lost = load.lost(failure)
    return UnloadedPartition(
        path=load.file_of(failure),
        release=release_text(release) if certain else f"releases before {release_text(failure.until)}",
        offset=failure.offset,
        reason=failure.reason,
        outcome=load.outcome(failure, release),
        lost=listed(lost, _NAMES) or "nobody whose name the partition still holds",
        ends=failure.ends,
        certain=certain,
    )
