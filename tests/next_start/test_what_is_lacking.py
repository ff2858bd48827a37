"""What a log dir lacks as a whole stands in the headline: nobody is told that nothing is lost who cannot know it."""

import shutil

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.verify import verify
from tests.verify.lab import BROKER

NODE = BROKER / "3.9.1/cluster-final-n1"
METADATA = "__cluster_metadata-0"


@pytest.fixture
def node(tmp_path):
    return shutil.copytree(NODE, tmp_path / "d")


def told(command, path):
    result = CliRunner().invoke(main, [command, "-q", str(path)], standalone_mode=False)
    return result.return_value, " ".join(result.output.split())


def test_a_healthy_node_is_told_what_the_start_removes_and_no_more(node):
    status, words = told("next-start", node)
    assert status == 0
    assert "no harm" in words
    assert "the start removes no record" in words
    assert "nothing is lost" not in words


@pytest.mark.parametrize("command", ["next-start", "verify"])
def test_without_a_metadata_log_the_headline_has_the_condition(node, command):
    shutil.rmtree(node / METADATA)
    status, words = told(command, node)
    assert status == 0  # metadata.log.dir may be a log dir of its own
    assert "but no metadata log is in the log dirs looked at" in words.replace("but No", "but no")
    assert "nothing is lost" not in words
    assert "no harm" not in words


@pytest.mark.parametrize("command", ["next-start", "verify"])
def test_a_log_dir_that_holds_some_partitions_of_its_topics_may_be_one_of_several(node, command):
    shutil.rmtree(node / METADATA)
    shutil.rmtree(node / "__transaction_state-0")
    (node / ".kafka_cleanshutdown").unlink()
    status, words = told(command, node)
    assert status == 0
    assert "but no metadata log is in the log dirs looked at" in words


def test_a_metadata_log_that_ends_before_its_last_snapshot_has_lost_offsets(node):
    last = max((node / METADATA).glob("*.snapshot"))
    end = int(last.stem)
    last.rename(last.with_name(f"{end + 20:020d}.snapshot"))
    status, words = told("next-start", node)
    assert status == 1
    assert f"{METADATA}: offsets {end}..{end + 19} are already gone" in words
    assert "let it lead" not in words


def test_a_partition_that_was_taken_away_since_the_clean_stop_is_told_where_no_controller_is_at_hand(node):
    shutil.rmtree(node / METADATA)
    gone = next(path for path in sorted(node.glob("ledger-*")) if path.is_dir())
    shutil.rmtree(gone)
    status, words = told("next-start", node)
    assert status == 1
    assert f"{gone.name}: offsets 0.." in words
    assert "are already gone" in words
    assert any(finding.id == "checkpoint-line-unknown" for finding in verify(node).all_findings())


@pytest.mark.parametrize(("node", "is_alone"), [("4.3.1/edge", True), ("3.9.1/cluster-final-n1", False)], ids=["one", "three"])
def test_a_missing_directory_is_sought_from_other_replicas_only_where_the_controller_knows_any(node, is_alone, tmp_path):
    log_dir = shutil.copytree(BROKER / node, tmp_path / "d")
    shutil.rmtree(log_dir / ("e-txn-0" if is_alone else "ledger-0"))
    _, words = told("next-start", log_dir)
    assert ("the partition has no other replica" in words) is is_alone
    assert ("from another replica only" in words) is not is_alone
