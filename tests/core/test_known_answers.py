"""Vectors whose answers were printed by real brokers' tools, or computed from the format's description."""

from __future__ import annotations

import struct

import pytest

from kafkalog.core.batch import RecordBatch
from kafkalog.core.checksum import crc32, crc32c
from kafkalog.core.control import read_control_record
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import BytesSource, walk
from kafkalog.core.producer_snapshot import ProducerEntry, read_producer_snapshot
from tests import encode
from tests.encode import R

# attributes, timestamp, producer id, epoch, sequence, key, value, size, crc: from output of brokers on public pages
PUBLISHED = [
    (0x00, 1725536752604, 20, 0, 0, b"24910", b"kafka", 78, 4051670483),
    (0x10, 1742739702864, 1, 0, 0, None, b"tset a si siht", 82, 758896000),
    (0x10, 1680383687941, 0, 0, 0, None, b"tset a si siht", 82, 2785707995),
    (0x00, 1662649069768, 0, 0, 0, b"1", b"hello", 74, 3775885203),
    (0x00, 1704130275765, 3001, 0, 0, None, b"hello kafka", 79, 4210434693),
    (0x00, 1729573472640, 1, 0, 0, None, b'{"message": "test message1"}', 96, 3570448100),
    (0x00, 1719853215613, 0, 0, 0, None, b"my message", 78, 3210426395),
    (0x00, 1647538318648, -1, -1, -1, None, b"replica", 75, 684786291),
    (0x00, 1601008070323, -1, -1, -1, None, b"test message1", 81, 3417270022),
]
# timestamp, producer id, epoch, coordinator epoch, crc
COMMITS = [
    (1700726838085, 13, 11, 0, 1068357547),
    (1594965813942, 1000, 21, 0, 3102183917),
    (1632840911601, 0, 0, 4, 4234329125),
    (1709328801679, 2000, 3, 0, 2893569019),
]
MAGIC_0 = bytes.fromhex("0000000000000005000000101fecd70a0000000000016b0000000176")
MAGIC_1 = bytes.fromhex("000000000000000500000018bf070c1c01000000015d3ef79800000000016b0000000176")
MAGIC_2 = bytes.fromhex(
    "0000000000000064000000510000000702b86d469800000000000200000174876e800000000174876e8005000000000000000900017ffffffe"
    "0000000322000000046b310476310402680278026e010c000a020100000c000504000100"
)
ABORT = bytes.fromhex(
    "0000000000000064000000420000000702f7735e9b00300000000000000174876e800000000174876e800000000000000000090001ffffffff"
    "000000012000000008000000000c00000000000300"
)
EMPTIED = bytes.fromhex(
    "00000000000000c800000031000000070214958db9000000000004ffffffffffffffff00000174876e8005000000000000000900010000000a00000000"
)
SNAPSHOT = bytes.fromhex(
    "00016ceb2f7300000001000000000000000900010000000c00000000000000cc0000000400000174876e8005ffffffffffffffffffffffff"
)


def test_checksums_give_their_published_check_values():
    assert crc32c(b"123456789") == 0xE3069283 == encode.crc32c(b"123456789")
    assert crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"crc-{row[-1]}")
def test_batches_printed_by_real_brokers_are_reproduced(row):
    attributes, timestamp, producer_id, epoch, sequence, key, value, size, crc = row
    data = encode.batch(
        [R(key=key, value=value)],
        attributes=attributes,
        base_timestamp=timestamp,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
    )
    batch = RecordBatch.read(data)
    assert (batch.size, batch.header.crc, batch.crc_ok) == (size, crc, True)
    (record,) = batch.records()
    assert (record.timestamp, record.key, record.value) == (timestamp, key, value)


@pytest.mark.parametrize("row", COMMITS, ids=lambda row: f"crc-{row[-1]}")
def test_commit_markers_printed_by_real_brokers_are_reproduced(row):
    timestamp, producer_id, producer_epoch, coordinator_epoch, crc = row
    data = encode.marker(
        commit=True,
        offset=3,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        coordinator_epoch=coordinator_epoch,
        base_timestamp=timestamp,
    )
    batch = RecordBatch.read(data)
    assert (batch.size, batch.header.crc, batch.crc_ok, batch.is_control, batch.is_transactional) == (78, crc, True, True, True)
    (record,) = batch.records()
    control = read_control_record(record.key, record.value)
    assert (control.name, control.fields) == ("COMMIT", {"version": 0, "coordinatorEpoch": coordinator_epoch})


