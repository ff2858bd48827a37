"""Segments, partitions and log dirs: lazy, re-iterable, closed again; files that change or cannot be read are reported."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

import kafkalog
from kafkalog.core.batch import Damage
from kafkalog.core.log import walk
from kafkalog.core.printable import printable
from kafkalog.errors import FileChanged, RequestError, UnreadableFile
from kafkalog.files.ceilings import ceiling_of
from kafkalog.files.source import FileSource, read_file
from kafkalog.span import Padding
from tests import encode
from tests.encode import R
from tests.log_dirs import fixture

REFERENCE = "plain", "twitter-status-0"


def reference():
    return f"{fixture('2.1.1', REFERENCE[0]).path()}/{REFERENCE[1]}"


@pytest.fixture
def partition_path(tmp_path):
    """A partition of two segments, of ten batches of 100 KiB each: several windows."""
    folder = tmp_path / "topic-0"
    folder.mkdir()
    for base in (0, 10):
        batches = [encode.batch([R(value=os.urandom(100 << 10))], base_offset=base + n, crc=0) for n in range(10)]
        (folder / f"{base:020}.log").write_bytes(b"".join(fix_checksum(batch) for batch in batches))
    return str(folder)


def fix_checksum(batch):
    from kafkalog.core.checksum import crc32c

    return batch[:17] + crc32c(batch[21:]).to_bytes(4, "big") + batch[21:]


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_opened_before_it_is_asked_for(partition_path):
    before = open_files()
    partition = kafkalog.open_partition(partition_path)
    os.remove(f"{partition_path}/{0:020}.log")
    assert open_files() == before
    with pytest.raises(UnreadableFile):
        next(partition.segments[0].batches())
    assert next(partition.segments[1].batches()).base_offset == 10


def test_walks_can_be_taken_again_and_at_the_same_time(partition_path):
    partition = kafkalog.open_partition(partition_path)
    first = list(partition.batches())
    assert [batch.base_offset for batch in first] == list(range(20))
    one, two = partition.batches(), partition.batches()
    pairs = list(zip(one, two, strict=True))
    assert all(a.data == b.data and a.position == b.position for a, b in pairs)
    with partition.segments[0] as segment:
        one, two = segment.batches(), segment.batches()
        interleaved = [next(one), next(one), next(two), next(one), next(two)]
        assert [batch.base_offset for batch in interleaved] == [0, 1, 0, 2, 1]


def test_files_are_closed_again(partition_path):
    before = open_files()
    partition = kafkalog.open_partition(partition_path)
    list(partition.records())
    assert open_files() == before
    with partition, partition.segments[0] as segment:
        assert open_files() == before + 1
        list(segment.batches())
        list(segment.batches())
        assert open_files() == before + 1
    assert open_files() == before
    walker = partition.batches()
    next(walker)
    walker.close()
    assert open_files() == before


def test_batches_outlive_their_file(partition_path):
    batch = next(kafkalog.open_partition(partition_path).batches())
    shutil.rmtree(partition_path)
    assert batch.crc_ok
    assert len(list(batch.records())) == 1


def test_a_file_that_shrinks_is_reported_and_the_batches_before_are_given(tmp_path):
    path = str(tmp_path / f"{0:020}.log")
    batches = [fix_checksum(encode.batch([R(value=bytes(100 << 10))], base_offset=n, crc=0)) for n in range(20)]
    (tmp_path / f"{0:020}.log").write_bytes(b"".join(batches))
    with FileSource(path) as source:
        items = walk(source)
        assert next(items).crc_ok
        os.truncate(path, 250 << 10)
        seen, error = until_error(items)
    assert [item.crc_ok for item in seen] == [True] * len(seen)
    assert isinstance(error, FileChanged)
    assert (error.size_before, error.size_now) == (sum(map(len, batches)), 250 << 10)
    assert "shrank from" in str(error)


def until_error(items):
    seen = []
    while True:
        try:
            seen.append(next(items))
        except FileChanged as error:
            return seen, error


def test_a_file_that_grows_is_read_to_its_old_end_and_the_growth_is_told(partition_path):
    path = f"{partition_path}/{0:020}.log"
    with FileSource(path) as source:
        assert source.grown is None
        with open(path, "ab") as file:
            file.write(b"more")
        items = list(walk(source))
        assert not any(isinstance(item, Damage) for item in items)
        assert source.grown is not None
        assert "grew from" in str(source.grown)


def test_a_segment_tells_that_it_grew_while_it_was_walked(partition_path):
    segment = kafkalog.open_partition(partition_path).segments[0]
    items = segment.walk()
    next(items)
    with open(segment.paths[".log"], "ab") as file:
        file.write(b"more")
    assert all(not isinstance(item, Damage) for item in items)
    assert "grew from" in str(segment.grown)
    *_, damage = segment.walk()
    assert isinstance(damage, Damage)
    assert segment.grown is None


def test_memory_is_bounded_by_the_window_not_by_the_file(tmp_path):
    import tracemalloc

    folder = tmp_path / "big-0"
    folder.mkdir()
    batch = fix_checksum(encode.batch([R(value=bytes(10_000))], crc=0))
    with open(folder / f"{0:020}.log", "wb") as file:
        file.writelines([batch * 1000] * 4)
    partition = kafkalog.open_partition(folder)
    tracemalloc.start()
    try:
        count = sum(1 for _ in partition.batches())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 4000
    assert peak < 4 << 20


def make_unreadable(tmp_path, kind):
    path = tmp_path / "thing"
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a directory":
        path.mkdir()
    elif kind == "a socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.close()
    elif kind == "a loop of links":
        path.symlink_to(path)
    elif kind == "a dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "a device":
        return "/dev/null"
    elif kind == "a name with a NUL":
        return f"{path}\0"
    return str(path)


KINDS = (
    "a FIFO", "a directory", "a socket", "a loop of links", "a dangling link", "a device", "a name with a NUL", "nothing",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_readable_file_is_one_error_with_its_path_and_no_wait(tmp_path, kind):
    path = make_unreadable(tmp_path, kind)
    before = open_files()
    with pytest.raises(UnreadableFile) as caught:
        FileSource(path)
    assert caught.value.path == path
    assert caught.value.reason
    assert open_files() == before


@contextlib.contextmanager
def without_privileges():
    """Root may read everything, so be nobody for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_one_error():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "secret")
        with open(path, "wb") as file:
            file.write(b"x")
        os.chmod(path, 0o444)
        with without_privileges():
            assert read_file(path) == b"x"
        os.chmod(path, 0)
        with without_privileges(), pytest.raises(UnreadableFile, match="permission denied"):
            FileSource(path)


