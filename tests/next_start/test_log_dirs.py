"""The model against what a real broker did with 91 log dirs whose checkpoints, names or properties were damaged."""

from __future__ import annotations

import base64
import json
import lzma
import pathlib
import re
import shutil
from functools import cache

import pytest

from kafkalog.core.release import NEWEST, release_text
from kafkalog.next_start.api import next_starts
from tests.log_dirs import fixture
from tests.next_start.broker_starts import PACKED, RECORDED, error_kind, members

#: What no look at the log dirs of one broker can tell in full, and why: there the prediction says so, and nothing wrong.
PARTIAL = {
    "level:meta-cluster-id": "two log dirs with different cluster ids are taken for those of two brokers",
    "level:meta-node-id": "two log dirs with different node ids are taken for those of two brokers",
    "level:partition-dir-is-file": "whether the partition shall be in this log dir is only known to the controller",
    "level:dir-future-without-current": "what becomes of a future replica is the controller's decision",
    "level:meta-no-directory-id": "which directory id the controller has placed the partitions by, only it knows",
    "level:partition-replaced-by-other": "which partitions are served beside it depends on the order of taking over",
}
#: Where nothing in the log dirs shows what is wrong. With the metadata log among them it is told: see the test of that.
UNSEEN = {"level:meta-directory-id-changed": "to everybody but the controller the new id of the log dir is as good as the old"}
#: What is said of a pair of log dirs that one broker cannot have.
OTHER_BROKER = "of another broker than this log dir; one that has both stops"
#: Directories whose partition the controller does not know: stray, which only it can tell while they name a topic id.
UNASSIGNED = ("level:dir-partition-beyond",)


@cache
def packed_log_dirs():
    with lzma.open(PACKED / "log-dirs.jsonl.xz", "rt") as lines:
        base = json.loads(next(lines))["base"]
        return base, [json.loads(line) for line in lines]


def lay_out(case, folder: pathlib.Path) -> list[str]:
    base, _ = packed_log_dirs()
    files = {name: data for name, data in {**base, **case["diff"]}.items() if data is not False}
    for name, data in sorted(files.items()):
        path = folder / name
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(data))
    return [str(folder / name) for name in ("d1", "d2")]


@pytest.mark.parametrize("case", packed_log_dirs()[1], ids=lambda case: case["id"].removeprefix("level:"))
def test_damaged_log_dir_is_predicted(case, tmp_path):
    outcomes = list(next_starts(lay_out(case, tmp_path), kafka_version="3.9.1"))
    if case["id"] in UNSEEN:
        assert set(case["diff"]) == {"d1/meta.properties"}
        return
    if case["id"] in PARTIAL:
        assert contradictions(case, outcomes) == []
        assert any(outcome.partition == "unknown" or OTHER_BROKER in outcome.reason for outcome in outcomes)
        return
    aborts = [outcome for outcome in outcomes if outcome.broker == "aborts"]
    assert bool(aborts) == (not case["broker_started"]), [outcome.reason for outcome in aborts]
    if aborts:
        return
    by_name = {outcome.path.rpartition("/")[2]: outcome for outcome in outcomes}
    for name, reads in case["reads"].items():
        outcome = by_name.get(name)
        if outcome is None:
            # The broker makes partitions that are missing.
            assert case["id"] == "level:all-partitions-missing"
            continue
        for kind, real in (reads or {}).items():
            mine = None if outcome.consumer is None else getattr(outcome.consumer, kind)
            if real is None or real["earliest"] is None:
                assert mine is None, (name, kind, outcome.reason)
            else:
                assert mine is not None, (name, kind, outcome.reason)
                expected = (real["count"], real["position"], error_kind(real["error"]), real["stuck"])
                assert (mine.records, mine.stops_at_offset, mine.error, mine.stuck) == expected, (name, kind)
    renamed = {path.split("/")[1].partition(".")[0] for path in case["added"] if "-stray/" in path}
    strays = {name for name, outcome in by_name.items() if outcome.partition == "stray" and outcome.rename}
    assert (strays == renamed) != (case["id"] in UNASSIGNED)


