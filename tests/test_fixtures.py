"""The fixtures are what the manifest says, and cover what the parsers must cope with."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
import sys
import tomllib

from tests.log_dirs import FIXTURES, fixture, fixture_log_dirs

RELEASES = ("0.10.2.2", "0.11.0.3", "1.1.1", "2.1.1", "2.3.1", "2.8.2", "3.3.2", "3.7.2", "3.9.1", "4.1.1", "4.3.1", "4.4.0")
TOOLS = ("0.11.0.3", "1.1.1", "2.1.1", "2.3.1", "2.8.2", "3.1.2", "3.2.3", "3.7.2", "3.9.1", "4.1.1", "4.3.1", "4.4.0")


def test_manifest_and_checksums_follow_the_files():
    command = [sys.executable, str(FIXTURES / "recipes" / "manifest.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_manifest_tells_origin_recipe_and_health_of_each_log_dir():
    rows = tomllib.loads((FIXTURES / "MANIFEST.toml").read_text(encoding="utf-8"))["log_dir"]
    assert len(rows) == len(fixture_log_dirs())
    for row in rows:
        script = row["recipe"].split()[0]
        assert (FIXTURES / script).is_file(), script
        assert row["origin"]
        assert row["shows"]
        assert row["healthy_why"]
        assert row["files"]


def test_every_file_belongs_to_one_row_and_every_row_has_a_licence_and_says_why():
    manifest = tomllib.loads((FIXTURES / "MANIFEST.toml").read_text(encoding="utf-8"))
    rows = [*manifest["log_dir"], *manifest["unit"]]
    for row in rows:
        assert row["licence"] == "Apache-2.0"
        assert len(row["licence_why"]) > 20
        assert row["files"], row["path"]
    files = len((FIXTURES / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    assert sum(row["files"] for row in rows) == files
    assert (FIXTURES.parent / "LICENSE").read_text(encoding="utf-8").split()[:4] == ["Apache", "License", "Version", "2.0,"]


def test_every_release_of_a_broker_is_there():
    assert {case.release for case in fixture_log_dirs()} == set(RELEASES)


def test_fixtures_stay_small():
    size = sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file())
    assert size < 25_000_000


def test_golden_output_of_every_tool_is_over_files_that_are_here():
    log_dirs = {case.golden_name: case for case in fixture_log_dirs()}
    for release in TOOLS:
        with lzma.open(FIXTURES / "golden" / f"{release}.jsonl.xz", "rt", encoding="utf-8") as lines:
            assert json.loads(next(lines))["release"] == release
            cases = [json.loads(line) for line in lines]
        assert len(cases) > 2000
        seen = set()
        for case in cases:
            kind, *_ = case["case"].split("/")
            if kind in ("usage", "damage", "base") or case["case"] in seen or "sha256" not in case:
                continue
            seen.add(case["case"])
            name = "/".join(case["case"].split("/")[:3])
            path = f"{log_dirs[name].path()}/{case['case'].removeprefix(name + '/')}"
            if not path.endswith("/ALL"):
                with open(path, "rb") as file:
                    assert hashlib.sha256(file.read()).hexdigest() == case["sha256"]
        assert seen


def test_reference_partition_is_a_plain_directory_of_several_segments():
    case = fixture("2.1.1", "plain")
    assert case.where.is_dir()
    assert len(list((case.where / "twitter-status-0").glob("*.log"))) > 3
