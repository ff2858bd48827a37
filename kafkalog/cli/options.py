"""Options that several commands take, and the kinds of value they have: each is declared here once."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from kafkalog.cli import completion
from kafkalog.core.compression import DEFAULT_LIMIT, MAX_DECOMPRESSED
from kafkalog.core.suggestion import did_you_mean
from kafkalog.files.mounted import DEFAULT_SPOOL, EXAMINED, MAX_SPOOL
from kafkalog.files.urls import shown as shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkalog.core.release import Release
    from kafkalog.files.intake import As
    from kafkalog.replay.until import Until

    Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

__all__ = [
    "OFFSET_OR_TIME",
    "ParamType",
    "aiven_key",
    "assume_stop",
    "at",
    "batch_filters",
    "choice",
    "color",
    "detail",
    "exit_zero",
    "fail_on",
    "format_option",
    "jobs",
    "kafka_version",
    "kafka_version_of_text",
    "max_decompressed",
    "max_spool",
    "named_paths",
    "now",
    "paths",
    "read_as",
    "record_filters",
    "recovery_point",
    "required_paths",
    "time_option",
    "without_secrets",
]

# Before click 8.4 it takes no argument.
if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

_TIME_EXAMPLES = "ISO 8601 (2024-05-01, 2024-05-01T12:00:00Z) nor @ and epoch milliseconds (@1714564800000)"
_WHOLE_NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)


class _Time(ParamType):
    """TIME: ISO 8601, UTC when it names no zone; or epoch milliseconds, before which `@` may stand. The value is the latter."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds."""
        if isinstance(value, int):
            return value
        if _WHOLE_NUMBER.fullmatch(value.removeprefix("@")):
            return int(value.removeprefix("@"))
        from datetime import UTC, datetime, timedelta

        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither {_TIME_EXAMPLES}", param, ctx)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


