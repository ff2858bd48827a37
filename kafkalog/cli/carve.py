"""`kafkalog carve`: batches in images of disks."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import CannotWrite, write_json_lines
from kafkalog.files.source import describe_os_error

__all__ = ["command"]

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def _bytes_of(text: str) -> int | None:
    match = re.fullmatch(r"(?:(\d{1,19})([kmgt]?)|0x([0-9a-f]{1,16}))", text.lower(), re.ASCII)
    if match is None:
        return None
    return int(match[3], 16) if match[3] else int(match[1]) << _UNITS[match[2]]


class _Size(options.ParamType):
    """A number of bytes: 4096, 64K, 16M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        size = value if isinstance(value, int) else _bytes_of(value)
        if not size:
            self.fail(f"{value!r} is no number of bytes, 1 or more (4096, 64K, 16M)", param, ctx)
        return int(size)


class _Range(options.ParamType):
    """`A:B`, two positions either of which may be missing."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int | None]:
        """The two ends."""
        if isinstance(value, tuple):
            return value
        sides = [_bytes_of(side) if side else -1 for side in value.split(":")]
        if len(sides) != 2 or None in sides:
            self.fail(
                f"{value!r} is not A:B, two positions (4096, 0x1000, 64K, 10G) of which either may be missing", param, ctx
            )
        first, end = (side or 0 for side in sides)
        if 0 <= end < first:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return max(first, 0), None if end < 0 else end


class Arguments(NamedTuple):
    """What the user asked for, as click hands it over."""

    paths: tuple[str, ...]
    out: str
    like: tuple[str, ...]
    live: tuple[str, ...]
    with_live: bool
    span: tuple[int, int | None]
    block_size: int
    stitch: bool
    max_batch: int
    legacy: bool
    resume: bool
    jobs: int | None
    output_format: str
    color: str


@click.command(
    "carve",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("disk.img -o /rescue/found", "an image of a disk"),
        ("/dev/sdb1 --live /kafka/data -o new", "what was deleted"),
        ("--range 10G:20G disk.img -o new", "a part of it"),
    ),
    sections={
        "What is looked for": ("span", "legacy", "max_batch", "block_size", "stitch"),
        "What is written": ("out", "live", "with_live", "like", "resume"),
    },
)
@click.argument("paths", nargs=-1, required=True, metavar="IMAGE...", shell_complete=completion.files)
@click.option("-o", "--out", required=True, metavar="NEWDIR", help="The new directory; it must not be there.")
@click.option(
    "--live",
    multiple=True,
    metavar="DIR",
    callback=options.without_secrets,
    shell_complete=completion.files,
    help="Leave out the batches that are in this log dir or partition.",
)
@click.option("--all", "with_live", is_flag=True, help="Write these, too.")
@click.option(
    "--like",
    multiple=True,
    metavar="DIR",
    shell_complete=completion.files,
    help="Say which of these partitions it may be, by producer ids and what records look like.",
)
@click.option("--range", "span", type=_Range(), metavar="A:B", default=":", show_default="all", help="Look from A up to B.")
@click.option("--block-size", type=_Size(), metavar="BYTES", default=4096, help="A block of the file system.")
@click.option("--stitch/--no-stitch", default=True, help="Put batches together that lie in two places.")
@click.option(
    "--max-batch",
    type=_Size(),
    metavar="BYTES",
    default=16 << 20,
    show_default="16 MiB",
    help="The largest batch there may be.",
)
@click.option("--legacy", is_flag=True, help="Also messages of magic 0 and 1, from three in a row.")
@click.option("--resume", is_flag=True, help="Go on with a search that was interrupted, with the same options.")
@options.format_option()
@options.color
@options.jobs
@options.restraint
def command(**values: Any) -> int:
    """Find record batches in images of disks, block devices and files of any name, and write them as logs.

    A batch counts when its checksum is right. Names, topics and partitions are not in it: what seems to be of one partition
    is written to NEWDIR/unknown-0001-0 and so on, and NEWDIR.carve.jsonl says why, and where it was. IMAGE is only read.

    Exit status: 0; 1 nothing was found; 2 usage; 3 an IMAGE could not be read, or not all of it.
    """
    arguments = Arguments(**values)
    from kafkalog.carve.api import Settings, carve
    from kafkalog.render.json_carve import account_of, carve_lines

    settings = Settings(
        like=arguments.like,
        live=arguments.live,
        with_live=arguments.with_live,
        begin=arguments.span[0],
        end=arguments.span[1],
        block_size=arguments.block_size,
        stitch=arguments.stitch,
        max_batch=arguments.max_batch,
        legacy=arguments.legacy,
        resume=arguments.resume,
        jobs=arguments.jobs,
    )
    with shown(arguments.paths):
        try:
            found = carve(arguments.paths, arguments.out, settings, account_of)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotWrite(f"{arguments.out}: {describe_os_error(error)}") from None
    if arguments.output_format == "jsonl":
        write_json_lines(carve_lines(found))
    else:
        from kafkalog.render.screen import Screen
        from kafkalog.render.text_carve import carve_items

        Screen.of(sys.stdout, arguments.color).show(carve_items(found))
    if any(one.kind == "unreadable" for one in found.skipped):
        return exit_status.UNREADABLE
    return exit_status.OK if found.groups else exit_status.FINDINGS
