"""What is sound after the place where the real tool goes wrong: told with its number, and printed with --read-on."""

from __future__ import annotations

import gzip
import json
import random
import re
import struct

import pytest

from kafkalog.core.log import BytesSource, walk
from kafkalog.dump import ranges
from tests import encode
from tests.dump.golden import run
from tests.log_dirs import FIXTURES

LOG = FIXTURES / "golden" / "base" / "log" / "__transaction_state-0" / "00000000000000000000.log"
LEGACY = FIXTURES / "broker" / "0.10.2.2" / "old" / "rd-v1-0" / "00000000000000000000.log"
TOLD = re.compile(
    r"not printed: (\d+) sound batch(?:es)? with (\d+) records? \(offsets (-?\d+)\.\.(-?\d+)\), from position (\d+) on; "
)


def places(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of each batch of a sound log."""
    return [(item.span.start, item.span.end) for item in walk(BytesSource(data))]


def a_size_of(size: int):
    return lambda data, at: struct.pack_into(">i", data, at + 8, size)


def a_size_that_is_off_by(difference: int):
    def damage(data: bytearray, at: int) -> None:
        struct.pack_into(">i", data, at + 8, struct.unpack_from(">i", data, at + 8)[0] + difference)

    return damage


def a_magic_of(magic: int):
    return lambda data, at: struct.pack_into(">b", data, at + 16, magic)


def put(piece: bytes):
    def damage(data: bytearray, at: int) -> None:
        data[at : at + len(piece)] = piece[: len(data) - at]

    return damage


DAMAGES = {
    "far too long": a_size_of(1 << 30),
    "too long for the file": a_size_of(0x7FFFFFFF),
    "a little too long": a_size_that_is_off_by(7),
    "too long by some batches": a_size_that_is_off_by(300),
    "too short": a_size_that_is_off_by(-3),
    "shorter than a header": a_size_of(20),
    "zero": a_size_of(0),
    "negative": a_size_of(-5),
    "zeros": put(bytes(150)),
    "garbage": put(random.Random(7).randbytes(90)),
    "0xff": put(b"\xff" * 70),
    "magic 9": a_magic_of(9),
    "magic -1": a_magic_of(-1),
    "magic 0": a_magic_of(0),
}


def printed(out: bytes) -> list[int]:
    """Positions of the batches whose lines say that they are valid, in the order of the lines."""
    return [int(found) for found in re.findall(rb" position: (\d+) .*(?:isvalid: true|isvalid true)", out)]


def sound(data: bytes) -> list[int]:
    return [item.span.start for item in walk(BytesSource(data)) if getattr(item, "crc_ok", False)]


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("log", [LOG, LEGACY], ids=["magic 2", "magic 1"])
def test_every_sound_batch_is_printed_or_told(tmp_path, log, name):
    whole = log.read_bytes()
    path = tmp_path / log.name
    starts = [start for start, _ in places(whole)]
    for number in (0, 1, len(starts) // 2, len(starts) - 1):
        data = bytearray(whole)
        DAMAGES[name](data, starts[number])
        path.write_bytes(data)
        status, out, err = run([str(path)])
        missed = sorted(set(sound(data)) - set(printed(out)))
        told = TOLD.search(err)
        assert (int(told[1]), int(told[5])) == (len(missed), missed[0]) if missed else told is None
        assert status == (1 if err else 0)
        status, all_of_it, err = run([str(path), "--read-on"])
        assert set(sound(data)) <= set(printed(all_of_it))
        assert sorted(printed(all_of_it)) == printed(all_of_it)
        assert ("printed, though" in err) == bool(missed)
        assert "not printed" not in err
        assert status == (1 if err else 0)
        if not missed:
            assert out == all_of_it


def test_the_records_that_are_told_are_those_that_read_on_adds(tmp_path):
    data = bytearray(LOG.read_bytes())
    starts = [start for start, _ in places(data)]
    struct.pack_into(">i", data, starts[2] + 8, 1 << 30)
    path = tmp_path / LOG.name
    path.write_bytes(data)
    for release in ("0.11.0.3", "2.8.2", "4.4.0"):
        options = [str(path), "--deep-iteration", "--kafka-version", release]
        _, short, err = run(options)
        _, long, _ = run([*options, "--read-on"])
        offsets = [int(found) for found in re.findall(rb"^\W*offset: (\d+) ", long.removeprefix(short), re.MULTILINE)]
        told = TOLD.search(err)
        assert long.startswith(short)
        assert (int(told[2]), int(told[3]), int(told[4])) == (len(offsets), offsets[0], offsets[-1])
        assert offsets[-1] > 3


def test_a_torn_tail_is_no_loss(tmp_path):
    path = tmp_path / LOG.name
    path.write_bytes(LOG.read_bytes()[:-5])
    status, out, err = run([str(path)])
    assert (status, err) == (0, "")
    assert b" invalid bytes at the end of " in out


def test_a_batch_that_max_bytes_cuts_off_is_no_loss(tmp_path):
    path = tmp_path / LOG.name
    data = bytearray(LOG.read_bytes())
    path.write_bytes(data)
    starts = [start for start, _ in places(data)]
    for limit in (starts[1] + 5, starts[2], starts[-1] + 30):
        assert run([str(path), "--max-bytes", str(limit)])[0::2] == (0, "")
    struct.pack_into(">i", data, starts[1] + 8, 1 << 30)
    path.write_bytes(data)
    status, _, err = run([str(path), "--max-bytes", str(starts[4] + 5)])
    assert (status, TOLD.search(err)[1]) == (1, "2")


def test_only_wanted_records_count_when_some_are_wanted(tmp_path):
    data = bytearray(LOG.read_bytes())
    batches = list(walk(BytesSource(bytes(data))))
    struct.pack_into(">i", data, batches[1].position + 8, 1 << 30)
    path = tmp_path / LOG.name
    path.write_bytes(data)
    last = batches[-1].last_offset
    assert run([str(path), "--offsets", f":{batches[1].base_offset}"])[0::2] == (0, "")
    status, out, err = run([str(path), "--offsets", f"{last}:", "--deep-iteration"])
    assert (status, TOLD.search(err)[2], f"offset: {last} " in out.decode()) == (1, "1", False)
    assert f"offset: {last} ".encode() in run([str(path), "--offsets", f"{last}:", "--deep-iteration", "--read-on"])[1]


def test_parts_of_a_log_tell_together_what_one_process_tells(tmp_path, monkeypatch):
    """With parts of a few batches, whose processes are played one after the other."""
    data = bytearray(LOG.read_bytes() * 6)
    starts = [start for start, _ in places(data)]
    path = tmp_path / LOG.name

    counts = set()

    class InTurn:
        lost = False

        def __call__(self, jobs, ranges, print_range):
            done = [print_range(part, lambda: True) for part in ranges()]
            counts.add(len(done) > jobs)
            return done

    monkeypatch.setattr(ranges, "RANGE", 200)
    monkeypatch.setattr("kafkalog.cli.dump._PrintInTurn", InTurn)
    for number in range(0, len(starts), 3):
        for damage in (a_size_that_is_off_by(300), a_size_of(1 << 30), a_size_of(20)):
            hurt = bytearray(data)
            damage(hurt, starts[number])
            path.write_bytes(hurt)
            arguments = [str(path), "--deep-iteration"]
            assert run(arguments) == run([*arguments, "--jobs", "2"])
    assert counts == {True, False}


@pytest.mark.parametrize(("suffix", "entry"), [(".index", ">ii"), (".timeindex", ">qi")])
def test_entries_after_zeros_are_told_and_printed(tmp_path, suffix, entry):
    for name in (".log", ".index", ".timeindex"):
        (tmp_path / f"{LOG.stem}{name}").write_bytes(LOG.with_suffix(name).read_bytes())
    path = tmp_path / f"{LOG.stem}{suffix}"
    size = struct.calcsize(entry)
    first, *after = (struct.pack(entry, *values) for values in ((0, 0), (9, 5), (9, 6)))
    path.write_bytes(first + bytes(size) + b"".join(after) + bytes(4 * size))
    status, out, err = run([str(path), "--verify-index-only"])
    assert status == 1
    assert f"not compared: 2 entries; Kafka's own tool stops at entry 1, position {size}\n" in err
    status, out, err = run([str(path)])
    assert status == 1
    assert "not printed: 2 entries; " in err
    status, more, err = run([str(path), "--read-on"])
    assert (status, more.startswith(out), len(more.splitlines())) == (1, True, len(out.splitlines()) + 2)
    path.write_bytes(first + bytes(4 * size))
    assert "entries; Kafka's own tool" not in run([str(path)])[2]


def test_records_before_the_damage_of_a_compressed_batch_are_printed(tmp_path):
    values = [random.Random(number).randbytes(3000).hex().encode() for number in range(40)]
    records = [encode.R(value=value, offset_delta=number) for number, value in enumerate(values)]
    data = bytearray(encode.batch(records, attributes=1, compress=gzip.compress) + encode.batch(records[:1], base_offset=40))
    data[60_000] ^= 1
    path = tmp_path / LOG.name
    path.write_bytes(data)
    arguments = [str(path), "--deep-iteration"]
    of_json = [json.loads(line) for line in run([*arguments, "--format", "jsonl"])[1].splitlines()]
    readable = [line["offset"] for line in of_json if line["type"] == "record"]
    status, out, _ = run(arguments)
    assert (status, re.findall(rb"\| offset: (\d+) ", out)) == (1, [b"40"])
    status, out, _ = run([*arguments, "--read-on"])
    assert (status, [int(offset) for offset in re.findall(rb"\| offset: (\d+) ", out)]) == (1, readable)
    assert len(readable) > 1
