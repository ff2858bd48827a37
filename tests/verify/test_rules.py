"""Every rule fires on its proof, is silent on its near miss, and says what it means."""

from __future__ import annotations

import os
import re
import shutil
import string
from functools import cache

import pytest

from kafkalog.core.span import Span
from kafkalog.files.source import FileSource
from kafkalog.verify import RULES, Severity, verify
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.partitions import SegmentStep
from tests.verify.lab import BROKER, Lab
from tests.verify.proofs import AS_THEY_ARE, NEAR, NEAR_MISSES, PROOFS

NOW = 1795500000000
#: Rules about files that no invariant of the list speaks of.
BEYOND_THE_INVARIANTS = {
    "bootstrap-without-version",
    "coordinator-load-fails",
    "coordinator-load-never-ends",
    "quorum-state-unreadable",
    "quorum-state-missing",
    "quorum-epoch-behind-log",
}
#: Rules that need more than one partition, or very large ones, have tests of their own.
SEVERAL_LOG_DIRS = {
    "cluster-ids-differ",
    "quorums-differ",
    "broker-ids-differ",
    "file-changed-during-scan",
    "future-differs",
    "controller-isr-without-broker",
    "partition-duplicated",
    "replica-diverges",
    "segment-too-large",
    "topic-id-mismatch",
    "txn-hanging",
}
CHECKED = [rule for rule in RULES.values() if rule.id not in SEVERAL_LOG_DIRS]


def findings_of_change(source, change, tmp_path):
    lab = Lab(tmp_path / "d1", source)
    change(lab)
    target = lab.root if any(path.is_file() for path in lab.root.iterdir()) else lab.dir
    return list(verify(target, now=NOW).all_findings())


def findings_of_proof(name, tmp_path):
    if name in AS_THEY_ARE:
        return list(verify([BROKER / log_dir for log_dir in AS_THEY_ARE[name]], now=NOW).all_findings())
    return findings_of_change(*PROOFS[name], tmp_path)


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_proof_and_its_templates_name_every_fact(rule, tmp_path):
    found = [finding for finding in findings_of_proof(rule.proof, tmp_path) if finding.id == rule.id]
    assert found, f"{rule.id} is silent on {rule.proof}"
    if rule.id.startswith("controller-"):
        assert {finding.severity for finding in found} == {rule.severity}
    for finding in found:
        assert set(finding.facts) == rule.named_facts
        assert finding.message == rule.message.format(**finding.facts)
        if finding.span is not None:
            assert 0 <= finding.span.start <= finding.span.end


@cache
def verified(log_dir):
    return verify(BROKER / log_dir, now=NOW)


@pytest.mark.parametrize("rule", list(RULES.values()), ids=lambda rule: rule.id)
def test_a_rule_is_silent_on_its_near_miss(rule, tmp_path):
    made = NEAR.get(rule.near_miss) or PROOFS.get(rule.near_miss)
    if made is not None:
        found = findings_of_change(*made, tmp_path)
    else:
        found = [f for log_dir in NEAR_MISSES[rule.near_miss] for f in verified(log_dir).all_findings()]
    assert [f for f in found if f.id == rule.id and f.severity >= min(rule.severity, Severity.WARNING)] == []


@pytest.mark.parametrize("rule", list(RULES.values()), ids=lambda rule: rule.id)
def test_a_rule_has_an_explanation_a_consequence_a_remedy_and_a_source(rule):
    assert rule.explanation.splitlines()[0].endswith((".", ":"))
    assert min(map(len, (rule.consequence, rule.remedy, rule.message))) > 5
    assert rule.source
    assert bool(rule.invariants) != (rule.id in BEYOND_THE_INVARIANTS)
    assert rule.id == rule.id.lower().strip("-")
    assert set(rule.id) <= set(string.ascii_lowercase + string.digits + "-")


def test_every_proof_and_near_miss_belongs_to_a_rule():
    assert set(PROOFS) | set(AS_THEY_ARE) <= {rule.proof for rule in RULES.values()}
    assert set(NEAR) | set(NEAR_MISSES) <= {rule.near_miss for rule in RULES.values()}
    assert not set(NEAR) & set(NEAR_MISSES)


