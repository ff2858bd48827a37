"""Small pieces of work handed to workers together: to hand one out by itself costs as much as to look at a small file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

__all__ = ["Bundles", "Share"]

T = TypeVar("T")
R = TypeVar("R")

#: Pieces of a bundle, at most.
_PIECES = 16
#: Bytes that are looked at for one, unless a single piece is larger: at the end no worker should wait long for another one.
_BYTES = 1 << 20


class Bundles(Generic[T, R]):
    """Bundles one after the other.

    Args:
        executor: Where the workers are.
        work: What they do with the pieces of a bundle: gives a result for each.
    """

    def __init__(self, executor: Executor, work: Callable[[Sequence[T]], list[R]]) -> None:
        self._executor = executor
        self._work = work
        self._open = _Bundle[T, R]()

    def add(self, piece: T, size: int) -> Share[R]:
        """Take a piece of work in; a bundle that is full is handed out, and one whose result is asked for.

        Args:
            piece: What a worker is given.
            size: Bytes that it looks at.
        """
        if self._open.pieces and self._open.size + size > _BYTES:
            self._send(self._open)
        bundle = self._open
        bundle.pieces.append(piece)
        bundle.size += size
        number = len(bundle.pieces) - 1
        if number + 1 == _PIECES or bundle.size >= _BYTES:
            self._send(bundle)
        return Share(lambda: self._send(bundle), number)

    def _send(self, bundle: _Bundle[T, R]) -> Future[list[R]]:
        if bundle.future is None:
            bundle.future = self._executor.submit(self._work, bundle.pieces)
            bundle.pieces = []
        if bundle is self._open:
            self._open = _Bundle()
        return bundle.future


class _Bundle(Generic[T, R]):
    def __init__(self) -> None:
        self.pieces: list[T] = []
        self.size = 0
        self.future: Future[list[R]] | None = None


class Share(Generic[R]):
    """A piece's place in a bundle."""

    def __init__(self, sent: Callable[[], Future[list[R]]], number: int) -> None:
        self._sent = sent
        self._number = number

    def result(self) -> R:
        """What the worker made of the piece.

        Raises:
            WorkerLost: it was lost over this piece, or over another one of the bundle.
        """
        return self._sent().result()[self._number]
