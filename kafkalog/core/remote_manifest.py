"""The manifest that Aiven's plug-in for tiered storage writes beside each segment: how that was cut, packed and encrypted.

A segment's log is cut into chunks of one size; each is compressed with zstd, if at all, then encrypted, if at all, and all
follow each other in the object `.log`. The indexes follow each other in the object `.indexes`, encrypted alone.

Source: SegmentManifestV1, FixedSizeChunkIndex, VariableSizeChunkIndex and ChunkSizesBinaryCodec of Aiven's
tiered-storage-for-apache-kafka 1.0, and objects that it wrote.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple

from kafkalog.core.compression import zstd_pieces
from kafkalog.core.cursor import Cursor
from kafkalog.core.spoken import listed
from kafkalog.errors import FormatError

__all__ = ["INDEXES", "ChunkIndex", "Manifest", "Part", "RemoteMetadata", "read_manifest"]

#: What the manifest calls each index → how Kafka calls the file.
INDEXES = {
    "offset": ".index",
    "timestamp": ".timeindex",
    "producerSnapshot": ".snapshot",
    "leaderEpoch": ".leader_epoch_checkpoint",
    "transaction": ".txnindex",
}
_VERSION = "1"
#: Bytes that sizes of chunks may take, unpacked, and the largest chunk: the plug-in's own limits are of this order.
_MOST_SIZES = 64 << 20
_MOST_CHUNK = 1 << 30
_MOST_SIZE = 0x7FFFFFFF


class Part(NamedTuple):
    """Bytes of an object."""

    position: int
    size: int


class ChunkIndex(NamedTuple):
    """How a log was cut: into chunks of `chunk_size` bytes, the last one of what is left of `original_size`.

    `sizes` are those in the object `.log`, in their order.
    """

    chunk_size: int
    original_size: int
    sizes: tuple[int, ...]

    @property
    def stored_size(self) -> int:
        """Bytes of the object `.log`."""
        return sum(self.sizes)

    def original(self, number: int) -> Part:
        """Where a chunk is in the log."""
        begin = number * self.chunk_size
        return Part(begin, min(self.chunk_size, self.original_size - begin))


class RemoteMetadata(NamedTuple):
    """What Kafka knew of the segment when it was copied; offsets are the first one and the last one, both included."""

    segment_id: str
    topic: str
    topic_id: str
    partition: int
    start_offset: int
    end_offset: int


class Manifest(NamedTuple):
    """A manifest. `indexes` by the suffix of Kafka's file; `data_key` is "" where nothing is encrypted."""

    chunks: ChunkIndex
    indexes: dict[str, Part]
    is_compressed: bool
    data_key: str
    aad: bytes
    metadata: RemoteMetadata

    @property
    def key_id(self) -> str:
        """Which key its own key is encrypted with; "" where nothing is encrypted."""
        return self.data_key.partition(":")[0]


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        FormatError: it is none, or of a version that is not known.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is no JSON: {error}") from None
    version = found.get("version") if isinstance(found, dict) else None
    if version != _VERSION:
        raise FormatError(f"is of version {version!r}, and {_VERSION!r} is known", "version")
    encryption = found.get("encryption")
    return Manifest(
        chunks=_chunks(_object(found, "chunkIndex")),
        indexes=dict(_indexes(_object(found, "segmentIndexes"))),
        is_compressed=bool(found.get("compression")),
        data_key="" if encryption is None else _text(encryption, "dataKey"),
        aad=b"" if encryption is None else _base64(encryption, "aad"),
        metadata=_metadata(_object(found, "remoteLogSegmentMetadata")),
    )


def _metadata(found: dict[str, Any]) -> RemoteMetadata:
    segment = _object(found, "remoteLogSegmentId")
    place = _object(segment, "topicIdPartition")
    partition = _object(place, "topicPartition")
    return RemoteMetadata(
        segment_id=_text(segment, "id"),
        topic=_text(partition, "topic"),
        topic_id=_text(place, "topicId"),
        partition=_number(partition, "partition"),
        start_offset=_number(found, "startOffset", (1 << 63) - 1),
        end_offset=_number(found, "endOffset", (1 << 63) - 1),
    )


def _indexes(found: dict[str, Any]) -> list[tuple[str, Part]]:
    return [
        (suffix, Part(_number(found[name], "position"), _number(found[name], "size")))
        for name, suffix in INDEXES.items()
        if found.get(name) is not None
    ]


def _chunks(found: dict[str, Any]) -> ChunkIndex:
    size, whole = _number(found, "originalChunkSize", _MOST_CHUNK), _number(found, "originalFileSize")
    if not size:
        raise FormatError("is 0", "originalChunkSize")
    count = -(-whole // size)
    kind = _text(found, "type")
    if kind == "fixed":
        each, last = _number(found, "transformedChunkSize"), _number(found, "finalTransformedChunkSize")
        sizes = (each,) * (count - 1) + (last,) * bool(count)
    elif kind == "variable":
        sizes = _sizes(_base64(found, "transformedChunks"))
    else:
        raise FormatError(f"is {kind!r}, not {listed(['fixed', 'variable'], 2)}", "type")
    if len(sizes) != count or min(sizes, default=0) < 0:
        raise FormatError(f"has {len(sizes)} sizes for the {count} chunks of {whole} bytes", "transformedChunks")
    return ChunkIndex(size, whole, sizes)


def _sizes(packed: bytes) -> tuple[int, ...]:
    """Sizes of chunks: each as what it is more than the smallest, in as few bytes as that takes, and the last one by itself."""
    data = b""
    try:
        for piece in zstd_pieces(packed):
            data += piece
            if len(data) > _MOST_SIZES:
                raise FormatError(f"takes more than {_MOST_SIZES} bytes", "transformedChunks")
    except EOFError:
        raise FormatError("ends early", "transformedChunks") from None
    cursor = Cursor(data)
    count = cursor.int32("count")
    if count <= 0:
        return ()
    if count == 1:
        return (cursor.int32("size"),)
    base, width = cursor.int32("base"), cursor.int8("width")
    if not 0 <= width <= 4:
        raise FormatError(f"takes {width} bytes for a size", "transformedChunks")
    more = cursor.take((count - 1) * width, "sizes") if width else b""
    sizes = [base + int.from_bytes(more[at * width : (at + 1) * width], "big") for at in range(count - 1)]
    return (*sizes, cursor.int32("last size"))


def _object(found: Any, name: str) -> dict[str, Any]:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, dict):
        raise FormatError("is missing, or no object", name)
    return value


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise FormatError("is missing, or no text", name)
    return value


def _number(found: Any, name: str, most: int = _MOST_SIZE) -> int:
    value = found.get(name) if isinstance(found, dict) else None
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"is {value!r}, not a number from 0 to {most}", name)
    return value


def _base64(found: Any, name: str) -> bytes:
    try:
        return base64.b64decode(_text(found, name), validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("is no base64", name) from None
