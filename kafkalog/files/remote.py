"""Files that are not on this machine, as directories and files at their URLs (`files.mounted` asks here).

A path that is given is listed at once with all that is below it: names, sizes, times, ETags. What lies around it is listed when
somebody asks. An object is read by ranges: its first MiB, then 8 MiB at a time where it is read on, the next of them fetched
while the last is worked on. So a path takes, for n objects of together b bytes that are read once, no more than
⌈n / 1000⌉ + 2 requests to be listed and n + ⌈b / 8 MiB⌉ to be read.

Each answer must be of the object that was listed. If it has changed, `FileChanged` is raised, and the folder is listed again
by whoever looks next.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from kafkalog.core.filename import is_kafka_file, parse_partition_name
from kafkalog.errors import ExtraMissing, FileChanged, UnreadableFile
from kafkalog.files import restraint
from kafkalog.files.cores import forbid_forks
from kafkalog.files.nodes import Folder, Piece, Versioned
from kafkalog.files.remote_store import Changed, Failed, Found, Listed, Refused
from kafkalog.files.urls import root_of, scheme_of, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kafkalog.files.remote_store import Store

__all__ = ["Traffic", "file_on_the_way", "list_now", "node_of", "traffic"]

#: Bytes of an object that are fetched at a time: its first, or where somebody jumps to; and where it is read on.
FIRST, NEXT = 1 << 20, 8 << 20
#: Bytes of the beginnings of objects that are kept for those who open them again.
_KEPT = 32 << 20
#: How often a request is tried, with so many seconds after the first time, and four times as many after each further time.
TRIES, PAUSE = 4, 0.2
#: Requests that fail one after the other, after which a store is not asked any more.
MOST_FAILURES = 8
#: Objects below one path.
_MOST_OBJECTS = 1_000_000

T = TypeVar("T")


class Traffic:
    """Requests to stores, and bytes that came; counted where they are made, those that failed too."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0
        self._lock = threading.Lock()

    def add(self, requests: int, size: int = 0) -> None:
        """Count."""
        with self._lock:
            self.requests += requests
            self.bytes += size


#: Of this process.
traffic = Traffic()


