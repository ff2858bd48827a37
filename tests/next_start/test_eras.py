"""What a log dir shows of its broker, and what an older or newer release than the writer's makes of it.

The releases' answers to damaged `meta.properties` and to unknown levels were taken from real brokers, with real ones run
again by `tests/real_kafka/test_real_downgrades.py`.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import struct
import subprocess
import sys

import pytest

from kafkalog.core.release import NEWEST, parse_release, release_text
from kafkalog.files.log_dir import LogDir
from kafkalog.next_start.api import next_start, next_starts
from kafkalog.next_start.evidence import BrokerEvidence
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.verify import verify
from tests import encode
from tests.internal_topics import compact
from tests.log_dirs import fixture

NOW = 1795500000000
METADATA = "__cluster_metadata-0"


def copy_of(case: str, folder: pathlib.Path) -> pathlib.Path:
    release, workload = case.split("/")
    shutil.copytree(fixture(release, workload).path(), folder)
    return folder


@pytest.fixture
def kraft(tmp_path):
    """A log dir of 3.9.1 with the metadata log; metadata.version 21."""
    return copy_of("3.9.1/cluster-final-n1", tmp_path / "k")


@pytest.fixture
def zookeeper(tmp_path):
    """A log dir of 2.8.2, where partitions have a topic id."""
    return copy_of("2.8.2/repl-b1", tmp_path / "z")


def rewrite(log_dir: pathlib.Path, change) -> None:
    path = log_dir / "meta.properties"
    text = change(path.read_text())
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def without(*names):
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if line.split("=")[0] not in names)


def remove_metadata(log_dir: pathlib.Path) -> None:
    shutil.rmtree(log_dir / METADATA)
    (log_dir / "bootstrap.checkpoint").unlink()


def remove_ids(log_dir: pathlib.Path) -> None:
    for path in log_dir.glob("*/partition.metadata"):
        path.unlink()


def bare(log_dir: pathlib.Path) -> None:
    rewrite(log_dir, lambda _: None)
    remove_metadata(log_dir)
    remove_ids(log_dir)


EVIDENCE = {
    "version=1": (lambda d: (remove_metadata(d), rewrite(d, without("node.id", "directory.id"))), True, "version=1 in meta"),
    "node.id": (lambda d: (remove_metadata(d), rewrite(d, without("version", "directory.id"))), True, "node.id in meta"),
    "directory.id": (lambda d: (remove_metadata(d), rewrite(d, without("version", "node.id"))), True, "directory.id in meta"),
    "metadata log": (lambda d: (rewrite(d, lambda _: None), remove_ids(d)), True, "a metadata log (__cluster_metadata-0)"),
    "metadata log beside version=0": (
        lambda d: rewrite(d, lambda _: "version=0\nbroker.id=1\n"),
        True,
        "a metadata log (__cluster_metadata-0)",
    ),
    "version=0": (
        lambda d: (remove_metadata(d), rewrite(d, lambda _: "version=0\n")),
        False,
        "with ZooKeeper, by version=0 in meta.properties, while nothing shows KRaft",
    ),
    "bootstrap.checkpoint": (
        lambda d: (shutil.rmtree(d / METADATA), rewrite(d, lambda _: None), remove_ids(d)),
        True,
        "a bootstrap.checkpoint",
    ),
    "version=0 beside a bootstrap.checkpoint": (
        lambda d: (shutil.rmtree(d / METADATA), rewrite(d, lambda _: "version=0\n")),
        False,
        "by version=0 in meta",
    ),
    "broker.id": (lambda d: (remove_metadata(d), rewrite(d, lambda _: "broker.id=1\n")), False, "by broker.id in meta"),
    "partition.metadata": (
        lambda d: (remove_metadata(d), rewrite(d, lambda _: None)),
        True,
        "2.8 or later, by partition.metadata in __transaction_state-0; meta.properties is missing",
    ),
    "partition.metadata, meta.properties emptied": (
        lambda d: (remove_metadata(d), rewrite(d, lambda _: "")),
        True,
        "2.8 or later, by partition.metadata in __transaction_state-0; meta.properties names no node",
    ),
    "nothing": (bare, None, "nothing shows whether the broker runs with KRaft or with ZooKeeper"),
}


@pytest.mark.parametrize(("change", "is_kraft", "words"), EVIDENCE.values(), ids=EVIDENCE)
def test_each_line_of_evidence_decides_and_is_stated(change, is_kraft, words, kraft):
    change(kraft)
    states = read_log_dir(BrokerEvidence(LogDir(str(kraft))))
    releases = [release_text(state.release) for state in states]
    newest = release_text(NEWEST)
    assert releases == {True: [newest], False: ["2.8.2"], None: [newest, "2.8.2"]}[is_kraft]
    assert words in states[0].era.evidence
    outcomes = list(next_starts([kraft], consumer=False))
    assert all(outcome.assumed.evidence == states[0].era.evidence for outcome in outcomes)
    report = verify(kraft, now=NOW)
    assert (report.version, report.evidence) == (releases[0], states[0].era.evidence)
    # What is given needs no evidence.
    assert {outcome.assumed.evidence for outcome in next_starts([kraft], consumer=False, kafka_version="3.9.1")} == {""}


def test_a_kraft_log_dir_without_topic_ids_is_not_promised_to_be_served(kraft):
    remove_ids(kraft)
    outcomes = {outcome.path.rpartition("/")[2]: outcome for outcome in next_starts([kraft])}
    assert {name: outcome.partition for name, outcome in outcomes.items()} == {
        METADATA: "loaded",
        **dict.fromkeys(("__transaction_state-0", "__transaction_state-1", "late-0", "ledger-0", "ledger-txn-0"), "stray"),
    }
    assert {outcome.assumed.release for outcome in outcomes.values()} == {release_text(NEWEST)}


def test_where_nothing_shows_the_era_both_are_told_the_worst_first_and_nothing_is_called_harmless(kraft):
    bare(kraft)
    told = [(outcome.path.rpartition("/")[2], outcome.partition) for outcome in next_starts([kraft])]
    assert told[:4] == [
        ("__transaction_state-0", "stray"),
        ("__transaction_state-0", "loaded"),
        ("__transaction_state-1", "stray"),
        ("__transaction_state-1", "loaded"),
    ]
    assert next_start(kraft / "ledger-0").partition == "stray"
    done = subprocess.run(
        [sys.executable, "-m", "kafkalog", "next-start", str(kraft)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "nothing is lost" not in done.stdout
    assert "Nothing shows whether the broker runs with KRaft or with ZooKeeper" in done.stdout


def test_what_is_the_same_in_both_eras_is_told_once(kraft):
    bare(kraft)
    for path in kraft.glob("*-[0-9]"):
        shutil.rmtree(path)
    marked = f"gone-0.{'0' * 32}-delete"
    (kraft / marked).mkdir()
    outcomes = list(next_starts([kraft]))
    assert [(outcome.path.rpartition("/")[2], outcome.assumed.release) for outcome in outcomes] == [(marked, None)]


# --- the level of the metadata ---


def level(name: str, number: int) -> bytes:
    """A FeatureLevelRecord."""
    return b"\x01\x0c\x00" + compact(name) + struct.pack(">h", number) + b"\x00"


def node(folder: pathlib.Path, *records: bytes, bootstrap: int | None = None) -> pathlib.Path:
    """A log dir of a KRaft node with these records in its metadata log."""
    (folder / METADATA).mkdir(parents=True)
    batch = encode.batch([encode.R(offset_delta=number, value=value) for number, value in enumerate(records)])
    (folder / METADATA / f"{0:020d}.log").write_bytes(batch)
    (folder / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\n")
    if bootstrap is not None:
        first = encode.batch([encode.R(value=level("metadata.version", bootstrap))])
        (folder / "bootstrap.checkpoint").write_bytes(first)
    return folder


def why_not(log_dir: pathlib.Path, release: str) -> str | None:
    """Why a release does not start; None: it does."""
    outcomes = list(next_starts([log_dir], kafka_version=release, consumer=False))
    stopped = [outcome for outcome in outcomes if outcome.broker == "aborts"]
    assert len(stopped) <= 1
    # The others are not promised to load.
    assert {outcome.broker for outcome in outcomes if outcome not in stopped} <= ({None} if stopped else {"starts"})
    return f"{stopped[0].path.removeprefix(str(log_dir) + '/')}: {stopped[0].reason}" if stopped else None


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("3.9.2", None),
        ("4.0.2", None),
        ("3.8.1", "bootstrap.checkpoint: .*metadata.version 21 \\(3.9-IV0\\) is not known to Kafka 3.8.1: .* 20 \\(3.8-IV0\\)"),
        ("3.7.2", "bootstrap.checkpoint: .*metadata.version 21 \\(3.9-IV0\\) is not known to Kafka 3.7.2: .* 19 \\(3.7-IV4\\)"),
        ("3.3.2", "bootstrap.checkpoint: .*the highest it knows is 7 \\(3.3-IV3\\)"),
        ("3.2.3", "00000000000000000195-0000000004.checkpoint: .*it has no such feature"),
        ("2.8.2", "meta.properties: .*version 1; a broker with ZooKeeper takes only 0"),
    ],
)
def test_an_older_release_than_the_metadata_stops(release, words, kraft):
    reason = why_not(kraft, release)
    if words is None:
        assert reason is None
    else:
        assert re.match(words.replace("00000000000000000195-0000000004.checkpoint", ".*"), reason), reason


def test_before_2_8_a_meta_properties_of_kraft_takes_the_log_dir_offline(kraft):
    outcomes = list(next_starts([kraft], kafka_version="2.3.1", consumer=False))
    assert {outcome.log_dir for outcome in outcomes} == {"offline"}


def test_without_the_bootstrap_file_the_metadata_log_stops_an_older_release(kraft):
    (kraft / "bootstrap.checkpoint").unlink()
    assert re.match(rf"{METADATA}/.*record \d+ of ", why_not(kraft, "3.7.2"))


def test_the_command_tells_the_level_the_way_out_and_exits_with_1(kraft):
    command = [sys.executable, "-m", "kafkalog", "next-start", "-v", "--kafka-version", "3.7.2", str(kraft)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "broker aborts" in done.stdout
    assert "Start Kafka 3.9.0 or a later release that knows level 21." in done.stdout
    assert "downgrade --feature metadata.version=19" in done.stdout
    assert "move bootstrap.checkpoint" in done.stdout
    assert "nothing is lost" not in done.stdout
    assert "ledger-0 (clean stop, Kafka 3.7.2): if the broker started: loads, removes no record" in done.stdout


@pytest.mark.parametrize(
    ("release", "words"),
    [("3.3.2", None), ("3.9.2", None), ("4.0.0", "bootstrap.checkpoint: .*too low"), ("4.0.2", f"{METADATA}/.*too low")],
)
def test_a_metadata_version_below_3_3_iv3_stops_4_0_and_later(release, words, tmp_path):
    reason = why_not(node(tmp_path / "d", level("metadata.version", 4), bootstrap=4), release)
    assert reason is None if words is None else re.match(words, reason), reason


def test_the_newest_release_that_knows_the_level_is_taken(tmp_path):
    low = node(tmp_path / "low", level("metadata.version", 4), bootstrap=4)
    assert {outcome.assumed.release for outcome in next_starts([low], consumer=False)} == {"3.9.2"}
    # The file keeps the level of the format when the cluster has gone on.
    raised = node(tmp_path / "raised", level("metadata.version", 4), level("metadata.version", 21), bootstrap=4)
    assert {outcome.assumed.release for outcome in next_starts([raised], consumer=False)} == {release_text(NEWEST)}


def test_a_level_that_no_release_knows_is_told_as_that(tmp_path):
    reason = why_not(node(tmp_path / "d", level("metadata.version", 99)), release_text(NEWEST))
    assert "metadata.version 99 is not known" in reason


@pytest.mark.parametrize(
    ("feature", "number", "knows", "does_not"),
    [
        ("transaction.version", 2, "4.0.0", "3.9.2"),
        ("group.version", 1, "4.0.0", "3.9.2"),
        ("share.version", 1, "4.1.0", "4.0.2"),
        ("share.version", 2, "4.4.0", "4.3.1"),
        ("streams.version", 1, "4.2.0", "4.1.2"),
    ],
)
def test_a_feature_level_that_a_release_does_not_support_stops_it(feature, number, knows, does_not, tmp_path):
    log_dir = node(tmp_path / "d", level("metadata.version", 21), level(feature, number))
    assert why_not(log_dir, knows) is None
    assert f"{feature} {number} is not known to Kafka {does_not}" in why_not(log_dir, does_not)


def test_a_record_type_or_version_that_a_release_does_not_know_stops_it(tmp_path):
    clear_elr = b"\x01\x1c\x00" + compact("") + b"\x00"
    log_dir = node(tmp_path / "d", level("metadata.version", 21), clear_elr)
    assert why_not(log_dir, "4.0.0") is None
    reason = why_not(log_dir, "3.9.2")
    assert "ClearElrRecord of version 0 at offset 1 is not known to Kafka 3.9.2" in reason


def test_segments_smaller_than_1_mib_stop_4_1_and_later_when_such_a_release_is_asked_for(kraft):
    assert why_not(kraft, "4.0.2") is None
    assert "segment.bytes of topic ledger is 9000, at least 1048576 is allowed" in why_not(kraft, "4.1.0")
    # What the release is taken from does not tell that.
    outcomes = list(next_starts([kraft], consumer=False))
    assert {outcome.broker for outcome in outcomes} == {"starts"}
    assert ["segment.bytes of topic ledger" in outcome.reason for outcome in outcomes] == [True] + [False] * 5


# --- meta.properties: seen of 1.1.1, 2.3.1, 2.8.2, 3.3.2, 3.9.1 (both ways) and 4.4.0 ---

STARTS, ABORTS, OFFLINE = "starts", "aborts", "offline"


def swapped(text: str) -> str:
    """As the other era writes it."""
    if "version=1" in text:
        return text.replace("version=1", "version=0").replace("node.id", "broker.id")
    return text.replace("version=0", "version=1").replace("broker.id", "node.id")


CHANGES = {
    "missing": lambda _: None,
    "emptied": lambda _: "",
    "no version": without("version"),
    "version 9": lambda text: re.sub(r"version=\d", "version=9", text),
    "no id": without("node.id", "broker.id"),
    "swapped": swapped,
}
KRAFT_ANSWERS = {
    "3.3.2": dict.fromkeys(CHANGES, ABORTS),
    "3.9.1": {
        "missing": ABORTS,
        "emptied": ABORTS,
        "no version": ABORTS,
        "version 9": OFFLINE,
        "no id": OFFLINE,
        "swapped": STARTS,
    },
}
KRAFT_ANSWERS["4.0.2"] = KRAFT_ANSWERS["3.9.1"]
ZOOKEEPER_ANSWERS = {
    "1.1.1": {
        "missing": STARTS,
        "emptied": ABORTS,
        "no version": ABORTS,
        "version 9": OFFLINE,
        "no id": ABORTS,
        "swapped": OFFLINE,
    },
    "2.8.2": {
        "missing": STARTS,
        "emptied": STARTS,
        "no version": STARTS,
        "version 9": ABORTS,
        "no id": STARTS,
        "swapped": ABORTS,
    },
}
ZOOKEEPER_ANSWERS["2.3.1"] = ZOOKEEPER_ANSWERS["1.1.1"]


def answer_of(log_dir: pathlib.Path, release: str) -> str:
    outcomes = list(next_starts([log_dir], kafka_version=release, consumer=False))
    beside = [outcome for outcome in outcomes if outcome.path.endswith("meta.properties")]
    assert all(outcome.actions[-1].startswith(("Restore", "If this", "The log dir")) for outcome in beside)
    if any(outcome.broker == "aborts" for outcome in beside):
        return ABORTS
    return OFFLINE if any(outcome.log_dir == "offline" for outcome in beside) else STARTS


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("release", KRAFT_ANSWERS)
def test_a_kraft_node_makes_of_its_meta_properties_what_was_seen(release, change, tmp_path):
    folder = tmp_path / "k"
    log_dir = node(folder, level("metadata.version", 7), bootstrap=7)
    rewrite(log_dir, CHANGES[change])
    assert answer_of(log_dir, release) == KRAFT_ANSWERS[release][change]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("release", ZOOKEEPER_ANSWERS)
def test_a_broker_with_zookeeper_makes_of_its_meta_properties_what_was_seen(release, change, zookeeper):
    rewrite(zookeeper, CHANGES[change])
    assert answer_of(zookeeper, release) == ZOOKEEPER_ANSWERS[release][change]


def test_a_log_dir_without_meta_properties_beside_the_metadata_says_that_a_new_directory_id_costs_the_partitions(kraft):
    remove_metadata(kraft)
    rewrite(kraft, lambda _: None)
    outcomes = list(next_starts([kraft], kafka_version="3.9.1", consumer=False))
    assert {outcome.path for outcome in outcomes} >= {str(path) for path in kraft.iterdir() if path.is_dir()}
    for outcome in outcomes:
        assert "meta.properties is missing: the node exits if no other of its log dirs has one" in outcome.reason


@pytest.mark.parametrize(("release", "expected"), [("2.8.2", "loaded"), ("3.9.2", "loaded"), ("4.0.0", "stray")])
def test_a_log_dir_of_zookeepers_time_is_all_stray_to_a_release_without_it(release, expected, zookeeper):
    assert (zookeeper / "t-0").is_dir() or list(zookeeper.glob("*/partition.metadata"))
    outcomes = list(next_starts([zookeeper], kafka_version=release, consumer=False))
    assert {outcome.partition for outcome in outcomes} == {expected}
    if expected == "stray":
        assert all("unless the cluster's metadata was migrated to KRaft" in outcome.reason for outcome in outcomes)
        assert {outcome.severity for outcome in outcomes} == {"error"}
        assert all("migrate the cluster to KRaft first" in outcome.actions[-1] for outcome in outcomes)


def test_every_release_reads_the_metadata_that_it_wrote_itself():
    for release in ("3.3.2", "3.9.1", "4.3.1"):
        log_dir = fixture(release, "meta-n1" if release != "3.9.1" else "cluster-final-n1").path()
        own = list(next_starts([log_dir], kafka_version=release, consumer=False))
        assert {outcome.broker for outcome in own} == {"starts"}
        assert parse_release(own[0].assumed.release) == parse_release(release)


def test_a_metadata_log_is_replayed_once_for_all_who_are_handed_its_log_dir(tmp_path):
    path = node(tmp_path / "d", level("metadata.version", 21))
    metadata = BrokerEvidence(LogDir(str(path))).metadata
    first = metadata.of_small_log(METADATA)
    shutil.copy(
        node(tmp_path / "e", level("metadata.version", 21), level("share.version", 1)) / METADATA / f"{0:020d}.log",
        path / METADATA,
    )
    assert metadata.of_small_log(METADATA) is metadata.replayed(METADATA) is first
    later = BrokerEvidence(LogDir(str(path))).metadata.of_small_log(METADATA)
    assert later.image.features == {"metadata.version": 21, "share.version": 1}


def test_the_way_back_to_an_older_release_names_bootstrap_checkpoint_only_where_it_is(kraft):
    def advice():
        aborts = [outcome for outcome in next_starts([kraft], kafka_version="3.7.2") if outcome.broker == "aborts"]
        return " ".join(aborts[0].actions)

    assert "then move bootstrap.checkpoint" in advice()
    (kraft / "bootstrap.checkpoint").unlink()
    assert "downgrade --feature metadata.version=19" in advice()
    assert "bootstrap.checkpoint" not in advice()
