"""The model against what a real broker did with 3,156 damaged partitions."""

from __future__ import annotations

import pytest

from tests.recovery.broker_starts import EXCEPTIONS, STOPS, differences, packed_starts, predict, recorded_starts


def wrong(starts) -> dict[str, list[str]]:
    return {start.id: found for start in starts if start.seen["id"] not in EXCEPTIONS and (found := differences(start))}


@pytest.mark.parametrize("stop", STOPS)
def test_every_recorded_start_is_predicted_in_every_field(stop):
    starts = [start for start in packed_starts() if start.seen["shutdown"] == stop]
    assert len(starts) > 780
    assert wrong(starts) == {}


def test_every_start_of_the_whole_recordings_is_predicted_in_every_field():
    starts = recorded_starts()
    assert len(starts) > 3100
    assert wrong(starts) == {}


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
