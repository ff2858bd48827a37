"""A missing `meta.properties`: what it held is told by what lies beside it, each value with its source."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.files.log_dir import LogDir
from kafkalog.next_start.api import next_starts
from kafkalog.next_start.evidence import BrokerEvidence
from kafkalog.next_start.meta_proposal import proposed_values
from kafkalog.verify import verify
from tests.log_dirs import fixture

CASES = [("3.9.1", "edge"), ("4.3.1", "meta-n1"), ("3.9.1", "cluster-final-n1"), ("3.3.2", "meta-n1")]


def without_meta(case, tmp_path):
    """A copy without the file, and what it held."""
    log_dir = shutil.copytree(fixture(*case).path(), tmp_path / "logs")
    values = dict(LogDir(str(log_dir)).meta_properties.values)
    (log_dir / "meta.properties").unlink()
    return log_dir, values


def proposed(log_dir):
    return {one.name: one for one in proposed_values(BrokerEvidence(LogDir(str(log_dir))))}


@pytest.mark.parametrize("case", CASES, ids="/".join)
def test_what_is_proposed_is_what_was_there(case, tmp_path):
    log_dir, held = without_meta(case, tmp_path)
    found = proposed(log_dir)
    assert {name: one.value for name, one in found.items() if one.value is not None}.items() <= held.items()
    assert found["version"].value == "1"
    assert found["cluster.id"].value is None


@pytest.mark.parametrize("case", CASES[:2], ids="/".join)
def test_the_only_broker_of_the_metadata_log_is_the_node_and_its_log_dir_this_one(case, tmp_path):
    log_dir, held = without_meta(case, tmp_path)
    found = proposed(log_dir)
    assert (found["node.id"].value, found["directory.id"].value) == (held["node.id"], held["directory.id"])
    assert found["node.id"].source == "the only broker that the metadata log registers"


def test_the_cluster_is_told_by_a_log_dir_beside_and_by_none_when_they_differ(tmp_path):
    log_dir, held = without_meta(CASES[0], tmp_path)
    other = tmp_path / "d2"
    other.mkdir()
    (other / "meta.properties").write_text(f"version=1\nnode.id=1\ncluster.id={held['cluster.id']}\n")
    told = proposed(log_dir)["cluster.id"]
    assert told.value == held["cluster.id"]
    assert told.source.startswith("d2/meta.properties")
    (tmp_path / "d3").mkdir()
    (tmp_path / "d3" / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=another\n")
    assert proposed(log_dir)["cluster.id"].value is None


def test_prediction_and_finding_propose_the_same(tmp_path):
    log_dir, held = without_meta(CASES[0], tmp_path)
    sentence = f"node.id={held['node.id']} (the only broker that the metadata log registers)"
    first = next(iter(next_starts([log_dir])))
    assert first.broker == "aborts"
    assert sentence in first.actions[-1]
    (finding,) = [one for one in verify(log_dir).findings if one.id == "meta-properties-missing"]
    assert sentence in finding.remedy
