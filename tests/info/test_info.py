"""`kafkalog info` and `kafkalog.describe`: what is there, cheaply, and whatever state it is in."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import tarfile

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import kafkalog
from kafkalog.cli.main import main
from kafkalog.files import source as files_source
from kafkalog.info.values import IndexInfo, OpenTransactionInfo
from kafkalog.render.screen import Screen
from kafkalog.render.text_info import info_items
from tests.describe_messages import meaning_of
from tests.log_dirs import FIXTURES, fixture, fixture_log_dirs

PLAIN = str(FIXTURES / "broker/2.1.1/plain")
META = str(FIXTURES / "broker/4.3.1/meta-n1")
OF_ALL_KINDS = [
    case for case in fixture_log_dirs() if case.workload in ("old", "txn", "crash", "meta-n1", "compact", "unclean")
]


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["info", *map(str, arguments)], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == status, done.output
    return done


def lines(*arguments, status=0):
    return [json.loads(line) for line in run(*arguments, "--format", "jsonl", status=status).stdout.splitlines()]


def shown(found, width=None, *, with_segments=True):
    stream = io.StringIO()
    Screen(stream, width, is_coloured=False).show(info_items([found], with_segments=with_segments, width=width))
    return stream.getvalue()


def copied(tmp_path, source=f"{META}/kept-0", name="kept-0"):
    return pathlib.Path(shutil.copytree(source, tmp_path / name))


# --- what it says ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", OF_ALL_KINDS, ids=lambda case: case.id)
def test_the_ends_of_the_logs_say_what_all_batches_say(case):
    whole, ends = (kafkalog.describe(case.path(), full=full) for full in (True, False))
    assert whole.log_dir == ends.log_dir
    assert not whole.bytes_not_read
    for one, other in zip(whole.partitions, ends.partitions, strict=True):
        for name in ("log_start_offset", "log_end_offset", "oldest_timestamp", "newest_timestamp", "magics", "epochs"):
            assert getattr(one, name) == getattr(other, name), (one.path, name)
        assert one.open_transactions == other.open_transactions
        for full, cheap in zip(one.segments, other.segments, strict=True):
            assert (full.first_offset, full.last_offset) == (cheap.first_offset, cheap.last_offset)
            assert full.bytes_not_read == 0
            assert cheap.records in (full.records, None)
            assert cheap.is_scanned or cheap.records is None


def test_a_partition_is_described_with_the_log_dir_around_it():
    found = kafkalog.describe(f"{PLAIN}/append-time-0")
    (partition,) = found.partitions
    assert (partition.topic, partition.partition, partition.mark) == ("append-time", 0, "")
    assert (partition.log_start_offset, partition.log_end_offset) == (0, 100)
    assert (partition.high_watermark, partition.recovery_point) == (100, 100)
    first, last = partition.segments
    assert (first.base_offset, first.last_offset, first.batches, first.records) == (0, 59, 30, 60)
    assert first.indexes == {".index": IndexInfo(152, 19), ".timeindex": IndexInfo(240, 20)}
    assert (last.codecs, last.magics, last.epochs) == ({"gzip": 1}, (2,), (0, 0))
    assert (found.log_dir.node_id, found.log_dir.kraft, found.log_dir.clean_stop) == ("0", False, True)
    assert ".lock" in os.listdir(PLAIN)
    assert found.log_dir.others == ()


def test_a_kraft_log_dir_says_whose_it_is():
    found = kafkalog.describe(META)
    assert (found.kind, found.log_dir.cluster_id, found.log_dir.node_id) == ("log dir", "u0aOgthZQPKmxNLOcMcUWQ", "1")
    assert "metadata.version 21" in found.log_dir.evidence
    assert found.log_dir.others == ()
    metadata = found.partitions[0]
    assert (metadata.topic, metadata.snapshots, metadata.pending) == ("__cluster_metadata", 3, 28)
    assert {partition.mark for partition in found.partitions} == {"", "delete"}


def test_open_transactions_are_counted_where_they_begin():
    found = kafkalog.describe(fixture("4.3.1", "txn").path() + "/txn-hang-0")
    (partition,) = found.partitions
    assert [one.first_offset for one in partition.open_transactions] == [5]
    assert partition.open_transactions_at == partition.log_end_offset
    assert [segment.open_transactions for segment in partition.segments] == [1, 0]
    assert "1 transaction is open:" in shown(found)


def test_what_the_newest_snapshot_says_of_transactions_is_told_with_its_offset(tmp_path):
    folder = copied(tmp_path, fixture("4.3.1", "txn").path() + "/txn-hang-0", "txn-hang-0")
    log = folder / "00000000000000000000.log"
    with open(log, "ab") as stream:
        stream.write(log.read_bytes() * 200)  # offsets do not matter: it is not gone over
    (partition,) = kafkalog.describe(folder, full=False).partitions
    assert not partition.segments[0].is_scanned
    assert [type(one) for one in partition.open_transactions] == [OpenTransactionInfo]
    assert partition.open_transactions_at == max(kafkalog.open_partition(folder).snapshots)


def test_values_are_frozen():
    found = kafkalog.describe(PLAIN)
    for value in (found, found.log_dir, found.partitions[0], found.partitions[0].segments[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.path = ""


def test_a_file_stands_for_its_segment():
    for name in ("00000000000000000060.log", "00000000000000000060.timeindex"):
        found = kafkalog.describe(f"{PLAIN}/append-time-0/{name}")
        assert [segment.base_offset for segment in found.partitions[0].segments] == [60]
    assert "a segment of partition 0 of append-time" in run(f"{PLAIN}/append-time-0/00000000000000000060.log").stdout


def test_a_snapshot_of_the_metadata_log_is_gone_over_as_a_log():
    (name,) = [name for name in os.listdir(f"{META}/__cluster_metadata-0") if name.endswith("230-0000000001.checkpoint")][
        :1
    ] or [next(name for name in os.listdir(f"{META}/__cluster_metadata-0") if name.endswith(".checkpoint"))]
    (segment,) = kafkalog.describe(f"{META}/__cluster_metadata-0/{name}").partitions[0].segments
    assert segment.records > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leader-epoch-checkpoint", "is no segment; `kafkalog show`"),
        ("nothing.txt", "is no file of Kafka's, by its name; --as log"),
    ],
)
def test_a_file_of_no_segment_is_refused_with_what_shows_it(tmp_path, name, said):
    (tmp_path / name).write_text("0\n0\n")
    done = run(tmp_path / name, status=3)
    assert f"{name}: {said}" in done.stderr


def test_a_renamed_file_an_archive_and_what_is_in_it_are_described(tmp_path):
    carved = shutil.copy(f"{PLAIN}/append-time-0/00000000000000000060.log", tmp_path / "carved.bin")
    (line,) = [line for line in lines(carved, "--as", "log,base=60") if line["type"] == "segment"]
    assert (line["base_offset"], line["last_offset"], line["problems"]) == (60, 99, [])
    with tarfile.open(tmp_path / "copy.tar", "w") as archive:
        archive.add(PLAIN, "plain")
    packed, plain = (lines(path) for path in (tmp_path / "copy.tar", PLAIN))
    fields = ("topic", "partition", "log_end_offset", "records", "size", "codecs")
    assert [[line.get(name) for name in fields] for line in packed] == [[line.get(name) for name in fields] for line in plain]


# --- how much it reads -------------------------------------------------------------------------------------------------


@pytest.fixture
def large_log(tmp_path):
    """A partition whose `.log` has 64 MiB: its first batches, a hole, and the last ones, to which the index leads."""
    folder = copied(tmp_path)
    log, index = folder / "00000000000000000000.log", folder / "00000000000000000000.index"
    batches = list(kafkalog.open_partition(folder).batches())
    data = log.read_bytes()
    last = batches[-1]
    end = (64 << 20) - last.size
    with open(log, "r+b") as stream:
        stream.truncate(batches[2].position)
        stream.seek(end)
        stream.write(data[last.position : last.position + last.size])
    index.write_bytes(last.last_offset.to_bytes(4, "big") + end.to_bytes(4, "big"))
    return folder


def test_a_large_log_is_read_at_its_ends_and_what_was_not_read_is_said(large_log, monkeypatch):
    read = []
    monkeypatch.setattr(
        files_source.FileSource,
        "_read",
        lambda self, position, size, inner=files_source.FileSource._read: read.append(size) or inner(self, position, size),
    )
    found = kafkalog.describe(large_log)
    assert sum(read) < 1 << 20
    (segment,) = found.partitions[0].segments
    assert (segment.first_offset, segment.last_offset, segment.records) == (0, 20, None)
    assert (64 << 20) - 10_000 < segment.bytes_not_read < 64 << 20
    assert "64.0 MiB between them were not: --full goes over all batches" in shown(found)
    assert "at most 21 records" in shown(found)


def test_a_large_log_given_as_a_file_is_read_at_its_ends_too(large_log):
    found = kafkalog.describe(large_log / "00000000000000000000.log")
    assert (found.is_full, found.partitions[0].segments[0].is_scanned) == (False, False)


def test_with_full_all_of_it_is_gone_over(large_log):
    found = kafkalog.describe(large_log, full=True)
    (segment,) = found.partitions[0].segments
    assert (segment.is_scanned, segment.bytes_not_read) == (True, 0)
    assert segment.damaged_bytes > 32 << 20
    assert f"{segment.damaged_bytes} bytes are no batch, from position " in shown(found)


def test_where_no_index_leads_to_the_end_of_a_segment_that_is_said(large_log):
    os.rename(large_log / "00000000000000000000.index", large_log / "gone")
    for suffix in (".log", ".index"):
        (large_log / f"00000000000000001000{suffix}").write_bytes(b"")
    found = kafkalog.describe(large_log)
    segment = found.partitions[0].segments[0]
    assert segment.last_offset is None
    assert "no index entry leads to its end, which was not looked for" in shown(found)


def test_an_index_of_nothing_but_preallocated_space_costs_few_reads(tmp_path):
    folder = copied(tmp_path)
    with open(folder / "00000000000000000000.index", "r+b") as stream:
        stream.truncate(10 << 20)
    (segment,) = kafkalog.describe(folder).partitions[0].segments
    real = kafkalog.describe(f"{META}/kept-0").partitions[0].segments[0]
    assert segment.indexes[".index"] == IndexInfo(10 << 20, real.indexes[".index"].entries)


# --- whatever is there -------------------------------------------------------------------------------------------------


def test_a_missing_path_is_status_3_and_the_others_are_shown(tmp_path):
    done = run(tmp_path / "nowhere", f"{PLAIN}/many-0", status=3)
    assert "nowhere: no such file or directory" in done.stderr
    assert "partition 0 of many" in done.stdout
    assert lines(tmp_path / "nowhere", status=3)[-1]["not_read"][0]["reason"] == "no such file or directory"


def test_directories_without_files_are_described(tmp_path):
    (tmp_path / "empty-0").mkdir()
    (tmp_path / "meta.properties").write_text("")
    found = kafkalog.describe(tmp_path)
    assert (found.segments, found.size, found.records) == (0, 0, 0)
    assert "a node that it does not name" in shown(found, with_segments=False)
    assert "no segments" in shown(kafkalog.describe(tmp_path / "empty-0"))


def test_what_cannot_be_read_is_said_and_is_status_3(tmp_path):
    folder = copied(tmp_path)
    os.remove(folder / "00000000000000000000.timeindex")
    os.mkfifo(folder / "00000000000000000000.timeindex")
    done = run(folder, status=3)
    assert "its .timeindex cannot be read: is a FIFO, not a regular file" in done.stdout
    assert "00000000000000000000.timeindex: is a FIFO" in done.stderr


@pytest.mark.parametrize("name", ["meta.properties", "recovery-point-offset-checkpoint"])
def test_a_file_of_the_log_dir_itself_that_cannot_be_read_is_status_3_too(tmp_path, name):
    copied(tmp_path)
    os.mkfifo(tmp_path / name)
    done = run(tmp_path, status=3)
    assert f"{name} cannot be read: is a FIFO" in done.stdout
    assert f"{name}: is a FIFO" in done.stderr
    assert lines(tmp_path, status=3)[-1]["not_read"][0]["path"] == str(tmp_path / name)


def test_damage_is_said_and_judged_by_nobody(tmp_path):
    folder = copied(tmp_path)
    log = folder / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[1000] ^= 1
    log.write_bytes(data[:-7])
    text = run(folder).stdout
    assert "1 batch has a wrong CRC at position " in text
    assert re.search(r"\d+ bytes are no batch, from position \d+ on\n", text)
    os.remove(log)
    text = run(folder).stdout
    assert "its .log is missing" in text
    assert "log end not known" in text


@pytest.mark.parametrize("name", ["append-time-0"])
def test_no_byte_that_is_changed_makes_it_fail(tmp_path, name):
    folder = copied(tmp_path, f"{PLAIN}/{name}", name)
    for file in sorted(os.listdir(folder)):
        data = (folder / file).read_bytes()
        for at in range(0, len(data), max(1, len(data) // 12)):
            (folder / file).write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
            for full in (True, False):
                shown(kafkalog.describe(folder, full=full))
            (folder / file).write_bytes(data[:at])
            kafkalog.describe(folder)
        (folder / file).write_bytes(data)


def test_hostile_names_do_not_reach_a_terminal(tmp_path):
    hostile = "a\x1bP\x9b31m\u202e-0"
    folder = copied(tmp_path, name=hostile)
    (folder / "odd\x1b]0;x\x07").write_bytes(b"")
    for arguments in ((folder,), (tmp_path,), (tmp_path, "--segments")):
        text = run(*arguments).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert "\\x1b" in text
    assert lines(tmp_path)[-2]["path"].endswith(hostile)


# --- how it looks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("with_segments", [True, False])
def test_text_fits_the_terminal(width, with_segments):
    for case in (fixture("4.3.1", "meta-n1"), fixture("2.1.1", "txn"), fixture("0.10.2.2", "old")):
        found = kafkalog.describe(case.path())
        for line in shown(found, width, with_segments=with_segments).splitlines():
            assert cell_len(line) <= width or case.path() in line, line


def test_rows_are_sorted_as_asked_for():
    def names(*options):
        rows = run(PLAIN, *options).stdout.splitlines()
        return [row.split()[0] for row in rows if re.match(r"\S+-\d ", row)]

    found = {one.path.rpartition("/")[2]: one for one in kafkalog.describe(PLAIN).partitions}
    assert names() == sorted(found)
    assert names("--sort", "size")[0] == max(found, key=lambda name: found[name].size)
    assert names("--sort", "records")[0] == max(found, key=lambda name: found[name].records)


def test_the_last_line_has_the_totals():
    assert run(META).stdout.splitlines()[-1].startswith("10 partitions, 10 segments, 83 records, 8.3 KiB of logs")


# --- JSON --------------------------------------------------------------------------------------------------------------


def test_json_lines_have_the_names_and_values_of_the_library():
    found = kafkalog.describe(META)
    given = lines(META, "--segments")
    assert {line["schema"] for line in given} == {"kafkalog.info/1"}
    assert [line["type"] for line in given] == ["log_dir", *["partition", "segment"] * 10, "summary"]
    by_type = {
        "log_dir": [found.log_dir],
        "partition": found.partitions,
        "segment": [segment for partition in found.partitions for segment in partition.segments],
    }
    for kind, values in by_type.items():
        for line, value in zip([line for line in given if line["type"] == kind], values, strict=True):
            for name, stored in line.items():
                own = getattr(value, name, None)
                if name not in ("schema", "type", "segments", "topic", "partition"):
                    assert json.loads(json.dumps(own, default=dict)) == stored or own == () or name in _AS_OBJECTS, name


#: Fields whose parts have names in JSON.
_AS_OBJECTS = ("indexes", "open_transactions")


def test_every_field_of_the_json_lines_is_documented():
    for line in lines(META, "--segments"):
        for name in line:
            if name not in ("schema", "type"):
                assert meaning_of("info", line["type"], name)


def test_segments_are_shown_of_a_partition_and_not_of_a_log_dir_unless_asked_for():
    def kinds(*arguments):
        return {line["type"] for line in lines(*arguments)}

    assert "segment" in kinds(f"{PLAIN}/many-0")
    assert "segment" not in kinds(f"{PLAIN}/many-0", "--no-segments")
    assert "segment" not in kinds(PLAIN)
    assert "segment" in kinds(PLAIN, "--segments")


def test_an_archive_of_a_partition_is_read_by_a_path_that_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tarfile.open("t.tgz", "w:gz") as archive:
        archive.add(f"{PLAIN}/twitter-status-0", "twitter-status-0")
    found = kafkalog.describe("t.tgz")
    assert found.not_read == ()
    assert found.partitions[0].records == 533
