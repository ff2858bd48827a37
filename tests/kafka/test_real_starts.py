"""Real brokers and consumers, live: started on freshly damaged partitions, and held against what was predicted."""

from __future__ import annotations

import os

import pytest

from tests.kafka.real_broker import Broker
from tests.kafka.starts import differences_of_broker, is_served
from tests.kafka.test_real_loaders import damaged_cases

pytestmark = pytest.mark.kafka

RELEASES = ("1.1.1", "2.8.2", "3.9.1", "4.1.1", "4.3.1")
SEED = os.environ.get("KAFKALOG_SEED", "20190214")
PARTITIONS = 120


@pytest.fixture(params=RELEASES)
def broker(request, tmp_path):
    """A broker that has not been started yet: one that has would meet its old damage under another kind of stop."""
    made = Broker(request.param, tmp_path / "b")
    yield made
    made.end()


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "unclean"])
def test_broker_and_consumers_do_what_was_predicted(broker, clean):
    cases = damaged_cases(f"{SEED} {broker.release} {clean}", 2 * PARTITIONS, clean=clean)
    served = [case for case in cases if is_served(broker.release, case)][:PARTITIONS]
    assert len(served) == PARTITIONS
    assert differences_of_broker(broker, served, clean=clean) == {}
