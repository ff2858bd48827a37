"""Real consumers after a wrong length or base offset: the very offsets that they are handed, pass over, and never get to."""

from __future__ import annotations

import itertools

import pytest

from tests.next_start.wrong_lengths import BASES, LENGTHS, PLACES, with_base, with_length
from tests.real_kafka.loads import Case
from tests.real_kafka.real_broker import Broker
from tests.real_kafka.starts import compare_read, is_served, run_broker

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("release", ["3.9.1", "4.3.1"])
def test_consumers_are_handed_and_pass_over_the_offsets_that_were_predicted(release, tmp_path):
    harmed = (*itertools.starmap(with_length, itertools.product(PLACES, LENGTHS)), *map(with_base, BASES))
    cases = [case for one in harmed if is_served(release, case := Case("", "", one, 4))]
    broker = Broker(release, tmp_path / "b")
    try:
        started = run_broker(broker, cases, clean=True)
    finally:
        broker.end()
    assert len(started) >= len(PLACES) * len(LENGTHS) + len(BASES) - 3
    assert {one.case.harmed.said[0]: wrong for one in started if (wrong := _differences(one))} == {}
    assert any(read.skipped for one in started for read in one.outcome.consumer)


def _differences(started) -> list[str]:
    found = []
    for isolation, mine in zip(started.outcome.consumer._fields, started.outcome.consumer, strict=True):
        real = started.reads.get(isolation)
        compare_read(isolation, real, mine, lambda *told: found.append(told))
        if real is None or real.handed != mine.read:
            found.append((f"offsets {isolation}", real, mine))
    return found
