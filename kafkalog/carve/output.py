"""What was found, as partition directories: each log as a segment, or as several where it is large."""

from __future__ import annotations

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from kafkalog.carve.values import Run
from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.carve.values import FoundGroup, Piece
    from kafkalog.files.image import Image
    from kafkalog.files.output_file import NewTree

__all__ = ["write_groups"]

#: Bytes of a segment after which another one begins; Kafka's own default.
_SEGMENT = 1 << 30
_OFFSET_AND_LENGTH = BATCH_HEADER.partial("base_offset", "batch_length")


def write_groups(tree: NewTree, groups: Sequence[FoundGroup], images: Sequence[Image]) -> None:
    """Write the logs of each group to a folder of the group's name.

    Raises:
        OSError: the system refuses.
    """
    for group in groups:
        folder = tree.make_folder(group.name)
        for chain in group.chains:
            _write_log(tree, folder, _parts_of(chain, images))


def _write_log(tree: NewTree, folder: str, parts: Iterator[tuple[int, bytes]]) -> None:
    with ExitStack() as stack:
        file: IO[bytes] | None = None
        size = 0
        for base_offset, data in parts:
            if file is None or size + len(data) > _SEGMENT:
                stack.close()
                file, size = stack.enter_context(tree.file(f"{folder}/{base_offset:020d}.log")), 0
            file.write(data)
            size += len(data)


def _parts_of(chain: Sequence[Piece], images: Sequence[Image]) -> Iterator[tuple[int, bytes]]:
    """The batches of a log: the first offset of each, and its bytes."""
    for piece in chain:
        image = images[piece.image]
        if not isinstance(piece, Run):
            yield piece.base_offset, image.read(piece.start, piece.head) + image.read(piece.tail_start, piece.tail)
            continue
        first: int | None = piece.first_offset
        position = piece.start
        while position < piece.end:
            begin, data = image.window(position, _OFFSET_AND_LENGTH.size)
            stored, length = _OFFSET_AND_LENGTH.unpack_from(data, position - begin)
            size = length + LOG_OVERHEAD
            begin, data = image.window(position, size)
            # The stored offset of a wrapper of magic 0 or 1 is that of its last message.
            yield stored if first is None else first, data[position - begin : position - begin + size]
            first, position = None, position + size
