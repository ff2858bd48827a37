"""Remote storage of Kafka's tiered storage: where the partitions and the segments are in it, and what each object is.

Two plug-ins are known. Kafka's own for tests, LocalTieredStorage, keeps Kafka's files under longer names. Aiven's packs and
encrypts them (`files.aiven`): a directory of such objects is viewed as if it held Kafka's files, so that all that reads files
reads these too.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import (
    TEXT_FILES,
    RemoteFileName,
    RemotePartitionName,
    parse_remote_file_name,
    parse_remote_partition_path,
    parse_segment_file_name,
)
from kafkalog.errors import FormatError, UnreadableFile
from kafkalog.files.aiven import OpenAsItIs, OpenIndex, OpenLog, size_of_index
from kafkalog.files.directory import list_directory
from kafkalog.files.mounted import view, view_of
from kafkalog.files.nodes import Folder, Later, Piece
from kafkalog.files.paths import join
from kafkalog.files.source import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from kafkalog.core.remote_manifest import Manifest
    from kafkalog.files.directory import Entry
    from kafkalog.files.nodes import Opened

__all__ = ["RemotePartition", "RemoteSegment", "is_emptied", "is_remote", "partitions_below", "read_partition", "take_in"]

#: How far below a path the partitions of a tier are looked for: the prefix of a bucket may have several names.
_DEEPEST = 5
#: Names of a folder that are read before it is known that partitions are there.
_MOST = 1000
#: Bytes of a manifest that are read; a segment of 2 GiB in chunks of 4 KiB takes less.
_MOST_MANIFEST = 64 << 20
#: Folders that are listed before the first partition is found.
_MOST_FOLDERS = 1000
_OF_AIVEN = (".indexes", ".rsm-manifest")


class RemoteSegment(NamedTuple):
    """A segment in remote storage.

    Args:
        name: Of its objects, but for the suffix.
        paths: The files of Kafka's, by suffix, as they can be read.
        objects: Bytes of each object that is there, by suffix.
        manifest: Of Aiven's plug-in; None: there is none, or it cannot be read.
        problem: Why the manifest cannot be read; "" where it can, or there is none.
    """

    name: RemoteFileName
    paths: dict[str, str]
    objects: dict[str, int]
    manifest: Manifest | None = None
    problem: str = ""

    @property
    def is_encoded(self) -> bool:
        """Whether Aiven's plug-in wrote it."""
        return any(suffix in self.objects for suffix in _OF_AIVEN)


class RemotePartition(NamedTuple):
    """A partition in remote storage: its directory, what that is called, and its segments by base offset and id."""

    path: str
    name: RemotePartitionName | None
    segments: tuple[RemoteSegment, ...]


def is_remote(path: str, names: Collection[str]) -> bool:
    """Whether a directory is a partition's in remote storage, by what is in it, or by its name where it is empty.

    One that has Kafka's own files is a broker's, whatever else somebody has put there.
    """
    if not names:
        return parse_remote_partition_path(os.path.abspath(path)) is not None
    is_local = any(parse_segment_file_name(name) is not None or name in TEXT_FILES for name in names)
    return not is_local and any(parse_remote_file_name(name) is not None for name in names)


def partitions_below(path: str, entries: Sequence[Entry] | None = None) -> list[str]:
    """The directories of partitions in remote storage below a path, in order.

    Args:
        path: The path.
        entries: What is in it, where that is known.

    Raises:
        UnreadableFile: a directory cannot be listed.
    """
    found: list[str] = []
    waiting, seen = deque([(path, entries, 0)]), 0
    while waiting and (found or seen < _MOST_FOLDERS):
        at, listed, depth = waiting.popleft()
        if parse_remote_partition_path(at) is not None:
            found.append(at)
        elif depth < _DEEPEST:
            seen += 1
            listed = _folders(at, is_known=bool(found)) if listed is None else listed
            waiting += [(join(at, entry.name), None, depth + 1) for entry in listed if entry.is_directory]
    return sorted(found)


def _folders(path: str, *, is_known: bool) -> list[Entry]:
    """What is in a folder: the first names, unless it is known, or they show, that partitions are there."""
    first = [] if is_known else list_directory(path, _MOST, beneath=True)
    if not is_known and not any(parse_remote_partition_path(join(path, one.name)) for one in first if one.is_directory):
        return first
    return list_directory(path, beneath=True)


