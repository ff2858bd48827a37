"""What people give by mistake where data of Kafka are wanted, and what to give instead."""

from __future__ import annotations

import os
import re
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from kafkalog.core.filename import PENDING_SUFFIXES, SEGMENT_SUFFIXES, is_kafka_file, parse_remote_file_name
from kafkalog.core.printable import printable
from kafkalog.errors import UnreadableFile
from kafkalog.files.directory import list_directory
from kafkalog.files.source import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.files.directory import Entry

__all__ = ["check_file_name", "mistaken_directory", "mistaken_file"]

_DATA = "kafkalog reads the folders that log.dirs in server.properties names"
_ZOOKEEPER_FILE = re.compile(r"(log|snapshot)\.[0-9a-f]{1,16}(\.gz|\.snappy)?")
#: Files in which a broker tells what it does.
_APPLICATION_LOGS = frozenset(("server.log", "controller.log", "state-change.log", "kafkaServer.out", "kafkaServer-gc.log"))
#: Names of files with messages of a program, those that log4j has set aside too (`server.log.2024-05-01-12`).
_MESSAGES = re.compile(r"\.(log|out)([.-][\d-]+)?$")
_CONFIGURATIONS = ("server.properties", "broker.properties", "controller.properties")
_LOG_DIRS = re.compile(rb"^[ \t]*(?:log\.dirs?|metadata\.log\.dir)[ \t]*[=:][ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE)
#: Most bytes of a configuration that are looked at.
_MOST_BYTES = 1 << 20
_LOOKED_AT = 512
#: Names of files and folders in what others write, in their buckets and on their disks, and whose they are.
_CLOSED = (
    (re.compile(r"\d+-\d+(-\d+-\d+)?-v\d+\.(log|base_index)(\.\d+)?(\.index|\.tx)?", re.ASCII), "Redpanda"),
    (re.compile(r"(topic_|partition_)?manifest\.bin|topic_manifest\.json", re.ASCII), "Redpanda"),
    (
        re.compile(r"\d{20}_\d+_v\d+\.(segment|offset-index|timestamp-index|producer-state|transaction-index|epoch-state)"),
        "Confluent's tiered storage",
    ),
    (re.compile(r"\d{20}\.tierstate", re.ASCII), "Confluent's tiered storage"),
    (re.compile(r"_kafka_[A-Za-z0-9_-]{22}", re.ASCII), "AutoMQ"),
    (re.compile(r"warpstream(_.*)?|_warpstream.*", re.ASCII), "WarpStream"),
)
_MOST_FOLDERS = 50
_MOST = 200
_DEEPEST = 5
_ARCHIVES = (
    (b"7z\xbc\xaf\x27\x1c", 0),
    (b"Rar!\x1a\x07", 0),
    (b"\x04\x22\x4d\x18", 0),
)
_ZOOKEEPER_MAGICS = (b"ZKLG", b"ZKSN")
_TEXT = frozenset((*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, 0x1B, *range(0x80, 0x100)))


def check_file_name(path: str) -> None:
    """Refuse a file that no command can make anything of.

    Raises:
        UnreadableFile: it has neither a name of Kafka's nor the suffix of one, or its bytes are evidently another program's.
    """
    name = os.path.basename(path)
    remote = parse_remote_file_name(name)
    if remote is not None and remote.suffix not in SEGMENT_SUFFIXES:
        raise UnreadableFile(path, f"describes a segment in remote storage: give its log, {remote.stem}.log")
    if is_kafka_file(name):
        return
    mistaken = mistaken_file(path)
    if mistaken is not None:
        raise UnreadableFile(path, mistaken)
    for pending in (*PENDING_SUFFIXES, ".part"):
        name = name.removesuffix(pending)
    if not name.endswith((*SEGMENT_SUFFIXES, ".checkpoint")):
        raise UnreadableFile(path, "is no file of Kafka's, by its name; --as log (index, …) says what it is")


def mistaken_directory(path: str, entries: Sequence[Entry]) -> str | None:
    """What a directory is that holds nothing of Kafka, by its entries; None: nothing that is known.

    >>> from kafkalog.files.directory import list_directory
    >>> mistaken_directory("kafkalog", list_directory("kafkalog")) is None
    True
    """
    names = {entry.name for entry in entries}
    files = [entry.name for entry in entries if not entry.is_directory]
    if files and all(_ZOOKEEPER_FILE.fullmatch(name) or name in ("acceptedEpoch", "currentEpoch") for name in files):
        return f"is data of ZooKeeper, not of Kafka: {_DATA}"
    if "version-2" in names and ("myid" in names or len(names) == 1) and _is_of_zookeeper(path):
        return f"is the data directory of ZooKeeper, not of Kafka: {_DATA}"
    if {"bin", "libs", "config"} <= names:
        return f"is an installation of Kafka, not its data: {_said_by(path, 'config', 'config/kraft')}"
    if any(name in names for name in _CONFIGURATIONS):
        return f"is a folder of configurations, not of data: {_said_by(path, '')}"
    if (closed := _closed_format(path, entries)) is not None:
        return f"is storage of {closed}: that format is its own, and kafkalog does not read it; it reads Apache Kafka's logs"
    if _APPLICATION_LOGS & names:
        return f"holds the log messages of a broker, not its data: {_DATA}"
    return None


def _closed_format(path: str, entries: Sequence[Entry]) -> str | None:
    """Whose format is in a folder, or in the first ones below it, that Kafka has not; None: nobody's that is known."""
    waiting = deque([(path, tuple(entries), 0)])
    looked_at = 0
    while waiting and looked_at < _MOST_FOLDERS:
        at, listed, depth = waiting.popleft()
        looked_at += 1
        for entry in listed:
            whose = next((whose for pattern, whose in _CLOSED if pattern.fullmatch(entry.name)), None)
            if whose is not None:
                return whose
        for entry in listed[:_MOST_FOLDERS] if depth < _DEEPEST else ():
            if entry.is_directory:
                below = os.path.join(at, entry.name)
                with suppress(UnreadableFile):
                    waiting.append((below, tuple(list_directory(below, _MOST)), depth + 1))
    return None


def _is_of_zookeeper(path: str) -> bool:
    try:
        names = os.listdir(os.path.join(path, "version-2"))
    except OSError:
        return False
    return any(map(_ZOOKEEPER_FILE.fullmatch, names)) or not names


def mistaken_file(path: str) -> str | None:
    """What a file is whose name is none of Kafka's, by its first bytes; None: nothing that is known.

    Raises:
        UnreadableFile: it cannot be read.
    """
    with FileSource(path) as source:
        first = source.read(0, _LOOKED_AT)
    if any(first[at : at + len(magic)] == magic for magic, at in _ARCHIVES):
        return "is an archive of a kind that is not read, as tar (packed with gzip, bzip2, xz or zstd) and zip are: unpack it"
    if first.startswith(_ZOOKEEPER_MAGICS) or _ZOOKEEPER_FILE.fullmatch(os.path.basename(path)):
        return f"is a file of ZooKeeper, not of Kafka: {_DATA}"
    if not first or not _TEXT.issuperset(first):
        return None
    if os.path.basename(path) in _CONFIGURATIONS:
        return f"is a configuration, not data: {_said_by(os.path.dirname(path), '')}"
    if not _MESSAGES.search(os.path.basename(path)):
        return None
    return f"is text, as the log messages of a program are, not data of Kafka: {_DATA}"


def _said_by(path: str, *folders: str) -> str:
    """What the configurations in folders say about where the data are."""
    for folder in folders:
        for name in _CONFIGURATIONS:
            relative = os.path.join(folder, name)
            try:
                with FileSource(os.path.join(path, relative)) as source:
                    found = _LOG_DIRS.findall(source.read(0, _MOST_BYTES))
            except UnreadableFile:
                continue
            if found:
                return f"by {relative} these are in {printable(', '.join(one.decode('utf-8', 'replace') for one in found))}"
    return _DATA
