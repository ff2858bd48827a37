"""Which batches are printed many at once: ordinary ones, one after the other, in logs with so many records that it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.attributes import CODEC_MASK, CONTROL
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LEAST_BATCH_LENGTH, LOG_OVERHEAD
from kafkalog.core.checksum import crc32c
from kafkalog.core.record_walk import MOST_AT_ONCE, SAFE_BASE
from kafkalog.dump.record_text import MAX_SEQUENCE, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.batch import BatchHeader
    from kafkalog.core.source import Bytes, Source
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.many_lines import ManyLines

__all__ = ["AtOnce"]

#: Records from which on it makes up for the fifth of a second that importing numpy and pyarrow takes, as
#: `benchmarks/dump.py` measures.
LINES_PAY_FROM = 500_000
#: Bytes, stored or decompressed, that are gone over at once, and bytes that are printed one batch after the other before the
#: next try.
WINDOW = 2 << 20
#: Records that are worth it, and records of a batch, on average of so many batches as are looked at before that is asked.
_FEW = 500
_FEW_IN_BATCH = 8
_ASKED_AFTER = 32


class AtOnce:
    """Finds such batches. What has been learned of a log is shared by all who print it.

    Args:
        dialect: Whose lines are printed.
        codecs: The names of the codecs that its releases know.
        section: Gives the decompressed records of a batch: `LogPrinter._section`.
        with_batches: The batches have lines, too.
    """

    def __init__(
        self,
        dialect: Dialect,
        codecs: tuple[str, ...],
        section: Callable[[Bytes, int, BatchHeader, int], tuple[Bytes, int, int] | None],
        *,
        with_batches: bool,
    ) -> None:
        self._dialect = dialect
        self._codecs = codecs
        self._section = section
        self._with_batches = with_batches
        self._lines: ManyLines | None = None
        self._is_installed = True
        #: Records and bytes that were printed one batch after the other.
        self.records = self.bytes = 0

    def lines_for(self, size: int) -> ManyLines | None:
        """What makes the lines of many batches, where that pays in a log of so many bytes, and what it needs is installed."""
        if self._lines is None and self._is_installed and self.records * size >= LINES_PAY_FROM * max(1, self.bytes):
            try:
                from kafkalog.dump.many_lines import ManyLines
            except ImportError:
                self._is_installed = False
            else:
                self._lines = ManyLines(self._dialect, with_batches=self._with_batches)
        return self._lines

    def parts(self, source: Source, position: int, stop: int, end: int) -> list[Part]:
        """Sound, ordinary batches from a position on, without a hole between them; none where they are few.

        Args:
            source: The log.
            position: Where the first one begins.
            stop: Where none begins any more.
            end: First byte that does not belong to the log.
        """
        begin, data = source.window(position, min(WINDOW, end - position))
        view = memoryview(data)
        found: list[Part] = []
        records = size_of_all = 0
        while position < stop and records < MOST_AT_ONCE and size_of_all < WINDOW:
            at = position - begin
            if len(data) - at < BATCH_HEADER.size:
                break
            header = BATCH_HEADER.read(data, at)
            size = header.batch_length + LOG_OVERHEAD
            if position + size > end or at + size > len(data) or not self._is_ordinary(header):
                break
            if crc32c(view[at + ATTRIBUTES_AT : at + size]) != header.crc:
                break
            section = self._section(data, at, header, size)
            if section is None or not isinstance(section[0], bytes):
                break
            codec = self._codecs[header.attributes & CODEC_MASK]
            found.append(Part(header, position, size, codec, section[0], section[1], section[2]))
            position += size
            records += header.records_count
            size_of_all += section[2] - section[1]
            if len(found) == _ASKED_AFTER and records < _FEW_IN_BATCH * _ASKED_AFTER:
                return []
        return found if records >= _FEW else []

    def _is_ordinary(self, header: BatchHeader) -> bool:
        return (
            header.magic == 2
            and header.batch_length >= LEAST_BATCH_LENGTH
            and 0 < header.records_count <= MOST_AT_ONCE
            and not header.attributes & CONTROL
            and header.attributes & CODEC_MASK < len(self._codecs)
            and -SAFE_BASE < header.base_offset < SAFE_BASE
            and -SAFE_BASE < header.base_timestamp < SAFE_BASE
            and (header.base_sequence < 0 or header.base_sequence + header.last_offset_delta <= MAX_SEQUENCE)
        )
