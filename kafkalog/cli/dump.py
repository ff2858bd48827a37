"""`kafkalog dump`."""

from __future__ import annotations

import io
import os
import select
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from kafkalog.cli.main import EXIT_UNREADABLE
from kafkalog.cli.sizes import max_decompressed
from kafkalog.cli.tool_syntax import ToolCommand
from kafkalog.core.release import NEWEST, Release, parse_release, release_text
from kafkalog.dump.decoder_names import DECODERS, TOPIC_DECODERS
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.cli.workers import PrintedInTurn
    from kafkalog.dump.decoders.base import Decoder
    from kafkalog.dump.filters import Filters
    from kafkalog.dump.inputs import PlannedFile
    from kafkalog.dump.payload import Payload
    from kafkalog.dump.tool_died import ToolDied

__all__ = ["command"]

#: Options of the real tool that are younger than the oldest release, and the release they came with.
_SINCE: dict[str, Release] = {
    "skip_record_metadata": (2, 8, 0),
    "max_bytes": (3, 3, 0),
    **{f"{name.replace('-', '_')}_decoder": since for name, since in DECODERS.items()},
}
_NO_CLASS = ""
#: Bytes written at once, more than `Output` hands on.
_AT_ONCE = 1 << 20
_INT = click.IntRange(-(1 << 31), (1 << 31) - 1)


def _release(_: click.Context, __: click.Parameter, value: str | None) -> Release:
    try:
        return NEWEST if value is None else parse_release(value)
    except RequestError as error:
        raise click.BadParameter(str(error)) from None


@click.command("dump", cls=ToolCommand)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--files", multiple=True, metavar="A,B,C", help="Files, separated by commas, as the real tool takes them.")
@click.option("--print-data-log", is_flag=True, help="Print keys and values.")
@click.option("--deep-iteration", is_flag=True, help="Print a line per record.")
@click.option("--verify-index-only", is_flag=True, help="Check indexes without printing their entries.")
@click.option("--index-sanity-check", is_flag=True, help="Only make the sanity check of an index.")
@click.option("--max-message-size", type=_INT, default=5242880, help="Bytes of the log to read per index entry.")
@click.option("--max-bytes", type=_INT, default=None, help="Read at most this many bytes of a log.")
@click.option("--skip-record-metadata", is_flag=True, help="Print only the keys and values of records.")
@click.option(
    "--key-decoder-class",
    is_flag=False,
    flag_value=_NO_CLASS,
    metavar="[CLASS]",
    help="Decode keys with this Java decoder class or Python module:function.",
)
@click.option(
    "--value-decoder-class",
    is_flag=False,
    flag_value=_NO_CLASS,
    metavar="[CLASS]",
    help="Decode values with this Java decoder class or Python module:function.",
)
@click.option("--offsets-decoder", is_flag=True, help="Decode records of __consumer_offsets.")
@click.option("--transaction-log-decoder", is_flag=True, help="Decode records of __transaction_state.")
@click.option("--cluster-metadata-decoder", is_flag=True, help="Decode records of __cluster_metadata.")
@click.option("--remote-log-metadata-decoder", is_flag=True, help="Decode records of __remote_log_metadata.")
@click.option("--share-group-state-decoder", is_flag=True, help="Decode records of __share_group_state.")
@click.option("--no-decode", is_flag=True, help="Do not choose a decoder by the name of an internal topic.")
@click.option(
    "--kafka-version",
    "release",
    callback=_release,
    metavar="VERSION",
    show_default="the newest",
    help="Release whose text is printed: X.Y.Z, or X.Y for its last patch.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    help="Text as the real tool prints it, or one JSON object per line for programs.",
)
@click.option("--offsets", metavar="A:B", help="Print only offsets from A up to, but not including, B.")
@click.option("--since", metavar="TIME", help="Print only records of this time or later: ISO 8601 or epoch milliseconds.")
@click.option("--until", metavar="TIME", help="Print only records before this time.")
@click.option("--producer-id", type=int, help="Print only records of this producer id.")
@click.option("--key", metavar="TEXT", help="Print only records with this key; hex:… for bytes.")
@click.option(
    "--payload",
    type=click.Choice(["text", "hex", "base64", "length", "sha256", "none"]),
    default=None,
    help="How keys and values are shown, with --print-data-log.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, help="Number of worker processes for record lines.")
@max_decompressed
def command(**given: Any) -> int:
    """Print log files as Kafka's DumpLogSegments would.

    A PATH is a file, a partition directory or a log dir. `--files` prints only what the real tool can print.

    Exit status: 0; 1 where the real tool would fail, or a PATH is missing or holds no file of Kafka; 2 usage.
    """
    release: Release = given["release"]
    _check_options(given, release)
    filters = _filters(given)
    sys.stdout.flush()
    if given["form"] == "jsonl":
        return _jsonl(given, release, filters)
    return _text(given, release, filters)


def _check_options(given: dict[str, Any], release: Release) -> None:
    for name, since in _SINCE.items():
        if given[name] is not None and given[name] is not False and release < since:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} came with Kafka {release_text(since)}; --kafka-version says {release_text(release)}."
            )
    if not given["paths"] and not given["files"]:
        raise click.UsageError("Give a PATH or --files.")
    if given["form"] == "jsonl" and any((given["key_decoder_class"], given["value_decoder_class"])):
        raise click.UsageError("Decoder classes make text; JSON lines show keys and values as --payload says.")
    if len(given["files"]) > 1:
        raise click.UsageError("--files can be given once; it takes several names with commas between them.")


