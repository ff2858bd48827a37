"""Paths as the caller gave them."""

from __future__ import annotations

import os

from kafkalog.files.mounted import exists
from kafkalog.files.urls import is_url

__all__ = ["has_gone", "join", "real_name", "real_path", "trim"]


def join(path: str, name: str) -> str:
    """A path below the path that the caller gave, in the caller's spelling."""
    return f"{path}/{name}" if path != "/" else f"/{name}"


def trim(path: str) -> str:
    """A path as the caller gave it, without trailing slashes."""
    return path if path.endswith("://") else path.rstrip("/") or path[:1]


def real_path(path: str) -> str:
    """A path as the system spells it, links followed; a URL as it is."""
    return path if is_url(path) else os.path.realpath(path)


def real_name(path: str) -> str:
    """The name of what a path leads to, links followed."""
    name = os.path.basename(path)
    # Only the last step counts, so that one question to the system is enough.
    return os.path.basename(os.path.realpath(path)) if name in ("", ".", "..") or os.path.islink(path) else name


def has_gone(path: str) -> bool:
    """Whether nothing is called so: of a path that was listed, that it was deleted or renamed since."""
    return not exists(path)
