"""Committed transactions that are told together tell of producers what one by one they would."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kafkalog.core.log import BytesSource, walk
from kafkalog.kafka.scanned_log import ScannedEvent, ScannedLog
from kafkalog.replay.producer_events import EventRecorder, ProducerRun, transaction_end
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.verify.rule import findings_of
from kafkalog.verify.scan.records import RecordLook
from tests import encode
from tests.encode import R

START_MS = 1_600_000_000_000
#: Of a batch: its producer, what it is, the coordinator's epoch of a marker.
steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["data", "data", "commit", "commit", "commit", "abort", "again", "jump", "plain", "fence", "cut"]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=60,
)
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
            sequence = max(0, sequences.get(producer, 0) + {"again": -1, "jump": 2}.get(kind, 0))
            sequences[producer] = sequence + 1
            data += encode.batch(
                [R(0, b"k", b"v")],
                base_offset=offset,
                base_timestamp=time,
                max_timestamp=time,
                base_sequence=sequence,
                attributes=0 if kind == "plain" else 0x10,
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
