"""Real brokers and consumers, live: started on freshly damaged partitions, and held against what was predicted."""

from __future__ import annotations

import os
import signal
import time

import pytest

from kafkalog.next_start.api import next_starts
from tests.real_kafka.real_broker import Broker
from tests.real_kafka.starts import differences_of_broker, is_served
from tests.real_kafka.test_real_loaders import damaged_cases

pytestmark = pytest.mark.kafka

RELEASES = (
    "1.1.1",
    *(pytest.param(release, marks=pytest.mark.long) for release in ("2.8.2", "4.1.1", "4.3.1")),
    "3.9.1",
    "4.4.0",
)
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


def _in_two_log_dirs(release, folder):
    """A stopped broker with two log dirs, and the directory of one of its partitions."""
    made = Broker(release, folder, log_dirs=2)
    assert made.start(), made.errors()
    made.create_topics([("a", 8, {"index.interval.bytes": 100})])
    made.stop(signal.SIGTERM)
    return made, next(path for log_dir in made.log_dirs for path in sorted(log_dir.glob("a-?")))


@pytest.mark.parametrize("release", ["0.11.0.3", "1.1.1", "2.8.2", "3.2.3", "3.9.1"])
def test_a_malformed_epoch_file_does_to_the_broker_what_was_predicted(release, tmp_path):
    made, partition = _in_two_log_dirs(release, tmp_path / "b")
    try:
        (partition / "leader-epoch-checkpoint").write_bytes(b"0\n5\n0 0\n")
        predicted = {outcome.broker for outcome in next_starts(made.log_dirs, kafka_version=release, consumer=False)}
        assert made.start() == ("aborts" not in predicted)
    finally:
        made.end()


@pytest.mark.parametrize("release", ["3.5.2", "3.9.1"])
def test_a_directory_with_an_id_that_nobody_knows_goes_where_it_was_predicted_to_go(release, tmp_path):
    made, partition = _in_two_log_dirs(release, tmp_path / "b")
    try:
        (partition / "partition.metadata").write_text(f"version: 0\ntopic_id: {'B' * 21}A")
        outcomes = next_starts(made.log_dirs, kafka_version=release, consumer=False)
        (gone,) = [outcome for outcome in outcomes if outcome.path == str(partition)]
        assert made.start(), made.errors()
        mark = gone.rename[-1][1].rpartition("-")[2]
        deadline = time.monotonic() + 30
        while not (found := list(partition.parent.glob(f"{partition.name}.*-{mark}"))) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found
    finally:
        made.end()
