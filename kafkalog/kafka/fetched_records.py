"""The records of one batch as Kafka's client hands them out, and what makes it stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER, HEADER_UP_TO_MAGIC, LOG_OVERHEAD, MAGIC_AT, Damage, RecordBatch
from kafkalog.core.compression import gzip_up_to_failure
from kafkalog.core.legacy import MIN_MESSAGE_SIZE, LegacyBatch, read_message
from kafkalog.core.record_counts import count_records
from kafkalog.core.source import Bytes, part_of
from kafkalog.errors import BadLength, DecompressionFailed, FormatError, LimitExceeded, Truncated, UnknownCompression
from kafkalog.kafka.record_iterators import records_from, records_of_message, shallow_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.kafka.reading_rules import ReadingRules

__all__ = [
    "ClientError",
    "batches_of",
    "client_error",
    "contiguous_offsets",
    "offsets_of",
]

_SIZE = BATCH_HEADER.partial("batch_length")
_GZIP = 1
_ZSTD = 4


class ClientError(NamedTuple):
    """Why the client stops: `crc`, `corrupt-batch`, `invalid-record`, `decompression` or `unsupported`, and a sentence.

    `uncaught`: it is no exception of Kafka's; then the records of the same fetch are not handed out either.
    """

    kind: str
    text: str
    uncaught: bool = False


def batches_of(data: Bytes, position: int, rules: ReadingRules) -> Iterator[RecordBatch | LegacyBatch | ClientError]:
    """The batches in a fetch response; an error is the last item, a partial batch at the end is left off.

    Source: ByteBufferLogInputStream.nextBatch, Kafka 3.9.1.
    """
    at = 0
    while len(data) - at >= LOG_OVERHEAD:
        (size,) = _SIZE.unpack(data[at : at + LOG_OVERHEAD])
        if size < MIN_MESSAGE_SIZE:
            yield ClientError(
                "corrupt-batch", f"size field {size} at position {position + at}, {MIN_MESSAGE_SIZE} is the least"
            )
            return
        if len(data) - at < HEADER_UP_TO_MAGIC:
            return
        magic = data[at + MAGIC_AT]
        if magic > 2 and (rules.magic_first or at + size + LOG_OVERHEAD <= len(data)):
            signed = magic - 256 if magic > 127 else magic
            yield ClientError("corrupt-batch", f"magic {signed} at position {position + at}")
            return
        end = at + size + LOG_OVERHEAD
        if size + LOG_OVERHEAD > 0x7FFFFFFF:
            yield ClientError("corrupt-batch", f"size field {size} at position {position + at} overflows", uncaught=True)
            return
        if end > len(data):
            return
        whole = part_of(data, at, end)
        if magic < 2:
            yield LegacyBatch.read(whole, position + at)
        elif len(whole) < BATCH_HEADER.size:
            text = f"the batch at position {position + at} has {len(whole)} bytes, {BATCH_HEADER.size} are needed"
            yield ClientError("corrupt-batch", text)
            return
        else:
            yield RecordBatch.read(whole, position + at)
        at = end


def contiguous_offsets(batch: RecordBatch | LegacyBatch, rules: ReadingRules, *, are_sound: bool = False) -> range | None:
    """The offsets of a sound magic 2 batch whose records have all of them in order; None: look at them one by one.

    Its records need not be read where they are known to be sound and are as many as its offsets.
    """
    if not isinstance(batch, RecordBatch) or batch.header.records_count <= 0 or batch.compression_id >= rules.codecs:
        return None
    count = batch.header.records_count
    if are_sound and count == batch.header.last_offset_delta + 1 and batch.is_regular:
        return range(batch.base_offset, batch.base_offset + count)
    found = count_records(batch.data, BATCH_HEADER.size, batch.size, count, batch.compression_id)
    if found is None or found.gaps or not batch.is_regular:
        return None
    return range(batch.base_offset, batch.base_offset + count)


def offsets_of(batch: RecordBatch | LegacyBatch, rules: ReadingRules) -> Iterator[int | ClientError]:
    """The offsets of a batch's records in the order they are handed out; an error is the last item.

    The client checks the record count as it hands out the last record: one that bytes follow is not handed out.

    Args:
        batch: The batch.
        rules: How the client's release reads.

    Source: DefaultRecordBatch.RecordIterator, AbstractLegacyRecordBatch.DeepRecordsIterator, Kafka 3.9.1.
    """
    if isinstance(batch, LegacyBatch):
        return _legacy_offsets(batch, rules)
    if batch.header.records_count <= 0:
        return _without_records(batch)
    return _offsets(batch, rules)


def _without_records(batch: RecordBatch) -> Iterator[ClientError]:
    if batch.header.records_count < 0:
        yield ClientError("invalid-record", f"record count {batch.header.records_count} at offset {batch.base_offset}")


def _offsets(batch: RecordBatch, rules: ReadingRules) -> Iterator[int | ClientError]:
    if batch.compression_id >= rules.codecs:
        text = f"compression type {batch.compression_id} at offset {batch.base_offset}"
        yield ClientError("unsupported", text, uncaught=True)
        return
    # Gone over twice, for there may be too many to be held.
    if any(isinstance(item, Damage) for item in batch.walk_records()):
        yield from _offsets_up_to_damage(batch, rules)
        return
    yield from (record.offset for record in batch.walk_records() if not isinstance(record, Damage))


def _offsets_up_to_damage(batch: RecordBatch, rules: ReadingRules) -> Iterator[int | ClientError]:
    problem: FormatError | None = None
    data: Bytes
    data, at = batch.data, BATCH_HEADER.size
    if batch.compression_id:
        try:
            inflated = batch.inflate()
            data, at = inflated.data, 0
            if not inflated.trailing or batch.compression_id in _READS_TO_THE_END:
                problem = inflated.problem
            if problem is not None and batch.compression_id == _GZIP and not len(data):
                data = gzip_up_to_failure(part_of(batch.data, BATCH_HEADER.size))
        except FormatError as error:
            yield client_error(error, batch.base_offset)
            return
    header = batch.header
    try:
        for number, record in enumerate(records_from(batch, data, at), 1):
            at = record.end
            if number == header.records_count and problem is not None:
                raise problem
            yield record.offset
    except FormatError as error:
        # Where the bytes run out because the codec gave no more, the codec is what the client reports.
        asked_more = isinstance(error, BadLength) and error.field == "length" and error.value > 0
        ran_out = problem is not None and (isinstance(error, Truncated) or asked_more or at == len(data))
        # The record has an array of its own only where it comes out of a codec; else the key is cut out of the whole fetch.
        too_long = isinstance(error, Truncated) and error.field == "headerKey" and batch.compression_id
        if too_long and not ran_out and not rules.header_keys_sliced:
            yield ClientError("corrupt-batch", f"{error} (batch at offset {batch.base_offset})", uncaught=True)
            return
        yield client_error(problem if ran_out and problem is not None else error, batch.base_offset)


#: gzip and zstd: the client asks for one byte more after the last record, and the codec then looks at what follows.
_READS_TO_THE_END = (_GZIP, _ZSTD)


def client_error(error: FormatError | LimitExceeded, offset: int) -> ClientError:
    """What a client says of records that cannot be read.

    Raises:
        LimitExceeded: nothing is known of it.
    """
    if isinstance(error, LimitExceeded):
        raise error
    text = f"{error} (batch at offset {offset})"
    if isinstance(error, UnknownCompression):
        return ClientError("unsupported", text)
    if isinstance(error, DecompressionFailed):
        return ClientError("decompression", text)
    return ClientError("invalid-record", text)


def _legacy_offsets(batch: LegacyBatch, rules: ReadingRules) -> Iterator[int | ClientError]:
    offset = batch.last_offset
    if batch.compression_id >= rules.codecs:
        yield ClientError("unsupported", f"compression type {batch.compression_id} at offset {offset}", uncaught=True)
        return
    if not batch.compression_id and not batch.crc_ok:
        yield ClientError("crc", f"the CRC of the message at offset {offset} is wrong")
        return
    if batch.compression_id == _ZSTD:
        yield ClientError("invalid-record", f"zstd in the message at offset {offset}, whose format does not know it")
        return
    try:
        read_message(batch.data)
    except FormatError as error:
        # A wrapper is unpacked outside of what catches the errors of single messages.
        uncaught = rules.malformed_uncaught or batch.compression_id > 0
        yield ClientError("corrupt-batch", f"{error} (message at offset {offset})", uncaught)
        return
    if not batch.compression_id:
        yield offset
        return
    try:
        for message in records_of_message(shallow_message(batch.data), rules):
            if not message.valid:
                yield ClientError("crc", f"the CRC of the message at offset {message.offset} is wrong")
                return
            # Key and value are taken out before the record is handed out.
            message.check_lengths()
            yield message.offset
    except (FormatError, LimitExceeded) as error:
        yield client_error(error, offset)
