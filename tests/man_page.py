r"""The man page, made from the help of all commands: `docs/kafkalog.1`.

`python -m tests.generate_docs` writes it with the other pages.
"""

from __future__ import annotations

import inspect
import pathlib
from itertools import groupby
from typing import TYPE_CHECKING

import click

from kafkalog import __version__
from kafkalog.cli.command import COMMANDS, VALUES, Command, command_of, names_of, sections_of, text_of
from kafkalog.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PATH", "man_page"]

PATH = pathlib.Path(__file__).resolve().parent.parent / "docs" / "kafkalog.1"
_ENVIRONMENT = {
    "NO_COLOR": "Nothing is coloured.",
    "FORCE_COLOR": "Text is coloured also where it does not go to a terminal.",
    "KAFKALOG_TRACEBACK": "An internal error shows where it came from.",
}
_STATUSES = {
    "0": "Nothing to report; of dump: everything was printed.",
    "1": "Findings; of dump: the real tool would fail, or a PATH is missing.",
    "2": "The command line makes no sense.",
    "3": "Something could not be read or judged; a PATH is missing (but see dump).",
    "4": "An internal error.",
    "130": "Interrupted; 128 and the number of the signal for others.",
}


def man_page() -> str:
    """The page, for `man`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Made by python -m tests.generate_docs from the help of the commands.'
    yield f'.TH KAFKALOG 1 "" "kafkalog {__version__}" "User Commands"'
    yield ".nh"
    yield from (".SH NAME", r"kafkalog \- forensics of Kafka's log segments: offline, read-only, without a JVM")
    yield ".SH SYNOPSIS"
    for name in COMMANDS:
        yield from (".B " + _escaped(f"kafkalog {name}"), _escaped(_usage(name)), ".br")
    yield ".SH DESCRIPTION"
    yield _escaped(inspect.cleandoc(main.help or ""))
    yield "Nothing that is examined is ever written to."
    for wish, rows in groupby(COMMANDS, key=lambda name: COMMANDS[name][1]):
        yield ".PP"
        yield f"{wish}: " + ", ".join(f"\\fB{_escaped(name)}\\fR" for name in rows) + "."
    yield ".SH COMMANDS"
    for name in COMMANDS:
        yield from _command(name)
    yield ".SH VALUES"
    yield from _terms(VALUES)
    yield ".SH EXIT STATUS"
    yield from _terms(_STATUSES)
    yield ".SH ENVIRONMENT"
    yield from _terms(_ENVIRONMENT)


def _usage(name: str) -> str:
    command = command_of(name)
    return " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))


def _command(name: str) -> Iterator[str]:
    command = command_of(name)
    assert isinstance(command, Command)
    yield f".SS {_escaped(name)}"
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        yield from ((".PP",) if number else ())
        yield _escaped(" ".join(paragraph.split()))
    yield from (".PP", "Examples:", ".RS", ".nf")
    for words, purpose in command.examples:
        line = f"kafkalog {name} {words}".rstrip()
        yield _escaped(f"{line}  # {purpose}")
    yield from (".fi", ".RE")
    for heading, options in sections_of(command).items():
        yield from (".PP", f"{_escaped(heading)}:")
        for text, alike in groupby(options, key=text_of):
            yield ".TP"
            yield ".B " + _escaped(", ".join(map(names_of, alike)))
            yield _escaped(text)


def _terms(rows: dict[str, str]) -> Iterator[str]:
    for name, meaning in rows.items():
        yield from (".TP", f".B {_escaped(name)}", _escaped(meaning))


def _escaped(text: str) -> str:
    """Text as roff prints it: no escapes, no requests, a minus for a hyphen."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text
