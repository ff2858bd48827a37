"""Record batches of magic 2: the 61-byte header and the records after it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.checksum import crc32c
from kafkalog.core.compression import MAX_DECOMPRESSED, Inflated, inflate, record_over
from kafkalog.core.cursor import Cursor
from kafkalog.core.layout import INT8, INT16, INT32, INT64, UINT32, Layout
from kafkalog.core.record import (
    BatchRecord,
    Record,
    RecordDetail,
    increment_sequence,
    read_detail,
    read_record,
    wrap32,
    wrap64,
)
from kafkalog.core.record_walk import SAFE_BASE, Run, compile_walk, runs
from kafkalog.core.source import Bytes, WindowedBytes, checksum, part_of
from kafkalog.errors import BadLength, FormatError, LimitExceeded
from kafkalog.services import service
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "ATTRIBUTES_AT",
    "BATCH_HEADER",
    "CRC_AT",
    "HEADER_UP_TO_MAGIC",
    "LEAST_BATCH_LENGTH",
    "LOG_OVERHEAD",
    "MAGIC_AT",
    "NO_PRODUCER_EPOCH",
    "NO_PRODUCER_ID",
    "NO_SEQUENCE",
    "SIZE_AND_MAGIC",
    "BatchHeader",
    "Damage",
    "RecordBatch",
]

#: Bytes of a record up to which it is first looked for in the window at hand.
_SMALL = 1 << 16

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1


class BatchHeader(NamedTuple):
    """The 61 bytes before the records of a magic 2 batch, as stored."""

    base_offset: Annotated[int, INT64, "Offset of the first record that the producer put in the batch; outside the CRC."]
    batch_length: Annotated[int, INT32, "Bytes that follow this field; at least 49; outside the CRC."]
    partition_leader_epoch: Annotated[int, INT32, "Epoch of the leader that appended it, -1 none; outside the CRC."]
    magic: Annotated[int, INT8, "Message format version, 2; outside the CRC."]
    crc: Annotated[int, UINT32, "CRC-32C of everything from `attributes` to the end of the batch."]
    attributes: Annotated[int, INT16, "Codec, timestamp type and flags; only the low byte is used."]
    last_offset_delta: Annotated[int, INT32, "Offset of the last record minus `baseOffset`; kept by compaction."]
    base_timestamp: Annotated[int, INT64, "Milliseconds that record deltas count from; or the delete horizon."]
    max_timestamp: Annotated[int, INT64, "Largest record timestamp; or the broker's clock at append."]
    producer_id: Annotated[int, INT64, "Id of an idempotent or transactional producer, -1 none."]
    producer_epoch: Annotated[int, INT16, "The producer's epoch, -1 none."]
    base_sequence: Annotated[int, INT32, "Sequence number of the first record, -1 none."]
    records_count: Annotated[int, INT32, "Records present in the batch."]


BATCH_HEADER = Layout(BatchHeader)

#: Bytes before the part that `batchLength` (magic 0 and 1: `size`) counts.
LOG_OVERHEAD = BATCH_HEADER["batch_length"].end
#: Least `batchLength` of a batch that has a whole header.
LEAST_BATCH_LENGTH = BATCH_HEADER.size - LOG_OVERHEAD
#: Where the magic is, in bytes from the start of a batch: at the same place in every message format version.
MAGIC_AT = BATCH_HEADER["magic"].at
#: Bytes up to and including the magic.
HEADER_UP_TO_MAGIC = BATCH_HEADER["magic"].end
#: Reads `batchLength` (magic 0 and 1: `size`) and the magic.
SIZE_AND_MAGIC = BATCH_HEADER.partial("batch_length", "magic")
#: Where the CRC of a magic 2 batch is; it covers everything from the attributes on.
CRC_AT = BATCH_HEADER["crc"].at
ATTRIBUTES_AT = BATCH_HEADER["attributes"].at


class Damage(NamedTuple):
    """Bytes that could not be read, why, and where reading went on (the end of the span, unless nothing follows)."""

    span: Span
    error: FormatError | LimitExceeded

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return str(self.error)

    def __repr__(self) -> str:
        return f"Damage({self.span.start}..{self.span.end}: {self.error})"


class RecordBatch:
    """A magic 2 batch: its header, its bytes, its records. Reading changes nothing; every view can be taken again.

    Args:
        header: The header as stored.
        position: Where the batch starts in its file, in bytes.
        data: All bytes of the batch, header included; of a large one they are read from its file when they are asked for.
        computed_crc: Their CRC-32C, where somebody has computed it.
    """

    __slots__ = ("_computed_crc", "data", "header", "position")

    def __init__(self, header: BatchHeader, position: int, data: Bytes, computed_crc: int | None = None) -> None:
        self.header = header
        self.position = position
        self.data = data
        self._computed_crc = computed_crc

    @classmethod
    def read(cls, data: Bytes, position: int = 0) -> RecordBatch:
        """A batch from exactly its own bytes.

        Raises:
            Truncated: fewer than 61 bytes.
        """
        return cls(BATCH_HEADER.read(data[: BATCH_HEADER.size]), position, data)

    def with_base_offset(self, base_offset: int) -> RecordBatch:
        """The same bytes as a batch of other offsets; the checksum does not cover the field."""
        return RecordBatch(self.header._replace(base_offset=base_offset), self.position, self.data)

    # --- what is stored ---

    @property
    def magic(self) -> int:
        """Message format version."""
        return self.header.magic

    @property
    def base_offset(self) -> int:
        """Offset of the first record that the producer sent in this batch."""
        return self.header.base_offset

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return len(self.data)

    @property
    def span(self) -> Span:
        """Its bytes in the file."""
        return Span(self.position, self.position + len(self.data))

    def span_of(self, field: str) -> Span:
        """The bytes of a header field in the file."""
        return BATCH_HEADER.span_of(field, self.position)

    # --- what follows from it ---

    @property
    def last_offset(self) -> int:
        """Offset of the last record that the producer sent in this batch."""
        return wrap64(self.header.base_offset + self.header.last_offset_delta)

    @property
    def next_offset(self) -> int:
        """The offset after `last_offset`."""
        return wrap64(self.last_offset + 1)

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record, -1 when there is none."""
        header = self.header
        if header.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return increment_sequence(header.base_sequence, header.last_offset_delta)

    def sequence_of(self, record: Record) -> int:
        """Sequence number of one of its records, -1 when there is none."""
        base = self.header.base_sequence
        return increment_sequence(base, wrap32(record.offset - self.header.base_offset)) if base >= 0 else NO_SEQUENCE

    @property
    def compression_id(self) -> int:
        """Codec id, 0 … 7; ids above 4 belong to no codec."""
        return self.header.attributes & bits.CODEC_MASK

    @property
    def timestamp_type(self) -> str:
        """`CreateTime` or `LogAppendTime`."""
        return bits.timestamp_type_name(self.header.attributes)

    @property
    def is_transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.header.attributes & bits.TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Whether its records are control records."""
        return bool(self.header.attributes & bits.CONTROL)

    @property
    def has_producer(self) -> bool:
        """Whether an idempotent or transactional producer wrote it."""
        return self.header.producer_id != NO_PRODUCER_ID

    @property
    def delete_horizon_ms(self) -> int | None:
        """Time after which its tombstones or markers may go, milliseconds; None when not set."""
        return self.header.base_timestamp if self.header.attributes & bits.DELETE_HORIZON else None

    @property
    def computed_crc(self) -> int:
        """The CRC-32C of the bytes as they are."""
        if self._computed_crc is None:
            self._computed_crc = checksum(crc32c, self.data, ATTRIBUTES_AT)
        return self._computed_crc

    @property
    def crc_ok(self) -> bool:
        """Whether the stored CRC matches the bytes. A batch where it does not can be read all the same."""
        return self.header.crc == self.computed_crc

    # --- records ---

    def records_data(self, limit: int | None = None) -> bytes:
        """The record section, decompressed.

        Raises:
            UnknownCompression: the codec id belongs to no codec.
            DecompressionFailed: the section is not one whole, sound stream.
            LimitExceeded: it would be larger than `limit` bytes.
        """
        result = self.inflate(limit)
        if result.problem is not None:
            raise result.problem
        return bytes(result.data)

    def inflate(self, limit: int | None = None) -> Inflated:
        """The record section, decompressed as far as it goes; a problem is a value. Not more than 8 MiB of it are held.

        Raises:
            UnknownCompression: the codec id belongs to no codec.
            LimitExceeded: it would be larger than `limit` bytes.
        """
        try:
            result = inflate(self.compression_id, part_of(self.data, BATCH_HEADER.size), limit=limit)
        except FormatError as error:
            error.span = self.span_of("attributes")
            raise
        if result.problem is not None:
            result.problem.span = self._records_span
        return result

    @property
    def _records_span(self) -> Span:
        return Span(self.position + BATCH_HEADER.size, self.position + len(self.data))

    @property
    def _append_time(self) -> int | None:
        return self.header.max_timestamp if self.header.attributes & bits.LOG_APPEND_TIME else None

    def records(self, *, limit: int | None = None) -> Iterator[Record]:
        """Its records in stored order. May be called again.

        Raises:
            FormatError: at the place of damage, after the records before it have been given.
            LimitExceeded: the records would decompress to more than `limit` bytes.
        """
        return self._walk(limit, _raise_damage)

    def walk_records(self, *, limit: int | None = None, inflated: Inflated | None = None) -> Iterator[Record | Damage]:
        """Its records in stored order; damage is a value, the last one, that covers all bytes left.

        Args:
            limit: Bytes that the record section may decompress to.
            inflated: What `inflate` gave, where that was asked for before.
        """
        return self._walk(limit, _yield_damage, inflated)

    def _walk(
        self, limit: int | None, on_damage: Callable[[Damage], Iterator[Any]], inflated: Inflated | None = None
    ) -> Iterator[Any]:
        header = self.header
        count = header.records_count
        if count < 0:
            error = BadLength(count, "0 or more", "recordsCount", self.span_of("records_count"))
            return on_damage(Damage(self._records_span, error))
        if count == 0 and len(self.data) == BATCH_HEADER.size:
            return iter(())
        problem: FormatError | None = None
        data: Bytes
        if self.compression_id == 0:
            data, at = self.data, BATCH_HEADER.size
        else:
            try:
                result = self.inflate(limit) if inflated is None else inflated
            except (FormatError, LimitExceeded) as failure:
                return on_damage(Damage(self._records_span, failure))
            data, at, problem = result.data, 0, result.problem

        def slowly(at: int, index: int) -> Iterator[Any]:
            return self._walk_slowly(data, at, index, limit, problem, on_damage)

        if problem is not None or not self.is_regular:
            return slowly(at, 0)
        if isinstance(data, WindowedBytes):
            return self._walk_in_pieces(data, at, limit, slowly)
        walk = _walk_append_time() if header.attributes & bits.LOG_APPEND_TIME else _walk_create_time()
        records: Iterator[Record] = walk(
            data, at, len(data), count, header.base_offset, header.base_timestamp, slowly, header.max_timestamp
        )
        return records

    def _walk_in_pieces(
        self, data: WindowedBytes, at: int, limit: int | None, slowly: Callable[[int, int], Iterator[Any]]
    ) -> Iterator[Any]:
        """The fast way through what is not held: the same loop over one run of records after the other."""
        header = self.header
        index = 0
        for run in runs(data, at, header.records_count):
            if run.records:
                yield from self.records_of(run)
                index, at = index + run.records, run.begin + run.end
                continue
            del run
            try:
                record = self.record_at(data, at, limit)
            except (FormatError, LimitExceeded):
                break
            index, at = index + 1, record.end
            yield record
            del record
        if index < header.records_count or at < len(data):
            yield from slowly(at, index)

    @property
    def is_regular(self) -> bool:
        """Whether the fast loops know its offsets and timestamps: they do not get near the ends of 64 bits."""
        return -SAFE_BASE < self.header.base_offset < SAFE_BASE and -SAFE_BASE < self.header.base_timestamp < SAFE_BASE

    def records_of(self, run: Run) -> Iterator[Record]:
        """The records of one of its runs."""
        header = self.header
        walk = _walk_run("append_time" if header.attributes & bits.LOG_APPEND_TIME else "base_timestamp + t")
        records: Iterator[Record] = walk(*run[:4], header.base_offset, header.base_timestamp, run.begin, header.max_timestamp)
        return records

    def record_at(self, data: Bytes, at: int, limit: int | None = None) -> Record:
        """The record at a place of the (decompressed) record bytes, the readable way.

        Raises:
            FormatError: there is none.
            LimitExceeded: it is larger than `limit`, `MAX_DECOMPRESSED` by default.
        """
        base, time = self.header.base_offset, self.header.base_timestamp
        if isinstance(data, WindowedBytes):
            begin, held = data.window(at, min(_SMALL, len(data) - at))
            try:
                # What can be read with fewer bytes can be read with more.
                record = read_record(Cursor(held, at - begin, min(len(held), len(data) - begin)), base, time, self._append_time)
                return record._replace(start=record.start + begin, end=record.end + begin)
            except FormatError:
                size = Cursor(data, at).varint("length")
                limit = MAX_DECOMPRESSED.get() if limit is None else limit
                if limit < size <= len(data) - at:
                    raise record_over(limit, size) from None
        return read_record(Cursor(data, at), base, time, self._append_time)

    def _walk_slowly(
        self,
        data: Bytes,
        at: int,
        index: int,
        limit: int | None,
        problem: FormatError | None,
        on_damage: Callable[[Damage], Iterator[Any]],
    ) -> Iterator[Any]:
        """The readable way, for what is odd: gives the records from number `index` on, then the damage."""
        header = self.header
        try:
            for _ in range(index, header.records_count):
                record = self.record_at(data, at, limit)
                at = record.end
                yield record
                del record
            if at < len(data):
                left = f"bytes follow the last of the records ({len(data) - at})"
                raise FormatError(left, "recordsCount", Span(at, len(data)))
        except FormatError as error:
            if problem is None:
                error.span = None if error.span is None else self._placed(error.span.start, error.span.end)
                yield from on_damage(Damage(self._placed(at, len(data)), error))
        except LimitExceeded as error:
            yield from on_damage(Damage(self._placed(at, len(data)), error))
            return
        if problem is not None:
            yield from on_damage(Damage(self._records_span, problem))

    def _placed(self, start: int, end: int) -> Span:
        """A range of record bytes as a Span."""
        if self.compression_id:
            return Span(start, end, self.position)
        return Span(self.position + start, self.position + end)

    def span_of_record(self, record: Record) -> Span:
        """The bytes of one of its records: in the file, or in its decompressed section."""
        return self._placed(record.start, record.end)

    def detail(self, record: Record, *, limit: int | None = None) -> RecordDetail:
        """The fields of one of its records as stored, and their places."""
        data = self.inflate(limit).data if self.compression_id else self.data
        header = self.header
        cursor = Cursor(data, record.start)
        detail = read_detail(cursor, header.base_offset, header.base_timestamp, self._append_time)
        spans = (self._placed(span.start, span.end) for span in detail[4:])
        return RecordDetail(*detail[:4], *spans)

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        kind = "control " if self.is_control else ""
        return (
            f"RecordBatch({kind}offsets {self.base_offset}..{self.last_offset}, {self.header.records_count} records, "
            f"position {self.position}, {self.size} bytes{'' if self.crc_ok else ', CRC WRONG'})"
        )


@cache
def _walk_create_time(timestamp: str = "base_timestamp + t") -> Callable[..., Any]:
    return compile_walk(
        f"yield record((base_offset + o, {timestamp}, key, val, raw, p, q))",
        setup="pass",
        finish="pass",
        otherwise="yield from slowly(p, i)",
        extra=", slowly, append_time, record=record",
        names=(("record", BatchRecord),),
    )


@cache
def _walk_run(timestamp: str) -> Callable[..., Any]:
    """The loop over a run of records."""
    return compile_walk(
        f"yield record((base_offset + o, {timestamp}, key, val, raw, begin + p, begin + q))",
        setup="pass",
        finish="pass",
        otherwise="raise",
        extra=", begin, append_time, record=record",
        names=(("record", BatchRecord),),
    )


@cache
def _walk_append_time() -> Callable[..., Any]:
    return _walk_create_time("append_time")


def _raise_damage(damage: Damage) -> Iterator[Record]:
    yield from ()  # a generator, so that the error comes when the record is asked for
    raise damage.error


def _yield_damage(damage: Damage) -> Iterator[Damage]:
    # An error that is kept would keep the frames it went through, and with them what they had decompressed.
    damage.error.__traceback__ = damage.error.__context__ = None
    yield damage
