"""Rules about replicas of one partition, on other brokers or in another log dir of the same one."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command_on, quoted
from kafkalog.core.spoken import offsets_spoken
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE
from kafkalog.verify.rule import also_on, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.command_line import Command
    from kafkalog.span import Span


class Divergence(Enum):
    """How the two batches differ."""

    LEADERS = "divergent tails of different leaders"
    BEFORE_EPOCHS = "different messages; before leader epochs (KIP-101) an unclean election leaves that for good"
    BYTES = "same leader epoch, different bytes"


class ReplicaPair(NamedTuple):
    """Two replicas of a partition, and the first batch in which they differ below the end of the shorter one.

    `ends`: for each leader epoch, ascending, the offset after its last batch here and there, None where it has none.
    """

    path: str
    other: str
    log_path: str
    span: Span
    offset: int
    epoch: int
    other_epoch: int
    kind: Divergence
    ends: tuple[tuple[int, int | None, int | None], ...]
    log_end: int
    other_log_end: int


class DigestPair(NamedTuple):
    """Two replicas on hosts that do not see each other, and the first range of offsets of which they have other digests.

    `log_end` and `other_log_end`: the offset after the last one of each; None: not known.
    """

    path: str
    other: str
    offsets: tuple[int, int]
    log_end: int | None
    other_log_end: int | None


class FuturePair(NamedTuple):
    """A future directory of a partition, and the first batch in which it differs from the current one."""

    pair: ReplicaPair

    @property
    def path(self) -> str:
        """The future directory."""
        return self.pair.path


@rule(
    "replica-diverges",
    Severity.INFO,
    on=ReplicaPair,
    message="differs from {file} from offset {offset} on: {kind} (leader epochs {epoch} and {other_epoch}; log ends {end} and "
    "{other_end})",
    consequence="After an unclean election the replica with the older epoch truncates to the common part. Equal epochs with "
    "different bytes mean that one of the two is damaged. Ends per epoch: {ends}",
    remedy="Keep both copies until it is known which one was the leader's. This says which records only one of them has, and "
    "what each would throw away if it followed the other:",
    source="KIP-101, KIP-279, ReplicaVerificationTool (Kafka 3.9.1)",
    proof="diverged-replicas",
    near_miss="replica-that-lags",
    invariants="D17",
)
def replica_diverges(pair: ReplicaPair) -> Iterator[Hit]:
    """Two replicas differ below the end of the shorter one, batch by batch: offset, epoch, checksum, size.

    Replicas on hosts that do not see each other are compared by the digests of ranges of their offsets (`kafkalog merge`).
    """
    yield Hit(
        pair.span,
        (pair.offset, pair.offset),
        path=pair.log_path,
        file=pair.other,
        offset=pair.offset,
        kind=pair.kind.value,
        epoch=pair.epoch,
        other_epoch=pair.other_epoch,
        end=pair.log_end,
        other_end=pair.other_log_end,
        commands=(_diff(pair),),
        ends=", ".join(f"{epoch}: {_end(here)}/{_end(there)}" for epoch, here, there in pair.ends),
    )


@also_on(
    DigestPair,
    "replica-diverges",
    message="differs from {file}, first in {range}, by the digests of both",
    consequence="After an unclean election the replica with the older epoch truncates to the common part. Without one, "
    "replicas are equal below the high watermark: one of the two is damaged then.",
    remedy="Keep both copies until it is known which one was the leader's. Copied to one host, `kafkalog diff` says what "
    "differs, and what each would throw away if it followed the other.",
)
def replica_digests_differ(pair: DigestPair) -> Iterator[Hit]:
    """The digests of two replicas differ in a range that both have."""
    yield Hit(
        None,
        pair.offsets,
        file=pair.other,
        range=offsets_spoken(*pair.offsets),
        offset=pair.offsets[0],
        end=pair.log_end,
        other_end=pair.other_log_end,
    )


def _diff(pair: ReplicaPair) -> Command:
    return command_on(("kafkalog", "diff", quoted(pair.path)), pair.other.rpartition("/")[0] or ".")


def _end(offset: int | None) -> str:
    return "-" if offset is None else str(offset)


@rule(
    "future-differs",
    Severity.INFO,
    on=FuturePair,
    message="differs from {file} from offset {offset} on (leader epochs {epoch} and {other_epoch}; log ends {end} and "
    "{other_end})",
    consequence="When the broker promotes the copy, its bytes take the place of the current ones.",
    remedy=f"{COMPARE} If this copy is the wrong one, move it away while the "
    "broker is stopped: the move between log dirs can be asked for again. This says in what both differ:",
    source="ReplicaAlterLogDirsThread, LogManager.replaceCurrentWithFutureLog (Kafka 3.9.1)",
    proof="future-changed",
    near_miss="future-in-another-log-dir",
    invariants="D16",
)
def future_differs(future: FuturePair) -> Iterator[Hit]:
    """A `-future` directory is a copy of the current one, batch by batch; where both have a batch, this one differs."""
    pair = future.pair
    yield Hit(
        pair.span,
        (pair.offset, pair.offset),
        path=pair.log_path,
        file=pair.other,
        offset=pair.offset,
        epoch=pair.epoch,
        other_epoch=pair.other_epoch,
        end=pair.log_end,
        other_end=pair.other_log_end,
        commands=(_diff(pair),),
    )
