"""What a release's jars hold against what the tables know: every message, every field, every name, by reflection.

A new Kafka: `KAFKALOG_RELEASE=4.5.0 pytest -m kafka tests/real_kafka/test_real_schemas.py`, before any table has a row for it;
see docs/new-release.md. Several releases are separated by commas.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kafkalog.core.control import CONTROL_RECORD_TYPES
from kafkalog.core.messages.remote_log import REMOTE_PARTITION_STATES, REMOTE_SEGMENT_STATES
from kafkalog.core.messages.transaction import TRANSACTION_STATES
from kafkalog.core.metadata_version import METADATA_VERSIONS
from kafkalog.core.release import RELEASES as KNOWN
from tests.real_kafka.real_tool import class_path, numbers
from tests.real_kafka.test_real_messages import NOT_STORED, PACKAGES, known_to

pytestmark = pytest.mark.kafka

RELEASES = tuple(os.environ.get("KAFKALOG_RELEASE", "3.9.1,4.1.1,4.3.1,4.4.0").split(","))
SOURCES = [str(Path(__file__).with_name(f"{name}.java")) for name in ("RandomMessages", "Schemas")]
#: Messages that readers of their own take, not the tables: the highest version that they know.
READ_BY_HAND = {
    "AbortedTxn": 0,
    "EndTxnMarker": 0,
    "KRaftVersionRecord": 0,
    "LeaderChangeMessage": 1,  # brokers write version 0
    "ProducerSnapshot": 1,
    "QuorumStateData": 1,
    "SnapshotFooterRecord": 0,
    "SnapshotHeaderRecord": 0,
    "VotersRecord": 0,
}
PLACES = (
    "org.apache.kafka.common.message.",
    "org.apache.kafka.raft.generated.",
    "org.apache.kafka.server.log.remote.metadata.storage.generated.",
)


def plain(name):
    """A name in the spelling that both sides share: snake case and camel case become one."""
    return name.replace("_", "").lower()


def told(release, folder):
    """Lines of `Schemas.java` for a release."""
    classes = folder / "classes"
    path = class_path(release)
    subprocess.run(["javac", "-nowarn", "-d", str(classes), "-cp", path, *SOURCES], check=True)
    by_hand = [f"{place}{name}" for place in PLACES for name in READ_BY_HAND]
    done = subprocess.run(
        ["java", "-Xmx500m", "-cp", f"{classes}:{path}", "Schemas", path.removesuffix("/*"), *PACKAGES, *by_hand],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.split("\t") for line in done.stdout.splitlines()]


def in_kafka(lines):
    """The fields by message and version; under "" whether it is flexible."""
    found, fields = {}, {}
    for kind, *rest in lines:
        if kind == "message":
            name, _, version, form = rest
            fields = found[name, int(version)] = {"": form}
        elif kind == "field":
            path, what, tag = rest
            fields[path] = ("struct" if what == "struct?" else what) + (f" tag={tag}" if tag != "-" else "")
    return found


def in_table(schema, version, release):
    """The fields of a message as `Schemas.java` tells them."""
    found = {"": "flexible" if schema.is_flexible(version, release) else "plain"}

    def add(parent, fields):
        for field in fields:
            if field.present(version, release, schema.highest(release)):
                # Up to 4.1 Kafka's schemas do not say that a struct may be null.
                nullable = field.nullable and (field.array or field.type != "struct")
                kind = f"{'[]' * field.array}{field.type.replace('bool', 'boolean')}{'?' * nullable}"
                found[parent + plain(field.name)] = kind + (f" tag={field.tag}" if field.tag is not None else "")
                add(f"{parent}{plain(field.name)}.", field.fields)

    add("", schema.fields)
    return found


def lacking(kafka, tables, release):
    """What Kafka has and the tables have not, or have otherwise, and the other way round: a line each."""
    for (name, version), fields in sorted(kafka.items()):
        if name in READ_BY_HAND:
            if version > READ_BY_HAND[name]:
                yield f"{name} has version {version}; its reader knows versions up to {READ_BY_HAND[name]}"
            continue
        if name not in tables:
            yield f"{name} version {version} is new: {', '.join(f'{path} {what}'.strip() for path, what in fields.items())}"
            continue
        schema, number = tables[name], numbers(release)
        is_key = name.endswith("Key")  # the version of a key is the type of its record
        if not is_key and version > schema.highest(number):
            yield f"{name} has version {version}; the table knows versions up to {schema.highest(number)}"
            continue
        ours = in_table(schema, schema.versions[-1][0] if is_key else version, number)
        for path in sorted(fields.keys() | ours.keys()):
            if fields.get(path) != ours.get(path):
                place = f"{name} version {version}, {path or 'form'}"
                yield f"{place}: Kafka has {fields.get(path)}, the table has {ours.get(path)}"
    for name in sorted(tables.keys() - {name for name, _ in kafka}):
        yield f"{name} is gone"


@pytest.fixture(scope="module", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="module")
def lines(release, tmp_path_factory):
    return told(release, tmp_path_factory.mktemp("schemas"))


def test_the_release_can_be_asked_for(release):
    assert numbers(release) in KNOWN, f"{release} has no row in kafkalog/core/release.py"


def test_the_tables_have_every_message_and_every_field(release, lines):
    not_stored = NOT_STORED.get(release, "LegacyOffsetCommitKey")
    kafka = {place: fields for place, fields in in_kafka(lines).items() if not place[0].startswith(not_stored)}
    assert len(kafka) > 50
    found = list(lacking(kafka, known_to(release), release))
    assert not found, f"{release}:\n" + "\n".join(found)


def test_the_tables_have_every_name(release, lines):
    tables = {
        "metadata.version": dict(enumerate(METADATA_VERSIONS, 1)),
        "control record": {kind.id: kind.name for kind in CONTROL_RECORD_TYPES},
        "state of a transaction": dict(enumerate(TRANSACTION_STATES)),
        "state of a remote segment": dict(enumerate(REMOTE_SEGMENT_STATES)),
        "state of a remote partition": dict(enumerate(REMOTE_PARTITION_STATES)),
    }
    names = [rest for kind, *rest in lines if kind == "name"]
    assert {kind for kind, _, _ in names} >= {"metadata.version", "control record", "state of a remote segment"}
    found = [
        f"{kind} {number} is {name}; the table has {tables[kind].get(int(number))}"
        for kind, number, name in names
        if int(number) >= 0 and plain(tables[kind].get(int(number), "")) != plain(name)
    ]
    assert not found, f"{release}:\n" + "\n".join(found)
