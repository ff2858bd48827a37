"""`kafkalog carve`: batches in raw bytes, and what is made of them."""

from __future__ import annotations

import errno
import json
import lzma
import os
import random
import re
import shutil

import pytest
from click.testing import CliRunner

from kafkalog import open_partition
from kafkalog.carve import api, scan
from kafkalog.carve.api import Settings, carve
from kafkalog.carve.candidates import plain_candidates
from kafkalog.carve.numpy_candidates import candidates
from kafkalog.cli.main import main
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.image import holds
from kafkalog.render.json_carve import account_of
from tests.carve.images import BLOCK, Extent, answers, fragmented, log_of
from tests.encode import R, batch, message
from tests.log_dirs import FIXTURES
from tests.verify.lab import batches_of, seal

EXT4 = FIXTURES / "cases" / "ext4-deleted-logs.img.xz"


def carved(tmp_path, data, **settings):
    """What is found in bytes, and the batches that are written."""
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(data)
    found = carve([str(image)], str(out), Settings(jobs=1)._replace(**settings), account_of)
    return found, [batch for log in sorted(out.rglob("*.log")) for batch in batches_of(log.read_bytes())]


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["carve", *map(str, arguments)], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == status, done.output
    return done


def spread(*pieces):
    """Pieces at the beginning of blocks, random bytes between them."""
    rnd = random.Random(1)
    out = b""
    for piece in pieces:
        out += rnd.randbytes(BLOCK) + piece + bytes(-len(piece) % BLOCK)
    return out + rnd.randbytes(BLOCK)


# --- what is found, by images with answers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three_logs():
    return [
        log_of(1, 150, name="orders", producer_id=5),
        log_of(2, 150, name="payments", producer_id=6, base=700),
        log_of(3, 300, name="clicks", largest=2),
    ]


@pytest.mark.parametrize(("seed", "longest"), [(1, 3), (2, 8), (3, 64), (4, 8), (5, 16)])
def test_every_whole_batch_is_found_none_is_false_and_cut_ones_are_stitched(tmp_path, three_logs, seed, longest):
    image, key = fragmented(three_logs, seed, longest=longest)
    found, got = carved(tmp_path, image)
    wanted, cut = set(key.whole.values()), set(key.cut)
    everything = {batch for log in three_logs for batch in batches_of(log)}
    assert wanted <= set(got)
    assert set(got) <= everything
    assert len(got) == len(set(got)) == found.batches
    assert len(cut & set(got)) >= 0.9 * len(cut)
    assert found.stitched == len(set(got) - wanted)
    assert found.cut >= found.stitched


def test_batches_that_are_cut_in_their_header_are_stitched_too(tmp_path):
    log = log_of(7, 400, largest=1)
    stitched = in_header = 0
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        image, key = fragmented([log], seed, longest=1)
        _, got = carved(folder, image)
        assert set(key.cut) <= set(got)
        stitched += len(key.cut)
        in_header += sum(begins_in_the_last_bytes_of_a_block(log, one) for one in key.cut)
    assert stitched > 30
    assert in_header > 5


def begins_in_the_last_bytes_of_a_block(log, one):
    return log.index(one) % BLOCK > BLOCK - 61


def test_a_log_in_pieces_is_one_log_again(tmp_path, three_logs):
    image, _ = fragmented(three_logs, 3, longest=64)
    found, _ = carved(tmp_path, image)
    assert len(found.groups) == 3
    written = [[log.read_bytes() for log in sorted((tmp_path / "out" / group.name).iterdir())] for group in found.groups]
    assert sorted(written) == sorted([log] for log in three_logs)


def test_deleted_logs_come_back_from_an_ext4_image(tmp_path):
    key = json.loads((EXT4.parent / "ext4-deleted-logs.json").read_text())
    found, got = carved(tmp_path, lzma.decompress(EXT4.read_bytes()), block_size=key["block"])
    wanted = []
    for one in key["logs"]:
        wanted += batches_of((FIXTURES / "broker" / one["from"]).read_bytes())
    assert any(len(one["extents"]) > 1 for one in key["logs"])
    assert sorted(got) == sorted(set(wanted))
    assert found.cut == found.stitched > 0
    for one in key["logs"]:
        for begin, end in one["extents"]:
            assert any(run["span"][0] < end and run["span"][1] > begin for run in runs_of(tmp_path)), one


