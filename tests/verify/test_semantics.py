"""Batches with right checksums: what is legal, however odd, is silent; what contradicts itself is named.

Nothing here comes from a broker: the log dirs are written by `tests.verify.built` around batches of `tests.encode`.
"""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import pytest

from kafkalog.verify import Severity, verify
from tests.encode import CODECS, R, batch, lz4_frame, message, zstd_frame
from tests.verify.built import T0, P, Producer, built, legacy, plain

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

NOW = T0 + 10**8
TOP = (1 << 31) - 1

LEGAL: dict[str, Callable[[pathlib.Path], object]] = {}
LIES: dict[str, tuple[Callable[[pathlib.Path], object], set[str]]] = {}


def legal(build):
    """What this builds must have nothing above INFO."""
    LEGAL[build.__name__] = build
    return build


def lie(*rules):
    """What this builds must be named by these rules, at WARNING or above, and by no other."""

    def add(build):
        LIES[build.__name__] = (build, set(rules))
        return build

    return add


# --- producers ---


@legal
def an_idempotent_producer(root):
    p = Producer(5)
    built(root, [[p.send(0), p.send(3)], [p.send(6), p.send(9)]])


@legal
def sequence_numbers_that_wrap_between_batches(root):
    p = Producer(5, sequence=TOP - 5)
    built(root, [[p.send(0), p.send(3), p.send(6)]])


@legal
def sequence_numbers_that_wrap_inside_a_batch(root):
    p = Producer(5, sequence=TOP - 1)
    built(root, [[p.send(0), p.send(3)], [p.send(6)]])


@legal
def a_batch_that_ends_at_the_last_sequence_number_before_a_new_segment(root):
    p = Producer(5, sequence=TOP - 2)
    built(root, [[p.send(0)], [p.send(3)]])


@legal
def a_producer_that_begins_anew_with_a_higher_epoch(root):
    p = Producer(5)
    first = [p.send(0), p.send(3)]
    p.epoch, p.sequence = 1, 0
    built(root, [[*first, p.send(6), p.send(9)]])


@legal
def a_producer_whose_first_batch_is_not_in_the_log(root):
    p = Producer(5, epoch=3, sequence=4711)
    built(root, [[plain(100)], [p.send(103), p.send(106)]])


@legal
def producers_that_take_turns(root):
    p, q, r = Producer(5), Producer(6), Producer(7)
    built(root, [[p.send(0), q.send(3), p.send(6), r.send(9, 1), q.send(10), p.send(13)]])


@legal
def a_producer_id_that_comes_back_after_the_largest_epoch(root):
    p, q = Producer(5, 32766, transactional=True), Producer(4000, transactional=True)
    built(root, [[p.send(0), p.end(3, bump=1), q.send(4), q.end(7)]])


def _recovered_from_its_start(root, *, entries, epochs=((0, 13),), log_start=13):
    """DeleteRecords up to 13, in the second segment; then a recovery, which knows nothing of what stands below."""
    a, b, c = (Producer(number, transactional=True) for number in (5, 6, 7))
    first = [a.send(0), b.send(3), c.send(6)]
    second = [a.send(9), c.send(12), a.end(15, commit=False), b.end(16, commit=False), c.end(17, commit=False)]
    states = [
        P(5, coordinator_epoch=0, timestamp=T0 + 15000),
        P(6, coordinator_epoch=0, timestamp=T0 + 16000),
        P(7, 0, 5, 14, 2, T0 + 17000, 0),
    ]
    built(root, [first, second], epochs=epochs, log_start=log_start, aborted={9: entries}, snapshots={18: states})


_BY_THE_RECOVERY = [(5, 9, 15, 12), (7, 12, 17, 18)]


@legal
def transactions_that_a_recovery_saw_from_the_log_start_only(root):
    _recovered_from_its_start(root, entries=_BY_THE_RECOVERY)


