"""Printing `.txnindex` and `.snapshot`, and the text files that the real tool cannot print, in a similar form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import Checkpoint, read_leader_epochs, read_offset_checkpoint
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS
from kafkalog.core.messages.reader import MAX_COLLECTION, bounds_collections, too_large
from kafkalog.core.producer_snapshot import (
    PRODUCER_ENTRY,
    SNAPSHOT_HEADER,
    SNAPSHOT_VERSION,
    ProducerEntry,
    read_producer_snapshot,
)
from kafkalog.core.properties import format_uuid, read_json_file, read_partition_metadata, read_properties
from kafkalog.core.record import wrap32
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.dump.tool_died import ToolDied
from kafkalog.kafka.behaviours import WIDE_TXN_INDEX_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.batch import Damage
    from kafkalog.core.source import Bytes
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.output import Output

__all__ = ["print_snapshot", "print_text_file", "print_transaction_index"]

_VERSION = SNAPSHOT_HEADER.partial("version")


def print_transaction_index(data: Bytes, path: str, dialect: Dialect, output: Output) -> None:
    """Print a `.txnindex`. An entry of an unknown version is reported, and printed all the same."""
    wide = WIDE_TXN_INDEX_VERSION.applies_to(dialect.since)
    for number, (version, producer_id, first, last, stable) in enumerate(ABORTED_TXN.read_all(data)):
        shown = version if wide else version >> 8
        if shown > 0 or (shown < 0 and wide):
            output.die(path, ToolDied(f"entry {number} has version {shown}, known is 0", number * ABORTED_TXN.size))
        output.line(
            f"version: {shown} producerId: {producer_id} firstOffset: {first} lastOffset: {last} lastStableOffset: {stable}"
        )


# --- .snapshot --------------------------------------------------------------------------------------------------------

#: What the tool calls a field of an entry where its name is not the layout's.
_TOOL_NAMES = {"producer_epoch": "epoch"}


def print_snapshot(data: bytes, dialect: Dialect, output: Output) -> None:
    """Print a `.snapshot`; of a malformed one only the complaint, on stderr."""
    complaint = _struct_complaint(data) if dialect.snapshot_schema == "struct" else _message_complaint(data, dialect)
    if complaint is None:
        snapshot = read_producer_snapshot(data)
        assert snapshot.header is not None
        if snapshot.crc_ok:
            line = _SNAPSHOT_LINES[dialect.snapshot_line]
            for entry in snapshot.entries:
                output.line(line(entry))
            return
        stored, computed = snapshot.header.crc, snapshot.computed_crc
        complaint = f"Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}"
    output.say(complaint)


def _struct_complaint(data: bytes) -> str | None:
    """What releases up to 3.9 say of a malformed snapshot, None if it is well-formed."""
    schema = "Snapshot failed schema validation: "
    underflow = "java.nio.BufferUnderflowException"
    if len(data) < SNAPSHOT_HEADER["version"].end:
        return f"{schema}Error reading field 'version': {underflow}"
    if len(data) < SNAPSHOT_HEADER["crc"].end:
        return f"{schema}Error reading field 'crc': {underflow}"
    entries = f"{schema}Error reading field 'producer_entries': "
    if len(data) < SNAPSHOT_HEADER.size:
        return entries + underflow
    version, _, count = SNAPSHOT_HEADER.read(data)
    left = len(data) - SNAPSHOT_HEADER.size
    if count < 0:
        return f"{entries}Array size {count} cannot be negative"
    if count > left:
        return f"{entries}Error reading array of size {count}, only {left} bytes available"
    if count * PRODUCER_ENTRY.size > left:
        left %= PRODUCER_ENTRY.size
        for field in PRODUCER_ENTRY.fields:
            if left < field.end:
                return f"{entries}Error reading field '{_TOOL_NAMES.get(field.name, field.name)}': {underflow}"
    if version != SNAPSHOT_VERSION:
        return f"Snapshot contained an unknown file version {version}"
    return None


def _message_complaint(data: bytes, dialect: Dialect) -> str | None:
    """What releases from 4.0 on say of a malformed snapshot, None if it is well-formed."""
    schema = "Snapshot failed schema validation: "
    if len(data) < _VERSION.size:
        return f"{schema}null"
    (version,) = _VERSION.unpack_from(data)
    if version != SNAPSHOT_VERSION:
        return f"{schema}Snapshot contained an unknown file version {version}"
    if len(data) < SNAPSHOT_HEADER.size:
        return f"{schema}null"
    count = SNAPSHOT_HEADER.read(data).entry_count
    left = len(data) - SNAPSHOT_HEADER.size
    if count < 0:
        return f"{schema}non-nullable field producerEntries was serialized as null"
    if count > left:
        return f"{schema}Tried to allocate a collection of size {count}, but there are only {left} bytes remaining."
    if count > MAX_COLLECTION and bounds_collections(dialect.since):
        return f"{schema}{too_large(count)}"
    if count * PRODUCER_ENTRY.size > left:
        return f"{schema}null"
    return None


def _plain_difference(sequence: int, delta: int) -> int:
    return wrap32(sequence - delta)


def _wrapped_difference(sequence: int, delta: int) -> int:
    # DefaultRecordBatch.decrementSequence
    if sequence < delta:
        return wrap32(0x7FFFFFFF - wrap32(delta - sequence) + 1)
    return wrap32(sequence - delta)


def _option(offset: int) -> str:
    return "None" if offset < 0 else f"Some({offset})"


def _optional_long(offset: int) -> str:
    return "OptionalLong.empty" if offset < 0 else f"OptionalLong[{offset}]"


def _head(entry: ProducerEntry, transaction: Callable[[int], str]) -> str:
    return (
        f"producerId: {entry.producer_id} producerEpoch: {entry.producer_epoch} coordinatorEpoch: {entry.coordinator_epoch} "
        f"currentTxnFirstOffset: {transaction(entry.current_txn_first_offset)}"
    )


def _batch(entry: ProducerEntry, difference: Callable[[int, int], int]) -> str:
    return (
        f"firstSequence: {difference(entry.last_sequence, entry.offset_delta)} lastSequence: {entry.last_sequence} "
        f"lastOffset: {entry.last_offset} offsetDelta: {entry.offset_delta} timestamp: {entry.timestamp}"
    )


def _plain(entry: ProducerEntry) -> str:
    return (
        f"producerId: {entry.producer_id} producerEpoch: {entry.producer_epoch} lastSequence: {entry.last_sequence} "
        f"lastOffset: {entry.last_offset} offsetDelta: {entry.offset_delta} lastTimestamp: {entry.timestamp} "
        f"coordinatorEpoch: {entry.coordinator_epoch} currentTxnFirstOffset: {_option(entry.current_txn_first_offset)}"
    )


def _queue(entry: ProducerEntry) -> str:
    first_sequence = _plain_difference(entry.last_sequence, entry.offset_delta)
    first_offset = entry.last_offset - entry.offset_delta
    return (
        f"{_head(entry, _option)} cachedMetadata: Queue(BatchMetadata(firstSeq={first_sequence}, "
        f"lastSeq={entry.last_sequence}, firstOffset={first_offset}, lastOffset={entry.last_offset}, "
        f"timestamp={entry.timestamp}))"
    )


def _first_batch(entry: ProducerEntry) -> str:
    return f"{_head(entry, _option)} {_batch(entry, _plain_difference)}"


def _first_batch_wrapped(entry: ProducerEntry) -> str:
    return f"{_head(entry, _option)} {_batch(entry, _wrapped_difference)}"


def _batch_or_nothing(entry: ProducerEntry) -> str:
    return _batch(entry, _wrapped_difference) if entry.last_offset >= 0 else ""


def _optional_batch(entry: ProducerEntry) -> str:
    return f"{_head(entry, _option)} {_batch_or_nothing(entry)}"


def _last_timestamp(entry: ProducerEntry) -> str:
    return f"{_head(entry, _option)} lastTimestamp: {entry.timestamp} {_batch_or_nothing(entry)}"


def _with_optional_long(entry: ProducerEntry) -> str:
    return f"{_head(entry, _optional_long)} lastTimestamp: {entry.timestamp} {_batch_or_nothing(entry)}"


def _no_trailing_blank(entry: ProducerEntry) -> str:
    line = _with_optional_long(entry)
    return line if entry.last_offset >= 0 else line[:-1]


#: The layouts of a producer's line, by the name that dialects use.
_SNAPSHOT_LINES: dict[str, Callable[[ProducerEntry], str]] = {
    "plain": _plain,
    "queue": _queue,
    "first-batch": _first_batch,
    "first-batch-wrapped": _first_batch_wrapped,
    "optional-batch": _optional_batch,
    "last-timestamp": _last_timestamp,
    "optional-long": _with_optional_long,
    "no-trailing-blank": _no_trailing_blank,
}


# --- text files -------------------------------------------------------------------------------------------------------


def _told(damages: tuple[Damage | None, ...], path: str, output: Output) -> None:
    for damage in damages:
        if damage is not None:
            output.die(path, ToolDied(damage.reason, damage.span.start))


def _print_checkpoint(
    read: Callable[[bytes], Checkpoint[tuple[object, ...]]], names: str, data: bytes, path: str, output: Output
) -> None:
    checkpoint = read(data)
    for entry in checkpoint.entries:
        output.line(" ".join(f"{name}: {value}" for name, value in zip(names.split(), entry, strict=True)))
    _told(checkpoint.damages, path, output)


def _print_epochs(data: bytes, path: str, output: Output) -> None:
    _print_checkpoint(read_leader_epochs, "epoch startOffset", data, path, output)  # type: ignore[arg-type]  # entries are tuples


def _print_offsets(data: bytes, path: str, output: Output) -> None:
    _print_checkpoint(read_offset_checkpoint, "topic partition offset", data, path, output)  # type: ignore[arg-type]  # likewise


def _print_partition_metadata(data: bytes, path: str, output: Output) -> None:
    metadata = read_partition_metadata(data)
    topic_id = None if metadata.topic_id is None else format_uuid(metadata.topic_id)
    if metadata.version is not None or topic_id is not None:
        output.line(f"version: {metadata.version} topicId: {topic_id}")
    _told((metadata.damage,), path, output)


def _print_properties(data: bytes, path: str, output: Output) -> None:
    properties = read_properties(data)
    if properties.values:
        output.line(" ".join(f"{name}: {value}" for name, value in properties.values.items()))
    _told((properties.damage,), path, output)


def _print_json(data: bytes, path: str, output: Output) -> None:
    found = read_json_file(data)
    if found.value is not None:
        output.line(data.decode().strip())
    _told((found.damage,), path, output)


#: What prints each of the text files.
_PRINTERS: dict[str, Callable[[bytes, str, Output], None]] = {
    "leader-epoch-checkpoint": _print_epochs,
    "partition.metadata": _print_partition_metadata,
    "quorum-state": _print_json,
    "meta.properties": _print_properties,
    ".kafka_cleanshutdown": _print_json,
    **dict.fromkeys(LOG_DIR_CHECKPOINTS, _print_offsets),
}


def print_text_file(name: str, data: bytes, path: str, output: Output) -> None:
    """Print one of `core.filename.TEXT_FILES`: a line per entry."""
    _PRINTERS[name](data, path, output)
