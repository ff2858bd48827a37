"""Archives, standard input, and files that are called otherwise: read like the directory or the file that they are."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import pytest
import zstandard
from click.testing import CliRunner

from kafkalog import errors, next_start, open_segment, verify
from kafkalog.cli.main import main
from kafkalog.files import mounted
from kafkalog.files.classify import Kind, classify
from kafkalog.files.intake import KINDS, As, named, parse_as
from tests.dump.golden import run
from tests.log_dirs import FIXTURES

PLAIN = FIXTURES / "golden" / "base" / "log"
PARTITION = PLAIN / "tweets-0"
LOG = PARTITION / "00000000000000000015.log"
NOW = 1_700_000_000_000


@pytest.fixture
def told():
    """What is told about what is taken in."""
    lines: list[str] = []
    token = mounted.TELL.set(lines.append)
    yield lines
    mounted.TELL.reset(token)


def packed(path, kind="tar", folder=PLAIN, name="logs"):
    """An archive of a directory under a name; of several, by name, if `folder` is a list of (member, bytes)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        if isinstance(folder, list):
            for member, content in folder:
                add(archive, member, content)
        else:
            archive.add(folder, name)
    path.write_bytes(PACK[kind](raw.getvalue()))
    return path


def _zst(data):
    """As pzstd packs: a skippable frame, then several frames."""
    packer = zstandard.ZstdCompressor(write_checksum=True)
    half = len(data) // 2
    return b"\x50\x2a\x4d\x18\x04\0\0\0size" + packer.compress(data[:half]) + packer.compress(data[half:])