class _Answer(Generic[T]):
    """A request under way, in a thread of its own: whoever waits for it can be interrupted."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._value: list[T] = []
        threading.Thread(target=self._run, name="kafkalog-remote", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value.append(self._ask())
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is wanted
            self._error = error
        self._done.set()

    def result(self) -> T:
        """The answer, when it is there."""
        self._done.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._value[0]


# --- what is known of a store -----------------------------------------------------------------------------------------


class _RemoteFolder(Folder):
    """A folder of a store; it is listed when somebody wants to know all that is in it.

    `known` is what is known to be in it, `missing` what is known not to be.
    """

    __slots__ = ("_root", "is_listed", "key", "known", "missing")

    def __init__(self, root: _Root, key: str) -> None:  # pylint: disable=super-init-not-called
        self._root = root
        self.key = key
        self.known: dict[str, Piece | Folder] = {}
        self.missing: set[str] = set()
        self.is_listed = False

    @property
    def nodes(self) -> dict[str, Piece | Folder]:  # type: ignore[override]
        """All that is in it."""
        if not self.is_listed:
            self._root.list_folder(self)
        return self.known

    def take(self, objects: Iterable[Found], folders: Iterable[str]) -> None:
        """All that is in it has been listed."""
        found: dict[str, Piece | Folder] = {
            name_of(one.key): self._root.piece(one)
            for one in objects
            if one.key != self.key  # as some tools mark folders
        }
        for name in folders:
            known = self.known.get(name)
            found[name] = known if isinstance(known, _RemoteFolder) else _RemoteFolder(self._root, below(self.key, name))
        self.known, self.is_listed = found, True

    def towards(self, names: Sequence[str]) -> tuple[Piece | Folder | None, Sequence[str]]:
        """What is known to stand below it under these names: how far that is known, and the names that are left.

        None: there is nothing of that name.
        """
        folder: _RemoteFolder = self
        for number, name in enumerate(names):
            node = folder.known.get(name)
            if node is None:
                return (None, ()) if folder.is_listed or name in folder.missing else (folder, names[number:])
            if not isinstance(node, _RemoteFolder):
                return (node if number + 1 == len(names) else None), ()
            folder = node
        return folder, ()


def below(key: str, name: str) -> str:
    """The key of what is in a folder."""
    return f"{key}/{name}" if key else name


def above(key: str) -> str:
    """The key of the folder that something is in."""
    return key.rpartition("/")[0]


def name_of(key: str) -> str:
    """The name of something in its folder."""
    return key.rpartition("/")[2]


class _Forbidden(UnreadableFile):
    """The store does not let it be read."""


class _Root:
    """A bucket, a server, or a file system of fsspec's, and what is known of it.

    Args:
        url: What names it, as it is shown.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = _store_of(url)
        self._folder = _RemoteFolder(self, "")
        self._lock = threading.RLock()
        self._failures = 0
        #: Whether its lists name versions as its answers do.
        self.lists_versions = True

    def url_of(self, key: str) -> str:
        """The URL of a key, as it is shown."""
        return below(self.url, key) if key else self.url

    # --- asking, patiently ---

    def ask(self, key: str, request: Callable[[], T]) -> T:
        """Make a request, several times if need be, and wait for the answer.

        Raises:
            FileNotFoundError: there is nothing at this key.
            Changed: it is another object than before.
            UnreadableFile: it cannot be had.
        """
        return _Answer(lambda: self.ask_here(key, request)).result()

    def ask_here(self, key: str, request: Callable[[], T]) -> T:
        """The same, in this thread."""
        pause = PAUSE
        for tried in range(1, TRIES + 1):
            if self._failures >= MOST_FAILURES:
                reason = f"not asked for: {self._failures} files of {self.url} could not be read, one after the other"
                raise UnreadableFile(self.url_of(key), reason)
            traffic.add(1)
            try:
                answer = request()
            except PermissionError:
                raise _Forbidden(self.url_of(key), _forbidden(self.url)) from None
            except Failed as error:
                if tried == TRIES:
                    self._failures += 1
                    what_to_do = "try again later, or copy it to a disk first"
                    reason = f"could not be read, tried {TRIES} times: {error.reason}; {what_to_do}"
                    raise UnreadableFile(self.url_of(key), reason) from None
                time.sleep(pause)
                pause *= 4
            except Refused as error:
                raise UnreadableFile(self.url_of(key), error.reason) from None
            else:
                self._failures = 0
                return answer
        raise AssertionError("it is tried once at least")

    # --- what there is ---

    def node(self, key: str) -> Piece | Folder | None:
        """What stands at a key, as it was when it was listed; None: nothing."""
        with self._lock:
            names = _names(key)
            node, left = self._folder.towards(names)
            if not left:
                return node
            if not self.store.can_list:
                return self._look(key)
            for folder in (key, above(key)) if _looks_like_folder(key) else (above(key), key):
                self._list(folder)
                node, left = self._folder.towards(names)
                if node is not None and not left:
                    return node
            return None

    def list_folder(self, folder: _RemoteFolder) -> None:
        """List a folder, unless that cannot be done: then what is known is all."""
        with self._lock:
            if not folder.is_listed and self.store.can_list:
                try:
                    found = self.ask(folder.key, lambda: self.store.listed(folder.key))
                except FileNotFoundError:
                    found = Listed([], [])
                folder.take(found.objects, found.folders)

    def _list(self, key: str) -> bool:
        """List what may be a folder; gives whether it is one."""
        try:
            found = self.ask(key, lambda: self.store.listed(key))
        except FileNotFoundError:
            return False
        if not found.objects and not found.folders:
            return False
        self._folder_at(key).take(found.objects, found.folders)
        return True

    def _look(self, key: str) -> Piece | None:
        """Ask for an object by its key."""
        folder, name = self._folder_at(above(key)), name_of(key)
        try:
            found = self.ask(key, lambda: self.store.look(key))
        except FileNotFoundError:
            folder.missing.add(name)
            return None
        node = folder.known[name] = self.piece(found)
        return node

    def _folder_at(self, key: str) -> _RemoteFolder:
        folder = self._folder
        for name in _names(key):
            node = folder.known.get(name)
            if not isinstance(node, _RemoteFolder):
                node = folder.known[name] = _RemoteFolder(self, below(folder.key, name))
            folder = node
        return folder

    def piece(self, found: Found) -> Piece:
        """An object as a file."""
        number = int.from_bytes(hashlib.sha256(repr(found[1:]).encode()).digest()[:7])
        opened = _Object(self, found) if found.version is None else _VersionedObject(self, found)
        return Piece(opened, 0, found.size, found.modified_ns, number)

    # --- as it is now ---

    def list_now(self, key: str) -> None:
        """List what is at a key, with all that is below it, again."""
        with self._lock:
            self._failures = 0
            self._forget(key)
            if not self.store.can_list:
                if not key or self._look(key) is None:
                    reason = "no such file; HTTP cannot list a directory: give the URL of a file or of an archive"
                    raise UnreadableFile(self.url_of(key), reason, is_missing=True)
            elif not _looks_like_folder(key):
                self._list_around(key)
                node, left = self._folder.towards(_names(key))
                if isinstance(node, Folder) and not left:
                    self._walk(key)
            elif not self._walk(key) and key:
                self._list_around(key)

    def _list_around(self, key: str) -> None:
        """List the folder that something is in, or ask for it alone where listing is forbidden."""
        try:
            self._list(above(key))
        except _Forbidden:
            self._look(key)

    def _forget(self, key: str) -> None:
        if not key:
            self._folder = _RemoteFolder(self, "")
            return
        self.forget_around(key)
        folder, left = self._folder.towards(_names(above(key)))
        if isinstance(folder, _RemoteFolder) and not left:
            folder.known.pop(name_of(key), None)

    def forget_around(self, key: str) -> None:
        """Let the folder that something is in be listed again by whoever looks next, for it has changed."""
        with self._lock:
            folder, left = self._folder.towards(_names(above(key)))
            if isinstance(folder, _RemoteFolder) and not left:
                folder.is_listed = False
                folder.missing.clear()
                folder.known = {name: node for name, node in folder.known.items() if isinstance(node, Folder)}

    def _walk(self, key: str) -> bool:
        """List a folder and all that is below it; gives whether there is anything."""
        try:
            objects = self.ask(key, lambda: self._all_below(key))
        except FileNotFoundError:
            return False
        inside: dict[str, tuple[list[Found], set[str]]] = {}
        for found in objects:
            at = above(found.key)
            inside.setdefault(at, ([], set()))[0].append(found)
            while at != key and len(at) > len(key):
                at, name = above(at), name_of(at)
                names = inside.setdefault(at, ([], set()))[1]
                if name in names:
                    break
                names.add(name)
        for at in sorted(inside):
            found_here, folders = inside[at]
            self._folder_at(at).take((one for one in found_here if name_of(one.key) not in folders), folders)
        return bool(objects)

    def _all_below(self, key: str) -> list[Found]:
        objects: list[Found] = []
        for number, page in enumerate(self.store.walk(key)):
            traffic.add(1 if number else 0)
            objects += (one for one in page if one.key != key)
            if len(objects) > _MOST_OBJECTS:
                raise Refused(f"has more than {_MOST_OBJECTS} objects: give the path of a log dir or a partition in it")
        return objects


