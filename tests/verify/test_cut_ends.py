"""Ends that were cut off logs: what the files beside them prove, also where the log cleaner makes holes."""

from __future__ import annotations

import shutil
import struct

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.next_start.api import next_starts
from kafkalog.verify import Severity, verify
from tests.log_dirs import fixture
from tests.verify.lab import BROKER, Lab

NOW = 1795500000000
TXN, IDEMPOTENT = ("4.3.1", "e-txn-0"), ("4.3.1", "e-idem-0")


@pytest.fixture
def compacted(tmp_path):
    def make(release, partition):
        log_dir = tmp_path / "logs"
        shutil.copytree(fixture(release, "edge").path(), log_dir)
        return log_dir, log_dir / partition

    return make


def logs(partition):
    return sorted(partition.glob("*.log"))


def batches(data):
    """Position, and first offset, of each batch."""
    at = 0
    while at < len(data):
        base, length = struct.unpack_from(">qi", data, at)
        yield at, base
        at += 12 + length


def end_of(data):
    """The offset after the last batch."""
    at, base = list(batches(data))[-1]
    return base + struct.unpack_from(">i", data, at + 23)[0] + 1


def cut(log, count):
    """Cut whole batches from the end of a log, all of them where it has no more; the offset that it ends at then."""
    data = log.read_bytes()
    places = list(batches(data))
    left = data[: places[-count][0]] if count < len(places) else b""
    log.write_bytes(left)
    return end_of(left) if left else int(log.stem)


def account_of(log_dir, partition):
    report = verify(log_dir, now=NOW, next_start=False, topics=[partition.name])
    (one,) = [one for one in report.partitions if one.path == str(partition)]
    return one


@pytest.mark.parametrize("which", [TXN, IDEMPOTENT], ids=["transactions", "idempotent"])
@pytest.mark.parametrize("count", [2, 3, 1000])
def test_the_cut_end_of_a_cleaned_segment_is_lost_as_its_indexes_prove(which, count, compacted):
    log_dir, partition = compacted(*which)
    for log, following in zip(logs(partition), logs(partition)[1:], strict=False):
        whole = log.read_bytes()
        if not whole:
            continue
        end = cut(log, count)
        report = account_of(log_dir, partition)
        assert report.verdict == "data-loss"
        assert report.account.gone == ((end, int(following.stem) - 1),)
        assert report.account.at_most
        assert report.account.cause.id == "segment-gap"
        assert {finding.id for finding in report.findings if finding.cause is None and finding.severity > Severity.INFO} == {
            "segment-gap"
        }
        log.write_bytes(whole)


def test_the_cut_end_of_a_cleaned_log_is_told_as_that_many_at_most(compacted):
    log_dir, partition = compacted(*IDEMPOTENT)
    end = cut(logs(partition)[0], 3)
    result = CliRunner().invoke(main, ["verify", str(log_dir)], standalone_mode=False)
    assert result.return_value == 1
    following = int(logs(partition)[1].stem)
    words = " ".join(result.output.split())
    assert f"gone offsets {end}..{following - 1}: up to {following - end} of" in words
    assert "The log cleaner may have removed some of these offsets before." in words
    assert "none is gone" not in words


def test_a_start_knows_of_the_cut_end_of_a_cleaned_segment(compacted):
    log_dir, partition = compacted(*IDEMPOTENT)
    end = cut(logs(partition)[0], 3)
    outcomes = {outcome.path: outcome for outcome in next_starts([log_dir])}
    (gone,) = outcomes[str(partition)].already_gone
    assert (gone.first, gone.last, gone.certain, gone.at_most) == (end, int(logs(partition)[1].stem) - 1, True, True)
    assert ".index names offset" in gone.witness
    assert outcomes[str(partition)].severity == "warning"


def last_entry_changed(path, layout, **fields):
    names = {".index": ("offset", "position"), ".timeindex": ("timestamp", "offset")}[path.suffix]
    data = bytearray(path.read_bytes())
    values = dict(zip(names, struct.unpack_from(layout, data, len(data) - struct.calcsize(layout)), strict=True)) | fields
    struct.pack_into(layout, data, len(data) - struct.calcsize(layout), *(values[name] for name in names))
    path.write_bytes(data)


def test_one_wrong_field_of_an_index_entry_proves_no_loss(compacted):
    """The entry's offset is in the cleaner's hole then, but its other field is that of a record that is there."""
    log_dir, partition = compacted(*IDEMPOTENT)
    log, following = next(
        (log, int(other.stem))
        for log, other in zip(logs(partition), logs(partition)[1:], strict=False)
        if end_of(log.read_bytes()) < int(other.stem)
    )
    for suffix, layout in ((".index", ">ii"), (".timeindex", ">qi")):
        path = log.with_suffix(suffix)
        whole = path.read_bytes()
        last_entry_changed(path, layout, offset=following - 1 - int(log.stem))
        report = account_of(log_dir, partition)
        assert (report.verdict, report.account.gone) == ("damaged", ())
        path.write_bytes(whole)


def test_a_segment_that_a_swap_replaces_may_be_shorter_than_its_old_indexes(compacted):
    log_dir, partition = compacted(*IDEMPOTENT)
    log = logs(partition)[0]
    (partition / f"{log.name}.swap").write_bytes(log.read_bytes())
    cut(log, 3)
    assert account_of(log_dir, partition).account.gone == ()


