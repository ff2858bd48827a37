"""`kafkalog dump`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.streams import say, write_bytes, write_json_bytes
from kafkalog.cli.tool_syntax import ToolCommand
from kafkalog.core.release import Release, release_text
from kafkalog.dump.decoder_names import DECODERS, TOPIC_DECODERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.filters import Filters
    from kafkalog.dump.decoders.base import Decoder
    from kafkalog.dump.inputs import PlannedFile
    from kafkalog.dump.payload import Payload
    from kafkalog.dump.tool_died import ToolDied
    from kafkalog.files.intake import As

__all__ = ["command"]

#: Options of the real tool that are younger than the oldest release, and the release they came with.
_SINCE: dict[str, Release] = {
    "skip_record_metadata": (2, 8, 0),
    "max_bytes": (3, 3, 0),
    **{f"{name.replace('-', '_')}_decoder": since for name, since in DECODERS.items()},
}
_NO_CLASS = ""
_DECODES = "Decode the records of this internal topic."
_INT = click.IntRange(-(1 << 31), (1 << 31) - 1)


class Arguments(NamedTuple):
    """What the user asked for, as click hands it over."""

    paths: tuple[str, ...]
    files: tuple[str, ...]
    print_data_log: bool
    deep_iteration: bool
    verify_index_only: bool
    index_sanity_check: bool
    max_message_size: int
    max_bytes: int | None
    skip_record_metadata: bool
    key_decoder_class: str | None
    value_decoder_class: str | None
    offsets_decoder: bool
    transaction_log_decoder: bool
    cluster_metadata_decoder: bool
    remote_log_metadata_decoder: bool
    share_group_state_decoder: bool
    no_decode: bool
    release: Release
    output_format: str
    offsets: tuple[int | None, int | None]
    since: int | None
    until: int | None
    producer_id: int | None
    key: bytes | None
    payload: str | None
    read_on: bool
    read_as: As | None
    raw: bool
    jobs: int | None

    @property
    def decoder_classes(self) -> tuple[str | None, str | None]:
        """Of keys and of values; None where none was asked for, "" for the default one."""
        return self.key_decoder_class, self.value_decoder_class

    @property
    def decoder(self) -> str | None:
        """The internal-topic decoder asked for; of several the one that the real tool prefers."""
        return next((name for name in DECODERS if getattr(self, f"{name.replace('-', '_')}_decoder")), None)

    @property
    def prints_payload(self) -> bool:
        """Whether keys and values are printed: every decoder option asks for it, too."""
        return self.print_data_log or self.decoder is not None or any(name is not None for name in self.decoder_classes)


@click.command(
    "dump",
    cls=ToolCommand,
    examples=(
        ("--print-data-log orders-0", "keys and values too"),
        ("--files orders-0/00000000000000000000.log", "as the real tool"),
        ("--format jsonl --offsets 100:200 orders-0", "for programs"),
    ),
    sections={
        "What is printed": (
            "files",
            "read_as",
            "print_data_log",
            "deep_iteration",
            "skip_record_metadata",
            "read_on",
            "verify_index_only",
            "index_sanity_check",
            "max_message_size",
            "max_bytes",
        ),
        "Which records": ("offsets", "since", "until", "producer_id", "key"),
        "Keys and values": (
            "payload",
            "key_decoder_class",
            "value_decoder_class",
            *(f"{name.replace('-', '_')}_decoder" for name in DECODERS),
            "no_decode",
        ),
        "Output": ("release", "output_format", "raw"),
    },
)
@options.paths
@options.read_as
@click.option(
    "--files",
    multiple=True,
    metavar="A,B,C",
    shell_complete=completion.files,
    help="Files, separated by commas, as for the real tool.",
)
@click.option("--print-data-log", is_flag=True, help="Print keys and values.")
@click.option("--deep-iteration", is_flag=True, help="Print a line per record.")
@click.option("--verify-index-only", is_flag=True, help="Check indexes, print no entries.")
@click.option("--index-sanity-check", is_flag=True, help="Only make the sanity check of an index.")
@click.option("--max-message-size", type=_INT, metavar="BYTES", default=5242880, help="Bytes read per index entry.")
@click.option("--max-bytes", type=_INT, metavar="BYTES", help="Read at most this many bytes of a log.")
@click.option("--skip-record-metadata", is_flag=True, help="Print only the keys and values of records.")
@click.option(
    "--key-decoder-class",
    is_flag=False,
    flag_value=_NO_CLASS,
    metavar="[CLASS]",
    help="A decoder: Java class, or Python module:function.",
)
@click.option(
    "--value-decoder-class",
    is_flag=False,
    flag_value=_NO_CLASS,
    metavar="[CLASS]",
    help="A decoder: Java class, or Python module:function.",
)
@click.option("--offsets-decoder", is_flag=True, help=_DECODES)
@click.option("--transaction-log-decoder", is_flag=True, help=_DECODES)
@click.option("--cluster-metadata-decoder", is_flag=True, help=_DECODES)
@click.option("--remote-log-metadata-decoder", is_flag=True, help=_DECODES)
@click.option("--share-group-state-decoder", is_flag=True, help=_DECODES)
@click.option("--no-decode", is_flag=True, help="Choose no decoder by the name of the topic.")
@options.kafka_version_of_text
@options.format_option("Text as of the real tool")
@options.record_filters
@click.option(
    "--payload",
    type=options.choice(["text", "hex", "base64", "length", "sha256", "none"]),
    default=None,
    help="How they are shown, with --print-data-log.",
)
@click.option("--read-on", is_flag=True, help="Print also what is sound and the real tool does not reach.")
@click.option("--raw", is_flag=True, help="Escape no control characters on a terminal.")
@options.jobs
@options.max_decompressed
@options.aiven_key
@options.max_spool
def command(**values: Any) -> int:
    """Print log files as Kafka's DumpLogSegments would.

    A PATH is a file, a partition directory or a log dir; --files prints only what the real tool can print.

    Exit status: 0; 1 where the real tool would fail or passes over what is sound, or a PATH is missing or holds no file of
    Kafka; 2 usage.
    """
    arguments = Arguments(**values)
    _check(arguments)
    filters = _filters(arguments)
    sys.stdout.flush()
    from kafkalog.cli.progress import shown

    files = [name for names in arguments.files for name in names.split(",")]
    with shown((*arguments.paths, *files), beside_output=False):
        return _json_lines(arguments, filters) if arguments.output_format == "jsonl" else _text(arguments, filters)


def _check(arguments: Arguments) -> None:
    for name, since in _SINCE.items():
        value = getattr(arguments, name)
        if value is not None and value is not False and arguments.release < since:
            option = "--" + name.replace("_", "-")
            first, asked = release_text(since), release_text(arguments.release)
            raise click.UsageError(f"{option} came with Kafka {first}; --kafka-version says {asked}.")
    if not arguments.paths and not arguments.files:
        raise click.UsageError("Give a PATH or --files.")
    if arguments.output_format == "jsonl" and any(arguments.decoder_classes):
        raise click.UsageError("Decoder classes make text; JSON lines show keys and values as --payload says.")
    if len(arguments.files) > 1:
        raise click.UsageError("--files can be given once; it takes several names with commas between them.")
    if arguments.since is not None and arguments.until is not None and arguments.since > arguments.until:
        raise click.UsageError("--since is later than --until.")


def _filters(arguments: Arguments) -> Filters:
    from kafkalog.core.filters import Filters

    return Filters(*arguments.offsets, arguments.since, arguments.until, arguments.producer_id, arguments.key)


def _topic_decoder(arguments: Arguments, topic: str | None) -> Decoder | None:
    """The decoder that a topic's name asks for, unless the user asked for something else."""
    from kafkalog.dump.decoders import decoder_for

    name, release = TOPIC_DECODERS.get(topic or ""), arguments.release
    if name is None or arguments.no_decode or arguments.decoder or any(arguments.decoder_classes) or release < DECODERS[name]:
        return None
    return decoder_for(name, release)


