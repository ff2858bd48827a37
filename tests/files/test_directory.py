"""A directory that was listed stays as it was listed, for all who are handed it, in other processes too."""

from __future__ import annotations

import os
import pickle

import pytest

from kafkalog.errors import UnreadableFile
from kafkalog.files import directory as module
from kafkalog.files.directory import Directory, Entry, Room


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "sub").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    return tmp_path


def kinds(listed):
    return [(entry.name, entry.is_directory, entry.is_regular, entry.size is not None) for entry in listed.entries]


def test_each_entry_says_what_it_is(folder):
    listed = Directory(f"{folder}/")
    assert listed.path == str(folder)
    assert kinds(listed) == [("a", False, True, True), ("nowhere", False, False, False), ("sub", True, False, True)]
    assert (listed.size_of("a"), listed.size_of("nowhere"), listed.size_of("b")) == (3, None, None)
    assert "sub" in listed
    assert "b" not in listed


def test_states_are_those_of_the_system(folder):
    os.utime(folder / "a", ns=(-5_000_000_001, -5_000_000_001))
    status = os.stat(folder / "a")
    assert Directory(str(folder)).states["a"] == (status.st_dev, status.st_ino, 3, -5_000_000_001)


def test_numbers_of_64_bits_are_kept(monkeypatch):
    state = ((1 << 64) - 1, (1 << 63) + 7, (1 << 63) - 1, -1)
    monkeypatch.setattr(module, "list_directory", lambda _: [Entry("a", is_directory=False, is_regular=True, state=state)])
    assert Directory("d").states == {"a": state}


def test_a_file_is_read_once_and_a_failure_is_remembered(folder):
    listed = Directory(str(folder))
    assert listed.read("a") == b"one"
    with pytest.raises(UnreadableFile) as missing:
        listed.read("late")
    assert missing.value.is_missing
    (folder / "a").write_bytes(b"another")
    (folder / "late").write_bytes(b"came")
    assert listed.read("a") == b"one"
    with pytest.raises(UnreadableFile, match="no such file or directory"):
        listed.read("late")
    assert listed.has_changed()
    assert listed.again().read("a") == b"another"


def test_what_was_read_goes_along_to_another_process(folder):
    listed = Directory(str(folder), Directory(str(folder)))
    listed.read("a")
    (folder / "a").write_bytes(b"another")
    there = pickle.loads(pickle.dumps(listed))
    assert (there.read("a"), there.entries, there.parent) == (b"one", listed.entries, None)


def test_files_are_kept_as_long_as_there_is_room_for_them(folder):
    (folder / "b").write_bytes(b"two")
    parent = Directory(str(folder))
    parent.room = Room(5)
    listed = Directory(str(folder), parent)
    assert (listed.read("a"), listed.read("b")) == (b"one", b"two")
    for name in "ab":
        (folder / name).write_bytes(b"new")
    assert (listed.read("a"), listed.read("b")) == (b"one", b"new")


def test_a_directory_that_is_gone_has_changed(tmp_path):
    (tmp_path / "d").mkdir()
    listed = Directory(str(tmp_path / "d"))
    assert not listed.has_changed()
    (tmp_path / "d").rmdir()
    assert listed.has_changed()
    with pytest.raises(UnreadableFile, match="no such file or directory"):
        listed.again()
