"""What a path is: every command gives the same answer, and reads the logs that follow from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

from kafkalog import next_starts, verify
from kafkalog.core.filters import Filters
from kafkalog.dump.inputs import files_of
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files import directory
from kafkalog.files.classify import NOTHING_OF_KAFKA, Kind, classify, kind_of_directory
from kafkalog.files.directory import Entry
from kafkalog.files.source import FileSource
from kafkalog.next_start.api import next_start
from kafkalog.replay.groups import read_groups
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.transactions import read_transactions
from tests.log_dirs import FIXTURES
from tests.replay.test_groups import batch

LOG = f"{0:020d}.log"
STRAY = f"{7:020d}.log"
LOG_DIR_FILES = ("meta.properties", "recovery-point-offset-checkpoint", "replication-offset-checkpoint")


# --- the commands: each gives the logs it has read, or why it refuses the path ---


def dump(path):
    try:
        return {file.path for file in files_of(path, Filters(), lambda _: None)}
    except UnreadableFile as error:
        return error.reason


def verified(path):
    report = verify(path, now=0, next_start=False)
    return next((one.reason for one in report.not_checked if one.path.rstrip("/") == path.rstrip("/")), set())


def predicted(path):
    try:
        return {outcome.path for outcome in next_starts([path])}
    except UnreadableFile as error:
        return error.reason


def replayed(read):
    def run(path):
        return next((note.message for note in read(path).problems if note.path.rstrip("/") == path.rstrip("/")), set())

    return run


COMMANDS = {
    "dump": (dump, "t"),
    "verify": (verified, "t"),
    "next-start": (predicted, "t"),
    "groups": (replayed(read_groups), "__consumer_offsets"),
    "transactions": (replayed(read_transactions), "__transaction_state"),
    "metadata": (replayed(read_metadata), "__cluster_metadata"),
}


class Watch:
    """The logs below a directory that are opened."""

    def __init__(self, monkeypatch):
        self.opened = []
        real = FileSource.__init__

        def opening(source, path):
            self.opened.append(os.path.realpath(path))
            real(source, path)

        monkeypatch.setattr(FileSource, "__init__", opening)

    def below(self, folder):
        root = os.path.realpath(folder) + "/"
        return {path.removeprefix(root) for path in self.opened if path.startswith(root) and path.endswith(".log")}


def answer(command, path, folder, monkeypatch):
    """What a command takes a path for: the logs below `folder` that it reads, or why it refuses the path."""
    run, _ = COMMANDS[command]
    with monkeypatch.context() as patch:
        watch = Watch(patch)
        said = run(str(path))
        if isinstance(said, str):
            return said
        if command == "dump":  # it names the files, which another part opens
            watch.opened = [os.path.realpath(file) for file in said]
        return watch.below(folder)


# --- the shapes ---


def log(folder, name=LOG):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(batch(0, b"k", b"v"))


def partition(folder, name=LOG, *others):
    log(folder, name)
    for other in others:
        (folder / other).write_text(
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n" if other == "partition.metadata" else "0\n0\n"
        )


def log_dir(folder, topic, *files):
    for number in range(3):
        partition(folder / f"{topic}-{number}", LOG, "leader-epoch-checkpoint")
    for name in files:
        (folder / name).write_text("broker.id=1\nversion=0\n" if name == "meta.properties" else "0\n0\n")


class Shape(NamedTuple):
    """How a directory is made below a folder, for a topic; and what it is."""

    name: str
    kind: Kind
    make: object


def shape(name, kind, make):
    return pytest.param(Shape(name, kind, make), id=f"{name}: {kind.value}")


def _log_dir_with_stray(folder, topic):
    log_dir(folder, topic, *LOG_DIR_FILES)
    log(folder, STRAY)


def _bare_log_dir_with_stray(folder, topic):
    log_dir(folder, topic)
    log(folder, STRAY)


def _partition_with_meta(folder, _):
    partition(folder)
    (folder / "meta.properties").write_text("broker.id=1\nversion=0\n")


def _partition_with_folder(folder, _):
    partition(folder)
    log(folder / "backup-2024")


def _emptied_partition_with_folder(folder, _):
    partition(folder / "backup-1")
    (folder / "leader-epoch-checkpoint").write_text("0\n0\n")
    (folder / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n")


SHAPES = [
    shape("kafka-logs", Kind.LOG_DIR, lambda folder, topic: log_dir(folder, topic, *LOG_DIR_FILES)),
    shape("kafka-logs", Kind.LOG_DIR, log_dir),
    shape("kafka-logs", Kind.LOG_DIR, _log_dir_with_stray),
    shape("kafka-logs", Kind.LOG_DIR, _bare_log_dir_with_stray),
    shape("data-1", Kind.LOG_DIR, lambda folder, topic: log_dir(folder, topic, *LOG_DIR_FILES)),
    shape("data-1", Kind.LOG_DIR, log_dir),
    shape("data-1", Kind.LOG_DIR, _log_dir_with_stray),
    shape("data-1", Kind.LOG_DIR, _bare_log_dir_with_stray),
    shape("{topic}-0", Kind.PARTITION, lambda folder, _: partition(folder)),
    shape("{topic}-0", Kind.PARTITION, lambda folder, _: folder.mkdir(parents=True)),
    shape("{topic}-0", Kind.PARTITION, _partition_with_meta),
    shape("{topic}-0", Kind.PARTITION, _partition_with_folder),
    shape("{topic}-0", Kind.PARTITION, _emptied_partition_with_folder),
    shape("copy", Kind.PARTITION, lambda folder, _: partition(folder)),
]

#: How the caller may spell a directory; each gives the path, made from the real one.
SPELLINGS = {
    "as it is": lambda folder, _: str(folder),
    "with a slash": lambda folder, _: f"{folder}/",
    "with slashes": lambda folder, _: f"{folder}//",
    "a link": lambda folder, link: (link.symlink_to(folder), str(link))[1],
    "a link with a slash": lambda folder, link: (link.symlink_to(folder), f"{link}/")[1],
    "the working directory": lambda folder, _: (os.chdir(folder), ".")[1],
}


@pytest.fixture(autouse=True)
def stay():
    """Tests may change the working directory."""
    home = os.getcwd()
    yield
    os.chdir(home)


def expected(kind, folder, topic):
    """The logs that a command must read when it knows what the directory is."""
    if kind is Kind.LOG_DIR:
        return {f"{topic}-{number}/{LOG}" for number in range(3)}
    return {LOG} if (folder / LOG).exists() else set()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("made", SHAPES)
def test_every_command_takes_a_directory_for_the_same_however_it_is_spelled(tmp_path, monkeypatch, command, made):
    topic = COMMANDS[command][1]
    folder = tmp_path / "up" / made.name.format(topic=topic)
    made.make(folder, topic)
    wanted = expected(made.kind, folder, topic)
    for number, (spelling, spell) in enumerate(SPELLINGS.items()):
        path = spell(folder, tmp_path / f"link{number}-7")
        assert classify(path).kind is made.kind, spelling
        assert answer(command, path, folder, monkeypatch) == wanted, spelling


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_the_same_of_what_is_nothing(tmp_path, monkeypatch, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to-empty").symlink_to("empty")
    for name, reason in {
        "empty": NOTHING_OF_KAFKA,
        "empty/": NOTHING_OF_KAFKA,
        "photos": NOTHING_OF_KAFKA,
        "to-empty": NOTHING_OF_KAFKA,
        "missing": "no such file or directory",
        "missing/": "no such file or directory",
        "missing.log": "no such file or directory",
        "nowhere": "no such file or directory",
        "loop": "too many levels of symbolic links",
        "nul\0": "no file name can hold a NUL byte",
        "lone\ud800": "no file name can hold a character that this system cannot spell",
    }.items():
        assert answer(command, f"{tmp_path}/{name}", tmp_path, monkeypatch) == reason, name


INSTEAD = "holds no partition directories itself, but "


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_log_dirs_in_a_folder(tmp_path, monkeypatch, command):
    topic = COMMANDS[command][1]
    shapes = {
        "one": (["d1"], (), "a log dir: d1: give its path"),
        "two": (["d1", "d2"], (), "log dirs: d1, d2: give their paths"),
        "five": (["a", "b", "c", "d", "e"], LOG_DIR_FILES, "log dirs: a, b, c and 2 more: give their paths"),
        # By their names partition directories, as the folder is in the second.
        "named": (["broker-1", "broker-2"], LOG_DIR_FILES, "log dirs: broker-1, broker-2: give their paths"),
        "kafka-1": (["broker-1", "broker-2"], LOG_DIR_FILES, "log dirs: broker-1, broker-2: give their paths"),
        "kafka-2": (["a", "b"], LOG_DIR_FILES, "log dirs: a, b: give their paths"),
        "mixed": (["broker-1", "d2"], LOG_DIR_FILES, "log dirs: broker-1, d2: give their paths"),
    }
    for name, (folders, files, said) in shapes.items():
        for folder in folders:
            (tmp_path / name / folder).mkdir(parents=True)
            log_dir(tmp_path / name / folder, topic, *files)
        (tmp_path / name / "photos").mkdir()
        (tmp_path / name / "lost+found").mkdir(mode=0)
        (tmp_path / name / "gone").symlink_to("nowhere")
        for slash in ("", "/"):
            assert answer(command, f"{tmp_path / name}{slash}", tmp_path / name, monkeypatch) == INSTEAD + said, name


def test_only_one_level_is_looked_at_for_log_dirs_and_no_more_than_a_number_of_folders(tmp_path, monkeypatch):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    log_dir(tmp_path / "deep" / "er", "t", *LOG_DIR_FILES)
    with pytest.raises(UnreadableFile, match=NOTHING_OF_KAFKA):
        classify(str(tmp_path))
    for number in range(4):
        (tmp_path / "wide" / f"x{number}").mkdir(parents=True)
    log_dir(tmp_path / "wide" / "x3", "t")
    with pytest.raises(UnreadableFile, match="a log dir: x3"):
        classify(str(tmp_path / "wide"))
    monkeypatch.setattr("kafkalog.files.classify._MOST", 3)
    with pytest.raises(UnreadableFile, match=NOTHING_OF_KAFKA):
        classify(str(tmp_path / "wide"))


def test_a_partition_in_a_log_dir_without_files_outweighs_log_dirs_called_like_partitions(tmp_path):
    partition(tmp_path / "t-0")
    for copy in ("backup", "old-1"):
        (tmp_path / copy).mkdir()
        log_dir(tmp_path / copy, "t", *LOG_DIR_FILES)
    assert classify(str(tmp_path)).kind is Kind.LOG_DIR


def test_a_log_dir_with_files_of_its_own_is_one_whatever_its_directories_hold(tmp_path):
    (tmp_path / "old-1").mkdir()
    log_dir(tmp_path / "old-1", "t", *LOG_DIR_FILES)
    (tmp_path / "meta.properties").write_text("broker.id=1\nversion=0\n")
    assert classify(str(tmp_path)).kind is Kind.LOG_DIR


def test_of_each_folder_in_a_folder_only_a_number_of_names_is_read(tmp_path, monkeypatch):
    (tmp_path / "wide").mkdir()
    for number in range(9):
        (tmp_path / "wide" / f"x{number}").touch()
    read = []
    for module in ("classify", "mistakes", "tier"):
        monkeypatch.setattr(f"kafkalog.files.{module}._MOST", 4)
    monkeypatch.setattr(
        "kafkalog.files.directory._entry", lambda entry, real=directory._entry: read.append(entry) or real(entry)
    )
    with pytest.raises(UnreadableFile, match=NOTHING_OF_KAFKA):
        classify(str(tmp_path))
    assert len(read) == 1 + 3 * 4  # for log dirs, for remote storage, and for what somebody else has written


def test_an_emptied_partition_with_folders_of_segments_is_still_one(tmp_path):
    partition(tmp_path / "t-0" / "backup" / "t-0")
    assert classify(str(tmp_path / "t-0")).kind is Kind.PARTITION


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_that_a_directory_may_not_be_read(tmp_path, monkeypatch, command):
    topic = COMMANDS[command][1]
    log_dir(tmp_path / "d", topic)

    def listed(path, listing=directory.list_directory):
        if path == str(tmp_path / "d"):
            raise UnreadableFile(path, "permission denied")
        return listing(path)

    monkeypatch.setattr(directory, "list_directory", listed)
    for path in ("d", "d/"):
        assert answer(command, f"{tmp_path}/{path}", tmp_path, monkeypatch) == "permission denied"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_is_a_file_and_only_next_start_takes_none(tmp_path, monkeypatch, command):
    folder = tmp_path / f"{COMMANDS[command][1]}-0"
    partition(folder)
    links = tmp_path / "links"
    links.mkdir()
    (links / LOG).symlink_to(folder / LOG)
    not_loaded = "is a file; a start loads directories: give the one it is in, or the log dir"
    wanted = not_loaded if command == "next-start" else {LOG}
    for path in (folder / LOG, links / LOG):
        for slash in ("", "/"):
            assert answer(command, f"{path}{slash}", folder, monkeypatch) == wanted


@pytest.mark.parametrize("name", ["notes.txt", "server.log.gz", "leader-epoch-checkpoint.deleted", ".lock"])
def test_dump_and_verify_refuse_the_same_files_with_the_same_words(tmp_path, name):
    (tmp_path / name).write_text("hello")
    path = str(tmp_path / name)
    assert dump(path) == verified(path) == "is no file of Kafka's, by its name; --as log (index, …) says what it is"


@pytest.mark.parametrize(
    "name", [LOG, f"{LOG}.deleted", "x.log", "x.index.swap", "meta.properties", "bootstrap.checkpoint", "quorum-state"]
)
def test_dump_and_verify_take_the_same_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    path = str(tmp_path / name)
    assert dump(path) == {path}
    assert verified(path) != NOTHING_OF_KAFKA
    assert "by its name" not in verified(path)


# --- what is said of strays ---


def kafkalog(*arguments):
    return subprocess.run([sys.executable, "-m", "kafkalog", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def with_stray(tmp_path):
    """A real log dir with one of its own segments copied one level up."""
    target = tmp_path / "MIX"
    shutil.copytree(FIXTURES / "broker/2.1.1/plain", target)
    shutil.copy(target / "twitter-status-0" / LOG, target / LOG)
    return target


def test_dump_prints_the_partitions_of_a_log_dir_and_says_in_one_line_that_a_stray_segment_is_not(with_stray):
    bare = kafkalog("dump", FIXTURES / "broker/2.1.1/plain")
    done = kafkalog("dump", with_stray)
    said = (
        f"kafkalog: {with_stray / LOG}: not printed, a segment file outside a partition directory; give it as a file to see it"
    )
    assert done.stderr.splitlines().count(said) == 1
    assert len(done.stderr.splitlines()) == len(bare.stderr.splitlines()) + 1
    assert done.stdout.replace(str(with_stray), "D") == bare.stdout.replace(str(FIXTURES / "broker/2.1.1/plain"), "D")
    assert f"Dumping {with_stray / LOG}" in kafkalog("dump", with_stray / LOG).stdout


def test_verify_finds_the_stray_segment_and_checks_all_partitions(with_stray):
    report = verify(with_stray, now=0, next_start=False)
    assert "segment-outside-partition" in {finding.id for finding in report.findings}
    assert len(report.partitions) == sum(entry.is_dir() for entry in with_stray.iterdir())


@pytest.mark.parametrize("command", ["groups", "transactions", "metadata"])
def test_a_stray_segment_is_not_read_as_one_of_the_internal_topic(with_stray, command):
    bare, done = kafkalog(command, FIXTURES / "broker/2.1.1/plain"), kafkalog(command, with_stray)
    own = str(FIXTURES / "broker/2.1.1/plain")
    assert (done.returncode, done.stdout.replace(str(with_stray), own)) == (bare.returncode, bare.stdout)


@pytest.mark.parametrize("command", ["groups", "transactions", "metadata"])
def test_a_log_dir_without_partitions_in_use_is_not_called_nothing(tmp_path, monkeypatch, command):
    partition(tmp_path / f"{COMMANDS[command][1]}-0.{'0' * 32}-delete")
    assert answer(command, tmp_path, tmp_path, monkeypatch).startswith("is a log dir that holds no partition to read")


# --- where the line is ---


def kind(name, *entries):
    listed = [Entry(entry.rstrip("/"), entry.endswith("/"), not entry.endswith("/"), None) for entry in entries]
    return kind_of_directory(name, listed)


S, S2, EPOCHS, META = LOG, STRAY, "leader-epoch-checkpoint", "meta.properties"


@pytest.mark.parametrize(
    ("name", "entries", "wanted"),
    [
        ("copy", (), None),
        ("copy", (EPOCHS,), None),
        ("copy", ("notes/", "x.txt"), None),
        ("copy", (S,), Kind.PARTITION),
        ("t-0", (), Kind.PARTITION),
        ("t-0.0123456789abcdef0123456789abcdef-delete", (), Kind.PARTITION),
        ("copy", ("t-0/",), Kind.LOG_DIR),
        ("copy", ("t-0",), None),  # a file
        ("copy", (META,), Kind.LOG_DIR),
        ("data-1", (META,), Kind.LOG_DIR),
        ("data-1", ("t-0/",), Kind.LOG_DIR),
        # Partition directories and a log dir's own files outweigh everything.
        ("t-0", (S, S2, EPOCHS, META, "t-1/"), Kind.LOG_DIR),
        # No segments: a stray text file of a partition.
        ("copy", (EPOCHS, META), Kind.LOG_DIR),
        ("copy", (EPOCHS, "partition.metadata", "t-0/"), Kind.LOG_DIR),
        ("t-0", (EPOCHS, META), Kind.PARTITION),
        ("t-0", (EPOCHS, "partition.metadata", "backup-1/"), Kind.PARTITION),
        # What there is more of; with equal numbers the name decides.
        ("copy", (S, META), Kind.LOG_DIR),
        ("t-0", (S, META), Kind.PARTITION),
        ("copy", (S, "t-0/"), Kind.LOG_DIR),
        ("t-0", (S, "t-1/"), Kind.PARTITION),
        ("t-0", (S, S2, "t-1/", "t-2/"), Kind.PARTITION),
        ("copy", (S, S2, "t-1/", "t-2/"), Kind.LOG_DIR),
        ("data-1", (S, "t-0/", "t-1/"), Kind.LOG_DIR),
        ("data-1", (S, EPOCHS, "t-0/", "t-1/", "t-2/"), Kind.LOG_DIR),
        ("copy", (S, EPOCHS, "backup-1/"), Kind.PARTITION),
        ("copy", (S, S2, "backup-1/"), Kind.PARTITION),
        # The files of one segment are one stray.
        ("copy", (S, f"{0:020d}.index", f"{0:020d}.timeindex", "t-0/"), Kind.LOG_DIR),
        # Many files of a log dir say no more than one.
        ("copy", (S, S2, META, "replication-offset-checkpoint", "cleaner-offset-checkpoint"), Kind.PARTITION),
    ],
)
def test_a_mixed_directory_is_what_it_has_more_of(name, entries, wanted):
    assert kind(name, *entries) is wanted


def test_the_prediction_of_one_partition_refuses_a_log_dir_with_a_stray_segment(with_stray):
    with pytest.raises(RequestError, match="is a log dir"):
        next_start(with_stray)


def test_a_partition_directory_is_not_the_log_dir_of_a_folder_in_it(tmp_path):
    partition(tmp_path / "t-0")
    shutil.copy(tmp_path / "t-0" / LOG, tmp_path / "t-0" / STRAY)
    log(tmp_path / "t-0" / "backup-1")
    (tmp_path / "t-0" / "unrelated").mkdir()  # a log dir with it would abort
    assert next_start(tmp_path / "t-0" / "backup-1").broker == "starts"


def test_a_directory_is_listed_once(tmp_path, monkeypatch):
    log_dir(tmp_path / "d", "__consumer_offsets")
    folder, directory = str(tmp_path / "d"), str(tmp_path / "d" / "__consumer_offsets-0")
    listed = []

    def counted(path, scandir=os.scandir):
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    for path, runs in ((folder, (dump, read_groups, predicted, verified)), (directory, (dump, read_groups))):
        for run in runs:
            listed.clear()
            run(path)
            assert listed.count(path) == 1, (run, listed)
