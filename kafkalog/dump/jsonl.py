"""What `dump` shows of files as JSON lines, schema `kafkalog.dump/1`: flat objects, stored values under Kafka's names.

A batch stands in front of its records; damage and padding stand where they are in the file, so the lines of a `.log`
account for all of its bytes. Docs: docs/dump-jsonl.md.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, nullcontext
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafkalog.core.batch import HEADER_UP_TO_MAGIC, Damage, RecordBatch
from kafkalog.core.checkpoint import read_leader_epochs, read_offset_checkpoint
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.control import read_control_record
from kafkalog.core.cursor import Cursor
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, PENDING_SUFFIXES, TEXT_FILES
from kafkalog.core.filters import Filters
from kafkalog.core.log import SearchBudget, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, leftover, padded_end, padding_between
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.properties import format_uuid, read_json_file, read_partition_metadata, read_properties
from kafkalog.core.record import Record, iter_headers, wrap64
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.dump.index_checks import LogChain, index_problem, offset_index_of
from kafkalog.dump.json_forms import Long, object_of, text_object
from kafkalog.dump.lone_records import TRIES
from kafkalog.dump.payload import MANY_HEADERS
from kafkalog.dump.record_json import Passed, RecordLines
from kafkalog.dump.reports import ConsecutiveOffsets
from kafkalog.dump.seek import nothing_wanted, start_position
from kafkalog.dump.tool_died import ToolDied, base_of, base_offset_of
from kafkalog.errors import FormatError, LimitExceeded, Truncated, UnreadableFile
from kafkalog.files.source import FileSource, read_file, small_or_in_windows
from kafkalog.kafka.indexes import time_index_problem
from kafkalog.kafka.java import file_path
from kafkalog.span import Padding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from kafkalog.core.layout import Layout
    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.log import Batch
    from kafkalog.core.source import Bytes
    from kafkalog.dump.decoders.base import Decoder
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.inputs import Listing
    from kafkalog.dump.output import Output
    from kafkalog.kafka.indexes import BrokerOffsetIndex

__all__ = ["SCHEMA", "JsonDump", "JsonOptions"]

T = TypeVar("T", bound=tuple[Any, ...])

SCHEMA = "kafkalog.dump/1"

_PRODUCER_NAMES = (
    "producerId", "producerEpoch", "lastSequence", "lastOffset", "offsetDelta", "timestamp", "coordinatorEpoch",
    "currentTxnFirstOffset",
)  # fmt: skip


class JsonOptions(NamedTuple):
    """What is asked for. `payload` None: records carry no keys and values; `max_bytes` None: the whole log."""

    dialect: Dialect
    records: bool = False
    payload: str | None = None
    verify_only: bool = False
    sanity_only: bool = False
    max_message_size: int = 5 * 1024 * 1024
    max_bytes: int | None = None
    filters: Filters = Filters()
    decoder: Decoder | None = None


@cache
def _names(layout: Layout[Any]) -> tuple[str, ...]:
    return tuple(field.kafka_name for field in layout.fields)


def _named(layout: Layout[Any], values: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(_names(layout), values, strict=True))


def _entries(layout: Layout[T], data: Bytes) -> Iterator[T]:
    """Those of an index, without its padding."""
    return islice(layout.read_all(data), padded_end(data, layout.size) // layout.size)


def _headers(record: Record | LegacyRecord, form: Callable[[bytes], dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    if isinstance(record, Record) and record.raw_headers:
        for header in iter_headers(Cursor(record.raw_headers)):
            value = {} if form is None else {"value": None if header.value is None else form(header.value)}
            yield {"key": text_object(header.key), **value}


class _IsLong(Exception):
    """A value that is not printed as a whole."""


def _other(value: Any) -> str:
    """What JSON has no type for."""
    if isinstance(value, Long):
        raise _IsLong
    return format_uuid(value)


class JsonDump:
    """Prints files as JSON lines.

    Args:
        options: What is asked for.
        output: Where lines go.
    """

    def __init__(self, options: JsonOptions, output: Output) -> None:
        self._options = options
        self._output = output
        self._path = ""
        self._consecutive = ConsecutiveOffsets(first_is_compared=False)
        self._listing: Listing | None = None
        self._regular = RecordLines(SCHEMA, "", None, options.filters, None)
        self._filtering = options.filters.active
        self._form = None if options.payload in (None, "none") else options.payload
        self._object_of = None if self._form is None else object_of(self._form)

    def _line(self, kind: str, position: int | None, /, **fields: Any) -> None:
        line = {"schema": SCHEMA, "type": kind, "path": self._path, "position": position, **fields}
        try:
            self._put_json(line)
        except _IsLong:
            self._put_pieces(line)
        self._output.put(b"\n")

    def _lines_of_entries(self, kind: str, *names: str) -> Callable[..., None]:
        """What prints an entry, given its position and then these fields, all integers.

        An index has millions of entries, so what their lines have in common is made once.
        """
        common = self._json({"schema": SCHEMA, "type": kind, "path": self._path}).removesuffix(b"}").replace(b"%", b"%%")
        line = common + "".join(f',"{name}":%d' for name in ("position", *names)).encode() + b"}\n"
        put = self._output.put
        return lambda *values: put(line % values)

    def _put_json(self, value: Any) -> None:
        self._output.put(self._json(value))

    def _json(self, value: Any) -> bytes:
        # Undecodable names are lone surrogates, which only an escape can carry.
        text = json.dumps(value, ensure_ascii=not self._path.isascii(), separators=(",", ":"), default=_other)
        return text.encode("utf-8", "backslashreplace")

    def _put_pieces(self, value: Any) -> None:
        """A JSON value part of which is long."""
        put = self._output.piece
        if isinstance(value, Long):
            put(value.quote or "[")
            for number, piece in enumerate(value.pieces):
                if value.quote:
                    ensured = json.dumps(piece, ensure_ascii=not self._path.isascii())
                    put(ensured[1:-1])
                else:
                    put("," if number else "")
                    self._put_pieces(piece)
            put(value.quote or "]")
        elif isinstance(value, dict):
            put("{")
            for number, (name, item) in enumerate(value.items()):
                put(("," if number else "") + json.dumps(name) + ":")
                self._put_pieces(item)
            put("}")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            self._put_pieces(Long("", iter(value)))
        else:
            self._put_json(value)

    def _damage(self, position: int | None, end: int | None, reason: str, *, deadly: bool = True) -> None:
        self._line("damage", position, end=end, reason=reason)
        if deadly:
            self._output.died = True
            place = "" if position is None else f"position {position}: "
            self._output.say(f"kafkalog: {self._path}: {place}{reason}")

    def file(self, text: str, decoder: Decoder | None = None, listing: Listing | None = None) -> None:
        """Print one file. Of what has gone since its directory's `listing`, only that is said."""
        self._path = file_path(text)
        self._listing = listing
        name = self._path.rpartition("/")[2]
        for pending in (*PENDING_SUFFIXES, ".part"):
            name = name.removesuffix(pending)
        action = self._text_file(name) if name in TEXT_FILES else self._action(name, decoder or self._options.decoder)
        if action is None:
            self._output.say(f"Ignoring unknown file {self._path}")
            return
        try:
            action()
        except ToolDied as death:
            self._damage(death.position, None, death.reason)
        except UnreadableFile as error:
            self._path, kept = error.path, self._path
            self._unreadable(error.path, error.reason)
            self._path = kept

    def _unreadable(self, missing: str, reason: str) -> None:
        if self._listing is None or not self._listing.has_lost(missing):
            self._damage(None, None, reason)

    def _action(self, name: str, decoder: Decoder | None) -> Callable[[], None] | None:
        suffix = name[name.rfind(".") :] if "." in name else ""
        return {
            ".log": lambda: self._log(decoder),
            ".checkpoint": lambda: self._log(decoder),
            ".index": lambda: self._offset_index(name),
            ".timeindex": lambda: self._time_index(name),
            ".txnindex": self._transaction_index,
            ".snapshot": self._snapshot,
        }.get(suffix)

    # --- logs ---

    def _log(self, decoder: Decoder | None) -> None:
        filters = self._options.filters
        self._consecutive = ConsecutiveOffsets(first_is_compared=False)
        self._regular = RecordLines(SCHEMA, self._path, self._form, filters, decoder)
        end_offset = filters.end_offset
        with FileSource(self._path) as source:
            end = source.size if self._options.max_bytes is None else min(source.size, max(0, self._options.max_bytes))
            start = start_position(self._path, filters, source) if filters.active else 0
            for item in self._items(source, start, end):
                if end_offset is not None and isinstance(item, RecordBatch) and item.base_offset >= end_offset and item.crc_ok:
                    end_offset = None
                    self._output.flush()
                    if nothing_wanted(source, item.position, end, filters):
                        break
                if isinstance(item, Padding):
                    self._padding(item)
                elif isinstance(item, Damage):
                    # A torn tail is what the real tool counts in silence.
                    torn = isinstance(item.error, Truncated) and item.span.end == end
                    self._damage(item.span.start, item.span.end, item.reason, deadly=not torn)
                else:
                    self._batch(item, decoder)
            if source.grown is not None:
                self._output.say(f"kafkalog: {source.grown}")

    def _items(self, source: FileSource, start: int, end: int) -> Iterator[Batch | Damage | Padding]:
        """What a log consists of. Batches of one record that follow one of those are printed here, in one go."""
        budget, fruitless = SearchBudget(end - start), 0
        matter = self._options.records and not self._filtering
        while start < end:
            begun = start
            for item in walk(source, start, end, budget):
                yield item
                if not (matter and fruitless < TRIES and isinstance(item, RecordBatch) and item.header.records_count == 1):
                    continue
                reached = position = item.span.end
                while position < end:
                    text, offsets, reached = self._regular.lone_lines(source, position, end, self._consecutive.last + 1)
                    if reached == position:
                        break
                    self._consecutive.last, position = offsets[-1], reached
                    self._output.put(text)
                if position > item.span.end:
                    start, fruitless = position, 0
                    break
                fruitless += 1
            if start == begun:
                return

    def _padding(self, padding: Padding) -> None:
        self._line("metadata", padding.span.start, padding=padding.span.size)
        if padding.span.size > HEADER_UP_TO_MAGIC:
            # Where it looks for a batch, the real tool dies of a size of 0.
            self._output.died = True
            self._output.say(
                f"kafkalog: {self._path}: position {padding.span.start}: {padding.span.size} zero bytes to the end"
            )

    def _batch(self, batch: Batch, decoder: Decoder | None) -> None:
        if self._filtering and not self._may_be_wanted(batch):
            return
        if self._options.records or self._filtering:
            self._records(batch, decoder)
        else:
            self._batch_line(batch)

    def _may_be_wanted(self, batch: Batch) -> bool:
        """Whether the filters leave a batch any record, by its header."""
        filters = self._options.filters
        if not isinstance(batch, RecordBatch):
            return filters.producer_passes(-1)
        return filters.producer_passes(batch.header.producer_id) and (
            not batch.crc_ok or filters.batch_may_pass(batch.base_offset, batch.last_offset, batch.header.max_timestamp)
        )

    def _records(self, batch: Batch, decoder: Decoder | None) -> None:
        """Print the wanted records of a batch, after its own line; of a batch without any, nothing when there are filters."""
        done = 0
        is_shown = not self._filtering
        if is_shown:
            self._batch_line(batch)
        if isinstance(batch, RecordBatch):
            passed = Passed(0, 0, whole=False)
            for made in self._regular.of(batch, self._consecutive.last + 1):
                if isinstance(made, Passed):
                    passed = made
                    continue
                if not is_shown:
                    self._batch_line(batch)
                    is_shown = True
                if not self._options.records:
                    return
                self._output.put(made)
            self._consecutive.last = passed.expected - 1
            if passed.whole:
                if not is_shown:
                    self._output.flush()  # what was wanted, before more of it is looked for
                return
            done = passed.records
        items: Iterator[Record | LegacyRecord | Damage] = islice(batch.walk_records(), done, None)
        for item in filter(self._is_wanted, items) if self._filtering else items:
            if not is_shown:
                self._batch_line(batch)
                is_shown = True
            if not self._options.records:
                return
            if isinstance(item, Damage):
                inside = item.span.space is not None
                place = batch.position if inside else item.span.start
                self._damage(place, None if inside else item.span.end, item.reason)
                continue
            self._record_line(batch, item, decoder)
            if not self._filtering:
                self._watch(batch, item)
            del item  # it may be large, and so may be the next one

    def _is_wanted(self, item: Record | LegacyRecord | Damage) -> bool:
        """Whether a record passes the filters; one that is too large to be read does."""
        if isinstance(item, Damage):
            return isinstance(item.error, LimitExceeded)
        return self._options.filters.passes(item)

    def _watch(self, batch: Batch, record: Record | LegacyRecord) -> None:
        self._consecutive.one(record.offset)
        while self._consecutive.pairs:
            first, second = self._consecutive.pairs.pop()
            self._line("mismatch", batch.position, kind="non-consecutive", offset=second, previousOffset=first)

    def _batch_line(self, batch: Batch) -> None:
        if isinstance(batch, RecordBatch):
            self._output.put(self._regular.batch(batch))
            return
        codec = batch.compression_id
        # The stored `size` counts what follows it; the line's, like the real tool's, counts the whole message.
        fields = _named(batch.layout, batch.header) | {
            "size": batch.size,
            "isValid": batch.crc_ok,
            "compressionType": COMPRESSION_TYPES[codec].name if codec < len(COMPRESSION_TYPES) else None,
            "timestampType": batch.timestamp_type,
        }
        self._line("batch", batch.position, **fields, lastOffset=batch.last_offset)

    def _record_line(self, batch: Batch, record: Record | LegacyRecord, decoder: Decoder | None) -> None:
        fields: dict[str, Any] = {
            "batchPosition": batch.position,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "keySize": None if record.key is None else len(record.key),
            "valueSize": None if record.value is None else len(record.value),
        }
        position = None if batch.compression_id else batch.position + record.start
        if isinstance(record, Record) and isinstance(batch, RecordBatch):
            fields["sequence"] = batch.sequence_of(record)
            if batch.is_control:
                fields["control"] = self._control(record)
        elif not isinstance(record, Record):
            fields |= {"magic": record.magic, "attributes": record.attributes, "crc": record.crc, "isValid": record.crc_ok}
        form = self._object_of
        if form is not None:
            fields |= {
                side: None if data is None else form(data) for side, data in (("key", record.key), ("value", record.value))
            }
        headers = _headers(record, form)
        many = isinstance(record, Record) and len(record.raw_headers) > MANY_HEADERS
        fields["headers"] = Long("", headers) if many else list(headers)
        if decoder is not None and form is not None and "control" not in fields:
            fields["decoded"] = decoder.decode_object(record.offset, record.key, record.value)
        self._line("record", position, **fields)

    @staticmethod
    def _control(record: Record) -> dict[str, Any]:
        try:
            found = read_control_record(record.key, record.value)
        except FormatError as error:
            return {"type": None, "error": str(error)}
        return {"type": found.name, "typeId": found.type_id, **found.fields}

    # --- indexes ---

    def _stem(self, name: str) -> str:
        return self._path[: len(self._path) - len(self._path.rpartition("/")[2])] + base_of(name)

    def _log_beside(self, name: str) -> AbstractContextManager[FileSource | None]:
        """The `.log` beside an index; None, and a damage line, when it cannot be read."""
        try:
            return FileSource(self._stem(name) + ".log")
        except UnreadableFile as error:
            self._unreadable(error.path, f"its log cannot be read: {error.reason}")
            return nullcontext()

    def _sanity(self, problem: str) -> None:
        self._line("sanity", None, passed=not problem, reason=problem or None)
        self._output.died |= bool(problem)

    def _offset_index(self, name: str) -> None:
        base = base_offset_of(name)
        with small_or_in_windows(self._path) as data:
            self._offset_entries(name, base, data)

    def _offset_entries(self, name: str, base: int, data: Bytes) -> None:
        if self._options.sanity_only:
            self._sanity(index_problem(data, base, self._options.dialect))
            return
        with self._log_beside(name) as source:
            chain = None if source is None else LogChain(source, self._options.dialect)
            line = self._lines_of_entries("index_entry", "offset", "relativeOffset", "logPosition")
            for number, (relative_offset, position) in enumerate(_entries(OFFSET_INDEX_ENTRY, data)):
                at, offset = number * OFFSET_INDEX_ENTRY.size, wrap64(base + relative_offset)
                if not self._options.verify_only:
                    line(at, offset, relative_offset, position)
                if chain is not None:
                    self._check_offset(at, offset, position, chain)
        self._rest(data, OFFSET_INDEX_ENTRY.size)

    def _check_offset(self, at: int, offset: int, position: int, chain: LogChain) -> None:
        try:
            found = chain.offset_at(position, self._options.max_message_size)
        except ToolDied as death:
            self._damage(at, at + OFFSET_INDEX_ENTRY.size, death.reason)
            return
        if found != offset:
            self._line("mismatch", at, kind="index", offset=offset, logOffset=found)

    def _rest(self, data: Bytes, size: int) -> None:
        """What follows the entries of a file."""
        padding, damage = padding_between(padded_end(data, size), len(data) - len(data) % size), leftover(data, size)
        if padding is not None:
            self._line("metadata", padding.span.start, padding=padding.span.size)
        if damage is not None:
            self._damage(damage.span.start, damage.span.end, damage.reason, deadly=False)

    def _time_index(self, name: str) -> None:
        base = base_offset_of(name)
        with small_or_in_windows(self._path) as data, ExitStack() as stack:
            self._time_entries(name, base, data, stack)

    def _time_entries(self, name: str, base: int, data: Bytes, stack: ExitStack) -> None:
        if self._options.sanity_only:
            self._sanity(time_index_problem(data, base))
            return
        dialect = self._options.dialect
        with self._log_beside(name) as source:
            chain = None if source is None else LogChain(source, dialect)
            offsets: Bytes
            try:
                offsets = stack.enter_context(small_or_in_windows(self._stem(name) + ".index"))
            except UnreadableFile as error:
                self._unreadable(error.path, f"its index cannot be read: {error.reason}")
                offsets = b""
            index = offset_index_of(offsets, base, dialect)
            previous = -1
            line = self._lines_of_entries("time_index_entry", "timestamp", "offset", "relativeOffset")
            for number, (timestamp, relative_offset) in enumerate(_entries(TIME_INDEX_ENTRY, data)):
                at, offset = number * TIME_INDEX_ENTRY.size, wrap64(base + relative_offset)
                if not self._options.verify_only:
                    line(at, timestamp, offset, relative_offset)
                if chain is not None:
                    self._check_time(at, timestamp, offset, previous, index, chain)
                previous = timestamp
        self._rest(data, TIME_INDEX_ENTRY.size)

    def _check_time(
        self, at: int, timestamp: int, offset: int, previous: int, index: BrokerOffsetIndex, chain: LogChain
    ) -> None:
        try:
            batch = chain.find(index.lookup(offset).position, offset)
            last = -1 if batch is None else chain.last_offset(batch)
            if batch is None or last != offset:
                self._line("mismatch", at, kind="not-found", offset=offset, logOffset=last)
                return
            highest = chain.max_timestamp(batch)
        except ToolDied as death:
            self._damage(at, at + TIME_INDEX_ENTRY.size, death.reason)
            return
        if highest != timestamp:
            self._line("mismatch", at, kind="time-index", timestamp=timestamp, logTimestamp=highest)
        if previous >= timestamp:
            self._line("mismatch", at, kind="out-of-order", timestamp=timestamp, previousTimestamp=previous)

    # --- the rest ---

    def _transaction_index(self) -> None:
        with small_or_in_windows(self._path) as data:
            line = self._lines_of_entries("aborted_txn", *_names(ABORTED_TXN))
            for number, entry in enumerate(ABORTED_TXN.read_all(data)):
                line(number * ABORTED_TXN.size, *entry)
            damage = leftover(data, ABORTED_TXN.size)
        if damage is not None:
            self._damage(damage.span.start, damage.span.end, damage.reason, deadly=False)

    def _snapshot(self) -> None:
        snapshot = read_producer_snapshot(read_file(self._path))
        if snapshot.header is not None:
            header = snapshot.header
            self._line(
                "metadata", 0, version=header.version, crc=header.crc, isValid=snapshot.crc_ok, entryCount=header.entry_count
            )
        for number, entry in enumerate(snapshot.entries):
            self._line("producer_entry", snapshot.span_of_entry(number).start, **dict(zip(_PRODUCER_NAMES, entry, strict=True)))
        if snapshot.damage is not None:
            self._damage(snapshot.damage.span.start, snapshot.damage.span.end, snapshot.damage.reason, deadly=False)

    def _text_file(self, name: str) -> Callable[[], None]:
        return lambda: self._text_lines(name, read_file(self._path))

    def _text_lines(self, name: str, data: bytes) -> None:
        damages: tuple[Damage | None, ...]
        if name == "leader-epoch-checkpoint":
            epochs = read_leader_epochs(data)
            for span, (epoch, start) in zip(epochs.spans, epochs.entries, strict=True):
                self._line("epoch_entry", span.start, epoch=epoch, startOffset=start)
            damages = epochs.damages
        elif name in LOG_DIR_CHECKPOINTS:
            offsets = read_offset_checkpoint(data)
            for span, (topic, partition, offset) in zip(offsets.spans, offsets.entries, strict=True):
                self._line("metadata", span.start, topic=topic, partition=partition, offset=offset)
            damages = offsets.damages
        elif name == "partition.metadata":
            metadata = read_partition_metadata(data)
            topic_id = None if metadata.topic_id is None else format_uuid(metadata.topic_id)
            self._line("metadata", 0, version=metadata.version, topicId=topic_id)
            damages = (metadata.damage,)
        elif name == "meta.properties":
            properties = read_properties(data)
            self._line("metadata", 0, properties=properties.values)
            damages = (properties.damage,)
        else:
            found = read_json_file(data)
            self._line("metadata", 0, content=found.value)
            damages = (found.damage,)
        for damage in damages:
            if damage is not None:
                self._damage(damage.span.start, damage.span.end, damage.reason)
