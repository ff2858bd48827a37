"""Whether what was written is as it should be: by `verify`, and by what a start after each kind of stop would do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.release import release_text
from kafkalog.next_start.api import next_starts
from kafkalog.verify import Severity, verify
from kafkalog.verify.rule import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.release import Release
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.finding import Finding

__all__ = ["Expected", "problems_of"]

#: What the leader epochs of batches that do not ascend make of any `leader-epoch-checkpoint`.
_OF_EPOCHS = ("epoch-start-mismatch", "epoch-missing")


class Expected(NamedTuple):
    """What is known of a new partition directory, and is no fault.

    Args:
        logs_only: The files beside the logs are left to the start.
        has_topic_id: There is a `partition.metadata`.
        epochs_descend: Batches of a lower leader epoch follow those of a higher one, as they did in the source.
        has_unparsable: Batches whose records cannot be read are kept on purpose.
        is_blocked: A transaction is open, at which consumers of committed records wait.
        has_odd_producers: Batches of a producer without an epoch are kept, and a snapshot repeats what they say.
    """

    logs_only: bool
    has_topic_id: bool
    epochs_descend: bool
    has_unparsable: bool
    is_blocked: bool
    has_odd_producers: bool


def problems_of(folder: str, release: Release, expected: Expected) -> list[str]:
    """What is wrong with a new partition directory, in words; empty: nothing.

    Offsets that are gone are no fault of it: they are in the manifest. What is odd in batches that are kept byte for byte is
    none either, as long as a broker serves them.

    Args:
        folder: The directory.
        release: The release that will start on it.
        expected: What is known of it.
    """
    report = verify([folder], kafka_version=release_text(release), next_start=False)
    found = [f"verify: {one.id}: {one.message}" for one in report.all_findings() if _is_fault(one, expected)]
    found += [f"verify could not check {one.path}: {one.reason}" for one in report.not_checked if one.failed]
    stop = "unclean" if expected.logs_only else "auto"
    for outcome in next_starts([folder], assume_stop=stop, kafka_version=release_text(release)):
        article = "an" if outcome.assumed.stop == "unclean" else "a"
        found += [f"a start after {article} {outcome.assumed.stop} stop {text}" for text in _harm(outcome, expected)]
    return list(dict.fromkeys(found))


def _is_fault(finding: Finding, expected: Expected) -> bool:
    if finding.severity < Severity.WARNING:
        return False
    loss = loss_of(finding)
    if loss == "gone":
        return False
    if finding.path.endswith(".log") and str(finding.facts.get("file", finding.path)).endswith(".log"):
        # A bare header of no records holds nothing, whatever its other fields say.
        return loss == "unreadable" and finding.id != "batch-emptied-malformed" and not expected.has_unparsable
    if expected.epochs_descend and finding.id in _OF_EPOCHS:
        return False
    if expected.has_odd_producers and finding.id == "snapshot-entry-invalid":
        return False
    return not expected.logs_only


def _harm(outcome: Outcome, expected: Expected) -> Iterator[str]:
    if outcome.partition == "stray" and not expected.has_topic_id:
        return
    if outcome.broker != "starts" or outcome.log_dir != "online" or outcome.partition != "loaded":
        yield f"fails: {outcome.reason}"
        return
    if outcome.records_lost or outcome.truncate:
        yield f"cuts {outcome.records_lost} records: {outcome.reason}"
    if outcome.consumer is None or expected.has_unparsable:
        return
    uncommitted, committed = outcome.consumer
    for read, may_wait in ((uncommitted, False), (committed, expected.is_blocked)):
        if read is not None and (read.error is not None or (read.stuck and not may_wait)):
            yield f"lets consumers stop at offset {read.stops_at_offset}: {read.error or 'they wait for ever'}"
