"""What people see: plain lines, or the picture on a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from kafkalog.render.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.render.items import Item

__all__ = ["plain"]


def plain(items: Iterable[Item], width: int | None = None) -> list[str]:
    """The lines, as they are piped; or fitted to a width."""
    stream = io.StringIO()
    Screen(stream, width).show(items)
    return stream.getvalue().splitlines()