def _zip(data):
    """The members of a tar archive in a zip archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in archive:
            if member.isdir():
                packed.writestr(f"{member.name}/", b"")
            else:
                packed.writestr(member.name, archive.extractfile(member).read())
    return raw.getvalue()


PACK = {"tar": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": _zst, "zip": _zip}


def add(archive, member, content=b"", **fields):
    info = tarfile.TarInfo(member)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(content))


def lines_of(path, inner):
    """The JSON lines of `verify`, with paths below an archive as below the directory."""
    return verify(path, now=NOW).to_jsonl().replace(json.dumps(str(inner))[1:-1], json.dumps(str(PLAIN))[1:-1])


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_of_a_log_dir_is_read_like_the_log_dir(tmp_path, monkeypatch, kind, told):
    path = packed(tmp_path / f"data.{kind}", kind)
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    found = classify(f"{path}")
    assert (found.path, found.kind) == (f"{path}/logs", Kind.LOG_DIR)
    assert lines_of(path, f"{path}/logs") == verify(PLAIN, now=NOW).to_jsonl()
    status, out, _ = run([str(path), "--deep-iteration"])
    assert (status, out.replace(f"{path}/logs".encode(), str(PLAIN).encode())) == run([str(PLAIN), "--deep-iteration"])[:2]
    assert [line for line in told if "temporary file" in line] == told
    assert bool(told) == (kind != "tar")
    assert os.listdir(spools) == []


def test_an_archive_of_a_partition_is_the_partition_and_paths_lead_into_it(tmp_path):
    path = packed(tmp_path / "one.tgz", "gz", PARTITION, "./tweets-0")
    assert classify(str(path))[:2] == (f"{path}/tweets-0", Kind.PARTITION)
    assert verify(path, now=NOW).partitions[0].topic == "tweets"
    outcome = next_start(path, kafka_version="4.3", assume_stop="unclean")
    assert outcome._replace(path="") if hasattr(outcome, "_replace") else outcome.log_end_offset == 33
    inner = f"{path}/tweets-0/{LOG.name}"
    assert run([inner])[1].split(b"\n", 1)[1] == run([str(LOG)])[1].split(b"\n", 1)[1]
    assert open_segment(inner).paths.keys() == open_segment(LOG).paths.keys()
    assert verify(f"{path}/tweets-0/none").not_checked[0].reason == "no such file or directory"
    with_all = packed(tmp_path / "bare.tar", "tar", PARTITION, ".")
    assert classify(str(with_all))[:2] == (str(with_all), Kind.PARTITION)


def test_what_to_read_next_of_a_partition_in_an_archive_is_that_partition(tmp_path):
    folder = pathlib.Path(shutil.copytree(FIXTURES / "broker/2.1.1/plain", tmp_path / "d"))
    log = folder / "twitter-status-0" / "00000000000000000147.log"
    log.write_bytes(log.read_bytes()[:8116] + b"#" + log.read_bytes()[8117:])
    for path, inner in ((folder, folder), (packed(tmp_path / "d.tar", folder=folder), f"{tmp_path}/d.tar/logs")):
        shown = CliRunner().invoke(main, ["next-start", "-q", str(path)]).stdout
        assert f"more        kafkalog next-start -v {inner}/twitter-status-0\n" in shown


def test_an_archive_of_several_log_dirs_names_them(tmp_path):
    members = [
        (f"data/{name}/{file}", content)
        for name in ("d1", "d2")
        for file, content in (("meta.properties", b"version=0\n"), (f"t-0/{LOG.name}", LOG.read_bytes()))
    ]
    path = packed(tmp_path / "both.tar", "tar", members)
    (problem,) = verify(path).not_checked
    assert "log dirs: d1, d2" in problem.reason
    assert classify(f"{path}/data/d2").kind is Kind.LOG_DIR


def test_a_packed_file_is_the_file(tmp_path):
    path = tmp_path / f"{LOG.name}.gz"
    path.write_bytes(gzip.compress(LOG.read_bytes()))
    status, out, err = run([str(path)])
    assert (status, err) == (0, "")
    assert out.split(b"\n", 1) == [f"Dumping {path}/{LOG.name}".encode(), run([str(LOG)])[1].split(b"\n", 1)[1]]


def test_hostile_members_are_left_out_and_told(tmp_path, told):
    path = tmp_path / "hostile.tar"
    log = LOG.read_bytes()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        add(archive, f"t-0/{LOG.name}", b"the first one")
        add(archive, f"t-0/{LOG.name}", log)
        add(archive, "../../escape", b"x")
        add(archive, "t-0/../../../escape", b"x")
        add(archive, f"/t-0/{'0' * 19}9.log", b"")
        add(archive, "t-0/link.log", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "t-0/fifo.log", type=tarfile.FIFOTYPE)
        add(archive, "t-0/device", type=tarfile.CHRTYPE)
        add(archive, "t-0/hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        add(archive, f"t-0/{'0' * 18}77.log", type=tarfile.LNKTYPE, linkname=f"t-0/{LOG.name}")
        add(archive, "t-0/odd", type=b"V")
        add(archive, "t-0/sparse", type=tarfile.GNUTYPE_SPARSE)
        add(archive, "n" * 5000, b"")
        add(archive, "/".join("d" * 200), b"")
    assert classify(str(path))[:2] == (f"{path}/t-0", Kind.PARTITION)
    assert sorted(entry.name for entry in classify(str(path)).directory.entries) == [
        f"{'0' * 19}9.log", LOG.name, f"{'0' * 18}77.log",
    ]  # fmt: skip
    assert open_segment(f"{path}/t-0/{LOG.name}").size == len(log) == open_segment(f"{path}/t-0/{'0' * 18}77.log").size
    text = "\n".join(told)
    for said in (
        f"there more than once, the last one is read: t-0/{LOG.name}",
        "leads out of the archive or makes no sense: ../../escape, t-0/../../../escape, ",
        "and 1 more",
        "though its path begins with /: /t-0/",
        "not read, a symbolic link: t-0/link.log",
        "not read, a FIFO: t-0/fifo.log",
        "not read, a device: t-0/device",
        "a hard link to what is not in the archive: t-0/hard",
        "not read, of an unknown kind: t-0/odd",
        "sparse file (pack it without --sparse): t-0/sparse",
    ):
        assert said in text, said
    assert os.listdir(tmp_path) == [path.name]


def test_long_names_and_extended_headers_are_understood(tmp_path):
    folder = "x" * 120
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        path = tmp_path / f"{form}.tar"
        with tarfile.open(path, "w", format=form) as archive:
            add(archive, f"{folder}/t-0/{LOG.name}", LOG.read_bytes(), mtime=1.5 if form == tarfile.PAX_FORMAT else 1)
        assert classify(f"{path}/{folder}/t-0").kind is Kind.PARTITION
        assert open_segment(f"{path}/{folder}/t-0/{LOG.name}").size == LOG.stat().st_size


@pytest.mark.parametrize("kind", ["tar", "gz", "bz2", "xz", "zst"])
def test_of_an_archive_that_ends_early_is_read_what_is_there_and_the_rest_is_told(tmp_path, kind):
    path = packed(
        tmp_path / "cut", kind, [(f"t-0/{'0' * 20}.log", LOG.read_bytes()), (f"t-0/{LOG.name}", os.urandom(2_000_000))]
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    report = verify(path, now=NOW)
    (problem,) = [item for item in report.not_checked if item.failed]
    assert (problem.path, "ends early" in problem.reason) == (str(path), True)
    assert report.partitions
    path.write_bytes(data[: len(data) // 2] + b"")
    os.utime(path, (1, 1))
    status, out, err = run([str(path)])
    assert (status, out.count(b"isvalid: true") > 5, "ends early" in err) == (1, True, True)


def test_a_damaged_archive_is_told(tmp_path):
    path = packed(tmp_path / "hurt.tar.gz", "gz", PARTITION, "tweets-0")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert [item.reason.startswith("is damaged after") for item in verify(path, now=NOW).not_checked if item.failed] == [True]
    plain = packed(tmp_path / "hurt.tar", "tar", PARTITION, "tweets-0")
    data = bytearray(plain.read_bytes())
    data[data.index(b"tweets-0/00000000000000000026.log")] ^= 1
    plain.write_bytes(data)
    assert any("what follows is not read" in item.reason for item in verify(plain, now=NOW).not_checked)


def test_a_damaged_frame_or_what_is_no_frame_ends_an_archive_of_zstd(tmp_path):
    whole = packed(tmp_path / "whole.tar.zst", "zst", PARTITION, "tweets-0").read_bytes()
    hurt = bytearray(whole)
    hurt[-2] ^= 1
    for name, data in (("hurt", bytes(hurt)), ("more", whole + b"no frame")):
        (tmp_path / name).write_bytes(data)
        (problem,) = [item for item in verify(tmp_path / name, now=NOW).not_checked if item.failed]
        assert "is damaged after" in problem.reason, name


def test_a_zip_archive_without_its_list_of_members_is_refused_and_a_damaged_member_is_told(tmp_path):
    path = packed(tmp_path / "x.zip", "zip", PARTITION, "tweets-0")
    data = path.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[:-30])
    (problem,) = verify(tmp_path / "cut.zip", now=NOW).not_checked
    assert problem.reason == "is cut off or damaged: the list of members, with which a zip archive ends, is not there"
    hurt = bytearray(data)
    hurt[data.index(LOG.name.encode()) + len(LOG.name) + 40] ^= 1
    path.write_bytes(hurt)
    (problem,) = [item for item in verify(path, now=NOW).not_checked if item.failed]
    assert problem.reason.startswith(f"tweets-0/{LOG.name} is damaged: ")


def test_hostile_members_of_a_zip_archive_are_left_out_and_told(tmp_path, told):
    path = tmp_path / "hostile.zip"
    link, secret = zipfile.ZipInfo("t-0/link.log"), zipfile.ZipInfo("t-0/secret.log")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t-0\\00000000000000000000.log", b"")  # as a packer of Windows writes it
        archive.writestr(f"t-0/{LOG.name}", LOG.read_bytes())
        archive.writestr("../../escape", b"x")
        archive.writestr("/t-0/00000000000000000009.log", b"")
        archive.writestr(link, "/etc/passwd")
        archive.writestr(secret, b"x")
        archive.writestr("t-0/odd.log", b"x", zipfile.ZIP_BZIP2)
    data = path.read_bytes()
    at = data.rindex(b"t-0/secret.log") - 46 + 8  # the flags in the list of members
    path.write_bytes(data[:at] + b"\x01" + data[at + 1 :])
    assert classify(str(path))[:2] == (f"{path}/t-0", Kind.PARTITION)
    names = [f"{'0' * 20}.log", f"{'0' * 19}9.log", LOG.name]
    assert sorted(entry.name for entry in classify(str(path)).directory.entries) == names
    assert open_segment(f"{path}/t-0/{LOG.name}").size == LOG.stat().st_size
    for said in (
        "leads out of the archive or makes no sense: ../../escape",
        "though its path begins with /: /t-0/",
        "not read, a symbolic link: t-0/link.log",
        "not read, encrypted: t-0/secret.log",
        "not read, packed otherwise than with deflate: t-0/odd.log",
    ):
        assert said in "\n".join(told), said
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst", "zip"])
def test_a_bomb_stops_at_the_limit(tmp_path, kind):
    path = packed(tmp_path / "bomb", kind, [("t-0/x", bytes(3 << 20))])
    assert path.stat().st_size < 100_000
    token = mounted.MAX_SPOOL.set(1 << 20)
    try:
        with pytest.raises(errors.UnreadableFile, match="takes more than 1048576 bytes of a temporary file; --max-spool"):
            classify(str(path))
    finally:
        mounted.MAX_SPOOL.reset(token)


def test_headers_that_claim_more_than_there_is_take_nothing(tmp_path):
    path = tmp_path / "claims.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        add(archive, f"t-0/{LOG.name}", LOG.read_bytes())
        add(archive, "t-0/x", b"x", pax_headers={"size": str(1 << 60)})
        add(archive, "t-0/y", b"y")
    (problem,) = [item for item in verify(path, now=NOW).not_checked if item.failed]
    assert "ends early" in problem.reason


def test_no_temporary_file_is_made_below_what_is_examined(tmp_path, monkeypatch):
    below = tmp_path / "below"
    below.mkdir()
    path = packed(tmp_path / "x.tar.gz", "gz", PARTITION, "t-0")
    made = []
    real = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "tempdir", str(below))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: made.append(options["dir"]) or real(**options))
    token = mounted.EXAMINED.set((str(tmp_path),))
    try:
        classify(str(path))
        mounted.EXAMINED.set(("/",))
        os.utime(path, (1, 1))
        with pytest.raises(errors.UnreadableFile, match="set TMPDIR to another directory"):
            classify(str(path))
    finally:
        mounted.EXAMINED.reset(token)
    assert made == ["/tmp"]


# --- under another name -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_as_what_it_is_said_to_be(tmp_path, kind):
    found = sorted(path for path in FIXTURES.rglob(f"*{kind}") if path.name == kind or path.suffix == f".{kind}")
    source = next((path for path in found if path.stat().st_size), None) or (found[0] if found else None)
    if source is None:
        assert kind in ("checkpoint", "quorum-state"), kind
        return
    path = tmp_path / "found by a carver"
    shutil.copy(source, path)
    own = tmp_path / source.name
    shutil.copy(source, own)
    status, out, _ = run([str(own)])
    as_it = run(["--as", f"{kind},base={int(source.stem)}" if source.stem.isdecimal() else kind, str(path)])
    first = 2 if kind == "checkpoint" else 1  # what tells its name
    assert (as_it[0], as_it[1].split(b"\n")[first:]) == (status, out.split(b"\n")[first:])
    assert as_it[1].startswith(f"Dumping {path}/".encode())


def test_the_base_offset_comes_from_the_option_the_name_or_the_first_batch(tmp_path):
    carved, tiered = tmp_path / "carved", tmp_path / f"{LOG.stem}-u8Pq2.log"
    shutil.copy(LOG, carved)
    shutil.copy(LOG, tiered)
    shutil.copy(LOG.with_suffix(".index"), tiered.with_suffix(".index"))
    assert named(str(carved), As("log")) == f"{carved}/{LOG.name}"
    assert named(str(LOG), As("log")) == str(LOG)
    assert named(str(tiered), As("log")) == f"{tiered}/{LOG.name}"
    assert named(str(carved), As("index", 7)) == f"{carved}/{'0' * 19}7.index"
    assert named(str(carved), As("checkpoint")) == f"{carved}/{LOG.stem}-0000000000.checkpoint"
    assert open_segment(named(str(tiered), As("log"))).offset_index.entries
    report = verify(named(str(carved), As("log")), now=NOW)
    assert (report.partitions[0].records, report.verdict) == (11, "benign")
    with pytest.raises(errors.RequestError, match="'lag' is none of log, index"):
        parse_as("lag")
    with pytest.raises(errors.RequestError, match="stands alone"):
        parse_as("meta.properties,base=1")
    with pytest.raises(errors.RequestError, match="base=N"):
        parse_as("log,base=-1")


# --- standard input ---------------------------------------------------------------------------------------------------


def kafkalog(*arguments, **more):
    command = [sys.executable, "-m", "kafkalog", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    return subprocess.run(command, capture_output=True, check=False, env=environment, **more)


def test_standard_input_is_read_whatever_it_is(tmp_path):
    piped = kafkalog("dump", "-", "--as", "log", input=LOG.read_bytes())
    assert (piped.returncode, piped.stderr) == (0, b"kafkalog: standard input: read into a temporary file of 1304 bytes\n")
    assert piped.stdout.split(b"\n", 1)[1] == run([str(LOG)])[1].split(b"\n", 1)[1]
    with LOG.open("rb") as file:
        redirected = kafkalog("dump", "-", stdin=file)
    assert (redirected.returncode, redirected.stdout, redirected.stderr) == (0, piped.stdout, b"")
    archive = kafkalog("verify", "-", "--format", "jsonl", "--jobs", "2", input=packed(tmp_path / "x", "gz").read_bytes())
    assert archive.stdout.count(b'"type": "partition"') == len([name for name in os.listdir(PLAIN) if "-0" in name])
    assert b"gzip, unpacked into a temporary file" in archive.stderr


def test_what_to_read_next_of_standard_input_is_a_command_that_takes_it_again(tmp_path):
    data = bytearray(LOG.read_bytes())
    data[-3] ^= 1
    path = tmp_path / "hurt.log"
    path.write_bytes(data)
    with path.open("rb") as file:
        shown = kafkalog("verify", "-q", "-", stdin=file).stdout.decode()
    (command,) = re.findall(r"more +kafkalog (.* < FILE)\n", shown)
    line = f"{shlex.quote(sys.executable)} -m kafkalog {command.replace('FILE', shlex.quote(str(path)))}"
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    again = subprocess.run(line, shell=True, capture_output=True, check=False, env=environment)
    assert (again.returncode, b"batch-crc-mismatch" in again.stdout) == (1, True), again.stderr
