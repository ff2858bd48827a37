"""What `carve` finds: frozen values, which the text and the JSON lines show under the same names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Carved", "FoundGroup", "Piece", "Run", "Shape", "Skipped", "Stitch"]

#: Producer ids that are kept of a run.
MOST_PRODUCERS = 16


class Shape(NamedTuple):
    """What the records of a run look like, by those of its first batch.

    Args:
        value: `json`, `schema`, `text`, `null`, `bytes`; "" where there is none, or it cannot be read.
        detail: Of JSON the names in the object, of `schema` (Confluent's framing) the schema id.
        key: The same of the keys.
    """

    value: str = ""
    detail: str = ""
    key: str = ""

    @property
    def is_strong(self) -> bool:
        """Whether two logs that look like this are likely of one topic."""
        return bool(self.detail)


NO_SHAPE = Shape()


@dataclass(slots=True)
class Run:
    """Sound batches that follow each other without a gap, with rising offsets.

    Args:
        image: Number of the image.
        start: Where it begins there.
        first_offset: Its first offset.
        first_crc: Checksum of its first batch.
        magic: Message format version.
        first_epoch: Leader epoch of its first batch.
        end: Where it ends.
        next_offset: The offset after its last one.
        batches: How many batches.
        records: Records in them, by their headers.
        last_epoch: Leader epoch of its last batch.
        producers: Producer ids, up to 16 of them.
        first_timestamp: Least base timestamp ≥ 0, milliseconds; None: there is none.
        last_timestamp: Largest timestamp ≥ 0.
        codecs: Ids of codecs.
        is_live: Whether its batches are among those that need not be found.
        shape: What its records look like.
        copies: How many other runs hold the same bytes.
        is_cut: Whether a batch begins where it ends whose rest is not there.
    """

    image: int
    start: int
    first_offset: int
    first_crc: int
    magic: int
    first_epoch: int
    end: int = 0
    next_offset: int = 0
    batches: int = 0
    records: int = 0
    last_epoch: int = -1
    producers: set[int] = field(default_factory=set)
    first_timestamp: int | None = None
    last_timestamp: int | None = None
    codecs: set[int] = field(default_factory=set)
    is_live: bool = False
    shape: Shape = NO_SHAPE
    copies: int = 0
    is_cut: bool = False


class Stitch(NamedTuple):
    """A batch of which one part lies where a run ends, and the other where another run begins.

    Args:
        image: Number of the image.
        start: Where the first part begins.
        head: Bytes of it.
        tail_start: Where the second part begins.
        tail: Bytes of it.
        base_offset: First offset.
        last_offset: Last offset.
        records: Records, by the header.
    """

    image: int
    start: int
    head: int
    tail_start: int
    tail: int
    base_offset: int
    last_offset: int
    records: int


#: What a log is put together from.
Piece = Run | Stitch


class Skipped(NamedTuple):
    """Bytes that were not looked through, and the kind of why: `budget` or `unreadable`."""

    image: int
    start: int
    end: int
    kind: str


@dataclass(slots=True)
class FoundGroup:
    """Logs that are taken for those of one partition.

    Args:
        name: Name of the directory that they are written to.
        chains: The logs, each of pieces with rising offsets and none missing between them.
        why: What says that they are of one partition.
        guess: The partition that it looks like; None: nothing was given to compare with, or none fits alone.
        guess_why: Why.
    """

    name: str
    chains: list[list[Piece]]
    why: list[str] = field(default_factory=list)
    guess: str | None = None
    guess_why: list[str] = field(default_factory=list)

    @property
    def _runs(self) -> list[Run]:
        return [piece for chain in self.chains for piece in chain if isinstance(piece, Run)]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """First and last offset of each of its logs."""
        found = []
        for chain in self.chains:
            runs = [piece for piece in chain if isinstance(piece, Run)]
            found.append((runs[0].first_offset, runs[-1].next_offset - 1))
        return found

    @property
    def missing(self) -> list[tuple[int, int]]:
        """First and last of the offsets that are missing between its logs."""
        pairs = zip(self.offsets, self.offsets[1:], strict=False)
        return [(last + 1, first - 1) for (_, last), (first, _) in pairs if first > last + 1]

    @property
    def batches(self) -> int:
        """How many batches."""
        return sum(piece.batches if isinstance(piece, Run) else 1 for chain in self.chains for piece in chain)

    @property
    def records(self) -> int:
        """Records in them, by their headers."""
        return sum(piece.records for chain in self.chains for piece in chain)

    @property
    def size(self) -> int:
        """Bytes of them."""
        return sum(
            piece.end - piece.start if isinstance(piece, Run) else piece.head + piece.tail
            for chain in self.chains
            for piece in chain
        )

    @property
    def time_range(self) -> tuple[int, int] | None:
        """First and last timestamp ≥ 0, milliseconds; None: there is none."""
        first = min((run.first_timestamp for run in self._runs if run.first_timestamp is not None), default=None)
        last = max((run.last_timestamp for run in self._runs if run.last_timestamp is not None), default=None)
        return None if first is None or last is None else (first, last)


@dataclass(slots=True)
class Carved:
    """All that was found.

    Args:
        images: The paths.
        out: The new directory.
        groups: Groups of logs, in the order of their names.
        runs: How many runs.
        batches: Batches in them, stitched ones included.
        records: Records in them.
        found_bytes: Bytes of them.
        searched_bytes: Bytes that were looked through.
        live_batches: Batches that are left out because the directory given as `live` has them.
        copies: Runs that are left out because the same bytes are in another one.
        cut: Batches whose end was not where it should be.
        stitched: Those whose end was found.
        skipped: Bytes that were not looked through.
        flat_bytes: Of a sample, how many bytes were as random as those of encrypted or compressed data.
        sampled_bytes: Bytes of the sample.
    """

    images: tuple[str, ...]
    out: str
    groups: list[FoundGroup] = field(default_factory=list)
    runs: int = 0
    batches: int = 0
    records: int = 0
    found_bytes: int = 0
    searched_bytes: int = 0
    live_batches: int = 0
    copies: int = 0
    cut: int = 0
    stitched: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    flat_bytes: int = 0
    sampled_bytes: int = 0
