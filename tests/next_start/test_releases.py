"""The model against what real loaders and brokers of twelve releases did with damaged partitions, as recorded."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import lzma
from functools import cache
from typing import Any

import pytest

from kafkalog.core.log import BytesSource
from kafkalog.core.release import parse_release
from kafkalog.kafka.consumer import last_stable_offset
from kafkalog.kafka.failure import LogDirOffline
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import Situation, load_partition, predict_partition
from tests import encode
from tests.next_start.broker_starts import PACKED, error_kind, packed_starts

#: The election, and what runs in the background, write these.
NOT_COMPARED = ("leader-epoch-checkpoint", "leader-epoch-checkpoint.tmp", "partition.metadata")


@cache
def recorded() -> dict[str, list[dict[str, Any]]]:
    """Release → its lines."""
    found: dict[str, list[dict[str, Any]]] = {}
    with lzma.open(PACKED / "releases.jsonl.xz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            found.setdefault(row["release"], []).append(row)
    return found


@cache
def healthy(base: str) -> dict[str, bytes]:
    return next(start.files for start in packed_starts() if start.seen["kind"] == "none" and start.seen["base"] == base)


def files_of(row: dict[str, Any]) -> dict[str, bytes]:
    files = dict(healthy(row["base"]))
    for name, data in row["files"].items():
        if data is None:
            del files[name]
        else:
            files[name] = base64.b85decode(data)
    return files


def situation_of(row: dict[str, Any]) -> Situation:
    return Situation(
        clean=row["clean"],
        release=parse_release(row["release"]),
        recovery_point=row["recovery_point"],
        log_start=row["log_start"],
        kraft=False,
        index_interval_bytes=row["index_interval"],
        consumer="reads" in row,
    )


def differences(row: dict[str, Any]) -> list[str]:
    """The fields in which the model is not what was recorded."""
    with_id = "reads" not in row
    files = {name: BytesSource(data) for name, data in files_of(row).items() if name != "partition.metadata" or with_id}
    found: list[str] = []

    def compare(field: str, real: object, predicted: object) -> None:
        if real != predicted:
            found.append(f"{field}: Kafka {real}, predicted {predicted}")

    disk = Disk(files)
    if "reads" in row:
        outcome = predict_partition("P", disk, situation_of(row)).outcome
        compare("log", [row["start"], row["end"]], [outcome.log_start_offset, outcome.log_end_offset])
        assert outcome.consumer is not None
        for kind, (_, _, records, position, stuck, error) in row["reads"].items():
            mine = getattr(outcome.consumer, kind)
            if error == "LOOP":
                compare(f"read {kind} in a circle", real=True, predicted=mine.stuck)
            else:
                compare(f"read {kind}", (records, position, error_kind(error), stuck), tuple(mine[:4]))
    else:
        load = load_partition(disk, situation_of(row))
        effect = "ok" if load.failure is None else "offline" if isinstance(load.failure, LogDirOffline) else "abort"
        compare("effect", row["effect"], effect)
        if load.log is not None and row["effect"] == effect == "ok":
            compare("log", [row["start"], row["end"]], [load.log.log_start_offset, load.log.log_end_offset])
            if parse_release(row["release"]) >= (2, 4):
                compare("last stable offset", row["last_stable"], str(last_stable_offset(load.log)))
            assert load.epochs is not None
            compare("epochs", row["epochs"], [list(entry) for entry in load.epochs.entries])
    mine = {name: file for name, file in disk.files.items() if name not in NOT_COMPARED}
    real = {name: told for name, told in row["after"].items() if name not in NOT_COMPARED}
    compare("files", sorted(real), sorted(mine))
    for name in sorted(set(real) & set(mine)):
        if name.endswith((".log", ".log.deleted", ".txnindex")):
            data = mine[name].read()
            compare(f"content of {name}", real[name], [len(data), hashlib.sha256(data).hexdigest()[:16]])
    return found


@pytest.mark.parametrize("release", sorted(recorded(), key=parse_release))
def test_every_recorded_load_and_start_of_a_release_is_predicted(release):
    rows = recorded()[release]
    assert len(rows) >= 60
    assert {str(row["said"]): wrong for row in rows if (wrong := differences(row))} == {}


def test_a_recorded_difference_is_noticed():
    row = next(row for row in recorded()["4.3.1"] if "reads" in row and row["end"] and not differences(row))
    assert differences({**row, "end": row["end"] + 1})
    reads = {kind: [*told[:3], told[3] + 1, *told[4:]] for kind, told in row["reads"].items()}
    assert differences({**row, "reads": reads})


@pytest.mark.parametrize(
    ("release", "compressed", "expected"),
    [
        ((1, 1, 1), True, (0, 0, "corrupt-batch")),
        ((2, 6, 3), True, (0, 0, "corrupt-batch")),
        ((2, 7, 2), True, (1, 1, "invalid-record")),
        ((3, 9, 1), True, (1, 1, "invalid-record")),
        ((2, 6, 3), False, (1, 1, "invalid-record")),
    ],
)
def test_a_header_key_too_long_for_its_record_costs_an_old_consumer_of_compressed_batches_the_whole_fetch(
    release, compressed, expected
):
    body = bytes([0, 0, 0, 1, 1, 2]) + encode.varint(1000) + b"key"
    codec = {"attributes": 1, "compress": gzip.compress} if compressed else {}
    sound = encode.batch([encode.R(value=b"sound")], base_offset=0)
    bad = encode.batch(encode.varint(len(body)) + body, base_offset=1, count=1, last_offset_delta=0, **codec)
    files = {f"{0:020d}.log": BytesSource(sound + bad), f"{0:020d}.index": BytesSource(b"")}
    outcome = predict_partition("P", Disk(files), Situation(clean=True, release=release, kraft=False)).outcome
    assert tuple(outcome.consumer.uncommitted)[:3] == expected


@pytest.mark.parametrize(("cut", "expected"), [(0, (3, 3, None)), (5, (2, 3, None)), (90, (0, 0, "invalid-record"))])
def test_a_cut_last_message_in_a_wrapper_is_passed_over_in_silence(cut, expected):
    inside = b"".join(encode.message(number, b"k", b"value", magic=1) for number in range(3))
    wrapper = encode.message(2, None, gzip.compress(inside[: len(inside) - cut]), magic=1, attributes=1)
    files = {f"{0:020d}.log": BytesSource(wrapper), f"{0:020d}.index": BytesSource(b"")}
    outcome = predict_partition("P", Disk(files), Situation(clean=True, release=(2, 8, 2), kraft=False)).outcome
    assert tuple(outcome.consumer.uncommitted)[:3] == expected
