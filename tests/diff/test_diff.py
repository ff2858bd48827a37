"""`kafkalog diff` and `kafkalog.diff`: where replicas differ, and what each would throw away."""

from __future__ import annotations

import json
import os
import re

import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.core.checkpoint import EpochEntry
from kafkalog.diff import logical
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.follower import ReplicaLog, truncation
from tests.encode import R, batch, gzip_member, marker, message
from tests.encode import record as encoded
from tests.log_dirs import corpus_log_dirs, fixture
from tests.real_kafka.epoch_histories import RECORDED, elected, history
from tests.verify.lab import Lab

NEWEST = (4, 4, 0)
LEDGER = "3.9.1/cluster-final-n1/ledger-0"


def replica(folder, *batches, name="orders-0", start=0, epochs=None):
    """A partition directory with one segment of these batches."""
    where = folder / name
    where.mkdir(parents=True)
    (where / f"{start:020d}.log").write_bytes(b"".join(batches))
    if epochs is not None:
        text = "".join(f"{epoch} {offset}\n" for epoch, offset in epochs)
        (where / "leader-epoch-checkpoint").write_text(f"0\n{len(epochs)}\n{text}")
    return where


def values(base, *texts, epoch=0, keys=None, **more):
    """A batch of records with these values, each with the key `k` and its value unless keys are given."""
    keys = keys or [f"k{text}" for text in texts]
    records = [
        R(offset_delta=at, key=None if key is None else key.encode(), value=None if text is None else text.encode())
        for at, (key, text) in enumerate(zip(keys, texts, strict=True))
    ]
    return batch(records, base_offset=base, leader_epoch=epoch, **more)


def one(a, b, **more):
    (pair,) = kafkalog.diff(a, b, **more).pairs
    return pair


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["diff", *map(str, arguments)], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == status, done.output
    return done


def lines(*arguments, status=0):
    return [json.loads(line) for line in run(*arguments, "--format", "jsonl", status=status).stdout.splitlines()]


# --- what a follower truncates ------------------------------------------------------------------------------------------


def cache(entries):
    return LeaderEpochs([EpochEntry(*entry) for entry in entries])


@pytest.mark.parametrize("row", json.loads(RECORDED.read_text()), ids=str)
def test_a_follower_asks_and_truncates_as_with_kafkas_own_epoch_cache(row):
    follower, end, leader, leader_end, new, truncated, steps = row
    assert elected(leader, leader_end, new)[-1] == (new, leader_end)
    found = truncation(ReplicaLog(cache(follower), 0, end), ReplicaLog(cache(leader), 0, leader_end), NEWEST)
    assert (found.offset, [list(step) for step in found.steps]) == (truncated, steps)


def test_a_follower_without_epochs_goes_by_its_high_watermark():
    leader = ReplicaLog(cache([(0, 0)]), 0, 105)
    found = truncation(ReplicaLog(cache([]), 0, 90, 79), leader, NEWEST)
    assert (found.offset, found.by_high_watermark, found.steps) == (79, True, ())
    unknown = truncation(ReplicaLog(cache([]), 0, 90), leader, NEWEST)
    assert unknown.offset is None
    assert unknown.why == "the follower has no leader epochs, and its high watermark is not known"


def test_before_two_oh_the_leader_answers_with_an_offset_and_is_not_asked_again():
    follower, leader = ReplicaLog(cache([(0, 0), (2, 60)]), 0, 90), ReplicaLog(cache([(0, 0), (1, 50), (3, 70)]), 0, 105)
    old, new = (truncation(follower, leader, release) for release in ((1, 1, 1), (2, 0, 0)))
    assert (old.offset, [tuple(step) for step in old.steps]) == (70, [(2, 2, 70)])
    assert (new.offset, [tuple(step) for step in new.steps]) == (50, [(2, 1, 70), (0, 0, 50)])


def test_a_leader_with_an_empty_log_makes_its_follower_throw_everything_away():
    found = truncation(ReplicaLog(cache([(0, 0)]), 0, 90), ReplicaLog(cache([]), 0, 0), NEWEST)
    assert found.offset == 0


