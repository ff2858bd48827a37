"""Transactions against what the brokers said of them, and against hand-made logs."""

from __future__ import annotations

import pytest

from kafkalog.core.producer_snapshot import ProducerEntry
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.producer_events import TransactionEnd
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.replay.transaction_state import Copy
from kafkalog.replay.transactions import read_transactions
from kafkalog.replay.until import Until
from tests import encode
from tests.internal_topics import accounted, transaction_key, transaction_value
from tests.log_dirs import corpus_log_dirs, fixture, fixture_log_dirs
from tests.replay.test_groups import write_log
from tests.runs import transactional_run

ONGOING, COMPLETE_COMMIT, PREPARE_ABORT = 1, 4, 3


def wrong_ids(case):
    """Transactional ids whose state is not what the admin client said when it looked."""
    truth = case.account().get("ground_truth", {}).get("transactions")
    if not isinstance(truth, list):
        return None
    # The ids may have expired between the look and the end: the last moment at which the newest one had begun.
    until = Until(time=max(item["startMs"] for item in truth) + 3000)
    found = read_transactions([case.path()], until)
    wrong = {}
    for item in truth:
        mine = found.ids.get(item["transactionalId"])
        want = (
            item["producerId"],
            item["producerEpoch"],
            item["state"],
            item["timeoutMs"],
            item["startMs"],
            sorted(item["partitions"]),
        )
        got = mine and (
            mine.producer_id,
            mine.producer_epoch,
            mine.state,
            mine.timeout_ms,
            mine.start_timestamp,
            sorted(f"{topic}-{number}" for topic, number in mine.partitions),
        )
        if want != got:
            wrong[item["transactionalId"]] = (want, got)
    return wrong


def test_transactional_ids_are_as_the_admin_client_told():
    judged = {case.id: wrong for case in fixture_log_dirs() if (wrong := wrong_ids(case)) is not None}
    assert len(judged) >= 5
    assert all(wrong == {} for wrong in judged.values()), judged


def test_transactional_ids_are_as_the_admin_client_told_in_the_whole_corpus():
    assert all(not wrong_ids(case) for case in accounted(corpus_log_dirs()))


@pytest.mark.parametrize("release", ["3.3.2", "3.7.2", "3.9.1", "4.1.1", "4.3.1"])
def test_the_hanging_transaction_is_the_one_that_the_broker_found(release):
    case = fixture(release, "txn")
    truth = case.account()["ground_truth"]["hanging"]
    found = read_transactions([case.path()])
    hanging = [item for item in found.open if item.verdict == "hanging"]
    assert [(item.topic, item.partition, item.producer_id, item.first_offset, item.records) for item in hanging] == [
        (truth["topic"], truth["partition"], truth["producerId"], truth["firstOffset"], truth["records"])
    ]
    assert hanging[0].abort_command.line.endswith(f"abort --topic txn-hang --partition 0 --start-offset {truth['firstOffset']}")
    assert {item.verdict for item in found.open} == {"hanging", "ongoing"}
    assert found.notes == []


def test_without_the_topic_nobody_can_say_whether_a_transaction_hangs():
    path = f"{fixture('4.3.1', 'txn').path()}/txn-hang-0"
    found = read_transactions([path])
    assert [(item.verdict, item.why) for item in found.open] == [("unknown", "no partition of __transaction_state was given")]


def data(offset, producer_id, epoch=0, time=1_000):
    return encode.batch(
        [encode.R(key=b"k", value=b"v")],
        base_offset=offset,
        attributes=0x10,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=0,
        base_timestamp=time,
    )


def coordinator(folder, *states, time=0, clean=True):
    """A log dir with a partition of `__transaction_state`, left by a clean stop."""
    batches = [
        encode.batch([encode.R(key=transaction_key(name), value=value)], base_offset=at, base_timestamp=time)
        for at, (name, value) in enumerate(states)
    ]
    path = write_log(folder, batches, "__transaction_state-0")
    if clean:
        (folder / ".kafka_cleanshutdown").touch()
    return path


