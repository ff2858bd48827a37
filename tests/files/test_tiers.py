"""Remote storage is read as the logs that were copied to it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import shutil
import struct
import subprocess
import sys
from typing import NamedTuple

import pytest
import zstandard
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.core.filename import parse_remote_file_name, parse_remote_partition_path
from kafkalog.core.remote_manifest import read_manifest
from kafkalog.errors import ExtraMissing, FormatError, RequestError, UnreadableFile
from kafkalog.files.aiven import AIVEN_KEYS
from kafkalog.files.classify import Kind, classify
from kafkalog.files.source import FileSource
from tests.log_dirs import FIXTURES, unpack

CASES = FIXTURES / "cases"
LOCAL = FIXTURES / "packed"
RELEASES = ("3.9.1", "4.3.1")


@pytest.fixture
def aiven():
    """The case, with its key."""
    folder = unpack(CASES / "aiven-tiered-storage.tar.xz")
    token = AIVEN_KEYS.set({"kek1": str(folder / "private.pem")})
    yield folder
    AIVEN_KEYS.reset(token)


def partition_of(folder):
    return next(folder.glob("remote/pre/*/0"))


def tier(release):
    return unpack(CASES / f"tiered-remote-{release}.tar.xz")


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def dump(*arguments):
    """It writes to descriptors, which a runner in this process has not."""
    command = [sys.executable, "-m", "kafkalog", "dump", *(str(one) for one in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def run(*arguments):
    if arguments[0] == "dump":
        return dump(*arguments[1:])
    done = CliRunner().invoke(main, [str(one) for one in arguments], standalone_mode=False)
    if done.exception is None:
        return Ended(done.return_value or 0, done.stdout, done.stderr)
    statuses = {RequestError: 2, ExtraMissing: 2, UnreadableFile: 3}
    return Ended(statuses[type(done.exception)], done.stdout, f"{done.stderr}{done.exception}")


# --- Kafka's LocalTieredStorage ---------------------------------------------------------------------------------------


def pairs(release):
    """Each copied segment, with the broker's own file of that offset, as far as it was still waiting to be deleted."""
    local = unpack(LOCAL / release / "tiered.tar.xz")
    for path in sorted(tier(release).glob("kafka-tiered-storage/*/*.log")):
        name = parse_remote_partition_path(str(path.parent))
        own = local / f"{name.topic}-{name.partition}"
        base = parse_remote_file_name(path.name).base_offset
        (source,) = own.glob(f"{base:020}.log*")
        yield path, source


@pytest.mark.parametrize("release", RELEASES)
def test_every_copied_segment_has_the_records_of_the_brokers_own_file(release):
    found = list(pairs(release))
    assert len(found) > 8
    for path, source in found:
        wanted = list(kafkalog.open_segment(source).records(control=True))
        assert wanted
        assert list(kafkalog.open_segment(path).records(control=True)) == wanted
        assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("release", RELEASES)
def test_the_tier_and_the_local_log_together_have_what_the_clients_wrote(release):
    account = kafkalog_account(release, "tier", 0)
    remote = next(tier(release).glob("kafka-tiered-storage/tier-0-*"))
    local = unpack(LOCAL / release / "tiered.tar.xz") / "tier-0"
    records = {}
    for partition in (kafkalog.open_partition(remote), kafkalog.open_partition(local)):
        records |= {record.offset: record.value for record in partition.records()}
    assert records == account
    assert sorted(records) == list(range(170))


def kafkalog_account(release, topic, partition):
    from tests.log_dirs import fixture

    rows = fixture(release, "tiered").records()
    mine = [row for row in rows if row["topic"] == topic and row["partition"] == partition and row["src"] == "ack"]
    return {row["offset"]: None if row["value"] is None else bytes.fromhex(row["value"]) for row in mine}


