"""The transcripts of `docs/tour.md`: each command is run, and what it prints is what the page shows."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
from functools import cache

__all__ = ["SETUP", "STEPS", "transcript"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: What the reader types first; shown on the page as it is.
SETUP = """\
cp -r fixtures/broker/2.1.1/plain/twitter-status-0 case-0
printf '#' | dd of=case-0/00000000000000000147.log bs=1 seek=8116 conv=notrunc status=none
"""
#: Name of the part → the command that a reader types.
STEPS = {
    "tour-verify": "kafkalog verify --now 2027-01-01 --kafka-version 2.8 case-0",
    "tour-dump": "kafkalog dump --kafka-version 2.1 --offsets 185:187 --print-data-log case-0",
    "tour-next-start": "kafkalog next-start --assume-stop unclean --kafka-version 2.8 case-0",
    "tour-lines": "kafkalog verify --now 2027-01-01 --quick --format jsonl --kafka-version 2.8 --select 'batch-*' case-0",
}


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """A directory with the damaged copy, and `kafkalog` as a command."""
    place = tempfile.TemporaryDirectory(prefix="kafkalog-tour-")
    root = pathlib.Path(place.name)
    (root / "fixtures").symlink_to(ROOT / "fixtures")
    command = root / "bin" / "kafkalog"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m kafkalog "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    subprocess.run(["bash", "-ec", SETUP], cwd=root, check=True)
    return place


def transcript(name: str) -> str:
    """A command and its output, as a console block."""
    place = _place().name
    environment = {**os.environ, "PATH": f"{place}/bin:{os.environ['PATH']}", "COLUMNS": "120"}
    done = subprocess.run(["bash", "-c", STEPS[name]], cwd=place, env=environment, capture_output=True, text=True, check=False)
    return f"```console\n$ {STEPS[name]}\n{done.stdout}{done.stderr}```\n"
