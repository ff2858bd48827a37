"""`kafkalog export`: tables as files."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import CannotWrite, say, write_bytes
from kafkalog.files.source import describe_os_error
from kafkalog.table.api import TABLES
from kafkalog.table.export import FORMATS
from kafkalog.table.text_files import FORMS

if TYPE_CHECKING:
    from kafkalog.core.batch import Damage
    from kafkalog.errors import UnreadableFile
    from kafkalog.files.intake import As

__all__ = ["command"]

#: Damages that are named one by one; of more, how many there are is said.
_NAMED = 20


class _Stdout(io.RawIOBase):
    """Stdout for whoever writes to a file."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes.

        Raises:
            BrokenPipeError: nobody reads the output any more.
            CannotWrite: the output does not take them.
        """
        write_bytes(bytes(data))
        return len(data)


class Arguments(NamedTuple):
    """What the user asked for, as click hands it over."""

    paths: tuple[str, ...]
    out: str
    table: str
    columns: str
    names: str
    output_format: str | None
    offsets: tuple[int | None, int | None]
    since: int | None
    until: int | None
    producer_id: int | None
    key: bytes | None
    isolation: str
    control: bool
    key_format: str
    value_format: str
    row_group: int
    force: bool
    jobs: int | None
    read_as: As | None


@click.command(
    "export",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("orders-0 -o orders.parquet", "a partition's records"),
        ("/kafka/data -o lake/", "a file per partition"),
        ("--table batches orders-0 -o b.csv", "its batches"),
    ),
    sections={
        "What is written": (
            "out",
            "table",
            "columns",
            "names",
            "output_format",
            "key_format",
            "value_format",
            "row_group",
            "force",
        ),
        "Which records": ("read_as", "offsets", "since", "until", "producer_id", "key", "isolation", "control"),
    },
)
@options.required_paths
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="A file, OUT/ for a folder with a file for each partition, or - for stdout.",
)
@click.option(
    "--table",
    type=options.choice([*TABLES]),
    metavar="TABLE",
    default="records",
    help="records, batches, segments, …: docs/tables.md has them.",
)
@click.option(
    "--columns",
    metavar="A,B,+C,-D",
    default="default",
    help="Columns by name, all, or the default ones with some more or less.",
)
@click.option(
    "--names", type=options.choice(["snake", "kafka"]), default="snake", help="kafka: timestampType, as Spark has it."
)
@click.option(
    "--format",
    "output_format",
    type=options.choice(FORMATS),
    show_default="by the suffix; parquet in OUT/",
    help="The format.",
)
@options.read_as
@options.record_filters
@click.option(
    "--isolation",
    type=options.choice(["read_uncommitted", "read_committed"]),
    metavar="LEVEL",
    default="read_uncommitted",
    help="read_committed: what such a consumer gets.",
)
@click.option("--control", is_flag=True, help="Control records too, such as transaction markers.")
@click.option("--key-format", type=options.choice([*FORMS]), default="text", help="Keys in csv and jsonl.")
@click.option("--value-format", type=options.choice([*FORMS]), default="text", help="Values in csv and jsonl.")
@click.option("--row-group", type=click.IntRange(1), metavar="N", default=131_072, help="Rows in a row group of Parquet.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there.")
@options.jobs
@options.max_decompressed
@options.aiven_key
@options.max_spool
def command(**values: Any) -> int:
    """Write records, batches, index entries or findings to Parquet, Arrow, CSV or JSON lines.

    OUT gets its name when all is written, and is never under a PATH. Parquet and Arrow need pip install 'kafkalog[arrow]'.

    Exit status: 0; 1 bytes that cannot be read are not in it, stderr names them; 2 usage; 3 a PATH could not be read, or
    OUT not be written.
    """
    from kafkalog.core.filters import Filters
    from kafkalog.table.api import tabulate
    from kafkalog.table.export import ExportOptions, export, format_of

    arguments = Arguments(**values)
    if arguments.since is not None and arguments.until is not None and arguments.since > arguments.until:
        raise click.UsageError("--since is later than --until.")
    paths = options.named_paths(arguments.paths, arguments.read_as)
    table = tabulate(
        TABLES[arguments.table],
        paths,
        arguments.columns,
        arguments.names,
        Filters(*arguments.offsets, arguments.since, arguments.until, arguments.producer_id, arguments.key),
        committed=arguments.isolation == "read_committed",
        control=arguments.control,
    )
    wanted = ExportOptions(
        format=format_of(arguments.out, arguments.output_format),
        key_form=arguments.key_format,
        value_form=arguments.value_format,
        row_group=arguments.row_group,
        replace=arguments.force,
        jobs=arguments.jobs,
    )
    if arguments.out == "-" and wanted.format in ("csv", "arrow") and sys.stdout.isatty():
        raise click.UsageError(f"{wanted.format} is not for a terminal: keys and values may hold anything. jsonl is.")
    damages = _Damages()
    unread: list[UnreadableFile] = []
    try:
        with shown(paths):
            export(table, arguments.out, wanted, damages.note, cast("Any", _Stdout()), unread.append)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(f"{arguments.out}: {describe_os_error(error)}") from None
    damages.end()
    for one in unread:
        say(f"kafkalog: {one}")
    if unread:
        return exit_status.UNREADABLE
    return exit_status.FINDINGS if damages.count else exit_status.OK


class _Damages:
    """Says what is not in the output."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, path: str, damage: Damage) -> None:
        """Bytes of a file that have no row."""
        self.count += 1
        if self.count <= _NAMED:
            span = damage.span
            where = "" if span.space is None else f" of the decompressed records of the batch at {span.space}"
            say(f"kafkalog: {path}: bytes {span.start}..{span.end}{where} are not in the output: {damage.reason}")

    def end(self) -> None:
        """Say how many were not named."""
        if self.count > _NAMED:
            say(f"kafkalog: {self.count - _NAMED} more ranges of bytes are not in the output; `kafkalog verify` has them all")
