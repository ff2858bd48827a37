"""The prediction of the next start inside a report of verify: lines, text, what findings say of it."""

from __future__ import annotations

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

import kafkalog
from kafkalog.next_start import log_dir as log_dirs
from kafkalog.next_start import options, placement
from kafkalog.render.json_verify import finding_json, report_json_lines
from kafkalog.render.text_verify import next_start_section, report_text
from kafkalog.verify import Severity, verify
from tests.log_dirs import fixture
from tests.next_start.test_log_dirs import lay_out as lay_out_level
from tests.next_start.test_log_dirs import packed_log_dirs
from tests.next_start.test_next_start_command import FIELDS
from tests.screens import plain
from tests.verify.lab import BROKER, Lab
from tests.verify.proofs import PLAIN
from tests.verify.test_command import lines, run

NOW = 1795500000000
KRAFT = "3.9.1/cluster-final-n1/ledger-0"


def text_of(report):
    return [" ".join(line.split()) for line in plain(report_text(report))]


@pytest.fixture
def flipped(tmp_path):
    """A killed broker's partition of four segments, a bit wrong in the second, nothing flushed."""
    lab = Lab(tmp_path / "d1", KRAFT)
    lab.patch(lab.path(1), 700, bytes([lab.path(1).read_bytes()[700] ^ 4]))
    (lab.root / ".kafka_cleanshutdown").unlink(missing_ok=True)
    lab.checkpoint("recovery-point-offset-checkpoint", 0)
    return lab


def test_a_log_dir_gives_one_next_start_line_after_each_partition_line(flipped):
    rows, _ = lines("--kafka-version", "3.9", flipped.root)
    kinds = [row["type"] for row in rows]
    assert kinds[-3:] == ["partition", "next_start", "summary"]
    line = rows[-2]
    assert list(line) == FIELDS
    assert line["schema"] == "kafkalog.verify/1"
    told = dict(line["assumed"])
    assert told.pop("caveat").startswith("no metadata log")
    assert told == {"stop": "unclean", "recovery_point": 0, "release": "3.9.2"}
    assert rows[-1]["version"] == "3.9.2"
    done = run("next-start", "--format", "jsonl", "--kafka-version", "3.9", flipped.root)
    (alone,) = [json.loads(text) for text in done.stdout.splitlines()]
    # What was gone before the start is told by the findings of verify.
    assert {**line, "schema": alone["schema"], "already_gone": alone["already_gone"]} == alone


def test_a_damaged_partition_in_a_log_dir_is_told_what_the_other_kind_of_stop_would_cost(flipped):
    (flipped.root / ".kafka_cleanshutdown").touch()
    report = verify(flipped.root, now=NOW, kafka_version="3.9.1")
    (partition,) = report.partitions
    assert [outcome.assumed.stop for outcome in partition.next_start] == ["clean"]
    (other,) = partition.otherwise
    assert (other.assumed.stop, other.records_lost) == ("unclean", 181)
    assert [(one.stop, one.records) for one in partition.account.starts] == [("clean", 0), ("unclean", 181)]
    told = next(line for line in text_of(report) if line.startswith("next start"))
    assert "after an unclean stop: ledger-0 loses 181 records, 24.9 KiB" in told
    assert verify(flipped.root, now=NOW, assume_stop="clean").partitions[0].otherwise == ()


def test_a_partition_directory_gives_a_line_for_each_kind_of_stop_clean_first(flipped):
    rows, _ = lines(flipped.dir)
    starts = [row for row in rows if row["type"] == "next_start"]
    assert [row["assumed"]["stop"] for row in starts] == ["clean", "unclean"]
    assert [row["records_lost"] for row in starts] == [0, 181]
    rows, _ = lines("--assume-stop", "unclean", "--recovery-point", "265", flipped.dir)
    (start,) = [row for row in rows if row["type"] == "next_start"]
    assert start["assumed"]["recovery_point"] == 265
    assert start["records_lost"] == 0


def test_a_single_file_has_no_next_start_of_its_own(flipped):
    rows, _ = lines(flipped.path(1))
    assert "next_start" not in {row["type"] for row in rows}


def test_the_prediction_can_be_left_out(flipped):
    rows, status = lines("--no-next-start", flipped.root)
    assert "next_start" not in {row["type"] for row in rows}
    assert "next_start" not in next(row for row in rows if row.get("id") == "batch-crc-mismatch")["facts"]
    assert status == 1


