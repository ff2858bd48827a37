"""`kafkalog show`: one place of a file, byte by byte."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, write_json_lines
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.intake import As
    from kafkalog.show.values import Part

__all__ = ["command"]

#: Bytes of a field in JSON, unless all are wanted.
_MOST_IN_JSON = 4096


class _Position(options.ParamType):
    """A byte place: decimal, or hexadecimal after 0x."""

    name = "position"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            number = value if isinstance(value, int) else int(str(value), 0)
        except ValueError:
            number = -1
        if number < 0:
            self.fail(f"{value!r} is neither a position (492) nor a hexadecimal one (0x1ec)", param, ctx)
        return number


@click.command(
    "show",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("--offset 4711 orders-0", "a record"),
        ("--at 0x1d3c 00000000000000000000.log", "a place"),
        ("--entry 3 00000000000000000000.index", "an entry"),
    ),
    sections={
        "Which place": ("read_as", "position", "offset", "entry", "context"),
        "How it is shown": ("records", "all_bytes", "raw", "with_meanings"),
    },
)
@click.argument("path", metavar="FILE|DIR", callback=options.without_secrets)
@click.option("--at", "position", type=_Position(), metavar="POSITION", help="Show what the byte at this place belongs to.")
@click.option(
    "--offset", type=click.IntRange(0), metavar="N", help="Show the record, or the entry for a look-up, of this offset."
)
@click.option("--entry", type=click.IntRange(0), metavar="K", help="Show batch, entry or line number K, counted from 0.")
@click.option(
    "--context", type=click.IntRange(0, 1000), metavar="N", default=0, help="Show also N batches, entries or lines around it."
)
@click.option(
    "--records",
    type=click.IntRange(0),
    metavar="N",
    default=5,
    help="Records of a batch to show field by field; without a place, entries of the file.",
)
@click.option("--all", "all_bytes", is_flag=True, help="Show all bytes of long fields.")
@click.option("--raw", is_flag=True, help="Show the bytes alone.")
@click.option("-v", "--verbose", "with_meanings", is_flag=True, help="Say what each field is for.")
@options.read_as
@options.format_option()
@options.color
@options.max_decompressed
@options.aiven_key
@options.max_spool
def command(
    *,
    path: str,
    position: int | None,
    offset: int | None,
    entry: int | None,
    context: int,
    records: int,
    all_bytes: bool,
    raw: bool,
    with_meanings: bool,
    read_as: As | None,
    output_format: str,
    color: str,
) -> int:
    """Show one place of a file: every byte with its address, the field it belongs to, its value and what is wrong.

    FILE is any file of a partition or a log dir; DIR a partition directory, of which the .log with the offset is taken.
    Without a place the start of the file is shown. Records in a compressed batch are shown, too: positions with a +.

    Exit status: 0; 1 the file has no such position, offset or entry; 2 usage; 3 it is missing or cannot be read.
    """
    from kafkalog.files.source import size_of
    from kafkalog.render.screen import Screen
    from kafkalog.render.text_show import raw_items, show_items
    from kafkalog.show.parts import file_of, parts_of
    from kafkalog.show.values import NothingThere, Wanted

    if sum(place is not None for place in (position, offset, entry)) > 1:
        raise RequestError("--at, --offset and --entry each name a place: give one of them")
    wanted = Wanted(position, offset, entry, context, records)
    screen = Screen.of(sys.stdout, color)
    try:
        (path,) = options.named_paths((path,), read_as)
        file = file_of(path, wanted)
        parts = _searched(file, parts_of(file, wanted))
        if output_format == "jsonl":
            from kafkalog.render.json_show import part_lines

            most = None if all_bytes else _MOST_IN_JSON
            write_json_lines(line for part in parts for line in part_lines(file, part, most))
        elif raw:
            screen.show(item for part in parts for item in raw_items(part))
        else:
            size = size_of(file)
            screen.show(show_items(file, size, parts, screen.width, all_bytes=all_bytes, with_meanings=with_meanings))
    except NothingThere as error:
        say(f"kafkalog: {error}")
        return exit_status.FINDINGS
    return exit_status.OK


def _searched(file: str, parts: Iterator[Part]) -> Iterator[Part]:
    """The parts, of which the first may take long to be found."""
    with shown([file]):
        first = list(islice(parts, 1))
    return chain(first, parts)
