"""The cluster's metadata against what the controllers said of it."""

from __future__ import annotations

import shutil
import struct

import pytest

from kafkalog.core.messages.records import read_metadata_record
from kafkalog.core.metadata_version import metadata_version_name
from kafkalog.core.properties import format_uuid
from kafkalog.render.text_metadata import change_text, metadata_text
from kafkalog.replay.image import diff_images
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.until import END, Until
from tests import encode
from tests.internal_topics import accounted, compact, internal_records
from tests.log_dirs import corpus_log_dirs, fixture, fixture_log_dirs
from tests.replay.test_groups import write_log
from tests.screens import plain


def wrong_topics(case, until):
    """Topics that are not as the admin client told."""
    truth = case.account()["ground_truth"]["topics_live"]
    image = read_metadata([case.path()], until).image
    wrong = {}
    for name, told in truth.items():
        topic = image.topic(name)
        mine = topic and {
            number: (state.leader, list(state.replicas), sorted(state.isr)) for number, state in topic.partitions.items()
        }
        want = {item["partition"]: (item["leader"], item["replicas"], sorted(item["isr"])) for item in told["partitions"]}
        if topic is None or told.get("id", format_uuid(topic.topic_id)) != format_uuid(topic.topic_id) or mine != want:
            wrong[name] = (want, mine)
    return wrong


def metadata_records(case, name):
    """Offset and fields of the records of that name in the log."""
    for topic, path, record in internal_records(case.path()):
        if topic == "__cluster_metadata" and path.endswith(".log"):
            decoded = read_metadata_record(record.value)
            if decoded.name == name:
                yield record.offset, decoded.value


def looked_before(case):
    """The moments at which the account may have been taken: the end, and before each start of a controlled shutdown."""
    yield END
    changes = metadata_records(case, "BrokerRegistrationChangeRecord")
    offsets = [offset for offset, value in changes if value.get("inControlledShutdown")]
    yield from (Until(offset=offset - 1) for offset in reversed(offsets))


def has_account(case):
    return (
        "topics_live" in case.account().get("ground_truth", {})
        and any(path.endswith("__cluster_metadata-0") for path in case.partition_paths())
        and case.workload != "basic"  # a topic was deleted after the look
    )


JUDGED = [case for case in fixture_log_dirs() if has_account(case)]


@pytest.mark.parametrize("case", JUDGED, ids=lambda case: case.id)
def test_topics_are_as_the_admin_client_told(case):
    results = [wrong_topics(case, until) for until in looked_before(case)]
    assert {} in results, min(results, key=len)


def test_topics_are_as_the_admin_client_told_in_the_whole_corpus():
    for case in accounted(corpus_log_dirs()):
        if has_account(case):
            assert any(wrong_topics(case, until) == {} for until in looked_before(case)), case.id


@pytest.mark.parametrize("case", [case for case in JUDGED if case.workload in ("txn", "meta-n1")], ids=lambda case: case.id)
def test_features_are_as_the_admin_client_told(case):
    truth = case.account()["ground_truth"]
    told = truth.get("features") or truth.get("features_after")
    found = read_metadata([case.path()]).image.features
    # The broker that was asked may not have heard of the last change yet.
    last = [{value["name"]: value["featureLevel"]} for _, value in metadata_records(case, "FeatureLevelRecord")][-1:]
    assert {name: found.get(name) for name in told} in [told, *(told | change for change in last)]


