"""Incidents as they happen to a log dir: verdict, exit status, the partition, and how many offsets are gone or unreadable."""

from __future__ import annotations

import os
import pathlib
import shutil
import struct
from typing import NamedTuple

import pytest

from kafkalog.verify import Severity, verify
from tests.log_dirs import fixture

NOW = 1795500000000
ZERO = f"{0:020d}"


class Answer(NamedTuple):
    """What must be said of an incident; ranges are first and last offset."""

    verdict: str
    partition: str = ""
    gone: tuple[tuple[int, int], ...] = ()
    unreadable: tuple[tuple[int, int], ...] = ()


INCIDENTS = {}


def incident(name, workload="basic"):
    def add(damage):
        INCIDENTS[name] = workload, damage
        return damage

    return add


def bases(partition):
    return sorted(int(path.stem) for path in partition.glob("*.log"))


def change(path, edit):
    data = bytearray(path.read_bytes())
    path.write_bytes(edit(data) or data)


def batches(data):
    """Position, size, first and last offset of each batch."""
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        (delta,) = struct.unpack_from(">i", data, at + 23)
        yield at, 12 + length, base, base + delta
        at += 12 + length


def remove(partition, stem, suffix=""):
    for path in partition.glob(f"{stem}*{suffix}"):
        path.unlink()


def offsets_between(path, begin, end):
    """First and last offset of the batches that have a byte in a range."""
    hit = [(first, last) for at, size, first, last in batches(path.read_bytes()) if at < end and begin < at + size]
    return hit[0][0], hit[-1][1]


@incident("bit-flip")
def _(d):
    log = d / "orders-0" / f"{ZERO}.log"
    middle = log.stat().st_size // 2
    lost = offsets_between(log, middle, middle + 1)
    change(log, lambda data: data.__setitem__(middle, data[middle] ^ 4))
    return Answer("data-loss", "orders-0", unreadable=(lost,))


@incident("closed-segment-cut")
def _(d):
    partition = d / "dense-0"
    _, second, third, *_ = bases(partition)
    log = partition / f"{second:020d}.log"
    at, _, first, _ = list(batches(log.read_bytes()))[-2]
    change(log, lambda data: data[: at + 40])
    return Answer("data-loss", "dense-0", gone=((first, third - 1),))


@incident("page-of-zeros")
def _(d):
    log = d / "orders-0" / f"{ZERO}.log"
    lost = offsets_between(log, 4096, 8192)
    change(log, lambda data: data.__setitem__(slice(4096, 8192), bytes(4096)))
    return Answer("data-loss", "orders-0", unreadable=(lost,))


@incident("indexes-gone")
def _(d):
    remove(d / "orders-0", "", ".index")
    return Answer("damaged", "orders-0")


@incident("first-segment-gone")
def _(d):
    first, second, *_ = bases(d / "dense-0")
    remove(d / "dense-0", f"{first:020d}")
    return Answer("data-loss", "dense-0", gone=((first, second - 1),))


@incident("middle-segment-gone")
def _(d):
    _, second, third, *_ = bases(d / "dense-0")
    remove(d / "dense-0", f"{second:020d}")
    return Answer("data-loss", "dense-0", gone=((second, third - 1),))


def end_of(partition):
    return max(int(path.stem) for path in partition.glob("*.snapshot"))


@incident("last-segment-gone")
def _(d):
    last, end = bases(d / "dense-0")[-1], end_of(d / "dense-0")
    remove(d / "dense-0", f"{last:020d}")
    return Answer("data-loss", "dense-0", gone=((last, end - 1),))


@incident("partition-emptied")
def _(d):
    end = end_of(d / "dense-0")
    remove(d / "dense-0", "0")
    return Answer("data-loss", "dense-0", gone=((0, end - 1),))


@incident("last-log-emptied")
def _(d):
    last, end = bases(d / "dense-0")[-1], end_of(d / "dense-0")
    (d / "dense-0" / f"{last:020d}.log").write_bytes(b"")
    return Answer("data-loss", "dense-0", gone=((last, end - 1),))


