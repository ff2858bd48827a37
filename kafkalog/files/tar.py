"""The members of a tar archive, as pieces of its file. Header by header, so that nothing in them is believed or held."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kafkalog.files.members import MOST_MEMBERS, Members
from kafkalog.files.nodes import Piece

if TYPE_CHECKING:
    from kafkalog.files.nodes import Opened
    from kafkalog.files.source import FileSource

__all__ = ["is_tar_header", "read_tar"]

BLOCK = 512
#: Bytes of an extended header (PAX) or a long name.
_MOST_HEADER = 1 << 20

_FILES, _DIRECTORIES, _HARD_LINK = b"07\0", b"5D", b"1"
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL_PAX, _SPARSE = b"L", b"K", b"xX", b"g", b"S"
_LEFT_OUT = {b"2": "symbolic link", b"3": "device", b"4": "device", b"6": "FIFO"}


def _number(field: bytes) -> int:
    """An octal number, or a binary one, of a header."""
    if field[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(field[1:], "big", signed=False) if field[0] == 0x80 else -1
    text = field.split(b"\0", 1)[0].strip()
    return int(text, 8) if text else 0


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a member: its checksum says so."""
    if len(block) < BLOCK or not any(block):
        return False
    with suppress(ValueError):
        return _number(block[148:156]) == sum(block[:148] + b" " * len(block[148:156]) + block[156:])
    return False


def read_tar(source: FileSource, opened: Opened) -> Members:
    """The members of an archive.

    Args:
        source: The archive, not compressed.
        opened: The same, open for as long as its members are read.
    """
    return _Reader(source, opened).read()


class _Reader:
    def __init__(self, source: FileSource, opened: Opened) -> None:
        self._source = source
        self._opened = opened
        self._members = Members()
        self._problems = self._members.problems
        self._count = 0

    def read(self) -> Members:
        position, name, pax = 0, b"", dict[str, bytes]()
        while True:
            block = self._source.read(position, BLOCK)
            if not any(block):
                if len(block) < BLOCK and not self._problems:
                    self._problems.append(f"ends early: there is no end mark after byte {position}")
                break
            if not is_tar_header(block):
                cut = len(block) < BLOCK
                text = "ends early, inside a header" if cut else "is no tar archive any more"
                self._problems.append(f"{text}, at byte {position}; what follows is not read")
                break
            kind, data = block[156:157], position + BLOCK
            size = self._size(block, pax)
            if size is None:
                self._problems.append(f"the header at byte {position} makes no sense; what follows is not read")
                break
            if kind == _SPARSE:
                data = self._behind_sparse_map(block, data)
            position = data + size + -size % BLOCK
            if kind in (*_iter(_PAX), _LONG_NAME, _LONG_LINK, _GLOBAL_PAX):
                content = self._source.read(data, min(size, _MOST_HEADER))
                if kind == _LONG_NAME:
                    name = content.split(b"\0", 1)[0]
                elif kind in _iter(_PAX):
                    pax = _pax_fields(content)
                continue
            self._count += 1
            if self._count > MOST_MEMBERS:
                self._problems.append(f"has more than {MOST_MEMBERS} members; the rest is not read")
                break
            self._add(pax.get("path") or name or _name_in(block), kind, block, pax, data, size)
            name, pax = b"", {}
        return self._members

    def _size(self, block: bytes, pax: dict[str, bytes]) -> int | None:
        try:
            size = int(pax["size"]) if "size" in pax else _number(block[124:136])
        except ValueError:
            return None
        return size if 0 <= size < 1 << 62 else None

    def _behind_sparse_map(self, block: bytes, data: int) -> int:
        more = block[482]
        while more:
            following = self._source.read(data, BLOCK)
            more, data = following[504] if len(following) == BLOCK else 0, data + BLOCK
        return data

    def _add(self, raw: bytes, kind: bytes, block: bytes, pax: dict[str, bytes], data: int, size: int) -> None:
        name = raw.decode("utf-8", "surrogateescape")
        parts = self._members.place_of(name)
        if parts is None:
            return
        sparse = kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in pax)
        if sparse or kind in _LEFT_OUT:
            what = "sparse file (pack it without --sparse)" if sparse else _LEFT_OUT[kind]
            self._members.leave_out(f"not read, a {what}", name)
        elif kind in _iter(_DIRECTORIES) or (kind in _iter(_FILES) and name.endswith("/")):
            self._members.add_folder(parts, name)
        elif kind == _HARD_LINK:
            target = block[157:257].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            linked = self._members.folder.below([part for part in target.split("/") if part not in ("", ".")])
            if isinstance(linked, Piece):
                self._members.add_file(parts, name, linked)
            else:
                self._members.leave_out("not read, a hard link to what is not in the archive", name)
        elif kind in _iter(_FILES):
            self._members.add_file(parts, name, self._piece(name, block, data, size))
        else:
            self._members.leave_out("not read, of an unknown kind", name)

    def _piece(self, name: str, block: bytes, data: int, size: int) -> Piece:
        there = max(0, self._source.size - data)
        if size > there:
            self._problems.append(f"ends early: {there} of the {size} bytes of {name} are there")
        try:
            modified = _number(block[136:148])
        except ValueError:
            modified = 0
        return Piece(self._opened, data, min(size, there), max(0, min(modified, 1 << 33)) * 10**9, self._count)


def _iter(kinds: bytes) -> list[bytes]:
    return [kinds[at : at + 1] for at in range(len(kinds))]


def _name_in(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _pax_fields(content: bytes) -> dict[str, bytes]:
    """The fields of an extended header, each `LENGTH NAME=VALUE` and a line break."""
    fields: dict[str, bytes] = {}
    at = 0
    with suppress(ValueError):
        while at < len(content):
            length = int(content[at : content.index(b" ", at)])
            name, equals, value = content[at : at + length].partition(b" ")[2].partition(b"=")
            if length <= 0 or not equals:
                break
            fields[name.decode("utf-8", "replace")] = value.removesuffix(b"\n")
            at += length
    return fields
