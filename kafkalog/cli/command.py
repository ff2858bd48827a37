"""A command whose help fits on a screen: what it is for, examples, its options by what one wants of them."""

from __future__ import annotations

from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from kafkalog.core.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ALL", "COMMANDS", "VALUES", "Command", "command_of", "names_of", "sections_of", "text_of"]

#: Sub-command → (module under kafkalog.cli that holds a click command called `command`, what one wants, its line in the help).
COMMANDS = {
    "info": ("info", "Look", "Show what is in a log dir, a partition or a segment."),
    "show": ("show", "Look", "Show one place of a file, byte by byte."),
    "dump": ("dump", "Look", "Print log files as Kafka's DumpLogSegments would."),
    "export": ("export", "Look", "Write records and more to Parquet, Arrow, CSV or JSON lines."),
    "verify": ("verify", "Check", "Check files, partition directories and log dirs."),
    "report": ("report", "Check", "Write what verify finds as one HTML page."),
    "merge": ("merge", "Check", "Make one report of what verify found on many hosts."),
    "next-start": ("next_start", "Foretell", "Show what the next start of a broker will do."),
    "salvage": ("salvage", "Rescue", "Write what is sound of damaged logs into a new directory."),
    "diff": ("diff", "Rescue", "Show where replicas differ, and what a follower would throw away."),
    "carve": ("carve", "Rescue", "Find batches in images of disks, and write them as logs."),
    "timeline": ("timeline", "Understand", "List what happened when, over any number of brokers."),
    "groups": ("groups", "Understand", "Show groups, their members and committed offsets."),
    "transactions": ("transactions", "Understand", "Show transactional ids; open, hanging and aborted transactions."),
    "metadata": ("metadata", "Understand", "Show the cluster's metadata: topics, partitions, brokers, settings."),
    "rules": ("rules", "Understand", "List and explain what verify looks for."),
}

#: In the context of a command whose help shows all of it.
ALL = "kafkalog.help.all"
_KNOWN, _BESIDE, _MANY = "What is known from elsewhere", "Beside a running broker", "Of many partitions"
#: Sections of which the help names the options alone, after all others, so that it fits on a screen.
_IN_SHORT = (_KNOWN, _BESIDE, _MANY)
#: Where options that several commands take stand in the help.
_SHARED_SECTIONS: dict[str, tuple[str, ...]] = {
    "What is assumed": ("kafka_version", "assume_stop", "recovery_point", "now"),
    _KNOWN: ("max_message_bytes", "partition_states", "aiven_key"),
    _MANY: ("topics", "exclude", "since_mtime", "sample", "only", "max_partitions", "resume", "digests", "dask"),
    _BESIDE: ("io_limit", "idle_io", "nice", "cache"),
    "Output": ("output_format", "quiet", "verbose", "color", "fail_on", "exit_zero", "jobs", "max_decompressed", "max_spool"),
}
#: What a word in the place of a value means, in every command.
VALUES = {
    "TIME": "ISO 8601 (2024-05-01T12:00Z), or @ and epoch milliseconds.",
    "VERSION": "a release of Kafka, X.Y.Z, or X.Y for its last patch.",
}
#: Columns in which the names of options stand.
_NAMES = 26


