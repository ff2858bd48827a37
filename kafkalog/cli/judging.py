"""What `verify` and `report` have in common: what is checked, by which rules, what is assumed, what the exit status says."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.engines import dask
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say
from kafkalog.core.release import release_text
from kafkalog.errors import RequestError
from kafkalog.files.cores import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.verify import Policy, Report, Severity
    from kafkalog.verify.report import NotChecked, PartitionReport

__all__ = ["FINDINGS", "WHAT", "Judging", "exit_status_of", "items_of", "judged", "say_unread", "unread_of"]

#: Sections of the help, with their options.
WHAT = ("read_as", "quick", "next_start")
FINDINGS = ("select", "ignore", "level", "strict", "baseline")


class Judging(NamedTuple):
    """What the user asked for, as click hands it over."""

    select: tuple[str, ...]
    ignore: tuple[str, ...]
    level: tuple[str, ...]
    strict: bool
    baseline: str | None
    quick: bool
    hash_inputs: bool
    digests: bool
    jobs: int | None
    dask: str | None
    partition_states: tuple[str, ...]
    topics: tuple[str, ...]
    exclude: tuple[str, ...]
    since_mtime: int | None
    sample: int | None
    resume: str | None
    fail_on: str
    exit_zero: bool
    max_message_bytes: int | None
    now: int | None
    kafka_version: Release | None
    next_start: bool
    assume_stop: str
    recovery_point: int | None

    @property
    def policy(self) -> Policy:
        """Which findings are wanted, and how they are graded."""
        from kafkalog.files.source import read_file
        from kafkalog.verify import Policy, read_baseline

        given = self.baseline
        return Policy(
            select=tuple(items_of(self.select)),
            ignore=tuple(items_of(self.ignore)),
            levels=_levels(self.level),
            strict=self.strict,
            baseline=frozenset() if given is None else read_baseline(read_file(given).decode("utf-8", "replace")),
        )

    def report(self, paths: tuple[str, ...], on_partition: Callable[[PartitionReport, int], None] | None = None) -> Report:
        """What verify says of paths."""
        from kafkalog.verify import verify

        policy = self.policy
        with shown(paths), dask(self.dask, self.jobs or cores()) as executor:
            return verify(
                paths,
                now=self.now,
                quick=self.quick,
                hash_inputs=self.hash_inputs,
                digests=self.digests,
                jobs=self.jobs,
                executor=executor,
                kafka_version=None if self.kafka_version is None else release_text(self.kafka_version),
                next_start=self.next_start,
                assume_stop=self.assume_stop,
                recovery_point=self.recovery_point,
                topics=self.topics,
                exclude=self.exclude,
                since_mtime=self.since_mtime,
                sample=self.sample,
                resume=self.resume,
                policy=policy,
                max_message_bytes=self.max_message_bytes,
                partition_state=_states(self.partition_states),
                on_partition=on_partition,
            )

    def exit_status(self, report: Report) -> int:
        """What a report makes of the exit status."""
        return exit_status_of(report, self.fail_on, exit_zero=self.exit_zero)


def exit_status_of(report: Report, fail_on: str, *, exit_zero: bool) -> int:
    """What a report makes of the exit status, from that severity on."""
    from kafkalog.verify import Severity

    if report.failed:
        return exit_status.UNREADABLE
    if exit_zero or fail_on == "never" or report.worst < Severity.parse(fail_on):
        return exit_status.OK
    return exit_status.FINDINGS


def unread_of(report: Report, paths: tuple[str, ...]) -> list[NotChecked]:
    """The paths that were given and could not be read."""
    from kafkalog.files.paths import trim

    given = set(map(trim, paths))
    return [item for item in report.not_checked if item.failed and item.path in given]


def say_unread(unread: list[NotChecked]) -> None:
    """Name them on stderr."""
    for item in unread:
        say(f"kafkalog: {item.path}: {item.reason}")


def judged(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets `judging`."""

    @wraps(command)
    def asked(**values: Any) -> Any:
        judging = Judging(**{name: values.pop(name) for name in Judging._fields})
        return command(judging=judging, **values)

    for option in reversed(_OPTIONS):
        asked = option(asked)
    return asked