@legal
def transactions_that_a_recovery_saw_from_the_log_start_only_in_a_directory_without_its_log_dir(root):
    _recovered_from_its_start(root, entries=_BY_THE_RECOVERY)
    for path in root.iterdir():
        if path.is_file():
            path.unlink()


@legal
def transactions_of_before_the_log_start_that_no_recovery_went_over(root):
    _recovered_from_its_start(root, entries=[(5, 0, 15, 3), (6, 3, 16, 6), (7, 6, 17, 18)])


@lie("txnindex-missing-entry")
def an_aborted_transaction_with_data_behind_the_log_start_that_is_not_listed(root):
    _recovered_from_its_start(root, entries=_BY_THE_RECOVERY[:1])


@lie("txnindex-missing-entry", "txnindex-first-offset-mismatch", "txnindex-lso-mismatch", "snapshot-differs-from-log")
def what_a_recovery_of_a_log_from_0_would_have_known(root):
    _recovered_from_its_start(root, entries=_BY_THE_RECOVERY, epochs=((0, 0),), log_start=None)


def _aborted(root, entries):
    """Producer 5 aborts before 6 begins, and 6 before 7 begins; batches of nobody stand in between."""
    a, b, c = (Producer(number, transactional=True) for number in (5, 6, 7))
    batches = [a.send(0, 2), a.end(2, commit=False), plain(3, 1), b.send(4, 2), b.end(6, commit=False), plain(7, 1)]
    batches += [c.send(8, 2), c.end(10, commit=False)]
    built(root, [batches], aborted={0: entries})


@legal
def transactions_of_which_a_follower_appended_each_batch_by_itself(root):
    _aborted(root, [(5, 0, 2, 3), (6, 4, 6, 7), (7, 8, 10, 11)])


@legal
def transactions_that_a_follower_appended_at_once(root):
    _aborted(root, [(5, 0, 2, 4), (6, 4, 6, 8), (7, 8, 10, 11)])


@lie("txnindex-lso-mismatch")
def a_last_stable_offset_where_not_the_next_transaction_begins(root):
    _aborted(root, [(5, 0, 2, 8), (6, 4, 6, 7), (7, 8, 10, 11)])


@lie("txnindex-lso-mismatch")
def a_last_stable_offset_behind_the_end_of_the_log(root):
    _aborted(root, [(5, 0, 2, 3), (6, 4, 6, 7), (7, 8, 10, 12)])


@legal
def a_transaction_that_began_before_the_first_segment(root):
    p = Producer(5, sequence=7, transactional=True)
    batches = [p.send(100), p.end(103, commit=False), p.send(104), p.end(107, commit=False)]
    built(root, [batches], aborted={100: [(5, 90, 103, 80), (5, 104, 107, 80)]}, epochs=[(0, 100)])


@lie("txnindex-first-offset-mismatch")
def a_transaction_behind_a_marker_that_seems_to_begin_before_the_first_segment(root):
    p = Producer(5, sequence=7, transactional=True)
    batches = [p.send(100), p.end(103, commit=False), p.send(104), p.end(107, commit=False)]
    built(root, [batches], aborted={100: [(5, 90, 103, 80), (5, 90, 107, 80)]}, epochs=[(0, 100)])


def _after_a_fence(root, *, pause, leader=0):
    """A marker fences the producer; what it still sends is appended after a pause, or by another leader."""
    p = Producer(5, transactional=True)
    batches = [p.send(0), p.end(3, commit=False)]
    fence = p.end(4, bump=1, commit=False)
    p.epoch, p.sequence = 0, 3
    late = p.send(5, base_timestamp=T0 + 4000 + pause, leader_epoch=leader)
    built(root, [[*batches, fence, late]], aborted={0: [(5, 0, 3, 4)]})


@legal
def a_fenced_producer_that_its_leader_has_forgotten_meanwhile(root):
    _after_a_fence(root, pause=3000)


@legal
def a_fenced_producer_that_a_new_leader_does_not_know(root):
    _after_a_fence(root, pause=10, leader=1)


