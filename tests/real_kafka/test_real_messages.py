"""Messages that Kafka itself has written, of every class and version, read back by the schema table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kafkalog.core.control import read_control_record
from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.cluster_metadata import METADATA_RECORDS
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.json_form import compact_json, json_object, kafka_json
from kafkalog.core.messages.reader import read_message
from kafkalog.core.messages.records import read_coordinator_record, read_metadata_record, read_remote_log_record
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from tests.real_kafka.real_tool import class_path, numbers

pytestmark = pytest.mark.kafka

#: Releases on both sides of every change that the table dates.
RELEASES = (
    "2.8.2", "3.0.2", "3.1.2", "3.2.3", "3.3.2", "3.4.1", "3.5.2", "3.6.2", "3.7.2", "3.8.1", "3.9.1",
    "4.0.0", "4.1.1", "4.2.0", "4.3.1", "4.4.0",
)  # fmt: skip
CONTROLS = {"LeaderChangeMessage": 2, "SnapshotHeaderRecord": 3, "SnapshotFooterRecord": 4, "KRaftVersionRecord": 5,
            "VotersRecord": 6}  # fmt: skip
COORDINATORS = (GROUP_RECORDS, SHARE_GROUP_RECORDS, TRANSACTION_RECORDS)
METADATA_SCHEMAS = [built for built, _, _ in METADATA_RECORDS]
REMOTE_NAMES = {built.name for built in REMOTE_LOG_RECORDS.values()}
#: Fields whose name changed and nothing else.
RENAMED = {"lastKnownELR": "lastKnownElr", "producerIdsEnd": "nextProducerId"}
ABSENT = object()
#: Their older forms can be taken for newer ones. No controller before these releases wrote them: it supported no feature that
#: has a level, and had no delegation tokens.
WRITTEN_SINCE = {"FeatureLevelRecord": (3, 3, 0), "DelegationTokenRecord": (3, 6, 0)}
PACKAGES = (
    "org.apache.kafka.common.metadata.",
    "kafka.internals.generated.",
    "org.apache.kafka.coordinator.group.generated.",
    "org.apache.kafka.coordinator.share.generated.",
    "org.apache.kafka.coordinator.transaction.generated.",
    "org.apache.kafka.server.log.remote.metadata.storage.generated.Remote",
    "org.apache.kafka.common.message.ConsumerProtocol",
    *(f"org.apache.kafka.common.message.{name}" for name in CONTROLS),
)
#: Classes that no record of that release holds: the coordinator that would write them was not to be had yet.
NOT_STORED = {"3.5.2": "ConsumerGroup", "3.6.2": "ConsumerGroup", "3.9.1": "ShareGroup"}
NOT_STORED |= dict.fromkeys(("4.1.1", "4.2.0", "4.3.1", "4.4.0"), "LegacyOffsetCommitKey")


def known_to(release):
    number = numbers(release)
    found = {built.name: built for built, since, until in METADATA_RECORDS if since <= number < until}
    for item in (record for types in COORDINATORS for record in types):
        if item.since <= number < item.until:
            found |= {item.key.name: item.key, item.value.name: item.value}
    found |= {built.name: built for built in REMOTE_LOG_RECORDS.values() if built.highest(number) >= 0}
    return found | {built.name: built for built in (ASSIGNMENT, SUBSCRIPTION)}


def written_by(release, seed, count):
    source = Path(__file__).with_name("RandomMessages.java")
    path = class_path(release)
    done = subprocess.run(
        ["java", "-Xmx500m", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", path, str(source),
         path.removesuffix("/*"), str(seed), str(count), *PACKAGES],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for line in done.stdout.decode().split("\n")[:-1]:
        name, key, version, data, text = line.split("\t")
        yield name, key, int(version), bytes.fromhex(data), text


def holds(value, part):
    """Whether a value has everything of a part; newer forms have more fields."""
    if isinstance(part, dict):
        return all(holds(value.get(RENAMED.get(name, name), ABSENT), item) for name, item in part.items())
    if isinstance(part, list):
        return isinstance(value, list) and len(value) == len(part) and all(map(holds, value, part))
    return repr(value) == repr(part)


def newest_reading(name, built, version, data, keys, release):
    """The record that holds a message, as the reader that knows no release reads it; None for what is no record's value."""
    if built in METADATA_SCHEMAS:
        frame = 0 if numbers(release) < (3, 0, 0) else 1
        return read_metadata_record(bytes([frame, built.key, version]) + data)
    if name in REMOTE_NAMES:
        return read_remote_log_record(bytes([1, built.key, version]) + data)
    for types in COORDINATORS:
        for item in types:
            if built is item.value and item.key.name in keys:
                return read_coordinator_record(types, keys[item.key.name], version.to_bytes(2, "big") + data)
    return None


@pytest.mark.parametrize("release", RELEASES)
def test_messages_that_kafka_wrote_are_read_to_the_last_byte_and_shown_as_kafka_shows_them(release):
    number = numbers(release)
    schemas = known_to(release)
    versions, keys = {}, {}
    for name, key, version, data, text in written_by(release, 20261124, 40):
        if name in CONTROLS:
            if version == 0:  # the only one that brokers write
                found = read_control_record(CONTROLS[name].to_bytes(4, "big"), data)
                assert json_object(found.fields) == json.loads(text), (name, data.hex())
            continue
        if name.startswith(NOT_STORED.get(release, "-")):
            continue
        assert name in schemas, f"{name} is not in the table"
        built = schemas[name]
        cursor = Cursor(data)
        message = read_message(cursor, built, version, number)
        assert cursor.remaining == 0, (name, version, data.hex())
        if text != "-":
            assert compact_json(kafka_json(message, built, version, number)) == text, (name, version, data.hex())
        if name.endswith("Key"):
            number_of_type = next(item.number for types in COORDINATORS for item in types if item.key.name == name)
            keys[name] = number_of_type.to_bytes(2, "big") + data
        else:
            record = newest_reading(name, built, version, data, keys, release)
            assert record is None or record.problem == "", (record, data.hex())
            if record is not None and number >= WRITTEN_SINCE.get(name, ()):
                assert holds(record.value, message), (name, data.hex())
        if key not in ("-", "-1") and built.key is not None:
            assert int(key) == built.key
        versions.setdefault(name, set()).add(version)
    assert versions.keys() == schemas.keys()
    for name, seen in versions.items():
        if not name.endswith("Key"):  # a key's version is the type of its record
            assert max(seen) == schemas[name].highest(number), name
