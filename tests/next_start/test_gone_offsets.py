"""Offsets that a log had and that no file holds any more: files are taken out of a real broker's log dir."""

from __future__ import annotations

import json
import shutil
import struct

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.files.log_dir import CLEANER_OFFSETS, HIGH_WATERMARKS, RECOVERY_POINTS, LogDir, PartitionContext
from kafkalog.files.partition import Partition
from kafkalog.kafka.gone_offsets import AT_END, AT_START, IN_BETWEEN, gone_offsets, is_partial_copy
from kafkalog.kafka.remains import remains_of
from kafkalog.next_start.api import next_starts
from tests.log_dirs import fixture, fixture_log_dirs

PLAIN, TOPIC = "2.1.1/plain", "twitter-status-0"


@pytest.fixture
def log_dir(tmp_path):
    return shutil.copytree(fixture(*PLAIN.split("/")).path(), tmp_path / "logs")


def bases(partition):
    return sorted(int(path.stem) for path in partition.glob("*.log"))


def remove(partition, base, *suffixes):
    for path in partition.glob(f"{base:020d}.*"):
        if not suffixes or path.suffix in suffixes:
            path.unlink()


def gone(log_dir, name=TOPIC):
    """Of a partition in a log dir."""
    opened = LogDir(str(log_dir))
    context = opened.context_of(name)
    return gone_offsets(remains_of(opened.partition(name), is_compacted=CLEANER_OFFSETS in context.lines), context)


def spans(found):
    return [(one.place, one.first, one.last, one.certain) for one in found]


def test_a_whole_log_lacks_nothing(log_dir):
    assert gone(log_dir) == ()


def test_a_middle_segment_that_is_missing_takes_its_offsets_along(log_dir):
    first, following = bases(log_dir / TOPIC)[2:4]
    remove(log_dir / TOPIC, first)
    assert spans(gone(log_dir)) == [(IN_BETWEEN, first, following - 1, True)]


def test_a_closed_segment_whose_end_is_cut_off_lacks_the_offsets_up_to_the_next(log_dir):
    path = log_dir / TOPIC / f"{bases(log_dir / TOPIC)[1]:020d}.log"
    path.write_bytes(path.read_bytes()[:-30])
    (found,) = gone(log_dir)
    assert (found.place, found.last, found.certain) == (IN_BETWEEN, bases(log_dir / TOPIC)[2] - 1, True)
    assert found.number == found.last - found.first + 1 > 0


def test_bytes_that_are_no_batch_at_the_end_of_a_segment_may_hold_what_is_missing(log_dir):
    path = log_dir / TOPIC / f"{bases(log_dir / TOPIC)[1]:020d}.log"
    data = path.read_bytes()
    path.write_bytes(data[:-200] + bytes(200))
    assert gone(log_dir) == ()


def test_a_first_segment_that_is_missing_is_told_by_the_epoch_file(log_dir):
    remove(log_dir / TOPIC, 0)
    assert spans(gone(log_dir)) == [(AT_START, 0, bases(log_dir / TOPIC)[0] - 1, True)]


def test_a_first_segment_that_retention_deleted_is_not_missed(log_dir):
    partition = log_dir / TOPIC
    remove(partition, 0)
    (partition / "leader-epoch-checkpoint").write_text(f"0\n1\n0 {bases(partition)[0]}\n")
    assert gone(log_dir) == ()


def test_without_a_clean_stop_the_epoch_file_may_be_older_than_the_log(log_dir):
    remove(log_dir / TOPIC, 0)
    (log_dir / ".kafka_cleanshutdown").unlink()
    assert gone(log_dir) == ()


def test_a_first_log_whose_indexes_are_still_there_is_missed_after_any_stop(log_dir):
    (log_dir / ".kafka_cleanshutdown").unlink()
    remove(log_dir / TOPIC, 0, ".log")
    assert spans(gone(log_dir)) == [(AT_START, 0, bases(log_dir / TOPIC)[0] - 1, True)]


def test_a_last_segment_that_is_missing_is_told_by_the_recovery_point(log_dir):
    last = bases(log_dir / TOPIC)[-1]
    remove(log_dir / TOPIC, last)
    assert spans(gone(log_dir)) == [(AT_END, last, 532, True)]
    assert "recovery point 533" in gone(log_dir)[0].witness


def test_an_emptied_partition_has_lost_all_that_was_flushed(log_dir):
    for path in (log_dir / TOPIC).iterdir():
        path.unlink()
    assert spans(gone(log_dir)) == [(AT_END, 0, 532, True)]


