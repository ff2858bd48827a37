"""Which offsets a consumer is handed, which it passes over without an error, and which it never gets to."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.core.log import BytesSource
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import Situation, predict_partition
from tests import encode
from tests.next_start.wrong_lengths import partition_of, with_length


def predict(files, *, clean=True, release=(4, 3, 1), **more):
    disk = Disk({name: BytesSource(data) for name, data in files.items()})
    situation = Situation(clean=clean, release=release, kraft=False, index_interval_bytes=4, **more)
    return predict_partition("P", disk, situation).outcome


def told(read):
    return list(read.read), [tuple(one) for one in read.skipped], read.unreached


@pytest.mark.parametrize(
    ("place", "length", "expected"),
    [
        ("first", "far too long", ([(50, 149)], [(0, 49, 45)], None)),
        ("inside", "far too long", ([(0, 19), (50, 149)], [(20, 49, 25)], None)),
        ("inside", "into a later batch", ([(0, 19)], [], (20, 149))),
        ("inside", "zero", ([(0, 19)], [], (20, 149))),
        ("last of its segment", "into a later batch", ([(0, 44), (50, 149)], [(45, 49, 0)], None)),
        ("last of its segment", "too short", ([(0, 44)], [], (45, 149))),
        ("active", "far too long", ([(0, 119)], [], (120, 149))),
        ("last of all", "far too long", ([(0, 99)], [], None)),
    ],
)
def test_a_wrong_length_makes_a_consumer_skip_the_rest_of_its_segment_or_stop(place, length, expected):
    outcome = predict(with_length(place, length).files)
    assert [told(read) for read in outcome.consumer] == [expected, expected]
    assert outcome.severity == "error"


def test_a_consumer_of_a_sound_log_gets_all_in_one_stretch():
    outcome = predict(partition_of())
    assert [told(read) for read in outcome.consumer] == [([(0, 149)], [], None)] * 2
    assert outcome.severity is None


def test_what_is_missing_between_two_segments_is_not_skipped_for_nothing_is_there():
    files = {name: data for name, data in partition_of().items() if not name.startswith(f"{50:020d}")}
    outcome = predict(files)
    assert told(outcome.consumer.uncommitted) == ([(0, 149)], [], None)


def test_a_batch_that_names_too_high_offsets_makes_the_consumer_drop_those_after_it():
    files = partition_of(1)
    name = f"{0:020d}.log"
    size = len(files[name]) // 10
    data = bytearray(files[name])
    data[4 * size : 4 * size + 8] = (35).to_bytes(8, "big")  # instead of 20; no checksum covers it
    read = predict({**files, name: bytes(data)}).consumer.uncommitted
    assert told(read) == ([(0, 19), (35, 49)], [(25, 34, 10)], None)
    assert read.records == 20 + 5 + 10


def test_a_wrapper_that_holds_fewer_messages_than_its_offset_says_ends_in_skipped_offsets():
    inside = b"".join(encode.message(number, b"k", b"value", magic=0) for number in range(3))
    wrapper = encode.message(2, None, gzip.compress(inside[:-5]), magic=0, attributes=1)
    read = predict({f"{0:020d}.log": wrapper, f"{0:020d}.index": b""}, release=(2, 8, 2)).consumer.uncommitted
    assert told(read) == ([(0, 1)], [(2, 2, 0)], None)


def test_markers_and_aborted_records_do_not_break_a_stretch():
    data = encode.batch([encode.R(value=b"a")], base_offset=0, producer_id=7, producer_epoch=0, base_sequence=0, attributes=16)
    marker = encode.R(key=b"\0\0\0\1", value=b"\0\0\0\0\0\0")
    data += encode.batch([marker], base_offset=1, producer_id=7, producer_epoch=0, attributes=48)
    data += encode.batch([encode.R(value=b"b")], base_offset=2)
    outcome = predict({f"{0:020d}.log": data, f"{0:020d}.index": b""}, clean=False)
    assert [told(read) for read in outcome.consumer] == [([(0, 2)], [], None)] * 2


@pytest.fixture
def damaged(tmp_path):
    folder = tmp_path / "p-0"
    folder.mkdir()
    for name, data in with_length("inside", "far too long").files.items():
        (folder / name).write_bytes(data)
    (folder / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABQ")
    return str(folder)


def test_skipped_offsets_are_told_as_such_and_fail_the_command(damaged):
    result = CliRunner().invoke(main, ["next-start", "--assume-stop", "clean", damaged], standalone_mode=False)
    assert result.return_value == 1
    words = " ".join(result.output.split())
    assert "120 records (offsets 0..19 and 50..149) and skip offsets 20..49 without an error" in words
    assert "25 sound records" in words
    assert "get all" not in words
    assert words.endswith(f"kafkalog salvage -o NEWDIR {damaged}")


def test_json_lines_give_the_stretches(damaged):
    result = CliRunner().invoke(main, ["next-start", "--format", "jsonl", "--assume-stop", "clean", damaged])
    read = json.loads(result.output)["consumer"]["committed"]
    assert read["read"] == [[0, 19], [50, 149]]
    assert read["skipped"] == [{"first": 20, "last": 49, "records": 25}]
    assert read["unreached"] is None
