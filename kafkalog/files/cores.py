"""How many processes are worth while, and whether there can be any."""

from __future__ import annotations

import os

__all__ = ["cores", "forbid_forks", "may_fork"]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


#: Something is in use that a fork does not survive.
_in_threads: list[bool] = []


def forbid_forks() -> None:
    """From now on work in threads, for something is in use that does not survive a fork: a client with threads of its own."""
    _in_threads[:] = [True]


def may_fork() -> bool:
    """Whether worker processes can be forked."""
    return not _in_threads
