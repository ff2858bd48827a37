"""Damaged partitions, given to the model and to a real broker with real consumers, and what they differ in."""

from __future__ import annotations

import shutil
import signal
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import parse_partition_name
from kafkalog.core.log import BytesSource
from kafkalog.kafka.file_names import parse_offset
from kafkalog.kafka.overlay import Disk
from kafkalog.next_start.partition import predict_partition
from tests.next_start.broker_starts import error_kind
from tests.real_kafka.loads import compare_files

if TYPE_CHECKING:
    from pathlib import Path

    from kafkalog.next_start.outcome import ConsumerRead, Outcome
    from tests.real_kafka.loads import Case
    from tests.real_kafka.real_broker import Broker, Read

__all__ = ["compare_read", "differences_of_broker", "is_served", "run_broker"]

#: Larger than any file that damage may put in the place of an index: a broker cannot shrink an index below its entries.
INDEX_BYTES = 1 << 20
METADATA = "partition.metadata"


class _Planted(NamedTuple):
    case: Case
    folder: Path
    outcome: Outcome
    disk: Disk


def predict(release: str, case: Case) -> tuple[Outcome, Disk]:
    """The prediction, and the directory as it leaves it; the topic's id is taken to be right."""
    harmed = case.harmed
    files = {name: BytesSource(data) for name, data in harmed.files.items() if name != METADATA}
    disk = Disk(files, frozenset(harmed.directories))
    return predict_partition("P", disk, case.situation(release, consumer=True)).outcome, disk


def is_served(release: str, case: Case) -> bool:
    """Whether a broker is predicted to load it; one that is not would stop it, or take the other partitions with it.

    So would a directory in the place of an index, when a consumer first comes to it.
    """
    if case.harmed.directories:
        return False
    outcome, _ = predict(release, case)
    return (outcome.broker, outcome.log_dir, outcome.partition) == ("starts", "online", "loaded")


class Started(NamedTuple):
    """What a broker made of a case: files, log start and end, and what consumers read, by isolation level."""

    case: Case
    name: str
    outcome: Outcome
    disk: Disk
    files: dict[str, bytes]
    loaded: tuple[int, int] | None
    reads: dict[str, Read]


def run_broker(broker: Broker, cases: list[Case], *, clean: bool) -> list[Started]:
    """Start a new broker on the cases, all of which are to be served, and have consumers read them."""
    assert broker.start(), broker.errors()
    planted = _plant(broker, cases, clean=clean)
    assert broker.start(), broker.errors()
    loaded = broker.loaded()
    after = {one.folder: _files(one.folder) for one in planted}
    partitions = []
    for one in planted:
        name = parse_partition_name(one.folder.name)
        assert name is not None
        partitions.append((name.topic, name.partition, sum(len(data) for data in one.case.harmed.files.values()) // 7))
    reads = broker.read(partitions)
    broker.stop(signal.SIGKILL)
    return [
        Started(
            one.case,
            one.folder.name,
            one.outcome,
            one.disk,
            after[one.folder],
            loaded.get(one.folder.name),
            {kind: read for (name, kind), read in reads.items() if name == one.folder.name},
        )
        for one in planted
    ]


def differences_of_broker(broker: Broker, cases: list[Case], *, clean: bool) -> dict[str, list[str]]:
    """Origin of a case → what the broker, or a consumer, did otherwise than predicted. All cases are to be served."""
    found = {}
    for one in run_broker(broker, cases, clean=clean):
        wrong: list[str] = []

        def compare(field: str, real: object, predicted: object, wrong: list[str] = wrong) -> None:
            if real != predicted:
                wrong.append(f"{field}: Kafka {real}, predicted {predicted}")

        _compare(one, compare)
        if wrong:
            found[f"{one.name} {one.case.origin} {one.case.harmed.said}"] = wrong
    return found


def _plant(broker: Broker, cases: list[Case], *, clean: bool) -> list[_Planted]:
    """Make topics, stop the broker, and put the cases into their partitions."""
    by_interval: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        by_interval[case.index_interval].append(case)
    kind = "clean" if clean else "unclean"
    broker.create_topics(
        (
            f"{kind}{interval}",
            len(group),
            {"index.interval.bytes": interval, "segment.index.bytes": INDEX_BYTES, "max.message.bytes": 10_000_000},
        )
        for interval, group in by_interval.items()
    )
    broker.stop(signal.SIGTERM)
    recovery_points, log_starts, high_watermarks, planted = [], [], [], []
    for interval, group in by_interval.items():
        for number, case in enumerate(group):
            topic = f"{kind}{interval}"
            folder = broker.log_dir / f"{topic}-{number}"
            harmed = case.harmed
            kept = [(folder / METADATA, (folder / METADATA).read_bytes())] if (folder / METADATA).exists() else []
            shutil.rmtree(folder)
            folder.mkdir()
            files = [(folder / name, data) for name, data in harmed.files.items() if name != METADATA]
            for path, data in (*files, *kept):
                path.write_bytes(data)
            for name in harmed.directories:
                (folder / name).mkdir()
            recovery_points.append(f"{topic} {number} {harmed.recovery_point}\n")
            if harmed.log_start:
                log_starts.append(f"{topic} {number} {harmed.log_start}\n")
            # Where it is below the log's end it must be found in the log, or the broker leads nothing that comes later.
            high_watermarks.append(f"{topic} {number} {(1 << 63) - 1}\n")
            planted.append(_Planted(case, folder, *predict(broker.release, case)))
    for name, lines in (("recovery-point", recovery_points), ("log-start", log_starts), ("replication", high_watermarks)):
        file = "replication-offset-checkpoint" if name == "replication" else f"{name}-offset-checkpoint"
        (broker.log_dir / file).write_text(f"0\n{len(lines)}\n" + "".join(lines))
    marker = broker.log_dir / ".kafka_cleanshutdown"
    marker.write_text('{"version":0,"brokerEpoch":-1}') if clean else marker.unlink(missing_ok=True)
    return planted


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.exists() else {}


def _compare(one: Started, compare) -> None:
    outcome = one.outcome
    compare("log start and end", one.loaded, (outcome.log_start_offset, outcome.log_end_offset))
    rebuilt = {parse_offset(path.rpartition("/")[2]) for path in outcome.rebuild or ()}
    compare_files(one.files, one.disk, rebuilt, compare)
    assert outcome.consumer is not None, outcome.why
    for isolation in ("uncommitted", "committed"):
        compare_read(f"read {isolation}", one.reads.get(isolation), getattr(outcome.consumer, isolation), compare)


def compare_read(field: str, real: Read | None, mine: ConsumerRead, compare) -> None:
    """What a consumer got, as it is and as it was predicted."""
    if real is None:
        compare(field, None, mine)
    elif real.error == "LOOP":
        compare(f"{field} in a circle", real=True, predicted=mine.stuck)
    else:
        # Behind the log's end the client may ask once more before it looks where it stands.
        asked_on = real.position >= real.end and "OffsetOutOfRange" in (real.error or "")
        theirs = (real.records, real.position, None if asked_on else error_kind(real.error), real.stuck)
        if theirs != tuple(mine[:4]):
            compare(field, f"{theirs} end {real.end} {real.error or ''}", tuple(mine[:4]))