def test_a_finding_says_in_numbers_what_the_start_would_delete(flipped):
    report = verify(flipped.root, now=NOW, kafka_version="3.9.1")
    found = {finding.id: finding for finding in report.partitions[0].findings}
    crc = found["batch-crc-mismatch"]
    (effect,) = crc.next_start
    assert (effect.does, effect.position, effect.segments, effect.records) == ("cuts", 435, 2, 181)
    row = finding_json(crc)
    (told,) = row["facts"]["next_start"]
    assert (told["stop"], told["does"], told["path"], told["position"]) == (effect.stop, "cuts", effect.path, effect.position)
    assert (told["records_lost"], told["bytes_lost"]) == (effect.records, effect.size)
    assert row["consequence"].startswith(crc.consequence)
    assert row["consequence"].endswith(
        "An unclean start of Kafka 3.9.1 would cut 00000000000000000071.log at byte 435 and delete 2 segments: "
        f"181 records, {effect.size} bytes, {effect.times[1] - effect.times[0]} ms of data."
    )
    everything = "\n".join(plain(report_text(report, detail="everything")))
    assert "and delete 2 segments: 181 records, 24.9 KiB, 1 min 51 s of data." in everything
    told = next(line for line in text_of(report) if line.startswith("next start"))
    assert told.startswith(
        "next start after an unclean stop: ledger-0 loses 181 records, 24.9 KiB, and 9 unreadable ones that could "
    )


def test_a_finding_that_a_clean_start_serves_says_where_consumers_fail(flipped):
    found = verify(flipped.dir, now=NOW, assume_stop="clean", kafka_version="3.9.1").partitions[0].findings
    (crc,) = [finding for finding in found if finding.id == "batch-crc-mismatch"]
    assert [effect.does for effect in crc.next_start] == ["serves"]
    assert finding_json(crc)["consequence"].endswith(
        "After a clean start of Kafka 3.9.1 consumers would get 75 records and fail at offset 75: crc."
    )


def test_a_swap_that_takes_the_place_of_records_says_so(tmp_path):
    lab = Lab(tmp_path / "d1", KRAFT)
    (lab.dir / f"{lab.path(1).name}.swap").write_bytes(b"")
    found = verify(lab.dir, now=NOW, assume_stop="clean", kafka_version="3.9.1").partitions[0].findings
    swaps = [finding for finding in found if finding.path.endswith(".swap") and finding.next_start]
    assert [[effect.does for effect in finding.next_start] for finding in swaps] == [["replaces"]]
    assert " would put this file in the place of a segment: 76 records, " in finding_json(swaps[0])["consequence"]


def test_a_finding_that_the_start_leaves_alone_says_nothing_of_it(flipped):
    flipped.patch(flipped.path(0), 200, b"\xff")
    flipped.checkpoint("recovery-point-offset-checkpoint", 75)
    report = verify(flipped.root, now=NOW)
    effects = {finding.path: finding.next_start for finding in report.all_findings() if finding.id == "batch-crc-mismatch"}
    assert [effect.does for effect in effects[str(flipped.path(0))]] == ["serves"]
    assert [effect.does for effect in effects[str(flipped.path(1))]] == ["cuts"]


def test_findings_in_segments_that_the_start_deletes_say_so(flipped):
    flipped.patch(flipped.path(2), 200, b"\xff")
    found = [f for f in verify(flipped.root, now=NOW).all_findings() if f.path == str(flipped.path(2))]
    assert [[effect.does for effect in finding.next_start] for finding in found] == [["deletes"]] * len(found)
    assert found
    assert "would delete 2 segments: " in finding_json(found[0])["consequence"]


def test_a_finding_of_what_stops_the_broker_says_so_for_both_kinds_of_stop_at_once(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / "notes.log").write_bytes(b"")
    report = verify(lab.dir, now=NOW)
    found = [finding for finding in report.all_findings() if finding.id == "file-name-invalid" or finding.severity == 3]
    assert found
    sentences = finding_json(found[0])["consequence"]
    assert "A clean or unclean start would fail: the broker stops: NumberFormatException" in sentences
    assert {effect.does for effect in found[0].next_start} == {"stops"}


def test_a_hidden_tail_is_told_where_the_log_ends(tmp_path):
    lab = Lab(tmp_path / "d1", KRAFT)
    entries = lab.path(-1, ".index").read_bytes()
    lab.patch(lab.path(-1, ".index"), len(entries) - 4, (1 << 30).to_bytes(4, "big"))
    (lab.root / ".kafka_cleanshutdown").write_bytes(b"")
    report = verify(lab.root, now=NOW)
    hidden = [effect for finding in report.all_findings() for effect in finding.next_start]
    assert {effect.does for effect in hidden} == {"hides"}
    assert (hidden[0].log_end_offset, hidden[0].records) == (208, 57)