def test_a_partition_in_remote_storage_is_opened_like_any_other():
    path = next(tier("3.9.1").glob("kafka-tiered-storage/tier-txn-0-*"))
    partition = kafkalog.open_partition(path)
    assert (partition.topic, partition.number, partition.is_remote) == ("tier-txn", 0, True)
    assert [segment.base_offset for segment in partition.segments] == [0, 3, 48, 99]
    assert len(partition.segments[2].transaction_index.entries) == 2
    assert sum(1 for _ in partition.records(isolation="read_committed")) < sum(1 for _ in partition.records())


def test_a_segment_that_was_uploaded_twice_is_there_twice(tmp_path):
    path = shutil.copytree(
        next(tier("3.9.1").glob("kafka-tiered-storage/tier-0-*")), tmp_path / "tier-0-AAAAAAAAAAAAAAAAAAAAAA"
    )
    shutil.copy(next(path.glob("*42-*.log")), path / f"{42:020}-BBBBBBBBBBBBBBBBBBBBBB.log")
    assert [segment.base_offset for segment in kafkalog.open_partition(path).segments] == [0, 42, 42, 76]


def without_names(text):
    return [line for line in text.splitlines() if not line.startswith("Dumping ")]


def test_dump_prints_a_remote_segment_as_the_broker_s_own_file():
    found = list(itertools.islice(pairs("3.9.1"), 4))
    suffixes = (".log", ".index", ".timeindex")
    remote = [path.with_suffix(suffix) for path, _ in found for suffix in suffixes]
    local = [source.with_name(source.name.replace(".log", suffix)) for _, source in found for suffix in suffixes]
    there, here = run("dump", "--print-data-log", *remote), run("dump", "--print-data-log", *local)
    assert without_names(there.stdout) == without_names(here.stdout)
    assert there.stdout.count("| offset: ") > 100


def test_the_tools_own_option_dies_of_a_name_that_the_tool_dies_of():
    path, _ = next(pairs("3.9.1"))
    result = run("dump", "--files", path)
    assert result.exit_code == 1
    assert "give it as a PATH" in result.stderr


def test_the_tools_own_option_takes_remote_files_of_whose_names_the_tool_reads_no_offset():
    path, _ = next(pairs("3.9.1"))
    epochs, snapshot = path.with_suffix(".leader_epoch_checkpoint"), path.with_suffix(".snapshot")
    passed_over = run("dump", "--files", epochs)
    assert (passed_over.exit_code, passed_over.stderr) == (0, f"Ignoring unknown file {epochs}\n")
    printed = run("dump", "--files", snapshot)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith(f"Dumping {snapshot}\nproducerId: 1 producerEpoch: 0 ")


def test_all_of_remote_storage_is_dumped_and_made_a_table():
    root = tier("3.9.1")
    result = run("dump", "--format", "jsonl", root)
    assert result.exit_code == 0
    batches = [row for row in map(json.loads, result.stdout.splitlines()) if row["type"] == "batch"]
    assert {row["path"] for row in batches} == {str(path) for path in root.glob("*/*/*.log")}
    rows = kafkalog.table(root).to_arrow().to_pylist() if "pyarrow" in sys.modules else list(kafkalog.table(root))
    assert len(rows) == sum(1 for path in root.glob("*/*/*.log") for _ in kafkalog.open_segment(path).records())


@pytest.mark.parametrize("command", ["groups", "next-start", "info", "timeline"])
def test_what_reads_one_partition_says_so_of_remote_storage(command):
    result = run(command, tier("3.9.1"))
    assert result.exit_code in (1, 3)
    assert "is remote storage with 4 partitions" in result.stderr


def test_the_id_of_a_topic_may_end_like_the_number_of_a_partition(tmp_path):
    name = "orders-0-AAAAAAAAAAAAAAAAAAAA-7"
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{0:020}-BBBBBBBBBBBBBBBBBBBBBB.log").write_bytes(b"")
    assert classify(str(tmp_path), tier=True).kind is Kind.TIER


