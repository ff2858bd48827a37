"""Committed transactions that are told together tell of producers what one by one they would."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kafkalog.core.log import BytesSource, walk
from kafkalog.core.release import parse_release
from kafkalog.kafka.failure import BrokerAborts
from kafkalog.kafka.load_context import LoadContext, LoadSettings
from kafkalog.kafka.overlay import Disk
from kafkalog.kafka.producer_states import ProducerStates
from kafkalog.kafka.scanned_log import ScannedEvent, ScannedLog, ScannedProducers
from kafkalog.replay.producer_events import Cut, EventRecorder, LoneRuns, ProducerRun, transaction_end
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.verify.rule import findings_of
from kafkalog.verify.scan.records import RecordLook
from tests import encode
from tests.encode import R

START_MS = 1_600_000_000_000
#: Of a batch: its producer, what it is, the coordinator's epoch of a marker.
kinds = ["data", "data", "commit", "commit", "commit", "abort", "again", "jump", "plain", "jump plain", "fence", "cut"]
steps = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(kinds), st.sampled_from([0, 0, 0, 1])), max_size=60)
mostly_plain = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["plain"] * 6 + kinds), st.just(0)), max_size=20)
WHOLE = [(0, "data", 0), (0, "commit", 0)]


def log_of(steps):
    """The bytes of a log, and the offsets at which the producers' states are wanted."""
    data, offset, sequences, epochs, cuts = bytearray(), 0, {}, {}, []
    for number, (producer, kind, coordinator) in enumerate(steps):
        time = START_MS + number
        if kind == "cut":
            cuts.append(offset)
            continue
        if kind == "fence":
            epochs[producer], sequences[producer] = epochs.get(producer, 0) + 1, 0
        who = {"producer_id": producer, "producer_epoch": epochs.get(producer, 0)}
        if kind in ("commit", "abort", "fence"):
            data += encode.marker(
                commit=kind == "commit", offset=offset, coordinator_epoch=coordinator, base_timestamp=time, **who
            )
        else:
            sequence = max(0, sequences.get(producer, 0) + {"again": -1, "jump": 2, "jump plain": 2}.get(kind, 0))
            sequences[producer] = sequence + 1
            data += encode.batch(
                [R(0, b"k", b"v")],
                base_offset=offset,
                base_timestamp=time,
                max_timestamp=time,
                base_sequence=sequence,
                attributes=0 if kind.endswith("plain") else 0x10,
                **who,
            )
        offset += 1
    return bytes(data), tuple(dict.fromkeys(cuts))


def events_of(data, cuts, *, folds):
    recorder = EventRecorder(cuts, folds=folds)
    look = RecordLook("", None, emit=None, skip=None, compacted=False, kraft=False)
    for batch in walk(BytesSource(data)):
        recorder.reach(batch.base_offset)
        if batch.is_control:
            (record, content) = look.control(batch).records[0]
            recorder.end(transaction_end(batch, batch.base_offset, record.timestamp, content))
        else:
            recorder.data(batch)
    return recorder.finish()


def told(events, later):
    """All that a replay says of two segments, and of the log's end."""
    said, cuts = [], []
    replay = ProducerReplay(
        lambda step: said.extend(findings_of(step)),
        lambda offset, states, _: cuts.append((offset, states_of(states))),
        from_start=True,
    )
    aborts = [replay.feed(SegmentEvents("a.log", events)), replay.feed(SegmentEvents("b.log", later))]
    return said, cuts, aborts, states_of(replay.states), list(replay.open_transactions("t", 0))


def states_of(states):
    return {producer_id: state._replace(run=None) for producer_id, state in states.items()}


@given(steps=steps, later=steps)
@settings(max_examples=60)
@example(steps=[*WHOLE * 4, (1, "data", 0), *WHOLE, (1, "abort", 0), *WHOLE], later=[])
@example(steps=[*WHOLE * 3, (1, "data", 0), *WHOLE], later=[(2, "commit", 0)])
@example(steps=[(2, "data", 0), *WHOLE * 2, (1, "data", 0), (1, "commit", 0), *WHOLE], later=[])
@example(steps=[*[(0, "data", 0), (0, "commit", 1)] * 3, *WHOLE * 3], later=[])
@example(steps=[*WHOLE * 3, (0, "data", 0), (0, "again", 0), (0, "commit", 0), *WHOLE], later=[])
def test_told_together_they_say_the_same(steps, later):
    (data, cuts), (more, _) = log_of(steps), log_of(later)
    one_by_one, folded = (events_of(data, cuts, folds=folds) for folds in (False, True))
    following = events_of(more, (), folds=True)
    assert len(folded) <= len(one_by_one)
    assert told(folded, following) == told(one_by_one, following)


