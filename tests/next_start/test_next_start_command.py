"""`kafkalog next-start` and the library call: output, options, exit statuses."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import kafkalog
from kafkalog.core.release import NEWEST, release_text
from tests.next_start.broker_starts import packed_starts
from tests.verify.lab import BROKER

CHANGES = ["truncate", "delete", "rename", "create", "rebuild"]
LOSSES = ["log_start_offset", "log_end_offset", "records_lost", "bytes_lost", "time_range_lost"]
STATE = ["assumed", "broker", "log_dir", "partition", "reason"]
LAST = ["epochs_after", "consumer", "set_aside", "already_gone", "why", "actions", "commands"]
FIELDS = ["schema", "type", "path", *STATE, *CHANGES, *LOSSES, *LAST]


def lay_out(case_id: str, stop: str, folder: pathlib.Path) -> pathlib.Path:
    """A log dir with one damaged partition, its checkpoints and, after a clean stop, the marker."""
    start = next(start for start in packed_starts() if start.id == f"{case_id}/{stop}")
    partition = folder / f"{start.seen['base']}-0"
    partition.mkdir(parents=True)
    for name, data in start.files.items():
        (partition / name).write_bytes(data)
    point = start.seen.get("recovery_point")
    line = "0\n0\n" if point is None else f"0\n1\n{start.seen['base']} 0 {point}\n"
    (folder / "recovery-point-offset-checkpoint").write_text(line)
    (folder / "replication-offset-checkpoint").write_text("0\n0\n")
    (folder / "log-start-offset-checkpoint").write_text("0\n0\n")
    if start.seen.get("clean_shutdown_file"):
        (folder / ".kafka_cleanshutdown").write_bytes(b"")
    return folder


def run(*arguments: str, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kafkalog", "next-start", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(kafkalog.__file__).resolve().parent.parent)}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=60)


def lines(result: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_torn_tail_after_an_unclean_stop_is_told_in_all_fields(tmp_path):
    log_dir = lay_out("torn-half@plain.last", "unclean-active", tmp_path / "d")
    result = run("--format", "jsonl", "--kafka-version", "3.9.1", str(log_dir))
    assert (result.returncode, result.stderr) == (0, "")
    (line,) = lines(result)
    assert list(line) == FIELDS
    partition = f"{log_dir}/plain-0"
    assert line["schema"] == "kafkalog.next-start/1"
    assert "no metadata log is in the log dirs looked at" in line["assumed"].pop("caveat")
    assert (line["path"], line["assumed"]) == (partition, {"stop": "unclean", "recovery_point": 125, "release": "3.9.1"})
    assert (line["broker"], line["log_dir"], line["partition"]) == ("starts", "online", "loaded")
    assert line["truncate"] == [{"path": f"{partition}/00000000000000000125.log", "position": 2362, "offset": 148}]
    assert (line["log_start_offset"], line["log_end_offset"]) == (0, 148)
    assert (line["records_lost"], line["bytes_lost"], line["time_range_lost"]) == (0, 198, None)
    assert line["epochs_after"] == [[0, 0]]
    assert (line["actions"], line["commands"]) == ([], [])
    told = {"records": 148, "stops_at_offset": 148, "error": None, "stuck": False, "aborted_visible": 0}
    assert line["consumer"]["uncommitted"] == {**told, "read": [[0, 147]], "skipped": [], "unreached": None}


def test_an_invisible_segment_is_counted_as_lost(tmp_path):
    log_dir = lay_out("torn-half@plain.last", "clean", tmp_path / "d")
    result = run("--format", "jsonl", "--kafka-version", "3.9.1", str(log_dir))
    (line,) = lines(result)
    assert result.returncode == 1
    assert (line["log_end_offset"], line["records_lost"], line["truncate"]) == (125, 23, [])
    first, last = line["time_range_lost"]
    assert 0 < first <= last


def test_later_segments_are_counted_with_their_records(tmp_path):
    log_dir = lay_out("flip-record@plain.mid", "unclean-zero", tmp_path / "d")
    (line,) = lines(run("--format", "jsonl", "--kafka-version", "3.9.1", str(log_dir)))
    # The five records of the bad batch could not be read before either.
    assert line["records_lost"] == 153 - line["log_end_offset"] - 5
    assert [now.endswith(".deleted") for _, now in line["rename"]] == [True] * len(line["rename"])
    text = run("--kafka-version", "3.9.1", str(log_dir)).stdout
    assert "before the restart:" in text
    assert "2 segments deleted" in text


def test_a_partition_directory_gives_a_line_for_each_kind_of_stop(tmp_path):
    log_dir = lay_out("zero-tail@plain.last", "clean", tmp_path / "d")
    result = run("--format", "jsonl", str(log_dir / "plain-0") + "/")
    clean, unclean = lines(result)
    assert [clean["assumed"]["stop"], unclean["assumed"]["stop"]] == ["clean", "unclean"]
    assert (clean["broker"], unclean["broker"]) == ("aborts", "starts")
    assert clean["assumed"]["release"] is None
    assert clean["path"] == str(log_dir / "plain-0")
    (only,) = lines(run("--format", "jsonl", "--assume-stop", "unclean", str(log_dir / "plain-0")))
    assert only == unclean


def test_what_depends_on_the_era_is_told_for_both_the_worst_first_for_a_partition_by_itself(tmp_path):
    log_dir = lay_out("metadata-missing@plain", "clean", tmp_path / "d")
    (tmp_path / "alone").mkdir()
    alone = (log_dir / "plain-0").rename(tmp_path / "alone" / "plain-0")
    result = run("--format", "jsonl", str(alone))
    assert result.returncode == 1
    told = [(line["assumed"]["stop"], line["assumed"]["release"], line["partition"]) for line in lines(result)]
    newest, oldest = release_text(NEWEST), "2.8.2"
    assert told == [
        ("clean", newest, "stray"),
        ("clean", oldest, "loaded"),
        ("unclean", newest, "stray"),
        ("unclean", oldest, "loaded"),
    ]
    assert lines(result)[0]["reason"].startswith(f"if the broker runs with KRaft, as Kafka {newest}: ")
    assert lines(result)[1]["reason"].startswith("if the broker runs with ZooKeeper, as Kafka 2.8.2: ")
    assert "nothing shows whether" in lines(result)[0]["assumed"]["evidence"]
    assert "nothing is lost" not in run(str(alone)).stdout


def test_what_both_eras_do_alike_is_told_once_for_a_partition_by_itself(tmp_path):
    log_dir = lay_out("none@plain", "clean", tmp_path / "d")
    (tmp_path / "alone").mkdir()
    alone = (log_dir / "plain-0").rename(tmp_path / "alone" / "plain-0")
    result = run("--format", "jsonl", "--assume-stop", "clean", str(alone))
    (line,) = lines(result)
    assert (result.returncode, line["assumed"]["release"], line["partition"]) == (0, None, "loaded")


def test_assumptions_are_taken_from_the_options(tmp_path):
    log_dir = lay_out("flip-record@plain.mid", "clean", tmp_path / "d")
    assert run("--kafka-version", "3.9.1", "--no-consumer", str(log_dir)).returncode == 0
    result = run(
        "--kafka-version", "3.9.1", "--assume-stop", "unclean", "--recovery-point", "0", "--format", "jsonl", str(log_dir)
    )
    (line,) = lines(result)
    assert (result.returncode, line["assumed"]["recovery_point"]) == (1, 0)
    assert line["records_lost"] > 0
    assert (
        run(
            "--kafka-version", "3.9.1", "--assume-stop", "unclean", "--recovery-point", "0", "--exit-zero", str(log_dir)
        ).returncode
        == 0
    )
    flushed = run(
        "--kafka-version", "3.9.1", "--assume-stop", "unclean", "--recovery-point", "153", "--no-consumer", str(log_dir)
    )
    assert flushed.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kafka-version", "5.99"],
        ["--kafka-version", "text"],
        ["--recovery-point", "-1"],
        ["--recovery-point", "x"],
        ["--assume-stop", "dirty"],
        ["--format", "xml"],
    ],
)
def test_wrong_options_are_usage_errors(arguments, tmp_path):
    result = run(*arguments, str(tmp_path))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_missing_and_foreign_paths_are_named_and_the_others_told(tmp_path):
    log_dir = lay_out("none@plain", "clean", tmp_path / "d")
    (tmp_path / "empty").mkdir()
    result = run("--format", "jsonl", "--kafka-version", "3.9.1", str(tmp_path / "gone"), str(tmp_path / "empty"), str(log_dir))
    assert result.returncode == 3
    assert len(lines(result)) == 1
    assert len(result.stderr.splitlines()) == 2


def test_paths_are_printed_as_given(tmp_path):
    lay_out("none@plain", "clean", tmp_path / "d")
    result = run("--format", "jsonl", ".", cwd=tmp_path / "d")
    assert [line["path"] for line in lines(result)] == ["./plain-0"]
    (first, _) = lines(run("--format", "jsonl", ".", cwd=tmp_path / "d" / "plain-0"))
    assert first["path"] == "."


def test_library_takes_the_log_dir_around_a_partition_into_account(tmp_path):
    log_dir = lay_out("torn-half@plain.last", "unclean-active", tmp_path / "d")
    outcome = kafkalog.next_start(log_dir / "plain-0", kafka_version="3.9.1")
    assert isinstance(outcome, kafkalog.Outcome)
    assert (outcome.assumed.recovery_point, outcome.log_end_offset) == (125, 148)
    with pytest.raises(kafkalog.RequestError):
        kafkalog.next_start(log_dir)
    with pytest.raises(kafkalog.UnreadableFile):
        kafkalog.next_start(log_dir / "gone-0")


def test_links_that_lead_nowhere_and_pipes_are_no_files(tmp_path):
    log_dir = lay_out("none@plain", "clean", tmp_path / "d")
    partition = log_dir / "plain-0"
    (partition / "loop").symlink_to("loop")
    (partition / "00000000000000000999.log").symlink_to("/nonexistent/file")
    os.mkfifo(partition / "00000000000000000777.log")
    result = run("--format", "jsonl", "--kafka-version", "3.9.1", str(log_dir))
    assert (result.returncode, result.stderr) == (0, "")
    (line,) = lines(result)
    assert (line["partition"], line["log_end_offset"]) == ("loaded", 153)


def test_text_tells_what_is_harmed_in_full_and_each_harmless_partition_in_a_line_on_request(tmp_path):
    log_dir = lay_out("none@plain", "clean", tmp_path / "d")
    shutil.copytree(log_dir / "plain-0", log_dir / "plain-1")
    lay_out("torn-half@plain.last", "clean", tmp_path / "torn")
    (tmp_path / "torn" / "plain-0").rename(log_dir / "plain-2")
    result = run("--kafka-version", "3.9.1", "-v", str(log_dir))
    assert result.returncode == 1
    head, detail, headline = result.stdout.split("\n\n")
    assert "\nbut         no metadata log is in the log dirs looked at" in headline
    assert [line.rpartition("/")[2] for line in head.splitlines()] == [
        f"plain-{number} (clean stop, Kafka 3.9.1): loads, removes no record, log from offset 0 to 153" for number in (0, 1)
    ]
    assert detail.startswith(f"{log_dir}/plain-2 (clean stop")
    assert "Move 00000000000000000125.index out of the directory" in detail
    assert headline.startswith("harm  plain-2: 1 of 3 directories would lose data or service\n")
    assert run("--kafka-version", "3.9.1", "-q", str(log_dir)).stdout == headline
    # A partition directory that was asked for is reported in full.
    alone = run("--kafka-version", "3.9.1", "--assume-stop", "clean", str(log_dir / "plain-0")).stdout
    assert "consumers get all 153 records" in alone


def test_an_outcome_says_in_short_what_it_is(tmp_path):
    log_dir = lay_out("torn-half@plain.last", "clean", tmp_path / "d")
    outcome = kafkalog.next_start(log_dir / "plain-0", kafka_version="3.9.1")
    assert repr(outcome) == f"Outcome('{log_dir}/plain-0', clean stop: loaded, log 0 to 125, 23 records lost)"
    log_dir = lay_out("metadata-emptied@plain", "clean", tmp_path / "e")
    outcome = kafkalog.next_start(log_dir / "plain-0", kafka_version="3.9.1")
    assert repr(outcome) == f"Outcome('{log_dir}/plain-0', clean stop: failed, broker aborts)"


def test_where_the_logs_are_missing_nobody_says_that_nothing_is_lost(tmp_path):
    log_dir = shutil.copytree(BROKER / "3.9.1/cluster-final-n1", tmp_path / "d")
    for path in log_dir.glob("ledger-0/*.log"):
        path.unlink()
    result = run("--format", "jsonl", str(log_dir))
    assert result.returncode == 1
    (line,) = [line for line in lines(result) if line["path"].endswith("/ledger-0")]
    assert (line["partition"], line["records_lost"], line["bytes_lost"]) == ("loaded", None, None)
    assert "not in this log dir" in line["why"]["records_lost"]
    assert "no `.log` is in the directory" in line["reason"]
    assert "harm  ledger-0: 1 of " in run("-q", str(log_dir)).stdout


def test_a_directory_that_was_just_made_has_lost_nothing(tmp_path):
    log_dir = shutil.copytree(BROKER / "2.1.1/plain", tmp_path / "d")
    (log_dir / "new-0").mkdir()
    result = run("--format", "jsonl", str(log_dir))
    assert result.returncode == 0
    assert {line["records_lost"] for line in lines(result)} == {0}


def test_segments_that_are_recovered_for_one_reason_are_told_together(tmp_path):
    partition = shutil.copytree(BROKER / "2.1.1/plain/twitter-status-0", tmp_path / "twitter-status-0")
    indexes = sorted(partition.glob("*.index"))
    assert len(indexes) > 2
    for path in indexes:
        path.unlink()
    line = lines(run("--format", "jsonl", "--kafka-version", "3.9.1", "--assume-stop", "clean", str(partition)))[0]
    first, last = int(indexes[0].stem), int(indexes[-1].stem)
    told = f"{len(indexes)} segments are recovered, from {first} to {last}: the `.index` is missing"
    assert line["reason"].split("; ").count(told) == 1
    assert "segment 0 is recovered" not in line["reason"]
