"""Real brokers, live: started on freshly damaged partitions, and held against what was predicted."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from kafkalog.recovery.predict import next_starts
from tests.kafka.real_broker import Broker
from tests.recovery.broker_starts import INDEX_INTERVAL, OTHER_INDEX_INTERVAL
from tests.recovery.test_robustness import HEALTHY, damaged

pytestmark = pytest.mark.kafka

SEED = int(os.environ.get("KAFKALOG_SEED", "20190214"))
PARTITIONS = 12
#: Larger than any file that damage may put in the place of an index: a broker cannot shrink an index below its entries.
INDEX_BYTES = 65536
#: What the election and the controller write.
NOT_COMPARED = ("leader-epoch-checkpoint", "leader-epoch-checkpoint.tmp", "partition.metadata")


@pytest.fixture(scope="module", params=["3.9.1", "4.1.1"])
def formatted(request, tmp_path_factory):
    """A broker that knows a topic for each base, stopped cleanly."""
    broker = Broker(request.param, tmp_path_factory.mktemp("broker") / "b")
    assert broker.start()
    for base in HEALTHY:
        interval = INDEX_INTERVAL.get(base, OTHER_INDEX_INTERVAL)
        broker.create_topic(base, PARTITIONS, index_interval_bytes=interval, segment_index_bytes=INDEX_BYTES)
    broker.stop(signal.SIGTERM)
    yield broker
    broker.stop(signal.SIGKILL)


def plant(broker: Broker, rng: random.Random, *, clean: bool) -> list:
    """Put a damaged copy into every partition that does not stop the broker; returns the predictions."""
    for name in ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint"):
        (broker.log_dir / name).write_text("0\n0\n")
    marker = broker.log_dir / ".kafka_cleanshutdown"
    marker.write_text('{"version":0,"brokerEpoch":1}') if clean else marker.unlink(missing_ok=True)
    for base, files in HEALTHY.items():
        for number in range(PARTITIONS):
            folder = broker.log_dir / f"{base}-{number}"
            metadata = (folder / "partition.metadata").read_bytes()
            while True:
                shutil.rmtree(folder)
                folder.mkdir()
                touched = damaged({name: data for name, data in files.items() if name != "partition.metadata"}, rng.random())
                for name, data in {**touched, "partition.metadata": metadata}.items():
                    (folder / name).write_bytes(data)
                outcome = next(_predict(folder, broker.release, clean=clean))
                if (outcome.broker, outcome.log_dir, outcome.partition) == ("starts", "online", "loaded"):
                    break
    return list(next_starts([broker.log_dir], kafka_version=broker.release, consumer=False))


def _predict(folder: Path, release: str, *, clean: bool):
    return next_starts([folder], assume_stop="clean" if clean else "unclean", kafka_version=release, consumer=False)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name not in NOT_COMPARED}


def predicted_files(before: dict[str, bytes], outcome) -> dict[str, bytes | None]:
    """What the prediction leaves: name → content, None where the content is not compared."""
    name_of = lambda path: path.rpartition("/")[2]  # noqa: E731
    names = {name_of(old): name_of(new) for old, new in outcome.rename}
    gone = {name_of(path) for path in outcome.delete}
    cut = {name_of(one.path): one.position for one in outcome.truncate}
    left = {names.get(name, name): data[: cut.get(name)] for name, data in before.items() if name not in gone}
    left.update({name_of(path): None for path in outcome.create if name_of(path) not in NOT_COMPARED})
    # One that waits for its deletion may have been cut before.
    return {name: data if name.endswith(".log") else None for name, data in left.items()}


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "unclean"])
def test_broker_does_to_damaged_partitions_what_was_predicted(formatted, clean):
    rng = random.Random(f"{SEED}{formatted.release}{clean}")
    predictions = plant(formatted, rng, clean=clean)
    assert len(predictions) == PARTITIONS * len(HEALTHY)
    before = {outcome.path: files_of(Path(outcome.path)) for outcome in predictions}
    assert formatted.start(), formatted.errors()
    loaded = formatted.loaded()
    formatted.stop(signal.SIGKILL)
    wrong = []
    for outcome in predictions:
        folder = Path(outcome.path)
        expected = predicted_files(before[outcome.path], outcome)
        real = files_of(folder)
        if loaded.get(folder.name) != (outcome.log_start_offset, outcome.log_end_offset):
            wrong.append((folder.name, loaded.get(folder.name), outcome.log_start_offset, outcome.log_end_offset))
        if sorted(real) != sorted(expected):
            wrong.append((folder.name, sorted(set(real) ^ set(expected)), outcome.reason))
        wrong += [(folder.name, name) for name, data in expected.items() if data is not None and real.get(name) != data]
    assert wrong == []
