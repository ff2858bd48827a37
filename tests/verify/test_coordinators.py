"""What verify asks of coordinators' topics costs one replay of each of their partitions, and none of any other log."""

from __future__ import annotations

import os

from kafkalog.verify import verify
from tests.log_dirs import fixture

NOW = 1795500000000


def open_transactions(report):
    return [f for partition in report.partitions for f in partition.findings if f.id in ("txn-open", "txn-hanging")]


def test_open_transactions_are_judged_without_another_look_at_their_logs(replayed):
    log_dir = fixture("2.1.1", "txn").path()
    found = open_transactions(verify(log_dir, now=NOW, next_start=False))
    assert found
    partitions = {os.path.basename(os.path.dirname(f.path)) for f in found}
    states = [name for name in os.listdir(log_dir) if name.startswith("__transaction_state-")]
    assert not partitions & replayed.keys()
    assert {name: replayed[name] for name in states} == dict.fromkeys(states, 1)


def test_a_quick_check_replays_coordinators_only_for_transactions_that_are_open(replayed):
    verify(fixture("2.8.2", "groups").path(), now=NOW, next_start=False, quick=True)
    assert not any(name.startswith("__transaction_state") for name in replayed)
    log_dir = fixture("2.1.1", "txn").path()
    verify(log_dir, now=NOW, next_start=False, quick=True)
    assert {count for name, count in replayed.items() if name.startswith("__transaction_state")} == {1}
