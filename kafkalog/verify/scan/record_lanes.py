"""The look at the records of many ordinary batches at once. Importing it needs numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import CODEC_MASK, LOG_APPEND_TIME
from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD
from kafkalog.core.compression import inflate
from kafkalog.core.dates import ANCIENT_MS
from kafkalog.core.lanes import PAD, count_all, headers_at, integers
from kafkalog.core.record_walk import Irregular
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.lanes import Headers, Ints
    from kafkalog.verify.scan.records import RecordLook

__all__ = ["LanesLook"]

#: Batches from which on it costs less to look at all at once than at one after the other.
_FEW = 4
#: Decompressed bytes that are held.
_HELD = 2 << 20


class _Group(NamedTuple):
    """Some of the batches, by their `numbers` among those that wait; their records lie in `data`, from `start` to `end`."""

    numbers: Ints
    data: bytes | bytearray
    start: Ints
    end: Ints


class LanesLook:
    """Lets batches wait, and looks at all of them at once: what is noted and said of them is what a `RecordLook` does.

    Args:
        look: Looks at each batch of which something is to be noted or said, or may be.
    """

    def __init__(self, look: RecordLook) -> None:
        self._look = look
        self.waiting = look.waiting

    def settle(self, data: bytearray, begin: int) -> None:
        """Look at the batches that are waiting, in the order of the log; `data`, where they are, begins at `begin` in it."""
        waiting = self.waiting
        if not waiting:
            return
        if self._look.keys is not None and self._look.keys.wants_more:
            self._look.settle(data, begin)
            return
        places = [batch[0] for batch in waiting]
        headers = headers_at(data, places)
        left = set(range(len(places)))
        keyless: list[int] = []
        if len(places) >= _FEW:
            for group in self._groups(data, places, headers):
                try:
                    fine, without_key = self._fine(group, headers)
                except Irregular:
                    continue
                left.difference_update(fine.tolist())
                keyless += without_key[:1].tolist()
        for number in sorted({*left, *keyless}):
            if number in left:
                self._look.look_at_ordinary(data, waiting[number], begin)
            elif self._look.first_keyless is None:
                self._look.first_keyless = int(headers[number]["base_offset"])
        waiting.clear()

    def _groups(self, data: bytearray, places: list[int], headers: Headers) -> Iterator[_Group]:
        start = integers(places) + BATCH_HEADER.size
        end = integers(places) + LOG_OVERHEAD + headers["batch_length"]
        codecs = headers["attributes"] & CODEC_MASK
        plain = (codecs == 0).nonzero()[0]
        if len(plain):
            yield _Group(plain, data, start[plain], end[plain])
        numbers: list[int] = []
        ends: list[int] = [0]
        parts: list[bytes] = []
        view = memoryview(data)
        rest = codecs.nonzero()[0]
        for number, codec, at, stop in zip(*(a.tolist() for a in (rest, codecs[rest], start[rest], end[rest])), strict=True):
            try:
                section = inflate(codec, bytes(view[at:stop]))
            except (FormatError, LimitExceeded):
                continue
            if section.problem is not None or not isinstance(section.data, bytes):
                continue
            numbers.append(number)
            parts.append(section.data)
            ends.append(ends[-1] + len(section.data))
            if ends[-1] >= _HELD:
                yield self._joined(numbers, parts, ends)
                numbers, parts, ends = [], [], [0]
        if numbers:
            yield self._joined(numbers, parts, ends)

    @staticmethod
    def _joined(numbers: list[int], parts: list[bytes], ends: list[int]) -> _Group:
        return _Group(integers(numbers), b"".join([*parts, bytes(PAD)]), integers(ends[:-1]), integers(ends[1:]))

    def _fine(self, group: _Group, headers: Headers) -> tuple[Ints, Ints]:
        """The numbers of the batches that need no look, and of those among them that have records without a key.

        Nothing would be said of them; of what is noted the tombstones are counted here.

        Raises:
            Irregular: each of them needs a look.
        """
        of = headers[group.numbers]
        count, delta = integers(of["records_count"]), integers(of["last_offset_delta"])
        base_time, time = integers(of["base_timestamp"]), integers(of["max_timestamp"])
        found = count_all(group.data, group.start, group.end, count)
        fine = (
            (found.next_delta <= delta + 1)
            & (found.backward == 0)
            & ((found.gaps == 0) | (count <= delta))
            & ((base_time + found.largest == time) | (of["attributes"] & LOG_APPEND_TIME != 0))
            & (base_time + found.smallest >= ANCIENT_MS)
        )
        if self._look.compacted:
            fine &= found.null_keys == 0
        self._look.tombstones += int(found.null_values[fine].sum())
        return group.numbers[fine], group.numbers[fine & (found.null_keys > 0)]