@pytest.mark.parametrize(
    ("release", "node"),
    [("3.3.2", "meta-n1"), ("3.7.2", "meta-n1"), ("4.1.1", "meta-n2"), ("4.3.1", "meta-n1"), ("4.4.0", "meta-n1")],
)
def test_every_snapshot_is_what_the_log_adds_up_to(tmp_path, release, node):
    source = f"{fixture(release, node).path()}/__cluster_metadata-0"
    found = read_metadata([source])
    assert (found.notes, found.problems) == ([], ())
    target = tmp_path / "__cluster_metadata-0"
    shutil.copytree(source, target)
    first, *later = sorted(snapshots(str(target)))
    for path in later:
        (target / path.rsplit("/", 1)[1]).unlink()
    compared = 0
    for path in later:
        alone = read_metadata([f"{source}/{path.rsplit('/', 1)[1]}"])
        replayed = read_metadata([str(target)], Until(offset=alone.image.last_offset))
        if replayed.problems:
            continue  # the log behind the first snapshot is gone
        assert replayed.snapshot == first
        assert diff_images(alone.image, replayed.image) == []
        assert (alone.image.last_offset, alone.image.last_epoch) == (replayed.image.last_offset, replayed.image.last_epoch)
        compared += 1
    assert compared == len(later) > 1


def snapshots(directory):
    import glob

    return glob.glob(f"{directory}/*.checkpoint")


def test_a_log_that_begins_late_without_its_snapshot_cannot_be_judged(tmp_path):
    source = f"{fixture('4.3.1', 'meta-n1').path()}/__cluster_metadata-0"
    target = tmp_path / "__cluster_metadata-0"
    shutil.copytree(source, target)
    for path in snapshots(str(target)):
        (target / path.rsplit("/", 1)[1]).unlink()
    found = read_metadata([str(target)])
    assert "the image is not whole" in found.problems[0].message


def writable_copy(folder):
    """A copy of real metadata whose log begins behind its older snapshots, and the snapshots, the newest last."""
    target = folder / "__cluster_metadata-0"
    shutil.copytree(f"{fixture('3.9.1', 'meta-n1').path()}/__cluster_metadata-0", target, copy_function=shutil.copyfile)
    return target, sorted(target.glob("*.checkpoint"))


#: Nothing; in the header; behind it; in the records; the footer; in the footer.
CUTS = (0, 50, 83, 200, -75, -1)


@pytest.mark.parametrize("cut", CUTS)
def test_a_snapshot_that_is_not_whole_is_noted_and_an_older_one_taken(tmp_path, cut):
    target, (*_, older, newest) = writable_copy(tmp_path)
    sound = read_metadata(target)
    newest.write_bytes(newest.read_bytes()[:cut])
    found = read_metadata(target)
    assert (sound.snapshot, found.snapshot) == (str(newest), str(older))
    assert [note.path for note in found.notes] == [str(newest)]
    assert "the snapshot is not whole" in found.notes[0].message
    assert found.problems == ()
    assert diff_images(found.image, sound.image) == []


def test_a_wrong_checksum_makes_a_snapshot_not_whole_too(tmp_path):
    target, (*_, newest) = writable_copy(tmp_path)
    data = bytearray(newest.read_bytes())
    data[400] ^= 1
    newest.write_bytes(data)
    assert read_metadata(target).snapshot != str(newest)


def test_without_another_way_a_damaged_snapshot_is_the_image_and_that_is_said(tmp_path):
    target, (*others, newest) = writable_copy(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-75])
    for path in (*others, *target.glob("*.log")):
        path.unlink()
    found = read_metadata(target)
    assert found.image.topics
    assert "it has no footer: the image is not whole" in found.problems[0].message


def test_a_log_from_its_first_record_on_needs_no_damaged_snapshot(tmp_path):
    topic = encode.batch([encode.R(value=b"\x01\x02\x00" + compact("t") + bytes(15) + b"\x07\x00")])
    path = write_log(tmp_path, [topic], "__cluster_metadata-0")
    (tmp_path / "__cluster_metadata-0" / "00000000000000000001-0000000001.checkpoint").write_bytes(b"")
    found = read_metadata(path)
    assert (found.snapshot, found.problems) == (None, ())
    assert found.image.topic("t") is not None


def test_a_single_snapshot_is_an_image():
    path = max(snapshots(f"{fixture('4.3.1', 'meta-n1').path()}/__cluster_metadata-0"))
    found = read_metadata([path])
    assert found.snapshot == path
    assert found.image.topics
    assert found.image.brokers


# --- hand-made logs ---------------------------------------------------------------------------------------------------

