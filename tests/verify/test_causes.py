"""One cause, one finding: what follows from a cause names it, keeps its severity, and is shown under it."""

from __future__ import annotations

import json
import shutil

import pytest

from kafkalog.render.text_verify import report_text
from kafkalog.verify import Severity, verify
from kafkalog.verify.finding import Cause
from tests.log_dirs import fixture
from tests.screens import plain
from tests.verify.lab import Lab
from tests.verify.proofs import KILLED, PROOFS, touch_marker

NOW = 1797500000000
FALSE = "clean-marker-false"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The log dir of a killed broker, into which somebody has put a clean-shutdown marker."""
    root = tmp_path_factory.mktemp("marker") / "marker"
    shutil.copytree(fixture("3.9.1", "crash").path(), root)
    (root / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":-1}')
    return root


def key(finding):
    return finding.id, finding.severity, finding.path, finding.span, finding.offsets


def test_a_false_marker_is_one_finding_and_what_follows_from_it_names_it(killed):
    findings = list(verify(killed, now=NOW).all_findings())
    (marker,) = (f for f in findings if f.id == FALSE)
    assert (marker.severity, marker.path, marker.cause) == (Severity.WARNING, f"{killed}/.kafka_cleanshutdown", None)
    assert (marker.facts["points"], marker.facts["judged"], marker.facts["padded"]) == (9, 9, 9)
    assert marker.facts["snapshots"] == 9
    assert {f.cause for f in findings if f.severity > Severity.INFO and f is not marker} == {Cause(FALSE, marker.path)}


def test_a_broker_that_was_killed_before_it_wrote_a_recovery_point_shows_a_false_marker_too(tmp_path):
    root = tmp_path / "d1"
    shutil.copytree(fixture("3.3.2", "crash").path(), root)
    assert not (root / "recovery-point-offset-checkpoint").read_bytes()
    (root / ".kafka_cleanshutdown").write_bytes(b"")
    findings = list(verify(root, now=NOW).all_findings())
    assert FALSE in {f.id for f in findings}
    assert [f for f in findings if f.severity > Severity.INFO and f.cause is None and f.id != FALSE] == []


def test_an_emptied_file_of_recovery_points_is_no_false_marker(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    (lab.root / "recovery-point-offset-checkpoint").write_bytes(b"")
    assert FALSE not in {f.id for f in verify(lab.root, now=NOW).all_findings()}


def test_exactly_what_the_marker_adds_follows_from_it(killed, tmp_path):
    following = {key(f) for f in verify(killed, now=NOW).all_findings() if f.cause is not None}
    believed = {key(f) for f in verify(killed, now=NOW).all_findings() if f.id != FALSE}
    (killed / ".kafka_cleanshutdown").rename(tmp_path / "marker")
    try:
        without = {key(f) for f in verify(killed, now=NOW).all_findings()}
    finally:
        (tmp_path / "marker").rename(killed / ".kafka_cleanshutdown")
    assert following == believed - without
    assert without


def test_a_torn_tail_under_a_false_marker_stays_an_error(killed):
    (tail,) = (f for f in verify(killed, now=NOW).all_findings() if f.id.startswith("log-tail-"))
    assert (tail.severity, tail.cause.id) == (Severity.ERROR, FALSE)
    assert tail.next_start


def test_the_cause_is_told_first_and_its_consequences_below_it(killed):
    lines = plain(report_text(verify(killed, now=NOW)))
    text = "\n".join(lines)
    first = lines.index("What explains other findings:")
    assert lines[first + 1].split() == ["warning", FALSE]
    assert not any("error" in line.split() for line in lines[:first])
    assert any(line.strip().startswith("Follows from it:") and "recovery-point-behind-end (9 times)" in line for line in lines)
    assert text.count("Find out who wrote them") == 0
    assert "follows from clean-marker-false, above: recovery-point-behind-end, snapshot-at-end-missing" in text
    assert "error  log-tail-zeroed" in text, "graver than its cause: told in full"


def test_json_lines_carry_the_cause(killed):
    rows = [json.loads(line) for line in verify(killed, now=NOW).to_jsonl().splitlines()]
    caused = [row for row in rows if row["type"] == "finding" and "cause" in row["facts"]]
    assert len(caused) > 20
    assert {json.dumps(row["facts"]["cause"]) for row in caused} == {
        json.dumps({"id": FALSE, "path": f"{killed}/.kafka_cleanshutdown"})
    }


def test_a_false_marker_proves_no_stop_to_other_witnesses(tmp_path):
    """The controller's word is certain after a clean stop only."""
    lab = Lab(tmp_path / "d1", "4.3.1/meta-n1/__cluster_metadata-0")
    kept = shutil.copytree(fixture("4.3.1", "crash").path() + "/busy-0", lab.root / "busy-0")
    lab.lines("recovery-point-offset-checkpoint", ["busy 0 0"])
    found = [
        f for f in verify(lab.root, now=NOW).all_findings() if f.path.startswith(str(kept)) and f.id.startswith("controller-")
    ]
    assert [f.severity for f in found] == [Severity.INFO]