@lie("producer-epoch-decreases")
def a_fenced_producer_that_goes_on_at_once(root):
    _after_a_fence(root, pause=10)


@legal
def records_whose_deletion_a_crash_undid(root):
    """DeleteRecords cut the epochs at 7; the broker crashed before the log start got its line, and was started and stopped."""
    built(root, [[plain(0), plain(3)], [plain(6), plain(9)]], epochs=[(0, 7)])


@lie("epoch-missing")
def an_epoch_that_the_file_does_not_know_below_the_first_it_knows(root):
    built(root, [[plain(0), plain(3)], [plain(6, leader_epoch=1), plain(9, leader_epoch=1)]], epochs=[(1, 6)])


def _moved_away(root, *, kraft):
    """A replica that was moved to another broker while this one was down: nobody serves it when the broker stops again."""
    built(root, [[plain(0), plain(3)]], kraft=kraft)
    (root / "replication-offset-checkpoint").write_text("0\n1\nother 0 7\n")


@legal
def a_replica_of_the_zookeeper_era_that_was_moved_away_while_its_broker_was_down(root):
    _moved_away(root, kraft=False)


@lie("hw-missing")
def a_replica_of_a_kraft_broker_without_a_high_watermark(root):
    _moved_away(root, kraft=True)


@legal
def a_cleaner_checkpoint_that_knows_an_earlier_topic_of_this_name(root):
    built(root, [[plain(0), plain(3)]], compacted=32)


@lie("cleaner-checkpoint-out-of-range")
def a_cleaner_checkpoint_that_is_negative(root):
    built(root, [[plain(0), plain(3)]], compacted=-5)


def _with_a_hole(root):
    """Two segments with a hole that only the cleaner explains, in a log dir whose cleaner's checkpoint has no line for it."""
    built(root, [[plain(0), plain(6)], [plain(9)]])


@legal
def a_compacted_log_that_waits_to_be_deleted(root):
    _with_a_hole(root)
    (root / "built-0").rename(root / f"built-0.{'ab' * 16}-delete")


@legal
def a_compacted_log_on_its_way_to_another_log_dir(root):
    _with_a_hole(root)
    (root / "built-0").rename(root / f"built-0.{'ab' * 16}-future")


@legal
def a_log_that_was_compacted_on_another_broker_and_got_here_after_the_topic_no_longer_was(root):
    """Records 6 to 8, 12 and 13 were taken away; the second segment is named after the first batch that was appended to it."""
    built(root, [[plain(0), plain(3), plain(9)], [plain(14), plain(17), plain(21)]])


@lie("offset-gap")
def a_hole_in_a_log_that_its_broker_has_never_cleaned(root):
    _with_a_hole(root)


@lie("sequence-gap")
def a_lost_batch_of_a_producer(root):
    p = Producer(5)
    first = p.send(0)
    p.sequence += 2
    built(root, [[first, p.send(3)], [p.send(6)]])


@lie("sequence-gap")
def a_lost_batch_of_a_producer_across_segments(root):
    p, q = Producer(5), Producer(6)
    first = [p.send(0), q.send(3)]
    p.sequence += 2
    built(root, [first, [q.send(6), p.send(9)], [p.send(12)]])


@lie("sequence-gap")
def sequence_numbers_that_skip_over_the_wrap(root):
    p = Producer(5, sequence=TOP - 2)
    first = p.send(0)
    p.sequence = 5
    built(root, [[first], [p.send(3)]])


@lie("sequence-gap")
def a_lost_batch_of_a_producer_in_a_compacted_log_without_a_hole(root):
    p = Producer(5)
    first = p.send(0)
    p.sequence += 2
    built(root, [[first, p.send(3)], [p.send(6)]], compacted=6)


@legal
def batches_of_a_producer_that_the_cleaner_took_away(root):
    p = Producer(5)
    batches = [p.send(3 * n) for n in range(8)]
    built(root, [[batches[0], batches[2]], [batches[5]], [batches[7]]], bases=[0, 9, 18], compacted=18)


