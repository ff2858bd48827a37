"""Batches that a file system has put down in two places: the end of one run and what lies before another."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kafkalog.carve.scan import is_plausible
from kafkalog.carve.values import Stitch
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LOG_OVERHEAD
from kafkalog.core.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.carve.values import Run
    from kafkalog.core.batch import BatchHeader
    from kafkalog.files.image import Image

__all__ = ["Stitcher"]

#: Runs that are tried as the one after a cut batch whose header does not tell the offset after it.
_MOST_NEXT = 16
#: Bytes before such a run in which the rest of the batch may begin, where the header does not tell its length.
_MOST_TAIL = 1 << 20
#: Bytes that may be checksummed in vain: for each byte of a run, and in all.
_PER_BYTE, _AT_FIRST = 64, 1 << 30
_OFFSET, _LENGTH = BATCH_HEADER["base_offset"], BATCH_HEADER["batch_length"]


class Stitcher:
    """Finds the ends of batches that are cut.

    A batch that begins where a run ends, and whose checksum does not fit there, goes on at the beginning of a block of the
    file system, and ends where the run with the offset after it begins. Nothing is taken whose checksum does not fit.

    Args:
        images: The images.
        runs: All runs, ascending in each image.
        block: Bytes of a block.
        max_batch: Bytes of the largest batch.
    """

    def __init__(self, images: Sequence[Image], runs: Sequence[Run], block: int, max_batch: int) -> None:
        self._images = images
        self._runs = runs
        self._block = block
        self._max_batch = max_batch
        self._budget = _AT_FIRST + _PER_BYTE * sum(run.end - run.start for run in runs)
        self._starting: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, run in enumerate(runs):
            if run.magic == 2:
                self._starting[run.image, run.first_offset].append(number)
        self._offsets = sorted(self._starting)
        #: The number of a run → the batch after it, and the number of the run after that.
        self.found: dict[int, tuple[Stitch, int]] = {}

    def run(self) -> None:
        """Find them, and mark the runs after which a batch is cut."""
        taken: set[int] = set()
        for number, run in enumerate(self._runs):
            if run.magic != 2:
                continue
            for stitch, after in self._stitches(run):
                if after not in taken and after != number:
                    taken.add(after)
                    self.found[number] = (stitch, after)
                    run.is_cut = True
                    break

    def _stitches(self, run: Run) -> Iterator[tuple[Stitch, int]]:
        image = self._images[run.image]
        to_border = -run.end % self._block or self._block
        if to_border >= BATCH_HEADER.size:
            data = image.read(run.end, BATCH_HEADER.size)
            if len(data) < BATCH_HEADER.size:
                return
            header = BATCH_HEADER.read(data)
            if header.base_offset < run.next_offset or not is_plausible(header, self._max_batch):
                return
            run.is_cut = header.base_offset == run.next_offset
            yield from self._of_whole_header(run, header, to_border)
        else:
            head = image.read(run.end, to_border)
            if head[: _OFFSET.end] == run.next_offset.to_bytes(_OFFSET.type.size, "big")[: len(head)]:
                run.is_cut = len(head) >= _OFFSET.end
                yield from self._of_cut_header(run, head)

    def _of_whole_header(self, run: Run, header: BatchHeader, to_border: int) -> Iterator[tuple[Stitch, int]]:
        size = header.batch_length + LOG_OVERHEAD
        after_it = header.base_offset + header.last_offset_delta + 1
        for after in self._starting.get((run.image, after_it), ())[:_MOST_NEXT]:
            start = self._runs[after].start
            # Both parts end, and begin, at the border of a block: that is so for all places of the cut, or for none.
            if (run.end + size - start) % self._block:
                continue
            for head in range(to_border, size, self._block):
                tail = start - (size - head)
                if tail >= 0 and self._fits(run, header, head, tail, size):
                    yield _stitch(run, header, head, tail, size), after

    def _of_cut_header(self, run: Run, head: bytes) -> Iterator[tuple[Stitch, int]]:
        """The header itself is cut: what it says is known only with what is taken for its rest."""
        image = self._images[run.image]
        for after in self._next_runs(run):
            start = self._runs[after].start
            for tail in self._tails(image, head, start):
                size = len(head) + start - tail
                joined = head + image.read(tail, BATCH_HEADER.size - len(head))
                if size < BATCH_HEADER.size or len(joined) < BATCH_HEADER.size:
                    continue
                header = BATCH_HEADER.read(joined)
                if (
                    header.batch_length + LOG_OVERHEAD == size
                    and header.base_offset + header.last_offset_delta + 1 == self._runs[after].first_offset
                    and is_plausible(header, self._max_batch)
                    and self._fits(run, header, len(head), tail, size)
                ):
                    yield _stitch(run, header, len(head), tail, size), after

    def _tails(self, image: Image, head: bytes, start: int) -> Iterator[int]:
        """Where the second part of a batch that ends at a place may begin, by the length in its header."""
        if len(head) >= _LENGTH.end:
            tail = start + len(head) - LOG_OVERHEAD - int.from_bytes(head[_LENGTH.at : _LENGTH.end], "big")
            if 0 <= tail < start and tail % self._block == 0:
                yield tail
            return
        least = max(0, start - min(_MOST_TAIL, self._max_batch))
        data = image.read(least, start - least)
        for tail in range((start - 1) // self._block * self._block, least - 1, -self._block):
            size = len(head) + start - tail
            begun = head + data[tail - least : tail - least + _LENGTH.end - len(head)]
            if begun[_LENGTH.at : _LENGTH.end] == (size - LOG_OVERHEAD).to_bytes(_LENGTH.type.size, "big", signed=True):
                yield tail

    def _next_runs(self, run: Run) -> Iterator[int]:
        """Runs that may be those after a batch of a few records, nearest offset first."""
        from bisect import bisect_right

        at = bisect_right(self._offsets, (run.image, run.next_offset))
        given = 0
        for image, offset in self._offsets[at : at + _MOST_NEXT]:
            if image != run.image:
                return
            for after in self._starting[image, offset]:
                given += 1
                if given > _MOST_NEXT:
                    return
                yield after

    def _fits(self, run: Run, header: BatchHeader, head: int, tail: int, size: int) -> bool:
        """Whether the checksum of both parts is that of the header."""
        if size > self._budget:
            return False
        self._budget -= size
        image = self._images[run.image]
        data = image.read(run.end, head) + image.read(tail, size - head)
        return len(data) == size and crc32c(memoryview(data)[ATTRIBUTES_AT:]) == header.crc


def _stitch(run: Run, header: BatchHeader, head: int, tail: int, size: int) -> Stitch:
    return Stitch(
        run.image,
        run.end,
        head,
        tail,
        size - head,
        header.base_offset,
        header.base_offset + header.last_offset_delta,
        header.records_count,
    )