def runs_of(tmp_path):
    lines = map(json.loads, (tmp_path / "out.carve.jsonl").read_text().splitlines())
    return [line for line in lines if line["type"] == "run"]


def test_numpy_and_no_numpy_give_the_same_places_on_any_bytes(three_logs):
    rnd = random.Random(9)
    for number in range(60):
        data = bytearray(rnd.choices(b"\x00\x01\x02\x7f\x80\xff", k=4096)) if number % 3 else bytearray(rnd.randbytes(4096))
        at = rnd.randrange(2000)
        data[at : at + 400] = three_logs[0][:400]
        begin, end, most = rnd.randrange(500), 4096 - 61 - rnd.randrange(500), rnd.choice((0, 0, 3))
        assert candidates(data, begin, end, most) == plain_candidates(data, begin, end, most)


def test_the_result_is_the_same_without_numpy_with_more_processes_and_in_smaller_parts(tmp_path, three_logs, monkeypatch):
    image, _ = fragmented(three_logs, 5, longest=16)
    # A batch that holds a log, across the border of two parts.
    holder = seal(batch([R(value=b"n" * 90_000 + log_of(8, 30) + b"n" * 90_000)], base_offset=5, crc=0))
    data = spread(image, holder)
    told = []
    for number, (part, more) in enumerate(
        ((1 << 28, {}), (1 << 28, {"with_numpy": False}), (1 << 16, {}), (1 << 16, {"jobs": 2}), (100_000, {}))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.setattr(api, "RANGE", part)
        found, got = carved(folder, data, **more)
        told.append((runs_of(folder) and [{**run, "image": ""} for run in runs_of(folder)], got, found.batches))
        assert holder in got
    assert all(one == told[0] for one in told)


# --- what is left out, and what is not looked through -------------------------------------------------------------------------


def test_a_batch_with_a_wrong_bit_or_without_its_end_is_no_batch(tmp_path):
    batches = batches_of(log_of(1, 6))
    wrong = bytearray(batches[2])
    wrong[70] ^= 1
    _, got = carved(tmp_path, b"".join((batches[0], batches[1], bytes(wrong), batches[3], batches[4], batches[5][:-1])))
    assert got == [batches[0], batches[1], batches[3], batches[4]]


def test_bytes_made_to_look_like_batches_cost_no_more_than_the_budget(tmp_path, monkeypatch):
    head = bytearray(batches_of(log_of(1, 1))[0][:61])
    head[8:12] = (2 << 20).to_bytes(4, "big")
    head[17] ^= 1
    sound = log_of(2, 20)
    spent = []
    real = scan.crc32c
    monkeypatch.setattr(scan, "crc32c", lambda data: spent.append(len(data)) or real(data))
    data = bytes(head) * 20_000 + bytes(2 << 20) + sound
    found, got = carved(tmp_path, data)
    assert sum(spent) <= 64 * len(data) + (64 << 20) + len(sound)
    assert b"".join(got) == sound
    assert found.skipped == [] or {one.kind for one in found.skipped} == {"budget"}


def test_what_the_budget_leaves_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "_PER_BYTE", 1)
    monkeypatch.setattr(scan, "_AT_FIRST", 0)
    head = bytearray(batches_of(log_of(1, 1))[0][:61])
    head[8:12] = (1 << 20).to_bytes(4, "big")
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(bytes(head) * 40_000 + bytes(1 << 20))
    shown = run(image, "-o", out, status=1).stdout
    assert re.search(r"not looked through, the first at \d+ of .*disk\.img: too much of it looks like batches", shown)
    assert not out.exists()


def test_what_is_in_the_live_directory_is_left_out_unless_all_is_wanted(tmp_path):
    log = log_of(1, 30)
    batches = batches_of(log)
    live = tmp_path / "live" / "orders-0"
    live.mkdir(parents=True)
    (live / f"{0:020d}.log").write_bytes(b"".join(batches[:12]))
    found, got = carved(tmp_path, spread(log), live=[str(live.parent)])
    assert got == batches[12:]
    assert found.live_batches == 12
    folder = tmp_path / "all"
    folder.mkdir()
    _, got = carved(folder, spread(log), live=[str(live)], with_live=True)
    assert got == batches
    assert {(run["also_live"], run["batches"]) for run in runs_of(folder)} == {(True, 12), (False, 18)}