def _payload(arguments: Arguments) -> tuple[Payload | None, tuple[str, ...], ToolDied | None]:
    """How keys and values are printed (None: they are not), what is said about deprecated decoders, a missing decoder."""
    if not arguments.prints_payload:
        return None, (), None
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.payload import decoded_payload, decoder_class, payload_of, string_decoder
    from kafkalog.dump.tool_died import ToolDied

    form, release = arguments.payload or "text", arguments.release
    if arguments.decoder is not None and form == "text":
        from kafkalog.dump.decoders import decoder_for

        return decoded_payload(decoder_for(arguments.decoder, release)), (), None
    try:
        found = [(string_decoder, None) if not name else decoder_class(name, release) for name in arguments.decoder_classes]
    except ToolDied as death:
        return None, (), death
    notices = tuple(notice for _, notice in found if notice is not None)
    tombstones = dialect_of(release).key_of_tombstone
    return payload_of(form, found[0][0], found[1][0], tombstone_keys=tombstones), notices, None


def _on_terminal(arguments: Arguments) -> bool:
    """Whether what a log holds could do something to a terminal."""
    return sys.stdout.isatty() and not arguments.raw


def _text(arguments: Arguments, filters: Filters) -> int:
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.index_options import IndexOptions
    from kafkalog.dump.job import NO_LIMIT, DumpJob, DumpOptions
    from kafkalog.dump.output import Output, TerminalOutput

    payload, notices, no_decoder = _payload(arguments)
    deep = arguments.deep_iteration or (payload is not None and dialect_of(arguments.release).print_is_deep)
    on_terminal = _on_terminal(arguments)
    jobs = 1 if on_terminal else _jobs(arguments)
    in_turn = _PrintInTurn() if jobs > 1 else None
    dump_options = DumpOptions(
        directory=os.getcwd(),
        release=arguments.release,
        deep=deep,
        payload=payload if deep else None,
        skip_metadata=arguments.skip_record_metadata,
        indexes=IndexOptions(arguments.verify_index_only, arguments.index_sanity_check, arguments.max_message_size),
        max_bytes=NO_LIMIT if arguments.max_bytes is None else arguments.max_bytes,
        filters=filters,
        notices=notices,
        no_decoder=no_decoder,
        read_on=arguments.read_on,
        jobs=jobs,
        print_in_turn=in_turn,
    )
    output = (TerminalOutput if on_terminal else Output)(write_bytes, say)
    job = DumpJob(dump_options, output)

    def path_file(file: PlannedFile) -> None:
        plain = dump_options.payload is not None and (arguments.payload or "text") == "text"
        decoder = _topic_decoder(arguments, file.topic) if plain else None
        if decoder is None:
            return job.path_file(file.path, None, file.listing)
        from kafkalog.dump.payload import decoded_payload

        return job.path_file(file.path, decoded_payload(decoder), file.listing)

    missing = _each_file(arguments, filters, job.tool_file, path_file, output.say)
    died = job.finish()
    if in_turn is not None and in_turn.lost:
        return exit_status.UNREADABLE
    return exit_status.FINDINGS if died or missing else exit_status.OK


