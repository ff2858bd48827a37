"""Predictions worked out here or in other processes, in order, a few of them ahead."""

from __future__ import annotations

from collections import deque
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.errors import WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

__all__ = ["each"]

R = TypeVar("R")
#: Tasks that are begun before the first result is taken; there may be thousands, and each holds a directory.
_AHEAD = 64


def each(
    executor: Executor | None, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]], otherwise: Callable[..., R]
) -> Iterator[R]:
    """What a function makes of each tuple of arguments; of those whose worker was lost, `otherwise` with the reason.

    Args:
        executor: Where to work; None: here.
        function: The function.
        arguments: Its arguments, and those of `otherwise` before the reason.
        otherwise: What stands for a result that is not to be had.
    """
    if executor is None:
        yield from starmap(function, arguments)
        return
    begun: deque[tuple[tuple[Any, ...], Future[R]]] = deque()
    for one in arguments:
        begun.append((one, executor.submit(function, *one)))
        if len(begun) > _AHEAD:
            yield _result_of(*begun.popleft(), otherwise)
    for one, future in begun:
        yield _result_of(one, future, otherwise)


def _result_of(arguments: tuple[Any, ...], future: Future[R], otherwise: Callable[..., R]) -> R:
    try:
        return future.result()
    except WorkerLost as error:
        return otherwise(*arguments, str(error))
