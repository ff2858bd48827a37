"""What may be given in the place of a file or a directory: an archive, standard input, a URL, a file that is called otherwise.

An argument becomes a path that the rest of the package reads as any other (`files.mounted`):

- `data.tar.gz`, an archive of a log dir or a partition directory, is that directory; so is `data.tar.gz/logs/orders-0`;
- `-`, standard input, is such an archive, or else a log: `-/00000000000000000042.log`;
- `carved.bin/00000000000000000042.log` is the file `carved.bin`, read as if it was called so: what `--as log,base=42` makes;
- `s3://bucket/logs`, a URL, is listed (`files.remote`), and read as a directory or a file of this machine is.

Only what cannot be read at any place, a compressed archive or a pipe, goes through a temporary file. That has no name.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tempfile
import zlib
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.compression import zstd_pieces
from kafkalog.core.filename import (
    EPOCH_DIGITS,
    OFFSET_DIGITS,
    SEGMENT_SUFFIXES,
    TEXT_FILES,
    is_kafka_file,
    parse_partition_name,
    parse_segment_file_name,
)
from kafkalog.core.source import WindowedBytes
from kafkalog.errors import DecompressionFailed, RequestError, UnreadableFile
from kafkalog.files.mounted import EXAMINED, MAX_SPOOL, STDIN, TELL, is_file, mount, node_at, unmount
from kafkalog.files.nodes import Folder, Piece
from kafkalog.files.paths import join, trim
from kafkalog.files.source import FileSource, describe_os_error
from kafkalog.files.tar import BLOCK, is_tar_header, read_tar
from kafkalog.files.urls import is_url, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kafkalog.files.members import Members

__all__ = ["KINDS", "As", "named", "parse_as", "taken_in"]

#: What a file can be read as.
KINDS = (*(suffix[1:] for suffix in SEGMENT_SUFFIXES), "checkpoint", *sorted(TEXT_FILES))

_AT_ONCE = 1 << 20
#: Bytes that are written between two looks at how much room is left.
_BETWEEN_LOOKS = 16 << 20
#: Bytes that are left free on the file system of the temporary file.
_LEFT_FREE = 256 << 20
_DIGITS = re.compile(rf"\d{{{OFFSET_DIGITS}}}", re.ASCII)
#: xz may want a dictionary of 4 GiB; its own strongest setting takes 65 MiB.
_MOST_XZ_MEMORY = 256 << 20


class As(NamedTuple):
    """What a file is read as: one of `KINDS`, and the base offset in its name (None: by its name, or its first batch)."""

    kind: str
    base_offset: int | None = None


def parse_as(text: str) -> As:
    """`KIND[,base=N]`.

    >>> parse_as("log,base=42")
    As(kind='log', base_offset=42)

    Raises:
        RequestError: it is something else.
    """
    kind, *more = text.split(",")
    if kind not in KINDS:
        raise RequestError(f"{kind!r} is none of {', '.join(KINDS)}")
    match = re.fullmatch(r"base=(\d{1,19})", ",".join(more), re.ASCII) if more else None
    if more and (match is None or kind in TEXT_FILES):
        wanted = (
            "stands alone"
            if kind in TEXT_FILES
            else "may be followed by ,base=N, the first offset of the file, and nothing else"
        )
        raise RequestError(f"{text!r}: {kind} {wanted}")
    return As(kind, None if match is None else int(match[1]))


def named(path: str, wanted: As) -> str:
    """The path under which a file is read as something: below it stands the name that Kafka would give it.

    Raises:
        UnreadableFile: it cannot be read.
    """
    path = trim(shown(path))
    if path == STDIN:
        _mount_stdin(as_log=False)
    else:
        taken_in(path)
    node = node_at(path)
    if not isinstance(node, Folder):
        own = os.path.basename(path)
        with FileSource(path) as source:
            name = _name_for(own, wanted, source)
        return path if name == own else join(path, name)
    # Standard input, or a packed file: what is in it gets the name.
    inner, piece = next(iter(node.nodes.items()), ("", None))
    if not isinstance(piece, Piece) or any(one is not piece for one in node.nodes.values()):
        raise UnreadableFile(path, "is a directory or an archive: give the path of a file in it")
    with FileSource(join(path, inner)) as source:
        name = _name_for(inner, wanted, source)
    node.nodes[name] = piece
    return join(path, name)


def _name_for(name: str, wanted: As, source: FileSource) -> str:
    if wanted.kind in TEXT_FILES:
        return wanted.kind
    base = wanted.base_offset
    if base is None and (digits := _DIGITS.match(name)):
        base = int(digits[0])
    if base is None and wanted.kind in ("log", "checkpoint"):
        base = _first_offset(source)
    epoch = f"-{0:0{EPOCH_DIGITS}}" if wanted.kind == "checkpoint" else ""
    return f"{base or 0:0{OFFSET_DIGITS}}{epoch}.{wanted.kind}"


def _first_offset(source: FileSource) -> int | None:
    head = source.read(0, BATCH_HEADER.size)
    offset: int = BATCH_HEADER.read(head).base_offset if len(head) == BATCH_HEADER.size else -1
    return offset if offset >= 0 else None


def taken_in(path: str) -> str:
    """The path to examine in the place of an argument: the same, mostly.

    Raises:
        UnreadableFile: an archive cannot be read at all, or is too large for a temporary file.
    """
    path = trim(shown(path))
    if is_url(path):
        from kafkalog.files.remote import list_now

        list_now(path)
    if path == STDIN or path.startswith(f"{STDIN}/"):
        if path == STDIN:
            return _mount_stdin(as_log=True)
        _mount_stdin(as_log=False, name=path.removeprefix(f"{STDIN}/"))
        return path
    outer = _file_in(path)
    if outer is None:
        return path
    rest = path[len(outer) + 1 :]
    state = _state_of(outer)
    held = node_at(outer) if _states.get(outer) == state else None
    if not isinstance(held, Folder) or (rest and rest not in held.nodes and outer not in _archives):
        unmount(outer)
        _take_in_file(outer, rest, held)
        _states[outer] = state
    return path if rest else _inner(outer)


#: Device, inode, size, and time of modification of the files that were looked at, as they were then.
_states: dict[str, tuple[int, ...]] = {}
_archives: set[str] = set()


def _state_of(path: str) -> tuple[int, ...]:
    if is_url(path):
        from kafkalog.files.remote import node_of

        node = node_of(path)
        return (node.number, node.size, node.modified_ns) if isinstance(node, Piece) else ()
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _is_mounted(path: str) -> bool:
    try:
        return node_at(path) is not None
    except FileNotFoundError:
        return True


def _file_in(path: str) -> str | None:
    """The regular file that a path is, or leads through as if it was a directory; None: there is none."""
    if is_url(path):
        from kafkalog.files.remote import file_on_the_way

        return file_on_the_way(path)
    at = path
    while at:
        try:
            is_file = stat.S_ISREG(os.stat(at).st_mode)
        except NotADirectoryError:
            at = at.rpartition("/")[0]
            continue
        except (OSError, ValueError):
            return None
        return at if is_file else None
    return None


def _take_in_file(path: str, rest: str, held: Piece | Folder | None) -> None:
    """Mount a file that is an archive, or read under another name beside those it is `held` under; leave any other alone."""
    name = os.path.basename(path)
    if not rest and is_kafka_file(name):
        return  # nearly all
    source = FileSource(path)
    kind = _packed(source)
    if kind is not None:
        _archives.add(path)
        _mount_archive(path, source, kind)
    elif is_kafka_file(rest):
        folder = _beside(path, rest, source)
        if isinstance(held, Folder):
            folder.nodes = held.nodes | folder.nodes
        mount(path, folder)
    else:
        source.close()


def _beside(path: str, name: str, source: FileSource) -> Folder:
    """A file under another name, with those of its own name beside it: `X.log` has `X.index`."""
    folder = Folder()
    folder.nodes[name] = _whole(source, 0)
    parsed, (stem, suffix) = parse_segment_file_name(name), os.path.splitext(path)
    if parsed is not None and suffix == parsed.suffix:
        new = name.removesuffix(parsed.pending).removesuffix(suffix)
        for number, other in enumerate(SEGMENT_SUFFIXES, 1):
            if other != suffix and is_file(stem + other):
                folder.nodes[new + other] = _whole(FileSource(stem + other), number)
    return folder


def _whole(source: FileSource, number: int) -> Piece:
    """A file as a piece; it stays open for as long as the process lives."""
    with source:
        return Piece(source.opened(), 0, source.size, source.modified_ns, number)


# --- archives ---------------------------------------------------------------------------------------------------------


def _gzip(source: FileSource) -> Iterator[bytes]:
    yield from _pieces(gzip.GzipFile(fileobj=_stream(source)).read1)


def _bzip2(source: FileSource) -> Iterator[bytes]:
    yield from _pieces(bz2.BZ2File(_stream(source)).read1)


def _zstd(source: FileSource) -> Iterator[bytes]:
    yield from zstd_pieces(WindowedBytes(source, 0, source.size))


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What is read until nothing more comes; a reader that gives what it has loses nothing to an error after it."""
    while piece := read(_AT_ONCE):
        yield piece


