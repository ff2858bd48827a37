"""What one run of verify tells of its log dirs, so that those of other hosts can be compared with them.

That is what the comparisons take (`verify.verified`), and nothing more: whose the log dirs are, what partitions say of
themselves, and of a metadata log which topics, replicas, leader epochs and brokers there are, who led its epochs, and the heads
of its batches. Settings and credentials, which the metadata holds too, stay where they are.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkalog.files.broker import Home
from kafkalog.files.replicas import PlacedBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.files.log_dir import Identity
    from kafkalog.replay.metadata import Metadata
    from kafkalog.replay.quorum import Quorum
    from kafkalog.span import Span

__all__ = [
    "NO_HEADS",
    "BatchHeads",
    "HighestProducer",
    "Owner",
    "Told",
    "ToldLogDir",
    "ToldMetadataLog",
    "ToldPartition",
    "all_told",
]

#: Batches of a metadata log whose heads are told, the last ones: a controller that has nothing to do writes two a second.
_MOST_HEADS = 1 << 20
#: Number of the file, position, first and last offset, leader epoch, bytes, CRC as it is and as it is stored.
_HEAD = struct.Struct("<IQqqiIII")
_PIECE = 1 << 16


class BatchHeads(NamedTuple):
    """The heads of the batches of a log.

    Args:
        files: The files that they are in.
        packed: The heads of the last batches, compressed by zlib.
    """

    files: tuple[str, ...] = ()
    packed: bytes = b""

    @classmethod
    def of(cls, batches: Iterable[PlacedBatch]) -> BatchHeads:
        """The heads of the last of some batches."""
        files: dict[str, int] = {}
        heads: deque[bytes] = deque(maxlen=_MOST_HEADS)
        for at in batches:
            number = files.setdefault(at.path, len(files))
            row = number, at.position, at.base_offset, at.last_offset, at.epoch, at.size, at.crc, at.stored_crc
            heads.append(_HEAD.pack(*row))
        return cls(tuple(files), zlib.compress(b"".join(heads)))

    def batches(self) -> Iterator[PlacedBatch]:
        """What two replicas are compared by.

        Raises:
            ValueError: they are no such heads.
        """
        unpacker, left = zlib.decompressobj(), b""
        try:
            for at in range(0, len(self.packed), _PIECE):
                data = left + unpacker.decompress(self.packed[at : at + _PIECE])
                whole = len(data) - len(data) % _HEAD.size
                left = data[whole:]
                for number, position, first, last, epoch, size, crc, stored_crc in _HEAD.iter_unpack(data[:whole]):
                    yield PlacedBatch(first, last, epoch, size, crc, stored_crc, self.files[number], position)
        except (zlib.error, IndexError) as error:
            raise ValueError(str(error)) from None


NO_HEADS = BatchHeads()


class Owner(Home, Protocol):
    """A log dir, as far as its partitions are compared with those of others."""

    @property
    def clean(self) -> bool | None:
        """Whether its broker was stopped cleanly; None: nothing shows it."""

    @property
    def registration(self) -> int | None:
        """The broker epoch under which that was, since 3.7; None when nothing shows it."""


class HighestProducer(NamedTuple):
    """The largest producer id of the data batches of a log, or of its markers, and the `.log` it is in."""

    producer_id: int
    marker: bool
    path: str


@dataclass(frozen=True, slots=True)
class ToldLogDir:
    """A log dir, as far as its partitions are compared with those of others (`Owner`). `files`: its own that were checked."""

    path: str
    identity: Identity
    clean: bool | None
    registration: int | None
    partition_names: tuple[str, ...]
    files: int


@dataclass(frozen=True, slots=True)
class ToldPartition:
    """What a partition says of itself. `log_dir`: that in which it was looked at; the rest as in `PartitionClaim`."""

    path: str
    log_dir: str | None
    epoch: int | None = None
    epoch_path: str = ""
    epoch_span: Span | None = None
    producers: tuple[HighestProducer, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldMetadataLog:
    """A metadata log: what controllers say in it (None: it does not count), and what it says of their quorum.

    `log_dir`: that in which it is; the quorum is None and there are no heads where the log itself was not looked at.
    """

    path: str
    log_dir: str | None
    metadata: Metadata | None
    quorum: Quorum | None = None
    heads: BatchHeads = NO_HEADS


@dataclass(frozen=True, slots=True)
class Told:
    """What a run tells of its log dirs."""

    log_dirs: tuple[ToldLogDir, ...] = ()
    partitions: tuple[ToldPartition, ...] = ()
    metadata_logs: tuple[ToldMetadataLog, ...] = ()


def all_told(several: Iterable[Told | None]) -> Told | None:
    """What several runs tell; None where none of them does."""
    told = [one for one in several if one is not None]
    if not told:
        return None
    return Told(
        tuple(log_dir for one in told for log_dir in one.log_dirs),
        tuple(partition for one in told for partition in one.partitions),
        tuple(metadata_log for one in told for metadata_log in one.metadata_logs),
    )
