"""Arguments of the library's functions: what is of the wrong type is refused in one sentence, before anything is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.errors import RequestError
from kafkalog.files.urls import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_type", "items_of", "path_of"]


def path_of(value: object) -> str:
    """The text of a path; of a URL what may be shown (`files.urls`).

    Raises:
        RequestError: it is none.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(text, str):
        return shown(text)
    if isinstance(text, bytes):
        raise RequestError(f"a path is a str or an os.PathLike, not bytes: os.fsdecode({text!r}) makes a str")
    raise RequestError(f"a path is a str or an os.PathLike, not {_kind_of(value)}")


def items_of(value: object, *single: type) -> list[object]:
    """One path, or what is in an iterable of several.

    Args:
        value: What the caller gave.
        single: Further types of which one is an item by itself.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(value, (str, bytes, os.PathLike, *single)):
        return [value]
    try:
        several: Iterable[object] = iter(value)  # type: ignore[call-overload]
    except TypeError:
        raise RequestError(f"give a path, or an iterable of paths, not {_kind_of(value)}") from None
    return list(several)


def check_type(name: str, value: object, *allowed: type | None) -> None:
    """Refuse a value that is of none of the types allowed; a bool is no int here.

    Raises:
        RequestError: it is.
    """
    is_flag_for_number = isinstance(value, bool) and bool not in allowed
    if (value is None and None in allowed) or (
        not is_flag_for_number and isinstance(value, tuple(kind for kind in allowed if kind is not None))
    ):
        return
    names = ["None" if kind is None else kind.__name__ for kind in allowed]
    raise RequestError(f"{name} is {' or '.join(names)}, not {_kind_of(value)}")


def _kind_of(value: object) -> str:
    return "None" if value is None else type(value).__name__
