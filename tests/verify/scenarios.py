"""The incidents that operators know, each recognised by name on logs of every kind, and what only looks like them.

The logs are written by `tests.verify.built`: other content, codecs, formats and sizes than those of the fixtures that the
rules were made with.
"""

from __future__ import annotations

import gzip
import pathlib
import random
import struct
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.verify import Severity
from tests import encode
from tests.encode import CODECS, R, batch, message
from tests.verify.built import T0, P, Producer, built, legacy, plain

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENTS, BATCHES = 3, 6


# --- logs of every kind ---


def _offsets(step):
    numbers = [step * n for n in range(SEGMENTS * BATCHES)]
    return [numbers[at : at + BATCHES] for at in range(0, len(numbers), BATCHES)]


def _of(make, step=3, **more):
    segments = [[make(offset) for offset in part] for part in _offsets(step)]
    return lambda root, **other: built(root, segments, **(more | other))


def _wrapped(offset, magic=1):
    first = 0 if magic else offset
    inner = b"".join(message(first + n, b"k%d" % n, b"v", magic=magic, timestamp=T0 + offset + n) for n in range(3))
    return message(offset + 2, None, gzip.compress(inner), magic=magic, attributes=1, timestamp=T0 + offset + 2)


def _transactions(root, **more):
    p, q = Producer(5, transactional=True), Producer(6, transactional=True)
    segments, aborted = [], {}
    for part in range(SEGMENTS):
        at = 14 * part
        segments.append(
            [p.send(at), q.send(at + 3), p.end(at + 6), q.send(at + 7), q.end(at + 10, commit=False), p.send(at + 11)]
        )
        aborted[at] = [(6, at + 3, at + 10, at + 11)]
    return built(root, segments, **({"aborted": aborted} | more))


def _idempotent(root, **more):
    p = Producer(5, sequence=(1 << 31) - 20)
    return built(root, [[p.send(offset) for offset in part] for part in _offsets(3)], **more)


