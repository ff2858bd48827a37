"""Detection: the damage of every broker start is found, but for what healthy brokers leave too."""

from __future__ import annotations

import pathlib
import tomllib

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.broker_starts import (
    BROKER_STARTS,
    STOPS,
    cases,
    is_detected,
    lay_out,
    lay_out_log_dirs,
    log_dir_cases,
)

NOW = 1795500000000
UNDETECTABLE = tomllib.loads((pathlib.Path(__file__).parent.parent / "undetectable.toml").read_text("utf-8"))

pytestmark = pytest.mark.skipif(not BROKER_STARTS, reason="KAFKALOG_BROKER_STARTS names no folder of broker starts")


@pytest.mark.parametrize("stop", STOPS)
def test_every_damage_is_named_by_a_warning_or_an_error_unless_it_is_listed_with_a_reason(stop, tmp_path):
    folder = lay_out(stop, tmp_path)
    missed = set()
    for case in cases(stop):
        # What the next start does is no finding; of what is not damaged, it does no harm.
        report = verify(folder / case["id"], now=NOW, next_start=not case["damage"])
        if not case["damage"]:
            assert report.worst <= Severity.INFO, (case["id"], list(report.all_findings()))
        elif not is_detected(case, report):
            missed.add(case["id"])
    listed = {case_id for entry in UNDETECTABLE["edit"] for case_id, stops in entry["cases"].items() if stop in stops}
    assert missed == {case_id for case_id in listed if not case_id.startswith("level:")}


def test_every_damaged_log_dir_is_named_by_a_warning_or_an_error_unless_it_is_listed_with_a_reason(tmp_path):
    folder = lay_out_log_dirs(tmp_path)
    missed = set()
    for case in log_dir_cases():
        before = folder / case["id"].removeprefix("level:") / "before"
        if not is_detected(case, verify([before / "d1", before / "d2"], now=NOW)):
            missed.add(case["id"])
    listed = {case_id for entry in UNDETECTABLE["edit"] for case_id in entry["cases"] if case_id.startswith("level:")}
    assert missed == listed


def test_every_listed_edit_has_a_reason():
    assert all(len(entry["reason"]) > 20 and entry["cases"] for entry in UNDETECTABLE["edit"])
