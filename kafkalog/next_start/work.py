"""Predictions worked out here or in other processes, in order, a few of them ahead."""

from __future__ import annotations

from collections import deque
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.errors import WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future

    from kafkalog.files.directory import Directory

__all__ = ["each"]

R = TypeVar("R")
#: Directories that are begun before the first result is taken; there may be thousands.
_AHEAD = 128
#: How many directories a worker is sent together, at most, and bytes of their files: sending one costs as much as a small one.
_TOGETHER, _TOGETHER_BYTES = 16, 1 << 20


def each(
    executor: Executor | None,
    function: Callable[..., R],
    arguments: Iterable[tuple[Directory, *tuple[Any, ...]]],
    otherwise: Callable[..., R],
) -> Iterator[R]:
    """What a function makes of each directory; of those whose worker was lost, `otherwise` with the reason.

    Args:
        executor: Where to work; None: here.
        function: The function.
        arguments: Each time a directory and the others of its arguments, which are those of `otherwise` before the reason.
        otherwise: What stands for a result that is not to be had.
    """
    if executor is None:
        yield from starmap(function, arguments)
        return
    begun: deque[tuple[_Group, Future[list[R]]]] = deque()
    for group in _groups(arguments):
        begun.append((group, executor.submit(_of_all, function, group)))
        while sum(len(one) for one, _ in begun) > _AHEAD:
            yield from _results(executor, function, *begun.popleft(), otherwise)
    for group, future in begun:
        yield from _results(executor, function, group, future, otherwise)


_Group = list[tuple["Directory", *tuple[Any, ...]]]


def _groups(arguments: Iterable[tuple[Directory, *tuple[Any, ...]]]) -> Iterator[_Group]:
    """The arguments, small directories together."""
    group: _Group = []
    size = 0
    for one in arguments:
        own = one[0].size
        if group and (len(group) == _TOGETHER or size + own > _TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += own
    if group:
        yield group


def _of_all(function: Callable[..., R], group: _Group) -> list[R]:
    return list(starmap(function, group))


def _results(
    executor: Executor, function: Callable[..., R], group: _Group, future: Future[list[R]], otherwise: Callable[..., R]
) -> Sequence[R]:
    """Those of a group; where its worker was lost each is tried by itself, to see over which."""
    try:
        return future.result()
    except WorkerLost as error:
        if len(group) == 1:
            return [otherwise(*group[0], str(error))]
    alone = [[one] for one in group]
    begun = [executor.submit(_of_all, function, one) for one in alone]
    return [
        result
        for one, other in zip(alone, begun, strict=True)
        for result in _results(executor, function, one, other, otherwise)
    ]