@pytest.mark.parametrize(("data", "timestamp"), [(MAGIC_0, -1), (MAGIC_1, 1500000000000)], ids=["magic-0", "magic-1"])
def test_old_messages_are_read_field_by_field(data, timestamp):
    (batch,) = walk(BytesSource(data))
    assert isinstance(batch, LegacyBatch)
    assert batch.crc_ok
    (record,) = batch.records()
    assert (record.offset, record.timestamp, record.key, record.value, record.unused) == (5, timestamp, b"k", b"v", 0)


def test_a_batch_whose_sequence_wraps_is_read_field_by_field():
    (batch,) = walk(BytesSource(MAGIC_2))
    assert isinstance(batch, RecordBatch)
    assert (batch.base_offset, batch.last_offset, batch.header.crc, batch.crc_ok) == (100, 102, 3094169240, True)
    assert (batch.header.base_sequence, batch.last_sequence) == (2147483646, 0)
    records = list(batch.records())
    assert [(r.offset, r.timestamp - 1600000000000, r.key, r.value) for r in records] == [
        (100, 0, b"k1", b"v1"),
        (101, 5, None, b""),
        (102, -3, b"", None),
    ]
    assert records[0].headers == ((b"h", b"x"), (b"n", None))
    assert [batch.sequence_of(r) for r in records] == [2147483646, 2147483647, 0]


def test_an_abort_marker_is_a_control_record_with_its_coordinator_epoch():
    (batch,) = walk(BytesSource(ABORT))
    assert isinstance(batch, RecordBatch)
    assert (batch.header.crc, batch.crc_ok, batch.is_control) == (4151533211, True, True)
    (record,) = batch.records()
    control = read_control_record(record.key, record.value)
    assert (control.name, control.fields["coordinatorEpoch"]) == ("ABORT", 3)


def test_a_batch_emptied_by_the_cleaner_has_no_records_and_keeps_its_offsets():
    (batch,) = walk(BytesSource(EMPTIED))
    assert isinstance(batch, RecordBatch)
    assert (batch.crc_ok, batch.base_offset, batch.last_offset, batch.header.records_count) == (True, 200, 204, 0)
    assert list(batch.records()) == []


def test_a_producer_snapshot_is_read_field_by_field():
    snapshot = read_producer_snapshot(SNAPSHOT)
    assert (snapshot.crc_ok, snapshot.damage, len(snapshot.entries)) == (True, None, 1)
    assert snapshot.entries[0] == ProducerEntry(9, 1, 12, 204, 4, 1600000000005, -1, -1)
    assert encode.snapshot([encode.P(9, 1, 12, 204, 4, 1600000000005)]) == SNAPSHOT


def test_the_independent_encoder_writes_the_vectors():
    three = [
        R(0, b"k1", b"v1", ((b"h", b"x"), (b"n", None))),
        R(1, None, b"", timestamp_delta=5),
        R(2, b"", None, timestamp_delta=-3),
    ]
    common = {"leader_epoch": 7, "producer_id": 9, "producer_epoch": 1}
    assert encode.batch(three, base_offset=100, base_sequence=2147483646, **common) == MAGIC_2
    assert encode.marker(commit=False, offset=100, coordinator_epoch=3, **common) == ABORT
    empty = {"base_timestamp": -1, "max_timestamp": 1600000000005, "base_sequence": 10, "last_offset_delta": 4}
    assert encode.batch([], base_offset=200, **empty, **common) == EMPTIED
    assert encode.message(5, b"k", b"v", magic=0) == MAGIC_0
    assert encode.message(5, b"k", b"v") == MAGIC_1


def test_struct_sizes_are_the_formats():
    from kafkalog.core.batch import BATCH_HEADER
    from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1
    from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
    from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER
    from kafkalog.core.time_index import TIME_INDEX_ENTRY
    from kafkalog.core.transaction_index import ABORTED_TXN

    layouts = (
        BATCH_HEADER, LEGACY_HEADER_V0, LEGACY_HEADER_V1, OFFSET_INDEX_ENTRY, TIME_INDEX_ENTRY, ABORTED_TXN, SNAPSHOT_HEADER,
        PRODUCER_ENTRY,
    )  # fmt: skip
    assert [layout.size for layout in layouts] == [61, 18, 26, 8, 12, 34, 10, 46]
    places = {field.kafka_name: field.at for field in BATCH_HEADER.fields}
    assert places == {
        "baseOffset": 0, "batchLength": 8, "partitionLeaderEpoch": 12, "magic": 16, "crc": 17, "attributes": 21,
        "lastOffsetDelta": 23, "baseTimestamp": 27, "maxTimestamp": 35, "producerId": 43, "producerEpoch": 51,
        "baseSequence": 53, "recordsCount": 57,
    }  # fmt: skip
    assert BATCH_HEADER.read(MAGIC_2)[:5] == struct.unpack_from(">qiibI", MAGIC_2)
