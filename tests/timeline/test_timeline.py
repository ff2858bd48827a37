"""What happened when, against what brokers, controllers and clients say."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import re
import shutil
from collections import Counter
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.files.partition import Partition
from kafkalog.plot.overview import overview_of
from kafkalog.replay.image import Image
from kafkalog.timeline.api import timeline_of
from kafkalog.timeline.event import KINDS, SOURCES
from kafkalog.timeline.partition_events import partition_events
from kafkalog.timeline.topic_settings import TopicSettings, settings_of
from tests.encode import R, batch, marker
from tests.log_dirs import CORPUS, FIXTURES, fixture

NOW = 1_798_761_600_000
HOUR = 3_600_000
START = 1_700_000_000_000


def events_of(*paths, **options):
    return timeline_of([str(path) for path in paths], NOW, **options).events


def kinds_of(events):
    return Counter(event.kind for event in events)


def log_of(folder, **segments):
    folder.mkdir(parents=True)
    for name, batches in segments.items():
        (folder / f"{int(name[1:]):020}.log").write_bytes(b"".join(batches))
    return folder


def one(offset, time=START, **more):
    return batch([R(value=b"x" * 100)], base_offset=offset, base_timestamp=time, **more)


def run(*words):
    done = CliRunner().invoke(main, ["timeline", *map(str, words), "--now", f"@{NOW}"], standalone_mode=False)
    return done.return_value, done.output, done.exception


def test_events_come_by_time_and_name_their_clock():
    events = events_of(fixture("4.3.1", "edge").path())
    times = [event.time for event in events if event.time is not None]
    assert times == sorted(times)
    assert {event.source for event in events} <= set(SOURCES)
    assert {event.kind for event in events} <= KINDS.keys()


def test_topics_leaders_and_brokers_are_told_by_the_controllers_clock():
    events = events_of(fixture("4.3.1", "edge").path())
    told = [event for event in events if event.source == "controller"]
    image = kafkalog.read_metadata(fixture("4.3.1", "edge").path()).image
    created = {event.facts["topic"] for event in told if event.kind == "topic-created"}
    assert created >= {topic.name for topic in image.topics.values()} != set()
    leaders = {}
    for event in told:
        if event.kind == "leader-elected":
            leaders[event.facts["topic"], event.facts["partition"]] = event.facts["leader"]
    for topic in image.topics.values():
        for number, state in topic.partitions.items():
            assert leaders[topic.name, number] == state.leader
    assert {event.facts["broker"] for event in told if event.kind == "broker-registered"} >= set(image.brokers)


def test_every_transaction_has_its_begin_and_its_end():
    path = fixture("3.7.2", "txn").path()
    for name, still_open in (("txn-0", 0), ("txn-hang-0", 1)):
        control = [one for one in kafkalog.open_partition(f"{path}/{name}").batches() if one.is_control]
        ends = Counter(next(iter(one.records())).key[-1] for one in control)  # 0: abort, 1: commit
        found = kinds_of(events_of(f"{path}/{name}"))
        assert (found["transaction-aborted"], found["transaction-committed"]) == (ends[0], ends[1])
        assert found["transaction-open"] == still_open
        assert found["transaction-begun"] == len(control) + still_open > 0


def test_a_segment_is_rolled_for_a_reason_where_one_shows(tmp_path):
    week = 7 * 24 * HOUR
    by_time = log_of(tmp_path / "time-0", s0=[one(0)], s1=[one(1, START + week)])
    by_size = log_of(tmp_path / "size-0", s0=[one(0), one(1)], s2=[one(2), one(3)], s4=[one(4)])
    by_offset = log_of(tmp_path / "offset-0", s0=[one(0)], s4294967296=[one(1 << 32)])
    no_reason = log_of(tmp_path / "none-0", s0=[one(0)], s1=[one(1)])
    why = {
        path.name: [event.facts["why"] for event in events_of(path) if event.kind == "segment-rolled"]
        for path in (by_time, by_size, by_offset, no_reason)
    }
    assert why == {"time-0": ["time"], "size-0": ["size", "size"], "offset-0": ["offsets"], "none-0": [None]}


def test_a_roll_lies_between_the_last_write_to_the_log_and_the_snapshot_that_it_left(tmp_path):
    path = log_of(tmp_path / "orders-0", s0=[one(0)], s1=[one(1)])
    (path / f"{1:020}.snapshot").write_bytes(b"")
    for name, time in ((f"{0:020}.log", START), (f"{1:020}.snapshot", START + 40_000)):
        os.utime(path / name, (time // 1000, time // 1000))
    (rolled,) = (event for event in events_of(path) if event.kind == "segment-rolled")
    assert (rolled.facts["not_before"], rolled.time, rolled.source) == (START, START + 40_000, "file-mtime")
    assert "its .log was last written at 2023-11-14 22:13:20 UTC" in rolled.message
    # A stop at the offset of the roll leaves a snapshot earlier, which the roll does not write again.
    (path / f"{0:020}.index").write_bytes(b"")
    os.utime(path / f"{0:020}.index", (START // 1000 + 60, START // 1000 + 60))
    (rolled,) = (event for event in events_of(path) if event.kind == "segment-rolled")
    assert rolled.time == START + 60_000


def test_epochs_gaps_and_damage_are_told(tmp_path):
    damaged = one(3, START + 2000) + b"\x00" * 7 + b"not a batch of any kind" * 4 + one(9, START + 9000, leader_epoch=4)
    path = log_of(tmp_path / "orders-0", s0=[one(0), damaged])
    (path / "leader-epoch-checkpoint").write_text("0\n2\n0 0\n7 400\n")
    events = {event.kind: event for event in events_of(path)}
    found = kinds_of(events_of(path))
    assert (found["gap"], found["damage"], found["epoch-started"], found["truncated?"]) == (2, 1, 2, 1)
    assert events["truncated?"].offset == 400
    assert events["damage"].time == START + 2000


def test_a_producer_that_goes_on_with_a_higher_epoch_is_told(tmp_path):
    begun = {"producer_id": 7, "base_sequence": 0}
    batches = [
        one(0, producer_epoch=3, **begun),
        one(1, START + 1, producer_epoch=4, **begun),
        one(2, producer_epoch=4, **begun),
    ]
    (raised,) = (
        event for event in events_of(log_of(tmp_path / "orders-0", s0=batches)) if event.kind == "producer-epoch-raised"
    )
    assert (raised.offset, raised.facts) == (1, {"producer_id": 7, "producer_epoch": 4, "before": 3})


def test_append_times_and_markers_are_the_brokers_clock(tmp_path):
    data = one(1, producer_id=7, producer_epoch=0, base_sequence=0, attributes=0x10)
    path = log_of(
        tmp_path / "orders-0", s0=[one(0, attributes=8), data, marker(commit=True, offset=2, producer_id=7, producer_epoch=0)]
    )
    sources = {event.kind: event.source for event in events_of(path)}
    assert sources["segment-created"] == "append"
    assert sources["transaction-committed"] == "append"


def test_brokers_are_merged_and_named():
    paths = [fixture("4.1.1", name).path() for name in ("meta-n1", "meta-n2")]
    events = events_of(*paths)
    assert {event.broker for event in events} == {"1", "2"}
    code, output, _ = run(*paths, "--kind", "broker-registered")
    assert code == 0
    assert len([line for line in output.splitlines() if "broker-registered: broker" in line]) >= 2


def test_a_timestamp_that_cannot_be_right_is_no_time(tmp_path):
    path = log_of(tmp_path / "orders-0", s0=[one(0, time=9_999_999_999_999_999)])
    (created,) = (event for event in events_of(path) if event.kind == "segment-created")
    assert created.time is None
    assert "without a time" in run(path)[1]


def test_since_until_and_kind_choose():
    path = fixture("4.3.1", "edge").path()
    everything = events_of(path)
    middle = sorted(event.time for event in everything if event.time is not None)[len(everything) // 2]
    before, after = events_of(path, until=middle), events_of(path, since=middle)
    assert len(before) + len(after) == sum(event.time is not None for event in everything)
    assert set(kinds_of(events_of(path, kinds={"epoch-started"}))) == {"epoch-started"}
    assert "Did you mean gap" in str(run(path, "--kind", "gaps")[2])


def test_the_text_has_a_line_for_each_event_under_its_day_and_says_whose_clocks_these_are():
    path = fixture("4.3.1", "edge").path()
    code, output, _ = run(path)
    assert code == 0
    lines = output.splitlines()
    events = events_of(path)
    assert sum(
        bool(re.match(r"(\d\d:\d\d:\d\d\.\d{3}|-?\d+| {12})\s+(record|append|controller|file-mtime) ", line)) for line in lines
    ) == len(events)
    days = [line for line in lines if re.fullmatch(r"\d{4}-\d\d-\d\d", line)]
    assert days == sorted(set(days))
    assert lines[-1].startswith(f"{len(events):,} events. Times, in UTC: ")


def test_json_lines_have_one_shape_and_timesketch_has_what_it_asks_for():
    path = fixture("4.3.1", "edge").path()
    rows = [json.loads(line) for line in run(path, "--format", "jsonl")[1].splitlines()]
    fields = {
        "schema",
        "type",
        "time",
        "timestamp",
        "time_source",
        "kind",
        "broker",
        "partition",
        "path",
        "offset",
        "message",
        "facts",
    }
    assert all(row.keys() == fields for row in rows[:-1])
    assert rows[-1]["events"] == len(rows) - 1 == len(events_of(path))
    sketch = [json.loads(line) for line in run(path, "--format", "timesketch")[1].splitlines() if line.startswith("{")]
    assert len(sketch) == sum(row["timestamp"] is not None for row in rows[:-1])
    for row in sketch:
        assert row["message"]
        assert row["timestamp_desc"]
        assert datetime.fromisoformat(row["datetime"]).tzinfo is not None


def test_what_cannot_be_read_is_named_and_the_rest_is_told(tmp_path):
    code, output, _ = run(fixture("4.3.1", "edge").path(), tmp_path / "none")
    assert code == 3
    assert "no such file" in output
    assert "epoch-started" in output


def test_a_file_is_refused_with_what_to_give_instead():
    log = FIXTURES / "broker/2.1.1/plain/twitter-status-0/00000000000000000000.log"
    error = run(log)[2]
    assert isinstance(error, kafkalog.RequestError)
    assert "made of log dirs and partition directories" in str(error)


def test_the_same_events_stand_on_the_page(tmp_path):
    shutil.copytree(FIXTURES / "broker/2.1.1/plain/twitter-status-0", tmp_path / "twitter-status-0")
    (tmp_path / "twitter-status-0/00000000000000000147.log").unlink()
    page = kafkalog.verify(tmp_path / "twitter-status-0", now=NOW).to_html()
    for event in events_of(tmp_path / "twitter-status-0"):
        assert f">{event.kind}</td>" in page
        assert event.message.split("'")[0] in page


def test_tombstones_of_a_compacted_log_are_told_once_for_each_segment(tmp_path):
    delete = [R(key=b"k", value=None)]
    kept = batch([R(key=b"a", value=b"x")], base_timestamp=START)
    early = [R(key=b"k", value=None, timestamp_delta=1000 - HOUR)]
    horizon = batch(early, base_offset=1, base_timestamp=START + HOUR, max_timestamp=START + 1000, attributes=0x40)
    # A null without a key deletes nothing.
    later = batch([*delete, R(1, key=None, value=None)], base_offset=3, base_timestamp=START + 2000)
    path = log_of(tmp_path / "data/users-0", s0=[kept, horizon, later], s5=[batch(delete, base_offset=5)])
    assert not kinds_of(events_of(path))["tombstones"]
    (tmp_path / "data/cleaner-offset-checkpoint").write_text("0\n1\nusers 0 5\n")
    first, second = (event for event in events_of(tmp_path / "data") if event.kind == "tombstones")
    facts = {event.offset: event.facts for event in (first, second)}
    assert facts[1] == {"tombstones": 2, "last_offset": 3, "delete_horizon": START + HOUR}
    assert facts[5] == {"tombstones": 1, "last_offset": 5, "delete_horizon": None}
    assert {event.offset: event.time for event in (first, second)}[1] == START + 2000
    assert "eligible-for-retention" not in kinds_of(events_of(tmp_path / "data"))


def test_a_segment_is_old_enough_when_the_newest_record_up_to_it_is(tmp_path):
    week = 7 * 24 * HOUR
    segments = {"s0": [one(0, START + 9000), one(1)], "s2": [one(2, START + 5000)], "s3": [one(3, START + 20_000)]}
    path = log_of(tmp_path / "orders-0", **segments)
    (path / f"{0:020}.timeindex").write_bytes((START + 9000).to_bytes(8, "big") + bytes(4))
    told = {event.offset: event for event in events_of(path) if event.kind == "eligible-for-retention"}
    assert {offset: event.time - week - START for offset, event in told.items()} == {0: 9000, 2: 9000, 3: 20_000}
    assert all(event.source == "record" and "Kafka's default" in event.message for event in told.values())
    assert told[0].facts["is_default"] is True


def test_settings_of_the_topic_decide_where_the_metadata_log_has_them(tmp_path):
    log_of(tmp_path / "orders-0", s0=[one(0)])
    image = Image()
    image.configs["topic", "orders"] = {"retention.ms": "60000", "segment.bytes": "100", "cleanup.policy": "compact,delete"}
    image.configs["topic", "users"] = {"cleanup.policy": "compact", "segment.ms": "no number"}
    found = settings_of(Partition(str(tmp_path / "orders-0")), image)
    assert (found.retention_ms, found.is_retention_known, found.segment_bytes) == (60_000, True, 100)
    assert (found.compacts, found.deletes) == (True, True)
    log_of(tmp_path / "users-0", s0=[one(0)])
    found = settings_of(Partition(str(tmp_path / "users-0")), image)
    assert (found.compacts, found.deletes, found.segment_ms, found.segment_bytes) == (True, False, 7 * 24 * HOUR, None)


def test_a_roll_by_size_is_told_by_the_size_that_the_topic_has(tmp_path):
    partition = Partition(str(log_of(tmp_path / "size-0", s0=[one(0), one(1)], s2=[one(2), one(3)], s4=[one(4)])))
    overview, size = overview_of(partition.segments, NOW), len(one(0))
    for most, why in ((3 * size - 1, "size"), (3 * size, None)):
        events = partition_events(partition, "", overview, TopicSettings(segment_bytes=most)).events
        assert [event.facts["why"] for event in events if event.kind == "segment-rolled"] == [why, why]


def test_groups_commit_once_an_hour_however_often_they_do():
    path = fixture("2.8.2", "groups").path()
    found = kafkalog.read_groups(path)
    committed = {commit.group for commit in found.offsets}
    events = [event for event in events_of(path) if event.kind == "group-committed"]
    assert {event.facts["group"] for event in events} >= committed != set()
    assert {event.source for event in events} == {"append"}
    # Coordinators write the whole log, by their own clock.
    own = [event for event in events_of(path) if event.partition.startswith("__consumer_offsets")]
    assert {event.source for event in own if event.kind in ("segment-created", "tombstones")} == {"append"}
    assert all(event.facts["commits"] >= event.facts["partitions"] > 0 for event in events)
    hours = Counter((event.facts["group"], event.time // HOUR, event.partition) for event in events)
    assert set(hours.values()) == {1}


def test_commits_of_an_aborted_transaction_are_none(tmp_path):
    key = b"\x00\x01" + b"\x00\x01g" + b"\x00\x01t" + bytes(4)
    value = b"\x00\x03" + bytes(8) + bytes(4) + b"\x00\x00" + START.to_bytes(8, "big")
    begun = {"producer_id": 7, "producer_epoch": 0, "base_sequence": 0, "attributes": 0x10}
    for commit in (False, True):
        batches = [
            batch([R(key=key, value=value)], base_timestamp=START, **begun),
            marker(commit=commit, offset=1, producer_id=7, producer_epoch=0),
        ]
        path = log_of(tmp_path / f"{commit}/__consumer_offsets-0", s0=batches)
        assert kinds_of(events_of(path))["group-committed"] == commit


def test_a_leader_epoch_names_its_leader_where_the_metadata_log_tells_of_the_election():
    path = fixture("4.3.1", "edge").path()
    image = kafkalog.read_metadata(path).image
    states = {f"{topic.name}-{number}": state for topic in image.topics.values() for number, state in topic.partitions.items()}
    events = events_of(path)
    last = {(event.facts["topic"], event.facts["partition"]): event for event in events if event.kind == "leader-elected"}
    for topic in image.topics.values():
        for number, state in topic.partitions.items():
            assert last[topic.name, number].facts["epoch"] == state.leader_epoch
    begun = [event for event in events if event.kind == "epoch-started" and event.partition in states]
    named = [event for event in begun if event.facts["leader"] is not None]
    assert len(named) >= 5
    for event in named:
        if event.facts["epoch"] == states[event.partition].leader_epoch:
            assert event.facts["leader"] == states[event.partition].leader
            assert f"broker {states[event.partition].leader}" in event.message


def test_copies_of_the_metadata_log_tell_each_event_once():
    paths = [fixture("4.1.1", name).path() for name in ("meta-n1", "meta-n2")]
    decisions = [(event.time, event.kind, event.offset) for event in events_of(*paths) if event.source == "controller"]
    assert len(decisions) == len(set(decisions)) > 0
    assert {event.kind for event in events_of(paths[0]) if event.source == "controller"} <= {one[1] for one in decisions}


def test_a_deleted_segment_of_another_epoch_shows_where_the_log_was_cut(tmp_path):
    path = log_of(tmp_path / "orders-0", s0=[one(0), one(1), one(2, START + 5000, leader_epoch=1), one(3, leader_epoch=1)])
    (path / f"{2:020}.log.deleted").write_bytes(one(2))
    (path / f"{2:020}.snapshot").write_bytes(b"")
    os.utime(path / f"{2:020}.snapshot", (START // 1000, START // 1000))
    (cut,) = (event for event in events_of(path) if event.kind == "truncated?")
    assert (cut.offset, cut.time, cut.source) == (2, START, "file-mtime")
    assert cut.facts == {"epoch": 1, "deleted_epoch": 0, "deleted": 2}
    (path / f"{2:020}.log.deleted").write_bytes(one(2, leader_epoch=1))
    assert "truncated?" not in kinds_of(events_of(path))


# --- against the brokers' own logs ---

_STAMP = r"\[([\d-]+ [\d:,]+)\] "
_ROLLED = re.compile(_STAMP + r"INFO .*?([\w.-]+-\d+)[ ,\]'].*Rolled new log segment at offset (\d+)")
_LEADS = re.compile(_STAMP + r"INFO .*\bLeader ([\w.-]+-\d+) starts at leader epoch (\d+) from offset (\d+)")


def _broker_logs():
    found = sorted(pathlib.Path(CORPUS).glob("*/*/*.broker.log.gz")) if CORPUS else []
    return [path for path in found if path.with_name(path.name.removesuffix(".broker.log.gz")).is_dir()]


def _said(path, pattern):
    """What a broker's log says of each partition: its time in milliseconds, and the rest."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = pattern.match(line)
            if match is not None:
                stamp = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
                yield int(stamp.timestamp() * 1000), match.groups()[1:]


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
def test_rolls_lie_where_the_brokers_say_they_were():
    exact = between = 0
    for log in _broker_logs():
        log_dir = log.with_name(log.name.removesuffix(".broker.log.gz"))
        rolled = {(event.partition, event.offset): event for event in events_of(log_dir, kinds={"segment-rolled"})}
        said = {(partition, int(offset)): time for time, (partition, offset) in _said(log, _ROLLED)}
        for place, time in said.items():
            event = rolled.get(place)
            # What was rolled may be deleted or cleaned since, and what the cleaner writes has other times.
            if event is None or event.time is None or "users-0" in place or "compacting-0" in place:
                continue
            # The corpus keeps whole seconds.
            assert event.facts["not_before"] - 1000 <= time <= event.time + 1999, (log, place)
            exact += abs(event.time - time) <= 1999
            between += 1
    assert between > 100
    assert exact > between * 0.7


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
def test_the_last_election_is_when_the_epoch_file_was_written():
    checked = 0
    for log in _broker_logs():
        log_dir = log.with_name(log.name.removesuffix(".broker.log.gz"))
        written = {
            event.partition: event for event in events_of(log_dir, kinds={"checkpoint-written"}) if "epoch" in event.facts
        }
        said = {partition: (time, int(epoch)) for time, (partition, epoch, _) in _said(log, _LEADS)}
        for partition, (time, epoch) in said.items():
            event = written.get(partition)
            if event is not None and event.facts["epoch"] == epoch:
                # A restart says so again, and a recovery or a truncation writes the file once more.
                checked += abs(event.time - time) <= 1999
    assert checked >= 15


_CUT = re.compile(_STAMP + r"INFO \[(?:Unified)?Log partition=([\w.-]+-\d+), dir=\S+\] Truncating to offset (\d+)")


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
def test_a_truncation_leaves_a_snapshot_of_its_time():
    checked = 0
    for log in _broker_logs():
        log_dir = log.with_name(log.name.removesuffix(".broker.log.gz"))
        saved = {(event.partition, event.offset): event for event in events_of(log_dir, kinds={"snapshot-written"})}
        for (partition, offset), time in {(place, int(at)): time for time, (place, at) in _said(log, _CUT)}.items():
            event = saved.get((partition, offset))
            # What a later start finds needless, it removes.
            if event is not None and event.time is not None:
                assert abs(event.time - time) <= 1999, (log, partition, offset)
                checked += 1
    assert checked >= 2
