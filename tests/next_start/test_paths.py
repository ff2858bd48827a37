"""Paths that loading and reading take since, or up to, a release: seen with real loaders, brokers and consumers."""

from __future__ import annotations

import pytest

from kafkalog.core.log import BytesSource
from kafkalog.core.release import parse_release
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import Situation, predict_partition
from tests.encode import R, batch, lz4_frame, message, zstd_frame

FIRST, SECOND = "00000000000000000000", "00000000000000000010"


def predict(files: dict[str, bytes], release: str, *, directories: tuple[str, ...] = (), **more):
    disk = Disk({name: BytesSource(data) for name, data in files.items()}, frozenset(directories))
    situation = Situation(**{"clean": True, "release": parse_release(release), "kraft": False, "consumer": True, **more})
    return predict_partition("p-0", disk, situation).outcome


def records(base_offset: int, count: int = 10, **more) -> bytes:
    return batch([R(delta, value=b"v" * 20) for delta in range(count)], base_offset=base_offset, **more)


def wrapper(*, end_mark: bool) -> bytes:
    """A message of magic 1 that holds two, compressed with lz4; without an end mark the stream is cut at its end."""
    inner = message(0, None, b"one") + message(1, None, b"two")
    return message(1, None, lz4_frame(inner, end_mark=end_mark), attributes=3)


@pytest.mark.parametrize(("release", "broker"), [("3.9.1", "starts"), ("4.1.0", "aborts")])
def test_a_wrapper_whose_stream_is_cut_behind_its_last_message_cannot_be_unpacked(release, broker):
    files = {f"{FIRST}.log": wrapper(end_mark=False), f"{FIRST}.index": b""}
    outcome = predict(files, release)
    assert outcome.broker == broker
    if broker == "starts":
        assert outcome.consumer.uncommitted[:4] == (0, 0, "decompression", False)
    assert predict({**files, f"{FIRST}.log": wrapper(end_mark=True)}, release).consumer.uncommitted[:4] == (2, 2, None, False)


@pytest.mark.parametrize(
    ("release", "log_dir"), [("2.2.2", "offline"), ("2.3.1", "offline"), ("3.6.2", "offline"), ("3.7.0", "online")]
)
def test_a_directory_in_the_place_of_a_time_index_is_met_when_its_segment_is_deleted(release, log_dir):
    files = {f"{FIRST}.log": records(0) + b"torn in the middle", f"{SECOND}.log": records(10)}
    files |= {f"{base}.index": b"" for base in (FIRST, SECOND)}
    outcome = predict(files, release, directories=(f"{SECOND}.timeindex",), clean=False)
    assert outcome.log_dir == log_dir


def test_the_target_of_a_deleted_segment_takes_the_place_of_a_directory():
    files = {f"{FIRST}.log": records(0), f"{FIRST}.index": b""}
    outcome = predict(files, "3.5.2", directories=(f"{FIRST}.index.deleted",), log_start=500)
    assert (f"p-0/{FIRST}.index", f"p-0/{FIRST}.index.deleted") in outcome.rename


@pytest.mark.parametrize(("release", "broker"), [("3.9.0", "starts"), ("3.9.1", "aborts"), ("4.0.0", "starts")])
def test_a_batch_of_unknown_magic_stops_a_split_where_batches_are_taken_one_by_one(release, broker):
    odd = bytearray(records(0))
    odd[16] = 9  # magic: no checksum covers it
    files = {f"{FIRST}.log": bytes(odd) + records(1 << 33), f"{FIRST}.index": b""}
    assert predict(files, release, clean=False).broker == broker


@pytest.mark.parametrize(("release", "read"), [("2.0.1", (0, 0, "unsupported", False)), ("2.1.0", (10, 10, None, False))])
def test_a_consumer_before_2_1_does_not_know_zstd(release, read):
    files = {f"{FIRST}.log": records(0, compress=zstd_frame, attributes=4), f"{FIRST}.index": b""}
    assert predict(files, release).consumer.uncommitted[:4] == read


@pytest.mark.parametrize(
    ("release", "read"), [("2.3.1", (0, 0, "corrupt-batch", False)), ("2.4.0", (20, 20, "corrupt-batch", False))]
)
def test_before_2_4_the_end_of_a_fetch_is_looked_for_behind_what_it_gives(release, read):
    broken = bytearray(records(20))
    broken[8:12] = bytes(4)  # its size
    log = records(0) + records(10) + bytes(broken) + records(30)
    last = f"{40:020d}"
    files = {f"{FIRST}.log": log, f"{FIRST}.index": b"", f"{last}.log": records(40), f"{last}.index": b""}
    assert predict(files, release).consumer.uncommitted[:4] == read
