"""Where a dump goes: lines for stdout, lines for stderr, and what happens when the real tool would have died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.dump.tool_died import ToolDied

__all__ = ["HeldOutput", "Output", "TerminalOutput"]

_FIRST_FLUSH = 1 << 12
_MOST_KEPT = 1 << 18
#: Bytes that are held until it is their turn.
_MOST_HELD = 8 << 20


class Output:
    """Collects what is printed and hands it on in large pieces.

    Args:
        write: Takes bytes for stdout.
        say: Takes a line for stderr, without the line break.
    """

    #: Whether lines may be put as a whole, or several at once.
    takes_lines = True

    def __init__(
        self,
        write: Callable[[bytes], object],
        say: Callable[[str], object],
    ) -> None:
        self._write = write
        self._say = say
        self._parts: list[bytes] = []
        self._size = 0
        # Small at first, so that the first lines come at once.
        self._keep = _FIRST_FLUSH
        self._last = b"\n"
        self.died = False

    def line(self, text: str) -> None:
        """A line for stdout."""
        self.put(text.encode("utf-8", "surrogateescape") + b"\n")

    def piece(self, text: str) -> None:
        """Part of a line for stdout."""
        self.put(text.encode("utf-8", "surrogateescape"))

    def put(self, data: bytes) -> None:
        """Bytes for stdout."""
        self._parts.append(data)
        self._size += len(data)
        if self._size >= self._keep:
            self.flush()
            self._keep = min(self._keep * 4, _MOST_KEPT)

    def put_all(self, data: bytes | Iterator[bytes]) -> None:
        """Bytes for stdout, or pieces of them."""
        if isinstance(data, bytes):
            self.put(data)
            return
        for piece in data:
            self.put(piece)

    def flush(self) -> None:
        """Hand on what was collected."""
        if self._parts:
            self._last = self._parts[-1][-1:] or self._last
            self._write(b"".join(self._parts))
            self._parts.clear()
            self._size = 0

    @property
    def _line_is_open(self) -> bool:
        for part in reversed(self._parts):
            if part:
                return not part.endswith(b"\n")
        return self._last != b"\n"

    def say(self, text: str) -> None:
        """A line for stderr, after everything printed so far."""
        self.flush()
        self._say(text)

    def die(self, path: str, death: ToolDied) -> None:
        """End the line that is open, and report where and why the real tool would have ended."""
        if self._line_is_open:
            self.put(b"\n")
        self.died = True
        place = "" if death.position is None else f"position {death.position}: "
        self.say(f"kafkalog: {path}: {place}{death.reason}")


class TerminalOutput(Output):
    """The same for a terminal: names, keys and values do nothing to it, and none of them begins a line of its own."""

    takes_lines = False

    def line(self, text: str) -> None:
        """A line for stdout."""
        self.piece(text)
        self.put(b"\n")

    def put(self, data: bytes) -> None:
        """Bytes of a line, or its end."""
        super().put(data if data == b"\n" else printable(data.decode("utf-8", "surrogateescape")).encode())


class HeldOutput:
    """Holds what is printed until it is its turn, or until it is too much to be held: then it waits for its turn.

    Args:
        output: Where it goes then.
        turn: Waits for the turn; says whether anything may be printed.
    """

    def __init__(self, output: Output, turn: Callable[[], bool]) -> None:
        self._output, self._turn = output, turn
        self._held: list[Callable[[], object]] = []
        self._size = 0
        self._may_print: bool | None = None

    def put(self, data: bytes) -> None:
        """Bytes for stdout."""
        self._do(lambda: self._output.put(data), len(data))

    def say(self, line: str) -> None:
        """A line for stderr."""
        self._do(lambda: self._output.say(line), len(line))

    def _do(self, event: Callable[[], object], size: int) -> None:
        if self._may_print is None:
            self._held.append(event)
            self._size += size
            if self._size > _MOST_HELD:
                self.release()
        elif self._may_print:
            event()

    def release(self) -> None:
        """Wait for the turn, unless it has come, and hand on what is held."""
        if self._may_print is None:
            self._may_print = self._turn()
            for event in self._held if self._may_print else ():
                event()
            self._held.clear()
