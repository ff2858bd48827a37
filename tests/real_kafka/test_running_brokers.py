"""A real broker that rolls, deletes and compacts all the time, and kafkalog on its log dir meanwhile: no false alarm."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka

ROUNDS = 4
COMMANDS = (
    ("verify",),
    ("verify", "--jobs", "2"),
    ("verify", "--quick"),
    ("next-start",),
    ("groups",),
    ("transactions",),
    ("metadata",),
)


class BusyBroker(Broker):
    """A broker in a hurry: it rolls every few seconds, and cleans, deletes and writes its checkpoints as often."""

    def _settings(self):
        return super()._settings() | {
            "log.roll.ms": 2000, "log.cleaner.enable": "true", "log.cleaner.backoff.ms": 500,
            "log.cleaner.min.cleanable.ratio": 0.01, "log.retention.check.interval.ms": 1000, "log.initial.task.delay.ms": 1000,
            "log.segment.delete.delay.ms": 1500, "log.flush.offset.checkpoint.interval.ms": 2000,
            "log.flush.start.offset.checkpoint.interval.ms": 2000, "replica.high.watermark.checkpoint.interval.ms": 2000,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 2, "offsets.topic.num.partitions": 2,
        }  # fmt: skip

    def produce(self, main, *arguments):
        """A client that goes on until it is ended."""
        words = [word for word in self._command(f"org.apache.kafka.tools.{main}", *map(str, arguments)) if "log4j" not in word]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(params=[pytest.param("3.9.1", marks=pytest.mark.long), "4.4.0"])
def busy(request, tmp_path):
    broker = BusyBroker(request.param, tmp_path / "b")
    clients = []
    try:
        assert broker.start(), broker.errors()
        broker.create_topics(
            [
                ("kept", 2, {"retention.ms": 6000, "segment.ms": 2000, "file.delete.delay.ms": 1000}),
                ("cleaned", 2, {"cleanup.policy": "compact", "segment.ms": 2000, "max.compaction.lag.ms": 2000}),
                ("txn", 2, {"retention.ms": 6000, "segment.ms": 2000, "file.delete.delay.ms": 1000}),
            ]
        )
        server = f"127.0.0.1:{broker.port}"
        endless = ("--num-records", 10**9, "--record-size", 100)
        clients += [
            broker.produce("ProducerPerformance", "--topic", "kept", "--throughput", 200, *endless,
                           "--producer-props", f"bootstrap.servers={server}", "batch.size=1000"),
            broker.produce("ProducerPerformance", "--topic", "txn", "--throughput", 100, *endless, "--transactional-id", "tid",
                           "--transaction-duration-ms", 200, "--producer-props", f"bootstrap.servers={server}"),
            broker.produce("VerifiableProducer", "--bootstrap-server", server, "--topic", "cleaned", "--throughput", 100,
                           "--repeating-keys", 30),
            broker.produce("VerifiableConsumer", "--bootstrap-server", server, "--topic", "kept", "--group-id", "g"),
        ]  # fmt: skip
        yield broker
        assert [client.poll() for client in clients] == [None] * len(clients)
    finally:
        for client in clients:
            client.send_signal(signal.SIGKILL)
            client.wait()
        broker.end()


def test_a_running_broker_gives_no_false_alarm(busy):
    rolled = set()
    for _ in range(ROUNDS):
        for arguments in COMMANDS:
            path = busy.folder / "meta" if arguments == ("metadata",) else busy.log_dir
            command = [sys.executable, "-m", "kafkalog", *arguments, str(path), "--format", "jsonl"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert [line for line in lines if line["type"] == "finding" and line["severity"] != "info"] == []
            starts = [line for line in lines if line.get("type") == "next_start" or "assumed" in line]
            assert [line for line in starts if line["records_lost"] or line["partition"] == "failed"] == []
            assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr)
        rolled.update(path.name for path in busy.log_dir.glob("*/*.log"))
    assert len(rolled) > 20
