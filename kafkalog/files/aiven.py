"""Objects that Aiven's plug-in for tiered storage wrote, read as the files of Kafka's that they were made of.

A log is put together chunk by chunk as it is asked for, so that one chunk is held at a time; indexes are small.
What each chunk is packed and encrypted with says the manifest (`core.remote_manifest`).
"""

from __future__ import annotations

import base64
import binascii
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.compression import zstd_pieces
from kafkalog.errors import DecompressionFailed, ExtraMissing, RequestError, UnreadableFile
from kafkalog.files.arguments import check_type, path_of
from kafkalog.files.nodes import InChunks
from kafkalog.files.source import FileSource, read_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from kafkalog.core.remote_manifest import Manifest, Part

__all__ = ["AIVEN_KEYS", "BAD_CHUNKS", "BadChunk", "OpenAsItIs", "OpenIndex", "OpenLog", "missing_key", "use_aiven_keys"]

#: Files with the private keys (PEM), by the names that the plug-in has for them: `encryption.key.pairs`.
AIVEN_KEYS: ContextVar[Mapping[str, str] | None] = ContextVar("AIVEN_KEYS", default=None)
#: Takes the chunks that cannot be read, whose bytes are then given as zeros; None: such a chunk is an error.
BAD_CHUNKS: ContextVar[list[BadChunk] | None] = ContextVar("BAD_CHUNKS", default=None)

_IV = 12
_TAG = 16


class BadChunk(NamedTuple):
    """A chunk that cannot be read: its number, where it is in the log that it is a part of and in the object, and why."""

    number: int
    original: Part
    stored: Part
    reason: str


def use_aiven_keys(keys: Mapping[str, str | os.PathLike[str]]) -> None:
    """From now on, in this thread, decrypt remote segments with these private keys.

    Args:
        keys: Files (PEM, without a passphrase), by the names that the plug-in has for the keys: `encryption.key.pairs`.

    Raises:
        RequestError: a name or a path is none.
        UnreadableFile: a file cannot be read.
    """
    check_type("keys", keys, dict)
    paths = {str(name): path_of(path) for name, path in keys.items()}
    for path in paths.values():
        # What is not there is told first, and not as what is wrong with each segment.
        read_file(path)
    AIVEN_KEYS.set(paths)


def missing_key(manifest: Manifest) -> str | None:
    """The key that a segment is encrypted with, if its private key was not given; None: it can be read."""
    return manifest.key_id if manifest.data_key and manifest.key_id not in _keys() else None


def _keys() -> Mapping[str, str]:
    return AIVEN_KEYS.get() or {}


