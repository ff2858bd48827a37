"""The advice what to move away: doing it, and predicting again, shows that it helps."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest

from kafkalog.next_start.api import next_starts
from kafkalog.next_start.index_advice import KEEP_OF_REPLACED
from kafkalog.verify import verify
from tests.log_dirs import fixture
from tests.next_start.broker_starts import packed_starts

STARTS = {start.id: start for start in packed_starts()}
#: Damage that moving files away undoes, with what is moved.
HELPED = {
    "torn-half@plain.last/clean": ["00000000000000000125.index"],
    "zero-tail@txn.last/clean": ["00000000000000000063.index"],
    "index-position-past-eof@plain.last/clean": ["00000000000000000125.index"],
    "epochfile-line-malformed@plain/clean": ["leader-epoch-checkpoint"],
    "epochfile-is-directory@plain/unclean-zero": ["leader-epoch-checkpoint"],
    "txnindex-garbage-first@txn/clean": ["00000000000000000000.txnindex", "00000000000000000000.index"],
    "left-bad-index-name@plain/clean": ["notes.index"],
    "snapshot-badname@txn/unclean-zero": ["latest.snapshot"],
    "left-swap-empty@plain/clean": ["00000000000000000060.log.swap"],
}
#: Damage where no such advice is certain.
LEFT_ALONE = [
    "flip-record@plain.mid/unclean-zero",
    "marker-type-5@txn.mid/unclean-zero",
    "metadata-emptied@plain/clean",
    "swap-tail@plain.last/clean",  # the log would end below a record that is there
    "renamed-prefix@plain.mid/clean",  # what is moved away would be records
    "base-overflow@plain.mid/unclean-zero",
]


def lay_out(start, folder: pathlib.Path) -> pathlib.Path:
    directory = folder / "p-0"
    directory.mkdir()
    for name, data in start.files.items():
        (directory / name).write_bytes(data)
    for name in start.directories:
        (directory / name).mkdir()
    return directory


def predicted(start, directory: pathlib.Path):
    stop = "clean" if start.seen.get("clean_shutdown_file") else "unclean"
    point = max(0, start.seen.get("recovery_point") or 0)
    (outcome,) = next_starts([directory], assume_stop=stop, kafka_version="3.9.1", recovery_point=point)
    return outcome


def moved(outcome) -> list[str]:
    steps = [step for step in outcome.actions if step.startswith("Move ")]
    return steps[0].removeprefix("Move ").partition(" out of")[0].split(" and ") if steps else []


@pytest.mark.parametrize("case", HELPED)
def test_what_is_moved_away_helps(case, tmp_path):
    start = STARTS[case]
    directory = lay_out(start, tmp_path)
    before = predicted(start, directory)
    assert before.severity == "error"
    assert moved(before) == HELPED[case]
    for name in moved(before):
        (directory / name).rename(tmp_path / name)
    after = predicted(start, directory)
    assert after.is_harmless
    assert after.severity != "error"
    assert re.search(rf"ends at offset {after.log_end_offset} ", before.actions[-1])
    assert after.consumer.uncommitted.stops_at_offset == after.log_end_offset


@pytest.mark.parametrize("case", [case for case in LEFT_ALONE if case in STARTS])
def test_nothing_is_said_where_nothing_is_certain(case, tmp_path):
    outcome = predicted(STARTS[case], lay_out(STARTS[case], tmp_path))
    assert outcome.severity == "error"
    assert moved(outcome) == []


def test_every_case_named_here_is_recorded():
    assert {*HELPED, *LEFT_ALONE} <= set(STARTS)


def test_a_swap_that_is_the_only_copy_is_not_moved_away(tmp_path):
    start = STARTS["left-swap-flip-record@plain/unclean-zero"]
    directory = lay_out(start, tmp_path)
    assert [name.endswith(".swap") for name in moved(predicted(start, directory))] == [True] * 3
    for suffix in ("log", "index", "timeindex"):
        (directory / f"00000000000000000060.{suffix}").unlink()
    assert moved(predicted(start, directory)) == []


def test_a_healthy_directory_gets_no_advice(tmp_path):
    outcome = predicted(STARTS["none@plain/clean"], lay_out(STARTS["none@plain/clean"], tmp_path))
    assert outcome.actions == ()


@pytest.mark.parametrize(("other", "base"), [("many-0", 0), ("twitter-status-0", 147)])
def test_the_indexes_of_a_log_that_was_put_in_the_place_of_another_are_kept(other, base, tmp_path):
    folder = shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")
    active = max((folder / "twitter-status-0").glob("*.log"))
    shutil.copyfile(folder / other / f"{base:020d}.log", active)
    (outcome,) = next_starts([folder / "twitter-status-0"], assume_stop="clean", kafka_version="3.9.1")
    assert moved(outcome) == []
    (log,) = (one for one in verify([folder / "twitter-status-0"]).all_findings() if one.id == "log-replaced")
    assert log.remedy.startswith(KEEP_OF_REPLACED)
    if outcome.severity == "error" and outcome.partition == "failed":
        assert KEEP_OF_REPLACED in outcome.actions
