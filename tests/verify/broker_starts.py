"""The damaged log dirs of `KAFKALOG_BROKER_STARTS`: which bytes an edit changed, and which findings name them."""

from __future__ import annotations

import json
import lzma
import os
import pathlib
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.verify import Finding, Report, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKER_STARTS = os.environ.get("KAFKALOG_BROKER_STARTS", "")
STOPS = ("clean", "unclean", "unclean-active", "unclean-zero")
_FAR = 1 << 62


class Touched(NamedTuple):
    """A file that an edit changed; None when it is gone."""

    name: str
    start: int | None
    end: int | None


def cases(stop: str) -> Iterator[dict[str, Any]]:
    """The cases of one kind of stop."""
    with lzma.open(pathlib.Path(BROKER_STARTS) / "cases.jsonl.xz", "rt") as lines:
        for line in lines:
            case = json.loads(line)
            if case["shutdown"] == stop and not case["id"].startswith("level:"):
                yield case


def log_dir_cases() -> Iterator[dict[str, Any]]:
    """The cases that change log dirs themselves, `damage` in the form of the others."""
    with lzma.open(pathlib.Path(BROKER_STARTS) / "cases.jsonl.xz", "rt") as lines:
        for line in lines:
            case = json.loads(line)
            if case["id"].startswith("level:"):
                changed = {*case["damage"], *case["entries_added_or_removed"]}
                if case["shutdown"] != "clean":
                    changed = {name for name in changed if os.path.basename(name) != ".kafka_cleanshutdown"}
                # Of a directory that came, went or changed only the text files are listed: any file of it names it.
                changed |= {f"{parent}/" for name in changed if (parent := os.path.dirname(name)) not in ("", "d1", "d2")}
                case["damage"] = [{"op": "delete", "file": name} for name in sorted(changed)]
                yield case


def lay_out_log_dirs(folder: pathlib.Path) -> pathlib.Path:
    """Unpack the log dirs of those cases; gives the folder that holds `<id without level:>/before/d1` and `d2`."""
    with tarfile.open(pathlib.Path(BROKER_STARTS) / "level.tar.xz") as archive:
        archive.extractall(folder, members=[member for member in archive if "/before" in member.name])
    return folder / "level"


def lay_out(stop: str, folder: pathlib.Path) -> pathlib.Path:
    """Lay out every case of a kind of stop; gives the folder that holds one log dir per case id."""
    script = pathlib.Path(BROKER_STARTS) / "materialize.py"
    subprocess.run([sys.executable, str(script), "--all", stop, str(folder)], check=True, capture_output=True)
    return folder


def touched(case: dict[str, Any]) -> Iterator[Touched]:
    """The places that the edits of a case changed."""
    for edit in case["damage"]:
        name, position = edit.get("file"), edit.get("pos") or 0
        match edit["op"]:
            case "append":
                yield Touched(name, position, position + max(1, len(edit["bytes"] or "") // 2 or edit["zeros"] or 1))
            case "write":
                yield Touched(name, position, position + len(edit["after"]) // 2)
            case "insert":
                yield Touched(name, position, position + len(edit["bytes"]) // 2)
            case "truncate":
                yield Touched(name, edit["size_after"], _FAR)
            case "remove-range":
                yield Touched(name, position, position + 1)
            case "delete" | "mkdir":
                yield Touched(name, None, None)
            case "delete-directory":
                yield Touched(case["partition"], None, None)
            case "rename":
                yield Touched(name, None, None)
                yield Touched(edit["to"], 0, _FAR)
            case "copy":
                yield Touched(edit["to"], 0, _FAR)
            case _:
                yield Touched(name, 0, _FAR)


def is_named(places: list[Touched], finding: Finding) -> bool:
    """Whether a finding names one of the places: by its own span, or by the file that it is a witness of."""
    paths = (finding.path, str(finding.facts.get("file", "")))
    own, other = map(os.path.basename, paths)
    folders = {os.path.basename(os.path.dirname(path)) for path in paths}
    for place in places:
        if place.name.endswith("/") and os.path.basename(place.name[:-1]) in {own, other, *folders}:
            return True
        name = os.path.basename(place.name)
        span = finding.span
        if own == name:
            if span is None or place.start is None or place.end is None:
                return True
            if span.start <= place.end and span.end >= place.start:
                return True
        if other == name:
            return True
    return False


def is_detected(case: dict[str, Any], report: Report) -> bool:
    """Whether a WARNING or an ERROR names what a case damaged."""
    places = list(touched(case))
    return any(f.severity >= Severity.WARNING and is_named(places, f) for f in report.all_findings())
