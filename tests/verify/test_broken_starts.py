"""A broker that will not start is no sound copy: verdict and exit status say so, whatever stops it."""

from __future__ import annotations

import pytest

from kafkalog.verify import Severity, verify
from tests.next_start.broker_starts import effect_of, packed_starts
from tests.next_start.test_log_dirs import lay_out, packed_log_dirs
from tests.verify.lab import BROKER, Lab
from tests.verify.test_command import run

NOW = 1795500000000
TAIL = "2.1.1/plain/twitter-status-0"
#: What stops the broker beside the partitions, one case of each cause.
STOPPED = (
    *("recovery-point-file-nuls", "log-start-file-count-high", "dir-plain-0.bak", "dir-suffix-unknown"),
    *("dir-future-same-dir", "partition-in-two-dirs", "meta-missing", "meta-nuls", "meta-directory-id-duplicated"),
)


def causes():
    """A recorded start that ended the broker, or its log dir, for each kind of damage."""
    found = {}
    for start in packed_starts():
        if effect_of(start.seen) is not None:
            found.setdefault((effect_of(start.seen), start.seen["kind"]), start)
    return found


@pytest.mark.parametrize("name", STOPPED)
def test_what_stops_the_broker_beside_the_partitions_makes_the_verdict_damaged(name, tmp_path):
    (case,) = (case for case in packed_log_dirs()[1] if case["id"] == f"level:{name}")
    assert not case["broker_started"]
    report = verify(lay_out(case, tmp_path), now=NOW, kafka_version="3.9.1", quick=True)
    assert (report.will_not_start, report.verdict, report.worst > Severity.INFO) == (True, "damaged", True)


CAUSES = causes()


@pytest.mark.parametrize("cause", CAUSES, ids=" ".join)
def test_what_stops_the_broker_in_a_partition_makes_the_verdict_damaged(cause, tmp_path):
    start = CAUSES[cause]
    directory = tmp_path / "p-0"
    directory.mkdir()
    for name, data in start.files.items():
        (directory / name).write_bytes(data)
    for name in start.directories:
        (directory / name).mkdir(exist_ok=True)
    stop = "clean" if start.seen.get("clean_shutdown_file") else "unclean"
    point = start.seen.get("recovery_point") or 0
    report = verify(directory, now=NOW, kafka_version="3.9.1", assume_stop=stop, recovery_point=point)
    assert report.will_not_start
    assert report.verdict in ("damaged", "data-loss")
    assert report.worst is Severity.ERROR


@pytest.fixture
def torn(tmp_path):
    """A killed broker's log with zeros at its end: an unclean start cuts them, one after a clean stop ends the broker."""
    lab = Lab(tmp_path / "d1", TAIL)
    lab.append(lab.path(-1), bytes(100))
    return lab.dir


def test_a_start_that_fails_only_after_one_kind_of_stop_does_not_decide(torn):
    report = verify(torn, now=NOW, kafka_version="3.9.1")
    assert {outcome.broker for outcome in report.partitions[0].next_start} == {"aborts", "starts"}
    assert (report.will_not_start, report.verdict) == (False, "benign")


def test_a_start_that_fails_after_the_stop_that_was_asked_about_decides_the_exit_status(torn):
    done = run("verify", "--kafka-version", "3.9.1", "--assume-stop", "clean", torn)
    assert done.returncode == 1
    assert any(line.startswith("damaged ") for line in done.stdout.splitlines())
    assert run("verify", "--kafka-version", "3.9.1", "--assume-stop", "unclean", torn).returncode == 0


def test_a_release_that_the_metadata_are_too_new_for_decides_the_exit_status():
    log_dir = BROKER / "4.3.1/meta-n1"
    assert run("verify", "--kafka-version", "3.7.2", log_dir).returncode == 1
    assert run("verify", "--kafka-version", "3.7.2", "--no-next-start", log_dir).returncode == 0


def test_what_a_policy_leaves_out_on_purpose_does_not_come_back_as_a_prediction(tmp_path):
    lab = Lab(tmp_path / "d1", TAIL)
    (lab.root / "backup").mkdir()
    assert run("verify", lab.root).returncode == 1
    assert run("verify", "--ignore", "directory-name-unparsable", lab.root).returncode == 0
