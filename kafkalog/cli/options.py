"""What `groups`, `transactions` and `metadata` share: their options, their output and their exit status."""

from __future__ import annotations

import json
import os
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from kafkalog.cli.main import EXIT_FINDINGS, EXIT_UNREADABLE
from kafkalog.replay.until import END, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.release import Release
    from kafkalog.replay.logs import Note

__all__ = [
    "EXIT_ZERO",
    "FORMAT",
    "KAFKA_VERSION",
    "PATHS",
    "exit_status",
    "parse_moment",
    "release_by",
    "write_json_lines",
    "write_text",
]

PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...")
FORMAT = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    help="Text for people, or one JSON object per line for programs.",
)


def parse_kafka_version(_: click.Context, __: click.Parameter, value: str) -> Release | None:
    """A release; None for `auto`."""
    from kafkalog.core.release import parse_release
    from kafkalog.errors import RequestError

    try:
        return None if value == "auto" else parse_release(value)
    except RequestError as error:
        raise click.BadParameter(str(error), param_hint="--kafka-version") from None


KAFKA_VERSION = click.option(
    "--kafka-version",
    metavar="VERSION",
    default="auto",
    callback=parse_kafka_version,
    help="The release whose coordinator loads the topic: X.Y.Z, or X.Y for its last patch. auto: what the log dir shows.",
)


def release_by(given: Release | None) -> Callable[[str], Release]:
    """The release for the directory of a partition: the one given, or the one that the log dir around it speaks for."""
    from kafkalog.files.log_dir import LogDir
    from kafkalog.next_start.evidence import BrokerEvidence

    @cache
    def shown(directory: str) -> Release:
        return BrokerEvidence(LogDir(directory)).era.releases[0]

    def release_of(path: str) -> Release:
        partition = path if os.path.isdir(path) else os.path.dirname(path)
        return given or shown(os.path.dirname(os.path.realpath(partition or ".")))

    return release_of


EXIT_ZERO = click.option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1.")


def parse_moment(_: click.Context, parameter: click.Parameter, value: str | None) -> Moment:
    """`OFFSET` (a whole number), or `TIME` (ISO 8601, UTC when it names no zone; or `@` and epoch milliseconds)."""
    if value is None:
        return END
    if re.fullmatch(r"\d{1,19}", value, re.ASCII):
        return Moment(offset=int(value))
    if re.fullmatch(r"@-?\d{1,19}", value, re.ASCII):
        return Moment(time=int(value[1:]))
    from kafkalog.cli.times import parse_time

    try:
        if not re.fullmatch(r"[-@]?\d*", value, re.ASCII):
            return Moment(time=parse_time(value, f"--{parameter.name}"))
    except click.BadParameter:
        pass
    raise click.BadParameter(
        f"{value!r} is neither an offset, nor ISO 8601 (2024-05-01T12:00:00Z), nor @ and epoch milliseconds",
        param_hint=f"--{parameter.name}",
    )


def write_json_lines(schema: str, lines: Iterable[dict[str, Any]]) -> None:
    """Every line with its schema; ASCII, so that names that are no text survive."""
    for line in lines:
        sys.stdout.write(json.dumps({"schema": schema} | line) + "\n")


def write_text(lines: Iterable[str]) -> None:
    """Text lines."""
    for line in lines:
        sys.stdout.write(line + "\n")


def exit_status(findings: int, problems: Iterable[Note], *, exit_zero: bool) -> int:
    """3 if a path could not be read, 1 if there are findings (records that cannot be read are), else 0."""
    if list(problems):
        return EXIT_UNREADABLE
    return EXIT_FINDINGS if findings and not exit_zero else 0
