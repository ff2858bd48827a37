"""Compares `kafkalog dump` with what the real tool printed, case by case."""

from __future__ import annotations

import json
import lzma
import os
import re
import struct
from contextlib import contextmanager
from pathlib import Path

import click

from kafkalog.cli import dump as dump_command
from kafkalog.core.checksum import crc32c

DECODER = re.compile(r"--(offsets|transaction-log|cluster-metadata|remote-log-metadata|share-group-state)-decoder")

#: What kafkalog says, with exit status 1, of what is sound and the real tool passes over.
NOT_PRINTED = re.compile(r"^kafkalog: .*: not (?:printed|compared): .*; Kafka's own tool .*\n", re.MULTILINE)

#: Cases that cannot be compared, with the reason. docs/limits.md tells the same to users; a test holds both together.
EXCLUSIONS = {
    r"usage/(help|help-with-files|version|version-with-files|no-arguments)$": "help and version texts are kafkalog's own",
    r"usage/(unknown-option|unknown-short|no-files|files-without-argument|abbreviation|files-twice|max-bytes-none)$": "syntax "
    "errors are kafkalog's own, exit status 2",
    r"usage/(max-bytes|max-message-size)=(abc|2147483648|1e3| 5)$": "syntax errors are kafkalog's own, exit status 2",
    r"usage/(leftover-word|double-dash)$": "words left over are PATHs in kafkalog",
    r"usage/(unreadable|read-only)-": "run as another user; kafkalog reads what it may read",
}


def cases(path: Path):
    """The cases of a golden file, `same_as` resolved."""
    known = {}
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            case = json.loads(line)
            if case["case"] != known.get("case"):
                known = {"case": case["case"]}
            if "same_as" in case:
                case |= {key: known[case["same_as"]].get(key) for key in ("stdout", "stderr", "rc", "stdout_cut", "stderr_cut")}
            known[case["options"]] = case
            yield case


def edited(data: bytes, edits: list) -> bytes:
    """A base file with the edits of a case (see the README of the golden files)."""
    data = bytearray(data)
    for name, *where in edits:
        if name == "cut":
            del data[where[0] :]
        elif name == "add":
            data += bytes.fromhex(where[0])
        elif name == "new":
            data = bytearray(bytes.fromhex(where[0]))
        elif name == "set":
            piece = bytes.fromhex(where[1])
            data[where[0] : where[0] + len(piece)] = piece
        elif name == "xor":
            data[where[0]] ^= where[1]
        elif name == "crc":
            size = struct.unpack_from(">i", data, where[0] + 8)[0] + 12
            struct.pack_into(">I", data, where[0] + 17, crc32c(bytes(data[where[0] + 21 : where[0] + size])))
        elif name == "snapcrc":
            struct.pack_into(">I", data, 2, crc32c(bytes(data[6:])))
        else:
            raise AssertionError(name)
    return bytes(data)


@contextmanager
def inside(directory: str | os.PathLike):
    """The working directory of a case."""
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def run(arguments: list[str]) -> tuple[int, bytes, str]:
    """Exit status, stdout and stderr of `kafkalog dump`, in this process."""
    out: list[bytes] = []
    told: list[str] = []
    with _replaced("write_bytes", lambda data: out.append(bytes(data))), _replaced("say", told.append):
        try:
            status = dump_command.command.main(arguments, prog_name="dump", standalone_mode=False)
        except click.ClickException as error:
            return 2, b"".join(out), str(error)
    return int(status or 0), b"".join(out), "".join(f"{line}\n" for line in told)


@contextmanager
def _replaced(name: str, value):
    before = getattr(dump_command, name)
    setattr(dump_command, name, value)
    try:
        yield
    finally:
        setattr(dump_command, name, before)


def excluded(case: dict) -> str | None:
    """Why a case is not compared, None if it is."""
    return next((reason for pattern, reason in EXCLUSIONS.items() if re.match(pattern, case["case"])), None)


def blocks(text: str) -> set[tuple[str, ...]]:
    """The report blocks of stderr: their order among each other follows a hash of absolute paths."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if not found or not line.startswith(("  ", "Indexed offset: ")):
            found.append([])
        found[-1].append(line)
    return {tuple(block) for block in found}


def as_the_tool_tells(status: int, err: str) -> tuple[int, str, bool]:
    """Exit status and stderr without what kafkalog says of what the tool passes over in silence, and whether it says any."""
    rest = NOT_PRINTED.sub("", err)
    return (0 if status == 1 else status, rest, True) if rest != err else (status, err, False)


def difference(case: dict, release: str, directory: str) -> str | None:
    """How kafkalog's output differs from the tool's in the working directory of the case, None if it does not."""
    arguments = [_from_working_directory(word, case).replace("@CWD@", directory) for word in case["args"]]
    # A name that begins with a dash would be an option.
    status, out, err = run(["--kafka-version", release, *arguments])
    want_out = (case.get("stdout") or "").replace("@CWD@", directory).replace("[B@@HASH@", "[B@0").encode()
    want_err = (case.get("stderr") or "").replace("@CWD@", directory)
    if "is not a recognized option" in want_err:
        return None if status == 2 else f"exit status {status} for an option that is younger than the release"
    status, err, told = as_the_tool_tells(status, err)
    if status != case["rc"] and not (told and case["rc"]):
        return f"exit status {status}, the tool's was {case['rc']}; stderr {err[:300]!r}, the tool's {want_err[:200]!r}"
    if case.get("stdout_cut"):
        half = len(want_out) // 2
        same = out.startswith(want_out[:half]) and (status != 0 or out.endswith(want_out[half:]))
        return None if same else "stdout differs in the parts that were kept"
    if case["rc"] == 0:
        if out != want_out:
            return _first_difference(out, want_out)
        if err != want_err and (blocks(err) != blocks(want_err) or len(blocks(err)) < 2):
            return f"stderr {err[:500]!r}, the tool's {want_err[:500]!r}"
        return None
    if not out.startswith(want_out):
        return _first_difference(out, want_out)
    if want_out and not want_out.endswith(b"\n") and out[len(want_out) : len(want_out) + 1] != b"\n":
        return f"the broken line goes on: {out[len(want_out) - 80 : len(want_out) + 80]!r}"
    return None if "kafkalog: " in err or told else "nothing on stderr"


def _from_working_directory(word: str, case: dict) -> str:
    """An argument. Where a recording kept its working directory as it was called, stdout tells how much of the path that is."""
    below = re.search(r"^Dumping @CWD@(/\S+)$", case.get("stdout") or "", re.MULTILINE)
    return f"@CWD@{below[1]}" if below and word.startswith("/") and word.endswith(below[1]) else word


def _first_difference(out: bytes, want: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(out, want, strict=False)) if a != b), min(len(out), len(want)))
    low = max(0, at - 60)
    return f"stdout differs at byte {at}: {out[low : at + 80]!r}, the tool's {want[low : at + 80]!r}"