def _filters(given: dict[str, Any]) -> Filters:
    from kafkalog.cli.times import parse_offsets, parse_time
    from kafkalog.dump.filters import Filters

    first, end = parse_offsets(given["offsets"]) if given["offsets"] is not None else (None, None)
    key = given["key"]
    if key is not None:
        try:
            key = bytes.fromhex(key[4:]) if key.startswith("hex:") else key.encode("utf-8", "surrogateescape")
        except ValueError:
            raise click.BadParameter(f"{key!r} is not hex: and pairs of hexadecimal digits", param_hint="--key") from None
    since, until = (None if given[name] is None else parse_time(given[name], f"--{name}") for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise click.BadParameter(f"{given['since']} is later than --until {given['until']}", param_hint="--since")
    return Filters(first, end, since, until, given["producer_id"], key)


def _printing(given: dict[str, Any]) -> bool:
    """Whether keys and values are printed: every decoder option asks for it, too."""
    decoders = (given[f"{name.replace('-', '_')}_decoder"] for name in DECODERS)
    classes = (given["key_decoder_class"], given["value_decoder_class"])
    return given["print_data_log"] or any(decoders) or any(name is not None for name in classes)


def _asked_decoder(given: dict[str, Any]) -> str | None:
    """The internal-topic decoder asked for; of several the one that the real tool prefers."""
    return next((name for name in DECODERS if given[f"{name.replace('-', '_')}_decoder"]), None)


def _topic_decoder(given: dict[str, Any], release: Release, topic: str | None) -> Decoder | None:
    """The decoder that a topic's name asks for, unless the user asked for something else."""
    from kafkalog.dump.decoders import decoder_for

    name = TOPIC_DECODERS.get(topic or "")
    classes = (given["key_decoder_class"], given["value_decoder_class"])
    if name is None or given["no_decode"] or _asked_decoder(given) or any(classes) or release < DECODERS[name]:
        return None
    return decoder_for(name, release)


def _payload(given: dict[str, Any], release: Release) -> tuple[Payload | None, tuple[str, ...], ToolDied | None]:
    """How keys and values are printed (None: they are not), what is said about deprecated decoders, a missing decoder."""
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.payload import decoded_payload, decoder_class, payload_of, string_decoder
    from kafkalog.dump.tool_died import ToolDied

    if not _printing(given):
        return None, (), None
    form = given["payload"] or "text"
    asked = _asked_decoder(given)
    if asked is not None and form == "text":
        from kafkalog.dump.decoders import decoder_for

        return decoded_payload(decoder_for(asked, release)), (), None
    names = (given["key_decoder_class"], given["value_decoder_class"])
    try:
        found = [(string_decoder, None) if not name else decoder_class(name, release) for name in names]
    except ToolDied as death:
        return None, (), death
    notices = tuple(notice for _, notice in found if notice is not None)
    tombstones = dialect_of(release).key_of_tombstone
    return payload_of(form, found[0][0], found[1][0], tombstone_keys=tombstones), notices, None


def _text(given: dict[str, Any], release: Release, filters: Filters) -> int:
    from kafkalog.cli.progress import Progress
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.index_options import IndexOptions
    from kafkalog.dump.job import NO_LIMIT, DumpJob, DumpOptions
    from kafkalog.dump.output import Output
    from kafkalog.dump.payload import decoded_payload

    payload, notices, no_decoder = _payload(given, release)
    deep = given["deep_iteration"] or (payload is not None and dialect_of(release).print_is_deep)
    in_turn = _print_in_turn() if given["jobs"] > 1 else None
    options = DumpOptions(
        directory=os.getcwd(),
        release=release,
        deep=deep,
        payload=payload if deep else None,
        skip_metadata=given["skip_record_metadata"],
        indexes=IndexOptions(given["verify_index_only"], given["index_sanity_check"], given["max_message_size"]),
        max_bytes=NO_LIMIT if given["max_bytes"] is None else given["max_bytes"],
        filters=filters,
        notices=notices,
        no_decoder=no_decoder,
        jobs=given["jobs"],
        print_in_turn=in_turn,
    )
    progress = Progress() if sys.stderr.isatty() and not sys.stdout.isatty() else None
    output = Output(_write_all, say if progress is None else progress.around(say), progress)
    job = DumpJob(options, output)

    def path_file(file: PlannedFile) -> None:
        plain = options.payload is not None and (given["payload"] or "text") == "text"
        decoder = _topic_decoder(given, release, file.topic) if plain else None
        job.path_file(file.path, None if decoder is None else decoded_payload(decoder), file.listing)

    missing = _each_file(given, filters, job.tool_file, path_file, output.say)
    died = job.finish()
    if progress is not None:
        progress.clear()
    if in_turn is not None and in_turn.lost:
        return EXIT_UNREADABLE
    return int(died or missing)


def _jsonl(given: dict[str, Any], release: Release, filters: Filters) -> int:
    from kafkalog.dump.decoders import decoder_for
    from kafkalog.dump.dialects import dialect_of
    from kafkalog.dump.jsonl import JsonDump, JsonOptions
    from kafkalog.dump.output import Output

    printing = _printing(given)
    asked = _asked_decoder(given)
    options = JsonOptions(
        dialect=dialect_of(release),
        records=given["deep_iteration"] or printing,
        payload=(given["payload"] or "hex") if printing else None,
        verify_only=given["verify_index_only"],
        sanity_only=given["index_sanity_check"],
        max_message_size=given["max_message_size"],
        max_bytes=given["max_bytes"],
        filters=filters,
        decoder=None if asked is None else decoder_for(asked, release),
    )
    output = Output(_write_all, say)
    dump = JsonDump(options, output)

    def path_file(file: PlannedFile) -> None:
        dump.file(file.path, _topic_decoder(given, release, file.topic), file.listing)

    missing = _each_file(given, filters, dump.file, path_file, output.say)
    output.flush()
    return int(output.died or missing)


def _each_file(
    given: dict[str, Any],
    filters: Filters,
    tool_file: Callable[[str], None],
    path_file: Callable[[PlannedFile], None],
    tell: Callable[[str], object],
) -> bool:
    """Hand out every file; returns whether a PATH could not be read."""
    missing = False
    for files in given["files"]:
        # String.split drops empty words at the end.
        for name in files.rstrip(",").split(",") if files.rstrip(",") or not files else ():
            tool_file(name)
    if not given["paths"]:
        return False
    from kafkalog.dump.inputs import files_of
    from kafkalog.errors import UnreadableFile

    for path in given["paths"]:
        try:
            for file in files_of(path, filters, tell):
                path_file(file)
        except UnreadableFile as error:
            tell(f"kafkalog: {error}")
            missing = True
    return missing


def say(line: str) -> None:
    """A line for stderr."""
    from kafkalog.cli.main import say as say_on_stderr

    say_on_stderr(line)


def _print_in_turn() -> PrintedInTurn:
    from kafkalog.cli.workers import PrintedInTurn

    return PrintedInTurn()


@cache
def _stdout(descriptor: int) -> io.BufferedWriter:
    """A stream that knows to the byte what is written also when a signal interrupts it; `os.write` cannot tell then."""
    return io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False), _AT_ONCE)


def _write_all(data: bytes) -> None:
    """Write to stdout; interrupted, it still ends the line."""
    from kafkalog.cli.main import CannotWrite

    stream = _stdout(sys.stdout.fileno())
    piece = b""
    try:
        for at in range(0, len(data), _AT_ONCE):
            piece = data[at : at + _AT_ONCE]
            stream.write(piece)
            _flush(stream)
    except KeyboardInterrupt:
        _flush(stream)
        if not piece.endswith(b"\n"):
            stream.write(b"\n")
            _flush(stream)
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(error) from None


def _flush(stream: io.BufferedWriter) -> None:
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            select.select([], [stream], [])
