"""`kafkalog salvage`: what is sound of damaged logs, as a new directory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import CannotWrite, say, write_json_lines
from kafkalog.files.source import describe_os_error

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.errors import UnreadableFile
    from kafkalog.salvage.values import Salvage

__all__ = ["command"]


class Arguments(NamedTuple):
    """What the user asked for, as click hands it over."""

    paths: tuple[str, ...]
    out: str
    replicas: tuple[str, ...]
    unflip: bool
    logs_only: bool
    keep_unparsable: bool
    offsets: tuple[int | None, int | None]
    since: int | None
    until: int | None
    topic_id: str | None
    index_interval_bytes: int | None
    kafka_version: Release | None
    output_format: str
    detail: str | None
    color: str
    exit_zero: bool


@click.command(
    "salvage",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("orders-0 -o new/orders-0", "a damaged partition"),
        ("orders-0 --replica b2/orders-0 -o new", "and from a replica"),
        ("/kafka/data -o /rescue/data", "a whole log dir"),
    ),
    sections={
        "What is written": ("out", "replicas", "unflip", "logs_only", "keep_unparsable", "topic_id", "index_interval_bytes"),
        "Which batches": ("offsets", "since", "until"),
    },
)
@options.required_paths
@click.option("-o", "--out", required=True, metavar="NEWDIR", help="The new directory; it must not be there.")
@click.option(
    "--replica",
    "replicas",
    multiple=True,
    metavar="DIR",
    callback=options.without_secrets,
    shell_complete=completion.files,
    help="Another copy, or another broker's log dir: what PATH has lost is taken from it.",
)
@click.option("--unflip", is_flag=True, help="Take batches with a single flipped bit, and set that bit back.")
@click.option("--logs-only", is_flag=True, help="Leave indexes and snapshots to the broker, which must then recover.")
@click.option("--keep-unparsable", is_flag=True, help="Keep batches with a right checksum and records that cannot be read.")
@click.option("--topic-id", metavar="ID", help="For partition.metadata.", show_default="that of PATH")
@click.option(
    "--index-interval-bytes",
    type=click.IntRange(0, 0x7FFFFFFF),
    metavar="BYTES",
    help="The topic's index.interval.bytes.",
    show_default="by the indexes, or 4096",
)
@options.batch_filters
@options.kafka_version("The release that will start")
@options.format_option()
@options.detail("Only what was kept and lost, and what to do next.", "Also what was left out and is there all the same.")
@options.color
@options.exit_zero
@options.max_decompressed
@options.max_spool
def command(**values: Any) -> int:
    """Write the sound batches of damaged partitions into a new directory that a broker serves.

    Batches are kept byte for byte, or left out as a whole; indexes, snapshots and epochs are rebuilt. NEWDIR.salvage.jsonl
    says what is from where, and what is not there. NEWDIR is verified, and the next start predicted, before it gets its name.
    For a log dir, or several PATHs, NEWDIR holds their partition directories. PATHs are never written to.

    Exit status: 0 everything was kept; 1 something was left out, or is gone; 2 usage; 3 a PATH could not be read to its end,
    or NEWDIR not be written; 4 NEWDIR was not accepted, and is still called NEWDIR.partial.
    """
    from kafkalog.core.filters import Filters
    from kafkalog.salvage.api import checked_id, salvage_to
    from kafkalog.salvage.partition import Wishes

    arguments = Arguments(**values)
    if arguments.since is not None and arguments.until is not None and arguments.since > arguments.until:
        raise click.UsageError("--since is later than --until.")
    wishes = Wishes(
        filters=Filters(*arguments.offsets, arguments.since, arguments.until),
        unflips=arguments.unflip,
        keeps_unparsable=arguments.keep_unparsable,
        logs_only=arguments.logs_only,
        topic_id=checked_id(arguments.topic_id),
        index_interval_bytes=arguments.index_interval_bytes,
    )
    unread: list[UnreadableFile] = []
    try:
        with shown((*arguments.paths, *arguments.replicas)):
            release = arguments.kafka_version
            result = salvage_to(arguments.paths, arguments.out, arguments.replicas, wishes, release, unread.append)
    except OSError as error:
        raise CannotWrite(f"{arguments.out}: {describe_os_error(error)}") from None
    _print(result, arguments)
    for one in unread:
        say(f"kafkalog: {one}")
    return _status(result, exit_zero=arguments.exit_zero)


def _print(result: Salvage, arguments: Arguments) -> None:
    if arguments.output_format == "jsonl":
        from kafkalog.render.json_salvage import salvage_lines

        write_json_lines(salvage_lines(result))
    else:
        from kafkalog.render.screen import Screen
        from kafkalog.render.text_salvage import salvage_text

        Screen.of(sys.stdout, arguments.color).show(salvage_text(result, detail=arguments.detail))
    sys.stdout.flush()


def _status(result: Salvage, *, exit_zero: bool) -> int:
    if not result.is_accepted:
        return exit_status.INTERNAL
    if result.unread:
        return exit_status.UNREADABLE
    return exit_status.OK if result.is_whole or exit_zero else exit_status.FINDINGS
