"""What is sound of damaged logs, as a new directory: which batches, which files beside them, and when it is not accepted."""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import struct
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.core.batch import RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.errors import RequestError
from kafkalog.files import output_file
from kafkalog.salvage import partition as salvaging
from kafkalog.salvage.lineage import History, shared_end
from kafkalog.salvage.order import in_order
from tests import encode
from tests.log_dirs import FIXTURES
from tests.next_start.damage import harm

CLUSTER = FIXTURES / "broker/3.9.1/cluster-final-n1"
LEDGER = CLUSTER / "ledger-0"
TXN = CLUSTER / "ledger-txn-0"
OLD = FIXTURES / "broker/0.10.2.2/old/mixed-magic-0"
SECOND = f"{71:020d}.log"


@pytest.fixture(autouse=True)
def synced(monkeypatch):
    """What was to be on the disk, in order; waiting for the disk is left out."""
    calls = []
    monkeypatch.setattr(output_file.os, "fsync", lambda descriptor: calls.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    return calls


@pytest.fixture
def copy(tmp_path):
    """Copies of partition directories that may be damaged, each in a folder of its own."""

    def made(source, folder="source"):
        target = tmp_path / folder / source.name
        shutil.copytree(source, target)
        return target

    return made


def edit(path, change):
    data = bytearray(path.read_bytes())
    result = change(data)
    path.write_bytes(data if result is None else result)


def flip(path, position, bit=0):
    def change(data):
        data[position] ^= 1 << bit

    edit(path, change)


def batches(folder):
    """Every batch of a partition directory: bytes by base offset."""
    found = {}
    for batch in kafkalog.open_partition(folder).batches():
        found[batch.base_offset] = bytes(batch.data[:])
    return found


def files_of(partition):
    return {os.path.basename(file.path): file.sha256 for file in partition.files}


def salvage_one(source, out, **options):
    (partition,) = kafkalog.salvage(source, out, **options).partitions
    assert partition.problems == ()
    return partition


# --- healthy logs -----------------------------------------------------------------------------------------------------

#: Log dirs whose leaders appended batch by batch.
LED = ["2.1.1/codec", "3.3.2/meta-n1", "4.3.1/meta-n1"]


@pytest.mark.parametrize("log_dir", LED)
def test_of_a_healthy_log_the_rebuilt_files_are_those_of_its_broker(tmp_path, log_dir):
    result = kafkalog.salvage(FIXTURES / "broker" / log_dir, tmp_path / "new", kafka_version=log_dir.split("/")[0])
    assert result.is_accepted
    assert result.is_whole
    compared = 0
    for partition in result.partitions:
        theirs, ours = pathlib.Path(partition.sources[0]), pathlib.Path(partition.path)
        for path in (path for path in theirs.iterdir() if path.suffix in (".log", ".index", ".timeindex", ".txnindex")):
            if (theirs / path.with_suffix(".log").name).stat().st_size:
                assert (ours / path.name).read_bytes() == path.read_bytes(), path
                compared += 1
        compared += _compare_snapshots(theirs, ours)
        if (theirs / "partition.metadata").exists():
            assert (ours / "partition.metadata").read_bytes() == (theirs / "partition.metadata").read_bytes()
    assert compared > 5


def told(snapshot, with_times):
    """What a snapshot says; the order of its entries is that of a hash map."""
    return sorted(entry if with_times else entry._replace(timestamp=0) for entry in snapshot.entries)


def _compare_snapshots(theirs, ours, *, with_times=True):
    names = {path.name for path in ours.glob("*.snapshot")} & {path.name for path in theirs.glob("*.snapshot")}
    for name in names:
        old, new = (read_producer_snapshot((where / name).read_bytes()) for where in (theirs, ours))
        assert new.crc_ok
        assert told(new, with_times) == told(old, with_times), ours / name
    return len(names)


def test_of_transactions_the_rebuilt_files_say_what_those_of_the_broker_say(tmp_path):
    source = FIXTURES / "broker/2.1.1/txn"
    compared = 0
    for partition in kafkalog.salvage(source, tmp_path / "new", kafka_version="2.1.1").partitions:
        theirs, ours = pathlib.Path(partition.sources[0]), pathlib.Path(partition.path)
        for path in theirs.glob("*.txnindex"):
            assert (ours / path.name).read_bytes() == path.read_bytes()
            compared += 1
        # Early brokers did not take the time of a marker for that of its producer.
        compared += _compare_snapshots(theirs, ours, with_times=False)
    assert compared > 10


@pytest.mark.parametrize("log_dir", ["3.9.1/edge", "1.1.1/swap", "0.10.2.2/old", "3.9.1/cluster-final-n1", "2.8.2/repl-b1"])
def test_of_a_healthy_log_dir_everything_is_kept(tmp_path, log_dir):
    result = kafkalog.salvage(FIXTURES / "broker" / log_dir, tmp_path / "new")
    assert result.is_accepted
    assert result.is_whole
    for partition in result.partitions:
        assert batches(partition.path) == batches(partition.sources[0])


@pytest.mark.parametrize("source", [LEDGER, TXN, OLD], ids=lambda path: path.name)
def test_salvaging_the_salvage_gives_the_same_bytes(tmp_path, source):
    first = salvage_one(source, tmp_path / "a/new", index_interval_bytes=4096)
    second = salvage_one(first.path, tmp_path / "b/new", index_interval_bytes=4096)
    assert files_of(first) == files_of(second)
    assert first.is_whole


def test_messages_of_magic_0_and_1_are_kept_byte_for_byte(tmp_path):
    partition = salvage_one(OLD, tmp_path / "new")
    assert batches(partition.path) == batches(OLD)
    assert {run.epoch for run in partition.kept} >= {None}
    assert any(isinstance(batch, LegacyBatch) for batch in kafkalog.open_partition(partition.path).batches())


def test_an_empty_log_keeps_its_end(tmp_path, copy):
    source = copy(LEDGER)
    for path in source.glob("*"):
        if path.name != "partition.metadata":
            path.unlink()
    (source / f"{500:020d}.log").touch()
    partition = salvage_one(source, tmp_path / "new")
    assert (tmp_path / "new" / f"{500:020d}.log").read_bytes() == b""
    assert partition.log_end_offset == 500


def test_the_topic_id_is_that_of_the_source_or_the_one_that_is_given(tmp_path):
    kept = salvage_one(LEDGER, tmp_path / "a/new")
    assert kept.topic_id in (LEDGER / "partition.metadata").read_text()
    given = salvage_one(LEDGER, tmp_path / "b/new", topic_id="bSI-yVwgTU6JIJtxtkyENQ")
    assert (tmp_path / "b/new/partition.metadata").read_text() == "version: 0\ntopic_id: bSI-yVwgTU6JIJtxtkyENQ"
    assert given.topic_id == "bSI-yVwgTU6JIJtxtkyENQ"
    with pytest.raises(RequestError, match="is no topic id"):
        kafkalog.salvage(LEDGER, tmp_path / "c", topic_id="orders")


# --- damage -----------------------------------------------------------------------------------------------------------


def test_what_is_damaged_is_left_out_and_all_else_is_kept(tmp_path, copy):
    source = copy(LEDGER)
    sound = batches(LEDGER)
    edit(source / SECOND, lambda data: data[:1000] + b"X" * 300 + data[1300:])
    partition = salvage_one(source, tmp_path / "new")
    kept = batches(partition.path)
    assert kept.items() <= sound.items()
    lost = {offset for gone in partition.gone for offset in range(gone.first, gone.last + 1)}
    assert lost
    assert set(sound) - set(kept) == {base for base in sound if base in lost}
    assert not partition.is_whole
    covered = sum(left.span.size for left in partition.left_out)
    assert covered + partition.bytes == sum(path.stat().st_size for path in source.glob("*.log"))


def test_a_torn_tail_is_left_out(tmp_path, copy):
    source = copy(LEDGER)
    last = max(source.glob("*.log"))
    edit(last, lambda data: data[:-5])
    partition = salvage_one(source, tmp_path / "new")
    (left,) = partition.missing
    assert (left.path, left.kind) == (str(last), "damage")
    assert left.offsets == (partition.log_end_offset, None)


def test_a_wrong_base_offset_costs_its_own_batch_alone(tmp_path, copy):
    source = copy(LEDGER)
    position = [batch.position for batch in kafkalog.open_segment(LEDGER / SECOND).batches()][3]
    edit(source / SECOND, lambda data: data[:position] + struct.pack(">q", 1 << 40) + data[position + 8 :])
    partition = salvage_one(source, tmp_path / "new")
    assert len(batches(partition.path)) == len(batches(LEDGER)) - 1


def test_a_batch_that_stands_there_twice_is_kept_once(tmp_path, copy):
    source = copy(LEDGER)
    first = next(kafkalog.open_segment(LEDGER / SECOND).batches())
    edit(source / SECOND, lambda data: bytes(first.data) + data)
    partition = salvage_one(source, tmp_path / "new")
    assert batches(partition.path) == batches(LEDGER)
    assert [left.kind for left in partition.left_out] == ["copy"]
    assert partition.is_whole


def test_of_two_batches_for_an_offset_that_of_the_later_leader_is_kept(tmp_path):
    source = tmp_path / "source/orders-0"
    source.mkdir(parents=True)

    def one(offset, epoch, value):
        return encode.batch([encode.R(0, b"k", value)], base_offset=offset, leader_epoch=epoch)

    (source / f"{0:020d}.log").write_bytes(one(0, 1, b"a") + one(1, 1, b"b") + one(2, 1, b"old"))
    (source / f"{2:020d}.log").write_bytes(one(2, 3, b"new") + one(3, 3, b"c"))
    partition = salvage_one(source, tmp_path / "new")
    values = [record.value for record in kafkalog.open_partition(partition.path).records()]
    assert values == [b"a", b"b", b"new", b"c"]
    assert [left.kind for left in partition.left_out] == ["superseded"]
    assert (tmp_path / "new/leader-epoch-checkpoint").read_text() == "0\n2\n1 0\n3 2\n"


@pytest.mark.parametrize("place", ["records", "checksum", "length", "magic"])
def test_a_flipped_bit_is_set_back_when_that_is_asked_for(tmp_path, copy, place):
    source = copy(LEDGER)
    batch = list(kafkalog.open_segment(LEDGER / SECOND).batches())[2]
    byte = {"records": 80, "checksum": 18, "length": 11, "magic": 16}[place]
    flip(source / SECOND, batch.position + byte, 3)
    without = salvage_one(source, tmp_path / "a/new")
    assert batch.base_offset not in batches(without.path)
    partition = salvage_one(source, tmp_path / "b/new", unflip=True)
    assert batches(partition.path) == batches(LEDGER)
    (kept,) = [run for run in partition.kept if run.flips]
    assert kept.flips == ((batch.position + byte, 3, batch.base_offset),)
    assert partition.is_whole


def test_records_that_cannot_be_read_are_kept_when_that_is_asked_for(tmp_path):
    source = tmp_path / "source/orders-0"
    source.mkdir(parents=True)
    odd = encode.batch(b"\x7fnonsense", base_offset=1, count=1)
    whole = [encode.batch([encode.R(0, b"k", b"v")], base_offset=offset) for offset in (0, 2)]
    (source / f"{0:020d}.log").write_bytes(whole[0] + odd + whole[1])
    partition = salvage_one(source, tmp_path / "a/new")
    assert "cannot be read" in partition.missing[0].reason
    kept = salvage_one(source, tmp_path / "b/new", keep_unparsable=True)
    assert kept.is_whole


def test_only_the_batches_that_are_asked_for_are_kept_and_that_is_no_loss(tmp_path):
    partition = salvage_one(LEDGER, tmp_path / "new", offsets=(100, 200))
    sound = batches(LEDGER)
    kept = set(batches(partition.path))
    assert kept < set(sound)
    first, last = partition.kept[0].offsets[0], partition.kept[-1].offsets[1]
    assert first <= 100
    assert last >= 199
    assert {left.kind for left in partition.left_out} == {"not-wanted"}
    assert partition.is_whole


# --- replicas ---------------------------------------------------------------------------------------------------------


def test_a_replica_gives_what_the_first_has_lost(tmp_path, copy):
    source, replica = copy(LEDGER), copy(LEDGER, "replica")
    edit(source / SECOND, lambda data: data[:1000] + b"X" * 300 + data[1300:])
    (source / f"{147:020d}.log").unlink()
    flip(replica / f"{0:020d}.log", 500)
    partition = salvage_one(source, tmp_path / "new", replicas=replica)
    assert batches(partition.path) == batches(LEDGER)
    assert partition.is_whole
    assert {run.source_path.split("/")[-3] for run in partition.kept} == {"source", "replica"}


def test_a_replica_with_another_history_gives_nothing_from_where_it_parts(tmp_path):
    def made(folder, *rows):
        path = tmp_path / folder / "orders-0"
        path.mkdir(parents=True)
        log = b"".join(
            encode.batch([encode.R(0, b"k", folder.encode())], base_offset=offset, leader_epoch=epoch) for offset, epoch in rows
        )
        (path / f"{0:020d}.log").write_bytes(log)
        return path

    later = made("later", (0, 0), (1, 0), (2, 2))
    earlier = made("earlier", (0, 0), (1, 0), (2, 1), (3, 1), (4, 1))
    both = salvage_one(later, tmp_path / "b/new", replicas=earlier)
    assert batches(both.path) == batches(later)
    follower = salvage_one(earlier, tmp_path / "c/new", replicas=later)
    assert list(batches(follower.path)) == [0, 1, 2]
    assert [(left.kind, left.offsets) for left in follower.missing] == [("diverged", (2, 4))]


@pytest.mark.parametrize(
    ("follower", "leader", "end"),
    [
        (History(((0, 0),), 90), History(((0, 0),), 60), 60),
        (History(((0, 0), (1, 60)), 90), History(((0, 0), (2, 60)), 70), 60),
        # KIP-279: the leader does not know epoch 3, the follower does not know the leader's answer, epoch 2.
        (History(((0, 0), (1, 10), (3, 20)), 30), History(((0, 0), (1, 10), (2, 15), (4, 25)), 40), 15),
        (History(((5, 0),), 10), History(((7, 0),), 10), 0),
    ],
)
def test_histories_part_where_a_follower_would_truncate(follower, leader, end):
    def named(history):
        return History(tuple(kafkalog.core.checkpoint.EpochEntry(*one) for one in history.epochs), history.end)

    assert shared_end(named(follower), named(leader)) == end


def test_a_hole_that_the_cleaner_may_have_made_is_not_filled(tmp_path):
    source, replica = tmp_path / "source/users-0", tmp_path / "replica/users-0"
    rows = [encode.batch([encode.R(0, b"k%d" % at, b"v")], base_offset=at) for at in range(8)]
    for folder, which in ((source, (0, 2, 5, 7)), (replica, range(8))):
        folder.mkdir(parents=True)
        (folder / f"{0:020d}.log").write_bytes(b"".join(rows[at] for at in which))
    partition = salvage_one(source, tmp_path / "new", replicas=replica)
    assert sorted(batches(partition.path)) == [0, 2, 5, 7]
    assert any("compacted" in note for note in partition.notes)


def test_a_replica_of_another_topic_is_refused(tmp_path, copy):
    replica = copy(LEDGER)
    (replica / "partition.metadata").write_text("version: 0\ntopic_id: bSI-yVwgTU6JIJtxtkyENQ")
    with pytest.raises(RequestError, match="different topics"):
        kafkalog.salvage(LEDGER, tmp_path / "new", replicas=replica)


# --- transactions -----------------------------------------------------------------------------------------------------


def test_a_transaction_without_its_end_stays_open_and_is_told(tmp_path, copy):
    source = copy(TXN)
    markers = [
        (segment, batch)
        for segment in kafkalog.open_partition(TXN).segments
        for batch in segment.batches()
        if isinstance(batch, RecordBatch) and batch.is_control
    ]
    segment, last = markers[-1]
    path = source / os.path.basename(segment.paths[".log"])
    edit(path, lambda data: data[: last.position])
    partition = salvage_one(source, tmp_path / "new")
    assert [one.producer_id for one in partition.open_transactions] == [last.header.producer_id]
    snapshot = max((tmp_path / "new").glob("*.snapshot"))
    entries = {entry.producer_id: entry for entry in read_producer_snapshot(snapshot.read_bytes()).entries}
    assert entries[last.header.producer_id].current_txn_first_offset == partition.open_transactions[0].first_offset


def test_a_transaction_that_may_have_got_the_end_of_another_is_in_doubt(tmp_path):
    source = tmp_path / "source/orders-0"
    source.mkdir(parents=True)
    rows = [
        encode.batch(
            [encode.R(0, b"k", b"v")], base_offset=0, attributes=0x10, producer_id=5, producer_epoch=0, base_sequence=0
        ),
        encode.marker(commit=True, offset=1, producer_id=5, producer_epoch=0),
        encode.batch(
            [encode.R(0, b"k", b"v")], base_offset=2, attributes=0x10, producer_id=5, producer_epoch=0, base_sequence=1
        ),
        encode.marker(commit=False, offset=3, producer_id=5, producer_epoch=0),
    ]
    rows[1] = rows[1][:-1] + bytes([rows[1][-1] ^ 1])
    (source / f"{0:020d}.log").write_bytes(b"".join(rows))
    partition = salvage_one(source, tmp_path / "new")
    assert partition.doubtful == ((5, 0, 3, False, (1, 1)),)


# --- where it is written ----------------------------------------------------------------------------------------------


def test_nothing_is_written_into_a_source_or_its_log_dir(copy):
    source = copy(LEDGER)
    for out in (source / "new", source.parent / "new", source):
        with pytest.raises(RequestError):
            kafkalog.salvage(source, out)
    assert sorted(os.listdir(source.parent)) == ["ledger-0"]
    with pytest.raises(RequestError, match="must not be changed"):
        kafkalog.salvage(LEDGER, source / "new", replicas=source)


def test_a_directory_or_a_manifest_that_is_there_is_not_replaced(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(RequestError, match="is there already"):
        kafkalog.salvage(LEDGER, tmp_path / "new")
    (tmp_path / "other.salvage.jsonl").touch()
    with pytest.raises(RequestError, match="is there already"):
        kafkalog.salvage(LEDGER, tmp_path / "other")
    (tmp_path / "third.partial").mkdir()
    (tmp_path / "third.partial/mine").touch()
    with pytest.raises(RequestError, match="not an earlier run's"):
        kafkalog.salvage(LEDGER, tmp_path / "third")
    assert sorted(os.listdir(tmp_path)) == ["new", "other.salvage.jsonl", "third.partial"]


@pytest.mark.parametrize("after", [1, 3, 8, 15])
def test_a_full_disk_leaves_a_partial_directory_and_a_second_run_succeeds(tmp_path, monkeypatch, after):
    written = []
    file = output_file.NewTree.file

    def limited(tree, path):
        written.append(path)
        if len(written) == after:
            raise OSError(28, "No space left on device")
        return file(tree, path)

    monkeypatch.setattr(output_file.NewTree, "file", limited)
    with pytest.raises(OSError, match="No space"):
        kafkalog.salvage(TXN, tmp_path / "new")
    assert sorted(os.listdir(tmp_path)) == ["new.partial"]
    monkeypatch.undo()
    salvage_one(TXN, tmp_path / "new")
    assert sorted(os.listdir(tmp_path)) == ["new", "new.salvage.jsonl"]


def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch, synced):
    renamed = []
    rename = os.rename
    monkeypatch.setattr(output_file.os, "rename", lambda *names: renamed.append((names, set(synced))) or rename(*names))
    partition = salvage_one(LEDGER, tmp_path / "new")
    ((_, on_disk),) = renamed
    folder = f"{tmp_path}/new.partial/ledger-0"
    assert on_disk == {folder, *(os.path.join(folder, os.path.basename(file.path)) for file in partition.files)}
    assert str(tmp_path) in synced


def test_what_is_not_accepted_keeps_its_partial_name(tmp_path, monkeypatch):
    monkeypatch.setattr(salvaging, "problems_of", lambda *_: ["a start after a clean stop fails"])
    result = CliRunner().invoke(main, ["salvage", str(LEDGER), "-o", str(tmp_path / "new")], standalone_mode=False)
    assert result.return_value == 4
    assert "refused" in result.output
    assert sorted(os.listdir(tmp_path)) == ["new.partial"]


def test_a_fault_in_a_rebuilt_file_is_found(tmp_path, monkeypatch):
    write = salvaging.write_side_files

    def faulty(tree, folder, *more):
        rebuilt = write(tree, folder, *more)
        for path in pathlib.Path(folder).glob("*.txnindex"):
            path.unlink()
        return rebuilt

    monkeypatch.setattr(salvaging, "write_side_files", faulty)
    result = kafkalog.salvage(TXN, tmp_path / "new")
    assert not result.is_accepted
    assert any("txnindex-missing-entry" in problem for problem in result.partitions[0].problems)


def test_only_logs_are_written_when_that_is_asked_for(tmp_path):
    partition = salvage_one(TXN, tmp_path / "new", logs_only=True)
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".log"}
    assert partition.topic_id is None


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments):
    result = CliRunner().invoke(main, ["salvage", *map(str, arguments)], standalone_mode=False)
    assert result.exception is None or isinstance(result.exception, RequestError), result.exception
    return result.return_value, result.output