class Command(click.Command):
    """A command of kafkalog.

    Args:
        examples: Command lines without the `kafkalog COMMAND` that each begins with, and what each is for.
        sections: Heading → parameters, before those that all commands share.
    """

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[tuple[str, str]] = (),
        sections: Mapping[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.examples = tuple(examples)
        self.sections = dict(sections or {})

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The whole page."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self._format_examples(ctx, formatter)
        self.format_options(ctx, formatter)
        self._format_values(ctx, formatter)
        self.format_epilog(ctx, formatter)

    def _format_examples(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = [(f"{ctx.command_path} {words}".rstrip(), purpose) for words, purpose in self.examples]
        if not lines:
            return
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        width = max(len(line) for line, _ in lines)
        for line, purpose in lines:
            formatter.write(f"  {line:{width}}  # {purpose}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, section by section; those with the same help on one line."""
        formatter.write_paragraph()
        sections = sections_of(self)
        in_short = {} if ctx.meta.get(ALL) else {heading: sections.pop(heading) for heading in _IN_SHORT if heading in sections}
        for heading, options in sections.items():
            formatter.write(f"{heading}:\n")
            for text, alike in groupby(options, key=text_of):
                names = ", ".join(names_of(option) for option in alike)
                _write_option(formatter, names, text)
        if in_short:
            formatter.write("Explained by `kafkalog help --all` before the name of the command:\n")
        for options in in_short.values():
            names = ", ".join(map(names_of, options))
            formatter.write("\n".join(_wrapped(names, formatter.width, "  ", "  ")) + "\n")

    def _format_values(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        used = {_metavar_of(option) for option in self.get_params(ctx) if isinstance(option, click.Option)}
        formatter.write_paragraph()
        for word, meaning in VALUES.items():
            if any(word in metavar.split("|") for metavar in used):
                formatter.write_text(f"{word}: {meaning}")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as usual; an option that is not there is answered with the one that was meant, or with who has it."""
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption as error:
            raise _better(error, self, ctx, args) from None


def command_of(name: str) -> click.Command:
    """The command of a name, imported now."""
    command = import_module(f"kafkalog.cli.{COMMANDS[name][0]}").command
    assert isinstance(command, click.Command)
    return command


def sections_of(command: Command) -> dict[str, list[click.Option]]:
    """The options of a command by the sections of its help."""
    options = {one.name: one for one in command.params if isinstance(one, click.Option) and not one.hidden}
    found: dict[str, list[click.Option]] = {}
    for heading, names in (*command.sections.items(), *_SHARED_SECTIONS.items()):
        own = [options.pop(name) for name in names if name in options]
        if own:
            found[heading] = found.get(heading, []) + own
    if options:
        found["Further options"] = list(options.values())
    return found


def names_of(option: click.Option) -> str:
    """`-q, --quiet`, `--jobs N`."""
    names = sorted(option.opts, key=len) + option.secondary_opts
    separator = "/" if option.secondary_opts else ", "
    return separator.join(names) + ("" if option.is_flag or option.count else f" {_metavar_of(option)}")


def _metavar_of(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.type.name.upper()


def _default_of(option: click.Option) -> str:
    """What an option is when it is not given, in words; "" when that is nothing."""
    if isinstance(option.show_default, str):
        return option.show_default
    if option.secondary_opts and isinstance(option.default, bool):
        return (option.opts if option.default else option.secondary_opts)[0]
    if option.is_flag or option.count or option.multiple or not isinstance(option.default, (str, int)):
        return ""
    return str(option.default)


def text_of(option: click.Option) -> str:
    """What an option does, and what it is when it is not given."""
    default = _default_of(option)
    return (option.help or "") + (f" [default: {default}]" if default else "")


def _write_option(formatter: click.HelpFormatter, names: str, text: str) -> None:
    indent = " " * (_NAMES + 2)
    lines = _wrapped(text, formatter.width, indent, indent)
    if len(names) <= _NAMES - 2 and lines:
        lines[0] = f"  {names:{_NAMES - 2}}  " + lines[0].lstrip()
    else:
        lines[:0] = _wrapped(names, formatter.width, "  ", "  ")
    formatter.write("\n".join(lines) + "\n")


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _better(error: click.NoSuchOption, command: click.Command, ctx: click.Context, words: Sequence[str]) -> click.UsageError:
    """The same with what was meant: `-jobs` for `--jobs`, a name that is like it, or the command that has it."""
    own = set(_long_names(command))
    for word in words:
        name = word.partition("=")[0]
        if not name.startswith("--") and f"-{name}" in own:
            return click.UsageError(f"No such option: {name}. Did you mean -{name}?", ctx)
    name = error.option_name
    if not name.startswith("--"):
        return click.UsageError(f"No such option: {name}.", ctx)
    guess = did_you_mean(name, own)
    others = [other for other in COMMANDS if other != command.name and name in _long_names(command_of(other))]
    whose = f" {' and '.join(f'`kafkalog {other}`' for other in others)} {'has' if len(others) == 1 else 'have'} it."
    return click.UsageError(f"No such option: {name}.{whose if others else guess}", ctx)


def _long_names(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield from (name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--"))