TOPIC_ID = bytes(range(16))


def record(kind, body, version=0):
    return bytes([1, kind, version]) + body + b"\x00"


def ints(*values):
    return bytes([len(values) + 1]) + struct.pack(f">{len(values)}i", *values)


TOPIC = record(2, compact("orders") + TOPIC_ID)
PARTITION = record(
    3, struct.pack(">i", 0) + TOPIC_ID + ints(1, 2) + ints(1, 2) + ints() + ints() + struct.pack(">iii", 1, 5, 9)
)


def change(tags):
    body = bytes([len(tags)]) + b"".join(bytes([tag, len(data)]) + data for tag, data in tags)
    return bytes([1, 5, 0]) + struct.pack(">i", 0) + TOPIC_ID + body


def image_of(tmp_path, *values, until=END):
    batches = [encode.batch([encode.R(value=value)], base_offset=at) for at, value in enumerate(values)]
    return read_metadata([write_log(tmp_path, batches, "__cluster_metadata-0")], until)


def test_a_new_leader_raises_the_leader_epoch_and_a_new_isr_does_not(tmp_path):
    found = image_of(tmp_path, TOPIC, PARTITION, change([(1, struct.pack(">i", 2))]), change([(0, ints(2))]))
    state = found.image.topic("orders").partitions[0]
    assert (state.leader, state.leader_epoch, state.partition_epoch, state.isr) == (2, 6, 11, (2,))


def test_a_removed_topic_takes_its_settings_along(tmp_path):
    setting = record(4, b"\x02" + compact("orders") + compact("retention.ms") + compact("5"))
    found = image_of(tmp_path / "a", TOPIC, PARTITION, setting)
    assert found.image.configs == {("topic", "orders"): {"retention.ms": "5"}}
    gone = image_of(tmp_path / "b", TOPIC, PARTITION, setting, record(9, TOPIC_ID))
    assert gone.image.topics == {}
    assert gone.image.configs == {}


def test_a_metadata_transaction_counts_as_a_whole_or_not_at_all(tmp_path):
    begin, end, abort = b"\x01\x17\x00\x00", b"\x01\x18\x00\x00", b"\x01\x19\x00\x00"
    assert image_of(tmp_path / "a", begin, TOPIC, end).image.topic("orders")
    assert image_of(tmp_path / "b", begin, TOPIC, abort).image.topics == {}
    opened = image_of(tmp_path / "c", begin, TOPIC)
    assert opened.image.topics == {}
    assert [(note.offset, note.message) for note in opened.notes] == [
        (0, "a metadata transaction without an end begins here; its 1 records do not count")
    ]
    before_its_end = image_of(tmp_path / "d", begin, TOPIC, end, until=Until(offset=1))
    assert (before_its_end.image.topics, before_its_end.notes) == ({}, [])


def test_records_that_no_image_holds_are_noted_but_for_those_that_say_nothing(tmp_path):
    nothing, old_acl = (
        b"\x01\x14\x00\x00",
        b"\x01\x06\x00\x02" + compact("t") + b"\x03" + compact("u") + compact("*") + b"\x03\x03\x00",
    )
    found = image_of(tmp_path, nothing, old_acl)
    assert [(note.offset, note.message) for note in found.notes] == [(1, "AccessControlRecord: an image has no such thing")]


def test_what_does_not_fit_is_noted_and_the_rest_counts(tmp_path):
    found = image_of(tmp_path, PARTITION, TOPIC, record(99, b""), b"\x01\x02\x00\x09")
    assert found.image.topic("orders")
    assert [note.offset for note in found.notes] == [0, 2, 3]
    assert found.notes[0].message.startswith("PartitionRecord: unknown topic id")


def test_differences_are_told_by_kind_and_name(tmp_path):
    values = (TOPIC, PARTITION, change([(1, struct.pack(">i", 2))]))
    before = image_of(tmp_path / "a", *values, until=Until(offset=1))
    after = image_of(tmp_path / "b", *values)
    (only,) = diff_images(before.image, after.image)
    assert (only.what, only.name, only.before["leader"], only.after["leader"]) == ("partition", "orders-0", 1, 2)
    assert diff_images(after.image, after.image) == []


