"""Worker processes that print ranges of one file in turn.

Results that travel back to one writer cost more than they save, so the workers are forked with stdout inherited: each
prepares every n-th range and writes it when the token, one byte that goes round a ring of pipes, reaches it.
"""

from __future__ import annotations

import os
import pickle
import selectors
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from kafkalog.cli.streams import CannotWrite, say
from kafkalog.files.workers import Lifeline, describe_end, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PrintedInTurn"]

#: First and last position of a range.
Piece = tuple[int, int]
S = TypeVar("S")

_NO_READER = 1
_CANNOT_WRITE = 74


class PrintedInTurn:
    """Prints by worker processes; `lost`: one of them ended while it printed, and what is missing is not known."""

    def __init__(self) -> None:
        self.lost = False

    def __call__(
        self, jobs: int, ranges: Callable[[], Iterable[Piece]], print_range: Callable[[Piece, Callable[[], bool]], S]
    ) -> list[S]:
        """Work on ranges in `jobs` forked processes; what they print comes out in the order of the ranges.

        Args:
            jobs: How many processes.
            ranges: Gives all ranges, the same ones in every process.
            print_range: Works on one range. Before it prints anything it calls what it is given beside the range, which
                waits for its turn and says whether it may print at all; it returns a summary that can be pickled.

        Returns:
            The summaries in the order of the ranges.

        Raises:
            BrokenPipeError: nobody reads the output any more.
            CannotWrite: the output does not take what is written.
        """
        ring = _Ring(jobs, ranges, print_range)
        statuses = ring.run()
        if statuses is None:
            self._print_the_rest(ring)
            return [ring.summaries[index] for index in sorted(ring.summaries)]
        if _CANNOT_WRITE in statuses:
            raise CannotWrite("see the state of where stdout goes")
        lost = [status for status in statuses if status not in (0, _NO_READER)]
        if lost:
            say(f"kafkalog: a worker process {describe_end(lost[0])}: one process prints what is left")
            self._print_the_rest(ring)
        elif any(statuses):
            raise BrokenPipeError
        return [ring.summaries[index] for index in sorted(ring.summaries)]

    def _print_the_rest(self, ring: _Ring[S]) -> None:
        for index, piece in enumerate(ring.ranges()):
            if index in ring.summaries:
                continue
            is_whole = index != ring.begun
            ring.summaries[index] = ring.print_range(piece, lambda is_whole=is_whole: is_whole)  # type: ignore[misc]
            if is_whole:
                continue
            self.lost = True
            os.write(sys.stdout.fileno(), b"\n")
            say(
                f"kafkalog: positions {piece[0]} to {piece[1]}: the worker ended while it printed them, so lines may be missing"
            )


class _Ring(Generic[S]):
    """One file's workers. `begun` is the range whose printing was begun last, `summaries` are of those that were printed."""

    def __init__(
        self, jobs: int, ranges: Callable[[], Iterable[Piece]], print_range: Callable[[Piece, Callable[[], bool]], S]
    ) -> None:
        self.jobs = jobs
        self.ranges = ranges
        self.print_range = print_range
        self.begun = -1
        self.summaries: dict[int, S] = {}

    def run(self) -> list[int] | None:
        """Let the workers print; gives the exit code of each, None where the system has no room for them."""
        tokens = [os.pipe() for _ in range(self.jobs)]
        reports = [os.pipe() for _ in range(self.jobs)]
        lifeline = Lifeline()
        children: list[int] = []
        try:
            for number in range(self.jobs):
                try:
                    children.append(lifeline.fork(lambda number=number: self._work(number, tokens, reports)))  # type: ignore[misc]
                except OSError:
                    lifeline.close()
                    for ends in (*tokens, *reports):
                        _close(*ends)
                    _wait(children)
                    return None
            os.write(tokens[0][1], b".")
            for ends in tokens:
                _close(*ends)
            for _, write_end in reports:
                os.close(write_end)
            self._listen([read_end for read_end, _ in reports])
        except BaseException:
            lifeline.close()
            _wait(children)
            raise
        statuses = _wait(children)
        lifeline.close()
        return statuses

    def _listen(self, reports: list[int]) -> None:
        with selectors.DefaultSelector() as selector:
            for read_end in reports:
                selector.register(read_end, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    message = receive(key.fd)
                    if message is None:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        continue
                    index, summary = pickle.loads(message)  # noqa: S301 - from our own child
                    if summary is None:
                        self.begun = index
                    else:
                        self.summaries[index] = summary

    def _work(self, number: int, tokens: list[Piece], reports: list[Piece]) -> int:
        """The life of a worker; gives its exit status."""
        mine, following, report = tokens[number][0], tokens[(number + 1) % self.jobs][1], reports[number][1]
        _close(*({end for ends in (*tokens, *reports) for end in ends} - {mine, following, report}))
        try:
            for index, piece in enumerate(self.ranges()):
                if index % self.jobs != number:
                    continue

                def turn(index: int = index) -> bool:
                    if not os.read(mine, 1):
                        raise BrokenPipeError  # the one before has gone
                    send(report, pickle.dumps((index, None)))
                    return True

                summary = self.print_range(piece, turn)
                send(report, pickle.dumps((index, summary)))
                os.write(following, b".")
            os.close(report)
            # The token of the last range must find a reader, or its writer would take this worker for gone.
            os.read(mine, 1)
        except BrokenPipeError:
            return _NO_READER
        except CannotWrite:
            return _CANNOT_WRITE
        return 0


def _wait(children: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
