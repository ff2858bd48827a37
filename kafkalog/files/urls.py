"""URLs in the place of paths: which texts are some, and what of them is never shown."""

from __future__ import annotations

import re

__all__ = ["credentials_of", "is_url", "root_of", "scheme_of", "shown", "whole"]

#: `C:/logs` is none: a scheme has two characters at least. `zip::s3://…` is how fsspec chains file systems.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?:://|::)")
_ROOT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*")
_WITH_PASSWORD = re.compile(r"(://)[^/@]*:[^/@]*@")

#: What was left out of the URLs that are shown: by the URL as it is shown, the whole of it.
_whole: dict[str, str] = {}


def is_url(path: str) -> bool:
    """Whether a path leads to another machine, or to what only fsspec knows.

    >>> is_url("s3://bucket/logs"), is_url("C:/logs"), is_url("logs/orders-0")
    (True, False, False)
    """
    return ":" in path and _URL.match(path) is not None


def scheme_of(url: str) -> str:
    """Its scheme, in small letters."""
    match = _URL.match(url)
    return "" if match is None else match[1].lower()


def root_of(url: str) -> str:
    """The part of a URL that names a bucket, a container or a server; all of it where file systems are chained."""
    match = _ROOT.match(url)
    return url if match is None or "::" in url else match[0]


def shown(path: str) -> str:
    """A path as it is shown: a URL without passwords and signatures. They are remembered for whoever opens it.

    `file:///logs` is `/logs`.

    >>> shown("https://me:secret@example.com/orders-0/00000000000000000000.log?X-Amz-Signature=0a1b")
    'https://example.com/orders-0/00000000000000000000.log'
    """
    if not is_url(path):
        return path
    if path.startswith("file://"):
        return path.removeprefix("file://")
    text = _WITH_PASSWORD.sub(r"\1", path.partition("?")[0])
    if text != path:
        _whole[text.rstrip("/")] = path
        _whole[root_of(text)] = root_of(path.partition("?")[0])
    return text


def whole(url: str) -> str:
    """A URL with what is not shown of it."""
    return _whole.get(url, url)


def credentials_of(url: str) -> tuple[str | None, str]:
    """What of a URL is not shown: `user:password`, None without; and the query, "" without."""
    path, _, query = _whole.get(url, _whole.get(root_of(url), url)).partition("?")
    match = _WITH_PASSWORD.search(path)
    return (None if match is None else match[0][3:-1]), query