def test_the_same_bytes_in_two_places_are_written_once(tmp_path):
    log = log_of(1, 30)
    found, got = carved(tmp_path, spread(log, log))
    assert got == batches_of(log)
    assert found.copies == 1
    assert [run["copies"] for run in runs_of(tmp_path)] == [1]


def test_messages_of_old_formats_count_from_three_in_a_row(tmp_path):
    row = [message(at, b"k", b"value %d" % at) for at in range(5)]
    data = spread(b"".join(row), b"".join(row[:2]))
    image = tmp_path / "disk.img"
    image.write_bytes(data)
    run(image, "-o", tmp_path / "none", status=1)
    _, got = carved(tmp_path, data, legacy=True)
    assert got == row


def test_a_range_a_block_size_and_the_largest_batch_are_kept_to(tmp_path):
    log = log_of(1, 30)
    data = spread(log)
    batches = batches_of(log)
    image = tmp_path / "disk.img"
    image.write_bytes(data)
    second = BLOCK + len(batches[0])
    run(image, "-o", tmp_path / "part", "--range", f"{second}:{second + 1}")
    assert (tmp_path / "part/unknown-0001-0" / f"{len(list(records_of(batches[0]))):020d}.log").read_bytes() == batches[1]
    run(image, "-o", tmp_path / "small", "--max-batch", "100", status=1)
    size = max(map(len, batches))
    assert carved_by(tmp_path, image, "--max-batch", size) == batches
    assert carved_by(tmp_path, image, "--max-batch", size - 1) == [one for one in batches if len(one) < size]
    # The same log cut at blocks of 512 bytes that no border of 4096 bytes is at.
    cut = next(at for at in range(2048, len(log), 512) if at % BLOCK and log[:at] not in joined(batches))
    odd = bytes(512) + log[:cut] + bytes(1024) + log[cut:]
    image.write_bytes(odd)
    assert b"".join(carved_by(tmp_path, image, "--block-size", "512")) == log
    assert len(carved_by(tmp_path, image, "--block-size", "512", "--no-stitch")) == len(batches) - 1


def joined(batches):
    return {b"".join(batches[:count]) for count in range(len(batches) + 1)}


def records_of(one):
    from kafkalog import RecordBatch

    return RecordBatch.read(one).records()


def carved_by(tmp_path, image, *arguments):
    out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    run(image, "-o", out, *arguments)
    return [batch for log in sorted(out.rglob("*.log")) for batch in batches_of(log.read_bytes())]


def test_places_that_the_device_cannot_read_are_passed_over_and_told(tmp_path, monkeypatch):
    first, second = log_of(1, 20), log_of(2, 20, base=900)
    data = spread(first, second)
    bad = data.index(second) - BLOCK
    real = os.preadv

    def preadv(fd, buffers, position):
        if position < bad + 1 and position + len(buffers[0]) > bad:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, buffers, position)

    monkeypatch.setattr(os, "preadv", preadv)
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(data)
    shown = run(image, "-o", out, status=3).stdout
    assert f"4.0 KiB not looked through, the first at {bad} of {image}: the device gives errors." in shown
    got = [batch for log in sorted(out.rglob("*.log")) for batch in batches_of(log.read_bytes())]
    assert sorted(got) == sorted(batches_of(first) + batches_of(second))


# --- which belong together ------------------------------------------------------------------------------------------------


def test_logs_are_one_group_by_what_they_have_in_common_and_by_nothing_else(tmp_path):
    orders = batches_of(log_of(1, 40, producer_id=7))
    others = log_of(2, 10, name="other", base=10_000)
    found, _ = carved(tmp_path, spread(b"".join(orders[:10]), others, b"".join(orders[20:])))
    told = [(len(group.chains), group.why) for group in found.groups]
    assert told == [(2, ["producer id 7", "JSON objects with note, orders"]), (1, ["JSON objects with note, other"])]
    first, second = (sum(len(list(records_of(one))) for one in part) for part in (orders[:10], orders[:20]))
    assert found.groups[0].missing == [(first, second - 1)]
    assert len(open_partition(tmp_path / "out/unknown-0001-0").segments) == 2


