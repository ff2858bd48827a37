"""No input makes a command take more than 300 MiB: large batches are read in windows, their records in pieces."""

from __future__ import annotations

import functools
import gzip
import os
import random
import resource
import struct
import subprocess
import sys

import lz4.frame  # noqa: TID251 - the codecs' own encoders make what Kafka's clients send
import pytest
import snappy  # noqa: TID251
import zstandard

from kafkalog import LimitExceeded, open_partition
from kafkalog.core.checksum import crc32c
from kafkalog.core.compression import MAX_DECOMPRESSED
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.source import HELD, BytesSource, Part, WindowedBytes
from tests import encode

MIB = 1 << 20
MOST = 300 * MIB
LOG = "00000000000000000000.log"


# --- what is read ---


def batch(section, count, *, codec=0, length=None):
    """The bytes of a batch, as a list: header and what was given."""
    section = section if isinstance(section, list) else [section]
    rest = struct.pack(">hiqqqhii", codec, count - 1, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1, count)
    crc = functools.reduce(lambda value, piece: crc32c(piece, value), section, crc32c(rest))
    length = 49 + sum(map(len, section)) if length is None else length
    return [struct.pack(">qiibI", 0, length, 0, 2, crc) + rest, *section]


def small_records(count):
    body = (b"\0\0" + encode.varint(number) + b"\1\1\0" for number in range(count))
    return b"".join(encode.varint(len(record)) + record for record in body)


def large_record(value, headers=b"\0", number=0):
    head = b"\0\0" + encode.varint(number) + b"\1" + encode.varint(len(value))
    return [encode.varint(len(head) + len(value) + len(headers)) + head, value, headers]


def zstd_lie(told, size):
    """A frame that tells another size than its blocks give: each is one byte, 128 KiB times."""
    block = (1 << 17 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (1 << 17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x80\x58" + struct.pack("<I", told) + block * ((size >> 17) - 1) + last


def noise(size):
    return random.Random(7).randbytes(MIB) * (size // MIB)


def lz4_bomb():
    return lz4.frame.compress(bytes(512 * MIB), block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX4MB)


def snappy_bomb():
    block = snappy.compress(bytes(MIB))
    return encode.xerial(b"") + (struct.pack(">i", len(block)) + block) * 1000


MANY = 1_000_000
SHAPES = {
    "zstd, 1 MiB told": lambda: batch(zstd_lie(MIB, 4096 * MIB), 1000, codec=4),
    "zstd, 127 MiB told": lambda: batch(zstd_lie(127 * MIB, 4096 * MIB), 1000, codec=4),
    "zstd that ends below the limit": lambda: batch(zstd_lie(MIB, 120 * MIB), 1000, codec=4),
    "gzip": lambda: batch(gzip.compress(bytes(16 * MIB)) * 64, 1000, codec=1),
    "lz4": lambda: batch(lz4_bomb(), 1000, codec=3),
    "snappy in blocks": lambda: batch(snappy_bomb(), 1000, codec=2),
    "snappy in one block": lambda: batch(snappy.compress(bytes(120 * MIB)), 1000, codec=2),
    "many records": lambda: batch(small_records(MANY), MANY),
    "many records in zstd": lambda: batch(zstandard.compress(small_records(MANY)), MANY, codec=4),
    "more records told than there are": lambda: batch(small_records(1000), 0x7FFFFFFF),
    "a record of 100 MiB": lambda: batch(large_record(noise(100 * MIB)), 1),
    "two records of 60 MiB in zstd": lambda: batch(
        zstandard.compress(b"".join((*large_record(noise(60 * MIB)), *large_record(noise(60 * MIB), number=1)))), 2, codec=4
    ),
    "a million headers": lambda: batch(large_record(b"v", encode.varint(1_000_000) + b"\0\1" * 1_000_000), 1),
    "a message of 100 MiB": lambda: [encode.message(0, b"k", noise(100 * MIB))],
    "a wrapper of many messages": lambda: [
        encode.message(399_999, None, gzip.compress(b"".join(encode.message(n, b"k", b"v") for n in range(100)) * 4000), attributes=1)
    ],
}  # fmt: skip
#: A length field that is believed, over bytes that take no place on the disk.
SPARSE = {"a length of 512 MiB": 512 * MIB, "a length of 2 GiB": 0x7FFFFFFF}

DUMP = ("dump", "--print-data-log")
JSON = (*DUMP, "--format", "jsonl", "--payload")
COMMANDS = {
    "dump": DUMP,
    "dump, shallow": ("dump",),
    "dump, filtered": (*DUMP, "--offsets", "5:10"),
    "dump, JSON lines, hex": (*JSON, "hex"),
    "dump, JSON lines, text": (*JSON, "text"),
    "dump, JSON lines, base64": (*JSON, "base64"),
    "dump, JSON lines, filtered": (*JSON, "sha256", "--offsets", "5:10"),
    "verify": ("verify", "--no-next-start"),
    "verify --quick": ("verify", "--quick", "--no-next-start"),
    "next-start": ("next-start", "--consumer"),
    "groups": ("groups",),
    "transactions": ("transactions",),
    "metadata": ("metadata",),
}
_TOPICS = {"groups": "__consumer_offsets-0", "transactions": "__transaction_state-0", "metadata": "__cluster_metadata-0"}


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Makes the log of a shape, once."""
    root = tmp_path_factory.mktemp("large")

    @functools.cache
    def made(shape):
        directory = root / shape.replace(" ", "-")
        directory.mkdir()
        path = directory / LOG
        with path.open("wb") as file:
            if shape in SPARSE:
                file.writelines(batch([], 1000, length=SPARSE[shape] - 12))
                file.truncate(SPARSE[shape])
            else:
                file.writelines(SHAPES[shape]())
        return path

    return made


def at_most(path, command, folder):
    """Run a command on a log; gives its exit status and the most memory that it took."""
    directory = folder / _TOPICS.get(command, "topic-0")
    directory.mkdir()
    (directory / LOG).hardlink_to(path)
    arguments = [sys.executable, "-m", "kafkalog", *COMMANDS[command], str(directory)]
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(arguments, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_maxrss * 1024


@pytest.mark.parametrize("shape", [*SHAPES, *SPARSE])
def test_no_input_takes_more_than_300_mib(shape, logs, tmp_path):
    path = logs(shape)
    for command in COMMANDS:
        if shape.startswith("many") and command.startswith("dump, JSON lines") and not command.endswith("filtered"):
            continue  # a minute each, and the records are walked as by the others
        folder = tmp_path / command.replace(" ", "-")
        folder.mkdir()
        status, peak = at_most(path, command, folder)
        assert status in (0, 1, 3), command
        assert peak < MOST, f"{command}: {peak / MIB:.0f} MiB"