def test_a_remote_file_in_a_brokers_directory_does_not_make_that_remote(tmp_path):
    shutil.copytree(FIXTURES / "broker/2.1.1/plain/twitter-status-0", tmp_path / "twitter-status-0")
    (tmp_path / "twitter-status-0" / f"{0:020}-BBBBBBBBBBBBBBBBBBBBBB.log").write_bytes(b"")
    partition = kafkalog.open_partition(tmp_path / "twitter-status-0")
    assert not partition.is_remote
    assert len(partition.segments) == 8


# --- Aiven's plug-in --------------------------------------------------------------------------------------------------


def test_what_aivens_plug_in_wrote_is_byte_for_byte_what_the_broker_had(aiven):
    folder = partition_of(aiven)
    partition = kafkalog.open_partition(folder)
    stated = dict(line.split()[::-1] for line in (aiven / "local.sha256").read_text().splitlines())
    for segment in partition.segments:
        for suffix in (".log", ".index", ".timeindex"):
            with FileSource(segment.paths[suffix]) as source:
                assert hashlib.sha256(source.read()).hexdigest() == stated[f"{segment.base_offset:020}{suffix}"]
    # The snapshot of the producers is that after the segment.
    with FileSource(partition.segments[0].paths[".snapshot"]) as source:
        assert hashlib.sha256(source.read()).hexdigest() == stated["00000000000000003001.snapshot"]
    assert [record.offset for record in partition.records()] == list(range(6001))


def test_chunks_are_read_in_any_order_and_across_their_ends(aiven):
    segment = kafkalog.open_partition(partition_of(aiven)).segments[0]
    with FileSource(segment.paths[".log"]) as source:
        whole = source.read()
        for position, size in ((300_000, 10), (65_530, 12), (0, 200_000), (397_004, 5), (65_536, 65_536)):
            assert source.read(position, size) == whole[position : position + size]
            buffer = bytearray(size)
            count = source.read_into(memoryview(buffer), position)
            assert bytes(buffer[:count]) == whole[position : position + size]
    assert len(whole) == 397_005


def test_without_the_key_one_line_says_which_is_wanted(aiven):
    AIVEN_KEYS.set(None)
    result = run("dump", partition_of(aiven))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(
        "is encrypted with the key 'kek1': give its private key as --aiven-key kek1=FILE.pem"
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda folder, _: folder / "public.pem", "is a public key; the private one of the pair decrypts"),
        (lambda _, path: path, "is no private RSA key in PEM"),
    ],
)
def test_a_key_that_is_none_is_said_to_be_none(aiven, tmp_path, made, said):
    (tmp_path / "none.pem").write_text("hello")
    result = run("dump", partition_of(aiven), "--aiven-key", f"kek1={made(aiven, tmp_path / 'none.pem')}")
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_key_of_another_pair_is_said_to_be_another(aiven, tmp_path):
    from Crypto.PublicKey import RSA

    (tmp_path / "other.pem").write_bytes(RSA.generate(1024).export_key())
    result = run("dump", partition_of(aiven), "--aiven-key", f"kek1={tmp_path / 'other.pem'}")
    assert result.exit_code == 2
    assert "other.pem is not the private key of 'kek1'" in result.stderr


def test_the_option_wants_a_name_and_a_file(aiven):
    result = run("dump", partition_of(aiven), "--aiven-key", "private.pem")
    assert result.exit_code == 2
    assert "write ID=FILE" in result.stderr


def test_a_key_file_that_is_not_there_is_told_and_no_segment_is_called_damaged(aiven):
    result = run("verify", partition_of(aiven), "--aiven-key", "kek1=/none.pem")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "/none.pem: no such file or directory" in result.stderr


def test_the_package_is_named_that_is_missing(aiven, monkeypatch):
    monkeypatch.setitem(sys.modules, "Crypto", None)
    monkeypatch.setitem(sys.modules, "Crypto.Cipher", None)
    result = run("info", partition_of(aiven), "--aiven-key", f"kek1={aiven / 'private.pem'}")
    assert result.exit_code == 2
    assert "pip install 'kafkalog[aiven]'" in result.stderr


