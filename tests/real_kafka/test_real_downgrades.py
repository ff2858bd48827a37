"""Real brokers of one release on log dirs of another, live: whether they come up is what was predicted."""

from __future__ import annotations

import shutil
import signal

import pytest

from kafkalog.core.release import parse_release
from kafkalog.next_start.api import next_starts
from tests.real_kafka.real_broker import Broker

pytestmark = pytest.mark.kafka

#: The writer, and releases that are started on copies of its log dirs.
READERS = {"3.9.1": ("2.8.2", "3.7.2", "4.0.2"), "4.1.1": ("3.9.1", "4.4.0")}


@pytest.mark.parametrize("writer", READERS)
def test_a_release_comes_up_on_the_log_dirs_of_another_where_it_was_predicted_to(writer, tmp_path):
    made = Broker(writer, tmp_path / "w")
    try:
        assert made.start(), made.errors()
        made.create_topics([("a", 2, {"index.interval.bytes": 100})])
        made.stop(signal.SIGTERM)
    finally:
        made.end()
    for release in READERS[writer]:
        reader = Broker(release, tmp_path / release)
        try:
            for name in ("logs", "meta"):
                shutil.rmtree(reader.folder / name, ignore_errors=True)
                shutil.copytree(made.folder / name, reader.folder / name)
            paths = [reader.log_dir, *([reader.folder / "meta"] if parse_release(release) >= (3,) else [])]
            outcomes = list(next_starts(paths, kafka_version=release, consumer=False))
            predicted = {outcome.broker for outcome in outcomes}
            assert reader.start() == ("aborts" not in predicted), (release, predicted, reader.said()[-2000:])
        finally:
            reader.end()