def contradictions(case, outcomes) -> list[str]:
    """Where the prediction is certain, and the broker did something else."""
    said_so = any(outcome.broker != "starts" or OTHER_BROKER in outcome.reason for outcome in outcomes)
    if not case["broker_started"]:
        return [] if said_so else ["the broker does not start"]
    found = [f"{outcome.path} aborts" for outcome in outcomes if outcome.broker == "aborts"]
    for outcome in outcomes:
        reads = case["reads"].get(outcome.path.rpartition("/")[2]) or {}
        for kind, real in reads.items():
            mine = None if outcome.consumer is None else getattr(outcome.consumer, kind)
            served = real is not None and real["earliest"] is not None
            if mine is None:
                if outcome.partition == "loaded" or (outcome.partition == "failed" and served):
                    found.append(f"{outcome.path} {outcome.partition}, read {kind}: {real}")
            elif not served or (mine.records, mine.stops_at_offset) != (real["count"], real["position"]):
                found.append(f"{outcome.path} read {kind}: {real}, predicted {mine}")
    return found


def test_a_certain_prediction_that_is_wrong_is_noticed(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] in UNSEEN)
    assert contradictions(case, list(next_starts(lay_out(case, tmp_path), kafka_version="3.9.1")))


def test_a_log_dir_without_its_id_beside_one_that_has_it_is_not_promised_to_be_served(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:meta-no-directory-id")
    paths = lay_out(case, tmp_path)
    outcomes = list(next_starts(paths, kafka_version="3.9.1"))
    assert {(outcome.partition, outcome.consumer) for outcome in outcomes} == {("unknown", None)}
    # By itself it may be one that was made before there were such ids: then all is served.
    alone = list(next_starts(paths[:1], kafka_version="3.9.1"))
    assert {outcome.partition for outcome in alone} == {"loaded"}
    assert all("directory.id" in outcome.reason for outcome in alone)


def test_a_log_dir_whose_id_the_metadata_log_does_not_know_is_told(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    meta = log_dir / "meta.properties"
    text = re.sub(r"directory\.id=.*", "directory.id=AAAAAAAAAAAAAAAAAAABAA", meta.read_text())
    assert text != meta.read_text()
    meta.write_text(text)
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir])}
    assert (outcomes["ledger-0"].partition, outcomes["ledger-0"].consumer) == ("unknown", None)
    assert "none of the log dirs looked at" in outcomes["ledger-0"].why["partition"]
    assert outcomes["__cluster_metadata-0"].partition == "loaded"
    # Before 3.7 there were no such ids; a broker of that time would not start, for the metadata are of 3.9.
    first, *older = next_starts([log_dir], kafka_version="3.6.2")
    assert (first.broker, {outcome.partition for outcome in older}) == ("aborts", {"loaded"})


