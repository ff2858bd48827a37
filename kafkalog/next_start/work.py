"""Predictions worked out here or in other processes, in order, a few of them ahead."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.errors import WorkerLost
from kafkalog.files.bundles import Bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from kafkalog.files.bundles import Share
    from kafkalog.files.directory import Directory

__all__ = ["each"]

R = TypeVar("R")
#: Predictions that are begun before the first result is taken; there may be thousands, and each holds a directory.
_AHEAD = 256


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

    def result_of(one: tuple[Any, ...], share: Share[R]) -> R:
        try:
            return share.result()
        except WorkerLost:
            pass  # by which of the bundle, the next will tell
        try:
            return executor.submit(function, *one).result()
        except WorkerLost as error:
            return otherwise(*one, str(error))

    bundles = Bundles(executor, partial(_of_each, function))
    begun: deque[tuple[tuple[Any, ...], Share[R]]] = deque()
    for one in arguments:
        begun.append((one, bundles.add(one, one[0].size)))
        if len(begun) > _AHEAD:
            yield result_of(*begun.popleft())
    for one, share in begun:
        yield result_of(one, share)


def _of_each(function: Callable[..., R], arguments: Sequence[tuple[Any, ...]]) -> list[R]:
    return list(starmap(function, arguments))