@pytest.mark.parametrize("kind", ["nothing", "a dangling link", "a FIFO", "a name with a NUL"])
def test_what_is_no_readable_directory_is_one_error(tmp_path, kind):
    path = make_unreadable(tmp_path, kind)
    for opener in (kafkalog.open_partition, kafkalog.open_log_dir):
        with pytest.raises(RequestError if kind == "a FIFO" else UnreadableFile):
            opener(path)


def test_a_file_of_text_that_is_far_too_large_is_refused(tmp_path):
    path = tmp_path / "leader-epoch-checkpoint"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnreadableFile, match=f"has {1 << 40} bytes, at most {8 << 20} are read"):
        read_file(str(path))


@pytest.mark.parametrize(
    ("name", "look"),
    [
        (f"{7:020}.index", "print it with `kafkalog dump`"),
        (f"{7:020}.timeindex", "print it with `kafkalog dump`"),
        (f"{7:020}.txnindex", "print it with `kafkalog dump`"),
        (f"{7:020}.snapshot", "look at its first bytes (`head -c 200`)"),
        ("replication-offset-checkpoint", "look at its first lines (`head`)"),
        ("meta.properties", "look at its first lines (`head`)"),
    ],
)
def test_what_is_too_large_to_be_read_is_refused_with_what_to_do_next(tmp_path, name, look):
    path = tmp_path / name
    with open(path, "wb") as file:
        file.truncate(ceiling_of(str(path)).size)
    if path.suffix:  # zeros are no lines
        assert read_file(str(path))
    with open(path, "ab") as file:
        file.truncate(ceiling_of(str(path)).size + 1)
    with pytest.raises(UnreadableFile, match="Kafka seldom writes more") as refused:
        read_file(str(path))
    assert look in refused.value.reason


def test_the_index_that_is_too_large_for_the_others_is_printed_by_dump(tmp_path):
    path = tmp_path / f"{7:020}.txnindex"
    with open(path, "wb") as file:
        file.truncate(ceiling_of(str(path)).size + 34)
    done = subprocess.run([sys.executable, "-m", "kafkalog", "dump", str(path)], capture_output=True, check=True)
    assert done.stdout.count(b"lastStableOffset") == os.stat(path).st_size // 34


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_index_that_a_roll_trims_while_it_is_read_is_read_again(tmp_path, monkeypatch, times):
    path = tmp_path / f"{0:020}.index"
    path.write_bytes(b"12345678" * 10)
    real, left = FileSource.read, [times]

    def read(source, *arguments):
        if left[0]:
            left[0] -= 1
            os.truncate(path, os.stat(path).st_size - 8)
        return real(source, *arguments)

    monkeypatch.setattr(FileSource, "read", read)
    if times < 3:
        assert read_file(str(path)) == b"12345678" * (10 - times)
    else:
        with pytest.raises(FileChanged):
            read_file(str(path))


