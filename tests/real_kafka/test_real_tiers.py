"""A real broker over damaged remote storage: its consumers get exactly the offsets that `verify` does not count as lost."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from kafkalog.verify import verify
from tests.log_dirs import FIXTURES, unpack
from tests.real_kafka.real_broker import free_ports
from tests.real_kafka.real_tool import class_path

pytestmark = [pytest.mark.kafka, pytest.mark.long]

RELEASE = "3.9.1"
_SETTINGS = """process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={log_dir}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
log.retention.ms=-1
remote.log.storage.system.enable=true
remote.log.storage.manager.class.name=org.apache.kafka.server.log.remote.storage.LocalTieredStorage
remote.log.metadata.manager.listener.name=PLAINTEXT
remote.log.metadata.manager.impl.prefix=rlmm.config.
remote.log.storage.manager.impl.prefix=rsm.config.
rlmm.config.remote.log.metadata.topic.replication.factor=1
rlmm.config.remote.log.metadata.topic.num.partitions=2
rlmm.config.remote.log.metadata.initialization.retry.interval.ms=300
rsm.config.dir={remote}
remote.log.manager.task.interval.ms=500
"""
_JVM = ("java", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Those of the release, and its test jars, which have the plug-in."""
    folder = tmp_path_factory.mktemp("jars")
    for name in ("kafka-storage", "kafka-clients"):
        what = f"-Dartifact=org.apache.kafka:{name}:{RELEASE}:jar:test"
        subprocess.run(["mvn", "-q", "-B", "dependency:copy", what, f"-DoutputDirectory={folder}"], check=True)
    return f"{class_path(RELEASE)}:{folder}/*"


def consumed(classes, folder):
    """The offsets of `tier-0` that a consumer gets from the beginning on."""
    broker, controller = free_ports(2)
    settings = folder / "server.properties"
    text = _SETTINGS.format(broker=broker, controller=controller, log_dir=folder / "local", remote=folder / "remote")
    settings.write_text(text, encoding="utf-8")
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen([*_JVM, "-cp", classes, "kafka.Kafka", str(settings)], stdout=said, stderr=said)
    try:
        _wait_for(broker)
        tool = [*_JVM, "-cp", classes, "org.apache.kafka.tools.consumer.ConsoleConsumer"]
        place = ["--bootstrap-server", f"127.0.0.1:{broker}", "--topic", "tier", "--partition", "0", "--offset", "earliest"]
        shown = ["--property", "print.offset=true", "--property", "print.value=false", "--timeout-ms", "30000"]
        done = subprocess.run([*tool, *place, *shown], capture_output=True, text=True, timeout=120, check=False)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    return [int(number) for number in re.findall(r"^Offset:(\d+)", done.stdout, re.MULTILINE)]


def _wait_for(port):
    for _ in range(120):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.5)
    raise AssertionError("the broker does not listen")


def _unlink(pattern):
    return lambda folder: [path.unlink() for path in folder.glob(f"remote/*/tier-0-*/{pattern}")]


def _without_index(folder):
    _unlink("*42-*.index")(folder)
    shutil.rmtree(folder / "local" / "remote-log-index-cache")


def _cut(folder):
    (path,) = folder.glob("remote/*/tier-0-*/*76-*.log")
    path.write_bytes(path.read_bytes()[:4000])


def _exchanged(folder):
    (first,) = folder.glob("remote/*/tier-0-*/*00-*.log")
    (second,) = folder.glob("remote/*/tier-0-*/*42-*.log")
    shutil.copy(first, second)


@pytest.mark.parametrize(
    ("damage", "rule", "lost", "got"),
    [
        (lambda _: None, None, None, [*range(170)]),
        (_unlink("*42-*.log"), "remote-object-missing", (42, 75), [*range(42)]),
        (_without_index, "remote-index-unusable", None, [*range(42)]),
        (_cut, "remote-size-differs", (110, 126), [*range(110)]),
        (_exchanged, "remote-offsets-differ", (42, 75), [*range(42), *range(76, 170)]),
    ],
    ids=["sound", "missing", "without index", "cut", "exchanged"],
)
def test_a_consumer_gets_what_verify_does_not_count_as_lost(classes, tmp_path, damage, rule, lost, got):
    shutil.copytree(unpack(FIXTURES / "packed" / RELEASE / "tiered.tar.xz"), tmp_path / "local")
    shutil.copytree(unpack(FIXTURES / "cases" / f"tiered-remote-{RELEASE}.tar.xz"), tmp_path / "remote")
    damage(tmp_path)
    found = [f for f in verify([str(tmp_path / "local"), str(tmp_path / "remote")]).all_findings() if f.id == rule]
    assert [one.offsets for one in found] == ([lost] if rule else [])
    assert consumed(classes, tmp_path) == got