class OpenLog(InChunks):
    """The log of a segment: chunk by chunk, as it is asked for.

    Raises:
        RequestError: it is encrypted with a key that was not given, or cannot be decrypted with the one that was.
        UnreadableFile: its object is missing, or of another size than the manifest says.
    """

    def __init__(self, path: str, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest
        self._decrypt = _decryption(path, manifest)
        self._source = FileSource(path, beneath=True)
        chunks = manifest.chunks
        if self._source.size != chunks.stored_size and BAD_CHUNKS.get() is None:
            self._source.close()
            raise UnreadableFile(
                path, f"has {self._source.size} bytes; by its manifest its {len(chunks.sizes)} chunks have {chunks.stored_size}"
            )
        self._begins = [0]
        for size in chunks.sizes:
            self._begins.append(self._begins[-1] + size)
        self._held: tuple[int, bytes] = (-1, b"")

    def read(self, size: int, position: int) -> bytes:
        """Bytes of the log.

        Raises:
            UnreadableFile: a chunk of them cannot be read.
        """
        each = self._manifest.chunks.chunk_size
        size = min(size, self._manifest.chunks.original_size - position)
        data = bytearray()
        while len(data) < size:
            number, at = divmod(position + len(data), each)
            data += self._chunk(number)[at : at + size - len(data)]
        return bytes(data)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            self._held = number, self._unpacked(number)
        return self._held[1]

    def _unpacked(self, number: int) -> bytes:
        original = self._manifest.chunks.original(number)
        stored = original._replace(position=self._begins[number], size=self._manifest.chunks.sizes[number])
        reason, data = "", b""
        try:
            data = self._source.read(stored.position, stored.size)
            if len(data) < stored.size:
                raise _Bad(f"ends after {len(data)} of its {stored.size} bytes")
            data = self._decrypt(data)
            if self._manifest.is_compressed:
                data = _decompressed(data, original.size)
            if len(data) != original.size:
                raise _Bad(f"has {len(data)} bytes, not {original.size}")
        except _Bad as error:
            reason = str(error)
        if not reason:
            return data
        bad = BAD_CHUNKS.get()
        if bad is None:
            end = stored.position + stored.size
            raise UnreadableFile(
                self._source.path, f"chunk {number} of {len(self._begins) - 1}, bytes {stored.position}..{end}, {reason}"
            )
        if all(one.number != number for one in bad):
            bad.append(BadChunk(number, original, stored, reason))
        return bytes(original.size)

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer with bytes of the log, as `read` gives them."""
        data = self.read(len(buffer), position)
        buffer[: len(data)] = data
        return len(data)

    def state(self) -> tuple[int, int]:
        """The size of the log, and when its object was written."""
        return self._manifest.chunks.original_size, self._source.modified_ns

    def again(self) -> OpenLog:
        """The same, to be closed by itself."""
        return OpenLog(self._path, self._manifest)

    def close(self) -> None:
        """Close the object."""
        self._source.close()


class OpenIndex:
    """An index of a segment, or what else stands in its object `.indexes`.

    Raises:
        RequestError: as for a log.
        UnreadableFile: it cannot be read.
    """

    def __init__(self, path: str, part: Part, manifest: Manifest) -> None:
        self._again = partial(OpenIndex, path, part, manifest)
        decrypt = _decryption(path, manifest)
        with FileSource(path, beneath=True) as source:
            self._modified_ns = source.modified_ns
            stored = source.read(part.position, part.size)
        try:
            if len(stored) < part.size:
                raise _Bad(f"ends after {len(stored)} of its {part.size} bytes")
            self._data = decrypt(stored)
        except _Bad as error:
            raise UnreadableFile(path, f"the index in bytes {part.position}..{part.position + part.size} {error}") from None

    def read(self, size: int, position: int) -> bytes:
        """Bytes of it."""
        return self._data[position : position + size]

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer with bytes of it."""
        data = self.read(len(buffer), position)
        buffer[: len(data)] = data
        return len(data)

    def state(self) -> tuple[int, int]:
        """Its size, and when the object was written."""
        return len(self._data), self._modified_ns

    def again(self) -> OpenIndex:
        """The same once more."""
        return self._again()

    def close(self) -> None:
        """Nothing is open."""


def size_of_index(part: Part, manifest: Manifest) -> int:
    """Bytes of an index without what encryption adds."""
    return max(0, part.size - _IV - _TAG) if manifest.data_key else part.size


class _Bad(Exception):
    """A chunk cannot be read."""


def _decompressed(data: bytes, size: int) -> bytes:
    whole = b""
    try:
        for piece in zstd_pieces(data):
            whole += piece
            if len(whole) > size:
                raise _Bad(f"is more than {size} bytes, unpacked")
    except EOFError:
        raise _Bad("ends inside a zstd frame") from None
    except DecompressionFailed as error:
        raise _Bad(f"cannot be unpacked: {error.reason}") from None
    return whole


def _decryption(path: str, manifest: Manifest) -> Callable[[bytes], bytes]:
    """What decrypts a chunk, or an index.

    Raises:
        ExtraMissing: the package for it is not installed.
        RequestError: the key was not given, or is another one.
    """
    if not manifest.data_key:
        return bytes
    name = missing_key(manifest)
    if name is not None:
        raise RequestError(f"{path} is encrypted with the key {name!r}: give its private key as --aiven-key {name}=FILE.pem")
    try:
        from Crypto.Cipher import AES
    except ImportError:
        raise ExtraMissing(f"{path}, which is encrypted,", "kafkalog[aiven]") from None
    key = _data_key(_keys()[manifest.key_id], manifest.data_key)

    def decrypt(stored: bytes) -> bytes:
        if len(stored) < _IV + _TAG:
            raise _Bad(f"is too short for what is encrypted: {len(stored)} bytes")
        cipher = AES.new(key, AES.MODE_GCM, nonce=stored[:_IV])
        cipher.update(manifest.aad)
        try:
            return cipher.decrypt_and_verify(stored[_IV:-_TAG], stored[-_TAG:])
        except ValueError:
            raise _Bad("is not what was encrypted: its authentication tag does not fit") from None

    return decrypt


@lru_cache(maxsize=4096)
def _data_key(key_file: str, wrapped: str) -> bytes:
    """The key of a segment.

    Raises:
        RequestError: the private key is none, or another one.
        UnreadableFile: its file cannot be read.
    """
    from Crypto.Cipher import PKCS1_OAEP
    from Crypto.Hash import SHA3_512
    from Crypto.PublicKey import RSA

    pem = read_file(key_file)
    try:
        private = RSA.import_key(pem)
    except (ValueError, IndexError, TypeError):
        raise RequestError(f"{key_file} is no private RSA key in PEM, or has a passphrase: openssl rsa removes that") from None
    if not private.has_private():
        raise RequestError(f"{key_file} is a public key; the private one of the pair decrypts")
    name, _, text = wrapped.partition(":")
    try:
        found: bytes = PKCS1_OAEP.new(private, hashAlgo=SHA3_512).decrypt(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, binascii.Error):
        raise RequestError(f"{key_file} is not the private key of {name!r}: it does not decrypt what that encrypted") from None
    return found


class OpenAsItIs:
    """An object that stands among encoded ones and is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._source = FileSource(path, beneath=True)

    def read(self, size: int, position: int) -> bytes:
        """Bytes of it."""
        return self._source.read(position, size)

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer with bytes of it."""
        return self._source.read_into(buffer, position)

    def state(self) -> tuple[int, int]:
        """Its size, and when it was written."""
        return self._source.size, self._source.modified_ns

    def again(self) -> OpenAsItIs:
        """The same, to be closed by itself."""
        return OpenAsItIs(self._path)

    def close(self) -> None:
        """Close it."""
        self._source.close()
