"""Every truncation point and every single-bit flip of small real files, through all parsers."""

from __future__ import annotations

import contextlib

import pytest

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.checkpoint import read_leader_epochs, read_offset_checkpoint
from kafkalog.core.control import read_control_record
from kafkalog.core.log import BytesSource, walk
from kafkalog.core.offset_index import read_offset_index
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.properties import read_json_file, read_partition_metadata, read_properties
from kafkalog.core.time_index import read_time_index
from kafkalog.core.transaction_index import read_transaction_index
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.span import Padding
from tests.log_dirs import fixture

#: Release, workload, file, how many batches of it: of every magic and codec, wrappers, markers, emptied batches.
LOGS = [
    ("0.10.2.2", "old", "v0-compact-0/00000000000000000105.log", 99),
    ("0.10.2.2", "old", "v1-compact-0/00000000000000000132.log", 99),
    ("0.10.2.2", "old", "v1-compact-0/00000000000000000172.log", 99),
    ("2.1.1", "txn", "ledger-plain-mix-0/00000000000000000116.log", 99),
    ("2.1.1", "codec", "java-gzip-0/00000000000000000000.log", 1),
    ("2.1.1", "codec", "java-lz4-0/00000000000000000000.log", 1),
    ("2.1.1", "codec", "java-zstd-0/00000000000000000000.log", 1),
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.log", 2),
    ("3.9.1", "edge", "bootstrap.checkpoint", 99),
    ("4.3.1", "edge", "e-idem-0/00000000000000000114.log", 99),
    ("4.3.1", "edge", "e-txn-0/00000000000000000000.log", 99),
]
INDEXES = [
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.index", read_offset_index),
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.timeindex", read_time_index),
    ("2.1.1", "txn", "ledger-0/00000000000000000000.txnindex", read_transaction_index),
]
TEXTS = [
    ("2.8.2", "repl-b1", "orders-0/leader-epoch-checkpoint", read_leader_epochs),
    ("2.8.2", "repl-b1", "replication-offset-checkpoint", read_offset_checkpoint),
    ("2.8.2", "repl-b1", "meta.properties", read_properties),
    ("4.3.1", "edge", "e-idem-0/partition.metadata", read_partition_metadata),
    ("4.3.1", "edge", ".kafka_cleanshutdown", read_json_file),
    ("4.3.1", "edge", "__cluster_metadata-0/quorum-state", read_json_file),
]
ids = [f"{row[0]}-{row[2]}" for row in LOGS]


def read(release, workload, name):
    with open(f"{fixture(release, workload).path()}/{name}", "rb") as file:
        return file.read()


def first_batches(data, count):
    """The bytes of the first `count` batches: real bytes, cut at a batch's end."""
    batches = [item for item, _ in zip(walk(BytesSource(data)), range(count), strict=False)]
    return data[: batches[-1].span.end]


def read_all(data):
    """Walk, read every record, and check what must hold for any bytes; gives the items."""
    items = list(walk(BytesSource(data)))
    position = 0
    for item in items:
        assert item.span.start == position
        assert item.span.end > position
        position = item.span.end
        if isinstance(item, Damage):
            assert isinstance(item.error, FormatError)
        elif not isinstance(item, Padding):
            read_records(item)
    assert position == len(data)
    return items


def read_records(batch):
    seen = list(batch.walk_records())
    for record in seen[:-1]:
        assert not isinstance(record, Damage)
    damages = [record for record in seen if isinstance(record, Damage)]
    for damage in damages:
        assert isinstance(damage.error, FormatError | LimitExceeded)
    good, error = records_until_error(batch)
    assert str(error) == (str(damages[0].error) if damages else "None")
    assert good == seen[: len(seen) - len(damages)]
    if isinstance(batch, RecordBatch) and batch.is_control:
        for record in good:
            with contextlib.suppress(FormatError):
                read_control_record(record.key, record.value)


def records_until_error(batch):
    good = []
    records = batch.records()
    while True:
        try:
            good.append(next(records))
        except StopIteration:
            return good, None
        except (FormatError, LimitExceeded) as error:
            return good, error


def flips(data):
    for place in range(len(data)):
        for bit in range(8):
            yield place, data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


