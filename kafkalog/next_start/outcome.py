"""What a start does to one partition, as values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.spoken import count_text
from kafkalog.next_start.cause import FALSE_MARKER

if TYPE_CHECKING:
    from kafkalog.core.command_line import Command
    from kafkalog.kafka.consumed import Skipped
    from kafkalog.kafka.gone_offsets import Gone
    from kafkalog.next_start.cause import Cause

__all__ = ["NOTHING_TOLD", "Assumed", "Consumer", "ConsumerRead", "Outcome", "SetAside", "Truncation"]


#: Fields of an outcome that are None only for a reason, in the order in which the reasons are reported.
_EXPLAINED = (
    "truncate",
    "delete",
    "rename",
    "create",
    "rebuild",
    "log_start_offset",
    "log_end_offset",
    "records_lost",
    "bytes_lost",
    "epochs_after",
    "consumer",
)
#: What is done to files: nothing that can be told.
NOTHING_TOLD: dict[str, Any] = dict.fromkeys(_EXPLAINED[:5])


class Assumed(NamedTuple):
    """What a prediction is based on: the kind of stop (`clean` or `unclean`), the recovery point, the release.

    `release` is None for what holds in either era; `evidence` says what the release was taken from, "" when it was given.
    `condition` says what else must hold, as a clause that begins with "if"; "" when nothing. `caveat` says what the log dir
    lacks as a whole; "" when nothing.
    """

    stop: str
    recovery_point: int | None
    release: str | None
    evidence: str = ""
    condition: str = ""
    caveat: str = ""


class Truncation(NamedTuple):
    """A `.log` that is cut: at a byte position; `offset` is the one that its next record would get."""

    path: str
    position: int
    offset: int | None


class ConsumerRead(NamedTuple):
    """What a consumer gets that begins at the earliest offset.

    Args:
        records: Those that it is handed.
        stops_at_offset: Where it is then.
        error: Why it fails; None when it reaches the end, or is stuck.
        stuck: It waits for ever, or is sent round in a circle (then `records` counts the first round).
        read: First and last offset of each stretch that it is handed records of, ascending. Offsets inside a stretch that no
            record has (markers, aborted and compacted records, what is gone) do not break it.
        skipped: Offsets that it passes over without an error, though bytes for them are in the log.
        aborted_visible: How many of the records that a read_committed consumer is handed are of transactions that were aborted,
            because a `.txnindex` does not list these.
        unreached: First and last offset that it never gets to, because it fails or is stuck; None when it reads to the end.
    """

    records: int
    stops_at_offset: int
    error: str | None
    stuck: bool
    read: tuple[tuple[int, int], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unreached: tuple[int, int] | None = None
    aborted_visible: int = 0


class SetAside(NamedTuple):
    """What a directory holds that is renamed as a whole: records (None: not counted) and bytes of its `.log` files."""

    records: int | None
    size: int


class Consumer(NamedTuple):
    """Both kinds of consumer, by `isolation.level`; None: not known, see `why` of the outcome."""

    uncommitted: ConsumerRead | None
    committed: ConsumerRead | None


@dataclass(frozen=True, repr=False)
class Outcome:
    """What the next start does to a partition directory. None means that it cannot be known; `why` says why.

    Args:
        path: The directory as given.
        assumed: What the prediction is based on.
        broker: `starts` or `aborts` (the process exits).
        log_dir: `online` or `offline`.
        partition: `loaded`, `stray`, `deleted`, `failed` or `unknown`.
        causes: Why, in the order in which it is told.
        truncate: The `.log` files that are cut.
        delete: Files removed at once.
        rename: Files (or the directory) renamed: from, to.
        create: Files made.
        rebuild: Index files that are wiped and rebuilt.
        log_start_offset: The log start offset afterwards.
        log_end_offset: The log end offset afterwards.
        records_lost: Records that could be read before and are cut, deleted, or no longer reachable.
        bytes_lost: Bytes of `.log` files the same is true for.
        time_range_lost: First and last timestamp of those records, milliseconds; None when there are none.
        epochs_after: (epoch, start offset) of the leader epochs after loading, before an election.
        consumer: What consumers read afterwards.
        set_aside: What the directory holds, when it is renamed as a whole: nobody serves it then, though it is not lost yet.
        already_gone: Offsets that the log has lost before the start, ascending; None: not known, for it cannot be read.
        why: Field name → why it is None.
        actions: What to do before the restart, in order; only where it is certain.
        commands: The commands in the actions.
    """

    path: str
    assumed: Assumed
    broker: str | None
    log_dir: str | None
    partition: str
    causes: tuple[Cause, ...]
    truncate: tuple[Truncation, ...] | None = ()
    delete: tuple[str, ...] | None = ()
    rename: tuple[tuple[str, str], ...] | None = ()
    create: tuple[str, ...] | None = ()
    rebuild: tuple[str, ...] | None = ()
    log_start_offset: int | None = None
    log_end_offset: int | None = None
    records_lost: int | None = None
    bytes_lost: int | None = None
    time_range_lost: tuple[int, int] | None = None
    epochs_after: tuple[tuple[int, int], ...] | None = None
    consumer: Consumer | None = None
    set_aside: SetAside | None = None
    already_gone: tuple[Gone, ...] | None = None
    why: dict[str, str] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def reason(self) -> str:
        """Why, in words."""
        return "; ".join(cause.text for cause in self.causes)

    def because(self, *causes: Cause, **changes: Any) -> Outcome:
        """The outcome with more causes, and with other fields changed."""
        return replace(self, causes=(*self.causes, *causes), **changes)

    def unknown_because(self, cause: Cause, **changes: Any) -> Outcome:
        """The outcome when it is not known what becomes of the partition that would load, nor what consumers read."""
        why = {**self.why, "partition": cause.text, "consumer": cause.text, **changes.pop("why", {})}
        return self.because(cause, partition="unknown", consumer=None, why=why, **changes)

    @property
    def is_harmless(self) -> bool:
        """Whether the partition loads, online, and nothing that was readable is lost."""
        return self.broker == "starts" and self.log_dir == "online" and self.partition == "loaded" and self.records_lost == 0

    @property
    def has_lost(self) -> bool:
        """Whether offsets are gone before the start, by something that nothing healthy leaves."""
        return any(gone.is_odd for gone in self.already_gone or ())

    @property
    def is_unknown(self) -> bool:
        """Whether the prediction does not know if the start does harm."""
        return self.broker != "aborts" and self.partition == "unknown" and self.log_dir != "offline"

    @property
    def harm(self) -> tuple[int, int]:
        """How bad it is, to be compared: what keeps the broker or the log dir from serving first, then what is lost."""
        ranks = {"error": 4, "warning": 2, "info": 1, None: 0}
        rank = 6 if self.broker == "aborts" else 5 if self.log_dir == "offline" else ranks[self.severity]
        return max(rank, 3 if self.is_unknown else 0), self.records_lost or 0

    @cached_property
    def severity(self) -> str | None:
        """How bad it is: `error`, `warning`, `info`, or None when no `.log` is touched.

        `error`: data or service is lost, or may be. `warning`: offsets are gone already, of which the start takes nothing more;
        or a log is not recovered because of a clean-shutdown marker that it contradicts. `info`: a `.log` is cut, deleted or
        replaced without loss, as every start does after a crash.

        A partition that is marked for deletion, or set aside already, is served by nobody before and after.
        """
        if self.broker == "aborts" or self.log_dir == "offline" or self.partition == "failed" or self.records_lost:
            return "error"
        if any(before == self.path for before, _ in self.rename or ()):
            return "error"
        if self.partition == "loaded" and self.records_lost is None:
            return "error"
        if not all(read is None or self._is_read(read) for read in self.consumer or ()):
            return "error"
        gone = (*(self.delete or ()), *(path for path, _ in self.rename or ()))
        if self.has_lost or any(cause.kind == FALSE_MARKER for cause in self.causes):
            return "warning"
        return "info" if self.truncate or any(path.endswith(".log") for path in gone) else None

    def _is_read(self, read: ConsumerRead) -> bool:
        """Whether a consumer gets all that is there: it passes over nothing but the rest of what is gone."""
        gone = [(one.first, one.last) for one in self.already_gone or () if one.last is not None]
        passed_over = [one for one in read.skipped if not any(a <= one.first and one.last <= b for a, b in gone)]
        return read.error is None and not read.stuck and not passed_over and not read.aborted_visible

    @property
    def explained(self) -> dict[str, str]:
        """A reason for every field that is None."""
        because = self.why.get("partition", f"the partition is {self.partition}")
        unknown = (name for name in _EXPLAINED if getattr(self, name) is None and name not in self.why)
        return {**self.why, **dict.fromkeys(unknown, because)}

    def __repr__(self) -> str:
        state = "" if self.broker == "starts" else f", broker {self.broker}"
        state += "" if self.log_dir == "online" else f", log dir {self.log_dir}"
        log = "" if self.log_end_offset is None else f", log {self.log_start_offset} to {self.log_end_offset}"
        lost = f", {count_text(self.records_lost, 'record')} lost" if self.records_lost else ""
        return f"Outcome({self.path!r}, {self.assumed.stop} stop: {self.partition}{state}{log}{lost})"
