"""A prediction that is spared what a scan has seen already is the same as one that goes through every batch."""

from __future__ import annotations

import os
import pickle

import pytest

from kafkalog.kafka import fetched_records
from kafkalog.kafka.log_input_stream import LoggedBatch
from kafkalog.kafka.scanned_log import PackedLogs
from kafkalog.next_start import options
from kafkalog.next_start.api import next_starts
from kafkalog.render.json_next_start import outcome_json
from kafkalog.verify import engine, verify
from kafkalog.verify.checks import partition
from kafkalog.verify.scan.results import SegmentTask, Settings
from kafkalog.verify.scan.segment import scan_segment
from kafkalog.verify.sound_parts import sound_parts_of
from tests import encode
from tests.encode import R
from tests.log_dirs import corpus_log_dirs, fixture, fixture_log_dirs
from tests.next_start.broker_starts import packed_starts
from tests.verify.lab import Lab

NOW = 1795500000000
#: Of the recorded starts, so many are left out between two that are tried; none when the whole set is asked for.
STEP = 1 if os.environ.get("KAFKALOG_BROKER_STARTS") else 11


def outcomes_of(report):
    return {outcome.path: outcome for partition in report.partitions for outcome in partition.next_start}


def differing(paths, **assumed):
    """The predictions that are not the same with a scan as without."""
    report = verify(paths, now=NOW, **assumed)
    alone = {outcome.path: outcome for outcome in next_starts(paths, **assumed)}
    with_scan = outcomes_of(report)
    for path, outcome in with_scan.items():
        if outcome.consumer is None and alone[path].consumer is not None:
            assert "next-start --consumer" in outcome.why["consumer"]
            alone[path].why["consumer"] = outcome.why["consumer"]
    return {
        path: (outcome, alone[path])
        for path, outcome in with_scan.items()
        if outcome_json(outcome) | {"consumer": 0} != outcome_json(alone[path]) | {"consumer": 0}
        or (outcome.consumer is not None and outcome.consumer != alone[path].consumer)
    }


@pytest.mark.parametrize("case", fixture_log_dirs(), ids=lambda case: case.id)
def test_log_dirs_of_fixtures_are_predicted_alike(case):
    assert differing([case.path()], assume_stop="unclean", recovery_point=0, kafka_version="4.3.1") == {}


def test_log_dirs_of_the_corpus_are_predicted_alike():
    for case in corpus_log_dirs():
        if case.workload.endswith("-remote"):  # segments in remote storage, no log dir
            continue
        for stop in ("auto", "unclean"):
            assert differing([case.path()], assume_stop=stop) == {}, case.id


def test_recorded_starts_are_predicted_alike(tmp_path):
    for number, start in enumerate(packed_starts()[::STEP]):
        folder = tmp_path / str(number) / "p-0"
        folder.mkdir(parents=True)
        for name, data in start.files.items():
            (folder / name).write_bytes(data)
        for name in start.directories:
            (folder / name).mkdir()
        stop = "clean" if start.seen.get("clean_shutdown_file") else "unclean"
        point = max(0, start.seen.get("recovery_point") or 0)
        found = differing([str(folder)], assume_stop=stop, recovery_point=point, kafka_version="3.9.1")
        assert found == {}, start.id


def test_sound_logs_are_not_gone_through_again(monkeypatch):
    seen = []
    ensure_valid = LoggedBatch.ensure_valid
    monkeypatch.setattr(LoggedBatch, "ensure_valid", lambda batch: (seen.append(batch), ensure_valid(batch)))
    path = f"{fixture('3.9.1', 'cluster-final-n1').path()}/ledger-0"
    verify(path, now=NOW, quick=True, assume_stop="unclean")
    assert seen == []
    verify(path, now=NOW, quick=True, assume_stop="unclean", jobs=1, kafka_version="3.9.1")
    assert seen == []
    list(next_starts([path], assume_stop="unclean", kafka_version="3.9.1", consumer=False))
    assert len(seen) > 50


