"""`kafkalog verify` and `kafkalog rules` as commands: output, options, exit statuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from kafkalog.verify import RULES
from tests.verify.lab import BROKER, Lab
from tests.verify.proofs import PLAIN, TXN

NOW = "1795500000000"


def run(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "kafkalog", *map(str, arguments)], capture_output=True, text=True, check=False, **more
    )


def lines(*arguments):
    done = run("verify", "--format", "jsonl", "--now", NOW, *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


@pytest.fixture
def damaged(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.patch(lab.path(1), 200, bytes([lab.path(1).read_bytes()[200] ^ 4]))
    return lab


def test_a_healthy_log_dir_exits_with_0_and_a_damaged_one_with_1(damaged):
    assert run("verify", BROKER / "2.1.1/plain").returncode == 0
    assert run("verify", damaged.root).returncode == 1
    assert run("verify", "--exit-zero", damaged.root).returncode == 0
    assert run("verify", "--fail-on", "never", damaged.root).returncode == 0
    assert run("verify", "--fail-on", "info", BROKER / "2.1.1/plain").returncode == 1


def test_a_warning_makes_the_exit_status_1_unless_only_errors_are_to(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / "00000000000000000000.timeindex").unlink()
    found, status = lines(lab.root)
    assert ({line["severity"] for line in found if line["type"] == "finding"} - {"info"}, status) == ({"warning"}, 1)
    assert run("verify", "--fail-on", "error", lab.root).returncode == 0


def test_what_cannot_be_read_exits_with_3_even_beside_damage(damaged, tmp_path):
    assert run("verify", damaged.root, tmp_path / "nothing").returncode == 3
    (tmp_path / "empty").mkdir()
    done = run("verify", tmp_path / "empty")
    assert done.returncode == 3
    assert "holds nothing of Kafka" in done.stderr


def test_the_reason_why_a_path_cannot_be_read_is_the_systems(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in ((tmp_path / "gone", "no such file or directory"), (tmp_path / "loop", "too many levels")):
        done = run("verify", path)
        assert (done.returncode, reason in done.stderr, done.stdout) == (3, True, "")


def test_a_file_that_is_none_of_kafkas_is_not_judged(damaged):
    for name in ("notes.txt", "server.log.gz"):
        (damaged.dir / name).write_text("hello")
        done = run("verify", damaged.dir / name)
        assert done.returncode == 3
        assert "no file of Kafka's" in done.stderr


def test_a_topic_that_no_partition_has_is_told(damaged):
    found, status = lines("--no-next-start", "--topic", "twiter-*", "--topic", "twitter-*", damaged.root)
    assert status == 3
    reason = "no partition is called 'twiter-*'. Did you mean twitter-status?"
    assert found[-1]["not_checked"] == [{"path": str(damaged.root), "reason": reason}]
    assert found[-1]["partitions"] == 1


def test_of_what_an_unreadable_log_holds_nothing_is_said(tmp_path):
    lab = Lab(tmp_path / "d1", TXN)
    log = lab.path(2)
    log.unlink()
    log.symlink_to("/nowhere/at/all")
    found, status = lines("--no-next-start", lab.root)
    named = [item["path"] for item in found if item["type"] == "finding" and item["severity"] != "info"]
    assert (named, status) == ([], 3)
    assert not {"segment-empty", "txnindex-extra-entry"} & {item.get("id") for item in found}
    assert found[-1]["verdict"] == "unknown"


@pytest.mark.parametrize(
    "option",
    ["--select=no-such-rule", "--level=batch-crc-mismatch=loud", "--kafka-version=5.99", "--now=soon", "--jobs=0"],
)
def test_options_that_make_no_sense_exit_with_2(option, tmp_path):
    done = run("verify", option, tmp_path)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_the_json_lines_have_their_order_schema_and_fields(damaged):
    rows, status = lines(damaged.root)
    assert status == 1
    assert {row["schema"] for row in rows} == {"kafkalog.verify/1"}
    assert [row["type"] for row in rows] == ["finding"] * (len(rows) - 3) + ["partition", "next_start", "summary"]
    finding = next(row for row in rows if row.get("id") == "batch-crc-mismatch")
    assert set(finding) == {
        "schema", "type", "id", "severity", "path", "span", "offsets", "message", "facts", "consequence", "remedy",
        "commands",
    }  # fmt: skip
    assert finding["severity"] == "error"
    assert finding["path"] == f"{damaged.root}/twitter-status-0/{74:020d}.log"
    assert "flipping bit 2 of byte 200" in finding["message"]
    partition = rows[-3]
    assert set(partition) == {
        "schema", "type", "path", "topic", "partition", "topic_id", "verdict", "valid_through_offset", "log_start_offset",
        "log_end_offset", "segments", "batches", "records", "bytes", "offsets", "gone", "unreadable", "unreadable_bytes",
        "repairable", "at_most", "cleaned", "digests",
        "uncounted", "unreached", "skipped", "starts", "explained_by", "first_action", "more",
    }  # fmt: skip
    assert (partition["topic"], partition["partition"], partition["verdict"]) == ("twitter-status", 0, "data-loss")
    assert partition["log_end_offset"] == 533
    summary = rows[-1]
    assert summary["error"] == 1
    assert summary["now"] == int(NOW)
    assert isinstance(summary["not_checked"], list)


def test_the_output_is_the_same_for_any_number_of_workers(damaged):
    one = run("verify", "--format", "jsonl", "--now", NOW, BROKER / "2.1.1/txn", damaged.root)
    two = run("verify", "--format", "jsonl", "--now", NOW, "--jobs", "2", BROKER / "2.1.1/txn", damaged.root)
    assert one.stdout == two.stdout


def test_rules_can_be_selected_ignored_and_graded(damaged):
    assert {row["id"] for row in lines("--select", "batch-*", damaged.root)[0] if row["type"] == "finding"} == {
        "batch-crc-mismatch"
    }
    rows, status = lines("--ignore", "batch-crc-mismatch", damaged.root)
    assert "batch-crc-mismatch" not in {row.get("id") for row in rows}
    rows, status = lines("--level", "batch-crc-mismatch=info", "--fail-on", "error", damaged.root)
    assert next(row for row in rows if row.get("id") == "batch-crc-mismatch")["severity"] == "info"
    assert status == 0
    rows, _ = lines("--strict", BROKER / "2.1.1/plain")
    assert {row["severity"] for row in rows if row["type"] == "finding"} == {"warning"}


def test_a_baseline_leaves_out_what_was_found_before(damaged, tmp_path):
    baseline = tmp_path / "before.jsonl"
    baseline.write_text(run("verify", "--format", "jsonl", damaged.root).stdout)
    rows, status = lines("--baseline", baseline, damaged.root)
    assert [row["type"] for row in rows] == ["partition", "next_start", "summary"]
    assert rows[-1]["suppressed"] > 0
    assert status == 0


def test_topics_can_be_chosen_and_left_out():
    rows, _ = lines("--topic", "twitter*", BROKER / "2.1.1/plain")
    assert [row["topic"] for row in rows if row["type"] == "partition"] == ["twitter-status"]
    rows, _ = lines("--exclude", "*", BROKER / "2.1.1/plain")
    assert [row["type"] for row in rows] == ["summary"]


def test_where_no_partition_is_looked_at_that_is_said(tmp_path):
    assert (
        "no partition was looked at: the options leave out all"
        in run("verify", "--exclude", "*", BROKER / "2.1.1/plain").stdout
    )
    shutil.copy(BROKER / "2.1.1/plain/meta.properties", tmp_path)
    done = run("verify", tmp_path)
    assert done.stdout.splitlines()[0] == "clean  no partition, 1 file: nothing is damaged"
    assert done.returncode == 0


def test_a_single_file_is_judged_with_its_siblings_as_witnesses(damaged):
    log = damaged.path(1)
    rows, status = lines(log)
    assert status == 1
    assert {row["path"] for row in rows if row["type"] == "finding"} == {str(log)}
    assert rows[-2]["path"] == str(log)
    rows, status = lines(damaged.path(2))
    assert status == 0


def test_a_lone_index_is_unknown(tmp_path, damaged):
    index = tmp_path / f"{74:020d}.index"
    index.write_bytes(damaged.path(1, ".index").read_bytes())
    rows, status = lines(index)
    assert status == 3
    assert rows[-2]["verdict"] == "unknown"


def test_the_text_says_how_far_the_log_is_valid_what_it_costs_and_what_to_do(damaged):
    text = run("verify", "-v", damaged.root).stdout
    assert "data-loss" in text
    assert "valid through offset" in text
    assert "Consequence: " in text
    assert "Remedy: " in text
    assert "baseOffset 74" in text
    assert "\x1b" not in text


def test_hashes_of_all_inputs_are_noted_on_request(damaged):
    rows, _ = lines("--hash", damaged.root)
    files = [path for path in damaged.root.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".log", ".index", ".timeindex", ".snapshot", ""}
    assert rows[-1]["hashes"] == {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert lines(damaged.root)[0][-1]["files"] == rows[-1]["files"]


def test_a_copy_without_write_permission_is_checked(damaged):
    for folder, _, names in os.walk(damaged.root):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o444)
    assert run("verify", damaged.root).returncode == 1


def test_rules_are_listed_and_explained():
    listed = run("rules")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(RULES)
    explained = run("rules", "index-append-set-entry")
    assert "Do not delete the index" in explained.stdout
    assert run("rules", "no-such-rule").returncode == 2
    rows = [json.loads(line) for line in run("rules", "--format", "jsonl").stdout.splitlines()]
    assert [row["id"] for row in rows] == list(RULES)


@pytest.mark.parametrize(
    "name",
    [
        "bootstrap.checkpoint",
        "meta.properties",
        "replication-offset-checkpoint",
        f"__cluster_metadata-0/{0:020d}.log.deleted",
        f"__cluster_metadata-0/{195:020d}-0000000001.checkpoint",
        f"__cluster_metadata-0/{235:020d}.snapshot",
        "__cluster_metadata-0/quorum-state",
        "__cluster_metadata-0/leader-epoch-checkpoint",
        "__cluster_metadata-0/partition.metadata",
    ],
)
def test_a_healthy_file_taken_alone_exits_with_0(name):
    done = run("verify", BROKER / "4.3.1/meta-n1" / name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning" not in done.stdout.replace("0 warnings", "")


def test_an_index_that_was_set_aside_is_not_judged_and_exits_with_3():
    done = run("verify", BROKER / "4.3.1/meta-n1/__cluster_metadata-0" / f"{0:020d}.index.deleted")
    assert done.returncode == 3
    assert "set aside" in done.stdout