OLD = {
    "magic 0": _of(lambda o: legacy(o, 0), 1, kraft=False),
    "magic 1": _of(lambda o: legacy(o, 1), 1, kraft=False),
    "magic 1, gzip": _of(_wrapped, bases=[0, 18, 36], kraft=False),
    "magic 0, gzip": _of(lambda o: _wrapped(o, 0), bases=[0, 18, 36], kraft=False),
}
NEW = {
    "plain": _of(plain),
    "one record a batch": _of(lambda o: plain(o, 1), 1),
    "append time": _of(lambda o: plain(o, attributes=8, max_timestamp=T0 + 1000 * o + 900)),
    "no timestamps": _of(lambda o: plain(o, 1, base_timestamp=-1, max_timestamp=-1), 1),
    "leaders": _of(lambda o: plain(o, leader_epoch=o // 10)),
    "ZooKeeper": _of(plain, kraft=False),
    "idempotent": _idempotent,
    "transactional": _transactions,
    **{f"codec {n}": _of(lambda o, n=n: plain(o, attributes=n, compress=CODECS[n])) for n in CODECS},
}
KINDS = NEW | OLD


class Log:
    """The log dir that a kind makes, and the places in it that incidents hit."""

    def __init__(self, root: pathlib.Path, kind: str, **more) -> None:
        self.root = KINDS[kind](root, **more)
        self.dir = root / "built-0"

    def file(self, number: int, suffix: str = ".log") -> pathlib.Path:
        return sorted(self.dir.glob("*.log"))[number].with_suffix(suffix)

    def batches(self, number: int) -> list[bytes]:
        data, found, at = self.file(number).read_bytes(), [], 0
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big")
            found.append(data[at:end])
            at = end
        return found

    def write(self, number: int, batches: list[bytes]) -> None:
        self.file(number).write_bytes(b"".join(batches))

    def entries(self, number: int, suffix: str) -> list[tuple[int, ...]]:
        form = {".index": ">ii", ".timeindex": ">qi", ".txnindex": ">hqqqq"}[suffix]
        return list(struct.iter_unpack(form, self.file(number, suffix).read_bytes()))

    def put_entries(self, number: int, suffix: str, entries: list[tuple[int, ...]]) -> None:
        form = {".index": ">ii", ".timeindex": ">qi", ".txnindex": ">hqqqq"}[suffix]
        self.file(number, suffix).write_bytes(b"".join(struct.pack(form, *entry) for entry in entries))

    def patch(self, path: pathlib.Path, at: int, data: bytes) -> None:
        old = path.read_bytes()
        path.write_bytes(old[:at] + data + old[at + len(data) :])

    def append(self, path: pathlib.Path, data: bytes) -> None:
        path.write_bytes(path.read_bytes() + data)

    def crash(self) -> None:
        (self.root / ".kafka_cleanshutdown").unlink()

    def line(self, name: str, offset: int) -> None:
        (self.root / name).write_text(f"0\n1\nbuilt 0 {offset}\n")


def _last(data: bytes) -> int:
    """The last offset of a batch."""
    return int.from_bytes(data[:8], "big") + (int.from_bytes(data[23:27], "big") if data[16] == 2 else 0)


class Incident(NamedTuple):
    scenario: str
    kinds: tuple[str, ...]
    strike: Callable[[Log], object]
    rules: frozenset[str]
    at_least: Severity


INCIDENTS: dict[str, Incident] = {}
TWINS: dict[str, Incident] = {}


def incident(scenario, *rules, kinds=KINDS, at_least=Severity.WARNING):
    def add(strike):
        assert strike.__name__ not in INCIDENTS
        INCIDENTS[strike.__name__] = Incident(scenario, tuple(kinds), strike, frozenset(rules), at_least)
        return strike

    return add


def twin(scenario, kinds=KINDS):
    def add(strike):
        assert strike.__name__ not in TWINS
        TWINS[strike.__name__] = Incident(scenario, tuple(kinds), strike, frozenset(), Severity.INFO)
        return strike

    return add


# --- A1 to A4: the log ---


@incident("A1", "log-tail-zeroed", at_least=Severity.ERROR)
def zeros_behind_a_clean_stop(log):
    log.append(log.file(-1), bytes(5000))


@incident("A1", "log-tail-zeroed", at_least=Severity.ERROR)
def zeros_behind_a_closed_segment(log):
    log.crash()
    log.append(log.file(0), bytes(7))


@twin("A1")
def zeros_of_a_crash(log):
    log.crash()
    log.append(log.file(-1), bytes(100_000))


@incident("A2", "log-tail-torn", at_least=Severity.ERROR)
def a_last_batch_cut_in_the_middle_of_a_closed_segment(log):
    data = log.file(1).read_bytes()
    log.file(1).write_bytes(data[: -len(log.batches(1)[-1]) // 2])


@twin("A2")
def a_last_batch_cut_by_a_crash(log):
    log.crash()
    data = log.file(-1).read_bytes()
    log.file(-1).write_bytes(data[:-9])
    log.put_entries(-1, ".timeindex", log.entries(-1, ".timeindex")[:-1])
    log.line("recovery-point-offset-checkpoint", int(log.file(-1).stem))


@incident("A3", "batch-crc-mismatch", at_least=Severity.ERROR)
def a_rotten_bit(log):
    batches = log.batches(1)
    at = sum(map(len, batches[:3])) + len(batches[3]) - 3
    log.patch(log.file(1), at, bytes([log.file(1).read_bytes()[at] ^ 0x10]))


@twin("A3")
def an_untouched_log(log):
    pass


@incident("A4", "batch-length-invalid", at_least=Severity.ERROR)
def a_length_that_is_far_too_large(log):
    log.patch(log.file(1), len(log.batches(1)[0]) + 8, b"\x7f\xff\xff\x00")


@incident("A4", "batch-length-invalid", at_least=Severity.ERROR)
def a_negative_length(log):
    log.patch(log.file(1), len(log.batches(1)[0]) + 8, b"\x80\x00\x00\x10")


@twin("A4")
def a_log_dir_that_was_copied_before_its_indexes_were_trimmed(log):
    log.crash()
    for suffix, size in ((".index", 8000), (".timeindex", 7992)):
        path = log.file(-1, suffix)
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))


# --- A5, A6: .index ---


@incident("A5", "index-padded")
def a_preallocated_index_in_a_closed_segment(log):
    log.append(log.file(0, ".index"), bytes(10 * 1024 * 1024))


@incident("A5", "index-hole-zeroed", at_least=Severity.ERROR)
def an_index_whose_begin_is_zeros(log):
    log.put_entries(1, ".index", [(0, 0), *log.entries(1, ".index")[1:]])


@twin("A5")
def a_preallocated_index_of_the_active_segment(log):
    log.crash()
    for suffix, size in ((".index", 10485760), (".timeindex", 10485756)):
        path = log.file(-1, suffix)
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))


