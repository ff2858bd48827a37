"""The members of a zip archive, unpacked one after the other into a temporary file, as pieces of that."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.errors import UnreadableFile
from kafkalog.files.members import MOST_MEMBERS, Members
from kafkalog.files.nodes import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from kafkalog.files.nodes import Opened

__all__ = ["Zip"]

_AT_ONCE = 1 << 20
#: The record at the end, and the longest comment after it.
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_MOST_COMMENT = 0xFFFF
#: Bytes that the list of members may take; it is held as a whole.
_MOST_LIST = 256 << 20
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Place(NamedTuple):
    """Where a member stands in what is unpacked."""

    parts: list[str]
    name: str
    begin: int
    size: int
    modified_ns: int


class Zip:
    """An archive.

    Args:
        path: What is said where it cannot be read.
        stream: The archive, which can be read from any place on.

    Raises:
        UnreadableFile: it has no list of members, as one that was cut off, or too long a one.
    """

    def __init__(self, path: str, stream: IO[bytes]) -> None:
        self._members = Members()
        self._places: list[_Place] = []
        self._refuse_long_list(path, stream)
        try:
            self._archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
            reason = "is cut off or damaged: the list of members, with which a zip archive ends, is not there"
            raise UnreadableFile(path, reason) from None
        if len(self._archive.filelist) > MOST_MEMBERS:
            raise UnreadableFile(path, f"has more than {MOST_MEMBERS} members")

    def _refuse_long_list(self, path: str, stream: IO[bytes]) -> None:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END.size - _MOST_COMMENT))
        tail = stream.read(_END.size + _MOST_COMMENT)
        at = tail.rfind(_END_MAGIC)
        if 0 <= at <= len(tail) - _END.size and _END.unpack_from(tail, at)[5] > _MOST_LIST:
            raise UnreadableFile(path, f"has a list of members of more than {_MOST_LIST} bytes, which is not read")

    def unpacked(self) -> Iterator[bytes]:
        """The bytes of all files in it, one after the other."""
        position = 0
        for info in self._archive.filelist:
            # Windows' own packer once wrote its own separators.
            name = info.filename if "/" in info.filename else info.filename.replace("\\", "/")
            parts = self._members.place_of(name)
            if parts is None:
                continue
            if name.endswith("/"):
                self._members.add_folder(parts, name)
            elif stat.S_ISLNK(info.external_attr >> 16):
                self._members.leave_out("not read, a symbolic link", name)
            elif info.flag_bits & _ENCRYPTED:
                self._members.leave_out("not read, encrypted", name)
            elif info.compress_type not in _METHODS:
                self._members.leave_out("not read, packed otherwise than with deflate", name)
            else:
                begin = position
                for piece in self._file(info, name):
                    position += len(piece)
                    yield piece
                self._places.append(_Place(parts, name, begin, position - begin, _modified_ns(info)))

    def _file(self, info: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
        try:
            with self._archive.open(info) as file:
                while piece := file.read(_AT_ONCE):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error) as error:
            self._members.problems.append(f"{name} is damaged: {str(error) or 'it ends early'}")

    def members(self, opened: Opened) -> Members:
        """The members, once all is unpacked into a file that is open."""
        for number, place in enumerate(self._places):
            piece = Piece(opened, place.begin, place.size, place.modified_ns, number)
            self._members.add_file(place.parts, place.name, piece)
        return self._members


def _modified_ns(info: zipfile.ZipInfo) -> int:
    """When a member was modified; the archive knows no zone, UTC is taken."""
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return 0
