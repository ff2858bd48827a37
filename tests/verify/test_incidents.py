"""Incidents as they happen to a log dir: verdict, exit status, the partition, and how many offsets are gone or unreadable."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import struct
import tomllib
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
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


#: The answers that were given for these incidents on the log dir of another release, by name.
ANSWERS = tomllib.loads((pathlib.Path(__file__).parent / "incidents.toml").read_text())
#: Directories that an incident changes; the others are copied once.
CHANGED = ("dense-0", "orders-0", "orders-1", "delrec-1", "idem-0", "empty-0", "__cluster_metadata-0")


def restored(source, target):
    """A whole copy of a log dir, again: only what an incident may have changed is copied once more."""
    if not target.exists():
        return shutil.copytree(source, target)
    for path in target.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name in CHANGED or not (source / path.name).exists():
            shutil.rmtree(path)
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, target)
        elif not (target / path.name).exists():
            shutil.copytree(path, target / path.name)
    return target


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    return tmp_path_factory.mktemp("incidents")


def told(log_dir):
    """Exit status, verdict and the lines of damaged partitions."""
    result = CliRunner().invoke(main, ["verify", "--now", str(NOW), "--format", "jsonl", str(log_dir)], standalone_mode=False)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    partitions = {os.path.basename(line["path"]): line for line in lines if line["type"] == "partition"}
    damaged = {name: line for name, line in partitions.items() if line["verdict"] in ("damaged", "data-loss")}
    return result.return_value, lines[-1]["verdict"], damaged


def ranges(line, name):
    return tuple(map(tuple, line[name]))


def test_the_fixtures_have_what_the_incidents_need():
    assert {workload for workload, _ in INCIDENTS.values()} == set(RELEASES)


def test_every_answer_is_of_an_incident():
    assert not ANSWERS.keys() - INCIDENTS.keys()


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_told_with_its_verdict_its_partition_and_what_is_lost(name, copies):
    workload, damage = INCIDENTS[name]
    log_dir = restored(pathlib.Path(fixture(RELEASES[workload], workload).path()), copies / workload)
    answer = damage(log_dir)
    status, verdict, damaged = told(log_dir)
    assert (status, verdict) == (int(answer.verdict != "benign"), answer.verdict)
    assert set(damaged) == ({answer.partition} - {""})
    for line in damaged.values():
        assert (ranges(line, "gone"), ranges(line, "unreadable")) == (answer.gone, answer.unreadable)
    given = ANSWERS.get(name, {"exit": status})
    assert (status, verdict) == (given["exit"], given.get("verdict", verdict))
    assert given.get("partition", "") in ("", *damaged)


@pytest.mark.skipif("KAFKALOG_CORPUS" not in os.environ, reason="KAFKALOG_CORPUS names no corpus")
@pytest.mark.parametrize("name", ANSWERS)
def test_the_answers_hold_to_the_offset_on_the_log_dirs_that_they_were_given_for(name, copies):
    workload, damage = INCIDENTS[name]
    source = pathlib.Path(os.environ["KAFKALOG_CORPUS"]) / "kraft/4.3.1" / workload
    log_dir = restored(source, copies / f"given-{workload}")
    damage(log_dir)
    status, verdict, damaged = told(log_dir)
    given = ANSWERS[name]
    assert (status, verdict) == (given["exit"], given.get("verdict", verdict))
    if "partition" in given:
        line = damaged[given["partition"]]
        for field, stated in (("gone", "lost"), ("unreadable", "unreadable")):
            assert ranges(line, field) == ((tuple(given[stated]),) if stated in given else ())