def test_the_library_takes_keys(aiven):
    AIVEN_KEYS.set(None)
    kafkalog.use_aiven_keys({"kek1": aiven / "private.pem"})
    assert sum(1 for _ in kafkalog.open_partition(partition_of(aiven)).records()) == 6001


def test_a_chunk_that_was_changed_is_named_by_what_reads_it(aiven, tmp_path):
    folder = shutil.copytree(partition_of(aiven), tmp_path / "0")
    path = next(folder.glob("*3001-*.log"))
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)
    key = f"kek1={aiven / 'private.pem'}"
    result = run("dump", path, "--aiven-key", key)
    assert result.exit_code == 1
    assert "chunk 3 of 7, bytes 91772..122353, is not what was encrypted: its authentication tag does not fit" in result.stderr
    # What is before it is printed.
    assert "baseOffset: 3001 " in result.stdout
    assert "lastOffset: 4366 " in result.stdout


@pytest.mark.parametrize("suffix", [".rsm-manifest", ".indexes"])
def test_what_describes_a_segment_is_said_to_do_so(aiven, suffix):
    path = next(partition_of(aiven).glob(f"*3001-*{suffix}"))
    result = run("dump", path)
    assert result.exit_code == 1
    assert f"describes a segment in remote storage: give its log, {path.stem}.log" in result.stderr


# --- variants of Aiven's, made here without the package ---------------------------------------------------------------


def encoded(folder, log, *, compressed, fixed, chunk=4096):
    """A segment as the plug-in writes it without encryption; `fixed`: chunks of one size, which compression seldom gives."""
    data = log.read_bytes()
    chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    stored = [zstandard.ZstdCompressor().compress(one) if compressed else one for one in chunks]
    indexes, at, parts = {}, 0, []
    for name, suffix in (("offset", ".index"), ("timestamp", ".timeindex")):
        part = log.with_suffix(suffix).read_bytes()
        indexes[name] = {"position": at, "size": len(part)}
        at += len(part)
        parts.append(part)
    index = {"originalChunkSize": chunk, "originalFileSize": len(data)}
    if fixed:
        index |= {"type": "fixed", "transformedChunkSize": len(stored[0]), "finalTransformedChunkSize": len(stored[-1])}
    else:
        index |= {"type": "variable", "transformedChunks": sizes_of([len(one) for one in stored])}
    stem = folder / f"{0:020}-BBBBBBBBBBBBBBBBBBBBBB"
    folder.mkdir(parents=True)
    stem.with_suffix(".log").write_bytes(b"".join(stored))
    stem.with_suffix(".indexes").write_bytes(b"".join(parts))
    place = {"topicId": "AAAAAAAAAAAAAAAAAAAAAA", "topicPartition": {"topic": "orders", "partition": 0}}
    manifest = {
        "version": "1",
        "chunkIndex": index,
        "segmentIndexes": indexes | {"transaction": None},
        "compression": compressed,
        "remoteLogSegmentMetadata": {
            "remoteLogSegmentId": {"topicIdPartition": place, "id": "BBBBBBBBBBBBBBBBBBBBBB"},
            "startOffset": 0,
            "endOffset": 73,
        },
    }
    stem.with_suffix(".rsm-manifest").write_text(json.dumps(manifest))
    return manifest


def sizes_of(sizes):
    """As ChunkSizesBinaryCodec writes them."""
    data = struct.pack(">i", len(sizes))
    if len(sizes) > 1:
        base = min(sizes[:-1])
        width = (max(sizes[:-1]) - base).bit_length() // 8 + 1
        data += struct.pack(">ib", base, width) + b"".join((one - base).to_bytes(width, "big") for one in sizes[:-1])
    return base64.b64encode(zstandard.ZstdCompressor().compress(data + struct.pack(">i", sizes[-1]))).decode()


PLAIN = FIXTURES / "broker/2.1.1/plain/twitter-status-0"