def test_logs_that_are_all_cut_to_nothing_are_missed_one_by_one(log_dir):
    names = bases(log_dir / TOPIC)
    for path in (log_dir / TOPIC).glob("*.log"):
        path.write_bytes(b"")
    found = gone(log_dir)
    assert (found[0].first, found[-1].last) == (0, 532)
    assert sum(one.number for one in found) == 533
    assert [one.place for one in found] == [IN_BETWEEN] * (len(names) - 1) + [AT_END]


def test_without_checkpoints_a_clean_stop_leaves_a_snapshot_that_tells_the_end(log_dir):
    partition = log_dir / "many-0"
    for name in (RECOVERY_POINTS, HIGH_WATERMARKS):
        (log_dir / name).write_text("0\n0\n")
    for path in partition.glob("*.log"):
        path.write_bytes(b"")
    assert spans(gone(log_dir, "many-0")) == [(AT_END, 0, 2999, True)]


def cut_off_last(log_dir, *, high_watermark=533):
    """Take the last segment away, as far as the recovery point tells: only the high watermark goes further than the log."""
    last = bases(log_dir / TOPIC)[-1]
    remove(log_dir / TOPIC, last)
    for name, offset in ((RECOVERY_POINTS, last), (HIGH_WATERMARKS, high_watermark)):
        lines = (log_dir / name).read_text()
        (log_dir / name).write_text(lines.replace("twitter-status 0 533", f"twitter-status 0 {offset}"))
    return last


def test_a_high_watermark_beyond_the_end_tells_of_lost_offsets_where_no_broker_was_running(log_dir):
    last = cut_off_last(log_dir)
    (log_dir / ".kafka_cleanshutdown").unlink()
    assert spans(gone(log_dir)) == [(AT_END, last, 532, True)]
    result = command(log_dir)
    assert result.return_value == 1
    assert f"offsets {last}..532 are already gone, {533 - last} in all" in " ".join(result.output.split())


def test_a_high_watermark_that_may_have_been_copied_after_the_log_proves_nothing(log_dir):
    last = cut_off_last(log_dir)
    (log_dir / ".kafka_cleanshutdown").unlink()
    index = log_dir / TOPIC / f"{bases(log_dir / TOPIC)[-1]:020d}.index"
    index.write_bytes(index.read_bytes() + bytes(800))
    assert spans(gone(log_dir)) == [(AT_END, last, 532, False)]
    result = command(log_dir)
    assert result.return_value == 0
    assert f"offsets {last}..532 are gone, {533 - last} in all, unless the broker was running" in " ".join(
        result.output.split()
    )


def test_a_high_watermark_that_the_recovery_point_of_a_clean_stop_contradicts_is_told_with_its_count(log_dir):
    last = cut_off_last(log_dir)
    (found,) = gone(log_dir)
    assert (found.number, found.certain, found.is_odd) == (533 - last, False, True)
    result = command(log_dir)
    assert result.return_value == 1
    words = " ".join(result.output.split())
    assert f"by the high watermark 533 offsets {last}..532 are gone, by the recovery point {last} the log is whole" in words
    (line,) = [one for one in map(json.loads, command("--format", "jsonl", log_dir).output.splitlines()) if one["already_gone"]]
    assert (line["already_gone"][0]["certain"], line["already_gone"][0]["against"]) == (False, f"the recovery point {last}")


def test_one_offset_that_is_gone_is_told_in_the_singular(log_dir):
    last = cut_off_last(log_dir, high_watermark=477)
    (log_dir / ".kafka_cleanshutdown").unlink()
    assert f"offset {last} is already gone (the high watermark" in " ".join(command(log_dir).output.split())


def test_a_partition_by_itself_knows_of_its_middle_segment_by_records_without_a_key(log_dir):
    partition = log_dir / TOPIC
    first, last = bases(partition)[2:4]
    remove(partition, first)
    found = gone_offsets(remains_of(Partition(str(partition))), PartitionContext())
    assert [(one.first, one.last) for one in found] == [(first, last - 1)]


def test_the_holes_of_a_compacted_log_are_the_cleaners(tmp_path):
    folder = shutil.copytree(fixture("3.9.1", "edge").path(), tmp_path / "logs")
    remove(folder / "e-tomb-0", bases(folder / "e-tomb-0")[1])
    assert gone(folder, "e-tomb-0") == ()


