"""The timeline of a cluster beside what its nodes wrote into their own logs meanwhile: rolls, elections, a truncation."""

from __future__ import annotations

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

import pytest

from kafkalog.core.release import parse_release
from kafkalog.timeline.api import timeline_of
from tests.real_kafka.real_broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECOND = 1000
_STAMP = r"^([\d-]+ [\d:,]+) \w+ .*?"
_ROLLED = re.compile(_STAMP + r"Log partition=([\w-]+-\d+), .*Rolled new log segment at offset (\d+)", re.MULTILINE)
_LEADS = re.compile(_STAMP + r"Leader ([\w-]+-\d+) .*starts at leader epoch (\d+) from offset", re.MULTILINE)
_CUT = re.compile(_STAMP + r"Log partition=([\w-]+-\d+), .*\] Truncating to offset (\d+)", re.MULTILINE)
TOPIC, QUIET = "orders", "quiet"


class _Node(Broker):
    """A node with the time in its log, which is kept over restarts; the first one is the controller, too."""

    def __init__(self, release, folder, number, controller=None):
        self._number, self._controller = number, controller
        self._before = ""
        super().__init__(release, folder)
        for name in ("log4j.properties", "log4j2.xml"):
            file = folder / name
            file.write_text(file.read_text().replace("%p %m%n", "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %m%n"))

    def _settings(self):
        hurry = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500, "replica.lag.time.max.ms": 3000}
        return {**super()._settings(), **hurry}

    def _kraft_settings(self):
        settings = super()._kraft_settings()
        if self._controller is None:
            return settings
        return {
            **settings, "process.roles": "broker", "node.id": self._number,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller._other_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }  # fmt: skip

    def java(self, main, *arguments):
        """A replica that was in sync is not kept eligible: the election after its loss is to be an unclean one."""
        if "format" in arguments and parse_release(self.release) >= (4,):
            arguments = (*arguments, "--feature", "eligible.leader.replicas.version=0")
        super().java(main, *arguments)

    def start(self):
        self._before = self.all_said()
        return super().start()

    def all_said(self):
        return self._before + self.said()

    def topic(self, name, replicas, *settings):
        words = [word for one in settings for word in ("--config", one)]
        server = f"127.0.0.1:{self.port}"
        self.java(
            "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", server, "--create", "--topic", name,
            "--replica-assignment", replicas, *words,
        )  # fmt: skip

    def produce(self, topic, number):
        props = (f"bootstrap.servers=127.0.0.1:{self.port}", "acks=1", "batch.size=400", "max.block.ms=30000")
        self.java(
            "org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", str(number),
            "--record-size", "100", "--throughput", "40", "--producer-props", *props,
        )  # fmt: skip

    def elect_uncleanly(self, topic):
        with suppress(AssertionError):  # where the controller did so by itself
            self.java(
                "org.apache.kafka.tools.LeaderElectionCommand", "--bootstrap-server", f"127.0.0.1:{self.port}",
                "--election-type", "unclean", "--topic", topic, "--partition", "0",
            )  # fmt: skip


def _said(node, pattern):
    """What a node wrote of its partitions: time in milliseconds, directory, number."""
    for stamp, partition, number in pattern.findall(node.all_said()):
        moment = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").astimezone()
        yield int(moment.timestamp() * 1000), partition, int(number)


def _wait_for(node, pattern):
    end = time.monotonic() + 60
    while not list(_said(node, pattern)):
        assert time.monotonic() < end, node.errors()
        time.sleep(0.2)


