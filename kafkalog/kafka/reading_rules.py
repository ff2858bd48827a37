"""What depends on the release in reading batches and their records, gathered from the table of behaviours."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.kafka.behaviours import (
    EMPTY_MARKER_PASSES,
    HEADER_KEYS_SLICED,
    INDEX_END_SEARCHED_FIRST,
    MAGIC_READ_FIRST,
    MALFORMED_MESSAGE_UNCAUGHT,
    SIZE_CANNOT_OVERFLOW,
    SLICES_CHECKED,
    ZSTD_FRAMES_JOINED,
    ZSTD_KNOWN,
)

if TYPE_CHECKING:
    from kafkalog.core.release import Release

__all__ = ["ReadingRules", "reading_rules"]


class ReadingRules(NamedTuple):
    """How one release reads.

    Args:
        codecs: How many compression types are known: ids from 0 up to it, not included.
        sizes_overflow: Whether a size field so large that its batch would end after the 2^31st byte is believed.
        slices_checked: Whether a slice that begins after the end of the log is refused.
        zstd_ends_with_frame: Whether a zstd frame that ends where a record begins is taken for the end of the records.
        index_end_first: Whether the end of an index is searched first.
        magic_first: Whether a client looks at the magic of a batch before it asks if all of the batch is there.
        malformed_uncaught: Whether no client code catches what a malformed message of magic 0 or 1 leads to.
        empty_marker_passes: Whether a control batch without a record is passed over.
        header_keys_sliced: Whether client code catches what a header key too long for its record leads to.
    """

    codecs: int
    sizes_overflow: bool
    slices_checked: bool
    zstd_ends_with_frame: bool
    index_end_first: bool
    magic_first: bool
    malformed_uncaught: bool
    empty_marker_passes: bool
    header_keys_sliced: bool

    @property
    def without_errors(self) -> ReadingRules:
        """The same where nothing is wrong: what only says which error something is does not count."""
        return self._replace(malformed_uncaught=False, header_keys_sliced=False)


@cache
def reading_rules(release: Release) -> ReadingRules:
    """The rules of a release."""
    zstd = ZSTD_KNOWN.applies_to(release)
    return ReadingRules(
        codecs=len(COMPRESSION_TYPES) - (not zstd),
        sizes_overflow=not SIZE_CANNOT_OVERFLOW.applies_to(release),
        slices_checked=SLICES_CHECKED.applies_to(release),
        zstd_ends_with_frame=zstd and not ZSTD_FRAMES_JOINED.applies_to(release),
        index_end_first=INDEX_END_SEARCHED_FIRST.applies_to(release),
        magic_first=MAGIC_READ_FIRST.applies_to(release),
        malformed_uncaught=MALFORMED_MESSAGE_UNCAUGHT.applies_to(release),
        empty_marker_passes=EMPTY_MARKER_PASSES.applies_to(release),
        header_keys_sliced=HEADER_KEYS_SLICED.applies_to(release),
    )
