"""The real tool's own output, case by case: what `kafkalog dump` prints must equal it byte for byte."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from kafkalog.core.release import release_text
from kafkalog.dump.dialects import GOLDEN_RELEASES
from tests.dump.golden import EXCLUSIONS, cases, difference, edited, excluded, inside
from tests.log_dirs import FIXTURES, fixture_log_dirs

RELEASES = [release_text(release) for release in GOLDEN_RELEASES]
GOLDEN = os.environ.get("KAFKALOG_GOLDEN", "")
CORPUS = os.environ.get("KAFKALOG_CORPUS", "")


def working_directory(case: dict, log_dir, base: Path, scratch: Path) -> str | None:
    """The directory that a case was run in; None: its log dir is not here."""
    name = case["case"]
    if name.startswith(("zk/", "kraft/")):
        first = next(word for word in case["args"] if not word.startswith("-")).split(",")[0]
        parent = os.path.dirname(os.path.dirname(name)) if "/" in first else os.path.dirname(name)
        return log_dir(parent)
    if name.startswith(("base/", "usage/")):
        return str(base)
    for path, made in case.get("inputs", {}).items():
        file = scratch / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(edited((base / made["from"]).read_bytes(), made["edits"]))
    return str(scratch)


def compare(golden: Path, base: Path, release: str, log_dir) -> tuple[int, list[str]]:
    """How many cases were compared, and the differences found."""
    differences = []
    compared = 0
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases(golden / f"{release}.jsonl.xz"):
            if excluded(case):
                continue
            directory = working_directory(case, log_dir, base, Path(scratch))
            assert directory is not None, f"{case['case']}: its log dir is missing"
            compared += 1
            with inside(directory):
                found = difference(case, release, directory)
            if found:
                differences.append(f"{case['case']} {case['options']}: {found}")
    return compared, differences


def the_set():
    """Golden files, where the log dir of a name is, the least number of cases: all, or the part in the fixtures."""
    if GOLDEN and CORPUS:
        return Path(GOLDEN), lambda name: os.path.join(CORPUS, name), 8000
    here = {case.golden_name: case for case in fixture_log_dirs()}

    def log_dir(name: str) -> str | None:
        case = here.get("/".join(name.split("/")[:3]))
        return None if case is None else os.path.join(case.path(), *name.split("/")[3:])

    return FIXTURES / "golden", log_dir, 1000


@pytest.mark.parametrize("release", RELEASES)
def test_dump_prints_what_the_real_tool_printed(release):
    golden, log_dir, least = the_set()
    compared, differences = compare(golden, golden / "base" / "log", release, log_dir)
    assert compared > least
    assert differences == []


def test_every_exclusion_is_told_to_the_user_and_still_needed():
    limits = (FIXTURES.parent / "docs" / "limits.md").read_text(encoding="utf-8")
    names = {case["case"] for case in cases(FIXTURES / "golden" / "3.9.1.jsonl.xz")}
    for pattern, reason in EXCLUSIONS.items():
        assert f"`{pattern}`" in limits
        assert reason in limits
        assert any(re.match(pattern, name) for name in names), pattern