@pytest.mark.parametrize("position", [-1, -(1 << 31), (1 << 31) - 1, 5])
def test_a_last_index_entry_that_leads_to_no_batch_hides_nothing(log_dir, position):
    partition = log_dir / TOPIC
    first, following = bases(partition)[2:4]
    remove(partition, first)
    index = partition / f"{bases(partition)[-1]:020d}.index"
    index.write_bytes(struct.pack(">ii", 1, position))
    assert spans(gone(log_dir)) == [(IN_BETWEEN, first, following - 1, True)]


def test_index_files_after_the_last_log_tell_of_a_segment_of_unknown_length(log_dir):
    for name in (RECOVERY_POINTS, HIGH_WATERMARKS):
        (log_dir / name).unlink()
    partition = log_dir / TOPIC
    last = bases(partition)[-1]
    remove(partition, last, ".log", ".snapshot")
    (log_dir / ".kafka_cleanshutdown").unlink()
    assert [(one.first, one.last, one.number) for one in gone(log_dir)] == [(last, None, None)]


@pytest.mark.parametrize(("missing", "present", "expected"), [(1, 0, False), (2, 1, True), (3, 3, False), (40, 3, True)])
def test_a_copy_of_some_partitions_is_told_by_how_many_are_missing(missing, present, expected):
    assert is_partial_copy(missing, present) is expected


# --- in the predictions ---


def command(*words):
    return CliRunner().invoke(main, ["next-start", *map(str, words)], standalone_mode=False)


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_segment_that_is_missing_is_never_nothing_lost(log_dir, number):
    base = bases(log_dir / TOPIC)[number]
    remove(log_dir / TOPIC, base)
    result = command(log_dir)
    assert result.return_value == 1
    words = " ".join(result.output.split())
    assert f"offsets {base}.." in words
    assert "already gone" in words
    assert "removes nothing more" in words
    assert "nothing is lost" not in words


def test_the_line_of_a_program_has_the_offsets_and_their_witness(log_dir):
    first, following = bases(log_dir / TOPIC)[2:4]
    remove(log_dir / TOPIC, first)
    lines = [json.loads(line) for line in command("--format", "jsonl", log_dir).output.splitlines()]
    (line,) = [line for line in lines if line["already_gone"]]
    witness = f"the next segment begins at {following}"
    told = {"first": first, "last": following - 1, "place": IN_BETWEEN, "witness": witness, "certain": True, "at_most": False}
    assert line["already_gone"] == [told]


def test_a_partition_emptied_of_its_files_tells_how_many_offsets_it_had(log_dir):
    for path in (log_dir / TOPIC).iterdir():
        path.unlink()
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir], kafka_version="2.8.2")}
    assert spans(outcomes[TOPIC].already_gone) == [(AT_END, 0, 532, True)]
    assert outcomes[TOPIC].severity == "error"


def test_a_partition_by_itself_is_told_too(log_dir):
    first = bases(log_dir / TOPIC)[2]
    remove(log_dir / TOPIC, first)
    shutil.move(log_dir / TOPIC, log_dir.parent / TOPIC)
    result = command("--kafka-version", "2.8.2", "--assume-stop", "clean", log_dir.parent / TOPIC)
    assert result.return_value == 1
    assert "already gone" in " ".join(result.output.split())


def test_no_log_dir_of_a_real_broker_has_lost_anything():
    plain = [case for case in fixture_log_dirs() if case.where.is_dir()]
    logs = [(case, one.name) for case in plain for one in case.where.iterdir() if one.is_dir()]
    found = {f"{case.id}/{name}": gone(case.path(), name) for case, name in logs}
    assert len(found) > 100
    assert not [name for name, gone in found.items() if any(one.certain for one in gone)]


def test_where_the_controller_knows_no_other_replica_only_a_backup_brings_back_what_is_gone(tmp_path):
    folder = shutil.copytree(fixture("3.9.1", "edge").path(), tmp_path / "logs")
    marks = folder / HIGH_WATERMARKS
    marks.write_text(marks.read_text().replace("e-idem 0 118", "e-idem 0 150"))
    (outcome,) = [one for one in next_starts([folder]) if one.path.endswith("e-idem-0")]
    told = " ".join(outcome.actions)
    assert "the partition has no other replica: only a backup brings back the offsets that are gone" in told
    assert "Copy the checkpoint files first" in told
    assert "let it lead" not in told
