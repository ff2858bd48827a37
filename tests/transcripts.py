"""What the docs show of a terminal: commands are run in this process, on a terminal of so many columns, at a fixed time."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from unittest import mock

from kafkalog.cli.main import main
from kafkalog.errors import KafkalogError

__all__ = ["COLUMNS", "place", "shown", "transcript"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = 100
#: 2027-01-01: the present of all transcripts, after everything in `fixtures/`.
_NOW = 1_798_761_600


class _Terminal(io.StringIO):
    """A terminal that keeps what it was shown."""

    def isatty(self) -> bool:
        return True


@cache
def place(setup: str) -> str:
    """A directory in which a setup was typed."""
    folder = tempfile.TemporaryDirectory(prefix="kafkalog-docs-")
    _KEPT.append(folder)
    (pathlib.Path(folder.name) / "fixtures").symlink_to(ROOT / "fixtures")
    subprocess.run(["bash", "-ec", setup], cwd=folder.name, check=True)
    return folder.name


#: Removed when the process ends.
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def shown(line: str, folder: str, *, columns: int = COLUMNS, color: str = "never") -> str:
    """What a line shows that a reader types in a folder: `kafkalog …`, maybe with `| head -N` after it."""
    typed, _, head = line.partition(" | head -")
    name, *words = shlex.split(typed)
    assert name == "kafkalog", line
    if words[0] == "dump":  # its bytes go past sys.stdout
        command = [sys.executable, "-m", name, *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    screen, complaints = _Terminal(), io.StringIO()
    environment = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "" if color == "always" else "1"}
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment),
        mock.patch("time.time", return_value=_NOW),
        mock.patch("time.time_ns", return_value=_NOW * 1_000_000_000),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(complaints),
    ):
        try:
            main.main(args=words, prog_name="kafkalog", standalone_mode=False)
        except KafkalogError as error:
            complaints.write(f"kafkalog: {error}\n")
    text = screen.getvalue() + complaints.getvalue()
    return "".join(text.splitlines(keepends=True)[: int(head)]) if head else text


def transcript(setup: str, line: str, columns: int = COLUMNS) -> str:
    """A command and what it shows, as a console block."""
    text = shown(line, place(setup), columns=columns)
    assert not re.search(r"\x1b|/tmp/|Traceback", text), text
    return f"```console\n$ {line}\n{text}```\n"