class _OffsetOrTime(ParamType):
    """An offset (a whole number), or TIME, which here never is a number without `@`."""

    name = "offset|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Until:
        """Up to where a topic is replayed."""
        from kafkalog.replay.until import Until

        if isinstance(value, Until):
            return value
        if re.fullmatch(r"\d{1,19}", value, re.ASCII):
            return Until(offset=int(value))
        try:
            return Until(time=TIME.convert("" if _WHOLE_NUMBER.fullmatch(value) else value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is neither an offset, nor {_TIME_EXAMPLES}", param, ctx)


class _KafkaVersion(ParamType):
    """A release of Kafka; None for `auto`, where that is a value."""

    name = "version"

    def __init__(self, *, auto: bool) -> None:
        self._auto = auto

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Release | None:
        """The release."""
        from kafkalog.core.release import parse_release
        from kafkalog.errors import RequestError

        if value == "auto" and self._auto:
            return None
        try:
            return parse_release(value) if isinstance(value, str) else value
        except RequestError as error:
            self.fail(str(error), param, ctx)


class _RecoveryPoint(ParamType):
    """An offset; None for `auto`."""

    name = "offset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The offset."""
        if isinstance(value, int) or value == "auto":
            return None if value == "auto" else value
        if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
            self.fail(f"{value!r} is neither an offset nor auto", param, ctx)
        return int(value)


class _Offsets(ParamType):
    """`A:B`, two offsets either of which may be missing (None)."""

    name = "offsets"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, int | None]:
        """The two ends."""
        match = re.fullmatch(r"(-?\d{1,19})?:(-?\d{1,19})?", value, re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not A:B, two offsets of which either may be missing", param, ctx)
        first, end = (int(side) if side else None for side in match.groups())
        if first is not None and end is not None and first > end:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return first, end


class _Key(ParamType):
    """A key: text, or `hex:` and hexadecimal digits."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Its bytes."""
        if not value.startswith("hex:"):
            return bytes(value.encode("utf-8", "surrogateescape"))
        try:
            return bytes.fromhex(value.removeprefix("hex:"))
        except ValueError:
            self.fail(f"{value!r} is not hex: and pairs of hexadecimal digits", param, ctx)


class _Jobs(ParamType):
    """A number of processes; None for `auto`."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number."""
        if isinstance(value, int) or value == "auto":
            return None if value == "auto" else value
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or int(value) == 0:
            self.fail(f"{value!r} is neither a number, 1 or more, nor auto", param, ctx)
        return int(value)


TIME = _Time()
OFFSET_OR_TIME = _OffsetOrTime()


class _Choice(click.Choice):  # type: ignore[type-arg]
    """One of a few words; a wrong one is answered with all, and the one that was meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What is wrong with a word."""
        del ctx
        words = list(map(str, self.choices))
        return f"{value!r} is none of {', '.join(words)}.{did_you_mean(str(value), words)}"


def choice(words: Sequence[str]) -> click.Choice[str]:
    """The kind of value that is one of these words."""
    return _Choice(words)


def without_secrets(_: click.Context, __: click.Parameter, value: Any) -> Any:
    """A path, or several: of URLs what may be shown."""
    return shown_url(value) if isinstance(value, str) else tuple(map(shown_url, value))


def _examined(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    paths: tuple[str, ...] = without_secrets(ctx, param, value)
    EXAMINED.set(paths)
    return paths


def paths(command: Callable[..., Any]) -> Callable[..., Any]:
    """`PATH...`, none or more."""
    return click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=completion.files, callback=_examined)(command)


def required_paths(command: Callable[..., Any]) -> Callable[..., Any]:
    """`PATH...`, one or more."""
    return click.argument(
        "paths", nargs=-1, required=True, metavar="PATH...", shell_complete=completion.files, callback=_examined
    )(command)


def format_option(text: str = "Text") -> Decorator:
    """`--format`; `text` says what the text is."""
    return click.option(
        "--format",
        "output_format",
        type=choice(["text", "jsonl"]),
        default="text",
        help=f"{text}, or JSON lines.",
    )


def color(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--color`."""
    return click.option(
        "--color",
        type=choice(["auto", "always", "never"]),
        default="auto",
        help="Colours. auto: by the terminal, NO_COLOR, FORCE_COLOR.",
    )(command)


def detail(headline: str, everything: str) -> Decorator:
    """`-q` and `-v`; each says what is shown. The command gets `detail`: `headline`, `everything` or None."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def asked(*, quiet: bool, verbose: bool, **arguments: Any) -> Any:
            if quiet and verbose:
                raise click.UsageError("-q and -v exclude each other")
            return command(detail="headline" if quiet else "everything" if verbose else None, **arguments)

        shown = click.option("-v", "--verbose", is_flag=True, help=everything)(asked)
        return click.option("-q", "--quiet", is_flag=True, help=headline)(shown)

    return decorated


def kafka_version(what: str) -> Decorator:
    """`--kafka-version`, None for `auto`; `what` says what the release is taken for."""
    return click.option(
        "--kafka-version",
        type=_KafkaVersion(auto=True),
        shell_complete=completion.releases_or_auto,
        metavar="VERSION",
        default="auto",
        help=f"{what}; auto: what the log dir shows.",
    )


def kafka_version_of_text(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--kafka-version` of `dump`, which prints what one release would."""
    from kafkalog.core.release import NEWEST

    return click.option(
        "--kafka-version",
        "release",
        type=_KafkaVersion(auto=False),
        shell_complete=completion.releases,
        metavar="VERSION",
        default=NEWEST,
        show_default="the newest",
        help="The release whose text is printed.",
    )(command)


def fail_on(values: Sequence[str], default: str, meaning: str) -> Decorator:
    """`--fail-on`; `meaning` says what each value stands for."""
    return click.option("--fail-on", type=choice(values), default=default, help=meaning)


def exit_zero(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--exit-zero`."""
    return click.option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1.")(command)


def at(what: str, topic: str = "") -> Decorator:
    """`--at`, the end by default; `what` is shown of a `topic`."""
    from kafkalog.replay.until import END

    of_topic = f" of {topic}" if topic else ""
    return click.option(
        "--at",
        "until",
        type=OFFSET_OR_TIME,
        metavar="OFFSET|TIME",
        default=END,
        show_default="the end of the log",
        help=f"Show {what} after this offset{of_topic}, or at this time.",
    )


def now(what: str) -> Decorator:
    """`--now`, None for the clock; `what` says what it is for."""
    return click.option("--now", type=TIME, metavar="TIME", show_default="the clock", help=f"{what}.")


def time_option(name: str, meaning: str) -> Decorator:
    """An option with a time, None when it is not given."""
    return click.option(name, type=TIME, metavar="TIME", help=f"{meaning}.")


def record_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--offsets`, `--since`, `--until`, `--producer-id` and `--key`: which records are wanted."""
    since = time_option("--since", "Records of this time or later")
    until = time_option("--until", "Records before this time")
    of_producer = click.option("--producer-id", type=int, metavar="N", help="Records of this producer id.")
    of_key = click.option("--key", type=_Key(), metavar="TEXT", help="Records with this key; hex:… for bytes.")
    return _of_offsets(since(until(of_producer(of_key(command)))))


def batch_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--offsets`, `--since` and `--until`: which batches are wanted, as a whole."""
    since = time_option("--since", "Batches with a record of this time or later")
    until = time_option("--until", "Batches that begin before this time")
    return _of_offsets(since(until(command)))


def _of_offsets(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--offsets",
        type=_Offsets(),
        metavar="A:B",
        default=":",
        show_default="all",
        help="From A up to, but not including, B.",
    )(command)


def jobs(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--jobs`."""
    return click.option(
        "--jobs", type=_Jobs(), metavar="N", default="auto", show_default="as many as pay", help="Processes, or auto."
    )(command)


def assume_stop(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--assume-stop`."""
    return click.option(
        "--assume-stop",
        type=choice(["auto", "clean", "unclean"]),
        default="auto",
        help="How the broker stopped; auto: by the log dir's marker.",
    )(command)


def recovery_point(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--recovery-point`, None for `auto`."""
    return click.option(
        "--recovery-point",
        type=_RecoveryPoint(),
        metavar="OFFSET",
        default="auto",
        show_default="by the checkpoint",
        help="Offset up to which logs are flushed.",
    )(command)


def max_decompressed(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--max-decompressed`, which holds for all that the command reads."""
    return click.option(
        "--max-decompressed",
        type=click.IntRange(1),
        metavar="BYTES",
        default=DEFAULT_LIMIT,
        show_default="128 MiB",
        expose_value=False,
        callback=lambda _, __, value: MAX_DECOMPRESSED.set(value),
        help="Largest batch, unpacked.",
    )(command)


def max_spool(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--max-spool`, which holds for each archive and for standard input."""
    return click.option(
        "--max-spool",
        type=click.IntRange(1),
        metavar="BYTES",
        default=DEFAULT_SPOOL,
        expose_value=False,
        callback=lambda _, __, value: MAX_SPOOL.set(value),
        show_default="64 GiB",
        help="Largest temporary file.",
    )(command)


def aiven_key(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--aiven-key`, for objects in remote storage that Aiven's plug-in has encrypted."""
    return click.option(
        "--aiven-key",
        multiple=True,
        metavar="ID=FILE",
        expose_value=False,
        shell_complete=completion.files,
        callback=lambda _, __, values: _use_keys(values) if values else None,
        help="A private key (PEM) of Aiven's tiered storage.",
    )(command)


def _use_keys(values: tuple[str, ...]) -> None:
    from kafkalog.errors import RequestError
    from kafkalog.files.aiven import use_aiven_keys

    keys: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise RequestError(f"--aiven-key {value!r}: write ID=FILE, the id as encryption.key.pairs has it")
        keys[name] = path
    use_aiven_keys(keys)


def restraint(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--io-limit`, `--idle-io`, `--nice`, `--cache`: how gently files are read, by this process and its workers."""
    from kafkalog.files import restraint as gently

    limit = click.option(
        "--io-limit",
        type=click.FloatRange(0, min_open=True),
        metavar="MB/s",
        expose_value=False,
        callback=lambda _, __, value: gently.limit_rate(None if value is None else value * 1e6),
        help="Read at most this fast, all processes together.",
    )
    idle = click.option(
        "--idle-io",
        is_flag=True,
        expose_value=False,
        callback=lambda _, __, value: gently.idle_io() if value else None,
        help="Read only when the disk is idle (BFQ, mq-deadline).",
    )
    nice = click.option(
        "--nice",
        type=click.IntRange(0, 19),
        metavar="N",
        expose_value=False,
        callback=lambda _, __, value: gently.lower_priority(value) if value else None,
        help="Add N to the niceness.",
    )
    cache = click.option(
        "--cache",
        type=choice(["auto", "spare", "normal"]),
        metavar="MODE",
        default="auto",
        show_default="spare beside a running broker",
        expose_value=False,
        callback=lambda _, __, value: gently.set_cache({"auto": None, "spare": True, "normal": False}[value]),
        help="The page cache: spare leaves it as it is, normal does not.",
    )
    return limit(idle(nice(cache(command))))


class _As(ParamType):
    """`KIND[,base=N]`, what a file is read as."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> As:
        """The kind, and the base offset."""
        from kafkalog.errors import RequestError
        from kafkalog.files.intake import parse_as

        try:
            return parse_as(value) if isinstance(value, str) else value
        except RequestError as error:
            self.fail(str(error), param, ctx)


def read_as(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--as`; `named_paths` makes paths of it."""
    return click.option(
        "--as",
        "read_as",
        type=_As(),
        metavar="KIND[,base=N]",
        help="Read a file as log, index, …, whatever its name.",
    )(command)


def named_paths(paths: tuple[str, ...], read_as: As | None) -> tuple[str, ...]:
    """The paths under which files are read as something.

    Raises:
        UnreadableFile: one cannot be read, or is a directory.
    """
    if read_as is None:
        return paths
    from kafkalog.files.intake import named

    return tuple(named(path, read_as) for path in paths)
