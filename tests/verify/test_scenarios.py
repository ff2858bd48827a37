"""The incidents that operators know, each recognised by name on logs of every kind, and what only looks like them."""

from __future__ import annotations

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.built import T0
from tests.verify.scenarios import INCIDENTS, KINDS, TWINS, Log

NOW = T0 + 10**9


def cases(table):
    return [pytest.param(row, kind, id=f"{row.scenario} {name}, {kind}") for name, row in table.items() for kind in row.kinds]


@pytest.mark.parametrize(("row", "kind"), cases(INCIDENTS))
def test_an_incident_is_recognised_by_name(row, kind, tmp_path):
    log = Log(tmp_path / "d1", kind)
    row.strike(log)
    found = {f.id for f in verify(log.root, now=NOW).all_findings() if f.severity >= row.at_least}
    assert row.rules <= found


@pytest.mark.parametrize(("row", "kind"), cases(TWINS))
def test_its_harmless_twin_is_silent(row, kind, tmp_path):
    log = Log(tmp_path / "d1", kind)
    row.strike(log)
    report = verify(log.root, now=NOW)
    assert [(f.id, f.message) for f in report.all_findings() if f.severity > Severity.INFO] == []
    assert not report.failed


@pytest.mark.parametrize("kind", KINDS)
def test_the_logs_themselves_are_sound(kind, tmp_path):
    report = verify(Log(tmp_path / "d1", kind).root, now=NOW)
    told = {"timestamp-missing", "txn-open", "index-append-set-entry", "sequence-begins-late"}
    assert {f.id for f in report.all_findings()} <= told


def test_every_scenario_has_an_incident_and_a_twin():
    wanted = {*range(1, 15), *range(16, 21), 22, 23, *range(25, 29), *range(30, 34)}
    elsewhere = {28, 33}  # the metadata log: below; changes under the scan: test_rules
    assert {f"A{n}" for n in wanted - elsewhere} <= {row.scenario for row in INCIDENTS.values()}
    assert {f"A{n}" for n in wanted - elsewhere} <= {row.scenario for row in TWINS.values()}