@pytest.mark.parametrize(("release", "workload", "name", "count"), LOGS, ids=ids)
def test_every_truncation_point_of_a_log_gives_the_whole_batches_and_one_torn_tail(release, workload, name, count):
    data = first_batches(read(release, workload, name), count)
    whole = read_all(data)
    assert not any(isinstance(item, Damage) for item in whole)
    for size in range(len(data)):
        items = read_all(data[:size])
        intact = [item.span for item in whole if item.span.end <= size]
        assert [item.span for item in items[: len(intact)]] == intact
        torn = size - (intact[-1].end if intact else 0)
        assert len(items) == len(intact) + bool(torn)
        assert all(not isinstance(item, Damage | Padding) and item.crc_ok for item in items[: len(intact)])


@pytest.mark.parametrize(("release", "workload", "name", "count"), LOGS, ids=ids)
def test_no_flipped_bit_under_a_checksum_passes_unnoticed_and_no_byte_is_lost(release, workload, name, count):
    data = first_batches(read(release, workload, name), count)
    whole = read_all(data)
    sound = {item.span: item for item in whole}
    for place, flipped in flips(data):
        items = read_all(flipped)
        hit = next(item for item in whole if item.span.start <= place < item.span.end)
        others = {item.span for item in items if not isinstance(item, Damage | Padding) and item.crc_ok and item.span in sound}
        assert others >= sound.keys() - {hit.span}, f"bit flip at {place} hid a sound batch"
        within = place - hit.span.start
        unprotected = within < 8 or (hit.magic == 2 and 12 <= within < 16)
        if not unprotected:
            assert hit.span not in others, f"bit flip at {place} passed unnoticed"
        elif within < 8 or hit.magic == 2:
            assert hit.span in others


@pytest.mark.parametrize(("release", "workload", "name", "reader"), INDEXES, ids=[row[2] for row in INDEXES])
def test_every_truncation_and_flip_of_an_index_leaves_its_other_entries(release, workload, name, reader):
    data = read(release, workload, name)[: 34 * 12 * 2]
    whole = reader(data)
    size = len(data) // len(whole.entries)
    for cut in range(len(data)):
        index = reader(data[:cut])
        assert len(index.entries) == cut // size
        assert (index.damage is not None) == bool(cut % size)
        if index.damage:
            assert index.damage.span == (cut - cut % size, cut, None)
    for place, flipped in flips(data):
        entries = list(reader(flipped).entries)
        changed = place // size
        assert entries[:changed] + entries[changed + 1 :] == list(whole.entries[:changed] + whole.entries[changed + 1 :])
        assert entries[changed] != whole.entries[changed]


def test_every_truncation_and_flip_of_a_producer_snapshot_is_noticed():
    data = read("2.1.1", "txn", "ledger-0/00000000000000000064.snapshot")
    whole = read_producer_snapshot(data)
    assert whole.crc_ok
    assert whole.entries
    for cut in range(len(data)):
        snapshot = read_producer_snapshot(data[:cut])
        assert snapshot.damage is not None
        assert not snapshot.crc_ok
        covered = 10 + 46 * len(snapshot.entries) if snapshot.header else 0
        assert snapshot.damage.span == (min(covered, cut), cut, None)
    for place, flipped in flips(data):
        snapshot = read_producer_snapshot(flipped)
        assert not snapshot.crc_ok or place < 2
        assert snapshot.damage is None or isinstance(snapshot.damage.error, FormatError)


@pytest.mark.parametrize(("release", "workload", "name", "reader"), TEXTS, ids=[row[2] for row in TEXTS])
def test_every_truncation_and_flip_of_a_text_file_is_read_without_an_exception(release, workload, name, reader):
    data = read(release, workload, name)
    changed = 0
    for variant in [data[:cut] for cut in range(len(data))] + [flipped for _, flipped in flips(data)]:
        result = reader(variant)
        damages = result.damages if hasattr(result, "damages") else (result.damage,)
        for damage in filter(None, damages):
            assert isinstance(damage.error, FormatError)
            assert 0 <= damage.span.start <= damage.span.end <= len(variant)
        changed += result != reader(data)
    assert changed > len(data) // 2
