"""What each rule must be silent on: it looks like the fault of the rule's proof, and nothing is wrong."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any

from tests import encode
from tests.encode import R
from tests.internal_topics import transaction_key, transaction_value
from tests.verify.lab import BROKER, NOW, Case, Lab, batches_of, changed_in_each_look, fields, header, message, seal
from tests.verify.proofs import (
    AIVEN,
    COMPACT,
    KILLED,
    KRAFT,
    META,
    NO_OP,
    OLD,
    PLAIN,
    RISKY,
    TIER,
    TIER_WITH_DELETED,
    TIERED,
    TIERED_AND_DELETED,
    TXN,
    aiven_keys,
    appended,
    as_it_is,
    change_meta,
    copies,
    epochs,
    idempotent,
    index,
    inner,
    last_offset,
    last_segment_of_size,
    marker_bytes,
    snapshot_entries,
    state_of,
    times,
    txn,
    wrapper,
    write_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERS = "2.8.2/repl-b1/orders-0"

#: Near misses that are made: what is done makes nothing wrong.
NEAR: dict[str, Case] = {}


def near(name: str, *sources: str, meanwhile: Callable[..., Any] | None = None, **options: Any):
    def add(change: Callable[..., object]):
        assert name not in NEAR, name
        NEAR[name] = Case(sources, change, options, meanwhile)
        return change

    return add


def nearly(name: str, source: str, change: Callable[[Lab], object]) -> None:
    near(name, source)(change)


@near("delete-directory", PLAIN)
def _(lab):
    lab.dir.rename(lab.root / "twitter-status-0.0123456789abcdef0123456789abcdef-delete")
    for path in lab.root.glob("*/*.log"):
        path.unlink()


@near("delete-records", PLAIN)
def _(lab):
    lab.checkpoint("log-start-offset-checkpoint", 40)
    (lab.dir / "leader-epoch-checkpoint").write_bytes(b"0\n1\n0 40\n")


@near("checkpoint-empty", PLAIN)
def _(lab):
    lab.crashed()
    for name in ("cleaner-offset-checkpoint", "log-start-offset-checkpoint"):
        (lab.root / name).write_bytes(b"")


@near("copied-without-meta", PLAIN)
def _(lab):
    for path in lab.root.iterdir():
        if path.is_file():
            path.unlink()


@near("remote-log-index-cache", KRAFT + "/ledger-0")
def _(lab):
    (lab.root / "remote-log-index-cache").mkdir()


@near("half-of-the-partitions", PLAIN)
def _(lab):
    lab.lines("recovery-point-offset-checkpoint", ["twitter-status 0 533", "gone 0 5"])


@near("marker-and-a-foreign-directory", PLAIN)
def _(lab):
    shutil.copytree(BROKER / KILLED, lab.root / "stock-0")
    lab.lines("recovery-point-offset-checkpoint", ["twitter-status 0 533", "stock 0 0"])


@near("epoch-at-end", PLAIN)
def _(lab):
    last = header(lab.batches(-1)[-1])
    end = last.base_offset + last.last_offset_delta + 1
    epochs(f"0\n2\n0 0\n1 {end}\n".encode())(lab)


_TOP = (1 << 31) - 1


@near("sequence-wrap", PLAIN)
def _(lab):
    idempotent(lab, (7, 0, _TOP - 2, 3), (7, 0, 0, 3), (8, 0, _TOP - 1, 5), (8, 0, 3, 2))


@near("first-segment-deleted-by-retention", TXN)
def _(lab):
    for path in lab.dir.glob(f"{0:020d}.*"):
        path.unlink()


@near("producer-unknown", PLAIN)
def _(lab):
    idempotent(lab, (7, 3, 4711, 3), (7, 3, 4714, 3), (7, 4, 0, 3))


# --- headers ---
def _at(number, at, **fields):
    return lambda lab: lab.field(number, at, **fields)


def _end(lab):
    """The offset after the last batch."""
    last = header(lab.batches(-1)[-1])
    return last.base_offset + last.last_offset_delta + 1


def _append(lab, *records, **more):
    """Append a batch to the log of a broker that was killed."""
    lab.crashed()
    lab.append(lab.path(-1), encode.batch(list(records), base_offset=_end(lab), base_timestamp=1_790_000_000_000, **more))


nearly("epoch-outside-the-checksum", PLAIN, _at(1, 2, partition_leader_epoch=1, seal=False))
nearly("last-codec-that-there-is", PLAIN, _at(1, 2, attributes=4))
nearly("offsets-up-to-the-largest", PLAIN, _at(1, 21, base_offset=(1 << 63) - 1, last_offset_delta=0))
nearly("emptied-batch-of-a-producer", PLAIN, lambda lab: _emptied(lab, producer_id=7, producer_epoch=0, base_sequence=3))
nearly("base-timestamp-minus-one", PLAIN, _at(1, 2, base_timestamp=-1))
nearly("horizon-after-its-records", PLAIN, _at(1, 2, attributes=0x40, base_timestamp=1550000090700))
nearly("producer-of-zeros", PLAIN, _at(1, 2, attributes=0x10, producer_id=0, producer_epoch=0, base_sequence=0))
nearly("old-message-appended", PLAIN, appended(lambda offset: message(offset, 1, b"x")))


def _emptied(lab, **producer):
    """Append the header that the cleaner leaves of a batch."""
    lab.crashed()
    bare = {"last_offset_delta": 1, "records_count": 0, "attributes": 0, "base_timestamp": -1}
    lab.append(lab.path(-1), seal(fields(lab.batches(-1)[-1][:61], base_offset=_end(lab), **bare, **producer)))


# --- records ---
nearly("version-1-of-a-marker", TXN, lambda lab: lab.change(1, 10, marker_bytes(5, b"\0\1")))


# --- order ---
def _two_bases(first, second):
    """Two wrong base offsets in a row: the neighbours of neither prove which one it had."""
    return lambda lab: [lab.field(1, 2, base_offset=first), lab.field(1, 3, base_offset=second)]


def _ends_above_its_segment(distance):
    def change(lab):
        delta = header(lab.batches(-1)[-1]).last_offset_delta
        lab.field(-1, -1, base_offset=int(lab.path(-1).stem) + distance - delta)

    return change


nearly("base-at-the-segments", PLAIN, _two_bases(74, 75))
nearly("last-offset-that-an-index-can-hold", PLAIN, _ends_above_its_segment(0x7FFFFFFF))


@near("directory-of-another-length", PLAIN)
def _(lab):
    lab.checkpoint("recovery-point-offset-checkpoint", 532)
    lab.dir.rename(lab.root / "other-0")


@near("epoch-rises-in-the-last-segment", PLAIN)
def _(lab):
    for at in range(len(lab.batches(-1))):
        lab.field(-1, at, partition_leader_epoch=1)
    epochs(b"0\n2\n0 0\n1 476\n")(lab)


def _dated(timestamp):
    return _at(-1, -1, base_timestamp=timestamp, max_timestamp=timestamp)


nearly("dated-a-day-from-now", PLAIN, _dated(NOW + 86_400_000))
nearly("dated-2011", PLAIN, _dated(1_293_840_000_000))
nearly("dated-1970", PLAIN, _dated(0))


def _one_record_dated(timestamp):
    return lambda lab: _append(lab, R(0, b"k", b"v"), R(1, b"k", b"v", timestamp_delta=timestamp - 1_790_000_000_000))


nearly("one-record-of-2011", PLAIN, _one_record_dated(1_293_840_000_000))


# --- tails ---
@near("batch-that-ends-in-zeros", PLAIN)
def _(lab):
    _append(lab, R(0, b"k", bytes(500)))


@near("batch-in-a-record", PLAIN)
def _(lab):
    """The log ends in the first half of a batch, which is the value of a record."""
    _append(lab, R(0, b"k", lab.batches(0)[0][:-20]))


# --- .index ---
nearly("index-entry-of-a-first-offset", PLAIN, lambda lab: index(lab, 11, 115 - 74, 8420))
nearly("index-entry-of-the-next-batch", PLAIN, lambda lab: index(lab, 10, 114 - 74, 7555))
nearly("index-entry-of-the-last-batch", PLAIN, lambda lab: index(lab, -1, 138 - 74, 13849))
nearly("index-without-its-last-entry", PLAIN, lambda lab: lab.cut(lab.path(1, ".index"), -8))
nearly("indexes-trimmed-after-a-crash", PLAIN, lambda lab: lab.crashed())


def _preallocated(index_size, timeindex_size):
    def change(lab):
        lab.crashed()
        os.truncate(lab.path(-1, ".index"), index_size)
        os.truncate(lab.path(-1, ".timeindex"), timeindex_size)

    return change


nearly("indexes-of-one-setting", PLAIN, _preallocated(4088, 4092))  # segment.index.bytes of 4092 to 4095, rounded down


# --- .timeindex ---
nearly("timeindex-entry-of-the-same-offset", PLAIN, lambda lab: times(lab, 1, 1550000082267, 82 - 74))
nearly("timeindex-entry-of-the-last-batch", PLAIN, lambda lab: times(lab, -1, 1550000146156, 138 - 74))
nearly("timeindex-entry-of-a-first-offset", PLAIN, lambda lab: times(lab, 1, 1550000090699, 83 - 74))
nearly("batch-before-one-millisecond-younger", PLAIN, _at(1, 1, max_timestamp=1550000090698))


@near("timeindex-of-a-crash", PLAIN)
def _(lab):
    lab.crashed()
    lab.cut(lab.path(-1, ".timeindex"), -12)


@near("timeindex-emptied-by-a-crash", PLAIN)
def _(lab):
    lab.crashed()
    lab.path(-1, ".timeindex").write_bytes(b"")


# --- .txnindex ---
nearly("txnindex-without-its-last-entry", TXN, lambda lab: lab.cut(lab.path(2, ".txnindex"), -34))
nearly("txnindex-of-a-follower", TXN, lambda lab: txn(lab, 0, lso=67))


# --- .snapshot ---
nearly("snapshot-entry-up-to-the-end", TXN, lambda lab: lab.snapshot(-1, 0, last_offset=120))
nearly("oldest-snapshot-deleted", TXN, lambda lab: min(lab.dir.glob("*.snapshot")).unlink())
nearly("snapshot-of-no-producer", TXN, lambda lab: write_snapshot(max(lab.dir.glob("*.snapshot")), []))


@near("snapshot-last-deleted-after-a-crash", TXN)
def _(lab):
    lab.crashed()
    max(lab.dir.glob("*.snapshot")).unlink()


@near("snapshot-without-the-oldest-producer", TXN)
def _(lab):
    """As producer.id.expiration.ms would have it."""
    path = max(lab.dir.glob("*.snapshot"))
    entries = snapshot_entries(path)
    write_snapshot(path, [entry for entry in entries if entry is not min(entries, key=last_offset)])


# --- leader-epoch-checkpoint ---
nearly("epoch-one-higher-one-later", PLAIN, epochs(b"0\n2\n0 0\n1 1\n"))
nearly("epoch-file-empty-beside-old-messages", OLD, epochs(b""))


@near("first-segment-and-its-epoch-deleted", PLAIN)
def _(lab):
    for path in lab.dir.glob(f"{0:020d}.*"):
        path.unlink()
    epochs(b"0\n1\n0 74\n")(lab)


# --- producers ---
nearly("idempotent-without-a-transaction", PLAIN, lambda lab: idempotent(lab, (7, 0, 0, 3)))
nearly("marker-of-the-next-epoch", TXN, _at(-1, -1, producer_epoch=1))
nearly("marker-of-the-next-coordinator", TXN, lambda lab: lab.change(-1, -1, marker_bytes(12, b"\0\0\0\1")))


@near("another-producer-inside-a-transaction", TXN)
def _(lab):
    lab.write(-1, lab.batches(-1)[:-1])
    idempotent(lab, (77, 0, 0, 2))


# --- names ---
nearly(
    "logs-and-epochs",
    PLAIN,
    lambda lab: [p.unlink() for p in lab.dir.iterdir() if p.suffix in (".index", ".timeindex", ".snapshot")],
)
nearly("tmp-directory", PLAIN, lambda lab: (lab.dir / "notes.tmp").mkdir())
nearly("topic-called-version", PLAIN, lambda lab: lab.dir.rename(lab.root / "version-2"))


nearly("copy-beside-its-segment", PLAIN, lambda lab: shutil.copy(lab.path(1), lab.path(1, ".LOG")))
nearly("nfs-directory", PLAIN, lambda lab: (lab.dir / ".nfs000000000016e8d200000002").mkdir())
nearly("directory-of-no-segment", PLAIN, lambda lab: (lab.dir / f"{900:020d}.log.d").mkdir())
nearly("notes-log-txt", PLAIN, lambda lab: (lab.dir / "notes.log.txt").write_text("hello"))
nearly("index-of-20-digits", PLAIN, lambda lab: (lab.dir / f"{900:020d}.index").write_bytes(b""))


@near("empty-index-after-a-clean-stop", PLAIN)
def _(lab):
    for suffix in (".log", ".index"):
        (lab.dir / f"{533:020d}{suffix}").write_bytes(b"")


@near("empty-segment-without-indexes", PLAIN)
def _(lab):
    lab.crashed()
    lab.path(0).with_name(f"{533:020d}.log").write_bytes(b"")


@near("log-of-a-swap", PLAIN)
def _(lab):
    lab.crashed()
    lab.path(1).rename(lab.path(1).with_suffix(".log.swap"))


# --- the log dir ---
def _lines(name, *lines):
    return lambda lab: lab.lines(name, list(lines))


nearly("marker-of-3.7", PLAIN, lambda lab: (lab.root / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":-1}'))
nearly("notes-tmp", PLAIN, lambda lab: (lab.root / "notes.tmp").write_text("hello"))
nearly("hidden-file", PLAIN, lambda lab: (lab.root / ".DS_Store").write_bytes(b"\0"))
nearly(
    "lines-of-two-partitions", PLAIN, _lines("replication-offset-checkpoint", "twitter-status 0 533", "twitter-status 1 533")
)
nearly("notes-in-log-dir", PLAIN, lambda lab: (lab.root / f"{7:020d}.log.txt").write_text("hello"))
nearly("file-of-no-listed-partition", PLAIN, lambda lab: (lab.root / "gone-0").write_text(""))
nearly("meta-with-another-line", PLAIN, lambda lab: change_meta(lab.root, note="mine"))
nearly("checkpoint-of-windows", PLAIN, lambda lab: _to_windows(lab.root / "replication-offset-checkpoint"))
nearly("metadata-of-windows", RISKY, lambda lab: _to_windows(lab.dir / "partition.metadata"))


def _to_windows(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@near("line-of-another-partition-that-is-here", PLAIN)
def _(lab):
    shutil.copytree(lab.dir, lab.root / "other-0")
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        lab.lines(name, ["twitter-status 0 533", "other 0 533"])


@near("directory-id-of-before-3.7", "4.3.1/edge/e-txn-0")
def _(lab):
    lab.crashed()
    change_meta(lab.root, **{"directory.id": None})


# --- checkpoints ---
@near("log-cut-with-its-checkpoints", PLAIN)
def _(lab):
    lab.write(-1, lab.batches(-1)[:-1])
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        lab.checkpoint(name, _end(lab))


@near("log-longer-after-a-crash", PLAIN)
def _(lab):
    lab.crashed()
    lab.checkpoint("recovery-point-offset-checkpoint", 500)


@near("lines-missing-after-a-crash", RISKY)
def _(lab):
    lab.crashed()
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        lab.checkpoint(name, None)


nearly("hw-at-log-start", PLAIN, lambda lab: lab.checkpoint("replication-offset-checkpoint", 0))
nearly("log-start-at-end", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 533))
nearly("log-start-at-the-end-of-the-first-segment", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 73))
nearly("cleaner-at-end", COMPACT, lambda lab: lab.checkpoint("cleaner-offset-checkpoint", _end(lab)))


def _cleaner_and_watermark(cleaner, watermark):
    def change(lab):
        lab.checkpoint("cleaner-offset-checkpoint", cleaner)
        lab.checkpoint("replication-offset-checkpoint", watermark)

    return change


nearly("cleaner-at-high-watermark", ORDERS, _cleaner_and_watermark(60, 60))


# --- compaction ---
def _large(size):
    def change(lab):
        lab.checkpoint("cleaner-offset-checkpoint", 10)
        _append(lab, R(0, b"k", bytes(size - 61 - 12)))
        assert len(lab.batches(-1)[-1]) == size

    return change


nearly("batch-of-the-largest-size", PLAIN, _large(1_048_588))


nearly("tombstone-in-a-log-that-is-not-compacted", PLAIN, lambda lab: _append(lab, R(0, b"k", None)))
nearly("cleaner-before-the-younger", ORDERS, lambda lab: lab.checkpoint("cleaner-offset-checkpoint", 9))
nearly("cleaner-before-the-abort", TXN, lambda lab: lab.checkpoint("cleaner-offset-checkpoint", 9))


# --- several log dirs ---
@near("metadata-log-that-is-a-part", META, META)
def _(_first, second):
    change_meta(second.root, node_id=9)
    second.write(0, second.batches(0)[:-20])


nearly("two-partitions-of-one-topic", META, lambda lab: (lab.beside("kept-0"), lab.beside("kept-1")))


@near("two-clusters", META, "4.1.1/meta-n2/__cluster_metadata-0")
def _(first, _second):
    """Each has a topic of the same name and id: that of the metadata log."""
    first.beside("kept-0")


@near("log-dirs-of-one-broker", RISKY, KRAFT + "/late-0")
def _(_first, second):
    change_meta(second.root, **{"directory.id": "AAAAAAAAAAAAAAAAAAAAAw"})


@near("future-in-another-log-dir", RISKY, RISKY)
def _(_current, future):
    change_meta(future.root, **{"directory.id": None})
    future.dir = future.dir.rename(future.root / f"{future.name}.{'0123456789abcdef' * 2}-future")


@near("replica-that-lags", RISKY, RISKY)
def _(_first, second):
    change_meta(second.root, node_id=9)
    second.write(-1, second.batches(-1)[:-1])


# --- the controller ---
nearly("partition-that-the-controller-knows", META, lambda lab: lab.beside("kept-0"))


@near("epoch-that-the-controller-has-begun", META)
def _(lab):
    (lab.beside("kept-0") / "leader-epoch-checkpoint").write_text("0\n2\n0 0\n1 21\n")


near("state-with-the-broker", ORDERS, partition_state=state_of())(as_it_is)


def _written_by(producer_id):
    def change(lab):
        producer = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": 0}
        batch = encode.batch([R(0, b"k", b"v")], base_offset=21, leader_epoch=0, **producer)
        lab.append(lab.beside("kept-0") / f"{0:020d}.log", batch)

    return change


nearly("last-producer-id-of-the-block", META, _written_by(999))


# --- coordinators ---
@near("state-of-this-release", "4.3.1/edge/__transaction_state-0")
def _(lab):
    record = R(0, transaction_key("later"), transaction_value(1, 0, None))
    _append(lab, record)


@near("nothing-before-the-end-since-2.4.1", "2.1.1/groups/__consumer_offsets-0", kafka_version="2.4.1")
def _(lab):
    (lab.dir / f"{10_000:020}.log").write_bytes(b"")


# --- messages of magic 0 and 1 ---
nearly("legacy-value", OLD, appended(lambda o: message(o, 1, b"value")))
nearly("legacy-largest-offset", OLD, appended(lambda _: message((1 << 63) - 1, 1, b"x")))
nearly("legacy-wrapper", OLD, appended(lambda o: wrapper(o + 1, inner(0, 1))))
nearly("legacy-append-time", OLD, appended(lambda o: message(o, 1, b"x", attributes=8)))


# --- KRaft ---
def _append_metadata(*records, **more):
    def change(lab):
        last = header(lab.batches(0)[-1])
        common = {"leader_epoch": last.partition_leader_epoch, "base_timestamp": last.max_timestamp}
        lab.append(lab.path(0), encode.batch(list(records), base_offset=_end(lab), **common | more))

    return change


nearly("kraft-no-op-record", META, _append_metadata(R(0, None, NO_OP)))
nearly("kraft-snapshots-but-one-deleted", META, lambda lab: [p.unlink() for p in sorted(lab.dir.glob("*.checkpoint"))[1:]])
nearly(
    "kraft-snapshot-part", META, lambda lab: max(lab.dir.glob("*.checkpoint")).with_suffix(".checkpoint.part").write_bytes(b"")
)
nearly("quorum-state-of-a-later-epoch", META, lambda lab: _epoch_of_quorum(lab, 9))


def _new_leader(lab):
    """Append what the leader of epoch 2 writes first: its LEADER_CHANGE."""
    batches = batches_of((lab.dir / f"{0:020d}.log.deleted").read_bytes())
    change = next(batch for batch in batches if header(batch).attributes & 0x20)
    lab.append(lab.path(0), seal(fields(change, base_offset=_end(lab), partition_leader_epoch=2)))


@near("kraft-snapshot-where-an-epoch-ends", META)
def _(lab):
    """The batch before its offset is of epoch 1, that at its offset of epoch 2."""
    shutil.copy(max(lab.dir.glob("*.checkpoint")), lab.dir / f"{_end(lab):020d}-{1:010d}.checkpoint")
    _new_leader(lab)


@near("quorum-state-of-nothing-written", META)
def _(lab):
    lab.path(0).write_bytes(b"")
    (lab.dir / "quorum-state").unlink()


@near("bootstrap-with-another-record", META)
def _(lab):
    path = lab.root / "bootstrap.checkpoint"
    last = header(batches_of(path.read_bytes())[-1])
    more = encode.batch([R(0, None, NO_OP)], base_offset=last.base_offset + last.last_offset_delta + 1, leader_epoch=1)
    lab.append(path, more)


nearly("kraft-new-leader", META, _new_leader)


def _epoch_of_quorum(lab, epoch):
    path = lab.dir / "quorum-state"
    path.write_bytes(re.sub(rb'"leaderEpoch":\d+', b'"leaderEpoch":%d' % epoch, path.read_bytes()))


# --- what cannot be had in a small fixture ---
near("log-of-2-gib-but-one", PLAIN, meanwhile=lambda _: last_segment_of_size((1 << 31) - 1))(as_it_is)
near(
    "log-changes-once",
    PLAIN,
    meanwhile=lambda lab: changed_in_each_look(lab.path(1), lambda: lab.append(lab.path(1), bytes(100)), most=1),
    next_start=False,
)(as_it_is)


@near("remote-log-as-it-is", TIERED, TIER)
def _(lab, _):
    copies(lab)


@near("remote-transaction-index-not-there", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    assert not list(remote.dir.glob("*.txnindex"))


@near("remote-log-deleted-by-kafka", TIERED_AND_DELETED, TIER_WITH_DELETED)
def _(lab, _):
    copies(lab)


near("remote-chunks-as-they-are", AIVEN, meanwhile=aiven_keys)(as_it_is)


#: One step further than the near miss, by rule: there it must be found.
BEYOND: dict[str, Case] = {}


def beyond(rule_id: str, source: str, change: Callable[[Lab], object], **more: Any) -> None:
    assert rule_id not in BEYOND, rule_id
    BEYOND[rule_id] = Case((source,), change, {}, more.get("meanwhile"))


beyond("batch-codec-unknown", PLAIN, _at(1, 2, attributes=5))
beyond("batch-offsets-invalid", PLAIN, _at(1, 21, base_offset=(1 << 63) - 1, last_offset_delta=1))
beyond("batch-base-timestamp-odd", PLAIN, _at(1, 2, base_timestamp=-2))
beyond("batch-epoch-negative", PLAIN, _at(1, 2, partition_leader_epoch=-2))
beyond("batch-count-mismatch", PLAIN, _at(1, 2, records_count=-1))
beyond("batch-delete-horizon-uncompacted", PLAIN, _at(1, 2, attributes=0x40, base_timestamp=1550000090699))
beyond("batch-before-segment", PLAIN, _two_bases(73, 75))
beyond("segment-offset-overflow", PLAIN, _ends_above_its_segment(0x80000000))
beyond("timestamp-future", PLAIN, _dated(NOW + 86_400_001))
beyond("timestamp-ancient", PLAIN, _dated(1_293_839_999_999))
beyond("timestamp-ancient-among-others", PLAIN, _one_record_dated(1_293_839_999_999))
beyond("timestamp-missing", PLAIN, _dated(-1))
beyond("index-offset-mismatch", PLAIN, lambda lab: index(lab, 11, 114 - 74, 8420))
beyond("index-padding-differs", PLAIN, _preallocated(4080, 4092))
beyond("index-odd-size", PLAIN, lambda lab: lab.cut(lab.path(1, ".index"), -7))
beyond("timeindex-offset-not-in-log", PLAIN, lambda lab: times(lab, -1, 1550000146156, 147 - 74))
beyond("timeindex-not-running-max", PLAIN, _at(1, 1, max_timestamp=1550000090699))
beyond("txnindex-odd-size", TXN, lambda lab: lab.cut(lab.path(2, ".txnindex"), -33))
beyond("txnindex-lso-mismatch", TXN, lambda lab: txn(lab, 0, lso=68))
beyond("snapshot-entry-invalid", TXN, lambda lab: lab.snapshot(-1, 0, last_offset=121))
beyond("epoch-not-increasing", PLAIN, epochs(b"0\n2\n0 0\n1 0\n"))
beyond("epoch-beyond-end", PLAIN, epochs(b"0\n2\n0 0\n1 534\n"))
beyond("first-segment-missing", PLAIN, lambda lab: [path.unlink() for path in lab.dir.glob(f"{0:020d}.*")])
beyond("recovery-point-beyond-end", PLAIN, lambda lab: lab.checkpoint("recovery-point-offset-checkpoint", 534))
beyond("recovery-point-behind-end", PLAIN, lambda lab: lab.checkpoint("recovery-point-offset-checkpoint", 532))
beyond("hw-beyond-end", PLAIN, lambda lab: lab.checkpoint("replication-offset-checkpoint", 534))
beyond("hw-below-log-start", PLAIN, lambda lab: lab.checkpoint("replication-offset-checkpoint", -1))
beyond("log-start-beyond-end", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 534))
beyond("log-start-outside-first-segment", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 74))
beyond("cleaner-checkpoint-out-of-range", COMPACT, lambda lab: lab.checkpoint("cleaner-offset-checkpoint", _end(lab) + 1))
beyond("cleaner-beyond-high-watermark", ORDERS, _cleaner_and_watermark(61, 60))
beyond("batch-larger-than-max", PLAIN, _large(1_048_589))
beyond("producer-id-not-given", META, _written_by(1000))
beyond("marker-epoch-decreases", TXN, _at(-1, -1, producer_epoch=-1))
beyond("segment-too-large", PLAIN, as_it_is, meanwhile=lambda _: last_segment_of_size(1 << 31))
beyond("quorum-epoch-behind-log", META, lambda lab: _epoch_of_quorum(lab, 0))


#: Near misses: log dirs that look as if, and must be silent.
NEAR_MISSES = {
    "batch-level-timeindex": ["3.9.1/cluster-final-n1"],
    "delete-horizon-set": ["3.9.1/edge", "4.3.1/edge"],
    "compacted-batch": ["3.9.1/edge", "4.3.1/edge"],
    "compacted-gap": ["3.9.1/edge", "4.3.1/edge"],
    "tombstone-in-compacted": ["3.9.1/edge"],
    "snapshot-of-compacted": ["3.9.1/edge", "4.3.1/edge"],
    "emptied-marker": ["4.3.1/edge"],
    "coordinator-sequence-0": ["2.1.1/groups", "2.8.2/groups"],
    "odd-times-of-clients": ["2.1.1/plain"],
    "unusual-framing": ["2.1.1/codec"],
    "old-format": ["0.10.2.2/old"],
    "zookeeper-era": ["2.1.1/plain"],
    "empty-abort": ["0.11.0.3/txn", "2.1.1/txn"],
    "kraft-control": ["4.3.1/meta-n1", "3.7.2/meta-n1"],
    "snapshot-mid-segment": ["2.1.1/txn"],
}
