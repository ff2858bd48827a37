"""Control records of all types, real and malformed."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kafkalog
from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import CONTROL_RECORD_TYPES, read_control_record
from kafkalog.core.log import BytesSource, walk
from kafkalog.errors import FormatError
from tests.log_dirs import fixture_log_dirs


def control_records():
    for case in fixture_log_dirs():
        for partition in kafkalog.open_log_dir(case.path()).partitions():
            if partition.topic == "__cluster_metadata":
                for _, path in partition.checkpoints:
                    with open(path, "rb") as file:
                        yield from in_batches(walk(BytesSource(file.read())))
            yield from in_batches(partition.batches())


def in_batches(items):
    for batch in items:
        if isinstance(batch, RecordBatch) and batch.is_control:
            for record in batch.records():
                yield read_control_record(record.key, record.value)


def test_every_type_stands_in_real_logs_and_is_read():
    seen = {}
    for control in control_records():
        seen[control.name] = control.fields
    assert set(seen) == {row.name for row in CONTROL_RECORD_TYPES}
    assert seen["COMMIT"].keys() == {"version", "coordinatorEpoch"}
    assert seen["LEADER_CHANGE"].keys() == {"version", "leaderId", "voters", "grantingVoters"}
    voters = seen["KRAFT_VOTERS"]["voters"]
    assert voters
    assert voters[0]["endpoints"][0]["host"]
    assert voters[0]["kRaftVersionFeature"]["maxSupportedVersion"] >= 1
    assert seen["SNAPSHOT_HEADER"]["lastContainedLogTimestamp"] > 0


def test_unknown_types_are_told_by_number():
    assert read_control_record(struct.pack(">hh", 0, 99), b"anything") == (99, "UNKNOWN", 0, {})


@pytest.mark.parametrize("key", [None, b"", b"\0\0\0", struct.pack(">hh", -1, 0)])
def test_a_short_key_or_a_negative_version_is_an_error(key):
    with pytest.raises(FormatError):
        read_control_record(key, struct.pack(">hi", 0, 5))


@pytest.mark.parametrize("value", [None, b"", b"\0\0", struct.pack(">hi", -1, 5)])
def test_a_marker_without_a_whole_value_is_an_error(value):
    with pytest.raises(FormatError):
        read_control_record(struct.pack(">hh", 0, 1), value)


@given(st.integers(-2, 8), st.binary(max_size=60))
def test_any_value_is_read_or_an_error_of_the_family(kind, value):
    with contextlib.suppress(FormatError):
        assert read_control_record(struct.pack(">hh", 0, kind), value).type_id == kind


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("0001a8a88ec602000002a90002000002d00000", {"version": 1, "leaderId": -1465348410, "voters": [{"voterId": 681}]}),
        ("ffffffff04ffffffff0000000000000000000000031eb393b7000000008b0000", {"leaderId": -1}),
        ("00000000010100", {"leaderId": 0, "voters": [], "grantingVoters": []}),
    ],
    ids=["4.3.1", "2.8.2", "2.8.2 empty"],
)
def test_a_leader_change_is_read_with_the_version_of_3_0_and_without_it_as_in_the_preview(data, fields):
    found = read_control_record(b"\0\0\0\2", bytes.fromhex(data)).fields
    assert {name: found[name] for name in fields} == fields
    assert ("version" in found) == ("version" in fields)