# --- the end of a log ---


def line(log_dir, name, topic, offset):
    path = log_dir / name
    rows = path.read_text().splitlines()
    path.write_text("".join(f"{topic} 0 {offset}\n" if row.startswith(f"{topic} 0 ") else f"{row}\n" for row in rows))


@pytest.fixture
def plain(tmp_path):
    return shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")


def test_a_high_watermark_after_the_end_of_a_log_counts_what_is_gone(plain):
    """Also where the recovery point says otherwise: consumers may have read these offsets."""
    line(plain, "replication-offset-checkpoint", "many", 3007)
    report = account_of(plain, plain / "many-0")
    assert (report.verdict, report.account.gone) == ("data-loss", ((3000, 3006),))
    assert report.account.cause.id == "hw-beyond-end"
    assert "has the same end, noted at the clean stop" in report.account.cause.message
    result = CliRunner().invoke(main, ["next-start", str(plain)], standalone_mode=False)
    assert (result.return_value, "offsets 3000..3006" in " ".join(result.output.split())) == (1, True)


@pytest.mark.parametrize(
    ("name", "cause"),
    [("replication-offset-checkpoint", "hw-beyond-end"), ("recovery-point-offset-checkpoint", "recovery-point-beyond-end")],
)
def test_all_who_tell_of_a_lost_end_are_told_under_the_one_that_tells_of_most(name, cause, plain):
    partition = plain / "twitter-status-0"
    log = logs(partition)[-1]
    end = cut(log, 2)
    line(plain, name, "twitter-status", 540)
    report = account_of(plain, partition)
    assert report.account.gone == ((end, 539),)
    loud = [finding for finding in report.findings if finding.severity > Severity.INFO]
    assert {finding.id for finding in loud if finding.cause is None} == {cause}
    assert len(loud) > 3


@pytest.mark.parametrize("damage", [lambda data, at: data[: at + 70], lambda data, at: data[:at] + bytes(len(data) - at)])
def test_what_is_left_of_the_cut_batch_goes_as_far_as_the_recovery_point(damage, plain):
    partition = plain / "twitter-status-0"
    log = logs(partition)[-1]
    data = log.read_bytes()
    at, base = list(batches(data))[-2]
    log.write_bytes(damage(data, at))
    report = account_of(plain, partition)
    assert report.account.gone == ((base, 532),)
    assert [f.id for f in report.findings if f.cause is None and f.severity > Severity.INFO] in (
        ["log-tail-torn"],
        ["log-tail-zeroed"],
    )


def test_a_lone_batch_that_cannot_be_read_is_not_gone(plain):
    log = plain / "many-0" / f"{0:020d}.log"
    data = bytearray(log.read_bytes())
    data[30] ^= 4
    log.write_bytes(data)
    report = account_of(plain, plain / "many-0")
    assert (report.account.gone, report.account.unreadable) == ((), ((0, 2999),))


def test_a_copy_of_the_segment_before_is_another_log(plain):
    first, second, third, *_ = logs(plain / "twitter-status-0")
    shutil.copyfile(first, second)
    report = account_of(plain, plain / "twitter-status-0")
    assert [f.id for f in report.findings if f.cause is None and f.severity > Severity.INFO] == ["log-replaced"]
    assert report.account.gone == ((int(second.stem), int(third.stem) - 1),)
    assert "all its offsets are before that of its name" in report.account.cause.message


def test_a_high_watermark_that_snapshots_bear_out_is_an_error_and_the_one_cause(plain):
    partition = plain / "twitter-status-0"
    end = cut(logs(partition)[-1], 2)
    line(plain, "recovery-point-offset-checkpoint", "twitter-status", end)
    report = account_of(plain, partition)
    assert report.account.gone == ((end, 532),)
    roots = [f for f in report.findings if f.cause is None and f.severity > Severity.INFO]
    assert [(f.id, f.severity) for f in roots] == [("hw-beyond-end", Severity.ERROR)]


@pytest.mark.parametrize("foreign", ["plain/many-0", "txn/ledger-0"], ids=["of another topic", "with transactions of its own"])
def test_a_log_beside_an_index_without_entries_is_told_as_another_one_too(foreign, tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-plain-mix-0")
    second, third = lab.path(1), lab.path(2)
    assert second.with_suffix(".index").stat().st_size == 0
    shutil.copyfile(min((BROKER / "2.1.1" / foreign).glob("*.log")), second)
    report = account_of(lab.root, lab.dir)
    assert report.account.gone == ((int(second.stem), int(third.stem) - 1),)
    assert report.account.cause.id == "log-replaced"


def test_offsets_that_the_segment_before_holds_are_not_gone_where_a_log_ends_before_its_name(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-plain-mix-0")
    hole = (int(lab.path(1).stem), int(lab.path(2).stem) - 1)
    lab.write(1, lab.batches(0)[:3])
    (report,) = [one for one in verify(lab.root, now=NOW).partitions if one.path == str(lab.dir)]
    assert [finding.offsets for finding in report.findings if finding.id == "segment-gap"] == [hole]
    assert [(gone.first, gone.last) for outcome in report.next_start for gone in outcome.already_gone] == [hole]
