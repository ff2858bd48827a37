"""`kafkalog show`: every byte has a field, every field its value and what is wrong with it."""

from __future__ import annotations

import io
import json
import pathlib
import re
import shutil
import struct
import tracemalloc

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import kafkalog
from benchmarks.generate import batch as quick_batch
from benchmarks.generate import record as quick_record
from kafkalog.cli.main import main
from kafkalog.core import batch as batch_module
from kafkalog.core import compression
from kafkalog.core import legacy as legacy_module
from kafkalog.core.batch import RecordBatch
from kafkalog.core.cursor import Cursor
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import walk
from kafkalog.core.record import RECORD_FIELDS, walk_fields
from kafkalog.core.source import BytesSource
from kafkalog.render.screen import Screen
from kafkalog.render.text_show import show_items
from kafkalog.show.batches import batch_rows
from kafkalog.show.messages import message_rows
from kafkalog.show.parts import parts_of
from kafkalog.show.values import Focus, Wanted
from tests.describe_messages import meaning_of
from tests.encode import R, batch
from tests.log_dirs import FIXTURES, fixture, fixture_log_dirs
from tests.show.transcripts import FILE, page

PLAIN = FIXTURES / "broker/2.1.1/plain"
TWITTER = PLAIN / "twitter-status-0/00000000000000000000.log"
OF_ALL_KINDS = [
    case
    for case in fixture_log_dirs()
    if case.id in ("0.10.2.2/old", "2.1.1/codec", "4.3.1/meta-n1", "4.3.1/txn", "2.1.1/diskfull")
]


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["show", *map(str, arguments)], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == status, done.output
    return done


def fields(*arguments):
    return [json.loads(line) for line in run(*arguments, "--format", "jsonl").stdout.splitlines()]


def shown(path, wanted, width=None):
    stream = io.StringIO()
    items = show_items(str(path), None, parts_of(str(path), wanted), width, all_bytes=False, with_meanings=True)
    Screen(stream, width, is_coloured=False).show(items)
    return stream.getvalue()


def check_that_every_byte_appears_once(rows, start, end, *, inner=None):
    """The rows in the file share out its bytes from `start` to `end`; those in what it decompresses to all of that."""
    at, place = start, 0
    for row in rows:
        if row.space is None:
            assert (row.start, place) == (at, 0), row
            at = row.end
        else:
            assert row.start == place, row
            place = row.end
        assert len(row.bytes()) == row.size
    assert at == end
    assert inner is None or place == inner


# --- every byte --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", OF_ALL_KINDS, ids=lambda case: case.id)
def test_every_byte_of_every_batch_appears_once(case):
    for log in pathlib.Path(case.path()).rglob("*.log"):
        for item in walk(BytesSource(log.read_bytes()[:60_000])):
            if isinstance(item, RecordBatch):
                for focus in (Focus(1000), Focus(2, position=item.position + 200), Focus(0)):
                    inner = len(item.inflate().data) if item.compression_id else 0
                    check_that_every_byte_appears_once(batch_rows(item, focus), *item.span[:2], inner=inner)
            elif isinstance(item, LegacyBatch):
                inner = len(item.inflate().data) if item.compression_id else 0
                check_that_every_byte_appears_once(message_rows(item, Focus(1000)), *item.span[:2], inner=inner)


@pytest.mark.parametrize("case", OF_ALL_KINDS, ids=lambda case: case.id)
def test_every_byte_of_every_file_appears_once(case):
    for path in sorted(pathlib.Path(case.path()).rglob("*")):
        if not path.is_file() or path.name == ".lock" or not 0 < path.stat().st_size < 60_000:
            continue
        at = 0
        for part in parts_of(str(path), Wanted(position=0, context=10_000)):
            assert part.start == at, path
            check_that_every_byte_appears_once(part.rows, part.start, part.end)
            assert bytes(part.data[:]) == path.read_bytes()[part.start : part.end]
            at = part.end
        assert at == path.stat().st_size, path


