"""A journal: results of a long run, one a line, in a file that outlives the run however it ends.

Each line goes to the file in one piece as soon as there is something to note, and carries its own checksum. So whatever ended a
run, what it leaves is whole lines and perhaps a torn one at the end, which the next run cuts off. It holds JSON and nothing
else: reading one runs nothing of what is in it.
"""

from __future__ import annotations

import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.checksum import crc32c
from kafkalog.errors import RequestError, UnwritableFile
from kafkalog.files.output_file import check_apart, open_to_append
from kafkalog.files.source import describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Journal"]

#: Schemas of journals.
_JOURNALS = re.compile(r"kafkalog\.(\w+-)?journal/\d{1,9}", re.ASCII)
_DIGITS = 64
_BEFORE_BODY = len(b'{"crc": "00000000", ')
_BEFORE_KEY = _BEFORE_BODY + len(b'"key": "')
#: Bytes of a line; what is longer is not noted.
_MOST = 64 << 20
#: Bytes of the first line.
_MOST_OF_HEAD = 1 << 16


class _Place(NamedTuple):
    """Where a line is."""

    position: int
    size: int


class Journal:
    """A journal that is open, for one run at a time.

    Args:
        path: The file; one that is not there is begun.
        examined: The paths that are examined: a journal is none of these, nor in one of them.
        schema: What is noted, and how; the journals of another are refused.

    Raises:
        RequestError: it is in an examined path, of another schema, no journal at all, or another run has it open.
        UnwritableFile: the system refuses.
    """

    def __init__(self, path: str, examined: Iterable[str], schema: str) -> None:
        self.path = path
        self._schema = schema
        if path in ("", "-"):
            raise RequestError(f"{path!r} is no name of a file, and a journal is kept in one")
        check_apart(path, examined)
        self._file = open_to_append(path)
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}
        self._end = 0
        self._error: OSError | None = None
        #: What the first line says; None as long as there is none.
        self.head: dict[str, Any] | None = None
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        """Find out what is noted already, and cut off a torn end."""
        with os.fdopen(self._file, "rb", closefd=False) as lines:
            first = lines.readline(_MOST_OF_HEAD)
            if first.endswith(b"\n"):
                self.head = self._head_in(first)
                self._end = len(first)
            elif first and not self._is_torn_head(first):
                raise self._no_journal()
            while self._end and (line := lines.readline(_MOST)):
                if not line.endswith(b"\n") and len(line) < _MOST:
                    break
                if _is_sound(line):
                    self._places[line[_BEFORE_KEY : _BEFORE_KEY + _DIGITS].decode("ascii")] = _Place(self._end, len(line))
                self._end += len(line)
        self._cut(self._end)

    def _cut(self, end: int) -> None:
        try:
            os.ftruncate(self._file, end)
        except OSError as error:
            raise UnwritableFile(self.path, describe_os_error(error)) from None
        self._end = end

    def _head_in(self, line: bytes) -> dict[str, Any]:
        try:
            head = json.loads(line)
        except ValueError:
            head = None
        if not isinstance(head, dict) or not _JOURNALS.fullmatch(str(head.get("schema"))):
            raise self._no_journal()
        if head["schema"] != self._schema:
            raise RequestError(f"{self.path} is a {head['schema']}, and this run reads and writes a {self._schema}")
        return head

    def _is_torn_head(self, text: bytes) -> bool:
        """Whether a run ended while it wrote the first line."""
        whole = json.dumps({"schema": self._schema})[:-1].encode()
        return whole.startswith(text) or text.startswith(whole)

    def _no_journal(self) -> RequestError:
        what_to_do = "move it away, or name another file"
        return RequestError(f"{self.path} is no journal of kafkalog's, and is left as it is: {what_to_do}")

    def begin(self, head: dict[str, Any]) -> None:
        """Begin anew: with the first line, and nothing of what was noted before.

        Raises:
            UnwritableFile: the system refuses.
        """
        self._cut(0)
        self._places.clear()
        self.head = {"schema": self._schema, **head}
        self._write((json.dumps(self.head) + "\n").encode())
        self.check()

    def get(self, key: str) -> Any:
        """What was noted last under a key; None when nothing was."""
        place = self._places.get(key)
        if place is None:
            return None
        try:
            data = os.pread(self._file, place.size, place.position)
        except OSError as error:
            raise UnwritableFile(self.path, describe_os_error(error)) from None
        return json.loads(data) if _is_sound(data) else None

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Note something under a key of 64 hexadecimal digits, from any thread; `check` tells whether that failed."""
        body = json.dumps({"key": key, **row}).encode()[1:] + b"\n"
        line = b'{"crc": "%08x", ' % crc32c(body) + body
        with self._lock:
            if len(line) < _MOST and key not in self._places and self._write(line):
                self._places[key] = _Place(self._end - len(line), len(line))

    def _write(self, line: bytes) -> bool:
        left = memoryview(line)
        try:
            while left and self._error is None:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self._error = error
        self._end += len(line)
        return not left

    def check(self) -> None:
        """See that all was noted.

        Raises:
            UnwritableFile: the system refused.
        """
        if self._error is not None:
            reason = describe_os_error(self._error)
            raise UnwritableFile(self.path, f"{reason}. What was noted before is kept: make room, and run the same again")

    def remove(self) -> None:
        """Delete the file: all that was noted has come to its end.

        Raises:
            UnwritableFile: the system refuses.
        """
        try:
            os.unlink(self.path)
        except OSError as error:
            raise UnwritableFile(self.path, describe_os_error(error)) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _is_sound(line: bytes) -> bool:
    """Whether a line is as it was written."""
    crc = b'{"crc": "%08x", "key": "' % crc32c(line[_BEFORE_BODY:])
    return line.startswith(crc) and line.endswith(b"\n") and line[_BEFORE_KEY : _BEFORE_KEY + _DIGITS].isalnum()