def test_a_healthy_copy_of_each_proof_has_nothing_above_info(tmp_path):
    for source in {source for source, _ in PROOFS.values()}:
        lab = Lab(tmp_path / source.replace("/", "_"), source)
        report = verify(lab.root, now=NOW)
        assert [f for f in report.all_findings() if f.severity > 1] == [], source


def test_a_partition_in_two_log_dirs_of_one_broker_is_an_error(tmp_path):
    first, second = (Lab(tmp_path / name, "3.9.1/cluster-final-n1/ledger-0") for name in ("d1", "d2"))
    found = {f.id: f for f in verify([first.root, second.root], now=NOW).all_findings()}
    assert found["partition-duplicated"].path == str(second.dir)
    assert found["partition-duplicated"].facts["file"] == str(first.dir)
    assert found["broker-ids-differ"].path == str(second.root / "meta.properties")


def test_partitions_of_one_topic_with_different_ids_are_an_error(tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    other = lab.root / "ledger-1"
    other.mkdir()
    (other / "partition.metadata").write_text("version: 0\ntopic_id: BBBBBBBBBBBBBBBBBBBBBB")
    found = [f for f in verify(lab.root, now=NOW).all_findings() if f.id == "topic-id-mismatch"]
    assert [f.path for f in found] == [str(other / "partition.metadata")]


def test_replicas_of_other_brokers_are_compared(tmp_path):
    first, second = (Lab(tmp_path / name, "3.9.1/cluster-final-n1/ledger-0") for name in ("d1", "d2"))
    meta = second.root / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=", "node.id=9"))
    assert not [f for f in verify([first.root, second.root], now=NOW).all_findings() if f.id == "replica-diverges"]
    second.field(0, 2, max_timestamp=5)
    found = [f for f in verify([first.root, second.root], now=NOW).all_findings() if f.id == "replica-diverges"]
    assert len(found) == 1
    assert found[0].facts["kind"] == "same leader epoch, different bytes"


def test_a_future_copy_that_differs_from_the_current_directory_is_told(tmp_path):
    first, second = (Lab(tmp_path / name, "3.9.1/cluster-final-n1/ledger-0") for name in ("d1", "d2"))
    second.dir = second.dir.rename(second.root / "ledger-0.0123456789abcdef0123456789abcdef-future")
    meta = second.root / "meta.properties"
    meta.write_text("".join(line for line in meta.read_text().splitlines(keepends=True) if "directory.id" not in line))
    assert not [f for f in verify([first.root, second.root], now=NOW).all_findings() if f.id == "future-differs"]
    second.field(0, 2, max_timestamp=5)
    (found,) = [f for f in verify([first.root, second.root], now=NOW).all_findings() if f.id == "future-differs"]
    assert found.path == str(second.path(0))
    assert found.facts["file"] == str(first.path(0))


def test_an_open_transaction_that_its_coordinator_has_ended_hangs(tmp_path):
    root = tmp_path / "d1"
    shutil.copytree(BROKER / "2.1.1/txn", root)
    lab = Lab(tmp_path / "other", "2.1.1/txn/ledger-0")
    lab.write(-1, lab.batches(-1)[:-1])  # the last marker
    shutil.copy(lab.path(-1), root / "ledger-0")
    found = [f for f in verify(root, now=NOW).all_findings() if f.id == "txn-hanging"]
    assert [(f.severity, f.facts["producer_id"], f.facts["first"]) for f in found] == [(Severity.WARNING, 2, 118)]
    assert found[0].commands[0].line.split()[-2:] == ["--start-offset", "118"]
    (root / ".kafka_cleanshutdown").unlink()
    found = [f for f in verify(root, now=NOW).all_findings() if f.id == "txn-hanging"]
    assert [f.severity for f in found] == [Severity.INFO]


@pytest.mark.parametrize("mark", ["delete", "stray", "future"])
def test_no_transaction_hangs_in_a_directory_that_is_not_the_partition_itself(mark, tmp_path):
    root = tmp_path / "d1"
    shutil.copytree(BROKER / "2.1.1/txn", root)
    lab = Lab(tmp_path / "other", "2.1.1/txn/ledger-0")
    lab.write(-1, lab.batches(-1)[:-1])  # the last marker
    shutil.copy(lab.path(-1), root / "ledger-0")
    (root / "ledger-0").rename(root / f"ledger-0.{'ab' * 16}-{mark}")
    assert "txn-hanging" not in {f.id for f in verify(root, now=NOW).all_findings()}


@pytest.mark.parametrize("name", ["2.1.1/txn", "3.9.1/edge"])
def test_the_summary_counts_every_file_and_byte_of_a_partition_once(name):
    for partition in sorted(path for path in (BROKER / name).iterdir() if path.is_dir()):
        files = [path for path in partition.iterdir() if not path.name.endswith("index.deleted")]
        report = verify(partition, now=NOW)
        assert (report.files, report.bytes) == (len(files), sum(path.stat().st_size for path in files))


def test_a_log_beyond_31_bits_is_an_error():
    step = SegmentStep(
        path="0.log",
        base=0,
        size=1 << 31,
        first=None,
        previous_path="",
        previous_base=0,
        previous_last=None,
        previous_size=-1,
        previous_torn=True,
        top_epoch=-1,
        top_epoch_path="",
        active=True,
    )
    assert [finding.id for finding in findings_of(step)] == ["segment-too-large"]


def _changed_in_each_look(monkeypatch, path, change):
    """Have a file changed once each time that it is opened and read."""
    read_into, changed = FileSource.read_into, []

    def and_change(source, buffer, position):
        if source.path == str(path) and source not in changed:
            changed.append(source)
            change()
        return read_into(source, buffer, position)

    monkeypatch.setattr(FileSource, "read_into", and_change)
    return changed


@pytest.mark.parametrize("number", [-1, 1])
def test_a_log_that_changes_whenever_it_is_read_is_told(number, tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(number)
    size = path.stat().st_size
    looks = _changed_in_each_look(monkeypatch, path, lambda: lab.append(path, bytes(100)))
    report = verify(lab.root, now=NOW, next_start=False)
    (found,) = [f for f in report.all_findings() if f.id == "file-changed-during-scan"]
    end = size + 100 * len(looks)
    assert (found.path, found.span, found.severity) == (str(path), Span(end - 100, end), Severity.INFO)
    assert report.failed == (number == 1)
    assert str(path) in [item.path for item in report.not_checked]


def test_a_log_that_shrinks_whenever_it_is_read_is_told(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(1)
    size = path.stat().st_size
    looks = _changed_in_each_look(monkeypatch, path, lambda: lab.cut(path, path.stat().st_size - 100))
    report = verify(lab.root, now=NOW, next_start=False)
    (found,) = [f for f in report.all_findings() if f.id == "file-changed-during-scan"]
    end = size - 100 * len(looks)
    assert (found.path, found.span) == (str(path), Span(end, end + 100))
    assert report.failed


def test_a_closed_log_that_changes_once_is_judged_as_it_is_then(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(1)
    with monkeypatch.context() as patch:
        original = FileSource.read_into
        _changed_in_each_look(
            patch, path, lambda: patch.setattr(FileSource, "read_into", original) or lab.append(path, bytes(100))
        )
        report = verify(lab.root, now=NOW)
    assert not report.failed
    assert report.to_jsonl() == verify(lab.root, now=NOW).to_jsonl()
    assert report.worst >= Severity.WARNING


def test_no_remedy_tells_to_delete_anything():
    for rule in RULES.values():
        allowed = rule.remedy.replace("Do not delete", "").replace("Delete neither", "").replace("Delete by offset", "")
        assert not re.search(r"\b(delete|remove the (file|segment|directory)|rm) ", allowed, re.IGNORECASE), rule.id


#: Rules whose finding cannot stand at the change that its proof makes, and why.
ELSEWHERE = {
    "compacted-null-key": "the checkpoint says that the log is compacted; the records are what is odd",
    "controller-assigns-elsewhere": "the whole directory should not be here",
    "controller-knows-no-partition": "the whole directory should not be here",
    "hw-beyond-end": "the log is what became shorter: the message names where it would go on",
    "files-not-copied": "the files of all partitions are missing",
    "kraft-snapshot-missing": "how the missing snapshot was named is not known",
    "logs-not-copied": "the files of all partitions are missing",
    "partitions-not-copied": "it is told for the log dir, not for the lines",
    "siblings-not-copied": "nearly every file is missing",
    "timestamp-ancient": "the fixture has such timestamps without any change",
    "timestamp-future": "the fixture has such timestamps without any change",
    "txn-open": "the marker that is missing has no place: the first batch of the transaction is named",
}


def _contents(root):
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


def _changed_range(before, after):
    """First byte that differs, and the one behind the last."""
    least = min(len(before), len(after))
    start = next((at for at in range(least) if before[at] != after[at]), least)
    same = next((at for at in range(least - start) if before[-1 - at] != after[-1 - at]), least - start)
    return start, max(start, len(after) - same)


@pytest.mark.parametrize(
    "rule", [rule for rule in CHECKED if rule.proof in PROOFS and rule.id not in ELSEWHERE], ids=lambda rule: rule.id
)
def test_a_finding_names_the_bytes_that_its_proof_changed(rule, tmp_path):
    source, change = PROOFS[rule.proof]
    lab = Lab(tmp_path / "d1", source)
    before = _contents(tmp_path)
    change(lab)
    after = _contents(tmp_path)
    changed = dict.fromkeys(before.keys() - after.keys())
    changed |= {path: (0, len(after[path])) for path in after.keys() - before.keys()}
    changed |= {
        path: _changed_range(before[path], after[path]) for path in before if after.get(path, before[path]) != before[path]
    }
    target = lab.root if any(path.is_file() for path in lab.root.iterdir()) else lab.dir
    named = False
    for finding in verify(target, now=NOW).all_findings():
        if finding.id == rule.id:
            place, span = changed.get(finding.path), finding.span
            touches = place is None or span is None or (span.start <= place[1] and span.end >= place[0])
            named |= finding.path in changed and touches
            named |= os.path.basename(str(finding.facts.get("file"))) in map(os.path.basename, changed)
    assert named


def _untrimmed(lab, keeps):
    """Make the indexes of the last segment what a clean stop leaves of the metadata log since 4.4: nothing appended or cut."""
    lab.append(lab.path(-1, ".index"), bytes(10485760 - lab.path(-1, ".index").stat().st_size))
    lab.cut(lab.path(-1, ".timeindex"), keeps)
    lab.append(lab.path(-1, ".timeindex"), bytes(10485756 - keeps))


@pytest.mark.parametrize("keeps", [0, 12])
def test_the_metadata_log_keeps_untrimmed_indexes_at_a_clean_stop_and_a_users_partition_does_not(keeps, tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/__cluster_metadata-0")
    assert (lab.root / ".kafka_cleanshutdown").exists()
    assert lab.path(-1, ".timeindex").stat().st_size > keeps
    _untrimmed(lab, keeps)
    found = verify(lab.root, now=NOW).all_findings()
    assert [f.id for f in found] == ["index-preallocated"]
    other = Lab(tmp_path / "d2", "3.9.1/cluster-final-n1/ledger-0")
    _untrimmed(other, keeps)
    loud = [f.id for f in verify(other.root, now=NOW).all_findings() if f.severity > Severity.INFO]
    assert loud == (["timeindex-last-entry"] if keeps else ["timeindex-empty"])


def test_a_metadata_log_with_one_trimmed_index_or_a_rolled_segment_is_judged_as_ever(tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/__cluster_metadata-0")
    _untrimmed(lab, 12)
    lab.cut(lab.path(-1, ".timeindex"), 12)
    loud = {f.id for f in verify(lab.root, now=NOW).all_findings() if f.severity > Severity.INFO}
    assert loud == {"timeindex-last-entry", "index-padded"}
    rolled = Lab(tmp_path / "d2", "4.3.1/meta-n1/__cluster_metadata-0")
    rolled.path(0, ".timeindex").write_bytes(b"")
    (finding,) = [f for f in verify(rolled.root, now=NOW).all_findings() if f.severity > Severity.INFO]
    assert finding.id == "timeindex-empty"
    assert "Nothing needs to be moved in `__cluster_metadata`" in finding.remedy
