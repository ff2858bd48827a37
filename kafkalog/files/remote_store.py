"""What is asked of a store of files that are not on this machine, and how it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CUT_OFF", "Changed", "Failed", "Found", "Listed", "Refused", "Store", "is_another", "whole"]

#: Why there are fewer bytes than were asked for.
CUT_OFF = "its answer was cut off"


class Found(NamedTuple):
    """An object: its key, its size, when it was written, and what tells this version from others (an ETag, mostly).

    `version` is None where the store tells nothing of the kind, or where that which it told is not to be trusted.
    """

    key: str
    size: int
    modified_ns: int
    version: str | None


def is_another(now: Found, before: Found) -> bool:
    """Whether an object is not the one that was found before."""
    return now.size != before.size or (before.version is not None and now.version != before.version)


class Listed(NamedTuple):
    """The objects of a folder, and the names of the folders in it."""

    objects: list[Found]
    folders: list[str]


class Changed(Exception):
    """The object is not the one that was found. `size` is its size now; None: the store did not tell."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        super().__init__(size)


class Refused(Exception):
    """It will not work, however often it is asked for. `reason`: why, in a few words, without anything secret."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Failed(Refused):
    """It did not work; it may the next time."""


def whole(data: memoryview, size: int) -> memoryview:
    """What a store answered, if these are all bytes that it was asked for.

    Raises:
        Failed: they are not.
    """
    if len(data) != size:
        raise Failed(CUT_OFF)
    return data


class Store(Protocol):
    """A store of objects. Every call is a request, or a few; keys have no slash at either end.

    All of them raise `FileNotFoundError`, `PermissionError`, `Refused` and `Failed`.
    """

    #: Whether it can say what is in a folder.
    can_list: bool

    def walk(self, key: str) -> Iterator[list[Found]]:
        """All objects below a folder, a request's worth at a time."""
        ...

    def listed(self, key: str) -> Listed:
        """What is in a folder."""
        ...

    def look(self, key: str) -> Found:
        """An object that is known by its key only."""
        ...

    def get(self, found: Found, begin: int, end: int) -> tuple[memoryview, str | None]:
        """Bytes of an object, and its version by this answer.

        Raises:
            Changed: it is another object than the one that was found.
        """
        ...