def test_a_file_in_the_place_of_a_partition_that_the_metadata_log_places_here_takes_the_log_dir_offline(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    shutil.rmtree(log_dir / "ledger-0")
    (log_dir / "ledger-0").write_text("what is left of it")
    first, *others = next_starts([log_dir])
    assert (first.path, first.log_dir, first.partition) == (f"{log_dir}/ledger-0", "offline", "unknown")
    assert first.actions[-1] == "Move the file out of the log dir."
    assert {outcome.log_dir for outcome in others} == {"offline"}
    shutil.rmtree(log_dir / "__cluster_metadata-0")
    outcomes = list(next_starts([log_dir]))
    assert {(outcome.log_dir, outcome.partition, outcome.consumer) for outcome in outcomes} == {(None, "unknown", None)}
    assert all("log_dir" in outcome.why for outcome in outcomes)


def test_a_future_replica_in_another_log_dir_is_told_for_both(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:dir-future-longer")
    outcomes = {
        outcome.path.rpartition("/")[2]: outcome for outcome in next_starts(lay_out(case, tmp_path), kafka_version="3.9.1")
    }
    current = outcomes["plain-0"]
    assert (current.partition, current.log_end_offset) == ("loaded", case["reads"]["plain-0"]["uncommitted"]["end"])
    assert "is its future replica" in current.reason
    (future,) = [outcome for name, outcome in outcomes.items() if name.endswith("-future")]
    assert (future.partition, future.consumer) == ("unknown", None)


def test_partition_in_two_log_dirs_of_one_broker_is_named_for_both(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:partition-in-two-dirs")
    outcomes = list(next_starts(lay_out(case, tmp_path), kafka_version="3.9.1"))
    assert [outcome.path.rpartition("/")[2] for outcome in outcomes if outcome.broker == "aborts"] == ["plain-0", "plain-0"]


def test_partition_that_takes_its_log_dir_offline_makes_the_others_unknown(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:root-unknown-file")
    log_dir = lay_out(case, tmp_path)[0]
    (pathlib.Path(log_dir) / "comp-0" / "leader-epoch-checkpoint").write_bytes(b"0\n5\n0 0\n")
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir], kafka_version="3.9.1")}
    assert (outcomes["comp-0"].partition, outcomes["comp-0"].log_dir, outcomes["comp-0"].broker) == ("failed", "offline", None)
    assert outcomes["plain-0"].partition == "unknown"
    assert "comp-0" in outcomes["plain-0"].why["partition"]
    # An open transaction is what the broker trips over in a log dir that is offline.
    assert outcomes["open-0"].broker is None
    assert outcomes["plain-0"].broker == "starts"


def test_release_is_taken_from_what_the_log_dir_shows(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:root-unknown-file")
    log_dir = pathlib.Path(lay_out(case, tmp_path)[0])
    assert next(next_starts([str(log_dir)])).assumed.release == "4.4.0"
    (log_dir / "meta.properties").write_text("version=0\nbroker.id=1\n")
    assert next(next_starts([str(log_dir)])).assumed.release == "2.8.2"
    (log_dir / "meta.properties").unlink()
    (log_dir / "bootstrap.checkpoint").unlink()
    assert next(next_starts([str(log_dir)])).assumed.release == "4.4.0"
    for path in log_dir.glob("*/partition.metadata"):
        path.unlink()
    first, second = list(next_starts([str(log_dir)]))[:2]
    assert first.path == second.path
    assert (first.assumed.release, first.partition, second.assumed.release, second.partition) == (
        release_text(NEWEST),
        "stray",
        "2.8.2",
        "loaded",
    )


def test_a_directory_with_another_topics_id_is_not_served_and_makes_the_others_unknown(tmp_path):
    case = next(case for case in packed_log_dirs()[1] if case["id"] == "level:partition-replaced-by-other")
    outcomes = {o.path.rpartition("/")[2]: o for o in next_starts(lay_out(case, tmp_path), kafka_version="3.9.1")}
    assert outcomes["plain-0"].partition == "failed"
    assert "is that of delrec" in outcomes["plain-0"].reason
    assert outcomes["comp-0"].partition == "unknown"
    assert "plain-0" in outcomes["comp-0"].why["partition"]


def id_text(number: int) -> str:
    return f"version: 0\ntopic_id: {'BCDEFGHI'[number] * 21}A"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([0, 0, 0, 1], ["loaded", "loaded", "loaded", "stray"]),
        ([0, 0, 1, 1], ["unknown"] * 4),
        ([0, 1], ["unknown"] * 2),
        ([0, 0], ["loaded"] * 2),
    ],
)
def test_the_directories_of_a_topic_are_witnesses_of_its_id(ids, expected, tmp_path):
    for number, topic_id in enumerate(ids):
        (tmp_path / f"a-{number}").mkdir()
        (tmp_path / f"a-{number}" / "partition.metadata").write_text(id_text(topic_id))
    (tmp_path / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    outcomes = list(next_starts([tmp_path], kafka_version="3.9.1"))
    assert [outcome.partition for outcome in outcomes] == expected
    older = list(next_starts([tmp_path], kafka_version="3.6.2"))
    assert [outcome.partition for outcome in older] == ["deleted" if one == "stray" else one for one in expected]


def test_before_3_7_a_directory_the_controller_does_not_know_is_deleted_with_all_that_is_in_it(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    (log_dir / "ledger-0" / "partition.metadata").write_text(id_text(0))
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir], kafka_version="3.5.2")}
    outcome = outcomes["ledger-0"]
    assert (outcome.partition, outcome.severity, outcome.records_lost, outcome.log_end_offset) == ("deleted", "error", 265, 0)
    assert outcome.rename == ((outcome.path, f"{outcome.path}.*-delete"),)
    assert any(action.startswith("Move the directory out of the log dir") for action in outcome.actions)
    # The broker gives the deletion up where it meets a directory without an id whose partition is not placed here.
    shutil.copytree(log_dir / "ledger-0", log_dir / "nobody-0")
    (log_dir / "nobody-0" / "partition.metadata").unlink()
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir], kafka_version="3.5.2")}
    assert (outcomes["ledger-0"].partition, outcomes["ledger-0"].rename) == ("failed", ())
    assert "nobody-0" in outcomes["ledger-0"].reason