def _jobs(arguments: Arguments) -> int:
    """How many processes print; a terminal takes lines no faster from several."""
    from kafkalog.files.cores import cores

    if arguments.jobs is not None:
        return arguments.jobs
    return 1 if sys.stdout.isatty() else cores()


def _json_lines(arguments: Arguments, filters: Filters) -> int:
    from kafkalog.dump.decoders import decoder_for
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.jsonl import JsonDump, JsonOptions
    from kafkalog.dump.output import Output

    dump_options = JsonOptions(
        dialect=dialect_of(arguments.release),
        records=arguments.deep_iteration or arguments.prints_payload,
        payload=(arguments.payload or "hex") if arguments.prints_payload else None,
        verify_only=arguments.verify_index_only,
        sanity_only=arguments.index_sanity_check,
        max_message_size=arguments.max_message_size,
        max_bytes=arguments.max_bytes,
        filters=filters,
        decoder=None if arguments.decoder is None else decoder_for(arguments.decoder, arguments.release),
    )
    output = Output(write_json_bytes if _on_terminal(arguments) else write_bytes, say)
    dump = JsonDump(dump_options, output)

    def path_file(file: PlannedFile) -> None:
        dump.file(file.path, _topic_decoder(arguments, file.topic), file.listing)

    missing = _each_file(arguments, filters, dump.file, path_file, output.say)
    output.flush()
    return exit_status.FINDINGS if output.died or missing else exit_status.OK


def _each_file(
    arguments: Arguments,
    filters: Filters,
    tool_file: Callable[[str], None],
    path_file: Callable[[PlannedFile], None],
    say_in_turn: Callable[[str], object],
) -> bool:
    """Hand out every file; returns whether a PATH could not be read."""
    missing = False
    for files in arguments.files:
        # String.split drops empty words at the end.
        for name in files.rstrip(",").split(",") if files.rstrip(",") or not files else ():
            tool_file(name)
    if not arguments.paths:
        return False
    from kafkalog.dump.inputs import files_of
    from kafkalog.errors import UnreadableFile

    for given in arguments.paths:
        try:
            (path,) = options.named_paths((given,), arguments.read_as)
            for file in files_of(path, filters, say_in_turn):
                path_file(file)
        except UnreadableFile as error:
            say_in_turn(f"kafkalog: {error}")
            missing = True
    return missing


class _PrintInTurn:
    """Prints by worker processes, which few logs are large enough for; `lost`: one of them has ended too early."""

    def __init__(self) -> None:
        self.lost = False

    def __call__(self, *arguments: Any) -> list[Any]:
        """Print ranges of a log."""
        from kafkalog.cli.printed_in_turn import PrintedInTurn

        print_in_turn = PrintedInTurn()
        try:
            return print_in_turn(*arguments)
        finally:
            self.lost |= print_in_turn.lost
