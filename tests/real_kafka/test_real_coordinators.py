"""Real coordinators, live: what they make of hand-made partitions of `__consumer_offsets`, held against what was predicted."""

from __future__ import annotations

import re
import signal
import time

import pytest

from kafkalog.core.release import parse_release
from kafkalog.replay.groups import read_groups
from tests.real_kafka.real_broker import Broker
from tests.replay.coordinator_cases import GROUP_CASES, group_cases, log

pytestmark = pytest.mark.kafka

TOPIC = "__consumer_offsets"
_FAILED = re.compile(r"(?:Failed to load metadata from|Error loading offsets from) __consumer_offsets-(\d+)")
_LOADED = re.compile(r"Finished loading (?:of metadata|offsets and group metadata) from __consumer_offsets-(\d+)")
_PLACE = re.compile(r"from __consumer_offsets-(\d+) at offset (\d+) with")
_WAIT_S = 60


def plant(broker, logs):
    """A stopped broker with these bytes as the partitions of the topic; gives their directories by number."""
    assert broker.start(), broker.errors()
    broker.create_topics([(TOPIC, len(logs), {"segment.bytes": 1 << 20})])
    broker.stop(signal.SIGTERM)
    folders = {int(path.name.rpartition("-")[2]): path for path in broker.log_dirs[0].glob(f"{TOPIC}-*")}
    assert sorted(folders) == list(range(len(logs)))
    for number, files in enumerate(logs):
        for old in folders[number].glob("0*"):
            old.unlink()
        for base, data in files.items():
            (folders[number] / f"{base:020}.log").write_bytes(data)
    (broker.log_dirs[0] / ".kafka_cleanshutdown").unlink(missing_ok=True)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        (broker.log_dirs[0] / name).unlink(missing_ok=True)
    return folders


def loads(broker, count):
    """Numbers of the partitions that the started broker loads, and of those that it fails to."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        said = broker.said()
        loaded, failed = ({int(number) for number in form.findall(said)} for form in (_LOADED, _FAILED))
        if len(loaded | failed) >= count:
            break
        time.sleep(0.5)
    return loaded, failed, {int(number): int(offset) for number, offset in _PLACE.findall(broker.said())}


@pytest.mark.parametrize("release", ["2.3.1", "2.8.2", "3.9.1", "4.1.1", "4.3.1", "4.4.0"])
def test_a_coordinator_loads_what_it_was_predicted_to_load(release, tmp_path):
    broker = Broker(release, tmp_path / "b")
    try:
        # A group is in one partition only: old coordinators do not remove one that another partition has brought.
        cases = [group_cases(f"g{number}")[name] for number, name in enumerate(GROUP_CASES)]
        folders = plant(broker, [{0: log(*records)} for records in cases])
        predicted = {}
        for number, folder in folders.items():
            (load,) = read_groups(folder).loads
            predicted[number] = load.failure(parse_release(release))
        assert broker.start(), broker.errors()
        loaded, failed, places = loads(broker, len(folders))
        names = list(GROUP_CASES)
        assert {names[number] for number in failed - loaded} == {names[number] for number, item in predicted.items() if item}
        assert {names[number] for number in loaded - failed} == {
            names[number] for number, item in predicted.items() if not item
        }
        for number, offset in places.items():
            assert predicted[number].offset == offset, names[number]
    finally:
        broker.end()


@pytest.mark.parametrize("release", ["2.3.1", "2.8.2"])
def test_a_coordinator_waits_for_an_end_that_no_batch_reaches_as_predicted(release, tmp_path):
    broker = Broker(release, tmp_path / "b")
    try:
        folders = plant(broker, [{0: b"", 20: b""}])
        (load,) = read_groups(folders[0]).loads
        assert broker.start(), broker.errors()
        time.sleep(15)
        loaded, failed, _ = loads(broker, 0)
        assert (loaded | failed == set()) == (load.failure(parse_release(release)) is not None)
    finally:
        broker.end()