def one_by_one(events):
    """Notes with the runs that are told together as notes of their own, in log order."""
    found = []
    for event in events:
        if isinstance(event, LoneRuns):
            begin = next((at for at in range(len(found), 0, -1) if isinstance(found[at - 1], Cut)), 0)
            found[begin:] = sorted([*found[begin:], *map(event.run_of, event.fields)], key=lambda note: note.position)
        else:
            found.append(event)
    return found


@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["plain"] * 4 + kinds), st.just(0)), max_size=30), later=steps
)
@settings(max_examples=60)
@example(steps=[(0, "jump plain", 0)], later=[])
@example(steps=[(0, "plain", 0)], later=[(0, "plain", 0)])
@example(steps=[(0, "plain", 0)] * 2, later=[(0, "jump plain", 0)])
@example(steps=[(0, "plain", 0)], later=[(0, "fence", 0), (0, "plain", 0)])
@example(steps=[(0, "data", 0)], later=[(0, "plain", 0)])
def test_runs_outside_of_transactions_say_together_what_they_say_one_by_one(steps, later):
    (data, cuts), (more, _) = log_of(steps), log_of(later)
    together, following = events_of(data, cuts, folds=False), events_of(more, (), folds=False)
    (said, *rest), (expected, *others) = told(together, following), told(one_by_one(together), one_by_one(following))
    assert sorted(said, key=repr) == sorted(expected, key=repr)
    assert rest == others


@pytest.mark.parametrize("before", [(), (ScannedEvent(8, 3, 90, 90, is_transactional=False, marker=None),)])
def test_producers_outside_of_transactions_are_taken_over_together(before):
    together = ScannedProducers({7: 10, 8: 11, 9: 12}, 100, 300)
    assert states_after(*before, together) == states_after(*before, *together.events)


def test_one_of_them_with_an_open_transaction_stops_the_broker_all_the_same():
    opened = ScannedEvent(8, 3, 90, 90, is_transactional=True, marker=None)
    with pytest.raises(BrokerAborts, match="wrote outside of it at offset 11"):
        states_after(opened, ScannedProducers({7: 10, 8: 11}, 100, 300))


def states_after(*events):
    """The snapshot that a broker writes after what a scan has found."""
    disk = Disk({})
    states = ProducerStates(LoadContext(disk, LoadSettings(release=parse_release("3.9.1"), clean=True)))
    for event in events:
        if isinstance(event, ScannedProducers):
            states.append_producers(event)
        else:
            states.append_scanned(event)
    states.map_end_offset = 99
    states.take_snapshot()
    return disk.get(f"{99:020d}.snapshot").read()


def test_a_million_transactions_are_a_handful_of_notes():
    data, _ = log_of([(producer, kind, 0) for _ in range(50) for producer in (0, 1) for kind in ("data", "data", "commit")])
    events = events_of(data, (), folds=True)
    assert len(events) == 8
    runs = [event for event in events if isinstance(event, ProducerRun)]
    assert sum(run.records for run in runs) == 200
    assert [run.last_marker for run in runs if run.last_marker > 0] == [len(data) - 78 - len(data) // 100, len(data) - 78]


def test_what_lies_between_two_of_them_is_not_known():
    folded = ScannedEvent(7, 0, 100, 900, is_transactional=True, marker=None, last_marker=1000)
    marker = ScannedEvent(7, 8, 1000, 1000, is_transactional=True, marker=1)
    log = ScannedLog(end=2000, places=((9, 1900),), epochs=(), events=(folded, marker))
    assert log.events_between(0, 2000) == list(log.events)
    for start, end in ((0, 500), (0, 1000), (500, 2000)):
        assert log.events_between(start, end) is None, (start, end)
