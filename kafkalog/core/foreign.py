"""What other programs leave among Kafka's files, recognised by the name of a file or a directory.

A file is in no broker's way while it loads a partition, unless its name ends like one of Kafka's. A directory in a log dir is:
the broker takes its name for that of a partition, and stops if it is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COMPANION", "Foreign", "describe_directory", "describe_file", "is_held_open", "is_of_zookeeper", "move_of"]


_MOVE = "move the directory out of the log dir"


class Foreign(NamedTuple):
    """A directory of another program: `what` it is, and what to do with broker stopped (`move`), as the end of a sentence."""

    what: str
    move: str = _MOVE


#: A file that was deleted while a process had it open, renamed so until that process closes it.
_HELD_OPEN = re.compile(r"\.nfs[0-9a-fA-F]{4,}|\.fuse_hidden[0-9a-fA-F]+")

#: macOS keeps beside each file what another file system has no place for; it is not the file's content.
COMPANION = "a companion file of macOS (AppleDouble)"

_FILES: tuple[tuple[str, str], ...] = (
    (r"\._.+", COMPANION),
    (r"\.DS_Store|\.localized", "the view settings of macOS's Finder"),
    (r"(?i:thumbs\.db|ehthumbs\.db)", "a cache of Windows' pictures"),
    (r"(?i:desktop\.ini)", "a folder's settings of Windows"),
    (r".+\\.+", "a path of Windows, unpacked as if it were one name"),
    (r".+:Zone\.Identifier", "Windows' mark of a download"),
    (r"\.directory", "a folder's settings of KDE"),
    (r"\..+\.sw[a-p]", "a swap file of the editor Vim"),
    (r"#.+#|\.#.+", "a file of the editor Emacs"),
    (r".+~|.+\.(?i:bak|backup|orig|old|save|copy)", "a backup copy"),
    (r"\.git(keep|ignore|attributes)|\.keep|\.placeholder", "a file of git's"),
    (r"\..+\.[A-Za-z0-9]{6}|.+\.(filepart|partial|crdownload)", "a copy that was not finished (rsync and others)"),
)
_OWN = "give it a directory of its own outside the log dir, and move its data there"
_MOUNT_POINT = "move everything else into a directory below the mount point and name that in log.dirs"
_DIRECTORIES: tuple[tuple[str, Foreign], ...] = (
    (r"(?i:zookeeper(-?(data|logs?))?)", Foreign("ZooKeeper's data", f"stop ZooKeeper too: {_OWN}")),
    (r"lost\+found", Foreign("the file system's own directory", _MOUNT_POINT)),
    (r"\.snapshots?|\.zfs|\.ckpt", Foreign("the file system's snapshots", _MOUNT_POINT)),
    (r"\.Trash(-\d+)?|\.Trashes|\$RECYCLE\.BIN|#recycle|@Recycle", Foreign("a wastebasket")),
    (r"@eaDir|\.@__thumb", Foreign("a directory of a network storage device")),
    (r"System Volume Information", Foreign("a directory of Windows", _MOUNT_POINT)),
    (r"__MACOSX|\.fseventsd|\.Spotlight-V100|\.TemporaryItems", Foreign("a directory of macOS")),
    (r"\.git|\.svn|\.hg", Foreign("a repository of sources")),
)
_ZOOKEEPER = re.compile(r"(log|snapshot)\.[0-9a-f]+|(accepted|current)Epoch|zookeeper_server\.pid")


def is_held_open(name: str) -> bool:
    """Whether a file's name is one that NFS or FUSE gives to a deleted file while a process has it open."""
    return _HELD_OPEN.fullmatch(name) is not None


def describe_file(name: str) -> str | None:
    """What a file of another program is, by its name; None: no known one.

    >>> describe_file(".DS_Store")
    "the view settings of macOS's Finder"
    """
    if is_held_open(name):
        return "a deleted file that a process still has open"
    return next((what for pattern, what in _FILES if re.fullmatch(pattern, name)), None)


def describe_directory(name: str) -> Foreign | None:
    """What a directory of another program is, by its name; None: no known one.

    >>> describe_directory("lost+found").what
    "the file system's own directory"
    """
    return next((foreign for pattern, foreign in _DIRECTORIES if re.fullmatch(pattern, name)), None)


def move_of(name: str) -> str:
    """What to do with a directory in a log dir that is no partition's, as the end of a sentence; any name."""
    foreign = describe_directory(name)
    return _MOVE if foreign is None else foreign.move


def is_of_zookeeper(names: Iterable[str]) -> bool:
    """Whether a directory holds ZooKeeper's transaction logs or snapshots, by its files' names.

    ZooKeeper calls the directory `version-2`, which Kafka reads as partition 2 of a topic `version`.
    """
    return any(map(_ZOOKEEPER.fullmatch, names))