@incident("A6", "index-past-eof", at_least=Severity.ERROR)
def an_index_entry_behind_the_log(log):
    entries = log.entries(1, ".index")
    log.put_entries(1, ".index", [*entries[:-1], (entries[-1][0], entries[-1][1] + 1_000_000)])


@incident("A6", "index-position-not-batch", at_least=Severity.ERROR)
def an_index_entry_inside_a_batch(log):
    entries = log.entries(1, ".index")
    log.put_entries(1, ".index", [(entries[0][0], entries[0][1] + 4), *entries[1:]])


@incident("A6", "index-offset-mismatch", at_least=Severity.ERROR)
def an_index_entry_with_the_offset_of_another_batch(log):
    entries = log.entries(1, ".index")
    before = _last(b"".join(log.batches(1)[:2])[-len(log.batches(1)[1]) :]) - int(log.file(1).stem)
    log.put_entries(1, ".index", [(before, entries[0][1]), *entries[1:]])


@incident("A6", "index-not-monotonic", at_least=Severity.ERROR)
def index_entries_in_another_order(log):
    log.put_entries(1, ".index", log.entries(1, ".index")[::-1])


@twin("A6")
def index_entries_of_the_first_offset_of_their_batch(log):
    for number in range(SEGMENTS):
        batches = log.batches(number)
        entries = []
        for _, position in log.entries(number, ".index"):
            data = b"".join(batches)[position:]
            base = int.from_bytes(data[:8], "big") - int(log.file(number).stem)
            entries.append((base, position))
        log.put_entries(number, ".index", entries)


# --- A7, A8: .timeindex ---

TIMED = {kind for kind in KINDS if kind not in ("magic 0", "magic 0, gzip", "no timestamps")}


@incident("A7", "timeindex-not-monotonic", kinds=sorted(TIMED), at_least=Severity.ERROR)
def time_index_entries_in_another_order(log):
    log.put_entries(1, ".timeindex", log.entries(1, ".timeindex")[::-1])


@incident("A7", "timeindex-timestamp-mismatch", kinds=sorted(TIMED))
def a_time_index_entry_with_another_timestamp(log):
    entries = log.entries(1, ".timeindex")
    log.put_entries(1, ".timeindex", [(entries[0][0] + 1, entries[0][1]), *entries[1:]])


@incident("A7", "timeindex-last-entry", kinds=sorted(TIMED))
def a_time_index_without_its_last_entry(log):
    log.put_entries(1, ".timeindex", log.entries(1, ".timeindex")[:-1])


@incident("A7", "timeindex-offset-not-in-log", kinds=sorted(TIMED), at_least=Severity.ERROR)
def a_time_index_entry_behind_the_segment(log):
    entries = log.entries(1, ".timeindex")
    log.put_entries(1, ".timeindex", [*entries[:-1], (entries[-1][0], entries[-1][1] + 5000)])


@twin("A7", sorted(TIMED))
def a_time_index_whose_last_entry_waits(log):
    log.crash()
    log.put_entries(-1, ".timeindex", log.entries(-1, ".timeindex")[:-1])


@incident("A8", "timeindex-legacy-offset", kinds=["plain", "codec 4", "idempotent"], at_least=Severity.INFO)
@twin("A8", ["plain", "codec 4", "idempotent"])
def time_index_entries_of_records_inside_batches(log):
    for number in range(SEGMENTS):
        entries = log.entries(number, ".timeindex")
        log.put_entries(number, ".timeindex", [(time, offset - 1) for time, offset in entries])


# --- A9 to A12: segments ---


def _move(data: bytes, by: int) -> bytes:
    return struct.pack(">q", int.from_bytes(data[:8], "big") + by) + data[8:]