def test_the_command_prints_what_the_manifest_holds(tmp_path, copy):
    source = copy(LEDGER)
    flip(source / SECOND, 700)
    status, printed = run(source, "-o", tmp_path / "new", "--format", "jsonl")
    assert status == 1
    assert printed == (tmp_path / "new.salvage.jsonl").read_text()
    lines = [json.loads(line) for line in printed.splitlines()]
    assert {line["schema"] for line in lines} == {"kafkalog.salvage/1"}
    assert lines[-1]["type"] == "summary"


def test_a_whole_log_dir_becomes_a_folder_of_directories(tmp_path):
    status, printed = run(CLUSTER, "-o", tmp_path / "new")
    assert status == 0
    assert "__cluster_metadata-0 is left aside" in printed
    names = {path.name for path in CLUSTER.iterdir() if path.is_dir()} - {"__cluster_metadata-0"}
    assert set(os.listdir(tmp_path / "new")) == names


def test_the_text_tells_what_is_lost_and_what_to_do(tmp_path, copy):
    source = copy(LEDGER)
    flip(source / SECOND, 700)
    status, printed = run(source, "-o", tmp_path / "new")
    assert status == 1
    for words in ("kept  ", "lost  ", "accepted", "its CRC is", f"cp -r {tmp_path}/new {source}"):
        assert words in printed


