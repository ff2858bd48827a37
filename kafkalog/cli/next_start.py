"""`kafkalog next-start`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli.main import EXIT_FINDINGS, EXIT_UNREADABLE, say
from kafkalog.cli.sizes import max_decompressed
from kafkalog.files.source import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.errors import UnreadableFile
    from kafkalog.next_start.outcome import Outcome

__all__ = ["command", "parse_recovery_point"]


@click.command("next-start")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--assume-stop",
    type=click.Choice(["auto", "clean", "unclean"]),
    default="auto",
    help="How the broker stopped. auto: what the marker in the log dir says; both kinds for a partition directory.",
)
@click.option(
    "--recovery-point",
    metavar="auto|N",
    default="auto",
    help="Offset up to which the logs are flushed. auto: what the log dir's checkpoint says.",
)
@click.option(
    "--kafka-version",
    metavar="auto|VERSION",
    default="auto",
    help="The release that starts: X.Y.Z, or X.Y for its last patch. auto: what the log dir shows.",
)
@click.option(
    "--consumer/--no-consumer",
    default=None,
    show_default="with up to 64 MiB of logs",
    help="Also predict what consumers read after the start.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    help="Text for people, or one JSON object per line for programs.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="error",
    help="Least severity that makes the exit status 1. error: data or service is lost; warning: files go, but no data is lost; "
    "info: as warning.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1.")
@max_decompressed
def command(
    paths: tuple[str, ...],
    *,
    assume_stop: str,
    recovery_point: str,
    kafka_version: str,
    form: str,
    fail_on: str,
    consumer: bool | None,
    exit_zero: bool,
) -> int:
    """Show what the next start of a broker will do to log dirs and partition directories.

    Nothing is written. Exit status: 0 nothing at or above --fail-on; 1 data or service is lost (or what --fail-on says); 2
    usage; 3 something could not be read or predicted.
    """
    from kafkalog.next_start.api import next_starts

    unreadable: list[UnreadableFile] = []
    outcomes = next_starts(
        paths,
        assume_stop=assume_stop,
        recovery_point=parse_recovery_point(recovery_point),
        kafka_version=kafka_version,
        consumer=consumer,
        on_unreadable=unreadable.append,
    )
    status = 0
    told = _as_json(outcomes) if form == "jsonl" else _as_text(outcomes, paths)
    for outcome in told:
        status = max(status, _status(outcome, fail_on, exit_zero=exit_zero))
    for error in unreadable:
        say(f"kafkalog: {printable(str(error))}")
    return EXIT_UNREADABLE if unreadable else status


def _as_json(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        click.echo(outcome.to_jsonl())
        yield outcome


def _as_text(outcomes: Iterator[Outcome], paths: tuple[str, ...]) -> Iterator[Outcome]:
    """Print the outcomes: a partition of a log dir to which nothing happens in one line, all others in full."""
    from kafkalog.files.paths import trim
    from kafkalog.render.next_start import next_start_line, next_start_text, next_start_total

    given = {trim(path) for path in paths}
    count = harmed = unknown = 0
    was_short = True
    evidence = ""
    for outcome in outcomes:
        if outcome.assumed.evidence != evidence:
            evidence = outcome.assumed.evidence
            if evidence:
                click.echo(("\n" if count else "") + f"{printable(evidence)}.")
        is_short = outcome.path not in given and outcome.severity is None and not outcome.is_unknown
        if count and not (is_short and was_short):
            click.echo("")
        click.echo(next_start_line(outcome) if is_short else "\n".join(next_start_text(outcome)))
        count, was_short = count + 1, is_short
        harmed += outcome.severity == "error"
        unknown += outcome.is_unknown and outcome.severity != "error"
        yield outcome
    if count > 1:
        click.echo(f"\n{next_start_total(count, harmed, unknown)}")


def parse_recovery_point(text: str) -> int | None:
    """The value of `--recovery-point`; None for auto.

    Raises:
        click.BadParameter: it is neither an offset nor auto.
    """
    if text == "auto":
        return None
    if text.isascii() and text.isdecimal() and len(text) < 20:
        return int(text)
    raise click.BadParameter(f"{text!r} is neither an offset nor auto", param_hint="--recovery-point")


def _status(outcome: Outcome, fail_on: str, *, exit_zero: bool) -> int:
    if outcome.is_unknown:
        return EXIT_UNREADABLE
    failing = ("error",) if fail_on == "error" else ("error", "warning")
    return EXIT_FINDINGS if outcome.severity in failing and not exit_zero else 0