_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--select",
        multiple=True,
        metavar="ID,...",
        shell_complete=completion.rule_ids,
        help="Only of these rules; index-* is a pattern.",
    ),
    click.option(
        "--ignore",
        multiple=True,
        metavar="ID,...",
        shell_complete=completion.rule_ids,
        help="None of these rules, or patterns.",
    ),
    click.option(
        "--level",
        multiple=True,
        metavar="ID=SEVERITY",
        shell_complete=completion.rule_ids,
        help="A rule's severity: error, warning, info or ignore.",
    ),
    click.option("--strict", is_flag=True, help="Report INFO as WARNING."),
    click.option(
        "--baseline",
        metavar="FILE",
        shell_complete=completion.files,
        help="None of FILE, the JSON lines of an earlier run.",
    ),
    click.option("--quick", is_flag=True, help="Headers, checksums, indexes and names, no records."),
    click.option("--hash", "hash_inputs", is_flag=True, help="Report the SHA-256 of every file."),
    click.option(
        "--digests", is_flag=True, help="Note in the JSON lines what merge compares hosts by: digests, controllers, ids."
    ),
    options.jobs,
    click.option("--dask", metavar="ADDRESS", help="Scan on a Dask cluster: its scheduler's address, or local."),
    click.option(
        "--partition-state",
        "partition_states",
        multiple=True,
        metavar="[TOPIC-PARTITION=]FILE",
        shell_complete=completion.files,
        help="The partition's state in ZooKeeper (JSON).",
    ),
    click.option(
        "--topic",
        "--include",
        "topics",
        multiple=True,
        metavar="PATTERN",
        help="Only these topics or partition directories.",
    ),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="Not these topics or partition directories."),
    options.time_option("--since-mtime", "Only partitions with a file written at this time or later"),
    click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N partitions, chosen at random by --now."),
    click.option(
        "--resume",
        metavar="FILE",
        shell_complete=completion.files,
        help="Note in FILE what is done, and go on from there after an end of any kind.",
    ),
    options.fail_on(("error", "warning", "info", "never"), "warning", "Least severity that makes the exit status 1."),
    options.exit_zero,
    click.option(
        "--max-message-bytes",
        type=click.IntRange(0),
        metavar="BYTES",
        help="Report batches larger than this max.message.bytes.",
    ),
    options.now("The present"),
    options.kafka_version("The release of the broker"),
    click.option("--next-start/--no-next-start", default=True, show_default="yes", help="Also predict the next start."),
    options.assume_stop,
    options.recovery_point,
    options.restraint,
    options.max_decompressed,
    options.aiven_key,
    options.max_spool,
)


def items_of(values: tuple[str, ...]) -> Iterator[str]:
    """The words of an option that takes several, with commas between them."""
    for value in values:
        yield from filter(None, value.split(","))


def _levels(pairs: tuple[str, ...]) -> dict[str, Severity]:
    from kafkalog.verify import Severity

    levels = {}
    for pair in pairs:
        rule_id, equals, severity = pair.partition("=")
        if not equals:
            raise RequestError(f"--level {pair!r}: write ID=error, ID=warning, ID=info or ID=ignore")
        levels[rule_id] = Severity.parse(severity)
    return levels


def _states(values: tuple[str, ...]) -> bytes | dict[str, bytes] | None:
    """The files of `--partition-state`: one without a name for the one partition, or each with its name."""
    from kafkalog.core.filename import parse_partition_name
    from kafkalog.files.source import read_file

    states: dict[str, bytes] = {}
    for value in values:
        name, equals, path = value.partition("=")
        is_named = equals and "/" not in name and parse_partition_name(name) is not None
        if not is_named and len(values) > 1:
            raise RequestError(f"--partition-state {value}: of several, each names its own: TOPIC-PARTITION=FILE")
        states[name if is_named else ""] = read_file(path if is_named else value)
    return states.get("", states or None)
