"""`--cluster-metadata-decoder` and `--remote-log-metadata-decoder`: records in the frame of metadata records.

Source: DumpLogSegments.scala 2.8.2 to 4.2.0, MetadataRecordSerde.java 2.8.2, AbstractApiMessageSerde.java 3.0 to 4.3,
RemoteLogMetadataSerde.java and the classes it makes, 3.9 and 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.cluster_metadata import find_metadata_type, type_name
from kafkalog.core.messages.json_form import compact_json, kafka_json, regular_json
from kafkalog.core.messages.object_texts import MetadataTexts
from kafkalog.core.messages.reader import NOT_REGULAR, Message, kafka_reason, read_message
from kafkalog.core.messages.records import read_metadata_record, read_remote_log_record
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS, REMOTE_PARTITION_STATES, REMOTE_SEGMENT_STATES
from kafkalog.core.properties import format_uuid
from kafkalog.dump.decoder_changes import METADATA_FRAMED, RECORD_INTERNAL
from kafkalog.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.schema import Release, Schema
    from kafkalog.dump.decoders.base import Texts

__all__ = ["ClusterMetadataJson", "RemoteLogMetadataText"]

_UNSUPPORTED = "org.apache.kafka.common.errors.UnsupportedVersionException"
_NO_BUFFER = 'Cannot invoke "java.nio.ByteBuffer.get()" because "buffer" is null'
_NO_VALUE = (
    'Cannot invoke "java.nio.ByteBuffer.remaining()" because the return value of '
    '"org.apache.kafka.common.record.Record.value()" is null'
)
_NO_VALUE_INTERNAL = _NO_VALUE.replace("record.Record", "record.internal.Record")


#: Bytes of a frame of one-byte numbers: its version, which is always the same, the type and its version.
_FRAME, _REGULAR = 3, b"\1"


class _Unreadable(Exception):
    """The real tool prints this after `skipping.`."""


class ClusterMetadataJson:
    """The decoder of `__cluster_metadata` of one release."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._objects = MetadataTexts()
        #: What makes the texts of regular records, by the frame in front of them.
        self._tellers: dict[bytes, Callable[[bytes, int], tuple[str, int]]] = {}

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:  # noqa: ARG002
        """See `Decoder`."""
        return read_metadata_record(value).as_object()

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:  # noqa: ARG002
        """See `Decoder`."""
        return self._objects.of(value)

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:  # noqa: ARG002
        """See `Decoder`."""
        if value is not None:
            try:
                text, end = self._tellers[value[:_FRAME]](value, _FRAME)
                if end == len(value):
                    return None, text.encode()
            except NOT_REGULAR:
                pass
        try:
            text = self._text(value)
        except _Unreadable as reason:
            text = f"Error at {offset}, skipping. {reason}"
        return None, text.encode()

    def _text(self, value: bytes | None) -> str:
        if not METADATA_FRAMED.applies_to(self.release):
            schema, version, message = _read_preview(value, self.release)
        else:
            if value is None:
                raise _Unreadable("Error while reading frame version")
            schema, version, message = _read_frame(value, self.release, remote=False)
        begin = f'{{"type":"{type_name(schema)}","version":{version},"data":'
        if value is not None and value.startswith(_REGULAR) and value[:_FRAME].isascii():
            self._tellers[value[:_FRAME]] = regular_json(schema, version, self.release, before=begin, after="}")
        return f"{begin}{compact_json(kafka_json(message, schema, version, self.release))}}}"


def _short(value: int) -> int:
    return (value + 0x8000 & 0xFFFF) - 0x8000


def _read_preview(value: bytes | None, release: Release) -> tuple[Schema, int, Message]:
    """The reader of 2.8."""
    if value is None:
        raise _Unreadable(_NO_BUFFER)
    cursor = Cursor(value)
    try:
        frame = _short(cursor.unsigned_varint())
        if frame != 0:
            raise _Unreadable(_unknown_frame(frame, 0))
        key = _short(cursor.unsigned_varint())
        version = _short(cursor.unsigned_varint())
        schema = find_metadata_type(key, release)
        if schema is None:
            raise _Unreadable(f"Unknown metadata id {key}")
        return schema, version, read_message(cursor, schema, version, release)
    except FormatError as error:
        raise _Unreadable(kafka_reason(error)) from None


def _unknown_frame(frame: int, known: int) -> str:
    return (
        f"Could not deserialize metadata record due to unknown frame version {frame}(only frame version {known} is supported)"
    )


def _number(cursor: Cursor, entity: str) -> int:
    try:
        number = cursor.unsigned_varint()
    except FormatError:
        raise _Unreadable(f"Error while reading {entity}") from None
    if number > 0x7FFF:
        raise _Unreadable(f"Value for {entity} was too large.")
    return _short(number)


def _read_frame(value: bytes, release: Release, *, remote: bool) -> tuple[Schema, int, Message]:
    """The reader since 3.0."""
    cursor = Cursor(value)
    frame = _number(cursor, "frame version")
    if frame == 0:
        raise _Unreadable(
            "Could not deserialize metadata record with frame version 0. Note that upgrades from the preview release of "
            "KRaft in 2.8 to newer versions are not supported."
        )
    if frame != 1:
        raise _Unreadable(_unknown_frame(frame, 1))
    key = _number(cursor, "type")
    version = _number(cursor, "version")
    schema = REMOTE_LOG_RECORDS.get(key) if remote else find_metadata_type(key, release)
    if schema is None:
        raise _Unreadable(f"{_UNSUPPORTED}: Unknown metadata id {key}")
    try:
        message = read_message(cursor, schema, version, release)
    except FormatError:
        raise _Unreadable(f"Failed to deserialize record with type {key}") from None
    if cursor.remaining:
        raise _Unreadable(f"Found {cursor.remaining} byte(s) of garbage after {key}")
    return schema, version, message