def test_a_follower_that_ends_before_the_leaders_log_starts_starts_over():
    found = truncation(ReplicaLog(cache([(0, 0)]), 0, 90), ReplicaLog(cache([(0, 200)]), 200, 300), NEWEST)
    assert (found.offset, found.starts_over) == (200, True)


def cut_by_the_broker(before, after):
    """The first offset of a follower's log that is not in it after it has followed its new leader."""
    pair = one(before, after)
    return pair.log_end[0] if pair.first_difference is None else pair.first_difference.offset


def test_a_replica_is_cut_where_the_real_follower_cut_it():
    before, leader, after = (
        fixture("3.9.1", f"cluster-{name}").path() for name in ("n2-divergent", "n3-divergent", "final-n2")
    )
    for name, offset in (("risky-0", 60), ("risky-idem-0", 40)):
        found = one(f"{before}/{name}", f"{leader}/{name}")
        assert found.if_a_follows_b.truncate_to == cut_by_the_broker(f"{before}/{name}", f"{after}/{name}") == offset
        assert found.if_a_follows_b.records_lost == found.a_only.records == found.log_end[0] - offset


def test_every_divergent_replica_of_the_corpus_is_cut_where_the_real_follower_cut_it():
    places = {(case.release, case.workload): case.path() for case in corpus_log_dirs()}
    compared = 0
    for release in sorted({release for release, _ in places}):
        for before, leader, after in (
            ("diverge-before-b0", "diverge-mid-b1", "diverge-after-b0"),
            ("cluster-n2-divergent", "cluster-n3-divergent", "cluster-final-n2"),
            ("cluster-n1-lagging", "cluster-n2-divergent", "cluster-final-n1"),
        ):
            if (release, before) not in places:
                continue
            a, b, c = (places[release, name] for name in (before, leader, after))
            for name in sorted(set(os.listdir(a)) & set(os.listdir(b)) & set(os.listdir(c))):
                if not re.fullmatch(r"(stock|risky|risky-idem|ledger|ledger-txn)-0", name):
                    continue
                version = None if release.startswith("0.10") else release
                predicted = one(f"{a}/{name}", f"{b}/{name}", kafka_version=version).if_a_follows_b.truncate_to
                # Before epochs the follower keeps what differs below its high watermark.
                real = 79 if version is None else cut_by_the_broker(f"{a}/{name}", f"{c}/{name}")
                assert predicted == real, (release, before, name)
                compared += 1
    assert compared >= 24


# --- where they differ ---------------------------------------------------------------------------------------------------


def test_equal_replicas_have_no_difference(tmp_path):
    first, second = (Lab(tmp_path / name, LEDGER) for name in ("d1", "d2"))
    pair = one(first.dir, second.dir)
    assert (pair.relation, pair.outcome, pair.first_difference) == ("equal", "equal", None)
    assert pair.same_through_offset == pair.log_end[0] - 1 == 264
    assert pair.topic_id_equal is True
    assert (pair.if_a_follows_b.truncate_to, pair.if_a_follows_b.records_lost) == (265, 0)
    run(first.root, second.root)


def test_the_same_bytes_of_another_epoch_are_a_kind_of_their_own(tmp_path):
    first, second = (Lab(tmp_path / name, LEDGER) for name in ("d1", "d2"))
    second.field(0, 2, seal=False, partition_leader_epoch=9)
    pair = one(first.dir, second.dir)
    assert pair.first_difference.kind == "epoch"
    assert dict(pair.differences) == {"epoch": 1}
    assert (pair.a_only.records, pair.b_only.records) == (0, 0)
    position = sum(map(len, first.batches(0)[:2]))
    assert [place[1] for place in pair.first_difference.places] == [position, position]


def test_a_flipped_byte_is_a_difference_although_both_headers_say_the_same(tmp_path):
    first, second = (Lab(tmp_path / name, LEDGER) for name in ("d1", "d2"))
    size = len(second.batches(0)[0])
    second.patch(second.path(0), size - 1, bytes([second.batches(0)[0][-1] ^ 1]))
    pair = one(first.dir, second.dir)
    assert (pair.first_difference.kind, pair.first_difference.offset, pair.same_through_offset) == ("bytes", 0, None)


