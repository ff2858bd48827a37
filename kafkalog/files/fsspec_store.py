"""Whatever else fsspec knows: SFTP, HDFS, SMB, memory, archives in buckets."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.archive import AbstractArchiveFileSystem

from kafkalog.errors import RequestError
from kafkalog.files.remote_store import Changed, Failed, Found, Listed, Refused, is_another, whole
from kafkalog.files.urls import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FsspecStore"]

#: What file systems call the time of modification, and what tells versions of a file apart.
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
_VERSIONS = ("ETag", "etag", "md5", "checksum")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError, Refused):
        raise
    except Exception as error:  # noqa: BLE001 - a file system of somebody else's
        raise Failed(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}") from None


class FsspecStore:
    """A file system of fsspec's.

    Args:
        root: The URL that names it, whole, with what is not shown.

    Raises:
        RequestError: there is none of this scheme, or what it needs is not installed.
        Refused: it cannot be opened.
    """

    can_list = True

    def __init__(self, root: str) -> None:
        scheme = scheme_of(root)
        try:
            if "::" not in root and issubclass(fsspec.get_filesystem_class(scheme), AbstractArchiveFileSystem):
                ways = f"{scheme}://DIRECTORY::ARCHIVE, {scheme}::ARCHIVE for all of it, or the path alone of one that is here"
                raise RequestError(f"{scheme}:// does not say which archive: {ways}")
            self._fs, base = fsspec.core.url_to_fs(root, skip_instance_cache=True)
        except (ImportError, ValueError) as error:
            raise RequestError(f"{scheme}:// cannot be read: {error}") from None
        except RequestError:
            raise
        except Exception as error:  # noqa: BLE001 - a file system of somebody else's
            # Its text may hold what is not shown; that of the system does not.
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise Refused(str(reason)) from None
        self._base: str = base.rstrip("/")

    def _path(self, key: str) -> str:
        return f"{self._base}/{key}" if key else self._base

    def _found(self, info: dict[str, Any]) -> Found:
        when = next((info[name] for name in _TIMES if info.get(name) is not None), None)
        modified = _nanoseconds(when)
        version = next((str(info[name]) for name in _VERSIONS if info.get(name)), str(modified) if modified else None)
        return Found(self._key_of(info["name"]), info["size"] or 0, modified, version)

    def _key_of(self, name: str) -> str:
        return name.lstrip("/").removeprefix(self._base.lstrip("/")).strip("/")

    def walk(self, key: str) -> Iterator[list[Found]]:
        """All files below a folder."""
        with _refusals():
            self._fs.invalidate_cache()
            infos = self._fs.find(self._path(key), detail=True)
        found = [self._found(info) for info in infos.values()]
        if [one.key for one in found] == [""]:
            raise Refused("is a file: give the directory that it is in")
        yield [one for one in found if one.key != key]

    def listed(self, key: str) -> Listed:
        """What is in a folder."""
        with _refusals():
            self._fs.invalidate_cache()
            infos = self._fs.ls(self._path(key), detail=True)
        inside = [info for info in infos if self._key_of(info["name"]) != key]
        folders = [self._key_of(info["name"]).rpartition("/")[2] for info in inside if info["type"] == "directory"]
        return Listed([self._found(info) for info in inside if info["type"] == "file"], folders)

    def look(self, key: str) -> Found:
        """A file that is known by its path only."""
        with _refusals():
            self._fs.invalidate_cache()
            info = self._fs.info(self._path(key))
        if info["type"] != "file":
            raise FileNotFoundError
        return self._found(info)

    def get(self, found: Found, begin: int, end: int) -> tuple[memoryview, str | None]:
        """Bytes of a file, and its version. It is looked at afterwards: a file system need not notice that it has changed."""
        with _refusals():
            data = memoryview(self._fs.cat_file(self._path(found.key), start=begin, end=end))
        now = self.look(found.key)
        if is_another(now, found):
            raise Changed(now.size)
        return whole(data, end - begin), now.version


def _nanoseconds(when: object) -> int:
    if isinstance(when, datetime):
        return int(when.timestamp() * 1e9)
    return int(when * 1e9) if isinstance(when, (int, float)) else 0
