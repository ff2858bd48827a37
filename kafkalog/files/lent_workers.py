"""Workers that the caller lends (any executor): what they fail to do is done here, so that it costs time and no results."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.errors import KafkalogError
from kafkalog.files.mounted import TELL

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LentWorkers"]

R = TypeVar("R")


class LentWorkers(Executor):
    """An executor of the caller's, which stays his.

    A pool whose process was killed takes no more work; the scheduler of a cluster may go away, its workers may lack a package.
    What then has no result is done in this process, when its result is asked for.

    Args:
        executor: It.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._has_failed = False

    def submit(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Have a function called by it."""
        try:
            lent = None if self._has_failed else self._executor.submit(function, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - each library has its own for a pool that takes no more
            self.note(error)
            lent = None
        return _Lent(self, lent, lambda: function(*args, **kwargs))

    def note(self, error: Exception) -> None:
        """Say once that it has failed."""
        if not self._has_failed:
            self._has_failed = True
            tell = TELL.get()
            if tell is not None:
                why = ": ".join(filter(None, (type(error).__name__, str(error).partition("\n")[0])))
                tell(f"the workers have failed ({why}): what they have not done is done here, by one process")


class _Lent(Future[R]):
    """What was submitted to an executor; None: to none."""

    def __init__(self, workers: LentWorkers, lent: Future[R] | None, work: Callable[[], R]) -> None:
        super().__init__()
        self._workers = workers
        self._lent = lent
        self._work = work

    def result(self, timeout: float | None = None) -> R:
        """What the function returned; its own errors are raised."""
        if self._lent is not None:
            try:
                return self._lent.result(timeout)
            except KafkalogError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of the function's own is raised by the call below
                self._workers.note(error)
                self._lent = None
        return self._work()

    def cancel(self) -> bool:
        """Have it not done, where it has not begun."""
        return self._lent is not None and self._lent.cancel()

    def add_done_callback(self, function: Callable[[Future[R]], object]) -> None:
        """Call back when the executor has done it; what is done here calls nobody back."""
        if self._lent is not None:
            self._lent.add_done_callback(function)