def test_an_archive_is_salvaged_in_the_place_of_a_directory(tmp_path):
    archive = shutil.make_archive(str(tmp_path / "copy"), "gztar", CLUSTER, "ledger-0")
    status, _ = run(archive, "-o", tmp_path / "new")
    assert status == 0
    assert batches(tmp_path / "new") == batches(LEDGER)


def test_a_log_by_itself_is_salvaged(tmp_path):
    status, _ = run(LEDGER / SECOND, "-o", tmp_path / "new")
    assert status == 0
    assert [path.name for path in (tmp_path / "new").glob("*.log")] == [SECOND]


def test_one_partition_given_twice_is_refused(tmp_path, copy):
    with pytest.raises(RequestError, match="--replica"):
        kafkalog.salvage([LEDGER, copy(LEDGER)], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_docs_name_every_field_of_the_manifest(tmp_path, copy):
    source = copy(TXN)
    flip(max(source.glob("*.log")), 200)
    edit(max(source.glob("*.log")), lambda data: data[:-40])
    kafkalog.salvage(source, tmp_path / "new")
    text = (FIXTURES.parent / "docs/salvage.md").read_text()
    for line in map(json.loads, (tmp_path / "new.salvage.jsonl").read_text().splitlines()):
        row = next(row for row in text.splitlines() if row.startswith(f"| `{line['type']}` |"))
        for field in line.keys() - {"schema", "type"}:
            assert f"`{field}`" in row, (line["type"], field)


# --- random damage ----------------------------------------------------------------------------------------------------

SOURCES = [LEDGER, TXN, OLD, FIXTURES / "broker/4.3.1/edge/e-txn-0", FIXTURES / "broker/0.11.0.3/txn/ledger-0"]


@pytest.mark.parametrize("seed", range(int(os.environ.get("KAFKALOG_SALVAGES", "20"))))
def test_of_a_log_with_random_damage_a_directory_is_made_that_is_accepted(tmp_path, seed):
    source = SOURCES[seed % len(SOURCES)]
    harmed = harm({path.name: path.read_bytes() for path in source.iterdir()}, random.Random(seed))
    folder = tmp_path / "source" / source.name
    folder.mkdir(parents=True)
    for name, data in harmed.files.items():
        (folder / name).write_bytes(data)
    for name in harmed.directories:
        (folder / name).mkdir(exist_ok=True)
    if not any(name.endswith(".log") for name in harmed.files):
        pytest.skip("the damage left no log")
    partition = salvage_one(folder, tmp_path / "new", unflip=bool(seed % 2))
    intact = {bytes(batch.data[:]) for batch in kafkalog.open_partition(source).batches() if batch.crc_ok}
    if not any("append" in said or "->" in said or "body" in said or "marker" in said for said in harmed.said):
        assert set(batches(partition.path).values()) <= intact if partition.kept else True


# --- a topic that was created again ---


OWN_ID, OTHER_ID = "AAAAAAAAAAAAAAAAAAAABQ", "AAAAAAAAAAAAAAAAAAAABg"


@pytest.mark.parametrize(
    ("epoch", "given", "warns"), [(7, OTHER_ID, True), (0, OTHER_ID, False), (7, None, False), (7, OWN_ID, False)]
)
def test_leader_epochs_that_a_new_topic_does_not_have_yet_are_told(epoch, given, warns, tmp_path):
    source = tmp_path / "data/orders-0"
    source.mkdir(parents=True)
    (source / f"{0:020d}.log").write_bytes(encode.batch([encode.R(0, b"k", b"v")], leader_epoch=epoch))
    (source / "partition.metadata").write_text(f"version: 0\ntopic_id: {OWN_ID}")
    (partition,) = kafkalog.salvage(source, tmp_path / "new", topic_id=given).partitions
    assert any(f"its leader epochs go up to {epoch}: " in note for note in partition.notes) is warns


# --- batches that do not stand in order ---


class Place(NamedTuple):
    base: int
    last: int


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        ([(0, 4), (5, 9), (10, 14)], None),
        ([(0, 4), (10, 19), (5, 9), (20, 29)], [0, 1, 3]),
        ([(0, 4), (7, 9), (5, 6), (10, 14)], [0, 1, 3]),
        ([(0, 4), (9, 9), (5, 8), (10, 14)], [0, 2, 3]),
        ([(0, 4), (1 << 40, (1 << 40) + 90), (5, 6), (7, 8)], [0, 2, 3]),
        ([(5, 5), (5, 5)], [0]),
    ],
)
def test_of_batches_out_of_order_the_longest_row_is_kept_and_of_such_the_one_with_most_offsets(places, kept):
    assert in_order([Place(*place) for place in places]) == kept