def test_of_a_damaged_partition_only_the_damaged_log_is_gone_through(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    lab.patch(lab.path(1), 700, bytes([lab.path(1).read_bytes()[700] ^ 4]))
    seen = set()
    ensure_valid = LoggedBatch.ensure_valid
    monkeypatch.setattr(LoggedBatch, "ensure_valid", lambda batch: (seen.add(batch._file.origin), ensure_valid(batch)))
    verify(lab.dir, now=NOW, assume_stop="unclean", kafka_version="3.9.1")
    assert seen == {lab.path(1).name}


@pytest.mark.parametrize("quick", [False, True])
def test_the_records_of_a_log_are_vouched_for_where_all_of_them_were_read(quick):
    path = f"{fixture('3.9.1', 'cluster-final-n1').path()}/ledger-0/00000000000000000000.log"
    task = SegmentTask(base_offset=0, paths={".log": path}, settings=Settings(NOW, quick=quick), clean=True)
    (known,) = sound_parts_of([scan_segment(task)], []).values()
    assert known.are_records_sound is not quick


def test_records_of_which_something_is_to_be_said_are_not_vouched_for(tmp_path):
    log = tmp_path / f"{0:020d}.log"
    log.write_bytes(encode.batch(b"\x7f" * 20, count=2, last_offset_delta=1))
    task = SegmentTask(base_offset=0, paths={".log": str(log)}, settings=Settings(NOW), clean=True)
    (known,) = sound_parts_of([scan_segment(task)], []).values()
    assert not known.are_records_sound


def test_a_log_with_more_events_than_are_kept_is_not_known():
    folder = fixture("2.1.1", "txn").path() + "/ledger-0"
    path = f"{folder}/00000000000000000000.log"
    scan = scan_segment(SegmentTask(base_offset=0, paths={".log": path}, settings=Settings(NOW), clean=True))
    (known,) = sound_parts_of([scan], []).values()
    assert known.events
    assert sound_parts_of([scan], [], len(known.events) - 1) == {}
    assert known.events_between(0, known.end) == list(known.events)
    assert known.events_between(0, known.end + 1) is None
    run = next(event for event in known.events if event.position < event.last_position)
    assert known.events_between(run.last_position, known.end) is None


def test_large_logs_that_the_scan_cannot_vouch_for_are_left_out_with_why(tmp_path, monkeypatch):
    monkeypatch.setattr(options, "BESIDE_SCAN_BYTES", 1000)
    monkeypatch.setattr(engine, "MOST_EVENTS", 0)
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    (outcome,) = outcomes_of(verify(lab.dir, now=NOW, assume_stop="unclean", kafka_version="3.9.1")).values()
    assert outcome.partition == "unknown"
    assert "kafkalog next-start" in outcome.why["partition"]
    # In a log dir that goes offline the others depend on it, so it is worked out after all.
    (lab.root / "recovery-point-offset-checkpoint").write_bytes(b"\0\0\0")
    (outcome,) = outcomes_of(verify(lab.root, now=NOW, assume_stop="unclean", kafka_version="3.9.1")).values()
    assert (outcome.partition, outcome.log_dir) == ("failed", "offline")


def test_consumers_are_predicted_without_reading_records_that_the_scan_has_found_regular(tmp_path, monkeypatch):
    counted = []
    count = fetched_records.count_records
    monkeypatch.setattr(fetched_records, "count_records", lambda *given: counted.append(given) or count(*given))
    where = tmp_path / "t-0"
    where.mkdir()
    data = encode.batch([R(delta, b"k", b"v") for delta in range(2)], base_timestamp=NOW, max_timestamp=NOW)
    (where / f"{0:020}.log").write_bytes(data)
    (where / "partition.metadata").write_text("version: 0\ntopic_id: dGhlLXRlc3QtdG9waWMtaQ")

    def records_read():
        (report,) = verify(where, now=NOW).partitions
        return [read.records for outcome in report.next_start for read in outcome.consumer]

    found = records_read()
    assert found
    assert set(found) == {2}
    assert not counted
    monkeypatch.setattr(partition, "sound_parts_of", lambda *_: {})
    assert records_read() == found
    assert counted


def test_what_is_packed_is_what_was_found_also_in_another_process():
    path = f"{fixture('2.1.1', 'txn').path()}/ledger-0/00000000000000000000.log"
    logs = sound_parts_of(
        [scan_segment(SegmentTask(base_offset=0, paths={".log": path}, settings=Settings(NOW), clean=True))], []
    )
    packed = pickle.loads(pickle.dumps(PackedLogs(logs)))
    assert dict(packed) == dict(packed.items()) == logs
    assert packed.events == sum(log.events_held for log in logs.values()) > 0
    assert len(PackedLogs({})) == 0
