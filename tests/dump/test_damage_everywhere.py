"""`kafkalog dump` over every truncation point and every single-bit flip of small real files, as text and as JSON lines."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.core.test_damage_everywhere import first_batches, flips, read
from tests.dump.golden import run

#: Release, workload, file, batches taken, every how many bytes a bit of the text dump is flipped.
LOGS = [
    ("0.10.2.2", "old", "v1-compact-0/00000000000000000172.log", 1, 1),
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.log", 1, 1),
    ("2.1.1", "codec", "java-lz4-0/00000000000000000000.log", 1, 31),
    ("4.3.1", "edge", "e-idem-0/00000000000000000114.log", 2, 1),
    ("4.3.1", "edge", "e-txn-0/00000000000000000000.log", 2, 1),
]
OTHERS = [
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.index", 160),
    ("2.1.1", "plain", "twitter-status-0/00000000000000000000.timeindex", 160),
    ("2.1.1", "txn", "ledger-0/00000000000000000000.txnindex", 140),
    ("2.1.1", "txn", "ledger-0/00000000000000000064.snapshot", 150),
    ("2.8.2", "repl-b1", "orders-0/leader-epoch-checkpoint", 99),
    ("4.3.1", "edge", "e-idem-0/partition.metadata", 99),
    ("3.9.1", "edge", "./bootstrap.checkpoint", 249),
]
RELEASES = itertools.cycle(["0.11.0.3", "2.1.1", "2.8.2", "3.9.1", "4.3.1"])
ids = [row[2] for row in LOGS]


def variants(data, step):
    yield from (data[:cut] for cut in range(0, len(data), step))
    yield from (flipped for place, flipped in flips(data) if place % step == 0)


def check_text(path, *options):
    status, out, err = run([*options, str(path)])
    assert status in (0, 1)
    assert out.endswith(b"\n") or not out
    assert (status == 1) == ("kafkalog: " in err), (status, err)
    assert "internal error" not in err
    assert "Traceback" not in err
    return status, out, err


def check_json(path):
    status, out, err = run(["--format", "jsonl", "--print-data-log", str(path)])
    assert status in (0, 1)
    assert "internal error" not in err
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(("release", "workload", "name", "count", "step"), LOGS, ids=ids)
def test_text_of_a_damaged_log_has_an_end_and_a_reason(tmp_path, release, workload, name, count, step):
    data = first_batches(read(release, workload, name), count)
    path = tmp_path / name.rsplit("/", 1)[1]
    for variant in variants(data, step):
        path.write_bytes(variant)
        check_text(path, "--print-data-log", "--kafka-version", next(RELEASES))


@pytest.mark.parametrize(("release", "workload", "name", "count", "step"), LOGS, ids=ids)
def test_json_lines_of_a_damaged_log_account_for_every_byte(tmp_path, release, workload, name, count, step):
    data = first_batches(read(release, workload, name), count)
    path = tmp_path / name.rsplit("/", 1)[1]
    for variant in variants(data, step):
        path.write_bytes(variant)
        position = 0
        for line in check_json(path):
            if line["type"] == "batch":
                assert line["position"] == position
                position += line["size"]
            elif line["type"] == "damage" and line["position"] == position and line.get("end") is not None:
                position = line["end"]
        # Zeros up to the end are preallocated space, no line.
        assert not any(variant[position:])


@pytest.mark.parametrize(("release", "workload", "name", "size"), OTHERS, ids=[row[2] for row in OTHERS])
def test_other_damaged_files_are_printed_without_a_crash(tmp_path, release, workload, name, size):
    data = read(release, workload, name)[:size]
    folder = tmp_path / "topic-0"
    folder.mkdir()
    path = folder / name.rsplit("/", 1)[1]
    if path.suffix in (".index", ".timeindex"):
        path.with_suffix(".log").write_bytes(read(release, workload, name.rsplit(".", 1)[0] + ".log"))
    for variant in variants(data, 2):
        path.write_bytes(variant)
        check_text(path, "--kafka-version", next(RELEASES))
        check_json(path)
