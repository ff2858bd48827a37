"""What verify keeps for logs of many producers and transactions is what a plain look at all of them gives."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.log import NEVER
from kafkalog.core.producer_snapshot import ProducerEntry
from kafkalog.kafka.cleaner_traces import CleanerTraces
from kafkalog.replay.producer_events import Cut, TransactionEnd
from kafkalog.replay.producers import AbortedSpan, ProducerReplay, ProducerState, SegmentEvents
from kafkalog.verify.checks.snapshots import missing_producers
from kafkalog.verify.compaction_history import CompactionHistory, _is_aborted
from tests.runs import transactional_run

ids = st.integers(0, 3)
small = st.integers(0, 9)
states = st.dictionaries(
    ids,
    st.builds(
        lambda last, time, first, seen: ProducerState(
            0, 0, last_offset=last, timestamp=time, first_offset=first, seen_data=seen
        ),
        small,
        small,
        st.integers(-1, 2),
        st.booleans(),
    ),
)
listed = st.lists(
    st.builds(lambda number, time, first: ProducerEntry(number, 0, 0, 0, 0, time, 0, first), ids, small, st.integers(-1, 2))
)


@given(listed, states, small)
def test_missing_producers_are_those_of_a_look_at_all_pairs(entries, known, before):
    known = {
        number: ProducerState(
            number,
            0,
            last_offset=one.last_offset,
            timestamp=one.timestamp,
            first_offset=one.first_offset,
            seen_data=one.seen_data,
        )
        for number, one in known.items()
    }
    older = [
        (known[one.producer_id].last_offset, one.timestamp)
        for one in entries
        if one.current_txn_first_offset < 0 and one.producer_id in known
    ]
    expected = {
        number
        for number, state in known.items()
        if number not in {one.producer_id for one in entries}
        and state.last_offset >= before
        and state.seen_data
        and (state.first_offset >= 0 or any(last < state.last_offset and time <= state.timestamp for last, time in older))
    }
    assert {state.producer_id for state in missing_producers(entries, known, {*known, 99}, before)} == expected


def marker_of(number, offset):
    return TransactionEnd(
        producer_id=number,
        epoch=0,
        committed=False,
        coordinator_epoch=0,
        offset=offset,
        timestamp=offset,
        position=0,
        size=78,
    )


@given(st.lists(st.tuples(st.sampled_from(["data", "abort", "cut"]), ids), max_size=30))
def test_the_replay_tells_who_began_next_and_who_was_heard_of(steps):
    events, expected, open_by, heard, checks = [], [], {}, {}, []
    for offset, (what, number) in enumerate(steps):
        if what == "cut":
            events.append(Cut(offset))
            checks.append(dict(heard))
            continue
        if what == "data":
            events.append(transactional_run(number, offset, 1, sequence=-1, timestamp=offset))
            heard[number] = offset
            if number not in open_by:
                for row in expected:
                    if row[2] < 0 and row[0] != number:
                        row[2] = offset
                open_by[number] = offset
        else:
            events.append(marker_of(number, offset))
            expected.append([number, offset, -1])
            open_by.pop(number, None)
    seen = []
    replay = ProducerReplay(
        lambda _: None,
        lambda offset, _states, _reliable: seen.append((offset, set(replay.heard_of))),
        coordinator=False,
        from_start=True,
    )
    assert [[one.producer_id, one.last_offset, one.next_begin] for one in replay.feed(SegmentEvents("", events))] == expected
    before = 0
    for (offset, heard_of), last in zip(seen, checks, strict=True):
        assert heard_of >= {number for number, at in last.items() if at >= before}
        before = offset


@given(st.lists(st.tuples(ids, st.integers(1, 4), st.integers(0, 3))), ids, small, st.integers(0, 60))
def test_a_batch_is_of_an_aborted_transaction_when_one_of_its_producer_spans_it(rows, producer, base, end):
    spans, at = [], 0
    for number, length, gap in rows:
        spans.append(AbortedSpan(number, at, at + length, None, 0, 78, at))
        at += length + 1 + gap
    history = CompactionHistory(CleanerTraces(()), spans, None)
    traces = CleanerTraces((), is_read=True, first_aborted=min((one.last_offset for one in spans), default=NEVER))
    batch = SimpleNamespace(is_transactional=True, header=SimpleNamespace(producer_id=producer), base_offset=base)
    expected = any(
        one.producer_id == producer and one.first_offset <= base <= one.last_offset and one.last_offset < end for one in spans
    )
    assert _is_aborted(batch, history._aborted_below(end)) == expected
    assert traces.is_uncleaned_below(end) == any(one.last_offset < end for one in spans)
