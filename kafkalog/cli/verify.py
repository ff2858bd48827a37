"""`kafkalog verify`: whether a directory is sound."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, write_json_lines
from kafkalog.core.release import release_text
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.release import Release
    from kafkalog.files.intake import As
    from kafkalog.verify import Severity

__all__ = ["command"]


@click.command(
    "verify",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("/kafka/data", "a whole log dir"),
        ("--quick /mnt/copy/orders-0", "checksums, but no records"),
        ("--format jsonl orders-0", "for programs"),
    ),
    sections={
        "What is checked": ("read_as", "quick", "next_start"),
        "What is known from elsewhere": ("max_message_bytes", "partition_states"),
        "Which findings": ("select", "ignore", "level", "strict", "baseline", "max_findings"),
        "What is assumed": (),
        "Output": ("output_format", "quiet", "verbose", "hash_inputs"),
    },
)
@options.required_paths
@options.read_as
@options.format_option()
@options.detail(
    "Only what is wrong, what it costs, what to do.",
    "Also info findings, bytes, sound partitions.",
)
@options.color
@click.option(
    "--select",
    multiple=True,
    metavar="ID,...",
    shell_complete=completion.rule_ids,
    help="Only of these rules; index-* is a pattern.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID,...",
    shell_complete=completion.rule_ids,
    help="None of these rules, or patterns.",
)
@click.option(
    "--level",
    multiple=True,
    metavar="ID=SEVERITY",
    shell_complete=completion.rule_ids,
    help="A rule's severity: error, warning, info or ignore.",
)
@click.option("--strict", is_flag=True, help="Report INFO as WARNING.")
@click.option(
    "--baseline",
    metavar="FILE",
    shell_complete=completion.files,
    help="None of FILE, the JSON lines of an earlier run.",
)
@click.option("--max-findings", type=click.IntRange(0), metavar="N", help="Text: at most N rules per partition.")
@click.option("--quick", is_flag=True, help="Headers, checksums, indexes and names, no records.")
@click.option("--hash", "hash_inputs", is_flag=True, help="Report the SHA-256 of every file.")
@options.jobs
@click.option(
    "--partition-state",
    "partition_states",
    multiple=True,
    metavar="[TOPIC-PARTITION=]FILE",
    shell_complete=completion.files,
    help="The partition's state in ZooKeeper (JSON).",
)
@click.option(
    "--topic",
    "--include",
    "topics",
    multiple=True,
    metavar="PATTERN",
    help="Only these topics or partition directories.",
)
@options.time_option("--since-mtime", "Only partitions with a file written at this time or later")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N partitions, chosen at random by --now.")
@click.option(
    "--only",
    multiple=True,
    metavar="VERDICT,...",
    help="Show only partitions of these verdicts: data-loss, damaged, unknown, benign, clean.",
)
@click.option(
    "--max-partitions",
    type=click.IntRange(0),
    default=20,
    metavar="N",
    help="Text: tell at most N damaged partitions in full, the worst.",
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not these topics or partition directories.")
@options.fail_on(("error", "warning", "info", "never"), "warning", "Least severity that makes the exit status 1.")
@options.exit_zero
@click.option(
    "--max-message-bytes",
    type=click.IntRange(0),
    metavar="BYTES",
    help="Report batches larger than this max.message.bytes.",
)
@options.now("The present")
@options.kafka_version("The release of the broker")
@click.option("--next-start/--no-next-start", default=True, show_default="yes", help="Also predict the next start.")
@options.assume_stop
@options.recovery_point
@options.restraint
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    read_as: As | None,
    output_format: str,
    detail: str | None,
    color: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    level: tuple[str, ...],
    strict: bool,
    baseline: str | None,
    max_findings: int | None,
    quick: bool,
    hash_inputs: bool,
    jobs: int | None,
    partition_states: tuple[str, ...],
    topics: tuple[str, ...],
    exclude: tuple[str, ...],
    since_mtime: int | None,
    sample: int | None,
    only: tuple[str, ...],
    max_partitions: int,
    fail_on: str,
    exit_zero: bool,
    max_message_bytes: int | None,
    now: int | None,
    kafka_version: Release | None,
    next_start: bool,
    assume_stop: str,
    recovery_point: int | None,
) -> int:
    """Check files, partition directories and log dirs, and report what is wrong, what it costs and what to do.

    Exit status: 0 nothing at or above --fail-on; 1 findings; 2 usage; 3 not all was read, or a PATH is missing.
    """
    from kafkalog.files.paths import trim
    from kafkalog.files.source import read_file
    from kafkalog.verify import Policy, Severity, read_baseline, verify

    policy = Policy(
        select=tuple(_items(select)),
        ignore=tuple(_items(ignore)),
        levels=_levels(level),
        strict=strict,
        baseline=frozenset() if baseline is None else read_baseline(read_file(baseline).decode("utf-8", "replace")),
    )
    shown_verdicts = _verdicts(only)
    paths = options.named_paths(paths, read_as)
    with shown(paths):
        report = verify(
            paths,
            now=now,
            quick=quick,
            hash_inputs=hash_inputs,
            jobs=jobs,
            kafka_version=None if kafka_version is None else release_text(kafka_version),
            next_start=next_start,
            assume_stop=assume_stop,
            recovery_point=recovery_point,
            topics=topics,
            exclude=exclude,
            since_mtime=since_mtime,
            sample=sample,
            policy=policy,
            max_message_bytes=max_message_bytes,
            partition_state=_states(partition_states),
        )
    given = set(map(trim, paths))
    unread = [item for item in report.not_checked if item.failed and item.path in given]
    if output_format == "jsonl":
        from kafkalog.render.json_verify import report_json_lines

        write_json_lines(report_json_lines(report, shown_verdicts))
    elif report.partitions or report.findings or len(unread) < len(report.not_checked):
        from kafkalog.render.screen import Screen
        from kafkalog.render.text_verify import report_text

        Screen.of(sys.stdout, color).show(
            report_text(report, detail=detail, max_findings=max_findings, only=shown_verdicts, max_partitions=max_partitions)
        )
    sys.stdout.flush()
    for item in unread:
        say(f"kafkalog: {item.path}: {item.reason}")
    if report.failed:
        return exit_status.UNREADABLE
    if exit_zero or fail_on == "never" or report.worst < Severity.parse(fail_on):
        return exit_status.OK
    return exit_status.FINDINGS


def _items(values: tuple[str, ...]) -> Iterator[str]:
    """The words of an option that takes several, with commas between them."""
    for value in values:
        yield from filter(None, value.split(","))


def _verdicts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `--only`; all without it."""
    from kafkalog.core.suggestion import did_you_mean
    from kafkalog.verify.report import VERDICTS

    found = tuple(_items(values))
    for name in found:
        if name not in VERDICTS:
            raise RequestError(f"--only {name!r} is none of {', '.join(VERDICTS)}.{did_you_mean(name, VERDICTS)}")
    return found or VERDICTS


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
