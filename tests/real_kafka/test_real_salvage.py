"""Real brokers on salvaged partitions: they serve what was kept, cut nothing, and keep the files beside the logs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import struct
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

import kafkalog
from kafkalog.core.producer_snapshot import read_producer_snapshot
from tests import encode
from tests.log_dirs import FIXTURES
from tests.next_start.damage import harm
from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka

BROKER = FIXTURES / "broker"
SOURCES = [
    BROKER / "3.9.1/cluster-final-n1/ledger-0",
    BROKER / "3.9.1/cluster-final-n1/ledger-txn-0",
    BROKER / "4.3.1/edge/e-txn-0",
    BROKER / "4.3.1/edge/e-idem-0",
    BROKER / "2.1.1/txn/ledger-1",
    BROKER / "2.1.1/plain/twitter-status-0",
]
#: Their producers have been heard of long ago.
_NEVER = 2_147_483_647
CASES = int(os.environ.get("KAFKALOG_SALVAGES", "60"))


class Salvaged(NamedTuple):
    """A partition that was salvaged: what was done to it before, what was kept, and its directory in the broker's log dir."""

    said: tuple[str, ...]
    partition: kafkalog.PartitionSalvage
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name


def damaged(seed, folder):
    """A partition with damage of some kind; it says of which."""
    source = SOURCES[seed % len(SOURCES)]
    harmed = harm({path.name: path.read_bytes() for path in source.iterdir()}, random.Random(seed))
    target = folder / source.name
    target.mkdir(parents=True)
    for name, data in harmed.files.items():
        (target / name).write_bytes(data)
    for name in harmed.directories:
        (target / name).mkdir(exist_ok=True)
    return target, (source.name, *harmed.said)


def salvaged(release, folder):
    """Damaged partitions by the index interval with which they are salvaged."""
    by_interval = defaultdict(list)
    for seed in range(CASES):
        source, said = damaged(seed, folder / f"d{seed}")
        interval = kafkalog.salvage(source, folder / f"first{seed}", kafka_version=release).partitions[0].index_interval_bytes
        by_interval[interval].append((seed, source, said))
    return by_interval


def plant(broker, cases):
    for case in cases:
        target = broker.log_dir / case.name
        shutil.rmtree(target)
        shutil.copytree(case.partition.path, target)


def expected(case, isolation):
    """The stretches of offsets that a consumer gets."""
    found = []
    for record in kafkalog.open_partition(case.partition.path).records(isolation=isolation):
        if found and found[-1][1] + 1 == record.offset:
            found[-1][1] = record.offset
        else:
            found.append([record.offset, record.offset])
    return tuple(map(tuple, found))


def differences(broker, case, reads):
    for level in ("uncommitted", "committed"):
        read = reads[case.name, level]
        if read.error is not None or read.handed != expected(case, f"read_{level}"):
            yield f"{level}: {read}, expected {expected(case, f'read_{level}')}"
    start, end = broker.loaded()[case.name]
    if (start, end) != (case.partition.log_start_offset, case.partition.log_end_offset):
        yield f"log {start} to {end}, {case.partition.log_start_offset} to {case.partition.log_end_offset} was said"


def changes(broker, case):
    """Files that are not as they were written; of snapshots what they say, for their entries are in the order of a hash map."""
    for file in case.partition.files:
        ours, theirs = Path(file.path), broker.log_dir / case.name / Path(file.path).name
        if theirs.name == "leader-epoch-checkpoint":
            continue  # a new leader adds its own
        if not theirs.exists():
            yield f"{theirs.name} is gone"
        elif theirs.suffix == ".snapshot":
            one, other = (set(read_producer_snapshot(path.read_bytes()).entries) for path in (ours, theirs))
            if any(map(is_known, one ^ other)) and all(entry.producer_epoch >= 0 for entry in one ^ other):
                yield f"{theirs.name}: {one ^ other}"
        elif theirs.read_bytes() != ours.read_bytes():
            yield f"{theirs.name}: {theirs.stat().st_size} bytes, {ours.stat().st_size} were written"


def is_known(entry):
    """Whether a broker remembers a producer: one that was heard of in the last weeks, with an epoch as brokers give it."""
    return entry.timestamp > (time.time() - 20 * 86400) * 1000 and entry.producer_epoch >= 0


