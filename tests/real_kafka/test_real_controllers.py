"""A live broker's own metadata as a witness: silent on what it left, right about what it does next."""

from __future__ import annotations

import shutil
import signal

import pytest

from kafkalog.verify import Severity, verify
from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka

OTHER_ID = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA"


def words(broker):
    found = verify([broker.log_dir, broker.folder / "meta"]).all_findings()
    return sorted(
        (f.id, f.severity, f.path.removeprefix(f"{broker.log_dir}/")) for f in found if f.id.startswith("controller-")
    )


def delete_topic(broker, name):
    broker.java(
        "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", f"127.0.0.1:{broker.port}", "--delete", "--topic", name
    )


@pytest.mark.parametrize("release", ["3.9.1", "4.3.1"])
def test_the_broker_treats_as_stray_what_its_metadata_contradicts_and_nothing_else(release, tmp_path):
    broker = Broker(release, tmp_path / "broker")
    try:
        assert broker.start()
        broker.create_topics([(name, 1, {"segment.ms": 604800000}) for name in ("kept", "edited", "moved", "gone")])
        assert {severity for _, severity, _ in words(broker)} <= {Severity.INFO}
        delete_topic(broker, "gone")
        broker.create_topics([("gone", 1, {"segment.ms": 604800000})])
        assert {severity for _, severity, _ in words(broker)} <= {Severity.INFO}
        broker.stop(signal.SIGTERM)
        assert words(broker) == []
        logs = broker.log_dir
        (logs / "edited-0" / "partition.metadata").write_text(OTHER_ID)
        shutil.copytree(logs / "kept-0", logs / "kept-7")
        (logs / "moved-0").rename(logs / "other-0")
        assert words(broker) == [
            ("controller-knows-no-partition", Severity.ERROR, "kept-7"),
            ("controller-topic-id-differs", Severity.ERROR, "edited-0/partition.metadata"),
            ("controller-topic-name-differs", Severity.ERROR, "other-0/partition.metadata"),
        ]
        assert broker.start()
        names = {path.name for path in logs.iterdir()}
        stray = {name.partition(".")[0] for name in names if name.endswith("-stray")}
        assert stray == {"kept-7", "edited-0"}
        assert {"kept-0", "gone-0", "other-0"} <= names
        broker.stop(signal.SIGKILL)
        assert [item[2] for item in words(broker)] == ["other-0/partition.metadata"]
    finally:
        broker.end()