def test_a_batch_that_is_missing_in_the_middle_is_a_difference_and_one_at_the_end_is_not(tmp_path):
    batches = [values(0, "a", "b"), values(2, "c"), values(3, "d", "e"), values(5, "f")]
    whole = replica(tmp_path / "1", *batches)
    holed = replica(tmp_path / "2", batches[0], *batches[2:])
    pair = one(whole, holed)
    assert (pair.first_difference.kind, pair.first_difference.offset, pair.same_through_offset) == ("missing", 2, 1)
    assert pair.first_difference.places[1] is None
    assert pair.a_only.offsets == ((2, 2),)
    short = one(whole, replica(tmp_path / "3", *batches[:2]))
    assert (short.relation, short.first_difference, short.a_only.offsets) == ("b-is-prefix", None, ((3, 5),))
    assert one(replica(tmp_path / "4"), whole).relation == "a-is-prefix"


def test_the_end_of_a_log_is_that_of_an_empty_last_segment_too(tmp_path):
    batches = [values(0, "a"), values(1, "b")]
    compacted = replica(tmp_path / "2", batches[0])
    (compacted / f"{2:020d}.log").write_bytes(b"")
    pair = one(replica(tmp_path / "1", *batches), compacted)
    assert (pair.relation, pair.first_difference.kind) == ("diverge", "missing")
    assert pair.log_end == (2, 2)


def test_records_that_retention_has_deleted_in_one_replica_are_no_difference(tmp_path):
    batches = [values(0, "a", "b"), values(2, "c"), values(3, "d")]
    whole, later = replica(tmp_path / "1", *batches), replica(tmp_path / "2", *batches[1:], start=2)
    pair = one(whole, later)
    assert (pair.relation, pair.compared_from, pair.same_through_offset, pair.log_start) == ("equal", 2, 3, (0, 2))
    assert pair.a_only.offsets == ((0, 1),)


def test_other_sizes_and_offsets_that_go_back_have_their_names(tmp_path):
    whole = replica(tmp_path / "1", values(0, "a", "b"), values(2, "c"))
    rebatched = one(whole, replica(tmp_path / "2", values(0, "a"), values(1, "b"), values(2, "c")))
    assert dict(rebatched.differences) == {"size": 2}
    back = one(whole, replica(tmp_path / "3", values(0, "a", "b"), values(2, "c"), values(1, "b")))
    assert dict(back.differences) == {"order": 1}


def test_bytes_that_are_no_batch_are_counted(tmp_path):
    batches = [values(0, "a"), values(1, "b"), values(2, "c")]
    damaged = replica(tmp_path / "2", batches[0], b"\xff" * len(batches[1]), batches[2])
    pair = one(replica(tmp_path / "1", *batches), damaged)
    assert pair.damaged_bytes == (0, len(batches[1]))
    sound = tmp_path / "1/orders-0"
    lines = run(sound, damaged, status=1).stdout.splitlines()
    at = next(at for at, line in enumerate(lines) if f"{len(batches[1])} bytes of B are no batch" in line)
    line = f"kafkalog salvage -o NEWDIR --replica {sound} {damaged}"
    assert [one.strip() for one in lines[at + 1 : at + 3]] == [f"kafkalog verify {damaged}", line]


