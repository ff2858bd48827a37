"""Kafka's own loaders, live: called on freshly damaged partitions, and held against the model, release by release."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest

from tests.log_dirs import CORPUS, corpus_log_dirs, fixture_log_dirs
from tests.next_start.broker_starts import packed_starts
from tests.next_start.damage import harm
from tests.real_kafka.loads import Case, differences_of_release, interval_of

pytestmark = pytest.mark.kafka

RELEASES = (
    "0.11.0.3", "1.0.2", "1.1.1", "2.0.1", "2.1.1", "2.3.1", "2.7.2", "2.8.2", "3.0.2", "3.7.2", "3.9.1", "4.1.1", "4.3.1",
    "4.4.0",
)  # fmt: skip
SEED = os.environ.get("KAFKALOG_SEED", "20190214")
CASES = 400
#: Partitions larger than that take their time and show nothing more.
MOST_BYTES = 120_000
#: Preallocated indexes are cut to that, in bytes.
PREALLOCATED = 65536


@cache
def healthy_partitions() -> dict[str, tuple[str, dict[str, bytes]]]:
    """Origin → directory name and files: those of fixtures, of the recorded starts, and of the corpus where it is given."""
    found = {}
    for start in packed_starts():
        if start.seen["kind"] == "none":
            found[f"recorded/{start.seen['base']}"] = (f"{start.seen['base']}-0", start.files)
    for case in (*fixture_log_dirs(), *(corpus_log_dirs() if CORPUS else ())):
        for path in map(Path, case.partition_paths()):
            files = {
                one.name: one.read_bytes() for one in path.iterdir() if one.is_file() and one.stat().st_size < 20 * MOST_BYTES
            }
            size = sum(len(data) for name, data in files.items() if name.endswith(".log"))
            if 0 < size < MOST_BYTES and len(files) < 120:
                name = path.name if "." not in path.name else "x-0"
                found[f"{case.id}/{path.name}"] = (name, {one: _trimmed(one, data) for one, data in files.items()})
    return found


def _trimmed(name: str, data: bytes) -> bytes:
    """A preallocated index without most of its zeros."""
    return data[:PREALLOCATED] if name.endswith("index") and not data[PREALLOCATED:].strip(b"\0") else data


def damaged_cases(seed: str, count: int, *, clean: bool | None = None) -> list[Case]:
    """Freshly damaged partitions, the kinds of content equally likely."""
    rng = random.Random(seed)
    partitions = healthy_partitions()
    groups: dict[str, list[str]] = {}
    for origin in sorted(partitions):
        groups.setdefault(origin.rpartition("/")[0], []).append(origin)
    cases = []
    for _ in range(count):
        origin = rng.choice(groups[rng.choice(sorted(groups))])
        name, files = partitions[origin]
        again = rng.random()
        harmed = harm(files, random.Random(again), clean=clean)
        cases.append(Case(f"{origin} #{again}", name, harmed, interval_of(files)))
    return cases


@pytest.mark.parametrize("release", RELEASES)
def test_loader_does_to_damaged_partitions_what_the_model_does(release, tmp_path):
    cases = damaged_cases(f"{SEED} {release}", CASES)
    found = differences_of_release(release, cases, tmp_path)
    assert {case.origin: (case.harmed.said, wrong) for case, wrong in zip(cases, found, strict=True) if wrong} == {}