@incident("A9", "segment-offset-overflow", at_least=Severity.ERROR)
def offsets_too_far_above_their_segment(log):
    batches = log.batches(-1)
    log.write(-1, [*batches[:-1], _move(batches[-1], 1 << 31)])


@twin("A9", ["plain", "magic 1"])
def offsets_as_far_as_an_index_can_count(log):
    log.crash()
    first, *_, last = log.batches(-1)
    base = int(log.file(-1).stem)
    size = int.from_bytes(last[23:27], "big") if last[16] == 2 else 0
    gap = base + (1 << 31) - 1 - size - int.from_bytes(last[:8], "big")
    log.line("cleaner-offset-checkpoint", base)  # only compaction makes such holes
    log.write(-1, [first, _move(last, gap)])
    for suffix in (".index", ".timeindex"):
        log.file(-1, suffix).write_bytes(b"")


@incident("A10", "offset-not-monotonic", at_least=Severity.ERROR)
def batches_in_another_order(log):
    batches = log.batches(1)
    log.write(1, [batches[1], batches[0], *batches[2:]])


@incident("A10", "offset-not-monotonic", at_least=Severity.ERROR)
def a_batch_twice(log):
    batches = log.batches(1)
    log.write(1, [*batches[:3], batches[2], *batches[3:]])


@twin("A10", ["plain", "leaders"])
def batches_whose_timestamps_go_back(log):
    log.crash()
    base = int.from_bytes(log.batches(-1)[-1][:8], "big") + 3
    log.append(log.file(-1), plain(base, base_timestamp=T0 - 5000, leader_epoch=int(log.batches(-1)[-1][15])))


@incident("A11", "segment-gap")
def a_segment_that_is_missing(log):
    base = log.file(1).stem
    for path in log.dir.glob(f"{base}.*"):
        path.unlink()


@incident("A11", "segment-overlap", at_least=Severity.ERROR)
def a_segment_with_too_low_a_name(log):
    low = int(log.file(1).stem) - 1
    for path in sorted(log.dir.glob(f"{log.file(1).stem}.*")):
        path.rename(path.with_name(f"{low:020d}{path.suffix}"))


@incident("A11", "file-name-not-canonical")
def a_segment_with_too_short_a_name(log):
    log.file(1).rename(log.dir / f"{int(log.file(1).stem)}.log")


@twin("A11", ["plain", "codec 2", "idempotent", "transactional", "magic 1"])
def holes_that_compaction_made(log):
    log.line("cleaner-offset-checkpoint", int(log.file(-1).stem))
    for number in (0, 1):
        batches = log.batches(number)
        log.write(number, [batches[1], batches[5]])
        base, last = int(log.file(number).stem), batches[5]
        time = struct.unpack_from(">q", last, 35 if last[16] == 2 else 18)[0]
        log.file(number, ".index").write_bytes(b"")
        log.put_entries(number, ".timeindex", [(time, _last(last) - base)])
        log.file(number, ".txnindex").unlink(missing_ok=True)


@incident("A12", "leftover-swap", at_least=Severity.INFO)
def a_swap_file(log):
    log.crash()
    path = log.file(0)
    path.with_name(path.name + ".swap").write_bytes(path.read_bytes())


@incident("A12", "leftover-cleaned", "leftover-deleted", at_least=Severity.INFO)
@twin("A12")
def what_a_killed_cleaner_leaves(log):
    log.crash()
    path = log.file(0)
    path.with_name(path.name + ".cleaned").write_bytes(b"".join(log.batches(0)[:2]))
    path.with_name(path.name + ".deleted").write_bytes(path.read_bytes())


# --- A13, A14: leader epochs ---


@incident("A13", "epoch-file-malformed", kinds=NEW, at_least=Severity.ERROR)
def an_epoch_file_of_nuls(log):
    (log.dir / "leader-epoch-checkpoint").write_bytes(bytes(10))


@incident("A13", "epoch-file-empty", kinds=NEW)
def an_epoch_file_without_a_byte(log):
    (log.dir / "leader-epoch-checkpoint").write_bytes(b"")


@twin("A13", OLD)
def an_empty_epoch_file_of_an_old_format(log):
    (log.dir / "leader-epoch-checkpoint").write_bytes(b"")


