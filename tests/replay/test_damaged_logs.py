"""Logs of internal topics that are damaged themselves: what cannot be read is a note, and reading goes on."""

from __future__ import annotations

import gzip
import random
import struct
import zlib

import pytest

import kafkalog
from kafkalog.core.log import BytesSource, walk
from kafkalog.errors import RequestError
from kafkalog.replay.groups import read_groups
from kafkalog.replay.logs import Log
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.transactions import read_transactions
from kafkalog.replay.until import END, Until
from tests import encode
from tests.internal_topics import offset_key, offset_value, transaction_key, transaction_value
from tests.replay.test_commands import COMMANDS, lines, of_type, run
from tests.replay.test_groups import write_log

TOPICS = ("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata", "orders")
RECORD = offset_key("g", "orders", 0), offset_value(1)


def packed(*records):
    return gzip.compress(b"".join(records), mtime=0)


def messages(magic, key=RECORD[0], value=RECORD[1]):
    return [encode.message(at, key, value, magic=magic) for at in range(2)]


def magic_2(attributes=0, **more):
    return encode.batch([encode.R(0, *RECORD), encode.R(1, RECORD[0], None)], attributes=attributes, **more)


LOGS = {
    "magic 0": messages(0)[0],
    "magic 1": messages(1, transaction_key("x"), transaction_value(5, 1, [("orders", [0])]))[0],
    "wrapper of magic 0": encode.message(1, None, packed(*messages(0)), magic=0, attributes=1),
    "wrapper of magic 1": encode.message(1, None, packed(*messages(1)), magic=1, attributes=1),
    "wrapper with snappy": encode.message(1, None, encode.xerial(b"".join(messages(1))), magic=1, attributes=2),
    "magic 2 with gzip": magic_2(attributes=1, compress=packed),
    "transaction": magic_2(attributes=0x10, producer_id=5, producer_epoch=0)
    + encode.marker(commit=False, offset=2, producer_id=5, producer_epoch=0),
}
#: What follows the damage, and has to be read all the same.
SOUND = magic_2(base_offset=10) * 2


def with_its_crc(data):
    """The same bytes with the CRC that they should have, if they are long enough to have one."""
    (size,) = struct.unpack_from(">i", data, 8)
    if not 49 <= size <= len(data) - 12:
        return bytes(data)
    data = bytearray(data)
    if data[16] < 2:
        data[12:16] = struct.pack(">I", zlib.crc32(data[16 : 12 + size]))
    elif data[16] == 2:
        data[17:21] = struct.pack(">I", encode.crc32c(bytes(data[21 : 12 + size])))
    return bytes(data)


def flips(data):
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
        yield with_its_crc(flipped)


def cuts(data):
    return [data[:at] for at in range(0, len(data), 7)]


@pytest.fixture
def read_all(tmp_path, monkeypatch):
    """Read bytes as the log of each topic, from memory: they are many. Gives what the three functions found."""
    paths = [write_log(tmp_path, [b""], f"{topic}-0") for topic in TOPICS]
    read_from = {read_groups: paths[0], read_transactions: [paths[1], paths[4]], read_metadata: paths[3]}

    def read(data, until=END):
        source = BytesSource(data)
        monkeypatch.setattr(Log, "_sources", lambda log: iter([(log.files[0], source)]))
        monkeypatch.setattr(Log, "walk_last_file", lambda log: ((log.files[0], item) for item in walk(source)))
        return [function(given, until) for function, given in read_from.items()]

    return read


@pytest.mark.parametrize("name", LOGS)
def test_no_flipped_bit_and_no_cut_ends_a_replay(name, read_all):
    """Whatever cannot be read, the batch after it is: with and without the CRC that fits the damage."""
    for data in (*flips(LOGS[name]), *cuts(LOGS[name])):
        groups, transactions, metadata = read_all(data + SOUND)
        assert groups.records >= 2, data.hex()
        assert transactions.records >= 2, data.hex()
        assert metadata.records >= 2, data.hex()


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_at_all_end_a_replay(seed, read_all):
    dice = random.Random(seed)
    for _ in range(150):
        data = bytearray(b"".join(dice.choices([*LOGS.values(), dice.randbytes(30)], k=3)))
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        read_all(bytes(data), dice.choice([END, Until(offset=1), Until(time=1)]))


def test_a_wrapper_that_cannot_be_opened_is_a_note_and_what_follows_counts(tmp_path):
    wrapper = bytearray(LOGS["wrapper of magic 1"])
    wrapper[-12] ^= 1
    write_log(tmp_path, [bytes(wrapper), SOUND], "__consumer_offsets-0")
    found = read_groups(tmp_path)
    assert [note.offset for note in found.notes] == [1, 1]
    assert "CRC is wrong" in found.notes[0].message
    assert "cannot be read" in found.notes[1].message
    assert found.records == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_ends_in_a_traceback(command, tmp_path):
    for number, data in enumerate(LOGS.values()):
        damaged = bytearray(data)
        damaged[-5] ^= 1
        for topic in TOPICS:
            write_log(tmp_path / str(number), [bytes(damaged), SOUND], f"{topic}-0")
    paths = [str(tmp_path / str(number)) for number in range(len(LOGS))]
    # A wrapper that says its last offset only: the first batch is not offset 0, the metadata not whole.
    status = 3 if command == "metadata" else 1
    assert lines(command, *paths, status=status)[-1]["notes"] >= 1
    assert "note: " in run(command, *paths, status=status)


@pytest.mark.parametrize("release", [3.9, 0, 391, None, b"3.9.1", ("3", "9"), "", "4.99", "0.10", "٣.٩", "3.9.1\n"])
def test_a_release_that_does_not_exist_is_a_request_error(tmp_path, release):
    (tmp_path / "orders-0").mkdir()
    (tmp_path / "orders-0" / f"{0:020}.log").write_bytes(b"")
    functions = [kafkalog.next_start, kafkalog.next_starts, *([] if release is None else [kafkalog.verify])]
    for function in functions:
        with pytest.raises(RequestError, match="release"):
            list(function(tmp_path / "orders-0", kafka_version=release))


@pytest.mark.parametrize("command", ["groups", "transactions"])
def test_a_log_that_a_killed_broker_left_in_the_middle_of_a_batch_is_no_finding(command, tmp_path):
    whole = encode.batch([encode.R(0, offset_key("g", "t", 0), offset_value(1))])
    torn = encode.batch([encode.R(0, offset_key("g", "t", 0), offset_value(2))], base_offset=1)[:-3]
    directory = tmp_path / "__consumer_offsets-0"
    directory.mkdir()
    (directory / f"{0:020}.log").write_bytes(whole + torn)
    assert len(of_type("note", lines(command, str(tmp_path)))) == 1
    (tmp_path / ".kafka_cleanshutdown").write_bytes(b"")
    run(command, str(tmp_path), status=1)
    (tmp_path / ".kafka_cleanshutdown").unlink()
    (directory / f"{1:020}.log").write_bytes(whole)
    run(command, str(tmp_path), status=1)
