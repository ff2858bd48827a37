"""`kafkalog verify`: the truth about a directory."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from kafkalog.cli.next_start import parse_recovery_point
from kafkalog.cli.sizes import max_decompressed
from kafkalog.cli.times import parse_time
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

_SEVERITIES = ("error", "warning", "info")


def _levels(pairs: tuple[str, ...]) -> dict[str, Any]:
    from kafkalog.verify import Severity

    levels = {}
    for pair in pairs:
        rule_id, equals, severity = pair.partition("=")
        if not equals:
            raise RequestError(f"--level {pair!r}: write ID=error, ID=warning, ID=info or ID=ignore")
        levels[rule_id] = Severity.parse(severity)
    return levels


def _listed(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(item for value in values for item in value.split(",") if item)


def _progress() -> Callable[[int, int], None] | None:
    """A line on stderr with bytes and the time left; only on a terminal."""
    if not sys.stderr.isatty():
        return None
    import time

    began = time.monotonic()

    def show(done: int, total: int) -> None:
        spent = time.monotonic() - began
        left = spent * (total - done) / done if done else 0.0
        text = f"\r{done / 1e6:.0f} of {total / 1e6:.0f} MB, {left:.0f} s left "
        sys.stderr.write("\r\033[K" if done >= total else text)
        sys.stderr.flush()

    return show


@click.command("verify", no_args_is_help=True)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "jsonl")),
    default="text",
    help="Text for people, or one JSON object per line for programs.",
)
@click.option("--select", multiple=True, metavar="ID,...", help="Check only these rules; patterns like index-* are allowed.")
@click.option("--ignore", multiple=True, metavar="ID,...", help="Do not check these rules; patterns are allowed.")
@click.option(
    "--level", multiple=True, metavar="ID=SEVERITY", help="Give a rule another severity: error, warning, info or ignore."
)
@click.option("--strict", is_flag=True, help="Report INFO as WARNING.")
@click.option(
    "--baseline", metavar="FILE", help="Leave out the findings in FILE, the output of an earlier run with --format jsonl."
)
@click.option("--max-findings", type=click.IntRange(0), metavar="N", help="Show at most N rules per partition in text.")
@click.option(
    "--quick", is_flag=True, help="Check headers, checksums, indexes and names only; decompress nothing and read no records."
)
@click.option("--hash", "hash_", is_flag=True, help="Write the SHA-256 of every file of the directories into the report.")
@click.option("--jobs", type=click.IntRange(1), default=1, metavar="N", help="Number of processes.")
@click.option(
    "--partition-state",
    multiple=True,
    metavar="[TOPIC-PARTITION=]FILE",
    help="JSON of the partition's state in ZooKeeper, to compare with.",
)
@click.option(
    "--topic", multiple=True, metavar="PATTERN", help="Check only these topics or partition directories of a log dir."
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Do not check these topics or partition directories.")
@click.option(
    "--fail-on",
    type=click.Choice((*_SEVERITIES, "never")),
    default="warning",
    help="Least severity that makes the exit status 1.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1.")
@click.option(
    "--max-message-bytes",
    type=click.IntRange(0),
    metavar="N",
    help="The topic's max.message.bytes; larger batches are reported.",
)
@click.option("--now", metavar="TIME", show_default="the system's clock", help="The present: ISO 8601 or epoch milliseconds.")
@click.option(
    "--kafka-version",
    metavar="auto|VERSION",
    default="auto",
    help="The release of the broker: X.Y.Z, or X.Y for its last patch. auto: what the log dir shows.",
)
@click.option("--next-start/--no-next-start", default=True, help="Also predict what the next start of a broker will do.")
@click.option(
    "--assume-stop",
    type=click.Choice(("auto", "clean", "unclean")),
    default="auto",
    help="For the prediction: how the broker stopped. auto: what the log dir shows; both kinds for a partition directory.",
)
@click.option(
    "--recovery-point",
    metavar="auto|N",
    default="auto",
    help="For the prediction: offset up to which the logs are flushed. auto: what the log dir's checkpoint says.",
)
@max_decompressed
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Check files, partition directories and log dirs, and report what is wrong, what it costs and what to do.

    Exit status: 0 nothing at or above --fail-on; 1 findings; 2 usage; 3 something could not be read or judged.
    """
    from kafkalog.files.source import read_file
    from kafkalog.verify import Policy, Severity, read_baseline, verify

    baseline = options["baseline"]
    policy = Policy(
        select=_listed(options["select"]),
        ignore=_listed(options["ignore"]),
        levels=_levels(options["level"]),
        strict=options["strict"],
        baseline=frozenset() if baseline is None else read_baseline(read_file(baseline).decode("utf-8", "replace")),
    )
    report = verify(
        paths,
        now=None if options["now"] is None else parse_time(options["now"], "--now"),
        quick=options["quick"],
        hash_inputs=options["hash_"],
        jobs=options["jobs"],
        kafka_version=options["kafka_version"],
        next_start=options["next_start"],
        assume_stop=options["assume_stop"],
        recovery_point=parse_recovery_point(options["recovery_point"]),
        topics=options["topic"],
        exclude=options["exclude"],
        policy=policy,
        max_message_bytes=options["max_message_bytes"],
        partition_state=_states(options["partition_state"]),
        progress=_progress(),
    )
    if options["format_"] == "jsonl":
        for line in report.lines():
            sys.stdout.write(json.dumps(line) + "\n")
    else:
        from kafkalog.render.verify_text import print_report

        print_report(report, sys.stdout, max_findings=options["max_findings"])
    if report.failed:
        return 3
    fail_on = options["fail_on"]
    if options["exit_zero"] or fail_on == "never":
        return 0
    return 1 if report.worst >= Severity.parse(fail_on) else 0


def _states(given: tuple[str, ...]) -> bytes | dict[str, bytes] | None:
    """The files of `--partition-state`: one without a name for the one partition, or each with its name."""
    from kafkalog.core.filename import parse_partition_name
    from kafkalog.files.source import read_file

    states: dict[str, bytes] = {}
    for text in given:
        name, equals, path = text.partition("=")
        named = equals and "/" not in name and parse_partition_name(name) is not None
        if not named and len(given) > 1:
            raise RequestError(f"--partition-state {text}: of several, each names its own: TOPIC-PARTITION=FILE")
        states[name if named else ""] = read_file(path if named else text)
    return states.get("", states or None)
