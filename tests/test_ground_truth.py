"""Records are what the clients themselves sent and read; ends are what the live broker said."""

from __future__ import annotations

import collections
import hashlib
from typing import NamedTuple

import pytest

import kafkalog
from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.files.log_dir import LogDir
from kafkalog.span import Padding
from tests.log_dirs import LogDirCase, corpus_log_dirs, fixture_log_dirs


class Log(NamedTuple):
    """Data records by offset: timestamp, magic, key, value, headers."""

    first: int
    end: int
    records: dict


def read_log(path):
    """A partition's data, every byte of it read."""
    records = {}
    end = 0
    with kafkalog.open_partition(path) as partition:
        for segment in partition.segments:
            for batch in segment.batches():
                assert batch.crc_ok
                end = max(end, batch.next_offset)
                if isinstance(batch, RecordBatch) and batch.is_control:
                    continue
                for record in batch.records():
                    headers = [(h.key, h.value) for h in record.headers]
                    records[record.offset] = (record.timestamp, batch.magic, record.key, record.value, headers)
        first = min((segment.base_offset for segment in partition.segments), default=0)
    return Log(first, end, records)


def same(stored, told) -> bool:
    """Whether stored bytes are what a row tells: hex, null, or size and digest of something large."""
    if stored is None or told is None:
        return stored is told
    if isinstance(told, dict):
        return len(stored) == told["size"] and hashlib.sha256(stored).hexdigest() == told["sha256"]
    return stored == bytes.fromhex(told)


def differs(record, row) -> str:
    """What of a record is not as a row tells, or nothing."""
    timestamp, magic, key, value, headers = record
    told = row["headers"] or []
    if not same(key, row["key"]):
        return "key"
    if not same(value, row["value"]):
        return "value"
    # Keys of headers are text in the account, values are hex or null.
    if [h[0] for h in headers] != [h[0].encode() for h in told] or not all(
        same(h[1], t[1]) for h, t in zip(headers, told, strict=True)
    ):
        return "headers"
    # Magic 0 stores no timestamp; aiokafka tells that of the batch.
    if row.get("timestamp") is not None and magic and "error" not in row and "aiokafka" not in row.get("producer", ""):
        return "" if timestamp == row["timestamp"] else "timestamp"
    return ""


def check(case: LogDirCase, read=read_log) -> collections.Counter:
    """Compare each row of the account with the log as `read` gives it; counts what was compared."""
    logs = {}
    counts = collections.Counter()
    here = {path.rsplit("/", 1)[1]: path for path in case.partition_paths()}
    topics = case.account()["topics"]
    compacted = {name for name, topic in topics.items() if "compact" in str(topic.get("config", {}).get("cleanup.policy"))}
    wrong = {}
    agreed = set()
    for row in case.records():
        who = (row.get("by") or row.get("src")).split()[0]
        if "value" not in row or row.get("offset") is None or row["offset"] < 0 or row.get("lost"):
            continue
        name = f"{row['topic']}-{row['partition']}"
        if name not in here:
            counts["elsewhere"] += 1
            continue
        if name not in logs:
            logs[name] = read(here[name])
        log = logs[name]
        place = (name, row["offset"])
        record = log.records.get(row["offset"])
        if record is None:
            # Deleted below the log's start, not there yet on a follower, or cleaned: never silently in the middle.
            if log.first <= row["offset"] < log.end and row["topic"] not in compacted:
                wrong[place] = f"{who}: not in the log"
            counts["gone"] += 1
            continue
        what = differs(record, row)
        if what:
            wrong.setdefault(place, f"{who}: {what}")
            continue
        agreed.add(place)
        counts[who] += 1
    # After an unclean election two producers were told the same offset; the log has what one of them sent.
    assert {place: what for place, what in wrong.items() if place not in agreed} == {}, case.id
    return counts


def with_records(cases):
    return [case for case in cases if case.has_records()]


@pytest.mark.parametrize("case", with_records(fixture_log_dirs()), ids=lambda case: case.id)
def test_records_equal_the_clients_account(case):
    counts = check(case)
    # What is compared is most of what there is, except where the account is of topics that were emptied or moved.
    assert counts["ack"] + counts["consumer"] > 0 or case.workload.startswith(("swap", "future"))


def test_records_of_the_whole_corpus_equal_the_clients_account():
    counts = sum((check(case) for case in with_records(corpus_log_dirs())), collections.Counter())
    print(dict(counts))
    assert counts["ack"] > 150_000
    assert counts["consumer"] > 150_000


def check_every_byte(case: LogDirCase) -> int:
    """Every byte of every log dir of a real broker is accounted for, and every checksum fits."""
    files = 0
    log_dir = LogDir(case.path())
    for partition in log_dir.partitions():
        for segment in partition.segments:
            position = 0
            for item in segment.walk():
                assert item.span.start == position
                position = item.span.end
                if isinstance(item, Damage | Padding):
                    # Only a full disk tears a batch, and only preallocation leaves zeros.
                    assert isinstance(item, Padding) or case.workload.startswith("diskfull"), (
                        f"{case.id} {segment.paths} {item}"
                    )
                    continue
                assert item.crc_ok
                assert not any(isinstance(record, Damage) for record in item.walk_records()), (
                    f"{case.id} {segment.paths} {item}"
                )
            assert position == segment.size
            for sibling in (segment.offset_index, segment.time_index, segment.transaction_index):
                assert sibling is None or sibling.damage is None
            assert segment.producer_snapshot is None or segment.producer_snapshot.crc_ok
            files += len(segment.paths)
        epochs = partition.leader_epochs
        assert epochs is None or epochs.damages == ()
        metadata = partition.metadata
        assert metadata is None or metadata.damage is None
    for name in ("cleaner", "log-start", "recovery-point", "replication"):
        checkpoint = log_dir.checkpoint(f"{name}-offset-checkpoint")
        assert checkpoint is None or checkpoint.damages == ()
    properties = log_dir.meta_properties
    assert properties is None or properties.damage is None
    clean = log_dir.clean_shutdown
    assert clean is None or clean.damage is None
    return files


@pytest.mark.parametrize("case", fixture_log_dirs(), ids=lambda case: case.id)
def test_every_byte_of_a_real_log_dir_is_accounted_for(case):
    assert check_every_byte(case) > 0


def test_every_byte_of_the_whole_corpus_is_accounted_for():
    assert sum(check_every_byte(case) for case in corpus_log_dirs()) > 10_000