@pytest.mark.parametrize("seed", range(40))
def test_every_byte_of_a_damaged_batch_appears_once(seed):
    data = bytearray(TWITTER.read_bytes()[:1276])
    at = (seed * 131) % 492
    data[at] ^= 1 << seed % 8
    for item in walk(BytesSource(bytes(data[: 1276 - seed]))):
        if isinstance(item, RecordBatch):
            check_that_every_byte_appears_once(batch_rows(item, Focus(1000)), *item.span[:2])


def test_fields_of_a_record_stand_where_the_readable_reader_finds_them():
    for one in kafkalog.open_partition(PLAIN / "twitter-status-0").batches():
        for record in one.records():
            detail = one.detail(record)
            places = list(walk_fields(Cursor(one.data, record.start)))
            assert (places[0].start, places[-1].end) == (record.start, record.end)
            by_name = {place.name: place for place in places}
            origin = one.position
            assert tuple(detail.key_span)[:2] == (origin + by_name["key"].start, origin + by_name["key"].end)
            assert tuple(detail.value_span)[:2] == (origin + by_name["value"].start, origin + by_name["value"].end)
            assert by_name["timestampDelta"].value == detail.timestamp_delta
            assert by_name["offsetDelta"].value == detail.offset_delta
            assert {place.name for place in places} <= {field.name for field in RECORD_FIELDS}


# --- what is wrong -----------------------------------------------------------------------------------------------------


def damaged(tmp_path, change, source=TWITTER):
    path = tmp_path / pathlib.Path(source).name
    data = bytearray(pathlib.Path(source).read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def problems(path, *arguments):
    return {line["field"]: line["problem"] for line in fields(path, *arguments) if line.get("problem")}


def test_a_flipped_bit_is_named(tmp_path):
    def flip(data):
        data[300] ^= 0x20

    found = problems(damaged(tmp_path, flip))
    assert found == {"crc": f"{found['crc'].split(';')[0]}; flipping bit 5 of the byte at 300 (0x12c) makes it right"}
    text = run(tmp_path / TWITTER.name).stdout
    assert "wrong: the bytes have 0x" in text


def test_a_flipped_bit_of_the_checksum_itself_is_named(tmp_path):
    def flip(data):
        data[0x13] ^= 0x10

    assert problems(damaged(tmp_path, flip))["crc"].endswith("bit 12 of this field is flipped, if one is")


def test_a_length_that_leads_astray_is_named(tmp_path):
    def longer(data):
        data[8:12] = struct.pack(">i", 1_000_000)

    path = damaged(tmp_path, longer)
    file_size = path.stat().st_size
    assert problems(path) == {"batchLength": f"the batch would end {1_000_012 - file_size} bytes after the end of the file"}


def test_a_length_that_ends_inside_a_batch_is_named(tmp_path):
    def longer(data):
        data[8:12] = struct.pack(">i", 900)

    found = problems(damaged(tmp_path, longer))
    assert "a sound batch begins at 492" in found["batchLength"]


def test_an_unknown_magic_is_named(tmp_path):
    def change(data):
        data[16] = 7

    assert problems(damaged(tmp_path, change)) == {"magic": "message format version 7, known are 0, 1 and 2"}


def test_a_torn_tail_is_shown_as_far_as_it_goes(tmp_path):
    def cut(data):
        del data[522:]

    path = damaged(tmp_path, cut)
    text = run("--at", "500", path).stdout
    assert "no batch: " in text
    assert "wrong: the batch would end 754 bytes after the end of the file" in text


def test_a_record_length_that_does_not_fit_is_named(tmp_path):
    def change(data):
        data[0x3D] = 0xFE
        data[0x11:0x15] = struct.pack(">I", RecordBatch.read(bytes(data[:492])).computed_crc)

    found = problems(damaged(tmp_path, change))
    assert list(found) == ["records"]
    assert "says " in found["records"] or "is not allowed here" in found["records"]


def test_a_compressed_batch_that_cannot_be_decompressed_says_so(tmp_path):
    source = PLAIN / "append-time-0/00000000000000000060.log"

    def change(data):
        data[100] ^= 0xFF

    found = problems(damaged(tmp_path, change, source))
    assert set(found) == {"crc", "records"}


def test_a_snapshot_with_a_wrong_checksum_says_what_it_should_be(tmp_path):
    source = fixture("4.3.1", "crash").path() + "/txn-crash-0/00000000000000000008.snapshot"

    def change(data):
        data[20] ^= 1
        data[9] = 3

    found = problems(damaged(tmp_path, change, source))
    assert found["crc"].startswith("the bytes have 0x")
    assert found["entryCount"] == "2 follow, by the file's size"


def test_an_index_entry_that_leads_nowhere_says_so(tmp_path):
    folder = shutil.copytree(PLAIN / "append-time-0", tmp_path / "append-time-0")
    index = folder / "00000000000000000000.index"
    data = bytearray(index.read_bytes())
    data[4:8], data[12:16] = struct.pack(">i", 7), struct.pack(">i", 1 << 20)
    index.write_bytes(data)
    found = [line["problem"] for line in fields(index, "--records", "2") if line.get("problem")]
    assert found == ["no batch begins there in the .log", "the .log has 7566 bytes"]


def test_a_line_that_cannot_be_read_says_so(tmp_path):
    path = tmp_path / "recovery-point-offset-checkpoint"
    path.write_bytes(b"0\n3\norders 0 12\nor\x1bders x 12\n")
    found = [line["problem"] for line in fields(path) if line["type"] == "field"]
    assert found[0] is found[2] is None
    assert "3 is not allowed here" in found[1]
    assert "is not `topic partition offset`" in found[3] or "is no" in found[3]
    assert "\x1b" not in run(path).stdout


# --- which place -------------------------------------------------------------------------------------------------------


def test_an_offset_is_found_in_the_log_that_has_it():
    for path in (PLAIN / "append-time-0", PLAIN / "append-time-0/00000000000000000060.log"):
        found = fields("--offset", "77", path)
        assert found[0]["path"].endswith("00000000000000000060.log")
        assert [line["note"] for line in found if line.get("field") == "offsetDelta"] == ["offset 77"]


def test_a_position_shows_the_record_that_has_it():
    found = fields("--at", "0x123", "--records", "1", TWITTER)
    (value,) = [line for line in found if line.get("field") == "value"]
    assert value["position"] <= 0x123 < value["end"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "999999"), "no position 999999: the file has "),
        (("--offset", "999999"), "no offset 999999: the last batch, at "),
        (("--entry", "999999"), "no batch of number 999999"),
    ],
)
def test_a_place_that_is_not_there_is_status_1_and_says_what_is(arguments, said):
    done = run(*arguments, PLAIN / "append-time-0/00000000000000000000.log", status=1)
    assert said in done.stderr
    assert done.stdout == ""