@pytest.mark.parametrize(
    ("value", "verdict", "why"),
    [
        (transaction_value(7, ONGOING, [("t", [0])]), "ongoing", "id is in state Ongoing"),
        (transaction_value(7, PREPARE_ABORT, [("t", [0])], epoch=1), "ongoing", "id is in state PrepareAbort"),
        (transaction_value(7, ONGOING, [("t", [1])]), "hanging", "the open transaction of id does not hold this partition"),
        (transaction_value(7, COMPLETE_COMMIT, []), "hanging", "id is in state CompleteCommit: its transaction has ended"),
        (transaction_value(8, ONGOING, [("t", [0])]), "hanging", "no transactional id has this producer id"),
    ],
)
def test_what_the_coordinator_says_decides(tmp_path, value, verdict, why):
    topic = coordinator(tmp_path, ("id", value))
    partition = write_log(tmp_path, [data(0, 7), data(1, 7)], "t-0")
    (item,) = read_transactions([topic, partition]).open
    assert (item.verdict, item.why, item.first_offset, item.last_offset, item.records) == (verdict, why, 0, 1, 2)


def test_who_owns_a_producer_id_is_not_known_while_partitions_of_the_topic_are_missing(tmp_path):
    """The hash of "id" is 3355: partition 0 of one or five, 5 of fifty, 1 of three."""
    value = transaction_value(8, ONGOING, [("t", [0])])

    def verdict(*numbers, home):
        folder = tmp_path / "-".join(map(str, numbers))
        records = {home: [encode.batch([encode.R(key=transaction_key("id"), value=value)])]}
        partition = write_log(folder, [data(0, 7)], "t-0")
        logs = [write_log(folder, records.get(number, []), f"__transaction_state-{number}") for number in numbers]
        (folder / ".kafka_cleanshutdown").touch()
        (item,) = read_transactions([partition, *logs]).open
        assert ("others may" in item.why) == (item.verdict == "unknown")
        return item.verdict

    assert verdict(0, home=0) == "hanging"
    assert verdict(0, 1, 2, home=1) == "hanging"
    assert verdict(0, 2, home=0) == "unknown"  # one is missing between
    assert verdict(0, 1, home=0) == "unknown"  # in one of two it would be in the other
    assert verdict(*range(6), home=5) == "unknown"  # it may be one of fifty
    assert verdict(3, home=3) == "unknown"


def aborted(offset, time):
    return encode.marker(commit=False, offset=offset, producer_id=9, producer_epoch=0, base_timestamp=time)


@pytest.mark.parametrize(
    ("markers", "verdict"),
    [
        ((3000,), "hanging"),
        ((3001,), "unknown"),  # the coordinator's log may end before the transaction began
        ((2000,), "unknown"),  # the partition's log may end before the marker: the coordinator's last word is of 2000
        ((1000, 2001), "hanging"),
        ((), "unknown"),
    ],
)
def test_without_a_clean_stop_later_entries_of_both_logs_prove_that_a_transaction_hangs(tmp_path, markers, verdict):
    topic = coordinator(tmp_path, ("id", transaction_value(7, COMPLETE_COMMIT, [])), time=15 * 60_000 + 3000, clean=False)
    ends = [aborted(1 + at, time) for at, time in enumerate(markers)]
    partition = write_log(tmp_path, [data(0, 7), *ends], "t-0")
    (item,) = read_transactions([topic, partition]).open
    assert item.verdict == verdict
    why = "id is in state CompleteCommit: its transaction has ended"
    assert item.why == (why if verdict == "hanging" else f"{why}; but no clean stop shows that the files are of one moment")


def test_each_of_several_hanging_transactions_blocks_what_follows_it(tmp_path):
    """Records of all producers from its first one on, in later segments too; no markers."""
    topic = coordinator(tmp_path, ("id", transaction_value(7, COMPLETE_COMMIT, [])))
    plain = encode.batch([encode.R(value=b"v")] * 3, base_offset=3)
    first = [data(0, 5), data(1, 7), aborted(2, 9), plain]
    last = [data(6, 8), data(7, 7)]
    partition = write_log(tmp_path, first, "t-0")
    (tmp_path / "t-0" / f"{6:020}.log").write_bytes(b"".join(last))
    found = read_transactions([topic, partition]).open
    sizes = [len(batch) for batch in (*first, *last)]
    del sizes[2]
    assert [(item.producer_id, item.blocked_records, item.blocked_bytes) for item in found] == [
        (5, 7, sum(sizes)),
        (7, 6, sum(sizes[1:])),
        (8, 2, sum(sizes[3:])),
    ]


