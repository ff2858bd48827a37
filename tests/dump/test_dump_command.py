"""What `kafkalog dump` does beyond the real tool: directories, filters, payload forms, JSON lines, workers, manners."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import pytest

from kafkalog.files.partition import Partition
from tests.dump.golden import run
from tests.log_dirs import FIXTURES

TWITTER = FIXTURES / "broker" / "2.1.1" / "plain" / "twitter-status-0"
PLAIN = TWITTER.parent


def kafkalog(*arguments, **more):
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent), **more.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "kafkalog", *map(str, arguments)], capture_output=True, check=False, env=environment, **more
    )


@pytest.fixture
def copy(tmp_path):
    target = tmp_path / "twitter-status-0"
    shutil.copytree(TWITTER, target)
    return target


def dumped(out: bytes) -> list[str]:
    return [line.removeprefix("Dumping ") for line in out.decode().splitlines() if line.startswith("Dumping ")]


def lines(out: bytes) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_directory_is_printed_segment_by_segment():
    status, out, err = run([str(TWITTER)])
    assert (status, "kafkalog: " in err) == (0, False)
    names = [os.path.basename(path) for path in dumped(out)]
    assert names[:4] == [f"00000000000000000000{suffix}" for suffix in (".log", ".index", ".timeindex")] + [
        "00000000000000000074.log"
    ]
    assert names[-1] == "leader-epoch-checkpoint"
    assert b"epoch: 0 startOffset: 0\n" in out


@pytest.mark.parametrize(
    ("version", "before", "since"),
    [
        (0, 0, 0),
        (1, 0, None),
        (0x00FF, 0, None),
        (0x0100, None, None),
        (-1, -1, None),
        (-0x100, -1, None),
        (-0x8000, -128, None),
    ],
)
def test_versions_of_aborted_transactions_are_a_byte_up_to_4_3_and_must_be_0_since(version, before, since, tmp_path):
    """What is printed for an entry of that version; None: the real tool dies there, kafkalog tells and goes on."""
    path = tmp_path / "00000000000000000000.txnindex"
    path.write_bytes(b"".join(struct.pack(">hqqqq", each, 7, 1, 2, 3) for each in (0, version)))
    line = "version: {} producerId: 7 firstOffset: 1 lastOffset: 2 lastStableOffset: 3"
    for release, shown in (("4.3.1", before), ("4.4.0", since)):
        status, out, err = run(["--kafka-version", release, "--files", str(path)])
        first, second = out.decode().splitlines()[1:]
        assert first == line.format(0)
        assert (status, "position 34: entry 1 has version" in err) == ((0, False) if shown is not None else (1, True))
        if shown is not None:
            assert second == line.format(shown)


def test_snapshots_of_more_than_a_million_producers_are_refused_since_4_4(tmp_path):
    path = tmp_path / "00000000000000000000.snapshot"
    path.write_bytes(struct.pack(">hIi", 1, 0, 1_000_001) + bytes(1_000_001))
    complaint = "Snapshot failed schema validation: "
    too_many = "Tried to read a collection of size 1000001, which exceeds the maximum allowed size of 1000000."
    for release, said in (("4.3.1", "null"), ("4.4.0", too_many)):
        assert f"{complaint}{said}\n" in run(["--kafka-version", release, "--files", str(path)])[2]


def test_printed_paths_are_the_argument_and_the_name_below_it(copy, monkeypatch):
    monkeypatch.chdir(copy)
    _, out, _ = run(["."])
    assert dumped(out)[0] == "./00000000000000000000.log"
    _, out, _ = run([f"{copy}///"])
    assert dumped(out)[0] == f"{copy}/00000000000000000000.log"


def test_a_log_dir_is_printed_partition_by_partition_then_its_own_files():
    _, out, _ = run([str(PLAIN)])
    names = dumped(out)
    own = [os.path.basename(name) for name in names if os.path.dirname(name) == str(PLAIN)]
    assert names[-len(own) :] == [f"{PLAIN}/{name}" for name in own]
    assert own == sorted(own)
    assert {"meta.properties", ".kafka_cleanshutdown", "recovery-point-offset-checkpoint"} <= set(own)
    partitions = list(dict.fromkeys(name.split("/")[-2] for name in names[: -len(own)]))
    assert partitions == sorted(partitions)


def test_files_that_wait_are_named_and_printed_when_given(copy):
    log = copy / "00000000000000000000.log"
    log.rename(f"{log}.deleted")
    _, out, err = run([str(copy)])
    assert f"{log}.deleted: not printed" in err
    assert f"{log}.deleted" not in dumped(out)
    status, out, err = run([f"{log}.deleted"])
    assert (status, err) == (0, "")
    assert b"Log starting offset: 0\n" in out
    _, _, err = run(["--files", f"{log}.deleted"])
    assert err == f"Ignoring unknown file {log}.deleted\n"


def test_a_snapshot_without_a_segment_follows_the_last_lower_segment(copy):
    (copy / "00000000000000000080.snapshot").write_bytes(bytes.fromhex("0001") + bytes(8))
    names = [os.path.basename(path) for path in dumped(run([str(copy)])[1])]
    at = names.index("00000000000000000080.snapshot")
    assert names[at - 1].startswith("00000000000000000074.")
    assert names[at + 1] > "00000000000000000080"


@pytest.mark.parametrize("damage", ["zeros", "length", "garbage"])
def test_printing_goes_on_behind_damage(copy, damage):
    log = copy / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    if damage == "zeros":
        data[492:532] = bytes(40)
    elif damage == "length":
        data[500] ^= 0x80
    else:
        data[492:553] = b"\xff" * 61
    log.write_bytes(data)
    status, out, err = run([str(copy), "--deep-iteration"])
    assert status == 1
    assert f"kafkalog: {log}: position 492: " in err
    assert b"| offset: 73 " in out
    assert dumped(out)[-1].endswith("leader-epoch-checkpoint")
    assert b" lastOffset: 532 " in out


def test_json_lines_show_what_the_real_tool_passes_over_in_silence(copy):
    log = copy / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[492:600] = b""  # the next size reaches beyond the file: the tool counts "invalid bytes" and is done
    log.write_bytes(data)
    status, out, _ = run([str(log), "--deep-iteration"])
    assert (status, b"Found 15632 invalid bytes" in out, b"| offset: 73 " in out) == (1, True, False)
    _, out, _ = run([str(log), "--deep-iteration", "--format", "jsonl"])
    assert max(line["offset"] for line in lines(out) if line["type"] == "record") == 73


def test_the_real_tool_stops_at_zeros_and_kafkalog_too_but_says_where(copy):
    with (copy / "00000000000000000000.log").open("ab") as log:
        log.write(bytes(4096))
    status, out, err = run([str(copy / "00000000000000000000.log")])
    assert status == 1
    assert "position 16232: record size 0" in err
    assert b"invalid bytes" not in out


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        (["--offsets", "100:103"], [100, 101, 102]),
        (["--offsets", "530:"], [530, 531, 532]),
        (["--offsets", ":2"], [0, 1]),
        (["--offsets", "700:"], []),
        (["--key", "user_011", "--offsets", "0:10"], [0]),
        (["--key", "hex:757365725f303131", "--offsets", "0:10"], [0]),
        (["--until", "1550000001471"], [0, 1]),
        (["--since", "1550000000223", "--until", "2019-02-12T19:33:21.471Z"], [0, 1]),
        (["--producer-id", "-1", "--offsets", "0:2"], [0, 1]),
        (["--producer-id", "77"], []),
    ],
)
def test_filters_find_their_records_in_both_formats(options, offsets):
    status, out, _ = run([str(TWITTER), *options, "--deep-iteration"])
    found = [int(line.split()[2]) for line in out.decode().splitlines() if line.startswith("| offset: ")]
    assert (status, found) == (0, offsets)
    _, out, _ = run([str(TWITTER), *options, "--deep-iteration", "--format", "jsonl"])
    assert [line["offset"] for line in lines(out) if line["type"] == "record"] == offsets


def test_filters_agree_with_a_full_scan_at_every_offset_and_time():
    _, out, _ = run([str(TWITTER), "--deep-iteration", "--format", "jsonl"])
    records = [line for line in lines(out) if line["type"] == "record"]
    for step in range(0, 533, 37):
        _, out, _ = run([str(TWITTER), "--offsets", f"{step}:{step + 5}", "--deep-iteration", "--format", "jsonl"])
        want = [record["offset"] for record in records if step <= record["offset"] < step + 5]
        assert [line["offset"] for line in lines(out) if line["type"] == "record"] == want
        since = records[step]["timestamp"]
        _, out, _ = run([str(TWITTER), "--since", str(since), "--deep-iteration", "--format", "jsonl"])
        want = [record["offset"] for record in records if record["timestamp"] >= since]
        assert [line["offset"] for line in lines(out) if line["type"] == "record"] == want


def test_a_lying_index_is_not_trusted(copy):
    index = copy / "00000000000000000000.index"
    data = bytearray(index.read_bytes())
    for at in range(0, len(data), 8):
        data[at + 4 : at + 8] = (16000).to_bytes(4, "big")
    index.write_bytes(data)
    _, out, _ = run([str(copy), "--offsets", "30:33", "--deep-iteration"])
    assert [line.split()[2] for line in out.decode().splitlines() if line.startswith("| offset")] == ["30", "31", "32"]


def test_a_batch_line_stands_if_any_of_its_records_passes():
    _, out, _ = run([str(TWITTER), "--offsets", "1:2"])
    assert out.decode().count("baseOffset: ") == 1


@pytest.mark.parametrize(
    ("form", "key", "payload"),
    [
        ("hex", "757365725f303131", "7b226964"),
        ("base64", "dXNlcl8wMTE=", "eyJpZCI6"),
        ("length", "8", "196"),
        ("sha256", "f2a7", ""),
    ],
)
def test_payload_forms_hide_the_content(form, key, payload):
    _, out, _ = run([str(TWITTER), "--print-data-log", "--payload", form, "--offsets", "0:1"])
    line = out.decode().splitlines()[3]
    assert f" payload: {payload}" in line
    assert b"user_011" not in out
    if form == "sha256":
        import hashlib

        key = hashlib.sha256(b"user_011").hexdigest()
    assert f" key: {key} payload: " in line


def test_payload_none_prints_no_content():
    _, out, _ = run([str(TWITTER), "--print-data-log", "--payload", "none"])
    assert b" key: " not in out
    assert b" payload: " not in out
    _, out, _ = run([str(TWITTER), "--print-data-log", "--payload", "none", "--format", "jsonl"])
    assert all("key" not in line for line in lines(out))


def test_json_lines_account_for_every_byte_of_a_log(copy):
    log = copy / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[5000:5040] = bytes(40)
    log.write_bytes(data + bytes(100))
    status, out, _ = run([str(log), "--format", "jsonl"])
    assert status == 1
    at = 0
    for line in lines(out):
        assert line["schema"] == "kafkalog.dump/1"
        if line["type"] == "mismatch":
            continue
        assert line["position"] == at
        at = line["end"] if line["type"] == "damage" else at + (line.get("padding") or line["size"])
    assert at == len(data) + 100


def test_json_lines_tell_null_from_empty():
    _, out, _ = run([str(TWITTER), "--format", "jsonl", "--print-data-log"])
    values = [line["value"] for line in lines(out) if line["type"] == "record"]
    assert None in values
    assert {"hex": ""} in values


def test_json_lines_name_every_kind_of_file():
    _, out, _ = run([str(FIXTURES / "golden" / "base" / "log"), "--format", "jsonl", "--print-data-log"])
    kinds = {line["type"] for line in lines(out)}
    assert kinds >= {
        "batch",
        "record",
        "index_entry",
        "time_index_entry",
        "aborted_txn",
        "producer_entry",
        "epoch_entry",
        "metadata",
    }
    decoded = [line for line in lines(out) if "decoded" in line]
    assert {line["path"].split("/")[-2] for line in decoded} >= {"__consumer_offsets-0", "__transaction_state-0"}


def test_decoders_are_chosen_by_the_topic_unless_told_otherwise():
    offsets = FIXTURES / "golden" / "base" / "log" / "__consumer_offsets-0"
    _, out, _ = run([str(offsets), "--print-data-log"])
    assert b'key: {"type":"1","data":{"group":"readers"' in out
    for options in (["--no-decode"], ["--payload", "hex"]):
        _, out, _ = run([str(offsets), "--print-data-log", *options])
        assert b'{"type":"1"' not in out
    _, out, _ = run(["--files", f"{offsets}/00000000000000000000.log", "--print-data-log"])
    assert b'{"type":"1"' not in out


def test_workers_print_the_same_bytes(tmp_path):
    data = b"".join((TWITTER / f"{base:020d}.log").read_bytes() for base in (0, 74, 147))
    log = tmp_path / "00000000000000000000.log"
    hurt = bytearray(data * 100)
    hurt[2_000_000] ^= 1
    for content, status in ((data * 100, 0), (hurt, None)):
        log.write_bytes(content)
        alone = kafkalog("dump", log, "--print-data-log")
        together = kafkalog("dump", log, "--print-data-log", "--jobs", "3")
        assert (alone.returncode, alone.stdout, alone.stderr) == (together.returncode, together.stdout, together.stderr)
        assert b"Non-consecutive offsets" in alone.stderr
        if status is not None:
            assert alone.returncode == status


def test_python_decoders_are_called_and_their_failure_ends_the_record_only(tmp_path, monkeypatch):
    (tmp_path / "my_decoders.py").write_text(
        "def upper(data):\n    return data.decode().upper()\n\ndef fail(data):\n    1 / 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _, out, _ = run([str(TWITTER), "--key-decoder-class", "my_decoders:upper", "--offsets", "0:1"])
    assert b" key: USER_011 payload: " in out
    status, out, err = run([str(TWITTER), "--value-decoder-class", "my_decoders:fail", "--offsets", "0:2"])
    assert status == 1
    assert "ZeroDivisionError" in err
    assert kafkalog("dump", TWITTER, "--key-decoder-class", "no.such:thing").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dump"], "Give a PATH"),
        (["dump", "--frobnicate", "x"], "--frobnicate"),
        (["dump", "x", "--kafka-version", "5.99"], "0.11.0.0 to 4.4.0"),
        (["dump", "x", "--kafka-version", "0.10"], "0.11.0.0 to 4.4.0"),
        (["dump", "x", "--kafka-version", "4.3.2"], "of its line 4.3.0 to 4.3.1 are known"),
        (["dump", "x", "--kafka-version", "2.1.1", "--max-bytes", "1"], "came with Kafka 3.3.0"),
        (["dump", "x", "--offsets", "5"], "A:B"),
        (["dump", "x", "--since", "yesterday"], "ISO 8601"),
        (["dump", "x", "--key", "hex:zz"], "hex"),
        (["dump", "--files", "a", "--files", "b"], "once"),
        (["dump", "x", "--jobs", "0"], "jobs"),
        (["nonsense"], "nonsense"),
    ],
)
def test_usage_errors_exit_with_2_and_one_clear_text(arguments, said):
    done = kafkalog(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    os.mkfifo(tmp_path / "00000000000000000000.log")
    for path, reason in (
        (tmp_path / "nowhere", "no such file or directory"),
        (tmp_path / "empty", "holds nothing of Kafka"),
        (tmp_path / "notes.txt", "is no file of Kafka's"),
        (tmp_path / "00000000000000000000.log", "FIFO"),
    ):
        done = kafkalog("dump", path)
        assert done.returncode == 1
        said = done.stderr.decode().splitlines()
        assert len(said) == 1
        assert reason in said[0]
        assert str(path) in said[0]


def test_names_that_are_not_utf_8_are_carried_through(tmp_path):
    folder = os.fsencode(tmp_path) + b"/t\xff-0"
    os.mkdir(folder)
    shutil.copy(TWITTER / "00000000000000000000.log", folder + b"/00000000000000000000.log")
    done = kafkalog("dump", os.fsdecode(folder), env={"LC_ALL": "C", "LANG": "C"})
    assert done.returncode == 0
    assert b"Dumping " + folder in done.stdout
    done = kafkalog("dump", os.fsdecode(folder), "--format", "jsonl")
    assert b"t\\udcff-0" in done.stdout


def test_output_is_utf_8_whatever_the_locale():
    plain = kafkalog("dump", TWITTER, "--print-data-log")
    assert "नमस्ते" in plain.stdout.decode()
    assert kafkalog("dump", TWITTER, "--print-data-log", env={"LC_ALL": "POSIX"}).stdout == plain.stdout


def test_a_reader_that_leaves_early_is_no_error():
    for jobs in ("1", "2"):
        dump = f"{sys.executable} -m kafkalog dump {PLAIN} {PLAIN} --print-data-log --jobs {jobs}"
        command = f"{dump} | head -1; echo ${{PIPESTATUS[0]}}"
        environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, env=environment)
        assert done.stderr == b""
        assert done.stdout.splitlines()[-1] == b"0"


def test_an_interrupt_exits_with_130(tmp_path):
    data = b"".join((TWITTER / f"{base:020d}.log").read_bytes() for base in (0, 74, 147))
    log = tmp_path / "00000000000000000000.log"
    log.write_bytes(data * 400)
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    for jobs in ("1", "2"):
        process = subprocess.Popen(
            [sys.executable, "-m", "kafkalog", "dump", str(log), "--print-data-log", "--jobs", jobs],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True,
        )  # fmt: skip
        process.stdout.read(100_000)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err.strip() == b""


def test_a_file_that_shrinks_while_it_is_read_is_reported(tmp_path, monkeypatch):
    from kafkalog.files import source

    log = tmp_path / "00000000000000000000.log"
    shutil.copy(TWITTER / "00000000000000000000.log", log)
    monkeypatch.setattr(source, "WINDOW", 4096)
    real = os.pread

    def cut(descriptor, size, position):
        if position > 8000:
            os.truncate(log, 8100)
        return real(descriptor, size, position)

    monkeypatch.setattr(os, "pread", cut)
    status, out, err = run([str(log)])
    assert status == 1
    assert "shrank from 16232 to 8100 bytes" in err
    assert out.startswith(b"Dumping ")


def test_start_up_imports_neither_codecs_nor_rich():
    heavy = ("rich", "lz4", "zstandard", "snappy", "numpy", "dataclasses", "json")
    code = f"import sys; from kafkalog.cli import dump, main; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=FIXTURES.parent)
    assert done.stdout.split() == []


def test_json_lines_account_for_every_byte_of_an_index(copy):
    for suffix, size in ((".index", 8), (".timeindex", 12)):
        index = copy / f"00000000000000000000{suffix}"
        data = bytearray(index.read_bytes())
        data[size : 2 * size] = bytes(size)
        for tail in (b"", b"abc", bytes(5 * size), bytes(5 * size) + b"\1\2"):
            index.write_bytes(data + tail)
            _, out, _ = run([str(index), "--format", "jsonl"])
            at = 0
            for line in lines(out):
                if line["type"] in ("index_entry", "time_index_entry"):
                    assert line["position"] == at
                    at += size
                elif line["type"] == "metadata" or (line["type"] == "damage" and line["position"] == at):
                    at = line["end"] if line["type"] == "damage" else at + line["padding"]
            assert at == len(data + tail)


def test_a_decoder_that_leaves_the_program_ends_the_record_only(tmp_path):
    (tmp_path / "leaving.py").write_text("import sys\ndef f(data):\n    sys.exit(7)\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    path = {"PYTHONPATH": f"{FIXTURES.parent}:{tmp_path}"}
    done = kafkalog("dump", TWITTER, "--value-decoder-class", "leaving:f", env=path)
    assert done.returncode == 1
    assert b"SystemExit" in done.stderr
    for name in ("broken:f", "os:sep"):
        done = kafkalog("dump", TWITTER, "--value-decoder-class", name, env=path)
        assert done.returncode == 2
        assert b"no Python decoder" in done.stderr


def test_a_closed_stdout_is_no_crash():
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    command = f"{sys.executable} -m kafkalog dump {TWITTER} >&-"
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, check=False, env=environment)
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize("options", [["--offsets", "9:3"], ["--since", "2000", "--until", "1000"]])
def test_ranges_that_end_before_they_begin_are_usage_errors(options):
    assert kafkalog("dump", TWITTER, *options).returncode == 2


def test_a_seek_does_not_pass_over_damage(copy):
    log = copy / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[492:500] = (60).to_bytes(8, "big")
    log.write_bytes(data)
    for options in (["--offsets", "60:62"], ["--offsets", "60:62", "--since", "0"]):
        _, out, _ = run([str(log), *options, "--deep-iteration", "--format", "jsonl"])
        assert [line["offset"] for line in lines(out) if line["type"] == "record"] == [60, 61, 60, 61]


@pytest.mark.parametrize("folder", [b"100%d", "é%s".encode(), b"\xff%%"])
def test_entries_as_json_lines_name_any_path(tmp_path, folder):
    home = os.path.join(os.fsencode(tmp_path), folder)
    shutil.copytree(os.fsencode(FIXTURES / "broker/2.1.1/txn/ledger-0"), home)
    for suffix in (".index", ".timeindex", ".txnindex"):
        path = os.fsdecode(home) + f"/{0:020d}{suffix}"
        entries = [line for line in lines(run([path, "--format", "jsonl"])[1]) if line["type"] != "mismatch"]
        assert entries
        assert {line["path"] for line in entries} == {path}
        numbers = [value for line in entries for value in list(line.values())[3:]]  # after schema, type and path
        assert {type(value) for value in numbers} == {int}


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_a_segment_that_goes_while_its_directory_is_printed_is_said_in_one_line(form, tmp_path, monkeypatch):
    log_dir = tmp_path / "d1"
    for name in ("a-0", "b-0", "c-0"):
        shutil.copytree(TWITTER, log_dir / name)
    listed = Partition

    def listed_then_deleted(path, directory):
        partition = listed(path, directory)
        for file in (log_dir / "a-0").glob(f"{74:020d}.*"):
            file.unlink()
        shutil.rmtree(log_dir / "b-0", ignore_errors=True)
        return partition

    with monkeypatch.context() as patch:
        patch.setattr("kafkalog.files.log_dir.Partition", listed_then_deleted)
        status, out, err = run([str(log_dir), "--format", form])
    assert status == 0
    lines = [line for line in err.splitlines() if "gone since its directory was listed" in line]
    assert [line.split(": ")[1] for line in lines] == [f"{log_dir}/a-0/{74:020d}.log", f"{log_dir}/b-0"]
    assert f"{log_dir}/a-0/{147:020d}.log".encode() in out
    assert f"{log_dir}/c-0/{74:020d}.log".encode() in out


def test_an_index_whose_log_was_never_there_is_still_a_failure(tmp_path):
    shutil.copytree(TWITTER, tmp_path / "a-0")
    (tmp_path / "a-0" / f"{74:020d}.log").unlink()
    status, _, err = run([str(tmp_path / "a-0")])
    assert status == 1
    assert "its log cannot be read" in err
