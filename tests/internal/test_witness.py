"""The controller as a witness: silent on healthy directories, and on each way to differ not."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.errors import FormatError
from kafkalog.files.log_dir import open_log_dir
from kafkalog.files.partition import Partition
from kafkalog.internal.metadata import read_metadata
from kafkalog.internal.witness import Told, disagreements, read_partition_state, told_by_metadata
from tests.internal.test_metadata import JUDGED
from tests.internal_topics import accounted
from tests.log_dirs import corpus_log_dirs, fixture

STATE = b'{"controller_epoch":3,"leader":1,"version":1,"leader_epoch":7,"isr":[1,2]}'


def differing(case):
    """What a log dir's own metadata says against its partitions."""
    image = read_metadata([case.path()]).image
    properties = open_log_dir(case.path()).meta_properties
    broker_id = int(properties.values["node.id"]) if properties else None
    for partition in open_log_dir(case.path()).partitions():
        name = partition.name
        if name and not name.mark and name.topic != "__cluster_metadata":
            told = told_by_metadata(image, name.topic, name.partition)
            yield from ((case.id, partition.path, item) for item in disagreements(told, partition, broker_id))


@pytest.mark.parametrize("case", JUDGED, ids=lambda case: case.id)
def test_a_healthy_log_dir_agrees_with_its_own_metadata(case):
    assert list(differing(case)) == []


def test_every_healthy_log_dir_of_the_corpus_agrees_with_its_own_metadata():
    cases = [case for case in accounted(corpus_log_dirs()) if case.account().get("healthy")]
    found = [item for case in cases if (case.where / "__cluster_metadata-0").is_dir() for item in differing(case)]
    assert found == []


def test_a_topic_made_anew_is_told(tmp_path):
    case = fixture("4.3.1", "meta-n1")
    image = read_metadata([case.path()]).image
    copy = tmp_path / "kept-0"
    shutil.copytree(f"{case.path()}/kept-0", copy)
    (copy / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA")
    (only,) = disagreements(told_by_metadata(image, "kept", 0), Partition(str(copy)))
    assert (only.what, only.found) == ("topic-id-differs", "AAAAAAAAAAAAAAAAAAAABA")


def test_an_epoch_that_the_controller_has_not_begun_is_told(tmp_path):
    directory = tmp_path / "t-0"
    directory.mkdir()
    (directory / "leader-epoch-checkpoint").write_text("0\n2\n3 0\n8 40\n")
    told = read_partition_state(STATE)
    assert told == Told(1, 7, (1, 2))
    (only,) = disagreements(told, Partition(str(directory)))
    assert (only.what, only.told, only.found) == ("leader-epoch-ahead", 7, 8)
    assert disagreements(told._replace(leader_epoch=8), Partition(str(directory))) == []


def test_a_stray_and_a_broker_that_is_no_replica_are_told(tmp_path):
    (tmp_path / "t-0").mkdir()
    partition = Partition(str(tmp_path / "t-0"))
    assert [item.what for item in disagreements(Told(topic_gone=True), partition)] == ["topic-gone"]
    assert [item.what for item in disagreements(Told(replicas=(1, 2)), partition, 3)] == ["not-a-replica"]
    assert disagreements(Told(replicas=(1, 2)), partition, 2) == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"3", b'{"leader":1}', STATE.replace(b"7", b'"7"'), STATE.replace(b"7", b"true"), b"\xff"]
)
def test_what_is_no_partition_state_is_refused(data):
    with pytest.raises(FormatError, match="no partition state"):
        read_partition_state(data)
