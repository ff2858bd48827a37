"""Real nodes on damaged metadata logs, the only voter or one of three: whether they start, and what they rename -stray."""

from __future__ import annotations

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kafkalog.next_start.api import next_starts
from kafkalog.next_start.metadata_start import METADATA_LOG
from tests.next_start.test_metadata_cut import DAMAGES, batch_of, strays
from tests.real_kafka.real_broker import Broker, free_ports

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


class _WithSegments(Broker):
    """A broker that begins a new segment of the metadata log every second."""

    def _settings(self):
        return {**super()._settings(), "metadata.log.segment.ms": 1000}


def _segment_of(metadata, topic):
    """The segment that makes a topic."""
    made = bytes([len(topic) + 1]) + topic.encode()
    return next(path for path in sorted(metadata.glob("*.log")) if made in path.read_bytes())


def _damage(metadata, kind):
    if kind == "a damaged snapshot":
        latest = max(metadata.glob("*.checkpoint"))
        latest.write_bytes(latest.read_bytes()[:-100])
    elif kind == "a segment is missing":
        _segment_of(metadata, TOPICS[1]).unlink()
    elif kind == "the first segment is missing":
        min(metadata.glob("*.log")).unlink()
    elif kind == "nothing":
        shutil.rmtree(metadata)
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
        pytest.param("4.3.1", _WithSegments, ("a segment is missing", "the first segment is missing"), marks=pytest.mark.long),
    ],
)
def test_a_node_makes_of_a_damaged_metadata_log_what_was_predicted(release, made, kinds, tmp_path):
    broker = made(release, tmp_path / "b")
    places = [broker.log_dir, broker.folder / "meta"]
    try:
        assert broker.start(), broker.errors()
        for topic in TOPICS:
            broker.create_topics([(topic, 2, {"index.interval.bytes": 4096})])
            time.sleep(2 if made is _WithSegments else 0)
        if made is _WithSegments:
            # A broker that has left and come back: later records are about the partitions of every topic.
            broker.stop(signal.SIGTERM)
            assert broker.start(), broker.errors()
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
            assert expected or made is not Broker, kind
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


class _Node(Broker):
    """One of several voters; each is a broker, too."""

    def __init__(self, release, folder, number, ports):
        self._number, self._ports = number, ports
        super().__init__(release, folder)

    def _kraft_settings(self):
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in enumerate(self._ports, 1))
        controller = f"CONTROLLER://127.0.0.1:{self._ports[self._number - 1]}"
        settings = {key: value for key, value in super()._kraft_settings().items() if key != "metadata.log.dir"}
        return {
            **settings, "node.id": self._number, "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("release", ["3.9.1"])
def test_one_of_three_voters_gets_what_it_lost_from_the_others_unless_these_lack_it_too(release, tmp_path):
    ports = free_ports(3)
    nodes = [_Node(release, tmp_path / f"n{number}", number, ports) for number in (1, 2, 3)]
    first, second, third = nodes
    try:
        assert _all_start(*nodes)
        for topic in TOPICS:
            first.create_topics([(topic, 6, {"index.interval.bytes": 4096})])
        _all_stop(*nodes)
        for node in (first, second):
            _damage(node.log_dir / METADATA_LOG, "a flipped bit")
        predicted = list(next_starts([first.log_dir], kafka_version=release))
        told = {}
        for outcome in predicted:
            told.setdefault(outcome.path.rpartition("/")[2], []).append(outcome.partition)
        both = {name for name, states in told.items() if states == ["stray", "loaded"]}
        assert {name.rpartition("-")[0] for name in both} == set(TOPICS[1:])
        # The third has all of it, and leads.
        assert _all_start(first, third)
        assert not _renamed(first, 1)
        _all_stop(first, third)
        _damage(first.log_dir / METADATA_LOG, "a flipped bit")
        assert _all_start(first, second)
        assert set(_renamed(first, len(both))) == both
    finally:
        for node in nodes:
            node.end()


def _all_start(*nodes):
    """Start them at once, since none comes up alone: whether all of them do."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        return all(pool.map(lambda node: node.start(), nodes))


def _all_stop(*nodes):
    """Stop them at once: the last ones of a quorum do not stop by themselves."""
    for node in nodes:
        node.process.send_signal(signal.SIGTERM)
    time.sleep(8)
    for node in nodes:
        node.stop(signal.SIGKILL)
