"""Log dirs of killed brokers, and the same directories after a broker had recovered them."""

from __future__ import annotations

import os

import pytest

from kafkalog.next_start.api import next_starts
from tests.log_dirs import LogDirCase, corpus_log_dirs, fixture_log_dirs

#: Releases older than those that are modelled, and the one that stands in for them.
STAND_IN = {"0.10.2.2": "0.11.0.3"}
#: Topics that the log cleaner went on with after the start: only where they end is compared.
COMPACTED = ("users-0", "cleaning-0", "compacting-0")


def pairs(cases) -> list[tuple[LogDirCase, LogDirCase]]:
    by_id = {case.id: case for case in cases}
    return [(case, by_id[f"{case.id}-recovered"]) for case in cases if f"{case.id}-recovered" in by_id]


def logs(path: str) -> dict[str, bytes]:
    found = {}
    for name in os.listdir(path):
        if name.endswith(".log"):
            with open(os.path.join(path, name), "rb") as file:
                found[name] = file.read().rstrip(b"\0")
    return found


def predicted_logs(outcome) -> dict[str, bytes]:
    """The `.log` files that the prediction leaves, without zeros at their end."""
    names = {path.rpartition("/")[2]: now.rpartition("/")[2] for path, now in outcome.rename}
    gone = {path.rpartition("/")[2] for path in outcome.delete}
    cut = {one.path.rpartition("/")[2]: one.position for one in outcome.truncate}
    found = {path.rpartition("/")[2]: b"" for path in outcome.create if path.endswith(".log")}
    for name in os.listdir(outcome.path):
        now = names.get(name, name)
        if name not in gone and now.endswith(".log"):
            with open(os.path.join(outcome.path, name), "rb") as file:
                found[now] = file.read()[: cut.get(name)].rstrip(b"\0")
    return found


def ends(account) -> dict[str, tuple[int | None, int | None]]:
    """Log start and log end of each partition, as the live broker told them."""
    truth = account["ground_truth"]
    rows = truth.get("offsets") or truth.get("partitions")
    return {
        name: (row.get("log_start", row.get("earliest")), row.get("latest", row.get("high_watermark")))
        for name, row in rows.items()
    }


def compare(before: LogDirCase, after: LogDirCase) -> int:
    told = ends(after.account())
    compared = 0
    release = STAND_IN.get(before.release, before.release)
    for outcome in next_starts([before.path()], kafka_version=release, consumer=False):
        name = outcome.path.rpartition("/")[2]
        if name.startswith("__"):
            continue
        assert (outcome.broker, outcome.log_dir) == ("starts", "online"), outcome.reason
        if outcome.partition == "deleted":
            continue
        assert outcome.partition == "loaded", outcome.reason
        assert (outcome.log_start_offset, outcome.log_end_offset) == told[name], (before.id, name)
        if name not in COMPACTED:
            real, mine = logs(os.path.join(after.path(), name)), predicted_logs(outcome)
            assert sorted(real) == sorted(mine), (before.id, name)
            for log, data in mine.items():
                assert real[log].startswith(data), (before.id, name, log)
        compared += 1
    return compared


@pytest.mark.parametrize(("before", "after"), pairs(fixture_log_dirs()), ids=lambda case: case.id)
def test_recovered_fixture_is_what_was_predicted_of_the_killed_one(before, after):
    assert compare(before, after) > 0


def test_every_recovered_log_dir_of_the_corpus_is_what_was_predicted_of_the_killed_one():
    found = pairs(corpus_log_dirs())
    assert len(found) > 15
    assert sum(compare(before, after) for before, after in found) > 80


def harmless(case: LogDirCase) -> None:
    release = STAND_IN.get(case.release, case.release)
    outcomes = list(next_starts([case.path()], kafka_version=release, consumer=True))
    assert outcomes, case.id
    for outcome in outcomes:
        assert outcome.severity != "error", (case.id, outcome.path, outcome.reason)
        assert outcome.records_lost == 0, (case.id, outcome.path)
        if outcome.is_unknown:
            assert outcome.path.endswith("-future")


@pytest.mark.parametrize("case", fixture_log_dirs(), ids=lambda case: case.id)
def test_no_start_harms_a_healthy_log_dir(case):
    if not case.account().get("healthy", True):
        pytest.skip("not healthy")
    harmless(case)


def test_no_start_harms_a_healthy_log_dir_of_the_corpus():
    for case in corpus_log_dirs():
        if case.account_stem.with_name(case.account_stem.name + ".json").exists() and case.account().get("healthy"):
            harmless(case)