def _xz(source: FileSource) -> Iterator[bytes]:
    stream, data = _stream(source), b""
    while True:
        decompressor = lzma.LZMADecompressor(memlimit=_MOST_XZ_MEMORY)
        while not decompressor.eof:
            if decompressor.needs_input and not data:
                data = stream.read(_AT_ONCE)
                if not data:
                    raise EOFError
            yield decompressor.decompress(data, _AT_ONCE)
            data = b""
        # Streams may follow each other, with zeros between.
        data = (decompressor.unused_data or stream.read(_AT_ONCE)).lstrip(b"\0")
        if not data:
            return


_PACKED: dict[bytes, tuple[str, Callable[[FileSource], Iterator[bytes]]]] = {
    b"\x1f\x8b\x08": ("gzip", _gzip),
    b"BZh": ("bzip2", _bzip2),
    b"\xfd7zXZ\0": ("xz", _xz),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\x50\x2a\x4d\x18": ("zstd", _zstd),  # as pzstd begins
}
_TAR, _ZIP = "tar", "zip"
#: Bytes of a tar archive at a URL that is fetched as a whole: its files are read in another order than they have in it, and
#: many of them share what is fetched at once.
_FETCHED_WHOLE = 1 << 30
#: How a zip archive begins: with a member, or, without any, with its end.
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")