@incident("first-segment-gone-after-deleted-records")
def _(d):
    """The recorded log start tells what should be there."""
    partition = d / "delrec-1"
    first, second, *_ = bases(partition)
    lines = (d / "log-start-offset-checkpoint").read_text().splitlines()[2:]
    start = next(int(line.split()[2]) for line in lines if line.startswith("delrec 1 "))
    remove(partition, f"{first:020d}")
    return Answer("data-loss", "delrec-1", gone=((start, second - 1),))


@incident("partition-gone")
def _(d):
    shutil.rmtree(d / "dense-0")
    return Answer("data-loss")


@incident("renamed")
def _(d):
    (d / "orders-0").rename(d / "payments-0")
    return Answer("damaged", "payments-0")


@incident("renamed-to-another-number")
def _(d):
    (d / "dense-0").rename(d / "thick-7")
    return Answer("damaged", "thick-7")


@incident("log-of-another-partition")
def _(d):
    shutil.copyfile(d / "orders-1" / f"{ZERO}.log", d / "orders-0" / f"{ZERO}.log")
    return Answer("data-loss", "orders-0", gone=((0, bases(d / "orders-0")[1] - 1),))


@incident("epoch-file-emptied")
def _(d):
    (d / "orders-0/leader-epoch-checkpoint").write_bytes(b"")
    return Answer("damaged", "orders-0")


@incident("snapshots-gone")
def _(d):
    remove(d / "idem-0", "", ".snapshot")
    return Answer("damaged", "idem-0")


@incident("meta-properties-gone")
def _(d):
    (d / "meta.properties").unlink()
    return Answer("damaged")


@incident("metadata-bit-flip")
def _(d):
    log = max((d / "__cluster_metadata-0").glob("*.log"))
    every = list(batches(log.read_bytes()))
    at, size, first, last = every[len(every) // 2]
    change(log, lambda data: data.__setitem__(at + size - 3, data[at + size - 3] ^ 4))
    return Answer("data-loss", "__cluster_metadata-0", unreadable=((first, last),))


@incident("checkpoints-emptied")
def _(d):
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        (d / name).write_bytes(b"")
    return Answer("damaged")


@incident("length-too-long")
def _(d):
    log = d / "orders-0" / f"{ZERO}.log"
    at, size, first, last = list(batches(log.read_bytes()))[7]
    change(log, lambda data: struct.pack_into(">i", data, at + 8, size - 12 + 900000))
    return Answer("data-loss", "orders-0", unreadable=((first, last),))


@incident("hostile-name")
def _(d):
    shutil.copytree(d / "empty-0", d / "em\x1b[31mpty-7")
    return Answer("damaged", "em\x1b[31mpty-7")


@incident("hanging-transaction", "txn")
def _(_):
    return Answer("damaged", "txn-hang-0")


@incident("killed", "crash")
def _(_):
    return Answer("benign")


@incident("healthy")
def _(_):
    return Answer("benign")


#: Workload → a release whose log dir of it is in fixtures/.
RELEASES = {"basic": "4.1.1", "txn": "4.3.1", "crash": "4.3.1"}


@pytest.fixture
def copy(tmp_path):
    def make(workload):
        target = tmp_path / workload
        shutil.copytree(fixture(RELEASES[workload], workload).path(), target)
        return target

    return make


def test_the_fixtures_have_what_the_incidents_need():
    assert {workload for workload, _ in INCIDENTS.values()} == set(RELEASES)


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_told_with_its_verdict_its_partition_and_what_is_lost(name, copy):
    workload, damage = INCIDENTS[name]
    log_dir = pathlib.Path(copy(workload))
    answer = damage(log_dir)
    report = verify(log_dir, now=NOW, next_start=False)
    assert (report.verdict, report.worst > Severity.INFO) == (answer.verdict, answer.verdict != "benign")
    damaged = {os.path.basename(one.path): one.account for one in report.partitions if one.verdict in ("damaged", "data-loss")}
    assert set(damaged) == ({answer.partition} - {""})
    for account in damaged.values():
        assert (account.gone, account.unreadable) == (answer.gone, answer.unreadable)