@lie("sequence-restart")
def an_epoch_that_a_marker_began_and_whose_first_batch_is_missing(root):
    p = Producer(5, transactional=True)
    first = [p.send(0), p.end(3, bump=1)]
    p.sequence = 4
    built(root, [[*first, p.send(4)], [p.end(7, bump=1)]])


@lie("sequence-duplicate")
def sequence_numbers_that_go_back(root):
    p = Producer(5)
    first = [p.send(0), p.send(3)]
    p.sequence = 1
    built(root, [[*first, p.send(6)]])


@lie("sequence-duplicate")
def sequence_numbers_that_go_back_in_a_compacted_log(root):
    p = Producer(5)
    first = [p.send(0), p.send(3)]
    p.sequence = 1
    built(root, [[*first, p.send(6)]], compacted=0)


@lie("sequence-restart")
def a_new_epoch_that_does_not_begin_with_sequence_0(root):
    p, q = Producer(5, 3), Producer(5, 4, sequence=17)
    built(root, [[p.send(0)], [q.send(3)]])


@lie("producer-epoch-decreases")
def an_epoch_that_goes_down(root):
    p, q = Producer(5, 3), Producer(5, 2)
    built(root, [[p.send(0, step=100), q.send(3, step=100)]])


@lie("batch-producer-fields-missing")
def a_producer_without_a_sequence(root):
    built(root, [[plain(0), plain(3, producer_id=5, producer_epoch=0, base_sequence=-1)]], snapshots={6: []})


@lie("batch-producer-fields-missing")
def a_producer_without_an_epoch(root):
    built(root, [[plain(0), plain(3, producer_id=5, producer_epoch=-1, base_sequence=0)]], snapshots={6: []})


# --- transactions ---


def _control(offset, kind, *, attributes=0x30, epoch=0, **more):
    r = R(key=struct.pack(">hh", 0, kind), value=struct.pack(">hi", 0, 0))
    fields = {"base_offset": offset, "base_timestamp": T0 + 1000 * offset, "producer_id": 5, "producer_epoch": epoch}
    return batch([r], attributes=attributes, **(fields | more))


#: The state of producer 5 after three records and a marker at offset 3.
_ENDED = [P(5, 0, 2, 2, 2, T0 + 3000, 0)]


@legal
def transactions_of_version_1(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3), p.send(4), p.end(7)], [p.send(8), p.send(11), p.end(14)]])


@legal
def transactions_of_version_2(root):
    p = Producer(5, transactional=True)
    batches = [p.send(0), p.end(3, bump=1), p.send(4), p.end(7, bump=1), p.send(8), p.send(11)]
    built(root, [[*batches, p.end(14, bump=1, commit=False)]], aborted={0: [(5, 8, 14, 15)]})


@legal
def a_fenced_transaction_whose_marker_is_two_epochs_ahead(root):
    p = Producer(5, transactional=True)
    batches = [p.send(0), p.end(3, bump=2, commit=False), p.send(4), p.end(7, bump=1)]
    built(root, [batches], aborted={0: [(5, 0, 3, 4)]})


@legal
def transactions_that_overlap(root):
    p, q = Producer(5, transactional=True), Producer(6, transactional=True)
    batches = [p.send(0), q.send(3), p.send(6), p.end(9, commit=False), q.send(10), q.end(13, commit=False)]
    built(root, [batches], aborted={0: [(5, 0, 9, 3), (6, 3, 13, 14)]})


@legal
def a_transaction_over_segments(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0)], [p.send(3)], [p.send(6), p.end(9, commit=False)]], aborted={6: [(5, 0, 9, 10)]})


@legal
def markers_of_transactions_without_data(root):
    p = Producer(5, transactional=True)
    built(root, [[p.end(0), p.end(1, commit=False), p.send(2), p.end(5), p.end(6)]])


@legal
def an_open_transaction(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), plain(3), plain(6)]])


@legal
def coordinators_that_follow_each_other(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3, coordinator_epoch=1), p.send(4), p.end(7, coordinator_epoch=9)]])


