"""Stdout and stderr: everything that a command prints goes through here, and what cannot be written is one kind of error."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from kafkalog.core.printable import printable, printable_json
from kafkalog.errors import KafkalogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.render.items import Item

__all__ = ["CannotWrite", "say", "show", "take_streams", "write_bytes", "write_json_bytes", "write_json_lines"]

#: Bytes written at once, more than `dump.output.Output` hands on.
_AT_ONCE = 1 << 20


class CannotWrite(KafkalogError):
    """Stdout does not take what is written to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot write the output: {reason}")


def _refusal(error: OSError) -> Exception:
    """What to raise when the system refuses to write; a reader that has gone stays a `BrokenPipeError`."""
    from kafkalog.files.source import describe_os_error

    return error if isinstance(error, BrokenPipeError) else CannotWrite(describe_os_error(error))


class _Stdout(io.TextIOWrapper):
    """Text for stdout."""

    def write(self, text: str, /) -> int:
        """Write text."""
        try:
            return super().write(text)
        except OSError as error:
            raise _refusal(error) from None

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            super().flush()
        except OSError as error:
            raise _refusal(error) from None


def take_streams() -> None:
    """Make both streams UTF-8 whatever the locale; names that are not UTF-8 go out as they came in."""
    # Where the caller has closed one its number must be taken, or the first file opened would get it.
    if sys.stdout is None or sys.stderr is None:
        from kafkalog.files.source import nowhere

        sys.stdout, sys.stderr = sys.stdout or nowhere(), sys.stderr or nowhere()
    # A class of its own, as a test's that keeps what is written, needs its own buffer.
    if type(sys.stdout) is io.TextIOWrapper:
        lines, through = sys.stdout.line_buffering, sys.stdout.write_through
        sys.stdout = _Stdout(
            sys.stdout.detach(), encoding="utf-8", errors="surrogateescape", line_buffering=lines, write_through=through
        )
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


#: Says it above a line of progress, while there is one.
say_beside: Callable[[str], None] | None = None


def show(items: Iterable[Item], color: str) -> None:
    """Print text for people to stdout.

    Args:
        items: The text.
        color: `auto`, `always` or `never`.
    """
    from kafkalog.render.screen import Screen

    Screen.of(sys.stdout, color).show(items)


def say(line: str) -> None:
    """Write one line to stderr, whatever its paths hold."""
    with contextlib.suppress(OSError, ValueError):
        if say_beside is not None:
            say_beside(printable(line))
            return
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()


def write_json_lines(lines: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines to stdout; in ASCII, so that names that are no text survive."""
    import json

    for line in lines:
        sys.stdout.write(printable_json(json.dumps(line)) + "\n")


@cache
def _bytes_to(descriptor: int) -> io.BufferedWriter:
    """A stream that knows to the byte what is written also when a signal interrupts it; `os.write` cannot tell then."""
    return io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False), _AT_ONCE)


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout at once; interrupted, it still ends the line.

    Raises:
        BrokenPipeError: nobody reads the output any more.
        CannotWrite: the output does not take them.
    """
    stream = _bytes_to(sys.stdout.fileno())
    view = memoryview(data)
    piece = view[:0]
    try:
        for at in range(0, len(data), _AT_ONCE):
            piece = view[at : at + _AT_ONCE]
            stream.write(piece)
            _flush(stream)
    except KeyboardInterrupt:
        _flush(stream)
        if bytes(piece[-1:]) != b"\n":
            stream.write(b"\n")
            _flush(stream)
        raise
    except OSError as error:
        raise _refusal(error) from None


def write_json_bytes(data: bytes) -> None:
    """Write JSON lines in UTF-8 to a terminal, as for `write_bytes`."""
    write_bytes(printable_json(data.decode("utf-8", "surrogateescape")).encode())


def _flush(stream: io.BufferedWriter) -> None:
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            import select

            select.select([], [stream], [])
