"""Records of internal topics for tests: those of the log dirs, and hand-made ones by an encoder of their own."""

from __future__ import annotations

import os
import struct
import uuid

from kafkalog.core.log import walk
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.records import read_coordinator_record, read_metadata_record, read_remote_log_record
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from kafkalog.files.source import FileSource

READERS = {
    "__consumer_offsets": lambda key, value: read_coordinator_record(GROUP_RECORDS, key, value),
    "__transaction_state": lambda key, value: read_coordinator_record(TRANSACTION_RECORDS, key, value),
    "__share_group_state": lambda key, value: read_coordinator_record(SHARE_GROUP_RECORDS, key, value),
    "__cluster_metadata": lambda _, value: read_metadata_record(value),
    "__remote_log_metadata": lambda _, value: read_remote_log_record(value),
}


def topic_of(path: str) -> str:
    return os.path.basename(path).rpartition("-")[0]


def accounted(cases):
    """Those that a broker has told something about (a remote folder has no account)."""
    return [case for case in cases if case.account_stem.with_name(f"{case.account_stem.name}.json").exists()]


def internal_records(log_dir: str):
    """Topic, file and record for every record of an internal topic, control records left out."""
    for entry in sorted(os.scandir(log_dir), key=lambda entry: entry.name):
        topic = topic_of(entry.name)
        if topic not in READERS or not entry.is_dir():
            continue
        for name in sorted(os.listdir(entry.path)):
            if name.endswith((".log", ".checkpoint")):
                yield from _file_records(topic, os.path.join(entry.path, name))


def _file_records(topic: str, path: str):
    with FileSource(path) as source:
        for batch in walk(source):
            if not hasattr(batch, "walk_records") or getattr(batch, "is_control", False):
                continue
            for record in batch.walk_records():
                if hasattr(record, "key"):
                    yield topic, path, record


# --- an encoder that knows nothing of the schema table ----------------------------------------------------------------


def string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def compact(text: str | None) -> bytes:
    if text is None:
        return b"\x00"
    data = text.encode()
    return bytes([len(data) + 1]) + data


def offset_key(group: str, topic: str, partition: int, kind: int = 1) -> bytes:
    return struct.pack(">h", kind) + string(group) + string(topic) + struct.pack(">i", partition)


def offset_value(offset: int, metadata: str = "", time: int = 5) -> bytes:
    return struct.pack(">hqi", 3, offset, 7) + string(metadata) + struct.pack(">q", time)


def group_key(group: str) -> bytes:
    return struct.pack(">h", 2) + string(group)


def assignment(partitions: list[tuple[str, list[int]]], user_data: bytes | None = b"", version: int = 0) -> bytes:
    data = struct.pack(">hi", version, len(partitions))
    for topic, numbers in partitions:
        data += string(topic) + struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)
    return data + (struct.pack(">i", -1) if user_data is None else struct.pack(">i", len(user_data)) + user_data)


def group_value(members: list[tuple[str, bytes]], *, kind: str = "consumer", protocol: str | None = "range") -> bytes:
    """Group metadata of version 1."""
    data = struct.pack(">h", 1) + string(kind) + struct.pack(">i", 4) + string(protocol) + string(None)
    data += struct.pack(">i", len(members))
    for name, assigned in members:
        data += string(name) + string("client") + string("/127.0.0.1") + struct.pack(">ii", 60000, 10000)
        data += struct.pack(">i", 0) + struct.pack(">i", len(assigned)) + assigned
    return data


def transaction_key(name: str) -> bytes:
    return struct.pack(">h", 0) + string(name)


def transaction_value(
    producer_id: int, state: int, partitions: list[tuple[str, list[int]]] | None, *, epoch: int = 0, version: int = 0
) -> bytes:
    """A transaction's state of version 0."""
    data = struct.pack(">hqhib", version, producer_id, epoch, 60000, state)
    if partitions is None:
        data += struct.pack(">i", -1)
    else:
        data += struct.pack(">i", len(partitions))
        for topic, numbers in partitions:
            data += string(topic) + struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)
    return data + struct.pack(">qq", 2000, 1000)


