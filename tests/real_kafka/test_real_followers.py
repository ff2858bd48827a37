"""What a follower truncates, by Kafka's own LeaderEpochFileCache."""

from __future__ import annotations

import json

import pytest

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.follower import ReplicaLog, truncation
from tests.real_kafka.epoch_histories import RECORDED, RELEASES, history, real_truncations

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("release", RELEASES)
def test_in_random_histories_a_follower_asks_and_truncates_as_with_kafkas_cache(release):
    histories = [history(seed) for seed in range(2000)]
    found = real_truncations(release, histories)
    for row, expected in zip(json.loads(RECORDED.read_text()), found, strict=False):
        assert row[5:] == expected
    for (follower, end, leader, leader_end, _), expected in zip(histories, found, strict=True):
        logs = [
            ReplicaLog(LeaderEpochs([EpochEntry(*entry) for entry in entries]), 0, size)
            for entries, size in ((follower, end), (leader, leader_end))
        ]
        made = truncation(*logs, (4, 4, 0))
        assert [made.offset, [list(step) for step in made.steps]] == expected