def _epochs(log, text):
    (log.dir / "leader-epoch-checkpoint").write_text(text)


@incident("A14", "epoch-missing", kinds=["leaders"])
def an_epoch_that_is_not_listed(log):
    _epochs(log, "0\n5\n0 0\n1 12\n3 30\n4 42\n5 51\n")


@incident("A14", "epoch-start-mismatch", kinds=["leaders"])
def an_epoch_with_another_start(log):
    _epochs(log, "0\n6\n0 0\n1 12\n2 27\n3 30\n4 42\n5 51\n")


@incident("A14", "epoch-beyond-end", kinds=NEW)
def an_epoch_behind_the_end(log):
    text = (log.dir / "leader-epoch-checkpoint").read_text().splitlines()
    _epochs(log, "\n".join(["0", str(int(text[1]) + 1), *text[2:], "90 90000"]) + "\n")


@incident("A14", "epoch-decreases", kinds=["leaders"])
def an_epoch_that_goes_down_inside_a_segment(log):
    log.patch(log.file(2), len(b"".join(log.batches(2)[:4])) + 12, struct.pack(">i", 1))


@twin("A14", ["leaders"])
def a_leader_that_wrote_nothing(log):
    _epochs(log, "0\n7\n0 0\n1 12\n2 21\n3 30\n4 42\n5 51\n9 54\n")


# --- A16 to A18: producers ---


@incident("A16", "txn-open", kinds=["transactional"], at_least=Severity.INFO)
@twin("A16", ["transactional"])
def a_transaction_without_an_end(log):
    pass


def _snapshot(log, entries, offset=None):
    for path in log.dir.glob("*.snapshot"):
        offset = int(path.stem) if offset is None else offset
    (log.dir / f"{offset:020d}.snapshot").write_bytes(encode.snapshot(entries))


@incident("A17", "snapshot-crc-mismatch", kinds=["idempotent", "transactional"])
def a_snapshot_with_a_rotten_bit(log):
    (path,) = log.dir.glob("*.snapshot")
    log.patch(path, 30, bytes([path.read_bytes()[30] ^ 1]))


@incident("A17", "snapshot-unreadable", kinds=["idempotent", "transactional"])
def a_snapshot_of_an_unknown_version(log):
    (path,) = log.dir.glob("*.snapshot")
    log.patch(path, 0, b"\0\x07")


@incident("A17", "snapshot-differs-from-log", kinds=["idempotent"])
def a_snapshot_of_another_epoch(log):
    _snapshot(log, [P(5, 3, 33, 53, 2, T0 + 51_002)])


@incident("A17", "snapshot-ahead-of-log", kinds=NEW)
def a_snapshot_behind_the_end(log):
    _snapshot(log, [], 70_000)


@twin("A17", ["idempotent"])
def a_snapshot_whose_producers_expired(log):
    _snapshot(log, [])


@incident("A18", "txnindex-missing-entry", kinds=["transactional"])
def an_aborted_transaction_that_is_not_indexed(log):
    log.put_entries(1, ".txnindex", [])


@incident("A18", "txnindex-extra-entry", kinds=["transactional"], at_least=Severity.ERROR)
def a_committed_transaction_that_is_indexed(log):
    log.put_entries(1, ".txnindex", [(0, 5, 14, 20, 17), *log.entries(1, ".txnindex")])


@incident("A18", "txnindex-lso-mismatch", kinds=["transactional"])
def an_aborted_transaction_with_another_stable_offset(log):
    ((version, producer, first, last, stable),) = log.entries(1, ".txnindex")
    log.put_entries(1, ".txnindex", [(version, producer, first, last, stable - 1)])


@incident("A18", "txnindex-first-offset-mismatch", kinds=["transactional"])
def an_aborted_transaction_with_another_begin(log):
    ((version, producer, first, last, stable),) = log.entries(1, ".txnindex")
    log.put_entries(1, ".txnindex", [(version, producer, first - 3, last, stable)])


@twin("A18", ["transactional"])
def transaction_indexes_as_they_are(log):
    pass


# --- A19, A20, A22, A23, A25, A26: what clients wrote ---