@lie("txnindex-missing-entry")
def an_abort_that_is_not_indexed(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3, commit=False), plain(4)]])


@lie("txnindex-extra-entry")
def a_commit_that_is_indexed(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3), plain(4)]], aborted={0: [(5, 0, 3, 4)]})


@lie("txnindex-lso-mismatch")
def an_abort_that_forgets_another_open_transaction(root):
    p, q = Producer(5, transactional=True), Producer(6, transactional=True)
    built(root, [[q.send(0), p.send(3), p.end(6, commit=False), q.end(7)]], aborted={0: [(5, 3, 6, 7)]})


@lie("txn-data-not-transactional")
def data_outside_the_open_transaction_of_the_same_producer(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.send(3, attributes=0), p.end(6)]])


@lie("marker-epoch-decreases", "snapshot-differs-from-log")
def a_marker_of_an_older_epoch(root):
    p = Producer(5, 4, transactional=True)
    built(root, [[p.send(0), p.end(3, producer_epoch=3), p.send(4), p.end(7)]], snapshots={8: [P(5, 3)]})


@lie("marker-coordinator-epoch-decreases")
def a_marker_of_a_fenced_coordinator(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3, coordinator_epoch=7), p.send(4), p.end(7, coordinator_epoch=6)]])


@lie("control-batch-odd")
def a_marker_with_a_sequence(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0), p.end(3, base_sequence=7)]])


@lie("control-batch-odd")
def a_marker_that_is_not_transactional(root):
    built(root, [[Producer(5, transactional=True).send(0), _control(3, 1, attributes=0x20)]])


@lie("control-batch-odd")
def a_compressed_marker(root):
    built(
        root,
        [[Producer(5, transactional=True).send(0), _control(3, 1, attributes=0x31, compress=CODECS[1])]],
        snapshots={4: _ENDED},
    )


@lie("control-batch-odd", "batch-transactional-without-producer")
def a_marker_of_nobody(root):
    built(root, [[plain(0), _control(3, 1, producer_id=-1, producer_epoch=-1)]])


@lie("control-type-unexpected")
def a_control_record_of_another_kind(root):
    built(root, [[Producer(5, transactional=True).send(0), _control(3, 9)]])


@lie("batch-max-timestamp-mismatch")
def a_marker_from_another_time_than_its_record(root):
    built(
        root, [[Producer(5, transactional=True).send(0), _control(3, 1, max_timestamp=T0 + 9_999_999)]], snapshots={4: _ENDED}
    )


# --- records against their header ---


def _odd(records, **more):
    return batch(records, base_offset=3, base_timestamp=T0 + 3000, **more)


def _three(*deltas):
    return [R(delta, b"k%d" % n, b"v") for n, delta in enumerate(deltas)]


@legal
def every_codec(root):
    batches = [plain(3 * n, attributes=codec, compress=CODECS[codec]) for n, codec in enumerate((1, 2, 3, 4))]
    built(root, [[*batches, plain(12)]])


@legal
def a_switch_to_append_time_and_back(root):
    times = [{"attributes": 8, "max_timestamp": T0 + 90_000}, {"attributes": 8, "max_timestamp": T0 + 80_000}]
    built(root, [[plain(0), plain(3, **times[0]), plain(6, **times[1]), plain(9)]])


@legal
def timestamps_that_go_back(root):
    built(root, [[plain(0, base_timestamp=T0 + 50_000), plain(3, base_timestamp=T0), plain(6, base_timestamp=T0 + 90_000)]])


@legal
def records_whose_first_is_not_the_oldest(root):
    records = [R(0, b"a", b"v"), R(1, b"b", b"v", timestamp_delta=-5000), R(2, b"c", b"v", timestamp_delta=700)]
    built(root, [[plain(0), _odd(records), plain(6)]])


@legal
def records_without_a_timestamp(root):
    built(root, [[plain(0, 1, base_timestamp=-1, max_timestamp=-1), plain(1, 1, base_timestamp=-2, max_timestamp=-1)]])


