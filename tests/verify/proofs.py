"""What proves each rule: a named change of a healthy partition that the rule must report."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import re
import shutil
import struct
from typing import TYPE_CHECKING, Any

from kafkalog.core.checksum import crc32c
from kafkalog.core.log import walk
from kafkalog.core.messages.records import read_remote_log_record
from kafkalog.core.messages.remote_log import REMOTE_SEGMENT_STATES
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY
from kafkalog.core.properties import format_uuid
from kafkalog.core.source import BytesSource
from kafkalog.files.aiven import AIVEN_KEYS
from kafkalog.verify.rule import _BY_SUBJECT, RULES
from tests import encode
from tests.encode import R
from tests.internal_topics import transaction_key, transaction_value
from tests.log_dirs import FIXTURES, unpack
from tests.verify.lab import BROKER, Case, Lab, changed_in_each_look, fields, header, message, seal

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = "2.1.1/plain/twitter-status-0"
TXN = "2.1.1/txn/ledger-0"
GZIP = "2.1.1/codec/java-gzip-0"
OLD = "0.10.2.2/old/v1-none-0"
OLD_GZIP = "0.10.2.2/old/v1-gzip-0"
COMPACT = "3.9.1/edge/e-tomb-0"
META = "4.3.1/meta-n1/__cluster_metadata-0"
KRAFT = "3.9.1/cluster-final-n1"

TIERED = "3.9.1/tiered/tier-0"
TIER = "tiered-remote-3.9.1/kafka-tiered-storage/tier-0-Qfz-izVOSma1rj1aj6gMMQ"
#: Its first segment was copied, and deleted for its age.
TIERED_AND_DELETED = "3.9.1/tiered/tier-del-0"
TIER_WITH_DELETED = "tiered-remote-3.9.1/kafka-tiered-storage/tier-del-0-eZjqP2fgTeCJL2LPWZlSEQ"
AIVEN = "aiven-tiered-storage/remote/pre/tiered-mtjWJaM6Tmm_xbXg04ni6w/0"

#: Name of the proof → what it is made of.
PROOFS: dict[str, Case] = {}


def proof(name: str, *sources: str, meanwhile: Callable[..., Any] | None = None, **options: Any):
    def add(change: Callable[..., object]):
        assert name not in PROOFS, name
        PROOFS[name] = Case(sources, change, options, meanwhile)
        return change

    return add


def simple(name: str, source: str, change: Callable[[Lab], object]) -> None:
    proof(name, source)(change)


# --- the controller ---
def _other_topic_id(folder, topic_id="AAAAAAAAAAAAAAAAAAAABA"):
    (folder / "partition.metadata").write_text(f"version: 0\ntopic_id: {topic_id}")


simple("topic-made-anew", META, lambda lab: _other_topic_id(lab.beside("kept-0")))
simple("directory-renamed", META, lambda lab: lab.beside("kept-0", "other-0"))
simple("directory-renamed-with-its-line", PLAIN, lambda lab: lab.dir.rename(lab.root / "other-0"))
simple("partition-of-no-topic", META, lambda lab: _other_topic_id(lab.beside("kept-0", "nobody-0")))
simple("replica-of-another-broker", META, lambda lab: lab.beside("tmp-1-0", "tmp-1-2"))
simple(
    "epoch-not-begun",
    META,
    lambda lab: (lab.beside("kept-0") / "leader-epoch-checkpoint").write_text("0\n1\n900 0\n"),
)

simple("topic-id-of-another", f"{KRAFT}/ledger-0", lambda lab: lab.beside("ledger-0", "other-0"))


@proof("partition-taken-away-with-its-lines", META)
def _(lab):
    placed = [path.name for path in lab.source.iterdir() if path.is_dir() and path.name != lab.name]
    for name in sorted(placed)[1:]:
        lab.beside(name)


@proof("producer-id-of-no-block", META)
def _(lab):
    records = [R(0, b"k", b"v")]
    batch = encode.batch(records, base_offset=21, leader_epoch=0, producer_id=99_999, producer_epoch=0, base_sequence=0)
    lab.append(lab.beside("kept-0") / f"{0:020d}.log", batch)


# --- coordinators ---
@proof("state-of-a-later-release", "4.3.1/edge/__transaction_state-0")
def _(lab):
    lab.crashed()
    batches = [batch for number in range(len(list(lab.dir.glob("*.log")))) for batch in lab.batches(number)]
    end = header(batches[-1]).base_offset + header(batches[-1]).last_offset_delta + 1
    r = R(key=transaction_key("later"), value=transaction_value(1, 0, None, version=9))
    lab.append(lab.path(-1), encode.batch([r], base_offset=end, base_timestamp=1_790_000_000_000))


@proof("nothing-before-the-end", "2.1.1/groups/__consumer_offsets-0", kafka_version="2.3.1")
def _(lab):
    (lab.dir / f"{10_000:020}.log").write_bytes(b"")


# --- headers ---
simple("crc-one-bit", PLAIN, lambda lab: lab.patch(lab.path(1), 200, bytes([lab.path(1).read_bytes()[200] ^ 4])))
simple("codec-7", PLAIN, lambda lab: lab.field(1, 2, attributes=7))
simple("attribute-bit-7", PLAIN, lambda lab: lab.field(1, 2, attributes=0x80))
simple("delta-negative", PLAIN, lambda lab: lab.field(1, 2, last_offset_delta=-3))
simple("count-too-large", PLAIN, lambda lab: lab.field(1, 2, records_count=5000))
simple("count-zero", PLAIN, lambda lab: lab.field(1, 2, records_count=0))
simple("producer-epoch-without-id", PLAIN, lambda lab: lab.field(1, 2, producer_epoch=0))
simple("sequence-missing", TXN, lambda lab: lab.field(0, 3, base_sequence=-1))
simple("transactional-without-producer", PLAIN, lambda lab: lab.field(1, 2, attributes=0x10))
simple("epoch-minus-one", PLAIN, lambda lab: lab.field(0, 0, partition_leader_epoch=-1))
simple("epoch-negative", PLAIN, lambda lab: lab.field(1, 2, partition_leader_epoch=-9))
simple("horizon-bit-set", PLAIN, lambda lab: lab.field(1, 2, attributes=0x40))
simple("horizon-without-records", COMPACT, lambda lab: lab.field(1, 0, attributes=0x40, base_timestamp=-5))
simple("odd-times", "2.1.1/plain/odd-times-0", lambda lab: lab.field(1, 3, base_timestamp=-2, max_timestamp=-1))


simple("seconds-for-milliseconds", PLAIN, lambda lab: lab.field(1, 2, base_timestamp=1_550_000, max_timestamp=1_550_000_090))


@proof("kafkajs", PLAIN)
def _(lab):
    for at in (2, 5):
        lab.field(1, at, producer_epoch=0, base_sequence=0)


@proof("one-record-of-go", PLAIN)
def _(lab):
    last = header(lab.batches(-1)[-1])
    base = last.base_offset + last.last_offset_delta + 1
    zero = -62135596800000 - last.max_timestamp
    lab.crashed()
    records = [R(0, b"k", b"v"), R(1, b"k", b"v", timestamp_delta=zero), R(2, b"k", b"v", timestamp_delta=zero)]
    lab.append(lab.path(-1), encode.batch(records, base_offset=base, base_timestamp=last.max_timestamp))


@proof("empty-batch-appended", PLAIN)
def _(lab):
    lab.crashed()
    last = lab.batches(-1)[-1][:61]
    base = header(last).base_offset + header(last).last_offset_delta + 1
    data = fields(last, base_offset=base, last_offset_delta=1, records_count=0, attributes=0, base_timestamp=-1)
    lab.append(lab.path(-1), seal(data))


# --- records ---
def _records(batch):
    """Where each record of an uncompressed batch begins."""
    at, found = 61, []
    while at < len(batch):
        found.append(at)
        size, shift = 0, 0
        while batch[at] > 127:
            size, shift, at = size | (batch[at] & 127) << shift, shift + 7, at + 1
        size, at = size | batch[at] << shift, at + 1
        at += (size >> 1) ^ -(size & 1)
    return found


def _delta_of_record(batch, number, delta):
    """A batch whose record `number` has another offset delta, of one byte."""
    at = _records(batch)[number]
    while batch[at] > 127:
        at += 1
    place = at + 2  # after the record's attributes
    while batch[place] > 127:  # the timestamp delta
        place += 1
    data = bytearray(batch)
    data[place + 1] = delta << 1
    return seal(bytes(data))


def _longer_record(batch, number):
    """A batch whose record `number` says that it has 16 kB."""
    at = _records(batch)[number]
    return seal(batch[:at] + b"\xfe\xff\x01" + batch[at + 3 :])


simple("record-too-long", PLAIN, lambda lab: lab.change(1, 2, lambda batch: _longer_record(batch, 3)))
simple("codec-lie", PLAIN, lambda lab: lab.field(1, 2, attributes=1))
simple("trailing-bytes", "2.1.1/codec/java-lz4-0", lambda lab: lab.change(0, 2, lambda b: seal(b + b"extra")))
simple("max-timestamp-changed", PLAIN, lambda lab: lab.field(1, 2, max_timestamp=header(lab.batches(1)[2]).max_timestamp + 7))


@proof("record-deltas-disordered", PLAIN)
def _(lab):
    """Deltas 0, 1, 2, 5, 3, 5, 6, 7."""
    lab.change(1, 2, lambda batch: _delta_of_record(_delta_of_record(batch, 3, 5), 4, 3))


@proof("null-key-in-compacted", "4.3.1/meta-n1/kept-0")
def _(lab):
    lab.checkpoint("cleaner-offset-checkpoint", 10)


def _marker(lab):
    return lab.find(1, lambda h: h.attributes & 0x20)


def marker_bytes(at, data):
    return lambda b: seal(b[: 61 + at] + data + b[61 + at + len(data) :])


simple("marker-version-negative", TXN, lambda lab: lab.change(1, _marker(lab), marker_bytes(5, b"\xff\xff")))
simple("marker-type-5", TXN, lambda lab: lab.change(1, _marker(lab), marker_bytes(7, b"\0\x05")))
simple("control-bit-set", TXN, lambda lab: lab.field(1, 1, attributes=0x30))

# --- order ---
simple("base-below-segment", PLAIN, lambda lab: [lab.field(1, at, base_offset=base) for at, base in ((2, 3), (3, 9))])
simple("base-flipped", PLAIN, lambda lab: lab.field(1, 2, base_offset=header(lab.batches(1)[2]).base_offset ^ (1 << 42)))
simple("batch-written-over-another", PLAIN, lambda lab: lab.change(2, 23, lambda _: lab.batches(0)[22]))
simple("base-overflow", PLAIN, lambda lab: lab.field(-1, -1, base_offset=1 << 40))


@proof("batches-swapped", PLAIN)
def _(lab):
    batches = lab.batches(1)
    batches[3], batches[4] = fields(batches[4], partition_leader_epoch=2), fields(batches[3], partition_leader_epoch=1)
    lab.write(1, batches)


simple("batch-removed", PLAIN, lambda lab: lab.write(1, [b for at, b in enumerate(lab.batches(1)) if at != 3]))
simple("first-batch-removed", PLAIN, lambda lab: lab.write(1, lab.batches(1)[1:]))


@proof("epoch-lower", PLAIN)
def _(lab):
    for at in range(10):
        lab.field(1, at, partition_leader_epoch=2)


simple("batch-epoch-flipped", PLAIN, lambda lab: lab.field(1, 3, partition_leader_epoch=2))
simple("segment-epoch-lower", PLAIN, lambda lab: [lab.field(1, at, partition_leader_epoch=2) for at in range(22)])

# --- tails ---
simple("zero-tail-clean", PLAIN, lambda lab: lab.append(lab.path(-1), bytes(500)))
simple("torn-closed", PLAIN, lambda lab: lab.cut(lab.path(1), -40))
simple("garbage-tail", PLAIN, lambda lab: lab.append(lab.path(-1), b"\x13\x37" * 300))
simple("length-changed", PLAIN, lambda lab: lab.change(1, 2, lambda b: b[:8] + b"\x7f\0\0\0" + b[12:]))
simple("magic-9", PLAIN, lambda lab: lab.change(1, 2, lambda b: b[:16] + b"\x09" + b[17:]))


# --- old formats ---
def appended(*messages):
    def change(lab):
        offset = int.from_bytes(lab.batches(-1)[-1][:8], "big") + 1
        lab.crashed()
        for build in messages:
            lab.append(lab.path(-1), build(offset))

    return change


def wrapper(offset, inner, **more):
    return message(offset, 1, gzip.compress(inner), attributes=1, **more)


def inner(*offsets, magic=1):
    return b"".join(message(n, magic, b"x") for n in offsets)


def _broken_value(offset):
    data = bytearray(message(offset, 1, b"value"))
    data[-9:-5] = struct.pack(">i", 500)
    from kafkalog.core.checksum import crc32

    return bytes(data[:12]) + struct.pack(">I", crc32(bytes(data[16:]))) + bytes(data[16:])


simple("legacy-value-length", OLD, appended(_broken_value))
simple("legacy-offset-negative", OLD, appended(lambda o: message(o - (1 << 63), 1, b"x")))
simple("legacy-unused-bytes", OLD, appended(lambda o: message(o, 1, b"x", extra=b"???")))
simple("legacy-attribute-bit", OLD, appended(lambda o: message(o, 1, b"x", attributes=0x40)))
simple("legacy-inner-magic", OLD, appended(lambda o: wrapper(o, inner(0, magic=0))))
simple("legacy-wrapper-gap", OLD, appended(lambda o: wrapper(o + 4, inner(0, 4))))
simple(
    "legacy-wrapper-offset", OLD, appended(lambda o: message(o + 5, 0, gzip.compress(inner(o, o + 1, magic=0)), attributes=1))
)
simple("legacy-wrapper-timestamp", OLD, appended(lambda o: wrapper(o, inner(0), timestamp=1_500_000_000_777)))


simple(
    "legacy-wrapper-key",
    OLD,
    appended(lambda o: encode.message(o, b"key", gzip.compress(inner(0)), attributes=1, timestamp=1_500_000_000_000)),
)


@proof("legacy-inner-crc", OLD)
def _(lab):
    wrong = bytearray(inner(0))
    wrong[-1] ^= 1
    appended(lambda o: wrapper(o, bytes(wrong)))(lab)


# --- .index ---
def index(lab, number, *values):
    lab.entry(lab.path(1, ".index"), number, ">ii", *values)


def _entries(lab, suffix=".index"):
    return list(struct.iter_unpack(">ii" if suffix == ".index" else ">qi", lab.path(1, suffix).read_bytes()))


@proof("index-swapped", PLAIN)
def _(lab):
    first, second = _entries(lab)[:2]
    index(lab, 0, *second)
    index(lab, 1, *first)


simple("index-past-eof", PLAIN, lambda lab: index(lab, -1, _entries(lab)[-1][0], 900_000))
simple("index-inside-batch", PLAIN, lambda lab: index(lab, 1, _entries(lab)[1][0], _entries(lab)[1][1] + 5))
simple("index-offset-wrong", PLAIN, lambda lab: index(lab, 0, _entries(lab)[1][0] - 1, _entries(lab)[0][1]))
simple("index-hole", PLAIN, lambda lab: [index(lab, number, 0, 0) for number in (3, 4)])
simple("index-odd-size", PLAIN, lambda lab: lab.append(lab.path(1, ".index"), b"abc"))
simple("padding-closed", PLAIN, lambda lab: lab.append(lab.path(1, ".index"), bytes(800)))


@proof("stale-entries", PLAIN)
def _(lab):
    lab.crashed()
    lab.append(lab.path(-1, ".index"), struct.pack(">ii", 900, 900_000) + bytes(800))
    lab.append(lab.path(-1, ".timeindex"), bytes(1200))


@proof("padding-differs", PLAIN)
def _(lab):
    lab.crashed()
    lab.append(lab.path(-1, ".index"), bytes(800))
    lab.append(lab.path(-1, ".timeindex"), bytes(12000))


# --- .timeindex ---
def times(lab, number, *values):
    lab.entry(lab.path(1, ".timeindex"), number, ">qi", *values)


@proof("timeindex-swapped", PLAIN)
def _(lab):
    first, second = _entries(lab, ".timeindex")[:2]
    times(lab, 0, *second)
    times(lab, 1, *first)


simple("timeindex-past-end", PLAIN, lambda lab: times(lab, -1, _entries(lab, ".timeindex")[-1][0], 5000))


@proof("timeindex-timestamp", PLAIN)
def _(lab):
    timestamp, offset = _entries(lab, ".timeindex")[1]
    times(lab, 1, timestamp + 1, offset - 3)


@proof("timeindex-not-max", PLAIN)
def _(lab):
    batches = lab.batches(1)
    entries = _entries(lab, ".timeindex")
    second = next(
        at for at, b in enumerate(batches) if header(b).base_offset + header(b).last_offset_delta >= 74 + entries[1][1]
    )
    lab.change(1, second - 1, lambda b: fields(b, max_timestamp=entries[1][0] + 5))


simple("timeindex-last-lost", PLAIN, lambda lab: lab.cut(lab.path(1, ".timeindex"), -12))
simple("timeindex-emptied", PLAIN, lambda lab: lab.path(1, ".timeindex").write_bytes(b""))


# --- .txnindex ---
def _aborted(lab, number):
    return list(struct.iter_unpack(">hqqqq", lab.path(2, ".txnindex").read_bytes()))[number]


def txn(lab, number, **changes):
    names = ("version", "producer", "first", "last", "lso")
    values = dict(zip(names, _aborted(lab, number), strict=True)) | changes
    lab.entry(lab.path(2, ".txnindex"), number, ">hqqqq", *values.values())


@proof("txnindex-swapped", TXN)
def _(lab):
    first, second = _aborted(lab, 1), _aborted(lab, 2)
    lab.entry(lab.path(2, ".txnindex"), 1, ">hqqqq", *second)
    lab.entry(lab.path(2, ".txnindex"), 2, ">hqqqq", *first)


simple("txnindex-odd-size", TXN, lambda lab: lab.cut(lab.path(2, ".txnindex"), -5))
simple("txnindex-version", TXN, lambda lab: txn(lab, 1, version=0x500))
simple("txnindex-producer-changed", TXN, lambda lab: txn(lab, 1, producer=777))
simple("txnindex-first-changed", TXN, lambda lab: txn(lab, 1, first=68))
simple("txnindex-lso-changed", TXN, lambda lab: txn(lab, 1, lso=66))
simple("txnindex-emptied", TXN, lambda lab: lab.path(2, ".txnindex").write_bytes(b""))


# --- .snapshot ---
def _snapshots(lab):
    return sorted(lab.dir.glob("*.snapshot"))


simple("snapshot-truncated", TXN, lambda lab: lab.cut(_snapshots(lab)[-1], -7))
simple("snapshot-one-bit", TXN, lambda lab: lab.patch(_snapshots(lab)[-1], 20, b"\x55"))
simple("snapshot-offset-beyond", TXN, lambda lab: lab.snapshot(-1, 0, last_offset=9000))
simple("snapshot-sequence-changed", TXN, lambda lab: lab.snapshot(-1, 0, last_sequence=4711))


def _no_recovery_point(lab):
    lab.checkpoint("recovery-point-offset-checkpoint", None)


@proof("snapshot-ahead", TXN)
def _(lab):
    _snapshots(lab)[-1].rename(lab.dir / f"{999:020d}.snapshot")
    _no_recovery_point(lab)


simple("snapshot-deleted", TXN, lambda lab: lab.path(-1, ".snapshot").unlink())
simple("snapshot-last-deleted", TXN, lambda lab: _snapshots(lab)[-1].unlink())


@proof("log-of-another-partition", PLAIN)
def _(lab):
    shutil.copyfile(BROKER / GZIP / f"{0:020d}.log", lab.path(0))


# --- leader-epoch-checkpoint ---
def epochs(text):
    return lambda lab: (lab.dir / "leader-epoch-checkpoint").write_bytes(text)


simple("epoch-file-nuls", PLAIN, epochs(bytes(12)))
simple("epoch-file-deleted", PLAIN, lambda lab: (lab.dir / "leader-epoch-checkpoint").unlink())
simple("epoch-file-emptied", PLAIN, epochs(b""))
simple("epoch-file-edited", PLAIN, epochs(b"0\n1\r\n0 0\n"))
simple("text-of-windows", PLAIN, epochs(b"0\r\n1\r\n0 0\r\n"))
simple("binary-of-windows", PLAIN, lambda lab: lab.path(1).write_bytes(lab.path(1).read_bytes().replace(b"\n", b"\r\n")))
simple("epoch-entry-negative", PLAIN, epochs(b"0\n2\n0 0\n-4 7\n"))
simple("epoch-lines-swapped", PLAIN, epochs(b"0\n2\n3 400\n2 20\n"))
simple("epoch-entry-removed", PLAIN, epochs(b"0\n1\n4 0\n"))
simple("epoch-start-changed", PLAIN, epochs(b"0\n2\n0 0\n1 300\n"))


@proof("epoch-beyond-end", PLAIN)
def _(lab):
    epochs(b"0\n2\n0 0\n1 5000\n")(lab)
    _no_recovery_point(lab)


@proof("epoch-file-tmp", PLAIN)
def _(lab):
    (lab.dir / "leader-epoch-checkpoint.tmp").write_bytes(b"0\n")


@proof("log-start-line-raised", PLAIN)
def _(lab):
    lab.checkpoint("log-start-offset-checkpoint", 100)


simple("log-start-line-removed", PLAIN, epochs(b"0\n1\n0 20\n"))


# --- producers ---
def idempotent(lab, *parts):
    """Append batches of producers, of which each part is (producer, epoch, sequence, count)."""
    last = header(lab.batches(-1)[-1])
    offset = last.base_offset + last.last_offset_delta + 1
    lab.crashed()
    for producer, epoch, sequence, count in parts:
        records = [R(n, b"k%d" % n, b"v", timestamp_delta=n) for n in range(count)]
        fields = {"producer_id": producer, "producer_epoch": epoch, "base_sequence": sequence}
        lab.append(lab.path(-1), encode.batch(records, base_offset=offset, base_timestamp=1_790_000_000_000, **fields))
        offset += count


simple("sequence-changed", TXN, lambda lab: lab.field(1, 1, base_sequence=900))
simple("producer-batch-removed", TXN, lambda lab: lab.write(1, [b for n, b in enumerate(lab.batches(1)) if n != 8]))
simple("epoch-sequence-changed", TXN, lambda lab: lab.field(1, 1, producer_epoch=1, base_sequence=900))
simple("producer-epoch-lower", TXN, lambda lab: lab.field(1, 1, producer_epoch=5))
simple("transactional-bit-cleared", TXN, lambda lab: lab.field(1, 8, attributes=0))
simple("marker-epoch-lower", TXN, lambda lab: lab.field(1, 8, producer_epoch=3))
simple("coordinator-epoch-lower", TXN, lambda lab: lab.change(1, 10, marker_bytes(12, b"\0\0\0\x09")))  # of producer 2


@proof("batch-duplicated", TXN)
def _(lab):
    batches = lab.batches(1)
    batches.insert(19, batches[18])
    lab.write(1, batches)


@proof("first-sequences-refused", PLAIN)
def _(lab):
    idempotent(lab, (7, 0, 17, 5), (7, 0, 22, 5))


@proof("open-transaction", TXN)
def _(lab):
    lab.write(-1, lab.batches(-1)[:-1])


# --- directories ---
simple(
    "segment-renamed-lower",
    PLAIN,
    lambda lab: [p.rename(p.with_name(p.name.replace("074", "070"))) for p in lab.dir.glob("*74.*")],
)
simple("middle-segment-deleted", PLAIN, lambda lab: [p.unlink() for p in lab.dir.glob("*147.*")])
simple("first-segment-deleted", PLAIN, lambda lab: [p.unlink() for p in lab.dir.glob(f"{0:020d}.*")])
simple("segment-emptied", PLAIN, lambda lab: lab.path(1).write_bytes(b""))
simple("index-deleted", PLAIN, lambda lab: lab.path(1, ".index").unlink())
simple("timeindex-deleted", PLAIN, lambda lab: lab.path(1, ".timeindex").unlink())
simple("log-deleted", PLAIN, lambda lab: lab.path(1).unlink())
simple("logs-deleted", PLAIN, lambda lab: [p.unlink() for p in lab.dir.glob("*.log")])
simple("cleaner-killed", PLAIN, lambda lab: lab.path(0).with_suffix(".log.cleaned").write_bytes(lab.path(0).read_bytes()))
simple("swap-under-way", PLAIN, lambda lab: lab.path(0).with_suffix(".log.swap").write_bytes(lab.path(0).read_bytes()))
simple("swap-empty", PLAIN, lambda lab: lab.path(0).with_suffix(".log.swap").write_bytes(b""))
simple("pending-delete", PLAIN, lambda lab: lab.path(0).rename(lab.path(0).with_suffix(".log.deleted")))
simple("foreign-file", PLAIN, lambda lab: (lab.dir / "notes.txt").write_text("hello"))
simple("nfs-file", PLAIN, lambda lab: (lab.dir / ".nfs000000000016e8d200000002").write_bytes(b"x"))
simple("notes-deleted", PLAIN, lambda lab: (lab.dir / "notes.deleted").write_bytes(b"x"))
simple("name-upper-case", PLAIN, lambda lab: lab.path(1).rename(lab.dir / f"{74:020d}.LOG"))
simple("log-is-directory", PLAIN, lambda lab: (lab.dir / f"{900:020d}.log").mkdir())
simple("notes-log", PLAIN, lambda lab: (lab.dir / "notes.log").write_text("hello"))
simple("name-short", PLAIN, lambda lab: lab.path(1).rename(lab.dir / "74.log"))


@proof("logs-only", PLAIN)
def _(lab):
    for path in lab.dir.iterdir():
        if path.suffix != ".log":
            path.unlink()
    for path in lab.root.iterdir():
        if path.is_file():
            path.unlink()


@proof("index-zero-capacity", PLAIN)
def _(lab):
    lab.crashed()
    for suffix in (".log", ".index"):
        (lab.dir / f"{533:020d}{suffix}").write_bytes(b"")


# --- partition.metadata and the log dir ---
def _metadata(text):
    return lambda lab: (lab.dir / "partition.metadata").write_bytes(text)


RISKY = "3.9.1/cluster-final-n1/ledger-0"
simple("metadata-zero-id", RISKY, _metadata(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"))
simple("kraft-topic-id-changed", META, _metadata(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAg"))
simple("metadata-final-newline", RISKY, lambda lab: lab.append(lab.dir / "partition.metadata", b"\n"))


@proof("metadata-missing", RISKY, RISKY)
def _(first, second):
    """Once in a log dir of KRaft, once where nothing shows the era."""
    (first.dir / "partition.metadata").unlink()
    second.dir = second.dir.rename(second.root / "other-0")
    (second.dir / "partition.metadata").unlink()
    for path in second.root.iterdir():
        if path.is_file():
            path.unlink()


simple("log-cut-clean", PLAIN, lambda lab: lab.write(-1, lab.batches(-1)[:-1]))


@proof("log-longer-clean", PLAIN)
def _(lab):
    lab.checkpoint("recovery-point-offset-checkpoint", 500)


KILLED = "2.3.1/diverge-before-b0/stock-0"


def touch_marker(lab):
    """Put a clean-shutdown marker beside the log of a killed broker."""
    lab.checkpoint("recovery-point-offset-checkpoint", 0)
    (lab.root / ".kafka_cleanshutdown").write_bytes(b"")


@proof("marker-touched", KILLED)
def _(lab):
    """Of five logs one was closed; three have no snapshot at their end, two preallocated indexes."""
    touch_marker(lab)
    copies = {name: shutil.copytree(lab.dir, lab.root / f"{name}-0") for name in ("trimmed", "trimmed-too", "padded")}
    for name in ("trimmed", "trimmed-too"):
        for suffix, size in ((".index", 8), (".timeindex", 12)):
            path = copies[name] / f"{74:020d}{suffix}"
            os.truncate(path, -(-len(path.read_bytes().rstrip(b"\0")) // size) * size)
    shutil.copy(copies["padded"] / f"{74:020d}.snapshot", copies["padded"] / f"{90:020d}.snapshot")
    shutil.copytree(BROKER / PLAIN, lab.root / "closed-0")
    lab.lines("recovery-point-offset-checkpoint", [*(f"{name} 0 0" for name in ("stock", *copies)), "closed 0 533"])


@proof("cleaner-beyond-watermark", "2.8.2/repl-b1/orders-0")
def _(lab):
    lab.checkpoint("cleaner-offset-checkpoint", 60)
    lab.checkpoint("replication-offset-checkpoint", 40)


simple("recovery-line-removed", PLAIN, lambda lab: lab.checkpoint("recovery-point-offset-checkpoint", None))
simple("hw-lowered", PLAIN, lambda lab: lab.checkpoint("replication-offset-checkpoint", -3))
simple("log-start-raised", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 9000))
simple("log-start-in-the-second-segment", PLAIN, lambda lab: lab.checkpoint("log-start-offset-checkpoint", 100))
simple("cleaner-raised", COMPACT, lambda lab: lab.checkpoint("cleaner-offset-checkpoint", 9000))
simple("recovery-file-nuls", PLAIN, lambda lab: (lab.root / "recovery-point-offset-checkpoint").write_bytes(bytes(30)))
simple("recovery-file-removed", PLAIN, lambda lab: (lab.root / "recovery-point-offset-checkpoint").unlink())
simple("recovery-file-emptied", PLAIN, lambda lab: (lab.root / "recovery-point-offset-checkpoint").write_bytes(b""))
simple("cleaner-file-removed", COMPACT, lambda lab: (lab.root / "cleaner-offset-checkpoint").unlink())
simple("meta-removed", PLAIN, lambda lab: (lab.root / "meta.properties").unlink())
simple("clean-marker-garbage", PLAIN, lambda lab: (lab.root / ".kafka_cleanshutdown").write_text("{{{"))


@proof("checkpoint-tmp-clean", PLAIN)
def _(lab):
    """A clean stop writes recovery points, and no meta.properties."""
    for name in ("recovery-point-offset-checkpoint", "meta.properties"):
        (lab.root / f"{name}.tmp").write_bytes(b"0\n")


simple("file-in-log-dir", PLAIN, lambda lab: (lab.root / "notes.txt").write_text("hello"))
simple("hw-line-removed", RISKY, lambda lab: lab.checkpoint("replication-offset-checkpoint", None))


@proof("directory-id-removed", "4.3.1/edge/e-txn-0")
def _(lab):
    meta = lab.root / "meta.properties"
    meta.write_text("".join(line for line in meta.read_text().splitlines(keepends=True) if "directory.id" not in line))


simple("checkpoint-duplicate-line", PLAIN, lambda lab: lab.lines("replication-offset-checkpoint", ["twitter-status 0 5"] * 2))
simple("checkpoint-blank", PLAIN, lambda lab: lab.lines("replication-offset-checkpoint", ["twitter-status 0  533"]))


def _copied_without(*suffixes, partitions=2):
    def change(lab):
        for number in range(1, partitions):
            shutil.copytree(lab.dir, lab.root / f"copied-{number}")
        for path in lab.root.glob("*/*"):
            if path.suffix in suffixes:
                path.unlink()

    return change


simple("copied-without-indexes", PLAIN, _copied_without(".index", ".timeindex"))


@proof("copied-without-logs", META)
def _(lab):
    """The metadata log survived."""
    for name in ("kept-0", "tmp-1-0"):
        for path in lab.beside(name).glob("*.log"):
            path.unlink()


@proof("copied-in-part", META)
def _(lab):
    """The metadata log places `tmp-1` here, and knows nothing of `gone`."""
    lab.lines("recovery-point-offset-checkpoint", ["kept 0 21", "tmp-1 0 5", "tmp-1 1 5", "gone 0 5", "gone 1 5"])
    lab.beside("kept-0")


simple("checkpoint-line-unknown", PLAIN, lambda lab: lab.lines("replication-offset-checkpoint", ["gone 0 5"]))


@proof("zookeeper-version-2", PLAIN)
def _(lab):
    folder = lab.root / "version-2"
    folder.mkdir()
    for name, content in (("log.1", b"ZKLG"), ("snapshot.0", b"ZKSN"), ("currentEpoch", b"1")):
        (folder / name).write_bytes(content)


simple("directory-backup", PLAIN, lambda lab: (lab.root / "backup").mkdir())
simple("log-in-log-dir", PLAIN, lambda lab: (lab.root / f"{7:020d}.log").write_bytes(b""))
simple("meta-nuls", PLAIN, lambda lab: (lab.root / "meta.properties").write_bytes(bytes(20)))
simple("future-same-dir", PLAIN, lambda lab: (lab.root / f"{lab.name}.{'0' * 32}-future").mkdir())


@proof("partition-is-file", PLAIN)
def _(lab):
    lab.lines("replication-offset-checkpoint", ["gone 0 5"])
    (lab.root / "gone-0").write_text("")


# --- KRaft ---
NO_OP = b"\x01\x14\x00\x00"  # a NoOpRecord


def _rename_checkpoint(lab):
    path = max(lab.dir.glob("*.checkpoint"))
    path.rename(path.with_name(path.name.replace("0000000001.", "0000000007.")))


def _cut_checkpoint(lab):
    path = max(lab.dir.glob("*.checkpoint"))
    data, at, ends = path.read_bytes(), 0, []
    while at < len(data):
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")
        ends.append(at)
    path.write_bytes(data[: ends[-2]])


def _older(path):
    return re.sub(rb'"leaderEpoch":\d+', b'"leaderEpoch":0', path.read_bytes())


simple("kraft-producer-id", META, lambda lab: lab.field(0, 3, producer_id=5))
simple("kraft-snapshot-deleted", META, lambda lab: [p.unlink() for p in lab.dir.glob("*.checkpoint")])
simple("kraft-epoch-changed", META, lambda lab: [lab.field(0, at, partition_leader_epoch=2) for at in range(5, 30)])
simple("kraft-snapshot-renamed", META, _rename_checkpoint)
simple("kraft-snapshot-cut", META, _cut_checkpoint)
simple(
    "quorum-state-cut", META, lambda lab: (lab.dir / "quorum-state").write_bytes((lab.dir / "quorum-state").read_bytes()[:40])
)


@proof("bootstrap-of-no-version", META)
def _(lab):
    (lab.root / "bootstrap.checkpoint").write_bytes(encode.batch([R(0, None, NO_OP)], base_offset=0, leader_epoch=0))


simple("quorum-state-removed", META, lambda lab: (lab.dir / "quorum-state").unlink())
simple("quorum-state-old", META, lambda lab: (lab.dir / "quorum-state").write_bytes(_older(lab.dir / "quorum-state")))


@proof("kraft-record-cut", META)
def _(lab):
    at = lab.find(0, lambda h: not h.attributes & 0x20)
    old = header(lab.batches(0)[at])
    record = R(0, None, b"\x01\x02\x00\x09ab")  # a TopicRecord whose name ends too early
    more = [R(n, None, NO_OP) for n in range(1, old.last_offset_delta + 1)]
    fields = {"leader_epoch": old.partition_leader_epoch, "base_timestamp": old.max_timestamp}
    lab.change(0, at, lambda _: encode.batch([record, *more], base_offset=old.base_offset, **fields))


# --- compaction ---
simple("last-offset-raised", PLAIN, lambda lab: lab.field(-1, -1, last_offset_delta=200))


@proof("horizon-behind-keyless", PLAIN)
def _(lab):
    last = header(lab.batches(-1)[-1])
    base = last.base_offset + last.last_offset_delta + 1
    horizon = {"base_timestamp": last.max_timestamp + 10**9, "max_timestamp": last.max_timestamp, "attributes": 0x40}
    lab.append(lab.path(-1), encode.batch([R(0, b"k", None, timestamp_delta=-(10**9))], base_offset=base, **horizon))


@proof("large-batch", PLAIN)
def _(lab):
    lab.checkpoint("cleaner-offset-checkpoint", 10)
    last = lab.batches(-1)[-1]
    base = header(last).base_offset + header(last).last_offset_delta + 1
    lab.append(lab.path(-1), encode.batch([R(0, b"k", bytes(1_048_600))], base_offset=base))


@proof("cleaner-put-forward", "2.8.2/repl-b1/orders-0")
def _(lab):
    lab.checkpoint("cleaner-offset-checkpoint", 60)


@proof("cleaner-put-forward-over-abort", TXN)
def _(lab):
    lab.checkpoint("cleaner-offset-checkpoint", 70)


def snapshot_entries(path):
    data = path.read_bytes()[10:]
    return [data[at : at + PRODUCER_ENTRY.size] for at in range(0, len(data), PRODUCER_ENTRY.size)]


def write_snapshot(path, entries):
    body = struct.pack(">i", len(entries)) + b"".join(entries)
    path.write_bytes(struct.pack(">hI", 1, crc32c(body)) + body)


def last_offset(entry):
    return PRODUCER_ENTRY.read(entry).last_offset


@proof("snapshot-entry-removed", TXN)
def _(lab):
    path = _snapshots(lab)[-1]
    entries = snapshot_entries(path)
    write_snapshot(path, [entry for entry in entries if entry is not max(entries, key=last_offset)])


# --- as brokers left it ---
def as_it_is(*_labs):
    """Nothing is done: a broker's own work is what the rule is about."""