def test_logs_of_the_same_offsets_are_not_one_group(tmp_path):
    found, _ = carved(tmp_path, spread(log_of(1, 20, producer_id=7), log_of(2, 20, producer_id=7)))
    assert [len(group.chains) for group in found.groups] == [1, 1]


def test_a_partition_that_it_looks_like_is_named_as_a_guess_with_its_reason(tmp_path):
    log_dir = tmp_path / "data"
    for name, log in (("orders-0", log_of(5, 3, producer_id=7)), ("clicks-0", log_of(6, 3, name="clicks", producer_id=8))):
        (log_dir / name).mkdir(parents=True)
        (log_dir / name / f"{0:020d}.log").write_bytes(log)
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(spread(log_of(1, 20, producer_id=7)))
    shown = run(image, "-o", out, "--like", log_dir).stdout
    assert f"unknown-0001-0  may be {log_dir}/orders-0: producer id 7; JSON objects with note, orders" in shown
    group = json.loads((tmp_path / "out.carve.jsonl").read_text().splitlines()[0])
    assert group["guess"] == f"{log_dir}/orders-0"
    assert os.listdir(out) == ["unknown-0001-0"]


# --- what is written --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_verified_without_damage_and_names_its_bytes(tmp_path, three_logs):
    image, _ = fragmented(three_logs, 3, longest=64)
    found, _ = carved(tmp_path, image)
    for group in found.groups:
        done = CliRunner().invoke(
            main, ["verify", str(tmp_path / "out" / group.name), "--format", "jsonl"], standalone_mode=False
        )
        findings = [line for line in map(json.loads, done.output.splitlines()) if line["type"] == "finding"]
        assert {line["severity"] for line in findings} <= {"info"}
    for line in runs_of(tmp_path):
        begin, end = line["span"]
        assert len(batches_of(image[begin:end])) == line["batches"]
        if line["stitched_with"]:
            (one, two), (three, four) = line["stitched_with"]["spans"]
            assert len(batches_of(image[one:two] + image[three:four])) == 1


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("out", "is there already: name a directory that is not"),
        ("live/found", "which is examined and must not be changed"),
        ("free", ""),
    ],
)
def test_a_directory_that_is_there_or_under_a_source_is_refused(tmp_path, out, told):
    live = tmp_path / "live" / "orders-0"
    live.mkdir(parents=True)
    (live / f"{0:020d}.log").write_bytes(log_of(3, 2))
    (tmp_path / "out").mkdir()
    image = tmp_path / "disk.img"
    image.write_bytes(log_of(1, 5))
    settings = Settings(live=[str(tmp_path / "live")])
    if told:
        with pytest.raises(RequestError, match=re.escape(told)):
            carve([str(image)], str(tmp_path / out), settings, account_of)
    else:
        carve([str(image)], str(tmp_path / out), settings, account_of)
    assert image.read_bytes() == log_of(1, 5)


def test_a_full_disk_leaves_only_the_partial_directory_and_a_second_run_succeeds(tmp_path, monkeypatch):
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(spread(log_of(1, 5)))
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    done = CliRunner().invoke(main, ["carve", str(image), "-o", str(out)])
    assert done.exit_code == 3
    assert "no space left on device" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["disk.img", "out.carve.partial", "out.partial"]
    monkeypatch.setattr(os, "fsync", real)
    run(image, "-o", out)
    assert sorted(os.listdir(tmp_path)) == ["disk.img", "out", "out.carve.jsonl"]


