"""The result of verify: a pure value that can be merged, pickled and written as JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from kafkalog.services import service
from kafkalog.verify.account import Account, account_of
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.rule import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.core.log_digests import LogDigests
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.policy import Policy
    from kafkalog.verify.told import Told

__all__ = ["DAMAGED", "VERDICTS", "NotChecked", "PartitionReport", "Report"]

#: Best first.
VERDICTS = ("clean", "benign", "unknown", "damaged", "data-loss")
#: Those that say that something is wrong, worst first.
DAMAGED = ("data-loss", "damaged")


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that could not be judged. `failed`: it could not even be read."""

    path: str
    reason: str
    failed: bool = False


@dataclass(frozen=True)
class PartitionReport:
    """What verify says of one partition directory.

    Offsets are log offsets: `valid_through_offset` is the last one before the first damage, -1 when there is none;
    `log_end_offset` is the one after the last record. `valid_file` and `valid_position` say where the valid part ends.
    `segments`, `batches` and `records` count the log, `bytes` all files checked, also such as wait to be deleted.
    `last_segment` is the base offset of the active one. `next_start` are the predictions of the next start: one in a log
    dir, one for each kind of stop of a directory given by itself, none for a single file. `otherwise`: in a log dir, for a
    damaged partition, those of a start after the other kind of stop. `topic_id`: of a sound `partition.metadata`. `cleaned`:
    the log cleaner has been over the log, or may have been, so that records may be gone from it without a trace.
    `is_remote`: this is the part of the partition that lies in remote storage, whose directory tells the topic's id.
    `digests`: of a sound log that was not compacted, where they were asked for.
    """

    path: str
    topic: str | None
    partition: int | None
    findings: tuple[Finding, ...]
    valid_through_offset: int | None
    valid_file: str
    valid_position: int
    log_start_offset: int | None
    log_end_offset: int | None
    segments: int
    batches: int
    records: int
    bytes: int
    readable: bool = True
    files: int = 0
    hashes: tuple[tuple[str, str], ...] = ()
    last_segment: int | None = None
    next_start: tuple[Outcome, ...] = ()
    otherwise: tuple[Outcome, ...] = ()
    topic_id: str | None = None
    is_remote: bool = False
    cleaned: bool = False
    digests: LogDigests | None = None

    @cached_property
    def account(self) -> Account:
        """Its damage in numbers; worked out when it is asked for."""
        end = self.log_end_offset
        if self.last_segment is not None:
            end = _own_end(self.findings, f"{self.last_segment:020d}.log", end)
        return account_of(
            self.path, self.findings, self.next_start, self.otherwise, self.log_start_offset, end, cleaned=self.cleaned
        )

    def under(self, policy: Policy) -> PartitionReport:
        """The report as a policy grades it."""
        graded = policy.graded(self.findings)
        return self if graded == self.findings else replace(self, findings=graded)

    @property
    def verdict(self) -> str:
        """`clean`, `benign` (only INFO), `damaged`, `data-loss` or `unknown`."""
        verdict = _verdict_of(self.findings)
        return verdict if self.readable or verdict in DAMAGED else "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """What verify says of everything it was given.

    `findings` are those about log dirs; those about a partition are with it. `now` is the clock in milliseconds, `version`
    the Kafka release taken for what depends on one (None: nothing says which), `evidence` what that is taken from, "" when it
    was given. `left_out`: partitions of log dirs that the caller's choice left out. `next_start` are the predictions about what
    is beside the partitions of a log dir and does harm. `told` is what the reports of other hosts are compared with, where that
    was asked for.
    """

    now: int
    partitions: tuple[PartitionReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    version: str | None = None
    files: int = 0
    bytes: int = 0
    hashes: tuple[tuple[str, str], ...] = ()
    suppressed: int = 0
    left_out: int = 0
    quick: bool = field(default=False)
    next_start: tuple[Outcome, ...] = ()
    told: Told | None = None
    evidence: str = ""

    def all_findings(self) -> Iterator[Finding]:
        """Every finding: partition by partition, then those about log dirs."""
        for partition in self.partitions:
            yield from partition.findings
        yield from self.findings

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        found = Counter(finding.severity for finding in self.all_findings())
        return {severity.label: found[severity] for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)}

    @property
    def worst(self) -> Severity:
        """The highest severity; `IGNORE` when there are no findings. A broker that will not start is an ERROR."""
        if self.will_not_start:
            return Severity.ERROR
        return max((finding.severity for finding in self.all_findings()), default=Severity.IGNORE)

    @property
    def verdict(self) -> str:
        """The worst verdict of all partitions and log dirs; `damaged` at least when the broker will not start."""
        verdicts = [partition.verdict for partition in self.partitions]
        verdicts.append("damaged" if self.will_not_start else "clean")
        verdicts.append(_verdict_of(self.findings))
        if self.failed:
            verdicts.append("unknown")
        return max(verdicts, key=VERDICTS.index)

    @property
    def will_not_start(self) -> bool:
        """Whether every start that is predicted for a place ends the broker, or takes a log dir offline.

        Findings are looked for without the release and the stop that were asked about, and may miss it. Where a policy leaves
        findings out, these alone are counted: the cause may be among what is left out on purpose.
        """
        if self.suppressed:
            return False
        places: dict[str, list[Outcome]] = {}
        for outcome in chain(self.next_start, *(partition.next_start for partition in self.partitions)):
            places.setdefault(outcome.path, []).append(outcome)
        return any(all(one.broker == "aborts" or one.log_dir == "offline" for one in each) for each in places.values())

    @property
    def failed(self) -> bool:
        """Whether something could not be read or judged."""
        return any(item.failed for item in self.not_checked)

    def merge(self, *others: Report) -> Report:
        """One report of several; the clock and the release are the first one's.

        What runs over parts of one log dir both say of the log dir itself is in it once.
        """
        merged: Report = service("merged")((self, *others))
        return merged

    def under(self, policy: Policy) -> Report:
        """The report as a policy grades it: severities changed, findings left out."""
        kept = [(p.under(policy), len(p.findings)) for p in self.partitions]
        own = policy.graded(self.findings)
        gone = sum(count - len(p.findings) for p, count in kept) + len(self.findings) - len(own)
        return replace(self, partitions=tuple(p for p, _ in kept), findings=own, suppressed=self.suppressed + gone)

    def to_jsonl(self) -> str:
        """All JSON lines as text, as `kafkalog verify --format jsonl` prints them."""
        lines = service("jsonl")(self)
        return "".join(json.dumps(line) + "\n" for line in lines)

    def to_html(
        self,
        *,
        title: str | None = None,
        payload: str = "none",
        timelines: int = 12,
        embed_jsonl: bool = False,
        reads: bool = True,
    ) -> str:
        """A page of HTML that needs nothing else, as `kafkalog report` writes it; the same each time.

        Args:
            title: Its title; what was examined by default.
            payload: How bytes of records are shown: `none` (masked), `length`, `sha256`, `hex` or `text`.
            timelines: How many partitions are drawn, the worst first.
            embed_jsonl: Whether the page carries what `to_jsonl` gives.
            reads: Whether to read the files again, for timelines and bytes.

        Raises:
            ExtraMissing: jinja2 is not installed.
            RequestError: there is no such `payload`.
        """
        make = service("report_html")
        return str(make(self, title=title, payload=payload, timelines=timelines, embed_jsonl=embed_jsonl, reads=reads))

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __rich__(self) -> object:
        return service("rich")(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count)
        return f"Report({self.verdict}, {len(self.partitions)} partitions, {counts or 'no findings'})"


def _own_end(findings: Iterable[Finding], active: str, end: int | None) -> int | None:
    """The offset after the last one that the log had: where its active segment is another log, that one does not tell it."""
    for finding in findings:
        if finding.id == "log-replaced" and finding.path.endswith(active):
            return None if finding.offsets is None else finding.offsets[1] + 1
    return end


def _verdict_of(findings: Iterable[Finding]) -> str:
    """The verdict that findings alone ask for."""
    worst = Severity.IGNORE
    for finding in findings:
        worst = max(worst, finding.severity)
        if loss_of(finding) is not None:
            return "data-loss"
    return "damaged" if worst >= Severity.WARNING else "benign" if worst is Severity.INFO else "clean"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by file, place and rule: the same for any number of workers."""
    return tuple(sorted(findings, key=_key))


def _key(finding: Finding) -> tuple[Any, ...]:
    span = finding.span
    place = (-1, -1) if span is None else (span.start, span.end)
    return finding.path, *place, finding.id, finding.offsets or (-1, -1), finding.message