@legal
def what_compaction_leaves(root):
    first = plain(0, records=[R(1, b"a", b"x", timestamp_delta=1)], last_offset_delta=2)
    second = plain(7, records=[R(0, b"b", b"x"), R(4, b"c", None, timestamp_delta=2)], last_offset_delta=5)
    horizon = plain(
        13,
        records=[R(0, b"d", None, timestamp_delta=-9_000_000_000)],
        base_timestamp=T0 + 9_000_013_000,
        max_timestamp=T0 + 13_000,
        attributes=0x40,
    )
    empty = batch(
        b"", base_offset=14, producer_id=5, producer_epoch=0, base_sequence=9, base_timestamp=-1, max_timestamp=T0, count=0
    )
    built(root, [[first, second, horizon, empty], [plain(20)]], compacted=20, snapshots={23: []})


@lie("records-unreadable")
def fewer_records_by_the_header_than_there_are(root):
    built(root, [[plain(0), _odd(_three(0, 1, 2), count=2), plain(6)]])


@lie("records-unreadable", "batch-count-mismatch")
def more_records_by_the_header_than_there_are(root):
    built(root, [[plain(0), _odd(_three(0, 1, 2), count=4), plain(6)]])


@lie("batch-records-missing")
def more_offsets_than_records_behind_a_record_that_no_cleaner_leaves(root):
    built(root, [[plain(0, records=[R(0, None, b"v")]), plain(1, 2), _odd(_three(0, 1, 2), last_offset_delta=5), plain(9)]])


@lie("batch-records-missing")
def a_batch_without_records_behind_a_record_that_no_cleaner_leaves(root):
    emptied = {"producer_id": 5, "producer_epoch": 0, "base_sequence": 9, "base_timestamp": -1, "max_timestamp": T0, "count": 0}
    built(root, [[plain(0, records=[R(0, None, b"v")]), batch(b"", base_offset=1, **emptied), plain(2)]], snapshots={5: []})


@lie("batch-delete-horizon-unexplained")
def a_delete_horizon_behind_a_record_that_no_cleaner_leaves(root):
    tombstone = R(0, b"d", None, timestamp_delta=-(10**8))
    horizon = plain(1, records=[tombstone], base_timestamp=T0 + 10**8, max_timestamp=T0, attributes=0x40)
    built(root, [[plain(0, records=[R(0, None, b"v")]), horizon, plain(2)]])


@lie("batch-count-mismatch", "records-offsets-disordered")
def fewer_offsets_than_records(root):
    built(root, [[plain(0), _odd(_three(0, 1, 2), last_offset_delta=1), plain(5)]])


@lie("records-offsets-disordered")
def the_same_offset_twice(root):
    built(root, [[plain(0), _odd(_three(0, 0, 2)), plain(6)]])


@lie("records-offsets-disordered")
def offsets_in_another_order(root):
    built(root, [[plain(0), _odd(_three(0, 2, 1)), plain(6)]])


@lie("records-offsets-disordered")
def an_offset_behind_the_batch(root):
    built(root, [[plain(0), _odd(_three(0, 1, 7), last_offset_delta=2), plain(6)]])


@lie("records-offsets-disordered")
def an_offset_before_the_batch(root):
    built(root, [[plain(0), _odd(_three(-1, 0, 1), last_offset_delta=2), plain(6)]])


@pytest.mark.parametrize("newest", [T0 + 10**7, T0 + 3000, -1, T0 + 3003])
@pytest.mark.parametrize("codec", [0, 4])
def test_a_largest_timestamp_that_no_record_has_is_named(newest, codec, tmp_path):
    odd = plain(3, max_timestamp=newest, attributes=codec, compress=CODECS.get(codec))
    built(tmp_path / "d1", [[plain(0), odd, plain(6)]])
    assert loud(tmp_path / "d1") == {"batch-max-timestamp-mismatch"}


