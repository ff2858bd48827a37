"""`kafkalog diff`: where replicas differ."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, write_json_lines
from kafkalog.files.paths import trim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.release import Release
    from kafkalog.diff.values import NotCompared, ReplicaDiff, Unpaired

__all__ = ["command"]

_FORMS = ("text", "hex", "base64", "length", "sha256", "none")


@click.command(
    "diff",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("node1/orders-0 node2/orders-0", "two replicas"),
        ("--leader A node1/data node2/data", "all partitions"),
        ("--logical --show 5 node1/t-0 node2/t-0", "by records"),
    ),
    sections={"What is compared": ("logical", "leader"), "What is shown": ("show", "payload")},
)
@options.required_paths
@click.option(
    "--logical",
    is_flag=True,
    help="Compare record by record: compaction, recompression and other batches are no difference.",
)
@click.option(
    "--leader",
    metavar="A|B|…",
    help="The path, by its place, that is the leader: the others are compared with it alone.",
)
@click.option(
    "--show",
    type=click.IntRange(0, 1000),
    metavar="N",
    default=0,
    help="Show the first N records of each replica that the other lacks or has otherwise.",
)
@click.option(
    "--payload",
    type=options.choice(_FORMS),
    metavar="FORM",
    show_default="text; in JSON lines hex",
    help="Keys and values as text, hex, base64, length, sha256 or none.",
)
@options.kafka_version("The release whose rules followers go by")
@options.format_option()
@options.color
@options.exit_zero
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    logical: bool,
    leader: str | None,
    show: int,
    payload: str | None,
    kafka_version: Release | None,
    output_format: str,
    color: str,
    exit_zero: bool,
) -> int:
    """Show where replicas differ and in what, what only one has, and what each loses if it follows the other.

    PATH is a partition directory or a log dir; the first is called A, the second B, and so on. Partitions of log dirs are
    paired by topic id, else by name.

    Exit status: 0 they are equal, or one goes on where the other ends; 1 they diverge; 2 usage; 3 not all could be read.
    """
    from kafkalog.diff.api import each_diff

    found = _Found(each_diff(paths, logical=logical, leader=leader, show=show, release=kafka_version))
    with shown(paths, beside_output=False):
        if output_format == "jsonl":
            from kafkalog.render.json_diff import diff_lines

            write_json_lines(diff_lines(found, payload or "hex"))
        else:
            from kafkalog.render.screen import Screen
            from kafkalog.render.text_diff import diff_items

            Screen.of(sys.stdout, color).show(diff_items(found, payload or "text", [trim(path) for path in paths]))
    for problem in found.not_compared:
        say(f"kafkalog: {problem.path}: {problem.reason}")
    if found.not_compared:
        return exit_status.UNREADABLE
    return exit_status.FINDINGS if found.diverge and not exit_zero else exit_status.OK


class _Found:
    """What is found, as it goes by."""

    def __init__(self, found: Iterator[ReplicaDiff | Unpaired | NotCompared]) -> None:
        self._found = found
        self.not_compared: list[NotCompared] = []
        self.diverge = False

    def __iter__(self) -> Iterator[ReplicaDiff | Unpaired | NotCompared]:
        from kafkalog.diff.values import NotCompared, ReplicaDiff

        for one in self._found:
            if isinstance(one, NotCompared):
                self.not_compared.append(one)
            elif isinstance(one, ReplicaDiff):
                self.diverge |= one.diverge
            yield one
