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

#: Leader epochs of the log of a topic that was deleted and is created again, with epochs from 0 on.
OLD_EPOCHS = {"lower": (0, 1), "higher": (40, 70)}


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


def deleted(directory, epochs):
    """The log of a topic that is no more."""
    directory.mkdir(parents=True)
    now = int(time.time() * 1000)
    batches = (
        encode.batch([encode.R(0, b"k", b"v")], base_offset=at, leader_epoch=epochs[at >= 30], base_timestamp=now)
        for at in range(60)
    )
    (directory / f"{0:020d}.log").write_bytes(b"".join(batches))
    return directory


def topic_id(directory):
    return (directory / "partition.metadata").read_text().split("topic_id: ")[1].strip()


@pytest.mark.parametrize("release", ["3.9.1"])
def test_what_was_salvaged_is_served_by_all_replicas_and_none_cuts_it(release, tmp_path):
    cluster = Cluster(release, tmp_path)
    try:
        cluster.start()
        cluster.create("merged", "hole", *OLD_EPOCHS)
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
        for topic, epochs in OLD_EPOCHS.items():
            own = topic_id(cluster.directories(topic)[0])
            source = deleted(tmp_path / f"old/{topic}-0", epochs)
            (salvaged,) = kafkalog.salvage(source, tmp_path / topic, topic_id=own, kafka_version=release).partitions
            assert any(f"leader epochs go up to {epochs[1]}" in note for note in salvaged.notes)
            cluster.plant(topic, tmp_path / topic)

        cluster.start()
        cluster.produce(50, "merged", "hole", *OLD_EPOCHS)
        cluster.stop()
        cluster.start()
        cluster.produce(50, "merged", "hole", "lower")
        reads = cluster.nodes[0].read([("merged", 0, 500), ("hole", 0, 500), ("lower", 0, 500)])
        cluster.stop()
        assert cluster.agreed("merged") == list(range(400))
        assert cluster.agreed("hole") == sorted(set(range(400)) - lost)
        assert cluster.agreed("lower") == list(range(160))
        # Followers whose log has an epoch that the leader does not know do not get any further, and lose nothing.
        ends = [len(list(kafkalog.open_partition(one).records())) for one in cluster.directories("higher")]
        assert sorted(ends) == [60, 60, 110]
        for topic, records in (("merged", 400), ("hole", 400 - len(lost)), ("lower", 160)):
            read = reads[f"{topic}-0", "committed"]
            assert (read.error, read.records) == (None, records), topic
    finally:
        for node in cluster.nodes:
            node.end()