@lie("records-decompression-failed")
def another_codec_than_the_header_says(root):
    built(root, [[plain(0), plain(3, attributes=4, compress=lz4_frame), plain(6)]])


@lie("records-unreadable")
def compressed_records_under_the_name_of_none(root):
    built(root, [[plain(0), plain(3, attributes=0, compress=zstd_frame), plain(6)]])


# --- between batches and segments ---


@lie("offset-not-monotonic")
def the_same_offsets_again(root):
    built(root, [[plain(0), plain(3), plain(3), plain(6)]])


@lie("offset-gap")
def offsets_that_are_missing_behind_a_repeated_key(root):
    twice = [plain(0, records=[R(n, b"same", b"v") for n in range(3)])]
    built(root, [[*twice, plain(5), plain(8)]])


@lie("offset-gap")
def offsets_that_are_missing_in_a_log_of_several_segments(root):
    built(root, [[plain(0), plain(5)], [plain(8)]])


@legal
def a_partition_that_was_got_from_a_leader_that_had_cleaned_it(root):
    built(root, [[plain(2, 1), plain(5, 1), plain(9, 1), plain(10, 1)]], bases=[0])


@lie("batch-epoch-wrong", "epoch-decreases")
def a_leader_epoch_that_goes_down(root):
    batches = [plain(0, leader_epoch=4), plain(3, leader_epoch=2), plain(6, leader_epoch=4)]
    built(root, [batches], epochs=[(4, 0)])


@legal
def leader_epochs_with_gaps(root):
    first = [plain(0), plain(3, leader_epoch=2), plain(6, leader_epoch=5)]
    built(root, [first, [plain(9, leader_epoch=5), plain(12, leader_epoch=90)]])


# --- snapshots ---


@lie("snapshot-differs-from-log")
def a_snapshot_with_another_sequence(root):
    p = Producer(5)
    built(root, [[p.send(0), p.send(3)]], snapshots={6: [P(5, 0, 7, 5, 2, T0 + 3002)]})


@lie("snapshot-differs-from-log")
def a_snapshot_with_a_producer_that_never_wrote(root):
    p = Producer(5)
    built(root, [[p.send(0)]], snapshots={3: [P(5, 0, 2, 2, 2, T0 + 2), P(9, 0, 2, 2, 2, T0 + 2)]})


@lie("snapshot-producer-missing")
def a_snapshot_without_the_owner_of_an_open_transaction(root):
    p = Producer(5, transactional=True)
    built(root, [[plain(0)], [p.send(3), plain(6)]], snapshots={3: [], 9: []})


@lie("snapshot-producer-missing")
def a_snapshot_without_the_youngest_producer(root):
    p, q = Producer(5), Producer(6)
    batches = [p.send(3), q.send(6)]
    built(root, [[plain(0)], batches], snapshots={3: [], 9: [P(5, 0, 2, 5, 2, T0 + 3002)]})


@legal
def a_snapshot_without_a_producer_that_expired(root):
    p, q = Producer(5), Producer(6)
    built(root, [[plain(0)], [p.send(3), q.send(6)]], snapshots={3: [], 9: [P(6, 0, 2, 8, 2, T0 + 6002)]})


@legal
def empty_snapshots_of_a_start_without_any(root):
    p = Producer(5, transactional=True)
    built(root, [[p.send(0)], [plain(3)]], snapshots={3: [], 6: []})


# --- older formats ---


def _wrapper(last, inner, *, magic=1, attributes=1, **more):
    return message(last, None, gzip.compress(b"".join(inner)), magic=magic, attributes=attributes, **more)


def _inner(*offsets, magic=1):
    return [message(n, b"k%d" % n, b"v", magic=magic, timestamp=T0 + n) for n in offsets]


@legal
def messages_of_magic_0_and_1(root):
    built(root, [[legacy(n, 0) for n in range(4)] + [legacy(n, 1) for n in range(4, 8)]], kraft=False)


