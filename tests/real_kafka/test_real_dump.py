"""The real tool, live: on damage that nobody has seen before, and for the order of reports, which follows absolute paths."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.dump.golden import as_the_tool_tells, inside, run
from tests.log_dirs import fixture_log_dirs
from tests.real_kafka.real_tool import real_dump

pytestmark = pytest.mark.kafka

RELEASES = ("1.1.1", "2.2.2", "2.8.2", "3.9.1", "4.3.1", "4.4.0")
SEED = int(os.environ.get("KAFKALOG_SEED", "20190214"))


def _is_small(partition: Path) -> bool:
    sizes = {path.name: path.stat().st_size for path in partition.iterdir()}
    has_data = any(name.endswith(".log") and size > 100 for name, size in sizes.items())
    return has_data and sum(sizes.values()) < 60_000 and not partition.name.startswith("__")


@pytest.fixture(scope="module")
def partitions(tmp_path_factory) -> list[Path]:
    """Copies of small partitions of all kinds, in folders of their own."""
    rng = random.Random(SEED)
    root = tmp_path_factory.mktemp("live")
    found = []
    cases = [
        case for case in fixture_log_dirs() if case.workload in ("plain", "codec", "txn", "old", "compact", "edge", "idem")
    ]
    for case in rng.sample(cases, min(6, len(cases))):
        small = [path for path in map(Path, case.partition_paths()) if _is_small(path)]
        for path in rng.sample(small, min(3, len(small))):
            target = root / f"{case.release}-{case.workload}" / path.name
            shutil.copytree(path, target)
            found.append(target)
    assert len(found) > 5
    return found


def files_of(partition: Path, *suffixes: str) -> list[str]:
    return sorted(f"{partition.name}/{path.name}" for path in partition.iterdir() if path.suffix in suffixes)


def compare(release: str, arguments: list[str], directory: str) -> None:
    status, out, err = real_dump(release, arguments, directory)
    with inside(directory):
        ours = run(["--kafka-version", release, *arguments])
    if status == 0:
        told, rest, _ = as_the_tool_tells(ours[0], ours[2])
        assert (told, ours[1], rest) == (status, out, err)
    else:
        assert ours[0] == 1
        assert ours[1].startswith(out), (ours[1][: len(out) + 200][-400:], out[-400:], err[:300])
        assert "kafkalog: " in ours[2]


@pytest.mark.parametrize("release", RELEASES)
def test_healthy_partitions_read_alike_with_reports_in_the_same_order(release, partitions):
    for folder in {partition.parent for partition in partitions}:
        names = [
            name for partition in partitions if partition.parent == folder
            for name in files_of(partition, ".log", ".index", ".timeindex", ".txnindex", ".snapshot")
        ]  # fmt: skip
        compare(release, ["--files", ",".join(names), "--deep-iteration"], str(folder))


@pytest.mark.parametrize("release", RELEASES)
def test_the_order_of_many_reports_is_that_of_the_hash_map(release, partitions, tmp_path):
    """Forty logs that each have something to report; the maps grow twice on the way."""
    log = next(path for partition in partitions for path in sorted(partition.glob("*.log")) if path.stat().st_size > 200)
    data = log.read_bytes()
    names = []
    for number in range(40):
        folder = tmp_path / f"t{number * 7919 % 1000}-0"
        folder.mkdir()
        (folder / "00000000000000000003.log").write_bytes(data + data)
        names.append(f"{folder.name}/00000000000000000003.log")
    compare(release, ["--files", ",".join(names), "--deep-iteration"], str(tmp_path))


@pytest.mark.parametrize("release", RELEASES)
def test_fresh_damage_ends_both_alike(release, partitions, tmp_path):
    rng = random.Random(f"{SEED} {release}")
    for number in range(12):
        source = rng.choice(partitions)
        target = tmp_path / str(number) / source.name
        shutil.copytree(source, target)
        kinds = (".log", ".index", ".timeindex", ".snapshot")
        files = sorted(path for path in target.iterdir() if path.suffix in kinds and path.stat().st_size)
        hurt = rng.choice(files)
        data = bytearray(hurt.read_bytes())
        for _ in range(rng.choice((1, 1, 2, 5))):
            kind = rng.randrange(4)
            at = rng.randrange(len(data))
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at : at + 8] = rng.randbytes(8)
            elif kind == 2:
                del data[at : at + rng.randrange(1, 30)]
            else:
                data[at:at] = bytes(rng.randrange(1, 40))
            data = data or bytearray(b"\0")
        hurt.write_bytes(data)
        compare(release, ["--files", f"{target.name}/{hurt.name}", "--print-data-log"], str(target.parent))
