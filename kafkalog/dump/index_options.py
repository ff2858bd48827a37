"""The options of `dump` that concern indexes."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["IndexOptions"]


class IndexOptions(NamedTuple):
    """The options of the real tool that concern indexes."""

    verify_only: bool = False
    sanity_only: bool = False
    max_message_size: int = 5 * 1024 * 1024