def _names(key: str) -> list[str]:
    return key.split("/") if key else []


def _looks_like_folder(key: str) -> bool:
    """Whether a folder is called so, rather than a file: topics may have dots in their names, too."""
    name = name_of(key)
    return not is_kafka_file(name) and ("." not in name or parse_partition_name(name) is not None)


def _forbidden(url: str) -> str:
    names = _CREDENTIALS.get(scheme_of(url))
    return "permission denied" if names is None else f"permission denied: {names} must be of somebody who may read it"


#: The environment variables that say who asks, by scheme.
_CREDENTIALS = {
    **dict.fromkeys(("s3", "s3a"), "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION"),
    **dict.fromkeys(("az", "adl", "azure", "abfs", "abfss"), "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY"),
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}


def _store_of(url: str) -> Store:
    scheme = scheme_of(url)
    try:
        if "::" in url or scheme not in (*_OBJECT_STORES, *_SERVERS):
            from kafkalog.files.fsspec_store import FsspecStore

            return FsspecStore(whole(url))
        from kafkalog.files.object_store import HttpServer, ObjectStore
    except ImportError:
        raise ExtraMissing(f"{scheme}://", "kafkalog[remote]") from None
    return HttpServer(url) if scheme in _SERVERS else ObjectStore(url)