@pytest.fixture(scope="module", params=["4.4.0"])
def cluster(request, tmp_path_factory):
    """Three nodes, of which the second led alone, died, came back to another leader, and cut its log."""
    folder = tmp_path_factory.mktemp("cluster")
    first = _Node(request.param, folder / "n1", 1)
    second, third = (_Node(request.param, folder / f"n{number}", number, first) for number in (2, 3))
    try:
        assert first.start(), first.errors()
        with ThreadPoolExecutor(2) as pool:
            assert all(pool.map(_Node.start, (second, third)))
        size = "internal.segment.bytes" if parse_release(request.param) >= (4,) else "segment.bytes"
        first.topic(QUIET, "1", "segment.ms=1500")
        # The log is cut in the middle of a segment, and further ones after it are deleted.
        first.topic(TOPIC, "2:3", f"{size}=18000", "unclean.leader.election.enable=true", "min.insync.replicas=1")
        first.produce(QUIET, 320)
        first.produce(TOPIC, 90)
        third.stop(signal.SIGKILL)
        time.sleep(5)
        first.produce(TOPIC, 120)
        second.stop(signal.SIGKILL)
        time.sleep(4)
        assert third.start(), third.errors()
        first.elect_uncleanly(TOPIC)
        first.produce(TOPIC, 100)
        assert second.start(), second.errors()
        _wait_for(second, _CUT)
        first.produce(TOPIC, 80)
        for node in (third, second, first):
            node.stop(signal.SIGTERM)
        yield first, second, third
    finally:
        for node in (first, second, third):
            node.end()


@pytest.fixture(scope="module")
def events(cluster):
    paths = [str(path) for node in cluster for path in (node.log_dir, node.folder / "meta")]
    return timeline_of(paths, int(time.time() * 1000)).events


def test_rolls_lie_where_the_nodes_say_they_were(cluster, events):
    rolled = {(event.broker, event.partition, event.offset): event for event in events if event.kind == "segment-rolled"}
    exact = checked = 0
    for number, node in enumerate(cluster, 1):
        # A log that was cut is rolled at the same offset once more.
        said = {(partition, offset): moment for moment, partition, offset in _said(node, _ROLLED)}
        for (partition, offset), moment in said.items():
            event = rolled.get((str(number), partition, offset))
            if event is not None and not partition.startswith("__"):
                assert event.facts["not_before"] - SECOND <= moment <= event.time + SECOND
                # The first node was never killed: no recovery has written its indexes again.
                if node is cluster[0]:
                    assert abs(event.time - moment) <= SECOND
                    exact += 1
                checked += 1
    assert exact >= 2
    assert checked > exact


def test_elections_have_the_time_at_which_the_new_leader_began(cluster, events):
    began = {}
    for node in cluster:
        for moment, partition, epoch in _said(node, _LEADS):
            began[partition, epoch] = min(moment, began.get((partition, epoch), moment))
    elected = {
        (f"{event.facts['topic']}-{event.facts['partition']}", event.facts["epoch"]): event
        for event in events
        if event.kind == "leader-elected"
    }
    of_topic = {epoch: moment for (partition, epoch), moment in began.items() if partition == f"{TOPIC}-0"}
    assert len(of_topic) >= 2
    for epoch, moment in of_topic.items():
        event = elected[f"{TOPIC}-0", epoch]
        assert event.source == "controller"
        assert abs(event.time - moment) <= SECOND
    begun = [event for event in events if (event.kind, event.partition, event.broker) == ("epoch-started", f"{TOPIC}-0", "2")]
    assert {event.facts["leader"] for event in begun} == {2, 3}


def test_the_truncation_has_its_time_and_its_offset(cluster, events):
    (cut, *_) = [one for one in _said(cluster[1], _CUT) if one[1] == f"{TOPIC}-0"]
    moment, partition, offset = cut
    for kind in ("snapshot-written", "truncated?"):
        told = [event for event in events if (event.broker, event.partition, event.kind) == ("2", partition, kind)]
        (event,) = (one for one in told if one.offset == offset)
        assert event.source == "file-mtime"
        assert abs(event.time - moment) <= SECOND
    assert "truncated?" not in {event.kind for event in events if event.broker in ("1", "3")}


def test_every_node_was_stopped_cleanly(events):
    assert {event.broker for event in events if event.kind == "clean-shutdown"} == {"1", "2", "3"}