def test_logs_that_two_clean_stops_left_are_not_of_one_moment(tmp_path):
    topic = coordinator(tmp_path / "one", ("id", transaction_value(7, COMPLETE_COMMIT, [])))
    partition = write_log(tmp_path / "two", [data(0, 7)], "t-0")
    (tmp_path / "two" / ".kafka_cleanshutdown").touch()
    assert read_transactions([topic, partition]).open[0].verdict == "unknown"
    for name, cluster in (("one", "c"), ("two", "c")):
        (tmp_path / name / "meta.properties").write_text(f"broker.id=1\ncluster.id={cluster}\nversion=0\n")
    assert read_transactions([topic, partition]).open[0].verdict == "hanging"
    (tmp_path / "two" / "meta.properties").write_text("broker.id=2\ncluster.id=c\nversion=0\n")
    assert read_transactions([topic, partition]).open[0].verdict == "unknown"


@pytest.mark.parametrize(
    ("log_dir", "topic", "doubt"),
    [
        ("cluster-final-n1", "ledger", "other brokers have replicas of ledger, and this one may have lagged"),
        ("cluster-final-n1", "alone", "other brokers have replicas of __transaction_state, and this one may have lagged"),
        ("txn", "txn-hang", ""),
    ],
)
def test_a_replica_of_several_may_have_lagged(log_dir, topic, doubt):
    image = read_metadata(f"{fixture('3.9.1', log_dir).path()}/__cluster_metadata-0").image
    assert Copy(is_one_stop=True, image=image).doubt(topic, 0) == doubt


def test_before_the_end_nothing_is_proven_to_hang(tmp_path):
    topic = coordinator(tmp_path, ("id", transaction_value(7, COMPLETE_COMMIT, [])), ("id", transaction_value(7, ONGOING, [])))
    partition = write_log(tmp_path, [data(0, 7)], "t-0")
    (item,) = read_transactions([topic, partition], Until(offset=0)).open
    assert (item.verdict, item.why) == ("unknown", "at that moment: id is in state CompleteCommit: its transaction has ended")
    assert read_transactions([topic, partition]).open[0].verdict == "hanging"


def test_nothing_is_proven_to_hang_while_some_of_the_topic_cannot_be_read(tmp_path):
    broken = b"\x00\x00\x00"
    states = ("id", transaction_value(7, COMPLETE_COMMIT, [])), ("other", broken)
    partition = write_log(tmp_path, [data(0, 7)], "t-0")
    (item,) = read_transactions([coordinator(tmp_path, *states), partition]).open
    assert item.verdict == "unknown"
    assert item.why.endswith("its transaction has ended; but not all of __transaction_state could be read")


def test_at_a_time_later_batches_of_the_partitions_do_not_count(tmp_path):
    marker = encode.marker(commit=False, offset=2, producer_id=7, producer_epoch=0, base_timestamp=3000)
    path = write_log(tmp_path, [data(0, 7, time=1000), data(1, 7, time=2000), marker], "t-0")
    assert [item.records for item in read_transactions(path, Until(time=999)).open] == []
    assert [item.records for item in read_transactions(path, Until(time=1500)).open] == [1]
    assert [item.records for item in read_transactions(path, Until(time=2000)).open] == [2]
    assert read_transactions(path, Until(time=3000)).aborted_count == 1


def test_markers_end_transactions_and_are_counted(tmp_path):
    batches = [
        data(0, 7),
        encode.marker(commit=True, offset=1, producer_id=7, producer_epoch=0),
        data(2, 7),
        encode.marker(commit=False, offset=3, producer_id=7, producer_epoch=0, coordinator_epoch=5),
        encode.marker(commit=False, offset=4, producer_id=9, producer_epoch=0),
    ]
    found = read_transactions([write_log(tmp_path, batches, "t-0")])
    assert (found.open, found.committed) == ([], 1)
    assert [(item.producer_id, item.first_offset, item.marker_offset, item.coordinator_epoch) for item in found.aborted] == [
        (7, 2, 3, 5),
        (9, None, 4, 0),
    ]


def test_a_batch_with_a_wrong_checksum_is_noted(tmp_path):
    broken = bytearray(data(0, 7))
    broken[-1] ^= 1
    found = read_transactions([write_log(tmp_path, [bytes(broken), data(1, 8)], "t-0")])
    assert [(note.offset, note.message) for note in found.notes] == [(0, "the batch's CRC is wrong; it counts all the same")]
    assert len(found.open) == 2


def test_an_unknown_state_is_noted_and_shown(tmp_path):
    found = read_transactions([coordinator(tmp_path, ("id", transaction_value(7, 77, [])))])
    assert found.ids["id"].state == "unknown (77)"
    assert [note.message for note in found.notes] == ["unknown state 77 of id"]