def _appended(log, *batches):
    """Append batches to the log of a broker that crashed."""
    log.crash()
    for data in batches:
        log.append(log.file(-1), data)


def _end(log):
    return _last(log.batches(-1)[-1]) + 1


@incident("A19", "timestamp-future", kinds=["plain", "idempotent", "codec 1"], at_least=Severity.INFO)
@twin("A19", ["plain", "idempotent", "codec 1"])
def timestamps_in_microseconds(log):
    _appended(log, plain(_end(log), base_timestamp=T0 * 1000))


@incident("A20", "timestamp-ancient", "timestamp-missing", kinds=["plain", "codec 3"], at_least=Severity.INFO)
@twin("A20", ["plain", "codec 3"])
def timestamps_in_seconds_and_none(log):
    end = _end(log)
    _appended(log, plain(end, base_timestamp=T0 // 1000), plain(end + 3, 1, base_timestamp=-1, max_timestamp=-1))


@incident("A22", "compacted-null-key", "batch-larger-than-max", kinds=["plain", "codec 2", "magic 1"], at_least=Severity.INFO)
@twin("A22", ["plain", "codec 2", "magic 1"])
def what_a_cleaner_stumbles_over(log):
    log.line("cleaner-offset-checkpoint", 0)
    end = _end(log)
    payload = random.Random(22).randbytes(1_100_000)
    _appended(log, plain(end, records=[R(0, None, b"v")]), plain(end + 1, records=[R(0, b"k", payload)]))


@incident("A23", "tombstone-age", kinds=["plain", "codec 4"], at_least=Severity.INFO)
@twin("A23", ["plain", "codec 4"])
def tombstones_that_wait_for_the_cleaner(log):
    log.line("cleaner-offset-checkpoint", int(log.file(-1).stem))
    end = _end(log)
    old = R(0, b"k", None, timestamp_delta=-(10**8))
    _appended(log, plain(end, records=[old], base_timestamp=T0 + 10**8, max_timestamp=T0, attributes=0x40))


@incident("A25", "records-decompression-failed", kinds=["plain"], at_least=Severity.ERROR)
def a_frame_that_is_cut(log):
    _appended(log, plain(_end(log), attributes=4, compress=lambda data: encode.zstd_frame(data)[:-4]))


@incident("A25", "records-decompression-failed", kinds=["plain"], at_least=Severity.ERROR)
def snappy_with_block_sizes_in_the_wrong_byte_order(log):
    def little(data):
        block = encode.raw_snappy(data)
        return b"\x82SNAPPY\x00" + struct.pack("<ii", 1, 1) + struct.pack("<i", len(block)) + block

    _appended(log, plain(_end(log), attributes=2, compress=little))


@incident("A25", "legacy-message-unreadable", kinds=["magic 1", "magic 0"], at_least=Severity.ERROR)
def a_wrapper_that_does_not_decompress(log):
    magic = log.batches(0)[0][16]
    _appended(log, message(_end(log), None, gzip.compress(b"x" * 500)[:-20], magic=magic, attributes=1, timestamp=T0))


@twin("A25", ["plain"])
def snappy_without_blocks(log):
    _appended(log, plain(_end(log), attributes=2, compress=encode.raw_snappy))


@twin("A25", ["magic 0"])
def lz4_with_the_header_checksum_of_the_first_clients(log):
    end = _end(log)
    inner = message(end, b"k", b"v", magic=0)
    frame = encode.lz4_frame(inner, old_header_checksum=True)
    _appended(log, message(end, None, frame, magic=0, attributes=3))


@incident("A26", "batch-count-mismatch", kinds=["plain", "idempotent"], at_least=Severity.ERROR)
def a_count_that_is_too_large(log):
    records = [R(n, b"k%d" % n, b"v") for n in range(3)]
    _appended(log, batch(records, base_offset=_end(log), base_timestamp=T0, count=7))


@incident("A26", "records-offsets-disordered", kinds=["plain", "idempotent"])
def a_last_offset_below_that_of_the_last_record(log):
    records = [R(n, b"k%d" % n, b"v") for n in (0, 2)]
    _appended(log, plain(_end(log), records=records, last_offset_delta=1))


@incident("A26", "batch-max-timestamp-mismatch", kinds=["plain", "codec 1"])
def a_largest_timestamp_that_no_record_has(log):
    _appended(log, plain(_end(log), max_timestamp=T0 + 10**8))


@incident("A26", "records-unreadable", kinds=["plain"], at_least=Severity.ERROR)
def a_record_with_a_negative_length(log):
    _appended(log, batch(b"\x01\x00\x00", base_offset=_end(log), count=1))


@incident("A26", "records-unreadable", kinds=["plain"], at_least=Severity.ERROR)
def a_record_header_without_a_name(log):
    record = b"\x00\x00\x00\x01\x01\x02" + encode.varint(-1) + encode.varint(-1)
    _appended(log, batch(encode.varint(len(record)) + record, base_offset=_end(log), count=1))


@twin("A26", ["plain", "codec 1"])
def fewer_records_than_offsets_in_a_compacted_log(log):
    log.line("cleaner-offset-checkpoint", 0)
    _appended(log, plain(_end(log), records=[R(1, b"k", b"v")], last_offset_delta=4))


# --- A27, A30 to A32: directories ---


@incident("A27", "partition-metadata-missing", kinds=["plain", "magic 1"])
def a_kraft_partition_without_metadata(log):
    text = (log.root / "meta.properties").read_text()
    (log.root / "meta.properties").write_text(text.replace("version=0", "version=1").replace("broker.id", "node.id"))
    (log.dir / "partition.metadata").unlink(missing_ok=True)


@incident("A27", "topic-id-mismatch", kinds=["plain"], at_least=Severity.ERROR)
def partitions_of_two_topics_of_one_name(log):
    built(log.root / "more", [[plain(0)]], name="built-1")
    (log.root / "more" / "built-1").rename(log.root / "built-1")
    (log.root / "built-1" / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ")
    for path in (log.root / "more").iterdir():
        path.unlink()
    (log.root / "more").rmdir()
    for path in log.root.glob("*-checkpoint"):
        lines = path.read_text().splitlines()[2:]
        lines += [line.replace("built 0", "built 1").rsplit(" ", 1)[0] + " 3" for line in lines]
        path.write_text(f"0\n{len(lines)}\n" + "".join(f"{line}\n" for line in lines))


@twin("A27", ["ZooKeeper", *OLD])
def a_partition_of_the_zookeeper_era(log):
    assert not (log.dir / "partition.metadata").exists()


@incident("A30", "partition-duplicated", kinds=["plain", "magic 0"], at_least=Severity.ERROR)
def a_partition_in_two_log_dirs(log):
    other = KINDS["plain"](log.root.parent / "d2", kraft=(log.dir / "partition.metadata").exists())
    log.root = [log.root, other]


@twin("A30", ["plain", "codec 3"])
def a_copy_that_moves_to_another_log_dir(log):
    other = KINDS["plain"](log.root.parent / "d2") if log.batches(0)[0][22] == 0 else KINDS["codec 3"](log.root.parent / "d2")
    (other / "built-0").rename(other / "built-0.0123456789abcdef0123456789abcdef-future")
    for name in ("recovery-point", "replication"):
        (other / f"{name}-offset-checkpoint").write_text("0\n0\n")
    log.root = [log.root, other]


@incident("A31", "recovery-point-beyond-end")
def a_recovery_point_behind_the_end(log):
    log.line("recovery-point-offset-checkpoint", 100_000)


@incident("A31", "hw-beyond-end")
def a_high_watermark_behind_the_end(log):
    log.line("replication-offset-checkpoint", 100_000)


@incident("A31", "log-start-beyond-end", at_least=Severity.ERROR)
def a_log_start_behind_the_end(log):
    log.line("log-start-offset-checkpoint", 100_000)


@twin("A31")
def checkpoints_that_lag_behind_a_crash(log):
    log.crash()
    log.line("recovery-point-offset-checkpoint", 0)
    log.line("replication-offset-checkpoint", 1)


@incident("A32", "index-zero-capacity", at_least=Severity.INFO)
@twin("A32")
def an_empty_active_segment_whose_index_has_no_room(log):
    log.crash()
    end = _end(log)
    for suffix in (".log", ".index", ".timeindex"):
        (log.dir / f"{end:020d}{suffix}").write_bytes(b"")