@pytest.mark.parametrize(
    ("name", "release", "aborts"),
    [
        ("a-0.0123456789abcdef0123456789abcdef-future", "1.0.2", True),
        ("a-0.0123456789abcdef0123456789abcdef-future", "1.1.1", False),
        ("a-0.0123456789abcdef0123456789abcdef-stray", "3.6.0", True),
        ("a-0.0123456789abcdef0123456789abcdef-stray", "3.6.1", False),
        ("a-0.0123456789abcdef0123456789abcdef-delete", "0.11.0.3", False),
    ],
)
def test_a_mark_that_the_release_does_not_know_stops_it_as_any_odd_name_does(name, release, aborts, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    outcomes = list(next_starts([tmp_path], kafka_version=release))
    assert [outcome.broker for outcome in outcomes] == ["aborts" if aborts else "starts"]


@pytest.mark.parametrize(
    ("release", "effect"),
    [("0.11.0.3", "aborts"), ("2.8.2", "aborts"), ("3.2.0", "aborts"), ("3.2.1", "offline"), ("3.9.1", "offline")],
)
def test_a_malformed_epoch_file_stops_a_broker_before_3_2_1_and_takes_the_log_dir_offline_since(release, effect, tmp_path):
    (tmp_path / "a-0").mkdir()
    (tmp_path / "a-0" / "leader-epoch-checkpoint").write_bytes(b"0\n5\n0 0\n")
    (tmp_path / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    (outcome,) = next_starts([tmp_path], kafka_version=release)
    assert (outcome.broker, outcome.log_dir) == (("aborts", "online") if effect == "aborts" else ("starts", "offline"))


@pytest.mark.parametrize("name", ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"])
def test_a_malformed_checkpoint_of_the_log_dir_takes_it_offline_since_1_0(name, tmp_path):
    (tmp_path / "a-0").mkdir()
    (tmp_path / "log-start-offset-checkpoint").write_text("0\n0\n")
    (tmp_path / name).write_bytes(b"0\n5\n")
    effects = {
        release: {outcome.log_dir for outcome in next_starts([tmp_path], kafka_version=release)}
        for release in ("0.11.0.3", "1.0.2")
    }
    assert effects == {"0.11.0.3": {"online"}, "1.0.2": {"offline"}}


@pytest.mark.parametrize(
    ("name", "topic_id", "expected", "end", "advice"),
    [
        ("ledger-0", None, "loaded", 265, None),
        ("ledger-0", id_text(0), "stray", 0, "If these are the records of ledger as it is now, write its id into"),
        ("ledger-7", None, "stray", None, "If it was ledger-0, which is missing here, give it that name back"),
        ("gone-7", None, "stray", None, "If it was ledger-0, which is missing here, give it that name back"),
        ("gone-0", id_text(1), "stray", None, "If the topic was deleted, nothing more needs doing"),
    ],
)
def test_the_metadata_log_in_the_log_dir_tells_which_directory_is_stray(name, topic_id, expected, end, advice, tmp_path):
    source = pathlib.Path(fixture("3.9.1", "cluster-final-n1").path())
    log_dir = tmp_path / "d"
    shutil.copytree(source, log_dir)
    (log_dir / "ledger-0").rename(log_dir / name)
    if topic_id is not None:
        (log_dir / name / "partition.metadata").write_text(topic_id)
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir])}
    outcome = outcomes[name]
    assert (outcome.partition, outcome.log_end_offset) == (expected, end)
    if expected == "stray":
        assert outcome.rename[-1] == (outcome.path, f"{outcome.path}.*-stray")
        assert "metadata log" in outcome.reason
        assert advice in outcome.actions[-1]
        assert "loaded" not in outcome.reason
    assert {one.partition for key, one in outcomes.items() if key != name} == {"loaded"}
    # Without the metadata nobody here knows better.
    shutil.rmtree(log_dir / "__cluster_metadata-0")
    outcomes = {outcome.path.rpartition("/")[2]: outcome.partition for outcome in next_starts([log_dir])}
    assert outcomes.pop("__cluster_metadata-0", "unknown") == "unknown"
    assert {*outcomes.values()} == {"loaded"}


