"""The damaged log dirs of `KAFKALOG_BROKER_STARTS`: which bytes an edit changed, and which findings name them."""

from __future__ import annotations

import json
import lzma
import os
import pathlib
import subprocess
import sys
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
    own, other = os.path.basename(finding.path), os.path.basename(str(finding.facts.get("file", "")))
    for place in places:
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
