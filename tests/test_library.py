"""The library as those who call it find it: help, signatures, and what it answers to wrong arguments."""

from __future__ import annotations

import inspect
import pathlib
import pydoc
import shutil
import subprocess
import sys

import pytest

import kafkalog
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.next_start import api
from kafkalog.verify import engine
from tests import typed_examples
from tests.log_dirs import FIXTURES, fixture

LOG_DIR = fixture("2.1.1", "plain").path()
PARTITION = f"{LOG_DIR}/twitter-status-0"
SEGMENT = f"{PARTITION}/{0:020}.log"


def test_functions_that_are_called_like_a_package_are_the_functions():
    assert kafkalog.verify is engine.verify
    assert kafkalog.next_start is api.next_start
    assert list(inspect.signature(kafkalog.verify).parameters)[:2] == ["path", "now"]
    shown = pydoc.render_doc(kafkalog.verify, renderer=pydoc.plaintext)
    assert "Check files, partition directories and log dirs." in shown
    assert "PACKAGE CONTENTS" not in shown


def test_they_stay_so_whatever_was_imported_before():
    code = (
        "import kafkalog.verify, kafkalog.next_start.api, kafkalog.cli.verify\n"
        "print(kafkalog.verify.__module__, kafkalog.next_start.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kafkalog.verify.engine", "kafkalog.next_start.api"]


def test_dir_shows_the_public_names_and_nothing_else():
    assert dir(kafkalog) == sorted(kafkalog.__all__)


def test_help_of_the_package_shows_its_functions():
    shown = pydoc.render_doc(kafkalog, renderer=pydoc.plaintext)
    for name in ("open_segment(path", "read_groups(paths", "class Partition"):
        assert name in shown, name


@pytest.mark.parametrize(
    ("function", "path", "says"),
    [
        ("open_partition", LOG_DIR, "is a log dir, no partition directory: kafkalog.open_log_dir opens it"),
        ("open_partition", SEGMENT, "is a file, no partition directory: kafkalog.open_segment opens it"),
        ("open_log_dir", PARTITION, "is a partition directory, no log dir: kafkalog.open_partition opens it"),
        ("open_log_dir", SEGMENT, "is a file, no log dir: kafkalog.open_segment opens it"),
        ("open_segment", PARTITION, "is a partition directory: kafkalog.open_partition opens it"),
        ("open_segment", LOG_DIR, "is a log dir: kafkalog.open_log_dir opens it"),
        ("open_segment", f"{LOG_DIR}/meta.properties", "its name tells no base offset"),
        ("next_start", LOG_DIR, "is a log dir, no partition directory: kafkalog.next_starts takes it"),
    ],
)
def test_what_a_function_does_not_take_is_told_with_the_one_that_does(function, path, says):
    with pytest.raises(RequestError) as raised:
        getattr(kafkalog, function)(path)
    assert says in str(raised.value)


TAKERS_OF_ONE = ("open_partition", "open_log_dir", "open_segment", "next_start")
TAKERS_OF_SEVERAL = ("next_starts", "verify", "read_groups", "read_metadata", "read_transactions")


@pytest.mark.parametrize("wrong", [None, 7, b"x", [b"x"], [None], 1.5])
@pytest.mark.parametrize("function", [*TAKERS_OF_ONE, *TAKERS_OF_SEVERAL])
def test_what_is_no_path_is_refused_in_one_sentence(function, wrong):
    with pytest.raises(RequestError, match=r"path.*, not (None|int|bytes|list|float)"):
        getattr(kafkalog, function)(wrong)


def test_the_examples_of_the_docs_pass_two_type_checkers_as_a_users_code():
    for checker, done in typed_examples.checked().items():
        assert done.returncode == 0, f"{checker}: {done.stdout}"


@pytest.mark.parametrize("given", [PARTITION, pathlib.Path(PARTITION)])
def test_one_path_or_several_are_taken_by_every_function_that_takes_several(given):
    for function in (kafkalog.verify, kafkalog.next_starts, kafkalog.read_transactions):
        one, several = function(given), function([given])
        if function is kafkalog.next_starts:
            assert [item.partition for item in one] == [item.partition for item in several]
        else:
            assert repr(one) == repr(several)


@pytest.mark.parametrize(
    ("function", "argument", "value", "says"),
    [
        ("verify", "now", "2024-05-01", "now is int or None, not str"),
        ("verify", "jobs", "2", "jobs is int or None, not str"),
        ("verify", "jobs", True, "jobs is int or None, not bool"),
        ("verify", "max_message_bytes", 1.5, "max_message_bytes is int or None, not float"),
        ("verify", "policy", "strict", "policy is Policy or None, not str"),
        ("verify", "topics", [b"x"], "each of topics is str, not bytes"),
        ("verify", "recovery_point", "1", "recovery_point is int or None, not str"),
        ("verify", "kafka_version", 2.8, "a Kafka release is a text like '3.9.1', not 2.8"),
        ("next_start", "consumer", "yes", "consumer is bool or None, not str"),
        ("next_starts", "assume_stop", 1, "1 is no kind of stop"),
        ("read_groups", "until", 7, "until is Until, not int"),
        ("read_transactions", "until", None, "until is Until, not None"),
        ("read_metadata", "until", "now", "until is Until, not str"),
        ("open_segment", "base_offset", "0", "base_offset is int or None, not str"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_it_should_be(function, argument, value, says):
    with pytest.raises(RequestError) as raised:
        getattr(kafkalog, function)(PARTITION, **{argument: value})
    assert says in str(raised.value)


def test_a_segment_is_opened_by_any_of_its_files():
    for suffix in (".log", ".index", ".timeindex"):
        segment = kafkalog.open_segment(f"{PARTITION}/{74:020}{suffix}")
        assert (segment.base_offset, segment.paths) == (74, kafkalog.open_partition(PARTITION).segments[1].paths)
    whole = kafkalog.open_partition(PARTITION).segments[0]
    assert list(kafkalog.open_segment(SEGMENT).records()) == list(whole.records())


def test_a_segment_of_another_name_is_opened_with_its_base_offset(tmp_path):
    carved = tmp_path / "carved.bin"
    carved.write_bytes(pathlib.Path(SEGMENT).read_bytes())
    with pytest.raises(RequestError, match="its name tells no base offset"):
        kafkalog.open_segment(carved)
    segment = kafkalog.open_segment(carved, 0)
    assert (segment.paths, sum(1 for _ in segment.records())) == ({".log": str(carved)}, 74)


def test_segments_that_are_set_aside_and_snapshots_of_kraft_are_opened_too(tmp_path):
    for suffix in (".log", ".index"):
        shutil.copy(f"{PARTITION}/{74:020}{suffix}", tmp_path / f"{74:020}{suffix}.deleted")
    segment = kafkalog.open_segment(tmp_path / f"{74:020}.log.deleted")
    assert set(segment.paths) == {".log", ".index"}
    assert next(segment.batches()).base_offset == 74
    (snapshot, *_) = sorted((FIXTURES / "broker/4.3.1/meta-n1/__cluster_metadata-0").glob("*.checkpoint"))
    assert sum(1 for _ in kafkalog.open_segment(snapshot).records()) > 0


def test_a_segment_that_is_not_there_is_an_unreadable_file(tmp_path):
    with pytest.raises(UnreadableFile, match="no such file"):
        kafkalog.open_segment(tmp_path / f"{0:020}.log")
