"""Object stores (S3, Google Cloud Storage, Azure) and single files by HTTP, through obstore.

Credentials, regions and endpoints are taken from where obstore takes them: the environment.
"""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import obstore
from obstore import exceptions
from obstore.store import HTTPStore, from_url

from kafkalog.files.remote_store import CUT_OFF, Changed, Failed, Found, Listed, Refused, is_another, whole
from kafkalog.files.urls import credentials_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["SCHEMES", "HttpServer", "ObjectStore"]

#: What `ObjectStore` reads; `HttpServer` reads the rest of what obstore does.
SCHEMES = frozenset(("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss"))

#: Seconds: for a connection, without any byte, and for a whole answer (8 MiB, at most).
CONNECT, READ, WHOLE = 10.0, 20.0, 120.0
#: Objects that a store lists at a time.
_PAGE = 1000

_STATUS = re.compile(r"status code: (\d{3})([A-Za-z ]*)")
_MESSAGE = re.compile(r'message: "([^"]*)"|error: "([^"]*)"')
#: Answers that may be others the next time.
_PASSING = (408, 425, 429)
#: A version that is the time of the last modification; and what versions begin with that can be no condition: a weak ETag
#: never matches.
_TIME = "at "
_NO_STRONG_ETAG = (_TIME, "W/")
#: How a problem below HTTP shows in the text of an error, and what to say.
_TROUBLES = (
    (re.compile("TimedOut|timed out|kind: Timeout"), "it did not answer in time"),
    (re.compile("dns error|failed to lookup"), "no machine has this name"),
    (re.compile("ConnectionRefused"), "nobody listens there"),
    (re.compile("kind: Connect|ConnectError"), "no connection to it"),
    (re.compile("kind: Body|kind: Decode|IncompleteMessage|UnexpectedEof|IncompleteBody|ConnectionReset"), CUT_OFF),
)


def _options(**more: Any) -> dict[str, Any]:
    """Of a store: how patient it is, and that it does not try again by itself (`files.remote` does, and counts)."""
    options = {"allow_http": True, "connect_timeout": f"{CONNECT}s", "read_timeout": f"{READ}s", "timeout": f"{WHOLE}s"}
    return {"client_options": {**options, **more}, "retry_config": {"max_retries": 0}}


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in our words how the store refuses: its own hold URLs, which may hold signatures."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise PermissionError from None
    except exceptions.PreconditionError:
        raise Changed(None) from None
    except exceptions.NotSupportedError:
        raise Refused("the server does not give parts of a file (HTTP ranges): copy it to a disk first") from None
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise _refusal(str(error)) from None


@contextmanager
def _lists() -> Iterator[None]:
    """The same of a list: that of a folder which is not there is empty."""
    try:
        with _refusals():
            yield
    except FileNotFoundError:
        raise Refused("there is no bucket or container of this name") from None


def _refusal(text: str) -> Exception:
    status = _STATUS.search(text)
    if status is not None:
        number, words = int(status[1]), status[2].strip()
        answer = f"the server answered {number}{words and ' '}{words}"
        if number in (401, 403):
            return PermissionError()
        if number == 404:
            return FileNotFoundError()
        if 300 <= number < 400:
            return Refused(f"{answer}: it is elsewhere, for a bucket in another region (AWS_REGION)")
        return Refused(answer) if 400 <= number < 500 and number not in _PASSING else Failed(answer)
    for pattern, words in _TROUBLES:
        if pattern.search(text):
            return Failed(words)
    first = text.partition("\n")[0].partition(" http")[0]
    return Failed(first.removeprefix("Generic ").partition(" error: ")[2] or first or "it failed")


def _nanoseconds(when: datetime | None) -> int:
    return 0 if when is None else int(when.timestamp() * 1e9)


def _found(meta: Any) -> Found:
    modified = _nanoseconds(meta["last_modified"])
    # Azure puts ETags between quotes in answers, and not in lists.
    version = meta["e_tag"].strip('"') if meta["e_tag"] else f"{_TIME}{modified}" if modified else None
    return Found(meta["path"], meta["size"], modified, version)


class ObjectStore:
    """A bucket or a container.

    Args:
        root: Its URL.
    """

    can_list = True

    def __init__(self, root: str) -> None:
        with _refusals():
            self._store: Any = from_url(root, **_options())

    def walk(self, key: str) -> Iterator[list[Found]]:
        """All objects below a folder."""
        with _lists():
            for chunk in obstore.list(self._store, prefix=key or None, chunk_size=_PAGE):
                yield [_found(meta) for meta in chunk]

    def listed(self, key: str) -> Listed:
        """What is in a folder."""
        with _lists():
            result = obstore.list_with_delimiter(self._store, key or None)
        folders = [prefix.rstrip("/").rpartition("/")[2] for prefix in result["common_prefixes"]]
        return Listed([_found(meta) for meta in result["objects"]], folders)

    def look(self, key: str) -> Found:
        """An object that is known by its key only."""
        with _refusals():
            return _found(obstore.head(self._store, key))

    def get(self, found: Found, begin: int, end: int) -> tuple[memoryview, str | None]:
        """Bytes of an object, and its version."""
        return _get(self._store, found, begin, end)


def _get(store: Any, found: Found, begin: int, end: int) -> tuple[memoryview, str | None]:
    options: Any = {} if (begin, end) == (0, found.size) else {"range": (begin, end)}
    if found.version is not None and not found.version.startswith(_NO_STRONG_ETAG):
        options["if_match"] = f'"{found.version}"'
    with _refusals():
        result = obstore.get(store, found.key, options=options)
        now = _found(result.meta)
        if is_another(now, found):
            raise Changed(now.size)
        data = memoryview(result.bytes())
    return whole(data, end - begin), now.version


class HttpServer:
    """Files behind an HTTP server, each by its own URL: HTTP has no way to list a directory.

    Args:
        root: The URL of the server.
    """

    can_list = False

    def __init__(self, root: str) -> None:
        self._root = root
        #: By what a URL has that is not shown; each keeps its connections.
        self._stores: dict[tuple[str | None, str], Any] = {}

    def walk(self, key: str) -> Iterator[list[Found]]:
        """Nothing can be listed."""
        del key
        yield from ()

    def listed(self, key: str) -> Listed:
        """Nothing can be listed."""
        del key
        return Listed([], [])

    def look(self, key: str) -> Found:
        """A file. Asked for as a whole, and left at that: a signature for GET does not hold for HEAD."""
        with _refusals():
            return _found(obstore.get(self._store_of(key), unquote(key)).meta)._replace(key=key)

    def get(self, found: Found, begin: int, end: int) -> tuple[memoryview, str | None]:
        """Bytes of a file, and its version."""
        return _get(self._store_of(found.key), found._replace(key=unquote(found.key)), begin, end)

    def _store_of(self, key: str) -> Any:
        user, query = hidden = credentials_of(f"{self._root}/{key}")
        if hidden not in self._stores:
            headers = {}
            if user is not None:
                headers["authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
            with _refusals():
                url = f"{self._root}{query and '/?'}{query}"
                self._stores[hidden] = HTTPStore.from_url(url, **_options(default_headers=headers))
        return self._stores[hidden]