def _packed(source: FileSource) -> str | None:
    """What a file is packed with, by its first bytes; None: it is no archive."""
    head = source.read(0, BLOCK)
    for magic, (name, _) in _PACKED.items():
        if head.startswith(magic):
            return name
    return _ZIP if head.startswith(_ZIP_MAGICS) else _TAR if is_tar_header(head) else None


def _mount_archive(path: str, source: FileSource, kind: str) -> None:
    problems: list[str] = []
    if kind == _ZIP:
        _mount_members(path, _unzipped(path, source))
        return
    if kind == _TAR and is_url(path) and source.size <= _FETCHED_WHOLE:
        descriptor, _ = _spooled(path, _pieces(_stream(source).read))
        source.close()
        source = FileSource.of_descriptor(path, descriptor)
        _tell(path, f"tar, fetched into a temporary file of {source.size} bytes")
    elif kind != _TAR:
        unpack = next(function for name, function in _PACKED.values() if name == kind)
        descriptor, problem = _spooled(path, unpack(source))
        problems += [problem] if problem else []
        source.close()
        source = FileSource.of_descriptor(path, descriptor)
        _tell(path, f"{kind}, unpacked into a temporary file of {source.size} bytes")
        if problems and not source.size:
            raise UnreadableFile(path, problems[0])
        if not is_tar_header(source.read(0, BLOCK)):
            folder = Folder()
            name = next((os.path.basename(path).removesuffix(suffix) for suffix in _SUFFIXES if path.endswith(suffix)), "")
            folder.nodes[name or os.path.basename(path)] = _whole(source, 0)
            mount(path, folder, problems)
            return
    with source:
        _mount_members(path, read_tar(source, source.opened()), problems)


def _unzipped(path: str, source: FileSource) -> Members:
    from kafkalog.files.zip import Zip

    with source:
        archive = Zip(path, _stream(source))
        descriptor, _ = _spooled(path, archive.unpacked())
    with FileSource.of_descriptor(path, descriptor) as spool:
        _tell(path, f"zip, unpacked into a temporary file of {spool.size} bytes")
        return archive.members(spool.opened())


def _mount_members(path: str, members: Members, problems: Sequence[str] = ()) -> None:
    for note in members.notes:
        _tell(path, note)
    mount(path, members.folder, problems or members.problems)


def _tell(path: str, text: str) -> None:
    tell = TELL.get()
    if tell is not None:
        tell(f"{path}: {text}")