_OBJECT_STORES = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")
_SERVERS = ("http", "https")


# --- reading ----------------------------------------------------------------------------------------------------------


class _Beginnings:
    """The first bytes of objects that were read last, for who opens them again: indexes and checkpoints are small."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, Found], memoryview] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, url: str, found: Found) -> memoryview | None:
        """Those of an object; None: they are not kept."""
        with self._lock:
            data = self._held.get((url, found))
            if data is not None:
                self._held.move_to_end((url, found))
            return data

    def keep(self, url: str, found: Found, data: memoryview) -> None:
        """Keep those of an object, as long as there is room."""
        with self._lock:
            if (url, found) not in self._held:
                self._held[url, found] = data
                self._size += len(data)
            while self._size > _KEPT:
                self._size -= len(self._held.popitem(last=False)[1])


_beginnings = _Beginnings()


class _Object:
    """An object that was found; what reads it is made of it by `again`."""

    __slots__ = ("_found", "_root")

    def __init__(self, root: _Root, found: Found) -> None:
        self._root = root
        self._found = found

    def again(self) -> _Reader:
        """What reads it."""
        return _Reader(self._root, self._found)

    def read(self, size: int, position: int) -> bytes:
        """Bytes from a position on."""
        return self.again().read(size, position)

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer from a position on."""
        return self.again().read_into(buffer, position)

    def state(self) -> tuple[int, int]:
        """As it was found."""
        return self._found.size, self._found.modified_ns

    def close(self) -> None:
        """Nothing is open."""


class _VersionedObject(_Object, Versioned):
    """An object of which the store tells the version."""

    __slots__ = ()


class _Part:
    """Bytes of an object, from a position on."""

    __slots__ = ("begin", "data", "end")

    def __init__(self, begin: int, data: memoryview) -> None:
        self.begin = begin
        self.data = data
        self.end = begin + len(self.data)