def test_a_partition_that_is_placed_on_another_broker_is_stray(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    meta = log_dir / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=77"))
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([log_dir])}
    assert outcomes["ledger-0"].partition == "stray"
    assert "not on 77" in outcomes["ledger-0"].reason
    assert "See that brokers " in outcomes["ledger-0"].actions[-1]


@pytest.mark.parametrize("text", [None, "version: 0\ntopic_id: Lcj2pFIJSZSL2wsQyAAAA\n"])
def test_where_the_metadata_log_knows_the_topic_its_id_is_written_out(text, tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    path = log_dir / "ledger-0" / "partition.metadata"
    right = path.read_text().splitlines()[1]
    path.unlink() if text is None else path.write_text(text)
    (outcome,) = [one for one in next_starts([log_dir]) if one.path.endswith("/ledger-0")]
    assert outcome.partition == ("stray" if text is None else "failed")
    assert f"`{right}`" in outcome.actions[-1]


def test_a_directory_that_has_no_name_of_a_topic_is_said_to_be_read_by_nobody(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    shutil.copytree(log_dir / "ledger-0", log_dir / "led\x1b[31mger-7")
    (outcome,) = [one for one in next_starts([log_dir]) if one.partition != "loaded"]
    reason = "by the metadata log there is no topic led\x1b[31mger, and its topic id is that of ledger, which has partition"
    assert outcome.reason.startswith(reason)
    assert "No broker reads this directory: see what it holds" in outcome.actions[-1]
    assert not any("partition.metadata` right" in step for step in outcome.actions)


def test_a_directory_that_is_gone_is_made_anew_and_empty(tmp_path):
    log_dir = tmp_path / "d"
    shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), log_dir)
    shutil.rmtree(log_dir / "ledger-0")
    shutil.rmtree(log_dir / "late-0")  # nothing was ever written to it: it may not have been made yet
    first, *others = next_starts([log_dir])
    assert first.path == f"{log_dir}/ledger-0"
    assert (first.partition, first.log_end_offset, first.records_lost, first.severity) == ("loaded", 0, None, "error")
    assert "is missing" in first.reason
    assert "records_lost" in first.why
    assert {outcome.severity for outcome in others} == {None}


def test_the_recorded_directory_with_a_wrong_id_is_stray_beside_the_others_of_its_topic(tmp_path):
    if not RECORDED:
        pytest.skip("KAFKALOG_BROKER_STARTS is not set: the recordings are not here")
    for parts, data in members(pathlib.Path(RECORDED) / "clean.group.before.tar.xz"):
        if parts[0] == "d1" and parts[-1] in ("partition.metadata", "meta.properties"):
            path = tmp_path.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    outcomes = {o.path.rpartition("/")[2]: o for o in next_starts([tmp_path / "d1"], kafka_version="3.9.1")}
    assert len(outcomes) > 700
    wrong = [name for name, outcome in outcomes.items() if "its topic id is" in outcome.reason]
    assert wrong == ["plain-438"]  # the clone that the case metadata-wrong-id@plain was made of
    assert outcomes["plain-438"].partition == "stray"


MOVABLE = [
    "level:recovery-point-file-nuls",
    "level:hw-file-count-high",
    "level:hw-file-bad-line",
    "level:cleaner-file-nuls",
    "level:dir-lost+found",
    "level:dir-backup",
]


@pytest.mark.parametrize("case", [case for case in packed_log_dirs()[1] if case["id"] in MOVABLE], ids=lambda case: case["id"])
def test_moving_away_what_the_advice_names_ends_the_trouble(case, tmp_path):
    paths = lay_out(case, tmp_path)
    found = list(next_starts(paths, kafka_version="3.9.1", consumer=False))
    beside = [outcome for outcome in found if outcome.actions and outcome.actions[-1].startswith("Move ")]
    assert beside
    for outcome in beside:
        pathlib.Path(outcome.path).rename(tmp_path / "away")
    after = list(next_starts(paths, kafka_version="3.9.1", consumer=False))
    assert {outcome.path for outcome in after if outcome.severity == "error"} == set()