def _inner(path: str) -> str:
    """Where in an archive the log dir or the partition is: as far down as there is one directory and nothing of Kafka's."""
    node = node_at(path)
    while isinstance(node, Folder):
        folders = [name for name, one in node.nodes.items() if isinstance(one, Folder)]
        files = [name for name, one in node.nodes.items() if isinstance(one, Piece) and not name.startswith("._")]
        if len(folders) == 1 and not any(is_kafka_file(name) for name in files):
            path, node = join(path, folders[0]), node.nodes[folders[0]]
        elif len(files) == 1 and not folders and len(node.nodes) == 1 and is_kafka_file(files[0]):
            return join(path, files[0])
        else:
            break
        if parse_partition_name(os.path.basename(path)) is not None:
            break
    return path


# --- standard input and temporary files -------------------------------------------------------------------------------


class _Stream(io.RawIOBase):
    """A file as a stream."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = max(0, offset + (0, self._at, self._source.size)[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._source.read_into(memoryview(buffer), self._at)
        self._at += count
        return count


def _stream(source: FileSource) -> io.BufferedReader:
    return io.BufferedReader(_Stream(source), _AT_ONCE)


def _mount_stdin(*, as_log: bool, name: str = STDIN) -> str:
    """Mount standard input: an archive, or a file of this name; with `as_log` the name of a log."""
    if not _is_mounted(STDIN):
        source = _stdin()
        kind = _packed(source)
        if kind is not None:
            _mount_archive(STDIN, source, kind)
        else:
            folder = Folder()
            folder.nodes[STDIN] = _whole(source, 0)
            mount(STDIN, folder)
    node = node_at(STDIN)
    assert isinstance(node, Folder)
    only = node.nodes.get(STDIN)
    if not isinstance(only, Piece):
        return _inner(STDIN)
    if as_log:
        return named(STDIN, As("log"))
    node.nodes.setdefault(name, only)
    return join(STDIN, name)


def _stdin() -> FileSource:
    """Standard input, which is at hand as a whole only if it is a file."""
    try:
        status = os.fstat(0)
        if stat.S_ISREG(status.st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0:
            return FileSource.of_descriptor(STDIN, os.dup(0))
        if os.isatty(0):
            raise UnreadableFile(STDIN, "standard input is a terminal; give it a file, as in `kafkalog … - < FILE`")
        with os.fdopen(os.dup(0), "rb") as stream:
            descriptor, _ = _spooled(STDIN, _pieces(stream.read))
    except OSError as error:
        raise UnreadableFile(STDIN, describe_os_error(error)) from None
    source = FileSource.of_descriptor(STDIN, descriptor)
    _tell("standard input", f"read into a temporary file of {source.size} bytes")
    return source


def _spooled(path: str, pieces: Iterator[bytes]) -> tuple[int, str]:
    """A temporary file without a name that holds all of it; and what kept it from being all, or ""."""
    folder = _folder_for_spools(path)
    limit, size = MAX_SPOOL.get(), 0
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            problem = ""
            try:
                for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise UnreadableFile(
                            path, f"takes more than {limit} bytes of a temporary file; --max-spool allows more"
                        )
                    if size % _BETWEEN_LOOKS < len(piece):
                        _see_that_there_is_room(file.fileno(), path, folder)
                    file.write(piece)
            except EOFError:
                problem = f"ends early: it is cut off after {size} bytes of what is packed in it"
            except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, DecompressionFailed) as error:
                problem = f"is damaged after {size} bytes of what is packed in it: {error}"
            file.flush()
            return os.dup(file.fileno()), problem
    except OSError as error:
        raise UnreadableFile(path, f"the temporary file in {folder} after {size} bytes: {describe_os_error(error)}") from None


def _see_that_there_is_room(descriptor: int, path: str, folder: str) -> None:
    status = os.fstatvfs(descriptor)
    if status.f_bavail * status.f_frsize < _LEFT_FREE:
        reason = f"{folder} has no room for it as a temporary file: set TMPDIR to a directory that has"
        raise UnreadableFile(path, reason)


def _folder_for_spools(path: str) -> str:
    """A directory for temporary files that lies below nothing that is examined."""
    examined = [os.path.realpath(one) for one in EXAMINED.get() if os.path.isdir(one)]
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - nothing of a known name is made there
        real = os.path.realpath(folder)
        if os.path.isdir(real) and not any(real == one or real.startswith(f"{one.rstrip('/')}/") for one in examined):
            return folder
    raise UnreadableFile(path, "needs a temporary file, and every place for one is examined: set TMPDIR to another directory")
