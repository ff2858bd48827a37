"""Command lines to paste into a shell: the one place where they are made.

Names in them come from directories and records, so they may hold anything: every word is quoted, the line holds no control
character, and what Kafka would not take, or a shell would not, is said beside it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "COMPARES",
    "FINDS_DELETED",
    "GIVES_EVERYTHING",
    "GIVES_METADATA",
    "KEEPS_SOUND",
    "Command",
    "carve_command",
    "command",
    "command_on",
    "diff_command",
    "quoted",
    "salvage_command",
]

#: Commands that print every record that can be read; without both options a dump ends early, or prints batches only.
GIVES_EVERYTHING = "`kafkalog dump --read-on --print-data-log`"
GIVES_METADATA = "`kafkalog dump --read-on --cluster-metadata-decoder`"
#: Commands that rescue records, where it is not known from what; below with paths.
KEEPS_SOUND = "`kafkalog salvage -o NEWDIR THIS`"
COMPARES = "`kafkalog diff THIS OTHER`"
FINDS_DELETED = "`kafkalog carve -o NEWDIR IMAGE`"

# Topic.validate, Kafka 0.11 to 4.4.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)


class Command(NamedTuple):
    """A command to paste: `line` is one line, `use` says which brokers it is for ("": all), `notes` what is odd about it."""

    line: str
    use: str = ""
    notes: tuple[str, ...] = ()


def quoted(word: str) -> str:
    r"""A word as a shell reads it: bare where it may be, else between quotes.

    Control characters, and bytes that are no UTF-8, are written as bash, ksh and zsh know them, between `$'` and `'`. No
    quote stands inside, so that a shell which does not know them runs nothing of it either.

    >>> quoted("orders"), quoted("a;b"), quoted("a\nb")
    ('orders', "'a;b'", "$'a\\012b'")
    """
    if all(char.isprintable() for char in word):
        return shlex.quote(word)
    return f"$'{''.join(_escaped(char) for char in word)}'"


def _escaped(char: str) -> str:
    if char.isprintable() and char not in "'\\":
        return char
    errors = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", errors))


def command(words: Iterable[str], options: Mapping[str, str | int], use: str = "") -> Command:
    """A command with its options.

    Args:
        words: The program and what stands before the options, which is ours.
        options: Values by the name of their option. What may be in those of `--topic`, `--group` and `--transactional-id`
            is looked at.
        use: Which brokers it is for.
    """
    parts = [*words]
    notes: list[str] = []
    for name, given in options.items():
        value = str(given)
        if "\0" in value:
            placeholder = name.strip("-").upper()
            notes.append(f"{placeholder} is in the place of {quoted(value)}: no command line can carry a NUL character")
            value = placeholder
        elif name in _DOUBTS:
            notes += _DOUBTS[name](value)
        # A value that looks like an option is not taken for the value of the one before it.
        parts += [quoted(f"{name}={value}")] if value.startswith("-") else [name, quoted(value)]
    line = " ".join(parts)
    if "$'" in line and not all(char.isprintable() for value in options.values() for char in str(value)):
        notes.append("$'…' is read by bash, ksh and zsh, not by every sh")
    return Command(line, use, tuple(notes))


def command_on(words: Iterable[str], path: str) -> Command:
    """A command about a path.

    >>> command_on(("kafkalog", "verify"), "-/orders-0").line, command_on(("kafkalog", "verify"), "-old").line
    ('kafkalog verify -- -/orders-0 < FILE', 'kafkalog verify ./-old')

    Args:
        words: The program and what stands before the path, which is ours.
        path: Printed as given; one that begins with `-` would be taken for an option. `-` is standard input, which the command
            has to be given again.
    """
    if path == "-" or path.startswith("-/"):
        return Command(f"{' '.join(words)} -- {quoted(path)} < FILE", notes=("FILE is what was standard input",))
    return command((*words, quoted(f"./{path}" if path.startswith("-") else path)), {})


def salvage_command(path: str, *replicas: str, unflips: bool = False, first: int | None = None) -> Command:
    """What writes the sound batches of a partition directory into a new one.

    >>> salvage_command("/kafka/data/orders-0", "b2/orders-0").line
    'kafkalog salvage -o NEWDIR --replica b2/orders-0 /kafka/data/orders-0'

    Args:
        path: The directory, or a `.log`.
        replicas: Further copies, from which it is to take what the first has lost.
        unflips: Whether batches with one flipped bit are wanted, too, with that bit set back.
        first: Only batches with this offset or later ones; None: all.
    """
    options = [f"--replica={quoted(one)}" if one.startswith("-") else f"--replica {quoted(one)}" for one in replicas]
    options += ["--unflip"] if unflips else []
    options += [] if first is None else ["--offsets", f"{first}:"]
    return command_on(("kafkalog", "salvage", "-o", "NEWDIR", *options), path)


def diff_command(path: str, other: str = "OTHER") -> Command:
    """What says where two replicas differ.

    >>> diff_command("/kafka/data/orders-0").line, diff_command("-1/orders-0", "b 2/orders-0").line
    ('kafkalog diff /kafka/data/orders-0 OTHER', "kafkalog diff ./-1/orders-0 'b 2/orders-0'")

    Args:
        path: The directory of the one.
        other: That of the other.
    """
    return command_on(("kafkalog", "diff", quoted(f"./{path}" if path.startswith("-") else path)), other)


def carve_command(live: str) -> Command:
    """What finds deleted batches in the image of a disk.

    Args:
        live: The log dir, or a directory in it, that is still on the disk, and whose batches are not wanted.
    """
    option = f"--live={quoted(live)}" if live.startswith("-") else f"--live {quoted(live)}"
    return command(("kafkalog", "carve", "-o", "NEWDIR", option, "IMAGE"), {})


def _topic_doubts(name: str) -> list[str]:
    if _TOPIC.fullmatch(name) and name not in (".", ".."):
        return []
    allowed = "1 to 249 ASCII letters, digits, '.', '_' and '-'; not '.' or '..'"
    return [f"Kafka allows no topic of the name {quoted(name)} ({allowed}): put in what the topic is really called"]


def _empty_doubts(what: str) -> Callable[[str], list[str]]:
    return lambda name: [] if name else [f"Kafka allows no empty {what} here"]


_DOUBTS: dict[str, Callable[[str], list[str]]] = {
    "--topic": _topic_doubts,
    "--group": _empty_doubts("group id"),
    "--transactional-id": _empty_doubts("transactional id"),
}