class _Reader(_Object):
    """Reads an object: its first MiB, and 8 MiB at a time where it is read on, the next of them ahead.

    Two such parts are held, for two threads may be reading, one a little before the other.
    """

    __slots__ = ("_ahead", "_is_as_listed", "_lock", "_now", "_parts")

    def __init__(self, root: _Root, found: Found) -> None:
        super().__init__(root, found)
        #: What it must be: as it was listed, and from the first answer on as that said.
        self._now = found if root.lists_versions else found._replace(version=None)
        self._is_as_listed = root.lists_versions
        self._parts: list[_Part] = []
        self._ahead: tuple[int, _Answer[_Part]] | None = None
        self._lock = threading.Lock()

    def read(self, size: int, position: int) -> bytes:
        """Bytes from a position on; no more than are at hand."""
        if not size:
            return b""
        part = self._part(position)
        at = position - part.begin
        return bytes(part.data[at : at + size])

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer from a position on, with what is at hand."""
        part = self._part(position)
        at = position - part.begin
        count = min(len(buffer), part.end - position)
        buffer[:count] = part.data[at : at + count]
        return count

    def _part(self, position: int) -> _Part:
        with self._lock:
            for part in self._parts:
                if part.begin <= position < part.end:
                    return part
            reads_on = any(part.end == position for part in self._parts)
            part = self._fetch(position, NEXT if reads_on else FIRST)
            self._parts = [*self._parts[-1:], part]
            end = part.end
            if reads_on and end < self._found.size:
                self._ahead = (end, _Answer(lambda: self._get(end, NEXT)))
            return part

    def _fetch(self, position: int, size: int) -> _Part:
        kept = _beginnings.of(self._root.url, self._found)
        if kept is not None and position < len(kept):
            return _Part(0, kept)
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] != position:
            ahead = (position, _Answer(lambda: self._get(position, size)))
        try:
            part = ahead[1].result()
        except Changed:
            self._see_what_has_changed()
            return self._fetch(position, size)
        except FileNotFoundError:
            raise self._deleted() from None
        if not position:
            _beginnings.keep(self._root.url, self._found, part.data)
        return part

    def _get(self, begin: int, size: int) -> _Part:
        end = min(begin + size, self._found.size)
        restraint.wait_for(end - begin)
        key = self._found.key
        data, version = self._root.ask_here(key, lambda: self._root.store.get(self._now, begin, end))
        self._now, self._is_as_listed = self._now._replace(version=version), False
        traffic.add(0, end - begin)
        return _Part(begin, data)

    def _see_what_has_changed(self) -> None:
        """Raise what is to be told, unless only the list named the version otherwise than the answer did."""
        root, found = self._root, self._found
        root.forget_around(found.key)
        try:
            now = root.ask(found.key, lambda: root.store.look(found.key))
        except FileNotFoundError:
            raise self._deleted() from None
        listed = root.node(found.key) if root.store.can_list else None
        is_listed_as_it_was = isinstance(listed, Piece) and listed[1:] == root.piece(found)[1:]
        if now.size != found.size or not self._is_as_listed or not is_listed_as_it_was:
            raise FileChanged(root.url_of(found.key), found.size, now.size)
        root.lists_versions = self._is_as_listed = False
        self._now = found._replace(version=None)

    def _deleted(self) -> UnreadableFile:
        self._root.forget_around(self._found.key)
        reason = "it has been deleted since it was listed"
        return UnreadableFile(self._root.url_of(self._found.key), reason, is_missing=True)

    def close(self) -> None:
        """Let go of what is held."""
        self._parts, self._ahead = [], None


# --- by URL -----------------------------------------------------------------------------------------------------------

_roots: dict[str, _Root] = {}
_roots_lock = threading.Lock()


def _placed(url: str) -> tuple[_Root, str]:
    """The root of a URL, and the key below it."""
    text = root_of(url)
    with _roots_lock:
        if "::" in url:  # where in it the chain ends is told by what was given first
            text = max((one for one in _roots if f"{url}/".startswith(f"{one}/")), key=len, default=url)
        root = _roots.get(text)
        if root is None:
            forbid_forks()
            try:
                root = _roots[text] = _Root(text)
            except Refused as error:
                names = _CREDENTIALS.get(scheme_of(url), "")
                raise UnreadableFile(url, f"cannot be asked: {error.reason}{names and f' ({names})'}") from None
    return root, "/".join(filter(None, url[len(text) :].split("/")))


def node_of(url: str) -> Piece | Folder | None:
    """What stands at a URL, as it was when it was listed; None: nothing.

    Raises:
        ExtraMissing: what reads such URLs is not installed.
        RequestError: fsspec knows no such URLs.
        UnreadableFile: it cannot be asked.
    """
    root, key = _placed(url)
    return root.node(key)


def file_on_the_way(url: str) -> str | None:
    """The file that a URL is, or leads through as if it was a directory; None: there is none.

    Raises:
        ExtraMissing, RequestError, UnreadableFile: as for `node_of`.
    """
    root, key = _placed(url)
    while key:
        node = root.node(key)
        if node is not None:
            return root.url_of(key) if isinstance(node, Piece) else None
        key = above(key)
    return None


def list_now(url: str) -> None:
    """List what is at a URL, and all that is below it, as it is now.

    Raises:
        ExtraMissing, RequestError, UnreadableFile: as for `node_of`.
    """
    root, key = _placed(url)
    root.list_now(key)