class Producer:
    """A producer of which the broker knows already what it wrote before."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def write(self, *what):
        """The error code of a write, when the broker has taken the lead."""
        while (error := self._write(*what)) in BEFORE_ELECTION:
            time.sleep(0.2)
        return error

    def _write(self, topic, partition, entry, sequence):
        """Write a record with a sequence number; returns the error code of the Produce request, version 3."""
        batch = encode.batch(
            [encode.R(key=b"k", value=b"goes on")], producer_id=entry.producer_id, producer_epoch=entry.producer_epoch,
            base_sequence=sequence, base_timestamp=int(time.time() * 1000),
        )  # fmt: skip
        name = topic.encode()
        body = struct.pack(">hhih1s", 0, 3, 7, 1, b"t") + struct.pack(">hhi", -1, 1, 10_000)
        body += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, partition, len(batch)) + batch
        self.connection.sendall(struct.pack(">i", len(body)) + body)
        answer = self._read(struct.unpack(">i", self._read(4))[0])
        # Correlation id, topics, the name, partitions, the partition; then the error.
        return struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name) + 4 + 4)[0]

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            assert piece, "the broker hangs up"
            data += piece
        return data


#: Error codes of the protocol: OUT_OF_ORDER_SEQUENCE_NUMBER; UNKNOWN_TOPIC_OR_PARTITION and NOT_LEADER_OR_FOLLOWER.
OUT_OF_ORDER = 45
BEFORE_ELECTION = (3, 6)


def going_on(broker, cases):
    """What idempotent producers meet that were known at the end of the logs: (case, producer, errors)."""
    with Producer(broker.port) as producer:
        # After a marker of a lower epoch, which no coordinator writes, Kafka goes back to that epoch, and kafkalog does not.
        for case in (case for case in cases if not any("producer_epoch" in said for said in case.said)):
            topic, _, partition = case.name.rpartition("-")
            newest = max((Path(file.path) for file in case.partition.files if file.path.endswith(".snapshot")), default=None)
            entries = () if newest is None else read_producer_snapshot(newest.read_bytes()).entries
            for entry in filter(is_known, entries):
                if entry.last_sequence >= 0 and entry.current_txn_first_offset < 0:
                    steps = [entry.last_sequence + step for step in (3, 1, 2)]
                    yield case, entry, [producer.write(topic, int(partition), entry, sequence) for sequence in steps]


def test_a_real_broker_hands_out_aborted_records_as_predicted(tmp_path):
    source = BROKER / "3.9.1/cluster-final-n1/ledger-txn-0"
    (sound,) = kafkalog.salvage(source, tmp_path / "sound", kafka_version="3.9.1").partitions
    broker = Broker("3.9.1", tmp_path / "broker")
    try:
        assert broker.start(), broker.errors()
        broker.create_topics([("t", 1, {"index.interval.bytes": 300})])
        broker.stop(signal.SIGTERM)
        target = broker.log_dir / "t-0"
        metadata = (target / "partition.metadata").read_bytes()
        shutil.rmtree(target)
        shutil.copytree(sound.path, target, ignore=shutil.ignore_patterns("*.txnindex", "*.snapshot"))
        (target / "partition.metadata").write_bytes(metadata)
        predicted = kafkalog.next_start(target, assume_stop="clean", kafka_version="3.9.1").consumer.committed
        (report,) = kafkalog.verify(target).partitions
        assert broker.start(), broker.errors()
        read = broker.read([("t", 0, sound.records)])["t-0", "committed"]
    finally:
        broker.end()
    records = list(kafkalog.open_partition(source).records())
    aborted = sum(record.is_aborted for record in records)
    assert aborted > 0
    assert read.records == predicted.records == len(records)
    assert predicted.aborted_visible == aborted
    missing = [finding for finding in report.findings if finding.id == "txnindex-missing-entry"]
    assert {finding.severity for finding in missing} == {kafkalog.Severity.ERROR}
    assert sum(finding.facts["records"] for finding in missing) == aborted


@pytest.mark.parametrize(
    "release", [pytest.param("2.8.2", marks=pytest.mark.long), pytest.param("3.9.1", marks=pytest.mark.long), "4.4.0"]
)
def test_a_broker_serves_what_was_kept_and_changes_nothing(release, tmp_path):
    broker = Broker(release, tmp_path / "broker")
    settings = broker.folder / "server.properties"
    settings.write_text(
        f"{settings.read_text()}\nproducer.id.expiration.ms={_NEVER}\ntransactional.id.expiration.ms={_NEVER}\n"
    )
    by_interval = salvaged(release, tmp_path / "work")
    found = []
    try:
        assert broker.start(), broker.errors()
        topics = [(f"t{interval}", len(group), {"index.interval.bytes": interval}) for interval, group in by_interval.items()]
        broker.create_topics(topics)
        broker.stop(signal.SIGTERM)
        cases = list(_with_ids(broker, by_interval, release, tmp_path))
        assert len(cases) >= CASES * 2 // 3
        for kind in ("clean", "unclean"):
            plant(broker, cases)
            if kind == "unclean":
                (broker.log_dir / ".kafka_cleanshutdown").unlink()
                (broker.log_dir / "recovery-point-offset-checkpoint").unlink(missing_ok=True)
            assert broker.start(), broker.errors()
            most = [(case.name.rpartition("-")[0], int(case.name.rpartition("-")[2]), case.partition.records) for case in cases]
            reads = broker.read(most)
            for case in cases:
                found += [(kind, case.name, case.said, text) for text in differences(broker, case, reads)]
            broker.stop(signal.SIGTERM)
            for case in cases:
                found += [(kind, case.name, case.said, text) for text in changes(broker, case)]
        assert broker.start(), broker.errors()
        went_on = list(going_on(broker, cases))
        assert len(went_on) >= CASES // 6
        found += [(case.name, case.said, entry, errors) for case, entry, errors in went_on if errors != [OUT_OF_ORDER, 0, 0]]
    finally:
        broker.end()
    assert found == [], "\n".join(map(str, found))


def _with_ids(broker, by_interval, release, tmp_path):
    for interval, group in by_interval.items():
        for number, (seed, source, said) in enumerate(group):
            folder = broker.log_dir / f"t{interval}-{number}"
            metadata = folder / "partition.metadata"
            topic_id = metadata.read_text().split("topic_id: ")[1].strip() if metadata.exists() else None
            out = tmp_path / "work" / f"new{seed}"
            (partition,) = kafkalog.salvage(source, out, kafka_version=release, topic_id=topic_id).partitions
            assert partition.problems == (), said
            if partition.kept:
                yield Salvaged(said, partition, folder)