# --- groups of the newer kinds: keys in plain form, values of version 0 in flexible form; what is not named is empty -----


def modern_key(kind: int, *names: str) -> bytes:
    return struct.pack(">h", kind) + b"".join(map(string, names))


def _array(items: list[bytes]) -> bytes:
    return bytes([len(items) + 1]) + b"".join(items)


def _given(partitions: dict[uuid.UUID, list[int]]) -> bytes:
    return _array(
        [topic.bytes + _array([struct.pack(">i", one) for one in numbers]) + b"\x00" for topic, numbers in partitions.items()]
    )


def consumer_epoch(epoch: int) -> bytes:
    return struct.pack(">hi", 0, epoch) + b"\x00"


def share_epoch(epoch: int) -> bytes:
    return struct.pack(">hiq", 0, epoch, 0) + b"\x00"


def streams_epoch(epoch: int, validated: int | None = None) -> bytes:
    tags = b"\x00" if validated is None else b"\x01\x00\x04" + struct.pack(">i", validated)
    return struct.pack(">hiq", 0, epoch, 0) + tags


def topology(epoch: int) -> bytes:
    return struct.pack(">hi", 0, epoch) + _array([]) + b"\x00"


def consumer_member(client: str, assignor: str | None = None) -> bytes:
    names = compact(None) * 2 + compact(client) + compact("/127.0.0.1") + _array([compact("t")]) + compact(None)
    return struct.pack(">h", 0) + names + struct.pack(">i", 1000) + compact(assignor) + b"\x00"


def share_member(client: str) -> bytes:
    return struct.pack(">h", 0) + compact(None) + compact(client) + compact("/127.0.0.1") + _array([compact("t")]) + b"\x00"


def streams_member(client: str) -> bytes:
    names = compact(None) * 2 + compact(client) + compact("/127.0.0.1") + struct.pack(">ii", 1000, 0)
    return struct.pack(">h", 0) + names + compact("process") + b"\xff" + _array([]) + b"\x00"


def consumer_assignment(
    epoch: int, partitions: dict[uuid.UUID, list[int]], state: int = 0, revoked: dict[uuid.UUID, list[int]] | None = None
) -> bytes:
    return struct.pack(">hiib", 0, epoch, epoch - 1, state) + _given(partitions) + _given(revoked or {}) + b"\x00"


def share_assignment(epoch: int, partitions: dict[uuid.UUID, list[int]]) -> bytes:
    return struct.pack(">hiib", 0, epoch, epoch - 1, 0) + _given(partitions) + b"\x00"


def streams_assignment(epoch: int, tasks: dict[str, list[int]], state: int = 1) -> bytes:
    active = _array(
        [compact(name) + _array([struct.pack(">i", one) for one in numbers]) + b"\x00" for name, numbers in tasks.items()]
    )
    return struct.pack(">hiib", 0, epoch, epoch - 1, state) + active + _array([]) * 5 + b"\x00"


def share_key(group: str, topic: uuid.UUID, partition: int, *, update: bool = False) -> bytes:
    return struct.pack(">h", int(update)) + string(group) + topic.bytes + struct.pack(">i", partition)


def share_snapshot(start: int, done: int | None = None, *, state_epoch: int = 2, leader_epoch: int = 3) -> bytes:
    """Of 4.1 and later; `done` is the count of delivered records, stored since 4.2."""
    tags = b"\x00" if done is None else b"\x01\x00\x04" + struct.pack(">i", done)
    return struct.pack(">hiiiqqq", 0, 1, state_epoch, leader_epoch, start, 0, 0) + _array([]) + tags


def share_update(start: int, done: int | None = None, *, leader_epoch: int = -1) -> bytes:
    tags = b"\x00" if done is None else b"\x01\x00\x04" + struct.pack(">i", done)
    return struct.pack(">hiiq", 0, 1, leader_epoch, start) + _array([]) + tags