@legal
def wrappers_of_magic_1_with_relative_offsets(root):
    batches = [_wrapper(2, _inner(0, 1, 2), timestamp=T0 + 2), _wrapper(5, _inner(0, 1, 2), timestamp=T0 + 2)]
    built(root, [batches], bases=[0], kraft=False)


@legal
def wrappers_of_magic_0_with_absolute_offsets(root):
    batches = [_wrapper(2, _inner(0, 1, 2, magic=0), magic=0), _wrapper(5, _inner(3, 4, 5, magic=0), magic=0)]
    built(root, [batches], bases=[0], kraft=False)


@legal
def a_wrapper_in_append_time(root):
    batches = [_wrapper(2, _inner(0, 1, 2), attributes=9, timestamp=T0 + 200), legacy(3, attributes=8)]
    built(root, [batches], bases=[0], kraft=False)


@legal
def a_topic_that_was_upgraded(root):
    built(root, [[legacy(0, 0), legacy(1, 1), plain(2), plain(5)]], kraft=False)


@legal
def a_topic_that_was_set_back_to_an_older_format_and_forward_again(root):
    batches = [plain(0), legacy(3, 1), legacy(4, 1), plain(5)]
    built(root, [batches], kraft=False, epochs=[(0, 5)])


@lie("legacy-wrapper-timestamp-mismatch")
def a_wrapper_from_another_time_than_its_messages(root):
    built(root, [[_wrapper(2, _inner(0, 1, 2), timestamp=T0 + 77)]], bases=[0], kraft=False)


@lie("legacy-wrapper-offset-mismatch")
def a_wrapper_whose_messages_are_out_of_order(root):
    built(root, [[_wrapper(2, _inner(1, 0, 2), timestamp=T0 + 2)]], bases=[0], kraft=False)


@lie("legacy-wrapper-has-key")
def a_wrapper_with_a_key(root):
    inner = b"".join(_inner(0))
    built(root, [[message(0, b"key", gzip.compress(inner), attributes=1, timestamp=T0), legacy(1)]], kraft=False)


@lie("legacy-inner-magic-differs")
def a_wrapper_around_another_magic(root):
    built(root, [[_wrapper(2, _inner(0, 1, 2, magic=0))]], bases=[0], kraft=False)


@lie("legacy-message-unreadable")
def a_wrapper_inside_a_wrapper(root):
    inner = [_wrapper(0, _inner(0), timestamp=T0)]
    built(root, [[legacy(0), _wrapper(1, inner, timestamp=T0)]], kraft=False)


@lie("legacy-message-unreadable")
def a_wrapper_around_nothing(root):
    built(root, [[legacy(0), _wrapper(1, [], timestamp=T0), legacy(2)]], kraft=False)


@lie("legacy-message-unreadable")
def a_wrapper_of_an_unknown_codec(root):
    built(root, [[legacy(0), message(1, None, b"xxxx", attributes=5, timestamp=T0), legacy(2)]], kraft=False)


@lie("legacy-message-unreadable")
def a_wrapper_without_a_value(root):
    built(root, [[legacy(0), message(1, None, None, attributes=1, timestamp=T0), legacy(2)]], kraft=False)


@lie("offset-not-monotonic")
def messages_out_of_order(root):
    built(root, [[legacy(0), legacy(2), legacy(1), legacy(3)]], kraft=False)


def loud(root):
    report = verify(root, now=NOW)
    assert not [item for item in report.not_checked if item.failed]
    return {f.id for f in report.all_findings() if f.severity > Severity.INFO}


@pytest.mark.parametrize("name", LEGAL.values(), ids=list(LEGAL))
def test_what_clients_and_brokers_do_is_silent(name, tmp_path):
    name(tmp_path / "d1")
    assert loud(tmp_path / "d1") == set()


@pytest.mark.parametrize(("build", "rules"), LIES.values(), ids=list(LIES))
def test_what_contradicts_itself_is_named(build, rules, tmp_path):
    build(tmp_path / "d1")
    assert loud(tmp_path / "d1") == rules
