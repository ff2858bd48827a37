"""Every rule finds on its proof what is stated, is silent on its near miss, and says what it means."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import string
from dataclasses import replace
from functools import cache

import pytest

from kafkalog.render.text_verify import report_text
from kafkalog.span import Span
from kafkalog.verify import RULES, Severity, verify
from kafkalog.verify.finding import Hit
from tests.screens import plain
from tests.verify.lab import BROKER, NOW, Lab, changed_in_each_look
from tests.verify.near_misses import BEYOND, NEAR, NEAR_MISSES
from tests.verify.proofs import PLAIN, PROOFS, as_it_is
from tests.verify.stated import STATED, as_stated, file_of, look_at_proof, read_stated, stated, texts_of

#: Rules about files that no invariant of the list speaks of.
BEYOND_THE_INVARIANTS = {
    "bootstrap-without-version",
    "coordinator-load-fails",
    "remote-chunk-corrupt",
    "remote-copy-not-counted",
    "remote-copy-unfinished",
    "remote-delete-unfinished",
    "remote-epochs-differ",
    "remote-gap",
    "remote-index-unusable",
    "remote-object-missing",
    "remote-object-unknown",
    "remote-offsets-differ",
    "remote-size-differs",
    "coordinator-load-never-ends",
    "quorum-state-unreadable",
    "quorum-state-missing",
    "quorum-epoch-behind-log",
}
#: Facts that no text names: the account of a partition reads them.
FOR_THE_ACCOUNT = {"offsets_unknown", "at_most", "repairable", "proven"}
EVERY_RULE = pytest.mark.parametrize("rule", list(RULES.values()), ids=lambda rule: rule.id)


@EVERY_RULE
def test_a_rule_finds_on_its_proof_what_is_stated_at_the_bytes_that_the_proof_changed(rule, tmp_path):
    found, changed = look_at_proof(rule, tmp_path)
    found = [finding for finding in found if finding.id == rule.id]
    again = f"if that is right: python -m tests.verify.stated {rule.id}, and read the diff"
    assert [as_stated(rule, finding) for finding in found] == stated(rule), again
    for finding in found:
        assert set(finding.facts) - FOR_THE_ACCOUNT == rule.named_facts
        assert finding.offsets is None or finding.offsets[0] <= finding.offsets[1]
        file = tmp_path / finding.path
        if finding.span is not None and not PROOFS[rule.proof].meanwhile:
            size = file.stat().st_size
            assert 0 <= finding.span.start <= finding.span.end <= size
            assert finding.span.start < finding.span.end or not size
    # Where nothing was changed, a broker's own work is what the rule is about, or two sound copies together.
    if changed:
        assert any(_is_at_the_change(finding, changed) for finding in found) != (rule.id in ELSEWHERE)


def _is_at_the_change(finding, changed):
    """Whether a finding is about a file that was changed, and there about bytes that were; or names such a file."""
    place, span = changed.get(finding.path), finding.span
    touches = place is None or span is None or (span.start <= place[1] and span.end >= place[0])
    named = os.path.basename(str(finding.facts.get("file"))) in map(os.path.basename, changed)
    return (finding.path in changed and touches) or named


#: Rules whose finding cannot be at the change that its proof makes, and why.
ELSEWHERE = {
    "compacted-null-key": "the checkpoint says that the log is compacted; the records are what is odd",
    "hw-beyond-end": "the log is what became shorter: the message names where it would go on",
    "files-not-copied": "the files of all partitions are missing",
    "kraft-snapshot-missing": "how the missing snapshot was named is not known",
    "logs-not-copied": "the files of all partitions are missing",
    "partition-missing": "nothing of the partition is there",
    "partitions-not-copied": "it is told for the log dir, not for the lines",
    "quorums-differ": "the logs are of two clusters; what was changed is only that they say so",
    "siblings-not-copied": "nearly every file is missing",
    "remote-chunk-corrupt": "the bytes named are those of the log that the object was made of",
    "remote-copy-not-counted": "the records that are missing tell of it, the partition in remote storage is named",
    "remote-copy-unfinished": "the record that is missing has no place: the partition in remote storage is named",
    "remote-delete-unfinished": "the record that is missing has no place: the partition in remote storage is named",
    "remote-gap": "the records and the objects are missing: the partition in remote storage is named",
    "timestamp-future": "the fixture has such timestamps without any change",
    "txn-hanging": "the marker that is missing has no place: the first batch of the transaction is named",
    "txn-open": "the marker that is missing has no place: the first batch of the transaction is named",
}


def test_what_is_stated_is_about_rules_that_there_are_in_the_file_of_their_module():
    assert {path.stem: set(read_stated(path)) for path in STATED.glob("*.toml")} == {
        file_of(rule).stem: {one.id for one in RULES.values() if file_of(one) == file_of(rule)} for rule in RULES.values()
    }
    for rule in RULES.values():
        assert stated(rule), rule.id


# --- what is stated tells wrong rules from right ones ---
TEXTS = ("message", "consequence", "remedy")


def _facts(rule, row):
    return dict.fromkeys(rule.named_facts) | row["facts"]


def _names(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _exchanged(template, one, other):
    """A template that names each of two facts where it should name the other."""
    names = {one: other, other: one}
    return re.sub(r"\{(\w+)", lambda match: "{" + names.get(match[1], match[1]), template)


def _pairs_of_one_type(rule):
    rows = [_facts(rule, row) for row in stated(rule)]
    for one, other in itertools.combinations(sorted(rule.named_facts), 2):
        if any(type(facts[one]) is type(facts[other]) for facts in rows):
            yield one, other


@EVERY_RULE
def test_what_is_stated_notices_each_pair_of_facts_that_is_exchanged(rule):
    rows = stated(rule)
    for one, other in _pairs_of_one_type(rule):
        for name in TEXTS:
            template = getattr(rule, name)
            if _names(template) & {one, other}:
                wrong = replace(rule, **{name: _exchanged(template, one, other)})
                assert _all_stated(wrong, rows) != rows, (
                    f"{name} may exchange {one} and {other}: {rule.proof} must tell them apart"
                )
        swapped = [
            row | {"facts": row["facts"] | {one: _facts(rule, row)[other], other: _facts(rule, row)[one]}} for row in rows
        ]
        assert _all_stated(rule, swapped) != rows, f"a hit may exchange {one} and {other}: {rule.proof} must tell them apart"


def _all_stated(rule, rows):
    """What a rule would be stated with, were its hits those of `rows`."""
    return [row | _texts(rule, _facts(rule, row)) for row in rows]


def _texts(rule, facts):
    finding = rule.finding(Hit(None, **facts), "")
    return {name: getattr(finding, name) for name in texts_of(rule)}


@EVERY_RULE
def test_what_is_stated_are_the_rules_texts_about_the_stated_facts(rule):
    assert _all_stated(rule, stated(rule)) == stated(rule)


@EVERY_RULE
def test_what_is_stated_notices_another_severity_of_the_rule(rule):
    assert rule.severity.label in {row["severity"] for row in stated(rule)}


@cache
def verified(log_dir):
    return verify(BROKER / log_dir, now=NOW, next_start=False)


@EVERY_RULE
def test_a_rule_is_silent_on_its_near_miss(rule, tmp_path):
    made = NEAR.get(rule.near_miss) or PROOFS.get(rule.near_miss)
    if made is not None:
        found, changed = made.look(tmp_path, next_start=False)
        assert changed or made.meanwhile or made.options or made.change is as_it_is, "nothing was done"
    else:
        found = [f for log_dir in NEAR_MISSES[rule.near_miss] for f in verified(log_dir).all_findings()]
    assert [f for f in found if f.id == rule.id] == []


@pytest.mark.parametrize("rule_id", BEYOND)
def test_one_step_further_than_its_near_miss_a_rule_finds_something(rule_id, tmp_path):
    assert rule_id in {finding.id for finding in BEYOND[rule_id].look(tmp_path, next_start=False).findings}


@EVERY_RULE
def test_a_rule_has_an_explanation_a_consequence_a_remedy_and_a_source(rule):
    assert rule.explanation.splitlines()[0].endswith((".", ":"))
    assert min(map(len, (rule.consequence, rule.remedy, rule.message))) > 5
    assert rule.source
    assert bool(rule.invariants) != (rule.id in BEYOND_THE_INVARIANTS)
    assert rule.id == rule.id.lower().strip("-")
    assert set(rule.id) <= set(string.ascii_lowercase + string.digits + "-")


def test_every_proof_and_near_miss_belongs_to_a_rule():
    assert set(PROOFS) == {rule.proof for rule in RULES.values()}
    assert set(NEAR) | set(NEAR_MISSES) <= {rule.near_miss for rule in RULES.values()}
    assert not set(NEAR) & set(NEAR_MISSES) | set(PROOFS) & (set(NEAR) | set(NEAR_MISSES))


def test_no_near_miss_is_a_healthy_directory_that_has_nothing_of_the_fault():
    assert "healthy" not in {rule.near_miss for rule in RULES.values()}


@pytest.mark.parametrize(
    ("rule_id", "change"),
    [
        ("log-tail-zeroed", lambda lab: lab.append(lab.path(-1), bytes(500))),
        ("log-tail-torn", lambda lab: lab.cut(lab.path(-1), -40)),
    ],
)
def test_what_a_crash_leaves_at_the_end_of_the_active_segment_is_only_told(rule_id, change, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    change(lab)
    assert [f.severity for f in verify(lab.root, now=NOW).all_findings() if f.id == rule_id] == [Severity.INFO]


def test_a_healthy_copy_of_each_proof_has_nothing_above_info(tmp_path):
    for source in {source for case in PROOFS.values() for source in case.sources}:
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
    assert not [f for f in verify(root, now=NOW).all_findings() if f.id == "txn-hanging"]


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


@pytest.mark.parametrize("number", [-1, 1])
def test_a_log_that_changes_whenever_it_is_read_is_told(number, tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(number)
    size = path.stat().st_size
    with changed_in_each_look(path, lambda: lab.append(path, bytes(100))) as looks:
        report = verify(lab.root, now=NOW, next_start=False)
    (found,) = [f for f in report.all_findings() if f.id == "file-changed-during-scan"]
    end = size + 100 * len(looks)
    assert (found.path, found.span, found.severity) == (str(path), Span(end - 100, end), Severity.INFO)
    assert report.failed == (number == 1)
    assert str(path) in [item.path for item in report.not_checked]


def test_a_log_that_shrinks_whenever_it_is_read_is_told(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(1)
    size = path.stat().st_size
    with changed_in_each_look(path, lambda: lab.cut(path, path.stat().st_size - 100)) as looks:
        report = verify(lab.root, now=NOW, next_start=False)
    (found,) = [f for f in report.all_findings() if f.id == "file-changed-during-scan"]
    end = size - 100 * len(looks)
    assert (found.path, found.span) == (str(path), Span(end, end + 100))
    assert report.failed


def test_a_closed_log_that_changes_once_is_judged_as_it_is_then(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    path = lab.path(1)
    with changed_in_each_look(path, lambda: lab.append(path, bytes(100)), most=1):
        report = verify(lab.root, now=NOW)
    assert not report.failed
    assert report.to_jsonl() == verify(lab.root, now=NOW).to_jsonl()
    assert report.worst >= Severity.WARNING


def test_no_remedy_tells_to_delete_anything():
    for rule in RULES.values():
        allowed = rule.remedy.replace("Do not delete", "").replace("Delete neither", "").replace("Delete by offset", "")
        assert not re.search(r"\b(delete|remove the (file|segment|directory)|rm) ", allowed, re.IGNORECASE), rule.id


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
    assert "Nothing needs to be moved" in finding.remedy


def test_where_the_first_batch_is_damaged_nothing_is_said_to_be_valid_before_it(tmp_path):
    lab = Lab(tmp_path / "d", "3.9.1/cluster-final-n1/ledger-0")
    log = lab.path(-1, ".log")
    log.write_bytes(log.read_bytes()[:40])
    (finding,) = [f for f in verify(lab.root, now=NOW).all_findings() if f.id == "log-tail-torn"]
    assert finding.message.endswith("from byte 0 on; no batch of the segment stands before it")
    lab.path(0, ".log").write_bytes(log.read_bytes()[:40])
    text = "\n".join(plain(report_text(verify(lab.root, now=NOW))))
    assert "nothing is valid before byte 0 of " in text
    assert "offset -1" not in text


#: Words after a number that is no count: an id, an epoch, the number of an entry.
_NOT_COUNTED = {"allows", "begins", "does", "ends", "gives", "hangs", "has", "holds", "is", "lies", "says", "was", "writes"}


@EVERY_RULE
def test_one_of_a_kind_is_told_in_the_singular(rule):
    for row in stated(rule):
        facts = {name: 1 if type(value) is int else value for name, value in _facts(rule, row).items()}
        finding = rule.finding(Hit(None, **facts), "")
        for text in (finding.message, finding.consequence, finding.remedy):
            assert set(re.findall(r"\b1 ([a-z]+s)\b", text)) <= _NOT_COUNTED
            assert not re.search(r"offsets (\d+) to \1\b", text, re.IGNORECASE)
            assert not re.search(
                r"\b1 (batch|byte|entry|log|message|offset|record|segment) (are|have|hold|were|after .* are)\b", text
            )