def test_a_place_that_cannot_be_written_to_is_told_as_that(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(spread(log_of(1, 5)))
    file = tmp_path / "file"
    file.write_bytes(b"")
    done = CliRunner().invoke(main, ["carve", str(image), "-o", str(file / "out")])
    assert done.exit_code == 3
    assert f"cannot write {file}/out" in done.stderr


def test_nothing_found_writes_nothing_and_says_when_all_looks_encrypted(tmp_path):
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(random.Random(1).randbytes(1 << 20))
    shown = run(image, "-o", out, status=1).stdout
    assert "No batch was found, and nothing is written." in shown
    assert "looks encrypted or compressed" in shown
    image.write_bytes(bytes(1 << 20))
    assert "encrypted" not in run(image, "-o", out, status=1).stdout
    assert os.listdir(tmp_path) == ["disk.img"]


def test_an_image_that_is_not_there_or_is_a_directory_cannot_be_read(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none", tmp_path / "folder"):
        with pytest.raises(UnreadableFile):
            carve([str(path)], str(tmp_path / "out"), Settings(), account_of)
    assert not holds(str(tmp_path), str(tmp_path / "out"))


def test_the_lines_on_stdout_are_those_of_the_account(tmp_path):
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(spread(log_of(1, 20)))
    told = run(image, "-o", out, "--format", "jsonl").stdout
    assert told == (tmp_path / "out.carve.jsonl").read_text()
    lines = list(map(json.loads, told.splitlines()))
    assert [line["type"] for line in lines] == ["group", "run", "summary"]
    assert all(line["schema"] == "kafkalog.carve/1" for line in lines)
    assert lines[2]["batches"] == lines[0]["batches"] == lines[1]["batches"] == 20


@pytest.mark.parametrize(
    "words",
    [["--range", "5"], ["--range", "9:3"], ["--range", "a:b"], ["--max-batch", "0"], ["--block-size", "x"]],
)
def test_sizes_and_ranges_that_are_none_are_refused(tmp_path, words):
    done = CliRunner().invoke(main, ["carve", "disk.img", "-o", str(tmp_path / "out"), *words])
    assert done.exit_code == 2
    assert words[1] in done.stderr


def test_real_logs_are_found_in_any_place_between_other_bytes(tmp_path):
    logs = [path.read_bytes() for path in sorted((FIXTURES / "broker/3.9.1/cluster-final-n1").glob("*/*.log"))]
    wanted = {one for log in logs for one in batches_of(log.rstrip(b"\0") if not log.strip(b"\0") else log) if one}
    rnd = random.Random(4)
    _, got = carved(tmp_path, b"".join(rnd.randbytes(rnd.randrange(3000)) + log for log in logs))
    assert set(got) == wanted


def test_the_answers_of_a_generated_image_are_right():
    log = log_of(1, 9)
    half = len(log) // 2 // BLOCK * BLOCK
    key = answers([log], [Extent(0, 0, 0, half), Extent(half + BLOCK, 0, half, len(log) - half)])
    assert len(key.whole) + len(key.cut) + key.others == 9


def test_a_topic_whose_schema_a_registry_has_is_named_as_a_guess_and_another_one_is_not(tmp_path):
    def framed(schema, base):
        records = [R(offset_delta=at, key=b"k", value=b"\0" + schema.to_bytes(4, "big") + b"\x02%d" % at) for at in range(9)]
        return seal(batch(records, base_offset=base, crc=0))

    subjects = {"orders-value": 7, "orders-key": 8, "clicks-value": 9}
    registered = [
        R(at, json.dumps({"subject": name}).encode(), json.dumps({"subject": name, "id": number, "schema": "{}"}).encode())
        for at, (name, number) in enumerate(subjects.items())
    ]
    registry = tmp_path / "data/_schemas-0"
    registry.mkdir(parents=True)
    nothing = [R(3, b"gone", None), R(4, b"{", b"{"), R(5, b"k", b"[]"), R(6, b"k", b'{"subject": 1, "id": 8}')]
    (registry / f"{0:020d}.log").write_bytes(batch([*registered, *nothing]))
    image, out = tmp_path / "disk.img", tmp_path / "out"
    image.write_bytes(spread(framed(7, 0) + framed(7, 9), framed(8, 0)))
    shown = run(image, "-o", out, "--like", tmp_path / "data").stdout
    assert f"may be topic orders: schema id 7; {registry} has it for the subject orders-value" in " ".join(shown.split())
    guesses = [json.loads(line).get("guess", "") for line in (tmp_path / "out.carve.jsonl").read_text().splitlines()]
    assert [guess for guess in guesses if guess != ""] == ["topic orders", None]


# --- going on ---


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """A search that ended early: its image and new directory, and the ranges that are looked through from now on."""
    image, out, looked_at = tmp_path / "disk.img", tmp_path / "out", []
    image.write_bytes(spread(*(log_of(seed, 12, producer_id=seed, base=1000 * seed) for seed in range(1, 6))))
    monkeypatch.setattr(api, "RANGE", image.stat().st_size // 5 + 1)

    def interrupt(path, number, begin, end, search):
        if len(looked_at) == 3:
            raise KeyboardInterrupt
        looked_at.append(begin)
        return scan.scan(path, number, begin, end, search)

    monkeypatch.setattr(api, "scan", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carve([str(image)], str(out), Settings(jobs=1), account_of)
    assert os.listdir(tmp_path) in (["disk.img", "out.carve.partial"], ["out.carve.partial", "disk.img"])
    looked_at[:] = []
    monkeypatch.setattr(api, "scan", lambda *task: looked_at.append(task[2]) or scan.scan(*task))
    return image, out, looked_at


def contents_of(tmp_path):
    return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_search_that_was_interrupted_goes_on_and_finds_what_one_search_finds(interrupted, tmp_path):
    image, out, looked_at = interrupted
    with (tmp_path / "out.carve.partial").open("ab") as file:
        file.write(b'{"image": 0, "begin"')  # cut by a crash
    carve([str(image)], str(out), Settings(jobs=1, resume=True), account_of)
    assert len(looked_at) == 2
    resumed = contents_of(tmp_path)
    assert set(resumed) > {"disk.img", "out.carve.jsonl"}
    assert not any(name.endswith(".partial") for name in resumed)
    shutil.rmtree(out)
    (tmp_path / "out.carve.jsonl").unlink()
    carve([str(image)], str(out), Settings(jobs=1), account_of)
    assert len(looked_at) >= 2 + 5
    assert contents_of(tmp_path) == resumed


def test_without_the_option_a_search_begins_again(interrupted):
    image, out, looked_at = interrupted
    carve([str(image)], str(out), Settings(jobs=1), account_of)
    assert len(looked_at) >= 5


@pytest.mark.parametrize("change", ["image", "options"])
def test_a_search_of_something_else_is_not_gone_on_with(change, interrupted):
    image, out, looked_at = interrupted
    if change == "image":
        image.write_bytes(image.read_bytes() + b"x")
    settings = Settings(jobs=1, resume=True, legacy=change == "options")
    with pytest.raises(RequestError, match="of other images, with other options or by another version: leave out --resume"):
        carve([str(image)], str(out), settings, account_of)
    assert looked_at == []


@pytest.mark.parametrize("damage", [(10, b"x"), (-20, b"]"), (30, b"\n"), (0, b"\0")])
def test_a_damaged_line_is_not_believed_and_its_range_is_looked_through_again(damage, interrupted, tmp_path):
    image, out, looked_at = interrupted
    head, first, second, third = (tmp_path / "out.carve.partial").read_bytes().splitlines(keepends=True)
    place, byte = damage
    damaged = second[:place] + byte + second[place:][1:]
    (tmp_path / "out.carve.partial").write_bytes(head + first + damaged + third)
    carve([str(image)], str(out), Settings(jobs=1, resume=True), account_of)
    assert len(looked_at) == 3
    resumed = contents_of(tmp_path)
    shutil.rmtree(out)
    (tmp_path / "out.carve.jsonl").unlink()
    carve([str(image)], str(out), Settings(jobs=1), account_of)
    assert contents_of(tmp_path) == resumed


@pytest.mark.parametrize("resume", [True, False])
def test_what_is_no_journal_of_a_search_is_left_as_it_is(resume, interrupted, tmp_path):
    image, out, _ = interrupted
    for content, words in [
        (b"notes of mine\n", r"out\.carve\.partial is no journal of kafkalog's, and is left as it is"),
        (
            b'{"schema": "kafkalog.journal/1"}\n',
            r"is a kafkalog\.journal/1, and this run .* a kafkalog\.carve-journal/1",
        ),
    ]:
        (tmp_path / "out.carve.partial").write_bytes(content)
        with pytest.raises(RequestError, match=words):
            carve([str(image)], str(out), Settings(jobs=1, resume=resume), account_of)
        assert (tmp_path / "out.carve.partial").read_bytes() == content