def is_emptied(path: str) -> bool:
    """Whether there is no file in a directory, nor in the folders in it, however deep remote storage has some."""
    waiting, seen = deque([path]), 0
    while waiting and seen < _MOST_FOLDERS:
        at = waiting.popleft()
        seen += 1
        try:
            entries = list_directory(at, _MOST, beneath=at != path)
        except UnreadableFile:
            return False
        if len(entries) >= _MOST or not all(entry.is_directory for entry in entries):
            return False
        waiting += [join(at, entry.name) for entry in entries]
    return not waiting


def take_in(path: str, only: str = "") -> None:
    """View a directory as what its objects were made of, where Aiven's plug-in wrote them.

    Args:
        path: The directory.
        only: The stem of the one segment that is wanted, so that other manifests need not be read; "": all.

    Raises:
        UnreadableFile: the directory cannot be listed.
    """
    if only and (folder := view_of(path)) is not None:
        if any(name.startswith(only) for name in folder.nodes):
            return
        only = ""  # what is open of the others goes on being there
    read_partition(path, only)


def read_partition(path: str, only: str = "") -> RemotePartition:
    """The segments in a partition's directory, which is viewed as what its objects were made of from now on.

    Raises:
        UnreadableFile: the directory cannot be listed.
    """
    view(path, None)
    entries = list_directory(path, beneath=True)
    by_stem: dict[str, dict[str, Entry]] = defaultdict(dict)
    names: dict[str, RemoteFileName] = {}
    others = []
    for entry in entries:
        name = None if entry.is_directory else parse_remote_file_name(entry.name)
        if name is None:
            others.append(entry)
        else:
            names.setdefault(name.stem, name)
            by_stem[name.stem][name.suffix] = entry
    segments, folder = [], Folder()
    for stem, own in sorted(by_stem.items()):
        if not only or stem == only:
            segments.append(_segment(path, names[stem], own, folder))
    if any(segment.is_encoded for segment in segments):
        for entry in others:
            if entry.is_regular:
                folder.nodes[entry.name] = _as_it_is(path, entry)
        view(path, folder)
    return RemotePartition(path, parse_remote_partition_path(os.path.abspath(path)), tuple(segments))


def _segment(path: str, name: RemoteFileName, own: dict[str, Entry], folder: Folder) -> RemoteSegment:
    objects = {suffix: entry.size or 0 for suffix, entry in own.items()}
    found = RemoteSegment(name, {}, objects)
    if not found.is_encoded:
        for entry in own.values():
            folder.nodes[entry.name] = _as_it_is(path, entry)
        return found._replace(paths={suffix: join(path, entry.name) for suffix, entry in own.items()})
    for suffix in _OF_AIVEN:
        if suffix in own:
            folder.nodes[own[suffix].name] = _as_it_is(path, own[suffix])
    if ".rsm-manifest" not in own:
        return found
    try:
        manifest = _manifest(join(path, own[".rsm-manifest"].name))
    except UnreadableFile as error:
        return found._replace(problem=error.reason)
    for suffix, node in _files(path, own, manifest):
        folder.nodes[f"{name.stem}{suffix}"] = node
        found.paths[suffix] = join(path, f"{name.stem}{suffix}")
    return found._replace(manifest=manifest)


def _files(path: str, own: dict[str, Entry], manifest: Manifest) -> Iterator[tuple[str, Piece]]:
    """The files of Kafka's that a segment was made of."""
    if (log := own.get(".log")) is not None:
        yield ".log", _piece(partial(OpenLog, join(path, log.name), manifest), manifest.chunks.original_size, log)
    if (indexes := own.get(".indexes")) is None:
        return
    place = join(path, indexes.name)
    for suffix, part in manifest.indexes.items():
        yield suffix, _piece(partial(OpenIndex, place, part, manifest), size_of_index(part, manifest), indexes)


def _as_it_is(path: str, entry: Entry) -> Piece:
    return _piece(partial(OpenAsItIs, join(path, entry.name)), entry.size or 0, entry)


def _piece(make: Callable[[], Opened], size: int, entry: Entry) -> Piece:
    """A file that is opened when it is read; `entry` is the object that it comes from."""
    modified_ns, number = (0, 0) if entry.state is None else (entry.state[3], entry.state[1])
    return Piece(Later(make), 0, size, modified_ns, number)


def _manifest(path: str) -> Manifest:
    from kafkalog.core.remote_manifest import read_manifest

    with FileSource(path, beneath=True) as source:
        if source.size > _MOST_MANIFEST:
            raise UnreadableFile(path, f"has {source.size} bytes, and at most {_MOST_MANIFEST} of a manifest are read")
        data = source.read()
    try:
        return read_manifest(data)
    except FormatError as error:
        raise UnreadableFile(path, f"is no manifest that can be read: {error}") from None
