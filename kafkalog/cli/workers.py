"""Worker processes that print ranges of one file in turn.

Results that travel back to one writer cost more than they save, so the workers are forked with stdout inherited: each
prepares every n-th range and writes it when the token, one byte that goes round a ring of pipes, reaches it.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["print_in_turn"]

R = TypeVar("R")
S = TypeVar("S")

_INTERRUPTED = 130


def print_in_turn(
    jobs: int, ranges: Callable[[], Iterable[R]], prepare: Callable[[R], tuple[Callable[[], None], S]]
) -> list[S]:
    """Work on ranges in `jobs` forked processes; what they print comes out in the order of the ranges.

    Args:
        jobs: How many processes.
        ranges: Gives all ranges, the same ones in every process.
        prepare: Works on one range: returns what prints it, and a summary that can be pickled.

    Returns:
        The summaries in the order of the ranges.

    Raises:
        BrokenPipeError: nobody reads the output any more.
        OSError: a worker could not be started, or died.
    """
    ring = [os.pipe() for _ in range(jobs)]
    results = [os.pipe() for _ in range(jobs)]
    children = []
    for number in range(jobs):
        child = os.fork()
        if child == 0:
            _work(number, ring, results, ranges, prepare)
        children.append(child)
    for _, write_end in (*ring[1:], *results):
        os.close(write_end)
    os.write(ring[0][1], b".")
    for read_end, _ in ring:
        os.close(read_end)
    os.close(ring[0][1])
    gathered = [_read_all(read_end) for read_end, _ in results]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if _INTERRUPTED in statuses:
        raise KeyboardInterrupt
    if any(statuses):
        if all(status in (0, 1) for status in statuses):
            raise BrokenPipeError
        raise OSError(f"worker processes ended with {statuses}")
    by_index: dict[int, S] = {}
    for data in gathered:
        by_index.update(pickle.loads(data))  # noqa: S301 - from our own child
    return [by_index[index] for index in sorted(by_index)]


def _work(number: int, ring: list[tuple[int, int]], results: list[tuple[int, int]], ranges: Any, prepare: Any) -> None:
    """The life of a worker; never returns."""
    try:
        jobs = len(ring)
        mine, following = ring[number][0], ring[(number + 1) % jobs][1]
        for worker, (read_end, write_end) in enumerate(ring):
            if read_end != mine:
                os.close(read_end)
            if write_end != following:
                os.close(write_end)
            os.close(results[worker][0])
            if worker != number:
                os.close(results[worker][1])
        summaries = {}
        for index, piece in enumerate(ranges()):
            if index % jobs != number:
                continue
            show, summary = prepare(piece)
            if not os.read(mine, 1):
                os._exit(1)  # the one before has gone
            show()
            os.write(following, b".")
            summaries[index] = summary
        with os.fdopen(results[number][1], "wb") as pipe:
            pickle.dump(summaries, pipe)
        # The token of the last range must find a reader, or its writer would take this worker for gone.
        os.read(mine, 1)
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
    except BrokenPipeError:
        os._exit(1)
    except BaseException:  # noqa: BLE001 - a traceback of a child would stand in the user's output
        os._exit(3)
    os._exit(0)


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()
