"""The model against what real brokers did with damaged partitions: 3,156 times 3.9.1, 292 times 4.4.0."""

from __future__ import annotations

import struct

import pytest

from tests.next_start.broker_starts import EXCEPTIONS, STOPS, differences, packed_starts, predict, recorded_starts


def wrong(starts) -> dict[str, list[str]]:
    return {start.id: found for start in starts if start.seen["id"] not in EXCEPTIONS and (found := differences(start))}


@pytest.mark.parametrize("stop", STOPS)
def test_every_recorded_start_is_predicted_in_every_field(stop):
    starts = [start for start in packed_starts() if start.seen["shutdown"] == stop]
    assert len(starts) > 780
    assert wrong(starts) == {}


#: A reader that hung on a busy machine: six copies of that directory were read by another broker of 4.4.0, each to the end.
HUNG = {"torn-1@plain.mid/clean": ["read uncommitted: the broker (0, 0, None, True), predicted (147, 153, None, False)"]}


@pytest.mark.parametrize("stop", ["clean", "unclean-zero"])
def test_every_recorded_start_of_4_4_0_is_predicted_in_every_field(stop):
    starts = [start for start in packed_starts("4.4.0") if start.seen["shutdown"] == stop]
    assert len(starts) == 146
    assert wrong(starts) == (HUNG if stop == "clean" else {})


@pytest.mark.parametrize(("release", "count"), [("3.9.1", 3100), ("4.4.0", 290)])
def test_every_start_of_the_whole_recordings_is_predicted_in_every_field(release, count):
    starts = recorded_starts(release)
    assert len(starts) > count
    assert wrong(starts) == (HUNG if release == "4.4.0" else {})


@pytest.mark.parametrize(
    ("version", "before", "since"),
    [(0x0001, "starts", "aborts"), (0x00FF, "starts", "aborts"), (-1, "starts", "aborts"), (0x0100, "aborts", "aborts")],
)
def test_a_txn_index_entry_of_any_other_version_stops_4_4_and_only_one_above_255_stopped_older_brokers(version, before, since):
    start = next(start for start in packed_starts("4.4.0") if start.id == "none@txn/clean")
    name = max(name for name in start.files if name.endswith(".txnindex"))
    changed = start._replace(files={**start.files, name: struct.pack(">h", version) + start.files[name][2:]})
    assert predict(changed, release=(4, 3, 1))[0].broker == before
    assert predict(changed, release=(4, 4, 0))[0].broker == since


def test_exceptions_are_real():
    named = {start.seen["id"]: start for start in packed_starts()}
    assert differences(named["metadata-wrong-id@plain"])
    assert "dir-missing@plain" not in named


def test_index_interval_is_read_off_the_indexes_that_are_left():
    starts = [start for start in packed_starts() if start.seen["kind"].startswith("index-missing")]
    assert len(starts) > 20
    for start in starts:
        given, _ = predict(start)
        inferred, _ = predict(start, index_interval_bytes=None)
        assert inferred == given, start.id


def test_a_recorded_difference_is_noticed():
    start = next(start for start in packed_starts() if start.id == "torn-half@plain.last/unclean-active")
    assert differences(start) == []
    assert differences(start._replace(seen={**start.seen, "log_end": 147}))
    assert differences(start._replace(seen={**start.seen, "renamed": {"x.log": "x.log.deleted"}}))
    moved = {**start.seen["read_committed"], "position": 147}
    assert differences(start._replace(seen={**start.seen, "read_committed": moved}))
