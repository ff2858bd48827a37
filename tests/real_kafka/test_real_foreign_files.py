"""What real brokers do with files of other programs: at the start, and when the partition is deleted."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kafkalog import next_start
from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka
RELEASES = ("2.8.2", "3.9.1")
SEGMENT = f"{0:020d}"
FILES = (
    ".DS_Store", "Thumbs.db", "desktop.ini", "._leader-epoch-checkpoint", f"{SEGMENT}.log~", f".{SEGMENT}.log.swp",
    f"{SEGMENT}.log.bak", f"#{SEGMENT}.log#", ".nfs000000000016e8d200000002", "notes.txt", "notes.deleted",
    f"{94:020d}.log.deleted.deleted",
)  # fmt: skip


@pytest.fixture(params=RELEASES)
def broker(request, tmp_path):
    one = Broker(request.param, tmp_path / "broker")
    try:
        assert one.start(), one.errors()
        one.create_topics([("kept", 1, {"file.delete.delay.ms": 500})])
        time.sleep(1.5)
        one.stop(signal.SIGTERM)
        yield one
    finally:
        one.end()


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def test_a_start_deletes_what_next_start_says_and_nothing_else_of_other_programs(broker):
    folder = broker.log_dir / "kept-0"
    for name in FILES:
        (folder / name).write_bytes(b"x")
    (folder / "sub.deleted").mkdir()
    (folder / f".#{SEGMENT}.log").symlink_to("engineer@host.4711")
    before = _names(folder)
    outcome = next_start(folder, kafka_version=broker.release)
    assert broker.start(), broker.errors()
    assert before - _names(folder) == {os.path.basename(path) for path in outcome.delete}
    assert broker.loaded()["kept-0"] == (0, 0)


def test_a_broker_reads_text_files_with_the_line_ends_of_windows(broker):
    for path in (*broker.log_dir.iterdir(), *(broker.log_dir / "kept-0").iterdir()):
        if path.name.endswith(("-checkpoint", "partition.metadata", "meta.properties")):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert broker.start(), broker.errors()
    assert broker.loaded()["kept-0"] == (0, 0)
    assert "reset" not in broker.said()


@pytest.mark.parametrize("name", ["lost+found", "zookeeper"])
def test_a_directory_that_is_no_partitions_ends_the_start(broker, name):
    (broker.log_dir / name).mkdir()
    assert not broker.start()
    assert f"'{name}' is not in the form of topic-partition" in broker.said()
