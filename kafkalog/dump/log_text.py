"""Printing a `.log` or `.checkpoint`: batch lines and record lines, in the pieces in which the real tool prints them.

The tool's reader takes any 18 bytes for the head of a batch, as long as the size is 14 or more and fits the file; where
it would throw, `ToolDied` is reported, and printing goes on with the next batch.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from kafkalog.core.attributes import CODEC_MASK, CONTROL, timestamp_type_name
from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    LOG_OVERHEAD,
    BatchHeader,
    Damage,
    RecordBatch,
)
from kafkalog.core.checksum import crc32c
from kafkalog.core.compression import inflate
from kafkalog.core.control import ABORT, COMMIT, read_control_record, read_control_type
from kafkalog.core.cursor import Cursor
from kafkalog.core.legacy import MIN_MESSAGE_SIZE
from kafkalog.core.log import SearchBudget, find_batch, only_zeros
from kafkalog.core.record import iter_headers
from kafkalog.core.record_walk import MOST_AT_ONCE, Irregular, runs
from kafkalog.core.source import HELD, Bytes, WindowedBytes, checksum, part_of
from kafkalog.dump.at_once import WINDOW, AtOnce
from kafkalog.dump.lines import codec_names, lines_of
from kafkalog.dump.lone_records import TRIES
from kafkalog.dump.passed_over import Way
from kafkalog.dump.payload import MANY_HEADERS
from kafkalog.dump.record_text import RecordText
from kafkalog.dump.reports import ConsecutiveOffsets
from kafkalog.dump.seek import nothing_wanted
from kafkalog.dump.tool_died import ToolDied, dies_within
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.kafka.java import replace_malformed
from kafkalog.kafka.log_input_stream import SizeFieldTooSmall, walk_batches
from kafkalog.kafka.reading_rules import reading_rules
from kafkalog.kafka.record_iterators import JavaMessage, records_from, records_of_batch, records_of_message, shallow_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.filters import Filters
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record
    from kafkalog.core.source import Source
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.lone_records import LoneRecords
    from kafkalog.dump.output import Output
    from kafkalog.dump.payload import Payload

__all__ = ["LogPrinter"]

_BASE_OFFSET = BATCH_HEADER.partial("base_offset")


def _header_keys(record: Record) -> Iterator[bytes]:
    """The keys of its headers as text."""
    if record.raw_headers:
        for header in iter_headers(Cursor(record.raw_headers)):
            yield replace_malformed(header.key)


class LogPrinter:
    """Prints the batches of one file.

    Args:
        dialect: Whose lines.
        output: Where they go.
        deep: Record lines are printed.
        payload: How keys and values are printed; None: they are not.
        skip_metadata: Record lines show keys and values only.
        filters: Which records are wanted.
        path: How messages name the file.
        read_on: Of a compressed batch that the real tool prints nothing of, the records before the damage are printed.
    """

    def __init__(
        self,
        dialect: Dialect,
        output: Output,
        *,
        path: str,
        deep: bool,
        payload: Payload | None,
        skip_metadata: bool,
        filters: Filters,
        read_on: bool = False,
    ) -> None:
        self._read_on = read_on
        self._unread: tuple[RecordBatch, str] | None = None
        self._began = False
        self._dialect = dialect
        self._rules = reading_rules(dialect.since)
        self._lines = lines_of(dialect)
        self._codecs = codec_names(dialect)
        self._output = output
        self._path = path
        self._deep = deep
        self._payload = payload
        self._skip_metadata = skip_metadata
        self._filters = filters
        self._filtering = filters.active
        self._show_batches = dialect.batch_always or not deep
        self.consecutive = ConsecutiveOffsets(first_is_compared=dialect.first_record_is_compared)
        self._fast: RecordText | None = None
        if output.takes_lines and (deep or self._filtering):
            self._fast = RecordText(dialect, payload if deep else None, filters, skip_metadata=skip_metadata)
        self._lone: LoneRecords | None = None
        if self._fast is not None and not (self._filtering or skip_metadata):
            self._lone = self._fast.lone_records(dialect, with_batches=self._show_batches)
        self._at_once: AtOnce | None = None
        if self._fast is not None and deep and not self._filtering and not skip_metadata and payload and payload.is_plain:
            self._at_once = AtOnce(dialect, self._codecs, self._section, with_batches=self._show_batches)

    def redirected(self, output: Output, consecutive: ConsecutiveOffsets) -> LogPrinter:
        """A copy of this printer with another output and another watch over the offsets."""
        other = copy(self)
        other._output, other.consecutive = output, consecutive  # noqa: SLF001 - a copy of this very object
        return other

    def run(self, source: Source, start: int, stop: int, end: int, way: Way | None = None) -> int:
        """Print the batches that begin from `start` on and before `stop`, of a log of `end` bytes.

        Args:
            source: The log.
            start: Where the first batch begins.
            stop: Where none begins any more.
            end: First byte that does not belong to the log.
            way: Is told of each batch.

        Returns:
            Where the last batch ends.
        """
        self._way = way or Way(lambda *_: None)
        self._budget = SearchBudget(end - start)
        position = start
        while True:
            try:
                return self._print(source, position, stop, end)
            except ToolDied as death:
                at = position if death.position is None else death.position
                self._output.die(self._path, ToolDied(death.reason, at))
                if self._unread is not None:
                    self._before_damage(*self._unread)
                resume = death.resume
                if resume is None and not only_zeros(source, at, end):
                    resume = find_batch(source, at + 1, end, budget=self._budget)
                if resume is None or resume >= stop:
                    return end if resume is None else resume
                position = resume

    def passed_over(self, source: Source, batch: Batch) -> None:
        """Print a batch that the real tool does not get to; the watch over the offsets does not see it."""
        consecutive = ConsecutiveOffsets(first_is_compared=False)
        self.redirected(self._output, consecutive).run(source, batch.position, batch.position + 1, batch.span.end)

    def _print(self, source: Source, position: int, stop: int, end: int) -> int:
        """Like `run`, up to the first place where the real tool would die."""
        at_once = self._at_once
        while at_once is not None and position < stop:
            reached = self._print_at_once(at_once, source, position, stop, end)
            if reached == position:
                limit = min(stop, position + WINDOW)
                reached = self._run(source, position, limit, end)
                at_once.bytes += reached - position
                if reached < limit:
                    return reached
            position = reached
        return self._run(source, position, stop, end)

    def _print_at_once(self, at_once: AtOnce, source: Source, position: int, stop: int, end: int) -> int:
        """Print many batches at once; returns where the last of them ends."""
        lines = at_once.lines_for(source.size)
        parts = [] if lines is None else at_once.parts(source, position, stop, end)
        if lines is None or not parts:
            return position
        try:
            text, offsets = lines.make(parts)
        except Irregular:
            return position
        if not self._way.is_right:
            self._way.at_batch(position, valid=True)
        self._output.put(text)
        if (offsets[1:] - offsets[:-1] == 1).all():
            self.consecutive.add(int(offsets[0]), int(offsets[-1]), [])
        else:
            self.consecutive.many(offsets.tolist())
        return parts[-1].position + parts[-1].size

    def _run(self, source: Source, position: int, stop: int, end: int) -> int:
        """The same, one batch after the other; those of one record in one go."""
        fruitless = 0
        while True:
            position, is_lone = self._run_on(source, position, stop, end, lone_matter=fruitless < TRIES)
            if not is_lone:
                return position
            assert self._lone is not None
            begun = position
            while True:
                text, offsets, ended = self._lone.lines(source, position, stop, end)
                if ended == position:
                    break
                position = ended
                self.consecutive.many(offsets)
                self._output.put(text)
            fruitless = fruitless + 1 if position == begun else 0

    def _run_on(self, source: Source, position: int, stop: int, end: int, *, lone_matter: bool) -> tuple[int, bool]:
        """Print batch after batch; ends with True after one of one record, where that is wanted: more may follow."""
        read_header = BATCH_HEADER.read
        head_size = BATCH_HEADER.size
        places = walk_batches(source, position, end, stop=stop, sizes_overflow=self._rules.sizes_overflow)
        window, view = b"", memoryview(b"")
        way, end_offset = self._way, self._filters.end_offset
        lone_matter = lone_matter and self._lone is not None
        try:
            for start, _, size, magic, data, at in places:
                position = start + size
                if data is not window:
                    window, view = data, memoryview(data)
                if position > end:
                    self._way.at_batch(start, valid=False)
                    self._overflowing(data, at, magic)
                    raise ToolDied(f"record size {size - LOG_OVERHEAD} reaches beyond the file", start)
                if len(data) - at < size:
                    if size > HELD:
                        self._large(WindowedBytes(source, start, size), start, size, magic)
                        continue
                    begin, data = source.window(start, max(size, head_size))  # noqa: PLW2901 - a larger one
                    window, view, at = data, memoryview(data), start - begin  # noqa: PLW2901
                if magic >= 2 and size >= head_size:
                    header = read_header(data, at)
                    valid = crc32c(view[at + ATTRIBUTES_AT : at + size]) == header.crc
                    if not (valid and way.is_right):
                        way.at_batch(start, valid=valid)
                    if end_offset is not None and valid and header.base_offset >= end_offset:
                        end_offset = None
                        self._output.flush()
                        if nothing_wanted(source, start, stop, self._filters):
                            return stop, False
                    self._batch(data, at, header, start, size, valid=valid)
                    if lone_matter and valid and header.records_count == 1:
                        return position, True
                else:
                    with dies_within(start, position):
                        self._odd(data[at : at + max(size, head_size)], start, size, magic)
        except SizeFieldTooSmall as error:
            raise ToolDied(f"record size {error.size}, at least {MIN_MESSAGE_SIZE} needed", error.position) from None
        return position, False

    def _large(self, data: WindowedBytes, position: int, size: int, magic: int) -> None:
        """A batch that is read in windows."""
        if magic >= 2:
            header = BATCH_HEADER.read(data[: BATCH_HEADER.size])
            valid = checksum(crc32c, data, ATTRIBUTES_AT) == header.crc
            self._way.at_batch(position, valid=valid)
            self._batch(data, 0, header, position, size, valid=valid)
            return
        with dies_within(position, position + size):
            self._odd(data, position, size, magic)

    def _overflowing(self, data: bytes, at: int, magic: int) -> None:
        """What old releases print of a batch that claims to end beyond 2**31."""
        if not self._show_batches:
            return
        if magic >= 2 and len(data) - at >= BATCH_HEADER.size:
            self._output.piece(self._lines.batch_head(BATCH_HEADER.read(data, at)))
        elif magic < 2:
            self._output.piece(f"offset: {_BASE_OFFSET.unpack_from(data, at)[0]}")

    # --- magic 2 and above ---

    def _batch(self, data: Bytes, at: int, header: BatchHeader, position: int, size: int, *, valid: bool) -> None:
        codec_id = header.attributes & CODEC_MASK
        if codec_id >= len(self._codecs):
            if self._show_batches:
                self._output.piece(self._lines.batch_head(header))
            raise ToolDied(f"compression type id {codec_id}", position, position + size)
        codec = self._codecs[codec_id]
        if self._filtering:
            self._filtered_batch(part_of(data, at, at + size), header, position, codec, valid=valid)
            return
        if self._show_batches:
            self._output.line(self._lines.batch(header, position, size, codec, valid))
        if not self._deep:
            return
        if self._fast is not None and self._fast_records(data, at, header, position, size, codec):
            return
        batch = RecordBatch(header, position, part_of(data, at, at + size))
        self._began = False
        try:
            with dies_within(position, position + size):
                self._readable_records(batch, records_of_batch(batch, self._rules), codec)
        except ToolDied:
            if self._read_on and not self._began:
                self._unread = batch, codec
            raise

    def _before_damage(self, batch: RecordBatch, codec: str) -> None:
        """Print the records of a batch up to its damage; the watch over the offsets does not see them."""
        self._unread = None
        try:
            for record in batch.walk_records():
                if not isinstance(record, Damage):
                    self._record(batch, record, codec)
        except ToolDied as death:
            self._output.die(self._path, ToolDied(death.reason, batch.position))

    def _readable_records(self, batch: RecordBatch, records: Iterator[Record], codec: str) -> None:
        for record in records:
            self._began = True
            self.consecutive.one(record.offset)
            self._record(batch, record, codec)
            del record  # it may be large, and so may be the next one

    def _fast_records(self, data: Bytes, at: int, header: BatchHeader, position: int, size: int, codec: str) -> bool:
        """Print the records of a regular batch at once; False: it must go the readable way."""
        found = self._section(data, at, header, size)
        if found is None:
            return False
        section, begin, stop = found
        if header.records_count > MOST_AT_ONCE or isinstance(section, WindowedBytes):
            batch = RecordBatch(header, position, part_of(data, at, at + size))
            return self._runs(batch, None if section is data else section, codec)
        return self._fast_run(section, begin, stop, header, position, size, codec, header.records_count)

    def _section(self, data: Bytes, at: int, header: BatchHeader, size: int) -> tuple[Bytes, int, int] | None:
        """The (decompressed) records of a batch, and where in it they begin and end; None: they must go the readable way."""
        if header.records_count <= 0 or header.attributes & CONTROL:
            return None
        begin, stop = at + BATCH_HEADER.size, at + size
        if not header.attributes & CODEC_MASK:
            return data, begin, stop
        try:
            result = inflate(header.attributes & CODEC_MASK, part_of(data, begin, stop))
        except (FormatError, LimitExceeded):
            return None
        if result.problem is not None or (self._rules.zstd_ends_with_frame and len(result.frame_ends) > 1):
            return None
        return result.data, 0, len(result.data)

    def _fast_run(
        self, data: Any, begin: int, stop: int, header: BatchHeader, position: int, size: int, codec: str, count: int
    ) -> bool:
        """Print `count` regular records that fill a range of bytes; False: not one of them was printed."""
        assert self._fast is not None
        made = self._fast.make(data, begin, stop, header, position, size, codec, count)
        if made is None:
            return False
        text, offsets = made
        if self._at_once is not None:
            self._at_once.records += len(offsets)
        self.consecutive.many(offsets)
        self._output.put(text)
        return True

    def _runs(self, batch: RecordBatch, section: Bytes | None, codec: str) -> bool:
        """Print the records of a large batch, a run at a time; False: it must go the readable way.

        Args:
            batch: The batch.
            section: Its decompressed records; None when it is not compressed.
            codec: The codec's name in the dialect's spelling.
        """
        header, count = batch.header, batch.header.records_count
        data, at, index = (batch.data, BATCH_HEADER.size, 0) if section is None else (section, 0, 0)
        if section is not None and not self._fills(batch, section):
            return False  # such a batch gives all or none
        with dies_within(batch.position, batch.position + batch.size):
            for run in runs(data, at, count):
                place, at = run.begin + run.start, run.begin + run.end
                number = max(1, run.records)
                ends_early = index + number == count and at != len(data)
                if (
                    ends_early
                    or not run.records
                    or not self._fast_run(*run[:3], header, batch.position, batch.size, codec, number)
                ):
                    self._readable_records(batch, records_from(batch, data, place, index, number), codec)
                index += number
            self._readable_records(batch, records_from(batch, data, at, index), codec)
        return True

    @staticmethod
    def _fills(batch: RecordBatch, section: Bytes) -> bool:
        """Whether the records can be read and fill the decompressed section."""
        left, at = batch.header.records_count, 0
        for run in runs(section, 0, left):
            try:
                if not run.records:
                    batch.record_at(section, run.begin + run.start)
            except (FormatError, LimitExceeded):
                return False
            left, at = left - max(1, run.records), run.begin + run.end
        return not left and at == len(section)

    def _filtered_batch(self, data: Bytes, header: BatchHeader, position: int, codec: str, *, valid: bool) -> None:
        """A batch of which only some records are wanted: its line stands if any is."""
        filters = self._filters
        batch = RecordBatch(header, position, data)
        if not filters.producer_passes(header.producer_id):
            self._output.flush()
            return
        if valid and not filters.batch_may_pass(header.base_offset, batch.last_offset, header.max_timestamp):
            self._output.flush()  # what was wanted, before more of it is looked for
            return
        if self._fast is not None and self._fast_wanted(batch, codec, valid=valid):
            return
        shown = False
        with dies_within(position, position + len(data)):
            for record in records_of_batch(batch, self._rules):
                if not filters.passes(record):
                    continue
                if not shown and self._show_batches:
                    self._output.line(self._lines.batch(header, position, len(data), codec, valid))
                shown = True
                if self._deep:
                    self._record(batch, record, codec)
                elif self._show_batches:
                    break

    def _fast_wanted(self, batch: RecordBatch, codec: str, *, valid: bool) -> bool:
        """Print a regular batch and its wanted records, if there are any; False: it must go the readable way."""
        assert self._fast is not None
        data, header, position, count = batch.data, batch.header, batch.position, batch.header.records_count
        if count > MOST_AT_ONCE or isinstance(data, WindowedBytes):
            return False
        section, begin, stop = self._section(data, 0, header, len(data)) or (None, 0, 0)
        if section is None or isinstance(section, WindowedBytes):
            return False
        made = self._fast.make(section, begin, stop, header, position, len(data), codec, count)
        if made is None:
            return False
        text, offsets = made
        if not offsets:
            self._output.flush()  # what was wanted, before more of it is looked for
            return True
        if self._show_batches:
            self._output.line(self._lines.batch(header, position, len(data), codec, valid))
        if self._deep:
            self._output.put(text)
        return True

    def _record(self, batch: RecordBatch, record: Record, codec: str) -> None:
        """One record line, the readable way."""
        output = self._output
        header = batch.header
        prefix = self._dialect.record_prefix
        if not self._skip_metadata:
            many_headers = len(record.raw_headers) > MANY_HEADERS
            values: dict[str, Any] = {
                "offset": record.offset,
                "timestamp": record.timestamp,
                "key_size": -1 if record.key is None else len(record.key),
                "value_size": -1 if record.value is None else len(record.value),
                "sequence": batch.sequence_of(record),
                "header_keys": b"" if many_headers else b",".join(_header_keys(record)),
            }
            template = self._lines.record_template(header, batch.position, batch.size, codec).encode()
            names = self._lines.record_values
            if many_headers and "header_keys" in names:
                # Too many to be put in a line that is made as a whole.
                at = names.index("header_keys")
                front, _, template = template.partition(b"%b")
                output.put(front % tuple(values[name] for name in names[:at]))
                for number, key in enumerate(_header_keys(record)):
                    output.put(b"," + key if number else key)
                names = names[at + 1 :]
            output.put(template % tuple(values[name] for name in names))
            prefix = " "
            if batch.is_control:
                output.piece(self._control_text(record))
        if self._payload is not None and not batch.is_control:
            self._print_payload(prefix, record.offset, record.key, record.value)
        output.put(b"\n")

    def _print_payload(self, prefix: str, offset: int, key: bytes | None, value: bytes | None) -> None:
        assert self._payload is not None
        key_text, value_text = self._payload.texts(offset, key, value)
        if key_text is not None:
            self._output.put(prefix.encode() + b"key: ")
            self._output.put_all(key_text)
            prefix = " "
        if value_text is not None:
            bar = prefix if self._dialect.bar_before_payload else " "
            self._output.put(bar.encode() + b"payload: ")
            self._output.put_all(value_text)

    def _control_text(self, record: Record) -> str:
        """What follows the fields of a control record."""
        try:
            _, type_id = read_control_type(record.key)
            known = self._dialect.controls
            if 0 <= type_id < len(known) and (type_id in (ABORT, COMMIT) or known[type_id].json_text is not None):
                fields = read_control_record(record.key, record.value).fields
        except FormatError as error:
            raise ToolDied(f"control record of offset {record.offset}: {error}") from None
        if type_id in (ABORT, COMMIT):
            return f" endTxnMarker: {known[type_id].name} coordinatorEpoch: {fields['coordinatorEpoch']}"
        if not 0 <= type_id < len(known):
            return f" controlType: UNKNOWN({type_id})"
        control = known[type_id]
        if control.json_text is None:
            return f" controlType: {control.name}({type_id})"
        import json

        from kafkalog.core.properties import format_uuid

        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=format_uuid)
        return f" {control.json_text}{text}"

    # --- magic 0 and 1, and what is too short to be magic 2 ---

    def _odd(self, data: Bytes, position: int, size: int, magic: int) -> None:
        if magic >= 2:
            self._way.at_batch(position, valid=False)
            self._short_batch(data, position, size, magic)
            return
        outer = shallow_message(part_of(data, 0, size))
        self._way.at_batch(position, valid=magic >= 0 and outer.valid)
        if self._filtering:
            self._filtered_message(outer, position, size, magic)
        else:
            if self._show_batches:
                self._message_batch_line(outer, position, size, magic)
            if self._deep:
                self._messages(outer, position, size, magic, None)

    def _short_batch(self, data: Bytes, position: int, size: int, magic: int) -> None:
        """A magic 2 batch shorter than its header: the fields are read from the bytes after it."""
        if len(data) < BATCH_HEADER.size:
            raise ToolDied(f"{len(data)} bytes are left, a batch header has {BATCH_HEADER.size}")
        header = BATCH_HEADER.read(data[: BATCH_HEADER.size])
        if self._show_batches:
            self._output.piece(self._lines.batch_head(header))
            codec = self._codec(header.attributes & CODEC_MASK)
            kind = timestamp_type_name(header.attributes)
            tail = self._lines.tail(
                position, kind, header.max_timestamp, valid=False, size=size, magic=magic, codec=codec, crc=header.crc
            )
            self._output.line(" " + tail)
        if self._deep:
            raise ToolDied(f"a batch of {size} bytes, its header alone has {BATCH_HEADER.size}")

    def _codec(self, codec_id: int) -> str:
        if codec_id >= len(self._codecs):
            raise ToolDied(f"compression type id {codec_id}")
        return self._codecs[codec_id]

    def _message_batch_line(self, outer: JavaMessage, position: int, size: int, magic: int) -> None:
        self._output.piece(f"offset: {outer.offset}")
        if magic < 0:
            raise ToolDied(f"magic {magic}, known are 0, 1 and 2")
        tail = self._lines.tail(
            position, outer.timestamp_type, outer.timestamp, outer.valid, size, magic, self._codec(outer.codec_id), outer.crc
        )
        self._output.line(" " + tail)

    def _messages(self, outer: JavaMessage, position: int, size: int, magic: int, wanted: Iterator[JavaMessage] | None) -> None:
        """The record lines of a message or wrapper; `wanted`: only these."""
        codec = self._codec(outer.codec_id)
        first: int | None = None
        for message in records_of_message(outer, self._rules) if wanted is None else wanted:
            first = message.offset if first is None else first
            if wanted is None:
                self.consecutive.one(message.offset)
            prefix = self._dialect.record_prefix
            if not self._skip_metadata:
                line = self._lines.legacy_record(
                    message.offset, outer.timestamp_type, message.timestamp, message.key_size, message.value_size,
                    message.crc, message.valid, first, outer.offset, size, magic, codec, position,
                )  # fmt: skip
                self._output.piece(line)
                prefix = " "
            if self._payload is not None:
                key = message.key if message.key_size >= 0 else None
                self._print_payload(prefix, message.offset, key, message.value)
            self._output.put(b"\n")

    def _filtered_message(self, outer: JavaMessage, position: int, size: int, magic: int) -> None:
        if not self._filters.producer_passes(-1):
            return
        # Gone over twice, for there may be too many to be held.
        if not sum(1 for _ in self._wanted(outer)):
            return
        if self._show_batches:
            self._message_batch_line(outer, position, size, magic)
        if self._deep:
            self._messages(outer, position, size, magic, self._wanted(outer))

    def _wanted(self, outer: JavaMessage) -> Iterator[JavaMessage]:
        for message in records_of_message(outer, self._rules):
            if self._filters.values_pass(message.offset, message.timestamp, message.key):
                yield message
