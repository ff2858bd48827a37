"""Worker processes: forked, and ended when the process that started them has gone, however it went; or threads instead.

What is lost with a worker is done again once, because the kernel may have ended it for want of memory.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import selectors
import signal
import struct
import threading
import time
import warnings
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from kafkalog.errors import WorkerLost
from kafkalog.files.cores import may_fork
from kafkalog.files.lent_workers import LentWorkers

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["Lifeline", "Workers", "describe_end", "pool", "receive", "send", "workers_or"]

R = TypeVar("R")

_LENGTH = struct.Struct(">Q")
#: What a pipe takes without a reader on every system (POSIX: at least 512 bytes; those that exist: 4 KiB).
_SURELY_TAKEN = 4096
#: Bytes that the pipe of requests is made to hold, where the system lets us: a worker has its next task at hand.
_REQUESTS = 1 << 18
#: How often a task is begun before it is given up.
_TRIES = 2
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
#: The exit status of a worker that was told to end.
_ENDED = 128 + signal.SIGTERM
#: Seconds in which such a worker may end the line that it writes.
_GRACE = 3.0


class _Threads(ThreadPoolExecutor):
    """Threads in which is set what is set where they are given work, as it is in worker processes."""

    def submit(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Have a function called in a thread."""
        return super().submit(copy_context().run, function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:  # noqa: FBT001, FBT002 - Executor's
        """End the threads; what they have not begun is not done."""
        super().shutdown(wait, cancel_futures=cancel_futures)


def pool(count: int) -> Executor:
    """An executor of so many worker processes, or of threads where these cannot be forked."""
    return Workers(count) if may_fork() else _Threads(count, "kafkalog-worker")


class Lifeline:
    """A pipe that only this process holds open for writing: its workers end when it closes, so also when this one is killed."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()

    def fork(self, work: Callable[[], int]) -> int:
        """Start a worker.

        Args:
            work: What the worker does; it ends with the status that this returns, without coming back.

        Returns:
            The worker's process id.

        Raises:
            OSError: the system has no room for another process.
        """
        # An exception that a signal's handler raises while the interpreter forks would be swallowed.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with warnings.catch_warnings():
                # Other threads may hold a lock for ever in the child; it takes none but those that the interpreter makes again.
                warnings.simplefilter("ignore", DeprecationWarning)
                worker = os.fork()
            if not worker:
                self._live(work, held)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return worker

    def _live(self, work: Callable[[], int], mask: set[int]) -> NoReturn:
        status = 1
        try:
            # A terminal sends these to all; the process that started the workers decides what becomes of them.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, _end)
            os.close(self._write_end)
            threading.Thread(target=self._end_with_it, daemon=True).start()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            status = work()
        except KeyboardInterrupt:
            status = _ENDED
        finally:
            os._exit(status)

    def _end_with_it(self) -> None:
        os.read(self._read_end, 1)
        os.kill(os.getpid(), signal.SIGTERM)  # so that a line which is being written is ended
        time.sleep(_GRACE)
        os._exit(_ENDED)

    def close(self) -> None:
        """Let the workers end; may be called again."""
        for end in (self._write_end, self._read_end):
            if end >= 0:
                os.close(end)
        self._read_end = self._write_end = -1


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it comes twice: from outside, and from the watcher
    raise KeyboardInterrupt


def describe_end(status: int) -> str:
    """How a worker ended, by its exit code as `os.waitstatus_to_exitcode` gives it."""
    if status == _ENDED:
        status = -signal.SIGTERM
    if status >= 0:
        return f"ended with status {status}"
    with suppress(ValueError):
        name = signal.Signals(-status).name
        return f"was ended by {name}" + (", as the kernel does when memory runs out" if -status == signal.SIGKILL else "")
    return f"was ended by signal {-status}"


class _Task(Future[R]):
    """What a worker is to do; waiting for its result drives the pool."""

    def __init__(self, pool: Workers, request: bytes) -> None:
        super().__init__()
        self.pool = pool
        self.request = request
        self.begun = 0

    def result(self, timeout: float | None = None) -> R:
        """What the function returned; its exception is raised. There is no `timeout`."""
        self.pool.run_until_done(self)
        return super().result(timeout)


class _Worker:
    """A process and the pipes to it; `tasks` were sent to it, the first of them it is at."""

    def __init__(self, lifeline: Lifeline, others: list[_Worker]) -> None:
        take, self.requests = os.pipe()
        self.results, give = os.pipe()
        self.tasks: deque[_Task[Any]] = deque()
        self._room = _room_of(self.requests)

        def work() -> int:
            for other in (*others, self):
                os.close(other.requests)
                os.close(other.results)
            return _serve(take, give)

        try:
            self.process = lifeline.fork(work)
        except OSError:
            os.close(self.requests)
            os.close(self.results)
            raise
        finally:
            os.close(take)
            os.close(give)

    def takes(self, request: bytes) -> bool:
        """Whether a request can be sent without waiting for the worker."""
        return not self.tasks or (len(self.tasks) == 1 and len(request) + _LENGTH.size <= self._room)

    def end(self) -> int:
        """Close the pipes, and wait for its end; gives its exit code."""
        os.close(self.requests)
        os.close(self.results)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def _room_of(pipe: int) -> int:
    """Bytes that a pipe surely takes without a reader."""
    try:
        # What is written in pieces may fill its pages in part.
        return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _REQUESTS) // 2
    except (AttributeError, OSError):  # another system, or too many pipes of one user
        return _SURELY_TAKEN


class Workers(Executor):
    """An executor of worker processes. It works while results are waited for, in the order they were asked for or another.

    Args:
        count: How many processes, at most; they are started when there is work.

    A function that is submitted and its arguments travel as pickles. A result raises `WorkerLost` when a process ended
    twice while it worked on it.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lifeline = Lifeline()
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task[Any]] = deque()

    def submit(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Have a function called in a worker."""
        task: _Task[R] = _Task(self, pickle.dumps((function, args, kwargs)))
        self._waiting.append(task)
        self._hand_out()
        return task

    def run_until_done(self, task: _Task[Any]) -> None:
        """Take results in and hand tasks out until one is done."""
        self._hand_out()
        while not task.done():
            self._take_in(None)
            self._hand_out()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - Executor's
        """End the workers; what they have not done is not done."""
        del wait, cancel_futures
        self._lifeline.close()
        while self._workers:
            self._workers.pop().end()
        self._selector.close()

    def _hand_out(self) -> None:
        if self._workers:
            self._take_in(0)
        while self._waiting:
            if self._waiting[0].cancelled():
                self._waiting.popleft()
                continue
            request = self._waiting[0].request
            worker = next((one for one in self._workers if not one.tasks), None)
            if worker is None and len(self._workers) < self._count:
                worker = self._start()
            worker = worker or next((one for one in self._workers if one.takes(request)), None)
            if worker is None and not self._workers:
                self._do_here(self._waiting.popleft())
                continue
            if worker is None:
                return
            worker.tasks.append(self._waiting.popleft())
            with suppress(BrokenPipeError):  # its end is seen where its results are read
                send(worker.requests, request)

    def _start(self) -> _Worker | None:
        try:
            worker = _Worker(self._lifeline, self._workers)
        except OSError:
            return None
        self._workers.append(worker)
        self._selector.register(worker.results, selectors.EVENT_READ, worker)
        return worker

    def _do_here(self, task: _Task[Any]) -> None:
        """Work where the system has no room for another process."""
        is_result, value = pickle.loads(_answer(task.request))  # noqa: S301 - made by this process
        task.set_result(value) if is_result else task.set_exception(value)

    def _take_in(self, timeout: float | None) -> None:
        settled: list[tuple[_Task[Any], bool, Any]] = []
        for key, _ in self._selector.select(timeout):
            worker = cast("_Worker", key.data)
            data = receive(worker.results)
            if data is None:
                settled += self._lose(worker)
                continue
            is_result, value = pickle.loads(data)  # noqa: S301 - from our own child
            settled.append((worker.tasks.popleft(), is_result, value))
        # What is called back with a result may take others in, and so find pipes empty that were not.
        for task, is_result, value in settled:
            if not task.cancelled():
                task.set_result(value) if is_result else task.set_exception(value)

    def _lose(self, worker: _Worker) -> list[tuple[_Task[Any], bool, Any]]:
        """A worker has ended: have its work done again, but for what has ended two; gives that."""
        self._selector.unregister(worker.results)
        self._workers.remove(worker)
        status = worker.end()
        given_up: list[tuple[_Task[Any], bool, Any]] = []
        if worker.tasks:
            worker.tasks[0].begun += 1
            if worker.tasks[0].begun == _TRIES:
                given_up = [(worker.tasks.popleft(), False, WorkerLost(describe_end(status)))]
        self._waiting.extendleft(reversed(worker.tasks))
        return given_up


def workers_or(executor: Executor | None, jobs: int) -> AbstractContextManager[Executor | None]:
    """Where to work: what the caller gave, which stays his; so many processes; None for this one."""
    if executor is not None:
        return nullcontext(LentWorkers(executor))
    return pool(jobs) if jobs > 1 else nullcontext()


def _serve(requests: int, results: int) -> int:
    """The life of a worker: does what it is sent, until there is nobody who would send more."""
    while (data := receive(requests)) is not None:
        try:
            send(results, _answer(data))
        except BrokenPipeError:
            break
    return 0


def _answer(request: bytes) -> bytes:
    """Whether a function has a result, and the result or what it raised."""
    function, args, kwargs = pickle.loads(request)  # noqa: S301 - from our own parent
    try:
        return pickle.dumps((True, function(*args, **kwargs)))
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        return pickle.dumps((False, error))


def send(descriptor: int, data: bytes) -> None:
    """Write a message into a pipe."""
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> bytes | None:
    """The next message out of a pipe; None when the other side ended before it was whole."""
    head = _read(descriptor, _LENGTH.size)
    return None if head is None else _read(descriptor, _LENGTH.unpack(head)[0])


def _read(descriptor: int, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = os.read(descriptor, min(size - len(data), 1 << 20))
        if not more:
            return None
        data += more
    return bytes(data)
