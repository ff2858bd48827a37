"""What `groups`, `transactions` and `metadata` share: the release whose coordinator loads a topic, the exit status."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

from kafkalog.cli import exit_status
from kafkalog.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.release import Release
    from kafkalog.replay.logs import Note

__all__ = ["release_by", "status_of"]


def release_by(named: Release | None) -> Callable[[str], Release]:
    """The release for the directory of a partition: the one that the user named, or the one that its log dir speaks for."""
    from kafkalog.files.log_dir import LogDir
    from kafkalog.files.mounted import is_directory
    from kafkalog.files.paths import real_path
    from kafkalog.next_start.evidence import BrokerEvidence

    @cache
    def shown(directory: str) -> Release:
        return BrokerEvidence(LogDir(directory)).era.releases[0]

    def release_of(path: str) -> Release:
        partition = path if is_directory(path) else os.path.dirname(path)
        return named or shown(os.path.dirname(real_path(partition or ".")))

    return release_of


def status_of(findings: int, problems: Iterable[Note], *, exit_zero: bool) -> int:
    """3 if a path could not be read, which is said on stderr; 1 for findings (records that cannot be read are), else 0."""
    unread = list(dict.fromkeys(problems))
    sys.stdout.flush()
    for note in unread:
        say(f"kafkalog: {note.path + ': ' if note.path else ''}{note.message}")
    if unread:
        return exit_status.UNREADABLE
    return exit_status.FINDINGS if findings and not exit_zero else exit_status.OK