class RemoteLogMetadataText:
    """The decoder of `__remote_log_metadata` of one release: Java's toString of what the record means."""

    def __init__(self, release: Release) -> None:
        self.release = release

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:  # noqa: ARG002
        """See `Decoder`."""
        return read_remote_log_record(value).as_object()

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:  # noqa: ARG002
        """See `Decoder`."""
        return None

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:  # noqa: ARG002
        """See `Decoder`."""
        try:
            text = self._text(value)
        except _Unreadable as reason:
            text = f"Error at offset {offset}, skipping. {reason}"
        return None, text.encode()

    def _text(self, value: bytes | None) -> str:
        if value is None:
            raise _Unreadable(_NO_VALUE_INTERNAL if RECORD_INTERNAL.applies_to(self.release) else _NO_VALUE)
        schema, _, message = _read_frame(value, self.release, remote=True)
        return _MEANINGS[schema.key or 0](message)


def _segment_id(message: Message) -> str:
    entry = message["remoteLogSegmentId"]
    partition = _partition(entry["topicIdPartition"])
    return f"RemoteLogSegmentId{{topicIdPartition={partition}, id={format_uuid(entry['id'])}}}"


def _partition(entry: Message) -> str:
    return f"{format_uuid(entry['id'])}:{entry['name']}-{entry['partition']}"


def _check_range(message: Message) -> None:
    start, end = message["startOffset"], message["endOffset"]
    if start < 0:
        raise _Unreadable(f"Unexpected start offset = {start}. StartOffset for a remote segment cannot be negative")
    if end < start:
        raise _Unreadable(
            f"Unexpected end offset = {end}. EndOffset for a remote segment cannot be less than startOffset = {start}"
        )
    if not message["segmentLeaderEpochs"]:
        raise _Unreadable("segmentLeaderEpochs can not be null or empty")


def _epochs(message: Message) -> str:
    epochs = {entry["leaderEpoch"]: entry["offset"] for entry in message["segmentLeaderEpochs"]}
    return "{" + ", ".join(f"{epoch}={offset}" for epoch, offset in sorted(epochs.items())) + "}"


def _custom(message: Message) -> str:
    data = message["customMetadata"]
    return "Optional.empty" if data is None else f"Optional[CustomMetadata{{{len(data)} bytes}}]"


def _state(number: int) -> str:
    if not 0 <= number < len(REMOTE_SEGMENT_STATES):
        raise _Unreadable("state can not be null")
    return REMOTE_SEGMENT_STATES[number]


def _transaction_index(message: Message) -> str:
    """What 4.0 added to the record and to its text."""
    return f", txnIdxEmpty={str(message['txnIndexEmpty']).lower()}" if "txnIndexEmpty" in message else ""


def _segment(message: Message) -> str:
    _check_range(message)
    return (
        f"RemoteLogSegmentMetadata{{remoteLogSegmentId={_segment_id(message)}, startOffset={message['startOffset']}, "
        f"endOffset={message['endOffset']}, brokerId={message['brokerId']}, maxTimestampMs={message['maxTimestampMs']}, "
        f"eventTimestampMs={message['eventTimestampMs']}, segmentLeaderEpochs={_epochs(message)}, "
        f"segmentSizeInBytes={message['segmentSizeInBytes']}, customMetadata={_custom(message)}, "
        f"state={_state(message['remoteLogSegmentState'])}{_transaction_index(message)}}}"
    )


def _update(message: Message) -> str:
    return (
        f"RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={_segment_id(message)}, customMetadata={_custom(message)}, "
        f"state={_state(message['remoteLogSegmentState'])}, eventTimestampMs={message['eventTimestampMs']}, "
        f"brokerId={message['brokerId']}}}"
    )


def _partition_delete(message: Message) -> str:
    number = message["remotePartitionDeleteState"]
    if not 0 <= number < len(REMOTE_PARTITION_STATES):
        raise _Unreadable("null")
    return (
        f"RemotePartitionDeleteMetadata{{topicPartition={_partition(message['topicIdPartition'])}, "
        f"state={REMOTE_PARTITION_STATES[number]}, eventTimestampMs={message['eventTimestampMs']}, "
        f"brokerId={message['brokerId']}}}"
    )


def _snapshot(message: Message) -> str:
    _check_range(message)
    return (
        f"RemoteLogSegmentMetadataSnapshot{{segmentId={format_uuid(message['segmentId'])}, "
        f"startOffset={message['startOffset']}, endOffset={message['endOffset']}, "
        f"maxTimestampMs={message['maxTimestampMs']}, segmentLeaderEpochs={_epochs(message)}, "
        f"segmentSizeInBytes={message['segmentSizeInBytes']}, customMetadata={_custom(message)}, "
        f"state={_state(message['remoteLogSegmentState'])}{_transaction_index(message)}}}"
    )


_MEANINGS = {0: _segment, 1: _update, 2: _partition_delete, 3: _snapshot}
