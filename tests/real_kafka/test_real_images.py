"""What random records add up to: the image here, and the snapshot that a release's own classes write of theirs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kafkalog.replay.image import diff_images
from kafkalog.replay.metadata import read_metadata
from tests import encode
from tests.real_kafka.real_tool import class_path
from tests.replay.test_groups import write_log

pytestmark = pytest.mark.kafka

RELEASES = ("3.9.1", "4.1.1", "4.3.1")
SOURCES = [str(Path(__file__).with_name(f"{name}.java")) for name in ("RandomMessages", "RandomImages")]


def replayed(folder, values):
    batches = [encode.batch([encode.R(value=value)], base_offset=at) for at, value in enumerate(values)]
    return read_metadata(write_log(folder, batches, "__cluster_metadata-0"))


@pytest.mark.parametrize("release", RELEASES)
def test_records_and_the_snapshot_that_kafka_makes_of_them_give_the_same_image(release, tmp_path):
    classes = tmp_path / "classes"
    subprocess.run(["javac", "-nowarn", "-d", str(classes), "-cp", class_path(release), *SOURCES], check=True)
    done = subprocess.run(
        ["java", "-Xmx500m", "-cp", f"{classes}:{class_path(release)}", "RandomImages", "20261127", "30", "250"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    images = done.stdout.split("end\n")[:-1]
    assert len(images) == 30
    for number, lines in enumerate(images):
        values = {"record": [], "snapshot": []}
        for line in lines.splitlines():
            kind, value = line.split()
            values[kind].append(bytes.fromhex(value))
        ours = replayed(tmp_path / f"{number}-log", values["record"])
        theirs = replayed(tmp_path / f"{number}-snapshot", values["snapshot"])
        assert theirs.notes == []
        # Since 4.0 no snapshot tells the state of the migration from ZooKeeper.
        ours.image.others.pop(("zk-migration", "state"), None)
        theirs.image.others.pop(("zk-migration", "state"), None)
        assert diff_images(ours.image, theirs.image) == [], number