def test_an_offset_that_was_compacted_away_is_named_with_its_neighbours():
    folder = fixture("4.3.1", "compact-1").path()
    for log in sorted(pathlib.Path(folder).rglob("*.log")):
        last = None
        for one in kafkalog.open_segment(log).batches():
            if last is not None and one.base_offset > last + 1:
                said = run("--offset", str(last + 1), log, status=1).stderr
                assert f"no offset {last + 1}: the batch at " in said
                assert f"ends with {last}, the batch at {one.position} begins with offset {one.base_offset}" in said
                return
            last = one.last_offset
    pytest.fail("no hole was found")


def _damaged(tmp_path, edit):
    """A log with a damaged batch in the middle, beside its index; and the batch as it was."""
    log = tmp_path / TWITTER.name
    shutil.copy(TWITTER.with_suffix(".index"), tmp_path)
    whole = list(kafkalog.open_segment(TWITTER).batches())
    hurt = whole[len(whole) // 2]
    data = bytearray(TWITTER.read_bytes())
    edit(data, hurt.position)
    log.write_bytes(data)
    return log, hurt


#: What is wrong with a batch → byte of it, and bit.
_DAMAGES = {
    "a low bit of the base offset": (7, 0x10),
    "a high bit of the base offset": (5, 0x10),
    "the sign of the base offset": (0, 0x80),
    "the length, which leads past the end": (8, 0x40),
    "the length, which leads inside": (11, 0x10),
    "the magic": (16, 4),
    "the last offset": (24, 0x10),
    "the sign of the last offset": (23, 0x80),
    "the number of records": (57, 0x40),
    "a record": (80, 1),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_an_offset_of_a_damaged_batch_shows_that_batch_whatever_is_wrong_with_it(tmp_path, damage):
    byte, bit = _DAMAGES[damage]
    log, hurt = _damaged(tmp_path, lambda data, at: data.__setitem__(at + byte, data[at + byte] ^ bit))
    for path in (log, tmp_path):
        arguments = ["show", "--offset", str(hurt.last_offset), "--format", "jsonl", str(path)]
        done = CliRunner().invoke(main, arguments, standalone_mode=False)
        parts = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "part"]
        assert [line["position"] for line in parts][:1] == [hurt.position], done.output
        is_read = done.return_value == 0 and not done.stderr
        assert is_read or f"offset {hurt.last_offset}" in done.stderr
        assert is_read or "damaged" in done.stderr or "it should be here: the batch at " in done.stderr
    sound = run("--offset", str(hurt.last_offset + 1), log).stdout
    assert f"offset {hurt.last_offset + 1}" in sound


def test_a_damaged_batch_that_names_an_offset_of_a_sound_one_is_not_shown_for_it(tmp_path):
    # Its last offset is so high that it names those of all batches after it.
    log, hurt = _damaged(tmp_path, lambda data, at: data.__setitem__(at + 25, 0x10))
    after = next(one for one in kafkalog.open_segment(TWITTER).batches() if one.base_offset > hurt.last_offset)
    (part,) = [line for line in fields("--offset", str(after.base_offset), log) if line["type"] == "part"]
    assert part["position"] == after.position


def test_what_is_around_an_offset_is_shown_also_where_it_is_damaged(tmp_path):
    log, hurt = _damaged(tmp_path, lambda data, at: data.__setitem__(at + 16, 4))
    done = CliRunner().invoke(
        main, ["show", "--offset", str(hurt.base_offset), "--context", "1", "--format", "jsonl", str(log)]
    )
    kinds = [line["kind"] for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "part"]
    assert kinds == ["batch", "damage", "batch"]


@pytest.mark.parametrize("workload", ["0.10.2.2/old", "2.1.1/codec"])
def test_a_batch_is_decompressed_once_to_be_shown(workload, monkeypatch):
    made = []
    real = compression.inflate
    for module in (batch_module, legacy_module):
        monkeypatch.setattr(module, "inflate", lambda *given, **named: made.append(1) or real(*given, **named))
    for log in sorted((FIXTURES / "broker" / workload).rglob("*.log")):
        batch = next((one for one in kafkalog.open_segment(log).batches() if one.compression_id), None)
        if batch is not None:
            made.clear()
            fields("--at", str(batch.position), log)
            assert len(made) == 1, log
    assert made


def test_what_is_around_is_shown_in_order():
    found = [line for line in fields("--at", "500", "--context", "1", TWITTER) if line["type"] == "part"]
    assert [line["position"] for line in found] == [0, 492, 1276]


def test_a_renamed_file_is_shown_as_what_it_is(tmp_path):
    carved = shutil.copy(TWITTER, tmp_path / "carved.bin")
    own, renamed = fields("--offset", "3", TWITTER), fields("--offset", "3", "--as", "log", carved)
    assert [{**line, "path": ""} for line in own] == [{**line, "path": ""} for line in renamed]


def test_usage_errors_say_what_to_do():
    assert "is a log dir" in str(CliRunner().invoke(main, ["show", str(PLAIN)]).exception)
    done = CliRunner().invoke(main, ["show", "--at", "0", "--entry", "1", str(TWITTER)], standalone_mode=False)
    assert "give one of them" in str(done.exception)
    done = CliRunner().invoke(main, ["show", "--at", "0", str(PLAIN / "append-time-0")], standalone_mode=False)
    assert "is a directory: a position or an entry is one of a file" in str(done.exception)


def test_an_empty_file_has_no_places(tmp_path):
    for name in ("00000000000000000000.log", "00000000000000000000.index", "leader-epoch-checkpoint"):
        (tmp_path / name).write_bytes(b"")
        assert "is empty" in run(tmp_path / name, status=1).stderr


# --- how it looks ------------------------------------------------------------------------------------------------------


def test_transcripts_are_what_it_prints():
    assert page() == FILE.read_text(encoding="utf-8"), "run python -m tests.show.transcripts"


@pytest.mark.parametrize("width", [80, 120])
def test_text_fits_the_terminal(width, tmp_path):
    value = "ключ \N{PARTY POPPER} " * 40
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(batch([R(value=value.encode(), key=b"k" * 90)]))
    wide = [path, TWITTER, PLAIN / "append-time-0/00000000000000000000.index", PLAIN / "meta.properties"]
    wide.append(fixture("4.3.1", "crash").path() + "/txn-crash-0/00000000000000000008.snapshot")
    for file in wide:
        for line in shown(file, Wanted(), width).splitlines():
            assert cell_len(line) <= width or line == str(file), line


def test_hostile_payloads_do_not_reach_a_terminal(tmp_path):
    hostile = "\x1bP\x9b31m\u202eé\x07".encode()
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(batch([R(key=hostile[:6], value=hostile * 3)]))
    for arguments in ((path,), (path, "--raw"), (path, "--all", "-v")):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", run(*arguments).stdout)


def test_colours_are_for_those_who_want_them():
    assert "\x1b[" not in run(TWITTER).stdout
    assert "\x1b[" in run(TWITTER, "--color", "always").stdout
    plain = re.sub("\x1b\\[[0-9;]*m", "", run(TWITTER, "--color", "always").stdout)
    assert plain == run(TWITTER).stdout


def test_long_fields_are_shortened_unless_all_is_asked_for(tmp_path):
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(batch([R(value=b"x" * 100_000)]))
    assert "… 99,936 more bytes (--all shows them)" in run(path).stdout
    assert "more byte" not in run(path, "--all").stdout
    assert run(path, "--all").stdout.count("xxxxxxxxxxxxxxxx") == 100_000 // 16
    (value,) = [line for line in fields(path) if line.get("field") == "value"]
    assert (len(value["bytes"]), value["bytes_left_out"]) == (2 * 4096, 100_000 - 4096)


def test_raw_shows_the_bytes_alone():
    text = run("--raw", TWITTER).stdout
    digits = "".join(line[10:57] for line in text.splitlines())
    assert bytes.fromhex(digits) == TWITTER.read_bytes()[:492]


# --- JSON --------------------------------------------------------------------------------------------------------------


def test_json_lines_say_what_the_text_says():
    arguments = ("--at", "492", TWITTER)
    text = run(*arguments).stdout
    found = fields(*arguments)
    assert {line["schema"] for line in found} == {"kafkalog.show/1"}
    assert found[0]["type"] == "part"
    for line in found[1:]:
        row = [one for one in text.splitlines() if one.startswith(f"{line['position']:08x}")]
        assert any(line["field"] in one for one in row) or line["end"] - line["position"] > 8
        assert line["note"] in text
        if line["value"] is not None and line["field"] != "crc":
            assert any(f" {line['value']}" in one for one in row), line


def test_every_field_of_the_json_lines_is_documented():
    for line in fields(TWITTER):
        for name in line:
            if name not in ("schema", "type"):
                assert meaning_of("show", line["type"], name)


# --- how much it holds -------------------------------------------------------------------------------------------------


def test_a_record_of_a_huge_batch_is_shown_without_holding_the_others(tmp_path):
    count = 300
    path = tmp_path / "00000000000000000000.log"
    # All but the last have the offset delta 0: 30 MB, more than are held at once.
    section = quick_record(0, 0, None, b"v" * 100_000) * (count - 1) + quick_record(0, count - 1, None, b"here")
    path.write_bytes(quick_batch(0, section, count))
    del section
    assert path.stat().st_size > 8 << 20
    tracemalloc.start()
    text = run("--offset", str(count - 1), path).stdout
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"offset {count - 1}" in text
    assert f"{count - 1} records, " in text
    assert peak < 12 << 20


def test_missing_and_unreadable_files_are_status_3(tmp_path):
    for path, said in ((tmp_path / "nowhere.log", "no such file"), (tmp_path / "x.txt", "is no file of Kafka's")):
        if path.suffix == ".txt":
            path.write_text("x")
        done = CliRunner().invoke(main, ["show", str(path)], standalone_mode=False)
        assert isinstance(done.exception, kafkalog.UnreadableFile)
        assert said in str(done.exception)