#: Records that a broker of 2.8.2 wrote: the preview's frame, its messages, and a partition change without a leader.
PREVIEW = (
    (
        "00000000000001738b6a8fa0eb4ebeb1108da0f3f961a50000000000000000000000010009504c41494e5445585400093132372e302e302e31a8d500000000"
        "0000ffff"
    ),
    "000800000000010000000000000000",
    "00020000066f7264657273ffefe5b3e5334ab78ed9512204da2973",
    "00030000000000ffefe5b3e5334ab78ed9512204da297300000001000000010000000100000001ffffffffffffffff000000010000000000000000",
    "000500000000" + "00ffefe5b3e5334ab78ed9512204da2973" + "010104ffffffff",
)


def test_the_preview_of_2_8_is_read_under_the_name_it_gave_its_log(tmp_path):
    batches = [encode.batch([encode.R(value=bytes.fromhex(value))], base_offset=at) for at, value in enumerate(PREVIEW)]
    (tmp_path / "meta").mkdir()
    write_log(tmp_path / "meta", batches, "@metadata-0")
    found = read_metadata([tmp_path / "meta"])
    assert (found.notes, found.problems, found.records) == ([], (), 5)
    assert found.image.brokers[1]["fenced"] is False
    state = found.image.topic("orders").partitions[0]
    assert (state.leader, state.leader_epoch, state.isr) == (-1, 1, (1,))


def test_an_unregistered_controller_is_gone_and_one_that_was_never_there_is_noted(tmp_path):
    """A real controller of 4.4 was unregistered with kafka-cluster.sh, and the log goes on."""
    source = [f"{fixture('4.4.0', 'meta-n1').path()}/__cluster_metadata-0"]
    before, after = (read_metadata(source, Until(offset=offset)).image for offset in (307, 308))
    (gone,) = diff_images(before, after)
    assert (gone.what, gone.name, gone.before["controllerId"], gone.after) == ("controller", "2", 2, None)
    assert 2 not in read_metadata(source).image.controllers
    found = image_of(tmp_path, record(29, struct.pack(">i", 7)))
    assert [note.message for note in found.notes] == ["UnregisterControllerRecord: unknown controller 7"]


def test_the_level_of_the_metadata_has_the_name_that_kafkas_tools_take():
    def levels(release, log_dir):
        return [line.split(maxsplit=1) for line in plain(metadata_text(read_metadata([fixture(release, log_dir).path()])))]

    assert ["metadata.version", "33 (4.4-IV2)"] in levels("4.4.0", "dlq")
    assert ["share.version", "2"] in levels("4.4.0", "dlq")
    assert ["metadata.version", "21 (3.9-IV0)"] in levels("3.9.1", "edge")
    assert [metadata_version_name(level) for level in (0, 1, 7, 20, 30, 34, 35)] == [
        "", "3.0-IV1", "3.3-IV3", "3.8-IV0", "4.3-IV0", "4.5-IV0", "",
    ]  # fmt: skip


def test_access_control_entries_are_words_in_the_table(tmp_path):
    entry = b"\x01\x12\x00" + bytes(15) + b"\x09" + b"\x02" + compact("orders") + b"\x04" + compact("User:al") + compact("*")
    for numbers, words in (
        (b"\x04\x03", "ALLOW User:al from *: WRITE on TOPIC PREFIXED orders"),
        (b"\x63\x7f", "127 User:al from *: 99 on TOPIC PREFIXED orders"),
    ):
        batches = [encode.batch([encode.R(value=entry + numbers + b"\x00")])]
        found = read_metadata(write_log(tmp_path / numbers.hex(), batches, "__cluster_metadata-0"))
        assert any(line.endswith(words) for line in plain(metadata_text(found)))
        assert any(line.endswith(words) for line in plain(change_text(read_metadata([], END), found)))