def test_the_marker_of_a_broker_that_was_ended_while_it_started_is_no_lie(tmp_path):
    """It has preallocated the indexes again; the recovery points are those of the clean stop."""
    lab = Lab(tmp_path / "d1", "2.3.1/diverge-before-b0/stock-0")
    (lab.root / ".kafka_cleanshutdown").write_bytes(b"")
    assert FALSE not in {f.id for f in verify(lab.root, now=NOW).all_findings()}


def test_few_logs_among_many_do_not_make_a_marker_a_lie(tmp_path):
    """They were put there after the stop; the others show that there was one."""
    lab = Lab(tmp_path / "d1", KILLED)
    touch_marker(lab)
    (lab.root / "replication-offset-checkpoint").unlink()
    assert FALSE in {f.id for f in verify(lab.root, now=NOW).all_findings()}
    clean = Lab(tmp_path / "d2", "2.1.1/plain/twitter-status-0")
    for name in ("a-0", "b-0"):
        shutil.copytree(clean.dir, lab.root / name)
    lab.lines("recovery-point-offset-checkpoint", ["stock 0 0", "a 0 533", "b 0 533"])
    assert FALSE not in {f.id for f in verify(lab.root, now=NOW).all_findings()}


def test_a_log_that_was_only_written_to_after_the_stop_is_no_false_marker(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    lab.checkpoint("recovery-point-offset-checkpoint", 500)
    found = {f.id: f for f in verify(lab.root, now=NOW).all_findings()}
    assert FALSE not in found
    assert found["recovery-point-behind-end"].cause is None


def test_outdated_values_follow_from_a_cleaner_beyond_the_high_watermark(tmp_path):
    lab = Lab(tmp_path / "d1", PROOFS["cleaner-beyond-watermark"].sources[0])
    PROOFS["cleaner-beyond-watermark"].change(lab)
    found = {f.id: f for f in verify(lab.root, now=NOW).all_findings()}
    cause = found["cleaner-beyond-high-watermark"]
    assert found["compacted-key-twice"].cause == Cause(cause.id, cause.path)
    assert cause.cause is None


def test_a_cleaner_up_to_the_high_watermark_is_no_cause(tmp_path):
    lab = Lab(tmp_path / "d1", PROOFS["cleaner-beyond-watermark"].sources[0])
    lab.checkpoint("cleaner-offset-checkpoint", 60)
    found = {f.id: f for f in verify(lab.root, now=NOW).all_findings()}
    assert "cleaner-beyond-high-watermark" not in found
    assert found["compacted-key-twice"].cause is None
    PROOFS["cleaner-beyond-watermark"].change(lab)
    lab.crashed()
    assert "cleaner-beyond-high-watermark" not in {f.id for f in verify(lab.root, now=NOW).all_findings()}
