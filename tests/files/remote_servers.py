"""Servers in this process, on a port of their own: S3 (moto) and plain HTTP. They count requests, and fail if told."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs
from wsgiref.headers import Headers


class Asked(NamedTuple):
    """A request: its method, its path, its query, and which bytes it wants."""

    method: str
    path: str
    query: str
    range: str | None

    @property
    def lists(self):
        """Whether it lists a bucket."""
        return self.method == "GET" and ("list-type=2" in self.query or "prefix=" in self.query)


class Served:
    """A WSGI application behind a counter.

    `fault` is asked before each request; what it returns is answered instead, a status such as "500 Internal Server Error";
    or "cut": the answer ends in its middle; or "hang": it does not come as long as `released` is not set.
    """

    def __init__(self, application):
        self._application = application
        self.asked = []
        self.fault = lambda asked: None  # noqa: ARG005
        self.released = threading.Event()
        self.url = ""

    def __call__(self, environ, start_response):
        asked = Asked(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_RANGE")
        )
        self.asked.append(asked)
        fault = self.fault(asked)
        if fault == "hang":
            self.released.wait(60)
        elif fault not in (None, "cut"):
            start_response(fault, [("Content-Length", "0")])
            return [b""]
        body = self._application(environ, start_response)
        return [b"".join(body)[:-1]] if fault == "cut" else body


@contextmanager
def serving(application):
    """The application, counted, on a port of its own."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, *_args):
            pass

        def log(self, *_args):
            pass

    served = Served(application)
    server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def s3():
    """An S3 of moto's, with a bucket `bucket`."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    with serving(DomainDispatcherApplication(create_backend_app)) as served:
        yield served


def plain_files(files, *, ranges=True, etags=True, users=(), signature=None):
    """An application that gives bytes by their path, as a plain HTTP server does."""

    def application(environ, start_response):
        headers = Headers([])
        data = files.get(environ["PATH_INFO"])
        status = "200 OK"
        if users and environ.get("HTTP_AUTHORIZATION") not in users:
            status, data = "401 Unauthorized", b""
        elif signature is not None and signature not in environ.get("QUERY_STRING", ""):
            status, data = "403 Forbidden", b""
        elif data is None:
            status, data = "404 Not Found", b""
        etag = f'"{hashlib.sha256(data).hexdigest()[:12]}"'
        if status == "200 OK":
            if environ.get("HTTP_IF_MATCH", etag) != etag:
                status, data = "412 Precondition Failed", b""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", ""))
            headers["Last-Modified"] = "Sun, 13 Sep 2020 12:26:40 GMT"
            if etags:
                headers["ETag"] = etag
            if ranges and wanted is not None and status == "200 OK":
                begin, end = int(wanted[1]), min(int(wanted[2]) + 1, len(data))
                headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
                status, data = "206 Partial Content", data[begin:end]
        headers["Content-Length"] = str(len(data))
        start_response(status, headers.items())
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else data]

    return application


def put(key, data, modified=None):
    """Put an object that anybody may read into moto's S3, past its server."""
    from moto.s3.models import get_canned_acl

    store = _backend()
    if "bucket" not in store.buckets:
        store.create_bucket("bucket", "us-east-1")
    made = store.put_object("bucket", key, data)
    made.set_acl(get_canned_acl("public-read"))
    if modified is not None:
        made.last_modified = datetime.fromtimestamp(modified, UTC).replace(tzinfo=None)


def put_tree(folder, key):
    """Put a directory with all that is in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            put(f"{key}/{path.relative_to(folder)}", path.read_bytes(), path.stat().st_mtime)


def azure(files, list_etag="{}"):
    """An application that gives blobs of a container by their keys; `list_etag` is how its lists spell an ETag."""
    from xml.sax.saxutils import escape

    objects = plain_files({f"/container/{key}": data for key, data in files.items()})

    def application(environ, start_response):
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if query.get("comp") != ["list"]:
            return objects(environ, start_response)
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        folders, blobs = set(), ""
        for key, data in files.items():
            rest = key.removeprefix(prefix)
            if key.startswith(prefix) and delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            elif key.startswith(prefix):
                etag = list_etag.format(hashlib.sha256(data).hexdigest()[:12])
                blobs += f"""<Blob><Name>{key}</Name><Properties><Content-Length>{len(data)}</Content-Length>
                    <Last-Modified>Sun, 13 Sep 2020 12:26:40 GMT</Last-Modified><Etag>{escape(etag)}</Etag>
                    <Content-Type>application/octet-stream</Content-Type></Properties></Blob>"""
        blobs += "".join(f"<BlobPrefix><Name>{one}</Name></BlobPrefix>" for one in sorted(folders))
        text = f'<?xml version="1.0"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'.encode()
        start_response("200 OK", [("Content-Length", str(len(text))), ("Content-Type", "application/xml")])
        return [text]

    return application


def delete(key):
    """Delete an object."""
    _backend().delete_object("bucket", key)


def _backend():
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