def test_a_finding_about_a_file_of_the_log_dir_says_what_becomes_of_the_log_dir(tmp_path):
    lab = Lab(tmp_path / "d1", KRAFT)
    (lab.root / "recovery-point-offset-checkpoint").write_bytes(b"\0\0\0")
    report = verify(lab.root, now=NOW)
    path = str(lab.root / "recovery-point-offset-checkpoint")
    assert [outcome.path for outcome in report.next_start] == [path]
    finding = next(f for f in report.findings if f.path == path)
    assert [effect.does for effect in finding.next_start] == ["offline"]
    kinds = [line["type"] for line in report_json_lines(report)]
    assert kinds[-3:] == ["finding", "next_start", "summary"]
    assert any(line.startswith(f"Next start: {path}: the log dir goes offline") for line in text_of(report))


@pytest.mark.parametrize("log_dir", ["2.1.1/plain", "3.9.1/cluster-final-n1", "2.1.1/txn"])
def test_healthy_log_dirs_take_one_line_of_text_and_each_partition_one_of_its_own(log_dir):
    report = verify(BROKER / log_dir, now=NOW)
    assert report.worst <= Severity.INFO
    assert all(len(partition.next_start) == 1 for partition in report.partitions)
    (verdict, start, notes) = text_of(report)
    assert verdict.endswith(": nothing is damaged")
    assert start.startswith("next start after ")
    assert start.removesuffix(f" (Kafka {report.version})").endswith("stop: nothing is lost")
    assert notes.startswith("notes ")
    for partition in report.partitions:
        (line,) = plain(next_start_section(partition))
        assert line.endswith("removes no record")


def test_a_killed_broker_whose_torn_tail_is_cut_is_not_alarming():
    report = verify(fixture("3.9.1", "crash").path(), now=NOW)
    assert report.worst <= Severity.INFO
    assert any(line.startswith("next start after an unclean stop: nothing is lost") for line in text_of(report))
    cut = {p.path.rpartition("/")[2]: p for p in report.partitions if p.next_start[0].truncate}
    (line,) = plain(next_start_section(cut["prealloc-0"]))
    assert line.endswith("loads 1 segment, removes no record; cuts 15.5 KiB that hold no record")


