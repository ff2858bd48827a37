"""Real nodes, each the only voter of its quorum, on damaged metadata logs: whether they start, and what they rename -stray."""

from __future__ import annotations

import shutil
import signal
import time

import pytest

from kafkalog.next_start.api import next_starts
from kafkalog.next_start.metadata_start import METADATA_LOG
from tests.next_start.test_metadata_cut import DAMAGES, batch_of, strays
from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka

TOPICS = ("ta", "tb", "tc")


class _WithSnapshots(Broker):
    """A broker that makes a snapshot of the metadata every few records."""

    def _settings(self):
        return {**super()._settings(), "metadata.log.max.record.bytes.between.snapshots": 3000}


def _wait_for_snapshot(broker):
    """A node makes its first snapshot some time after the records that ask for one."""
    end = time.monotonic() + 60
    while not any((broker.folder / "meta" / METADATA_LOG).glob("*.checkpoint")):
        assert time.monotonic() < end, broker.errors()
        time.sleep(0.2)


def _damage(metadata, kind):
    if kind == "a damaged snapshot":
        latest = max(metadata.glob("*.checkpoint"))
        latest.write_bytes(latest.read_bytes()[:-100])
    elif kind == "no log":
        for path in metadata.glob("*.log"):
            path.unlink()
    else:
        path = max(metadata.glob("*.log"))
        data = path.read_bytes()
        path.write_bytes(DAMAGES[kind](data, batch_of(data, TOPICS[1])))


@pytest.mark.parametrize(
    ("release", "made", "kinds"),
    [
        ("3.9.1", _WithSnapshots, ("a flipped bit", "a damaged snapshot")),
        ("4.3.1", Broker, ("a length too long", "no log")),
    ],
)
def test_a_node_makes_of_a_damaged_metadata_log_what_was_predicted(release, made, kinds, tmp_path):
    broker = made(release, tmp_path / "b")
    places = [broker.log_dir, broker.folder / "meta"]
    try:
        assert broker.start(), broker.errors()
        for topic in TOPICS:
            broker.create_topics([(topic, 2, {"index.interval.bytes": 4096})])
        if made is _WithSnapshots:
            _wait_for_snapshot(broker)
        broker.stop(signal.SIGTERM)
        for place in places:
            shutil.copytree(place, tmp_path / "whole" / place.name)
        assert strays(next_starts(places, kafka_version=release)) == []
        for kind in kinds:
            for place in places:
                shutil.rmtree(place)
                shutil.copytree(tmp_path / "whole" / place.name, place)
            _damage(broker.folder / "meta" / METADATA_LOG, kind)
            predicted = list(next_starts(places, kafka_version=release))
            starts = all(one.broker != "aborts" for one in predicted)
            assert broker.start() == starts, (kind, broker.errors())
            expected = strays(predicted) if starts else []
            assert _renamed(broker, len(expected)) == expected, kind
            assert expected or made is _WithSnapshots, kind
            broker.stop(signal.SIGKILL)
    finally:
        broker.end()


def _renamed(broker, count):
    """The directories that a broker has renamed -stray, when they are so many, or after some time."""
    deadline = time.monotonic() + 15
    while True:
        found = sorted(path.name.partition(".")[0] for path in broker.log_dir.glob("*-stray"))
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
