"""Salvaged directories put back among live replicas: none of the three brokers throws anything of them away."""

from __future__ import annotations

import shutil
import time

import pytest

import kafkalog
from tests import encode
from tests.real_kafka.real_broker import free_ports
from tests.real_kafka.test_real_metadata_cuts import _all_start, _all_stop, _Node

pytestmark = [pytest.mark.kafka, pytest.mark.long]

#: A log of a topic that was deleted: its leader epochs are far above those of a topic that is created anew.
OLD_EPOCHS = (40, 70)


class Cluster:
    """Three nodes, each a broker and a voter, and what is told to them."""

    def __init__(self, release, folder):
        self.release, self.folder = release, folder
        ports = free_ports(3)
        self.nodes = [_Node(release, folder / f"n{number}", number, ports) for number in (1, 2, 3)]
        self.servers = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self):
        assert _all_start(*self.nodes), [node.errors() for node in self.nodes]

    def stop(self):
        _all_stop(*self.nodes)

    def create(self, *topics):
        for topic in topics:
            words = ("--create", "--topic", topic, "--partitions", "1", "--replication-factor", "3")
            self.nodes[0].java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.servers, *words)

    def produce(self, count, *topics):
        """Write records that all replicas have when this returns."""
        for topic in topics:
            words = ("--topic", topic, "--max-messages", str(count), "--acks", "-1", "--throughput", "500")
            self.nodes[0].java("org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", self.servers, *words)

    def directories(self, topic):
        return [node.log_dir / f"{topic}-0" for node in self.nodes]

    def plant(self, topic, new):
        """Put a salvaged directory in the place of all replicas."""
        for node, directory in zip(self.nodes, self.directories(topic), strict=True):
            aside = self.folder / "aside" / node.folder.name / topic
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(directory, aside)
            shutil.copytree(new, directory)

    def agreed(self, topic):
        """Offsets of the records, when all replicas have the same bytes."""
        logs = [b"".join(path.read_bytes() for path in sorted(one.glob("*.log"))) for one in self.directories(topic)]
        assert logs[0] == logs[1] == logs[2], topic
        return [record.offset for record in kafkalog.open_partition(self.directories(topic)[0]).records()]


def hurt(directory):
    """Damage the batch in the middle of a log."""
    log = max(directory.glob("*.log"))
    batch = list(kafkalog.open_partition(directory).batches())
    middle = batch[len(batch) // 2]
    data = bytearray(log.read_bytes())
    data[middle.span.end - 9 : middle.span.end] = bytes(9)
    log.write_bytes(data)
    return set(range(middle.base_offset, middle.last_offset + 1))


def topic_id(directory):
    return (directory / "partition.metadata").read_text().split("topic_id: ")[1].strip()


@pytest.mark.parametrize("release", ["3.9.1"])
def test_what_was_salvaged_is_served_by_all_replicas_and_none_cuts_it(release, tmp_path):
    cluster = Cluster(release, tmp_path)
    try:
        cluster.start()
        cluster.create("merged", "hole", "anew")
        cluster.produce(150, "merged", "hole")
        cluster.stop()
        cluster.start()
        cluster.produce(150, "merged", "hole")
        cluster.stop()

        # One replica is damaged, another one has what it lacks.
        first, second, _ = cluster.directories("merged")
        hurt(first)
        merged = kafkalog.salvage(first, tmp_path / "merged", replicas=[second], kafka_version=release)
        assert merged.is_accepted
        assert merged.is_whole
        shutil.rmtree(first)
        shutil.copytree(tmp_path / "merged", first)
        # All replicas are damaged in the same place.
        lost = set()
        for directory in cluster.directories("hole"):
            lost |= hurt(directory)
        assert kafkalog.salvage(cluster.directories("hole")[0], tmp_path / "hole", kafka_version=release).is_accepted
        cluster.plant("hole", tmp_path / "hole")
        # The topic was deleted and is created anew.
        old = tmp_path / "old/anew-0"
        old.mkdir(parents=True)
        now = int(time.time() * 1000)
        batches = [
            encode.batch([encode.R(0, b"k", b"v")], base_offset=at, leader_epoch=OLD_EPOCHS[at >= 30], base_timestamp=now)
            for at in range(60)
        ]
        (old / f"{0:020d}.log").write_bytes(b"".join(batches))
        own = topic_id(cluster.directories("anew")[0])
        assert kafkalog.salvage(old, tmp_path / "anew", topic_id=own, kafka_version=release).is_accepted
        cluster.plant("anew", tmp_path / "anew")

        cluster.start()
        cluster.produce(50, "merged", "hole", "anew")
        cluster.stop()
        cluster.start()
        cluster.produce(50, "merged", "hole", "anew")
        reads = cluster.nodes[0].read([("merged", 0, 500), ("hole", 0, 500), ("anew", 0, 500)])
        cluster.stop()
        assert cluster.agreed("merged") == list(range(400))
        assert cluster.agreed("hole") == sorted(set(range(400)) - lost)
        assert cluster.agreed("anew") == list(range(160))
        for topic, records in (("merged", 400), ("hole", 400 - len(lost)), ("anew", 160)):
            read = reads[f"{topic}-0", "committed"]
            assert (read.error, read.records) == (None, records), topic
    finally:
        for node in cluster.nodes:
            node.end()