@pytest.mark.parametrize("chunk", [100, 4096, 1 << 20])
@pytest.mark.parametrize(("compressed", "fixed"), [(False, True), (False, False), (True, False)])
def test_segments_that_are_not_encrypted_need_no_package(tmp_path, monkeypatch, compressed, fixed, chunk):
    monkeypatch.setitem(sys.modules, "Crypto", None)
    log = PLAIN / f"{0:020}.log"
    folder = tmp_path / "orders-AAAAAAAAAAAAAAAAAAAAAA" / "0"
    encoded(folder, log, compressed=compressed, fixed=fixed, chunk=chunk)
    partition = kafkalog.open_partition(folder)
    assert (partition.topic, partition.number) == ("orders", 0)
    with FileSource(partition.segments[0].paths[".log"]) as source:
        assert source.read() == log.read_bytes()
    wanted = kafkalog.open_segment(log)
    assert partition.segments[0].offset_index == wanted.offset_index
    assert partition.segments[0].time_index == wanted.time_index


def damaged(change):
    def changed(manifest):
        change(manifest)
        return json.dumps(manifest).encode()

    return changed


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda _: b"{", "is no JSON"),
        (lambda _: b"[]", "is of version None, and '1' is known"),
        (lambda _: b"[" * 100_000, "is no JSON"),
        (damaged(lambda m: m.update(version="2")), "is of version '2', and '1' is known"),
        (damaged(lambda m: m.pop("chunkIndex")), "chunkIndex: is missing, or no object"),
        (damaged(lambda m: m["chunkIndex"].update(originalChunkSize=0)), "originalChunkSize: is 0"),
        (damaged(lambda m: m["chunkIndex"].update(originalChunkSize=1 << 40)), "originalChunkSize: is 1099511627776"),
        (damaged(lambda m: m["chunkIndex"].update(originalFileSize=1)), "has 4 sizes for the 1 chunks of 1 bytes"),
        (damaged(lambda m: m["chunkIndex"].update(transformedChunks="?")), "transformedChunks: is no base64"),
        (damaged(lambda m: m["chunkIndex"].update(transformedChunks=base64.b64encode(b"12345678").decode())), "zstd"),
        (damaged(lambda m: m["segmentIndexes"]["offset"].update(size=-1)), "size: is -1"),
        (damaged(lambda m: m["chunkIndex"].update(type="iceberg")), "is 'iceberg', not fixed, variable"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, made, said):
    manifest = encoded(tmp_path / "0", PLAIN / f"{0:020}.log", compressed=False, fixed=False)
    with pytest.raises(FormatError, match=said.replace("(", r"\(").replace("[", r"\[")):
        read_manifest(made(manifest))


def test_one_bad_manifest_leaves_the_other_segments_readable(aiven, tmp_path):
    folder = shutil.copytree(partition_of(aiven), tmp_path / "0")
    next(folder.glob("*-4egR*.rsm-manifest")).write_text("{")
    assert [record.offset for record in kafkalog.open_partition(folder).records()] == list(range(3001, 6001))


# --- formats that are others' -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("kafka/orders/0_12/0-1-v1.log", "Redpanda"),
        ("a0000000/kafka/orders/0_12/1000-1999-524288-2-v1.log.2", "Redpanda"),
        ("0/Qfz-izVOSma1rj1aj6gMMQ/0/00000000000000000042_3_v0.segment", "Confluent's tiered storage"),
        ("orders-0-x/00000000000000000000.tierstate", "Confluent's tiered storage"),
        ("0f8a0000/_kafka_Qfz-izVOSma1rj1aj6gMMQ/1234", "AutoMQ"),
        ("warpstream/_data/1", "WarpStream"),
    ],
)
def test_a_format_that_is_not_kafkas_is_named(tmp_path, path, whose):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    result = run("verify", tmp_path)
    assert result.exit_code == 3
    assert f"is storage of {whose}: that format is its own, and kafkalog does not read it" in result.stderr
