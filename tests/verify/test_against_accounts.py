"""Log ends, log starts, last stable offsets and hanging transactions, against what the live brokers and their tools said."""

from __future__ import annotations

import json
import pathlib

import pytest

from kafkalog.verify import verify
from tests.log_dirs import CORPUS, fixture_log_dirs

NOW = 1795500000000


def told(account):
    """Partition → (log start, log end or high watermark, last stable offset) as the broker told; None for what it did not."""
    truth = account.get("ground_truth") or {}
    if "offsets" in truth:
        for name, row in truth["offsets"].items():
            yield name, row.get("earliest"), row.get("latest"), row.get("lso")
    elif isinstance(truth.get("partitions"), dict):
        for name, row in truth["partitions"].items():
            yield name, row.get("log_start"), row.get("high_watermark"), row.get("last_stable_offset")


def is_clean(log_dir):
    """Whether the broker was stopped cleanly, so that all it told is on disk."""
    return (pathlib.Path(log_dir) / ".kafka_cleanshutdown").exists()


def compare(log_dir, account):
    """Compare a log dir with its account; gives how many partitions were compared."""
    report = verify(log_dir, now=NOW)
    by_name = {pathlib.Path(p.path).name: p for p in report.partitions}
    compared = 0
    for name, start, end, stable in told(account):
        partition = by_name.get(name)
        if partition is None or not isinstance(start, int) or not isinstance(end, int):
            continue
        assert partition.log_end_offset == end, (log_dir, name)
        tiered = any(f.id == "log-start-outside-first-segment" for f in partition.findings)  # what is local starts later
        assert partition.log_start_offset == start or tiered, (log_dir, name)
        pinned = [f.facts["pinned"] for f in partition.findings if f.id == "txn-open"]
        if isinstance(stable, int) and stable >= 0:
            assert min(pinned, default=end) == stable, (log_dir, name)
        compared += 1
    for name, producers in ((account.get("ground_truth") or {}).get("producers") or {}).items():
        partition = by_name.get(name)
        if partition is None or not isinstance(producers, list):
            continue
        told_open = {(p["producerId"], p["currentTransactionStartOffset"]) for p in producers}
        found_open = {(f.facts["producer_id"], f.facts["first"]) for f in partition.findings if f.id == "txn-open"}
        assert found_open == {(p, first) for p, first in told_open if first is not None}, (log_dir, name)
        compared += 1
    hanging = (account.get("ground_truth") or {}).get("hanging")
    if isinstance(hanging, dict):
        found = [f for f in report.all_findings() if f.id == "txn-hanging"]
        assert [(f.facts["producer_id"], f.facts["first"]) for f in found] == [(hanging["producerId"], hanging["firstOffset"])]
        compared += 1
    return compared


def test_the_fixtures_say_what_their_brokers_said():
    clean = [case for case in fixture_log_dirs() if case.where.is_dir() and is_clean(case.path())]
    assert sum(compare(case.path(), case.account()) for case in clean) > 5


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
def test_the_corpus_says_what_its_brokers_said():
    accounts = sorted(pathlib.Path(CORPUS).glob("*/*/*.json"))
    clean = [path for path in accounts if is_clean(path.with_suffix(""))]
    assert sum(compare(path.with_suffix(""), json.loads(path.read_text("utf-8"))) for path in clean) > 400