def test_topics_left_out_change_what_is_printed_and_not_what_is_predicted(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:root-unknown-file")
    log_dir = lay_out_level(case, tmp_path)[0]
    with open(f"{log_dir}/comp-0/leader-epoch-checkpoint", "wb") as file:
        file.write(b"0\n5\n0 0\n")
    whole, _ = lines("--kafka-version", "3.9.1", log_dir)
    some, _ = lines("--kafka-version", "3.9.1", "--topic", "plain", log_dir)
    starts = {row["path"]: row for row in whole if row["type"] == "next_start"}
    kept = [row for row in some if row["type"] == "next_start"]
    assert {row["path"] for row in kept} == {path for path in starts if "/plain-" in path}
    assert all(row == starts[row["path"]] for row in kept)
    assert "comp-0 takes the log dir offline" in kept[0]["why"]["partition"]


def test_the_same_bytes_come_out_for_any_number_of_workers(flipped):
    arguments = ("verify", "--format", "jsonl", "--now", NOW, BROKER / "2.1.1/txn", flipped.root, flipped.dir)
    assert run(*arguments).stdout == run(*arguments, "--jobs", "3").stdout
    with ThreadPoolExecutor(2) as pool:
        threaded = verify([flipped.root, flipped.dir], now=NOW, executor=pool)
    assert threaded == verify([flipped.root, flipped.dir], now=NOW)


def test_a_report_with_predictions_is_a_value(flipped):
    report = verify([flipped.root, flipped.dir], now=NOW)
    again = pickle.loads(pickle.dumps(report))
    assert again == report
    assert again.to_jsonl() == report.to_jsonl()
    assert len(report.partitions[0].next_start) == 1
    merged = report.merge(verify(flipped.root, now=NOW))
    assert [len(partition.next_start) for partition in merged.partitions] == [1, 2, 1]
    assert [json.loads(line) for line in report.to_jsonl().splitlines()] == list(report_json_lines(report))


def test_the_prediction_does_not_change_findings_verdicts_or_the_exit_status(flipped):
    with_it, without = (verify([flipped.root, flipped.dir], now=NOW, next_start=choice) for choice in (True, False))
    assert [f._replace(next_start=()) for f in with_it.all_findings()] == list(without.all_findings())
    summaries = [list(report_json_lines(report))[-1] for report in (with_it, without)]
    # What consumers get, and whether to start the broker at all, is foretold.
    told = {"unreached": 0, "skipped": 0, "first_action": None}
    assert {**summaries[0], **told} == {**summaries[1], **told}
    # A prediction that cannot be made is no failure of the check.
    assert run("verify", BROKER / PLAIN).returncode == 0


def test_what_depends_on_the_era_is_told_in_a_line_each_for_a_partition_by_itself():
    report = verify(BROKER / PLAIN, now=NOW)
    told = [line for line in text_of(report) if line.startswith("Next start")]
    assert ["stray: if the broker runs with KRaft" in line for line in told] == [True, False]
    assert "ZooKeeper" in report.partitions[0].next_start[1].reason
    assert "Kafka 2.8.2: loads 8 segments, removes no record" in told[1]
    assert any("twitter-status-0 cannot be predicted" in line for line in text_of(report))
    report = verify(BROKER / PLAIN, now=NOW, kafka_version="2.1")
    assert {outcome.assumed.release for outcome in report.partitions[0].next_start} == {"2.1.1"}


def test_consumers_are_left_out_of_a_quick_check_with_why(flipped):
    outcome = verify(flipped.root, now=NOW, quick=True).partitions[0].next_start[0]
    assert outcome.consumer is None
    assert "consumer" in outcome.why
    assert outcome.records_lost == 181


def test_consumers_of_larger_logs_are_left_out_with_why(flipped, monkeypatch):
    shutil.copytree(flipped.dir, flipped.root / "ledger-9")
    shutil.copy(BROKER / KRAFT / flipped.path(1).name, flipped.root / "ledger-9")
    monkeypatch.setattr(options, "BESIDE_SCAN_BYTES", 1000)
    damaged, sound = (p.next_start[0] for p in verify(flipped.root, now=NOW, kafka_version="3.6").partitions)
    assert "kafkalog next-start --consumer" in sound.why["consumer"]
    # Where something is damaged more is done for it.
    assert damaged.consumer.uncommitted.records == 75
    monkeypatch.setattr(options, "DAMAGED_BYTES", 1000)
    damaged, _ = (p.next_start[0] for p in verify(flipped.root, now=NOW, kafka_version="3.6").partitions)
    assert "kafkalog next-start --consumer" in damaged.why["consumer"]
    assert damaged.records_lost == 181


def test_values_that_make_no_sense_are_refused(flipped):
    for wrong in ({"kafka_version": "5.99"}, {"assume_stop": "dirty"}, {"recovery_point": -1}):
        with pytest.raises(kafkalog.RequestError):
            verify(flipped.root, **wrong)
    assert run("verify", "--recovery-point", "x", flipped.root).returncode == 2


def test_a_log_dir_whose_checkpoints_are_unreadable_has_findings_and_no_prediction(tmp_path):
    lab = Lab(tmp_path / "d1", KRAFT)
    path = lab.root / "recovery-point-offset-checkpoint"
    path.unlink()
    path.symlink_to(path)
    report = verify(lab.root, now=NOW)
    assert len(report.partitions) == 1
    shutil.rmtree(lab.root)


@pytest.mark.parametrize("count", [2, 6])
@pytest.mark.parametrize("name", ["misplacements", "missing_directories"])
def test_what_holds_for_a_log_dir_is_worked_out_once_however_many_partitions_are_damaged(count, name, tmp_path, monkeypatch):
    log_dir = shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / "logs")
    for number in range(count):
        folder = shutil.copytree(log_dir / "ledger-0", log_dir / f"other-{number}")
        log = min(folder.glob("*.log"))
        log.write_bytes(log.read_bytes()[:200] + b"\1" + log.read_bytes()[201:])
    asked, original = [], getattr(placement, name)
    monkeypatch.setattr(log_dirs, name, lambda state: (asked.append(state), original(state))[1])
    report = verify(log_dir, now=NOW)
    assert sum(bool(partition.otherwise) for partition in report.partitions) >= count
    # After the stop that the log dir shows, and after the other.
    assert len(asked) == {"misplacements": 2, "missing_directories": 3}[name]