def test_a_hole_of_zeros_is_padding(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    path = folder / f"{0:020}.log"
    path.write_bytes(encode.batch([R()]))
    os.truncate(path, 50 << 20)
    batch, padding = kafkalog.open_partition(folder).segments[0].walk()
    assert isinstance(padding, Padding)
    assert padding.span == (batch.size, 50 << 20, None)


def test_a_batch_larger_than_the_window_is_read_whole(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    small = encode.batch([R()])
    large = fix_checksum(encode.batch([R(value=bytes(5 << 20))], base_offset=1, crc=0))
    (folder / f"{0:020}.log").write_bytes(small + large + small)
    assert [batch.size for batch in kafkalog.open_partition(folder).batches()] == [len(small), len(large), len(small)]


def test_a_partition_sorts_its_files_by_what_they_are(tmp_path):
    folder = tmp_path / "orders-7"
    folder.mkdir()
    names = [
        f"{0:020}.log", f"{0:020}.index", f"{20:020}.log", f"{20:020}.snapshot", f"{35:020}.snapshot", f"{0:020}.log.deleted",
        f"{9:020}.log.swap", f"{5:020}-0000000001.checkpoint", "leader-epoch-checkpoint", "notes.txt", f"{40:020}.index",
    ]  # fmt: skip
    for name in names:
        (folder / name).write_bytes(b"")
    (folder / "sub").mkdir()
    (folder / f"{60:020}.log").mkdir()
    partition = kafkalog.open_partition(folder)
    assert (partition.topic, partition.number) == ("orders", 7)
    assert [segment.base_offset for segment in partition.segments] == [0, 20, 40]
    assert list(partition.segments[1].paths) == [".log", ".snapshot"]
    assert partition.snapshots.keys() == {20, 35}
    assert [parsed.pending for parsed, _ in partition.pending] == [".deleted", ".swap"]
    assert [parsed.epoch for parsed, _ in partition.checkpoints] == [1]
    assert sorted(partition.others) == sorted(["notes.txt", "sub", f"{60:020}.log"])
    assert partition.segments[2].size == 0
    assert list(partition.segments[2].walk()) == []
    assert partition.metadata is None
    assert partition.leader_epochs.entries == ()


def test_paths_keep_the_callers_spelling(monkeypatch):
    monkeypatch.chdir(os.path.dirname(reference()))
    for given in ("twitter-status-0", "./twitter-status-0", "../plain/twitter-status-0", "twitter-status-0/"):
        partition = kafkalog.open_partition(given)
        assert partition.path == given.rstrip("/")
        assert partition.segments[0].paths[".log"] == f"{given.rstrip('/')}/{0:020}.log"
        assert partition.topic == "twitter-status"
    monkeypatch.chdir(reference())
    partition = kafkalog.open_partition(".")
    assert (partition.path, partition.topic) == (".", "twitter-status")
    assert partition.segments[0].paths[".log"] == f"./{0:020}.log"


def test_names_that_are_not_utf_8_are_carried_through(tmp_path):
    name = os.fsdecode(b"caf\xe9-0")
    folder = tmp_path / name
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(encode.batch([R()]))
    partition = kafkalog.open_log_dir(tmp_path).partition(name)
    assert partition.topic == "caf\udce9"
    assert len(list(partition.records())) == 1
    printable(partition.path).encode()
    assert printable("a\nb\udce9") == "a\\nb\\udce9"


def test_a_log_dir_knows_its_partitions_and_its_own_files():
    log_dir = kafkalog.open_log_dir(fixture("3.7.2", "jbod-d2").path())
    marks = {partition.name.mark for partition in log_dir.partitions()}
    assert "future" in marks
    assert log_dir.meta_properties.values["version"] == "1"
    with pytest.raises(RequestError, match="'passwd' is none of a log dir's checkpoint files: cleaner-offset-checkpoint, "):
        log_dir.checkpoint("passwd")
    with pytest.raises(UnreadableFile):
        log_dir.partition("nothing-0")


def test_reprs_are_short_and_name_what_matters():
    with kafkalog.open_log_dir(fixture("2.1.1", "plain").path()) as log_dir:
        partition = log_dir.partition("twitter-status-0")
        batch = next(partition.batches())
        record = next(batch.records())
        for thing in (log_dir, partition, partition.segments[0], batch, record, batch.span):
            assert len(repr(thing)) < 250
        assert "offset=0" in repr(record)