def test_a_removed_id_is_gone(tmp_path):
    path = coordinator(tmp_path, ("id", transaction_value(7, COMPLETE_COMMIT, [])), ("id", None))
    assert read_transactions([path]).ids == {}
    assert set(read_transactions([path], Until(offset=0)).ids) == {"id"}


def test_aborted_transactions_go_to_the_caller_who_asks_for_them_one_by_one_and_are_counted():
    path = fixture("2.1.1", "txn").path()
    collected, streamed = read_transactions(path), []
    found = read_transactions(path, on_aborted=streamed.append)
    assert streamed == collected.aborted != []
    assert found.aborted == []
    assert found.aborted_count == collected.aborted_count == len(streamed)


def test_a_table_holds_the_last_aborted_ones_and_says_how_many_are_left_out(capsys, monkeypatch):
    from kafkalog.cli import transactions as command

    monkeypatch.setattr(command, "_MOST_ABORTED", 3)
    command.command.main(["--aborted", fixture("2.1.1", "txn").path()], standalone_mode=False)
    shown = capsys.readouterr().out
    count = read_transactions(fixture("2.1.1", "txn").path()).aborted_count
    assert "Aborted (3)" in shown
    assert f"({count - 3} that were found before these are left out: --format jsonl lists all)" in shown


def test_producers_whose_transactions_have_ended_are_forgotten():
    replay = ProducerReplay()
    ended = TransactionEnd(1, 0, committed=True, coordinator_epoch=0, offset=9, timestamp=9, position=0, size=78)
    replay.feed(SegmentEvents("a.log", [transactional_run(1, 0), transactional_run(2, 3), ended]))
    replay.drop_idle()
    assert set(replay.states) == {2}
    replay.feed(SegmentEvents("b.log", [transactional_run(2, 10)]))
    (item,) = replay.open_transactions("t", 0)
    assert (item.path, item.first_offset, item.last_offset, item.first_timestamp, item.records) == ("a.log", 3, 12, 7, 6)


def test_an_open_transaction_that_a_snapshot_tells_of_is_placed_at_its_first_records_in_the_log():
    replay = ProducerReplay()
    replay.adopt(ProducerEntry(1, 0, 4, 90, 0, 5, -1, 80), "a.log")
    (item,) = replay.open_transactions("t", 0)
    assert (item.path, item.position, item.first_offset, item.last_offset, item.records) == ("a.log", 0, 80, 90, 0)
    replay.feed(SegmentEvents("b.log", [transactional_run(1, 100, position=300), transactional_run(1, 110, position=900)]))
    (item,) = replay.open_transactions("t", 0)
    assert (item.path, item.position, item.first_offset, item.last_offset, item.records) == ("b.log", 300, 80, 112, 6)
    assert replay.first_open_offset() == 80


def marker_of(epoch, offset):
    return TransactionEnd(1, epoch, committed=False, coordinator_epoch=9, offset=offset, timestamp=9, position=0, size=78)


def epochs_told(*events):
    """Which epoch each step comes after, by the step's own: what rules are asked about."""
    steps = []
    replay = ProducerReplay(steps.append)
    replay.feed(SegmentEvents("a.log", events))
    return [(step.run.epoch, step.before.newest_epoch) for step in steps if step.run is not None and step.before is not None]


@pytest.mark.parametrize("epoch", [3, 6])
def test_a_marker_of_another_epoch_sets_the_producer_to_it_and_forgets_its_batches_be_it_higher_or_lower(epoch):
    # ProducerStateManager of Kafka 4.1.1, asked: epoch 3 (6), coordinatorEpoch 9, no transaction, batchMetadata=[].
    replay = ProducerReplay()
    replay.feed(SegmentEvents("a.log", [transactional_run(1, 0, epoch=5)._replace(next_sequence=3), marker_of(epoch, 3)]))
    state = replay.states[1]
    assert (state.epoch, state.last_sequence, state.last_offset, state.offset_delta) == (epoch, -1, -1, 0)
    assert (state.coordinator_epoch, state.first_offset) == (9, -1)


def test_data_after_a_marker_of_a_lower_epoch_are_held_against_the_data_before_it():
    one = transactional_run(1, 0, epoch=5)
    assert epochs_told(one, marker_of(3, 3), transactional_run(1, 4, epoch=4)) == [(4, 5)]
    # What the broker has taken once is what it holds the next batch against.
    lower, other = transactional_run(1, 4, epoch=3), transactional_run(1, 7, epoch=3, sequence=77)
    assert epochs_told(one, lower, other) == [(3, 5), (3, 3)]