simple("delete-horizons", COMPACT, as_it_is)
simple("follower-index", "2.3.1/diverge-before-b1/stock-0", as_it_is)
simple("preallocated-index", KILLED, as_it_is)
simple("record-level-timeindex", TXN, as_it_is)


# --- several directories ---
def meta(log_dir):
    """The lines of `meta.properties`."""
    lines = (log_dir / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def change_meta(log_dir, **values):
    """Set lines of `meta.properties`; None takes the line away."""
    meta = log_dir / "meta.properties"
    values = {name.replace("_", "."): value for name, value in values.items()}
    lines = [line for line in meta.read_text().splitlines() if line.partition("=")[0] not in values]
    lines += [f"{name}={value}" for name, value in values.items() if value is not None]
    meta.write_text("".join(f"{line}\n" for line in lines))


@proof("two-quorums", META, "4.1.1/meta-n2/__cluster_metadata-0")
def _(first, second):
    change_meta(second.root, node_id=9, cluster_id=meta(first.root)["cluster.id"])


@proof("cluster-id-changed", RISKY, RISKY)
def _(_first, second):
    change_meta(second.root, node_id=9, cluster_id="AAAAAAAAAAAAAAAAAAAAAA")


@proof("topic-id-differs", META)
def _(lab):
    lab.beside("kept-0")
    _other_topic_id(lab.beside("kept-1"))


proof("partition-in-two-dirs", RISKY, RISKY)(as_it_is)
proof("directory-id-twice", RISKY, RISKY)(as_it_is)


def state_of(**values):
    """The znode of a partition, as `kafkalog verify --partition-state` reads it."""
    return json.dumps({"controller_epoch": 1, "leader": 0, "version": 1, "leader_epoch": 8, "isr": [0, 1, 2]} | values).encode()


proof("state-without-broker", "2.8.2/repl-b1/orders-0", partition_state=state_of(isr=[0, 2]))(as_it_is)


@proof("diverged-replicas", RISKY, RISKY)
def _(_first, second):
    change_meta(second.root, node_id=9)
    second.field(0, 2, partition_leader_epoch=1)
    second.write(-1, second.batches(-1)[:-1])


@proof("future-changed", RISKY, RISKY)
def _(_current, future):
    change_meta(future.root, directory_id=None)
    future.dir = future.dir.rename(future.root / f"{future.name}.{'0123456789abcdef' * 2}-future")
    future.field(0, 2, partition_leader_epoch=1)
    future.write(-1, future.batches(-1)[:-1])


@proof("hanging-transaction", TXN)
def _(lab):
    lab.beside("__transaction_state-0")
    lab.beside("__transaction_state-1")
    lab.write(-1, lab.batches(-1)[:-1])  # the last marker


# --- what cannot be had in a small fixture ---
@contextlib.contextmanager
def last_segment_of_size(size):
    """Have the rule see the last segment as a file of `size` bytes; reading 2 GiB would take seconds."""
    row = RULES["segment-too-large"]
    rows = _BY_SUBJECT[row.on]
    at = rows.index(row)
    rows[at] = dataclasses.replace(row, check=lambda step: row.check(step._replace(size=size) if step.active else step))
    yield
    rows[at] = row


proof("sparse-3-gib", PLAIN, meanwhile=lambda _: last_segment_of_size(3 << 30))(as_it_is)


@proof(
    "log-grows",
    PLAIN,
    meanwhile=lambda lab: changed_in_each_look(lab.path(1), lambda: lab.append(lab.path(1), bytes(100))),
    next_start=False,
)
def _(lab):
    """Nothing beforehand: it grows while it is read."""


# --- remote storage ---
@contextlib.contextmanager
def aiven_keys(*_):
    """The key of the fixtures is given."""
    pem = aiven_fixture() / "private.pem"
    token = AIVEN_KEYS.set({"kek1": str(pem)})
    yield
    AIVEN_KEYS.reset(token)


def aiven_fixture():
    """What is in the packed case."""
    return unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")


def copies(lab, *but: str):
    """Put the records about copies beside a tiered partition, but for those of a state about a segment: `state id`."""
    path = lab.beside("__remote_log_metadata-1") / f"{0:020}.log"
    values = [record.value for batch in walk(BytesSource(path.read_bytes())) for record in batch.records()]
    kept = [value for value in values if _state_and_id(value) not in but]
    batches = [
        encode.batch([R(value=value)], base_offset=at, base_timestamp=1_795_456_557_000 + at, leader_epoch=0)
        for at, value in enumerate(kept)
    ]
    path.write_bytes(b"".join(batches))


def _state_and_id(value):
    found = read_remote_log_record(value).value
    state = REMOTE_SEGMENT_STATES[found["remoteLogSegmentState"]]
    return f"{state} {format_uuid(found['remoteLogSegmentId']['id'])}"


LAST = "bZy-FRc0S6ajIhukqqMxyA"


@proof("remote-log-deleted", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    remote.path(1).unlink()


@proof("remote-index-deleted", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    remote.path(1, ".index").unlink()


@proof("remote-log-cut", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    remote.cut(remote.path(2), 4000)


@proof("remote-log-of-another-segment", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    shutil.copy(remote.path(0), remote.path(1))


@proof("remote-epochs-of-another-leader", TIERED, TIER)
def _(lab, remote):
    copies(lab)
    remote.field(1, 2, partition_leader_epoch=7)


@proof("remote-chunk-flipped", AIVEN, meanwhile=aiven_keys)
def _(remote):
    remote.patch(remote.path(1), 100_000, b"?")


@proof("local-segment-deleted-before-it-was-copied", TIERED, TIER)
def _(lab, remote):
    copies(lab, f"COPY_SEGMENT_STARTED {LAST}", f"COPY_SEGMENT_FINISHED {LAST}")
    for path in remote.dir.glob(f"*{LAST}*"):
        path.unlink()


@proof("copied-without-a-record", TIERED, TIER)
def _(lab, _):
    copies(lab, f"COPY_SEGMENT_STARTED {LAST}", f"COPY_SEGMENT_FINISHED {LAST}")


@proof("remote-copy-never-finished", TIERED, TIER)
def _(lab, _):
    copies(lab, f"COPY_SEGMENT_FINISHED {LAST}")


@proof("remote-delete-never-finished", TIERED_AND_DELETED, TIER_WITH_DELETED)
def _(lab, _):
    copies(lab, "DELETE_SEGMENT_FINISHED muHsRwucTiiV4fM_4qK7ng")


@proof("remote-object-left-over", TIERED_AND_DELETED, TIER_WITH_DELETED)
def _(lab, remote):
    copies(lab)
    for path in list(remote.dir.glob("*42-*")):
        shutil.copy(path, remote.dir / f"{0:020}-muHsRwucTiiV4fM_4qK7ng{path.suffix}")