def test_what_a_follower_throws_away_is_kept_by_the_command_that_is_printed(tmp_path):
    longer = replica(tmp_path / "1", *(values(at, "a", epoch=at // 2) for at in range(4)))
    shorter = replica(tmp_path / "2", *(values(at, "a", epoch=0) for at in range(2)))
    text = run(longer, shorter).stdout
    assert text.count("to keep these:") == 1
    words = text.partition("to keep these: kafkalog ")[2].splitlines()[0].split()
    assert words == ["salvage", "-o", "NEWDIR", "--offsets", "2:", str(longer)]
    new = tmp_path / "new"
    kept = CliRunner().invoke(main, [str(new) if word == "NEWDIR" else word for word in words], standalone_mode=False)
    assert (kept.exception, kept.return_value) == (None, 0)
    assert [record.offset for record in kafkalog.open_partition(new).records()] == [2, 3]
    assert f"kafkalog dump --print-data-log {new}" in kept.output


def test_messages_before_epochs_are_compared_too(tmp_path):
    same = [message(at, b"k", b"v%d" % at) for at in range(3)]
    pair = one(replica(tmp_path / "1", *same), replica(tmp_path / "2", *same[:2], message(2, b"k", b"w2")))
    assert (pair.first_difference.kind, pair.first_difference.offset) == ("bytes", 2)
    assert pair.if_a_follows_b.by_high_watermark
    assert pair.if_a_follows_b.records_lost is None


# --- record by record ----------------------------------------------------------------------------------------------------


def test_recompressed_and_rebatched_records_are_logically_equal(tmp_path):
    records = [R(offset_delta=at, key=b"k%d" % at, value=b"v") for at in range(4)]
    packed = batch(gzip_member(b"".join(map(encoded, records))), attributes=1, count=4, last_offset_delta=3)
    halves = [
        batch(records[:2]),
        batch([R(offset_delta=at, key=b"k%d" % (at + 2), value=b"v") for at in range(2)], base_offset=2),
    ]
    a, b = replica(tmp_path / "1", packed), replica(tmp_path / "2", *halves)
    assert one(a, b).relation == "diverge"
    pair = one(a, b, logical=True)
    assert pair.logical == (4, 0, (0, 0), (0, 0), (None, None))
    assert (pair.relation, pair.outcome) == ("diverge", "equal")
    run(a, b, status=1)
    assert "hold the same records" in run(a, b, "--logical").stdout


def test_compaction_is_told_from_loss_by_keys(tmp_path):
    keys = ["x", "y", "x", "z", None, "y"]
    batches = [values(at, None if key == "z" else f"v{at}", keys=[key]) for at, key in enumerate(keys)]
    whole = replica(tmp_path / "1", *batches)
    compacted = one(whole, replica(tmp_path / "2", batches[2], batches[4], batches[5]), logical=True)
    assert (compacted.logical.superseded, compacted.logical.lost, compacted.outcome) == ((3, 0), (0, 0), "equal")
    lossy = one(whole, replica(tmp_path / "3", batches[0], batches[1], batches[3], batches[5]), logical=True)
    assert (lossy.logical.superseded, lossy.logical.lost, lossy.logical.lost_offsets[0]) == ((0, 0), (2, 0), (2, 4))
    assert lossy.outcome == "diverge"
    shown = run(whole, tmp_path / "3/orders-0", "--logical", status=1).stdout
    assert "B lacks 2 records of A, and compaction does not explain it: offsets 2..4." in shown


def test_records_of_aborted_transactions_may_be_missing(tmp_path):
    aborted = values(0, "a", attributes=0x10, producer_id=7, producer_epoch=0, base_sequence=0)
    end = [marker(commit=False, offset=1, producer_id=7, producer_epoch=0), values(2, "b")]
    pair = one(replica(tmp_path / "1", aborted, *end), replica(tmp_path / "2", *end), logical=True)
    assert (pair.logical.superseded, pair.logical.lost) == ((1, 0), (0, 0))


def test_more_keys_than_are_held_give_the_same_answer(tmp_path, monkeypatch):
    batches = [values(at, f"v{at}", keys=[f"k{at % 40}"]) for at in range(80)]
    lost = {50, 71}
    kept = [one for at, one in enumerate(batches) if at >= 40 and at not in lost]
    whole, other = replica(tmp_path / "1", *batches), replica(tmp_path / "2", values(0, "v0", keys=["k0"]), *kept)
    at_once = one(whole, other, logical=True).logical
    assert (at_once.lost, at_once.superseded) == ((2, 0), (39, 0))
    monkeypatch.setattr(logical, "_MOST_KEYS", 3)
    assert one(whole, other, logical=True).logical == at_once


def test_records_that_differ_are_shown_with_the_payload_that_is_asked_for(tmp_path):
    a = replica(tmp_path / "1", values(0, "a"), values(1, "b"), values(2, "c"))
    b = replica(tmp_path / "2", values(0, "a"), values(1, "\x1b[31m"))
    shown = run(a, b, "--show", "5", status=1).stdout
    assert [line.split("  ")[1:3] for line in shown.splitlines() if line.startswith(("  A o", "  B o"))] == [
        ["A other", "offset 1"],
        ["A only", "offset 2"],
        ["B other", "offset 1"],
    ]
    assert "key: kb  value: b" in shown
    assert "\x1b" not in shown
    found = [line for line in lines(a, b, "--show", "1", "--payload", "length", status=1) if line["type"] == "record"]
    assert [(line["side"], line["kind"], line["offset"], line["value"]) for line in found] == [
        ("A", "other", 1, {"length": 1}),
        ("B", "other", 1, {"length": 5}),
    ]
    (first, _) = (line for line in lines(a, b, "--show", "1", status=1) if line["type"] == "record")
    assert first["value"] == {"hex": "62"}
    assert "kb" not in run(a, b, "--show", "5", "--payload", "none", status=1).stdout


# --- which are paired ------------------------------------------------------------------------------------------------------


def test_log_dirs_are_paired_by_topic_id_and_else_by_name(tmp_path):
    def metadata(where, topic_id):
        (where / "partition.metadata").write_text(f"version: 0\ntopic_id: {topic_id}\n")

    for number, names in enumerate((("old-0", "same-0", "here-0", "again-0"), ("new-0", "same-0", "there-0", "again-0")), 1):
        for name in names:
            replica(tmp_path / str(number), values(0, name[:3]), name=name)
    metadata(tmp_path / "1/old-0", "AAAAAAAAAAAAAAAAAAAAAQ")
    metadata(tmp_path / "2/new-0", "AAAAAAAAAAAAAAAAAAAAAQ")
    metadata(tmp_path / "1/again-0", "AAAAAAAAAAAAAAAAAAAAAg")
    metadata(tmp_path / "2/again-0", "AAAAAAAAAAAAAAAAAAAAAw")
    found = kafkalog.diff(tmp_path / "1", tmp_path / "2")
    pairs = [(os.path.basename(pair.a), os.path.basename(pair.b), pair.topic_id_equal) for pair in found.pairs]
    assert pairs == [("old-0", "new-0", True), ("same-0", "same-0", None)]
    only = sorted((one.side, os.path.basename(one.path)) for one in found.unpaired)
    assert only == [("A", "again-0"), ("A", "here-0"), ("B", "again-0"), ("B", "there-0")]


def test_of_three_paths_all_pairs_are_compared_or_those_with_the_leader(tmp_path):
    paths = [replica(tmp_path / str(count), *(values(at, "v") for at in range(count))) for count in (1, 2, 3)]
    assert [pair.sides for pair in kafkalog.diff(*paths).pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    led = kafkalog.diff(*paths, leader="B").pairs
    assert [(pair.sides, pair.if_a_follows_b is None, pair.if_b_follows_a is None) for pair in led] == [
        (("A", "B"), False, True),
        (("B", "C"), True, False),
    ]
    assert led[1].if_b_follows_a.truncate_to == 2


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        (["1/a-0"], {}, "diff compares from two to 26 paths, not 1"),
        (["1", "2"], {}, "have no partition in common, by topic id or name"),
        (["1/a-0", "2/b-0"], {"leader": "C"}, "'C' is none of the paths: they are called A, B"),
        (["1/a-0", "2/b-0/00000000000000000000.log"], {}, "is a file: give partition directories or log dirs"),
        (["1/a-0", "2/b-0"], {"kafka_version": "9"}, "9"),
        (["1/a-0", "2/b-0"], {"logical": 1}, "logical is bool, not int"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path, names, options, told):
    replica(tmp_path / "1", values(0, "a"), name="a-0")
    replica(tmp_path / "2", values(0, "a"), name="b-0")
    with pytest.raises(RequestError, match=re.escape(told)):
        kafkalog.diff(*(tmp_path / name for name in names), **options)


def test_a_path_that_is_not_there_and_a_file_that_cannot_be_read_are_no_equal_replicas(tmp_path):
    a = replica(tmp_path / "1", values(0, "a"))
    with pytest.raises(UnreadableFile):
        kafkalog.diff(a, tmp_path / "2")
    b = replica(tmp_path / "2", values(0, "a"))
    log = b / f"{0:020d}.log"
    log.unlink()
    os.mkfifo(log)
    done = run(a, b, status=3)
    assert "is a FIFO" in done.stderr
    (problem, summary) = lines(a, b, status=3)
    assert (problem["type"], summary["not_read"], summary["pairs"]) == ("not_read", 1, 0)


# --- what is printed -------------------------------------------------------------------------------------------------------


def test_the_lines_have_what_the_library_gives():
    before, leader = (fixture("3.9.1", f"cluster-{name}").path() for name in ("n2-divergent", "n3-divergent"))
    found = kafkalog.diff(before, leader)
    told = lines(before, leader, status=1)
    assert all(line["schema"] == "kafkalog.diff/1" for line in told)
    pairs = [line for line in told if line["type"] == "pair"]
    for line, pair in zip(pairs, found.pairs, strict=True):
        assert (line["a"], line["relation"], line["log_end"]) == (pair.a, pair.relation, list(pair.log_end))
        assert line["if_a_follows_b"]["truncate_to"] == pair.if_a_follows_b.truncate_to
        assert line["if_a_follows_b"]["steps"] == [list(step) for step in pair.if_a_follows_b.steps]
        assert line["a_only"]["bytes"] == pair.a_only.size
    assert found.diverge
    assert told[-1] == {
        "schema": "kafkalog.diff/1", "type": "summary",
        "pairs": 7, "equal": 4, "prefix": 1, "diverge": 2, "unpaired": 0, "not_read": 0,
    }  # fmt: skip


def test_the_text_says_who_would_lose_what():
    before, leader = (f"{fixture('3.9.1', f'cluster-{name}').path()}/risky-0" for name in ("n2-divergent", "n3-divergent"))
    shown = run(before, leader, "--leader", "B", status=1).stdout
    assert "risky-0  A and B diverge from offset 60 on\n" in shown
    assert (
        "if A follows B  it cuts its log to offset 60, and loses 30 records, 4.2 KiB (epoch 0 ends at 60 in B; Kafka 4.4.0)\n"
        in shown
    )
    assert "if B follows A" not in shown
    run(before, leader, "--exit-zero")
    commands = re.findall(r"kafkalog (show --at \d+ \S+)", shown)
    assert len(commands) == 2
    for command in commands:
        done = CliRunner().invoke(main, command.split(), standalone_mode=False)
        assert "baseOffset" in done.output
        assert "60" in done.output


def test_nothing_under_a_path_is_changed(tmp_path):
    first, second = (Lab(tmp_path / name, LEDGER) for name in ("d1", "d2"))
    before = {path: (path.read_bytes() if path.is_file() else None) for path in tmp_path.rglob("*")}
    kafkalog.diff(first.root, second.root, logical=True, show=3)
    assert {path: (path.read_bytes() if path.is_file() else None) for path in tmp_path.rglob("*")} == before


def test_the_recorded_histories_are_those_that_are_made():
    rows = json.loads(RECORDED.read_text())
    assert [json.loads(json.dumps(history(seed))) for seed in range(len(rows))] == [row[:5] for row in rows]
    assert len(rows) >= 20
    assert {len(row[6]) for row in rows} >= {0, 1, 2}


def test_verify_names_the_diff_of_replicas_that_diverge():
    before, leader = (f"{fixture('3.9.1', f'cluster-{name}').path()}/risky-0" for name in ("n2-divergent", "n3-divergent"))
    report = kafkalog.verify([before, leader])
    (found,) = [finding for finding in report.all_findings() if finding.id == "replica-diverges"]
    (command,) = found.commands
    words = command.line.split()
    assert words[:2] == ["kafkalog", "diff"]
    assert "diverge from offset 60 on" in run(*words[2:], status=1).stdout
