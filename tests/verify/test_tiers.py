"""Remote storage beside local logs: what verify says of sound ones, and of those that are not."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from kafkalog.files.aiven import AIVEN_KEYS
from kafkalog.files.classify import NOTHING_OF_KAFKA
from kafkalog.render.earlier_report import read_report
from kafkalog.render.merged_report import Run, merged_report
from kafkalog.render.verify_start import names_of
from kafkalog.verify import Severity, verify
from kafkalog.verify.tiers import Tiers
from tests.log_dirs import FIXTURES, unpack
from tests.verify.lab import NOW, Lab
from tests.verify.proofs import AIVEN, TIER, TIERED, aiven_keys, copies

RELEASES = ("3.9.1", "4.3.1")


def local(release):
    return unpack(FIXTURES / "packed" / release / "tiered.tar.xz")


def remote(release):
    return unpack(FIXTURES / "cases" / f"tiered-remote-{release}.tar.xz")


def look(*paths, **options):
    return verify(list(map(str, paths)), now=NOW, next_start=False, **options)


def loud(report):
    """What is said of remote storage above INFO; and of anything else, where whole log dirs were given."""
    remote = tuple(f"{one.path}/" for one in report.partitions if one.is_remote)
    return [
        (finding.id, finding.path)
        for finding in report.all_findings()
        if finding.severity > Severity.INFO and (finding.id.startswith("remote-") or f"{finding.path}/".startswith(remote))
    ]


def sole(report):
    """The one finding above INFO about remote storage."""
    ((rule_id, path),) = loud(report)
    return next(one for one in report.all_findings() if (one.id, one.path) == (rule_id, path))


@pytest.fixture
def labs(tmp_path):
    """A tiered partition with the records about its copies, and what is in remote storage, as a root of that."""
    lab, tier = Lab(tmp_path / "d1", TIERED), Lab(tmp_path / "d2", TIER)
    copies(lab)
    return lab, tier


# --- sound ones -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("quick", [False, True])
def test_a_sound_log_dir_with_its_remote_storage_has_nothing_above_info(release, quick):
    report = look(local(release), remote(release), quick=quick)
    assert [one for one in report.all_findings() if one.severity > Severity.INFO] == []
    there = {one.path: one for one in report.partitions if one.is_remote}
    assert len(there) == 4
    assert sum(one.segments for one in there.values()) == len(list(remote(release).glob("*/*/*.log")))
    assert not report.failed


@pytest.mark.parametrize("release", RELEASES)
def test_neither_is_the_log_dir_alone_nor_the_remote_storage_alone(release):
    for path in (local(release), remote(release)):
        assert [one for one in look(path).all_findings() if one.severity > Severity.INFO] == []


def test_a_log_that_begins_after_what_is_in_remote_storage_has_lost_nothing():
    report = look(local("3.9.1"))
    starts = {one.path.rpartition("/")[2]: one.log_start_offset for one in report.partitions}
    assert starts["tier-0"] == 127
    assert all(one.account.gone == () for one in report.partitions)


def test_what_aivens_plug_in_wrote_is_sound():
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")
    with aiven_keys():
        report = look(case / "__remote_log_metadata-0", case / "remote")
    assert loud(report) == []
    (there,) = [one for one in report.partitions if one.is_remote]
    assert (there.topic, there.partition, there.records) == ("tiered", 0, 6001)
    assert (there.log_start_offset, there.log_end_offset) == (0, 6001)


# --- others -----------------------------------------------------------------------------------------------------------


def test_without_the_key_the_objects_are_compared_and_nothing_is_said_to_be_sound(tmp_path):
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")
    shutil.copytree(case / "remote", tmp_path / "remote")
    AIVEN_KEYS.set(None)
    report = look(case / "__remote_log_metadata-0", tmp_path / "remote")
    (there,) = [one for one in report.partitions if one.is_remote]
    assert there.verdict == "unknown"
    (item,) = [one for one in report.not_checked if one.failed]
    assert (
        item.reason == "2 of its 2 segments are encrypted with the key 'kek1', which was not given: --aiven-key kek1=FILE.pem"
    )
    next((tmp_path / "remote").glob("pre/*/0/*3001-*.log")).unlink()
    found = look(case / "__remote_log_metadata-0", tmp_path / "remote")
    assert sole(found).id == "remote-object-missing"


def test_without_the_key_it_shows_which_indexes_are_cut_off(tmp_path):
    lab = Lab(tmp_path / "d1", AIVEN)
    path = lab.path(0, ".indexes")
    size = path.stat().st_size
    AIVEN_KEYS.set(None)
    assert loud(look(lab.dir)) == []
    whole = path.read_bytes()
    path.write_bytes(whole + b"more")
    assert loud(look(lab.dir)) == []
    path.write_bytes(whole[:-1])
    found = sole(look(lab.dir))
    assert (found.id, found.facts["kind"]) == ("remote-index-unusable", ".leader_epoch_checkpoint")
    assert f"it ends at byte {size} of {path.name}, which has {size - 1} bytes" in found.message
    path.write_bytes(b"")
    every = {one.facts["kind"] for one in look(lab.dir).all_findings() if one.id == "remote-index-unusable"}
    assert every >= {".index", ".timeindex", ".snapshot", ".leader_epoch_checkpoint"}


@pytest.mark.parametrize(
    ("suffix", "found"),
    [
        (".rsm-manifest", {"remote-object-missing", "remote-index-unusable"}),
        (".indexes", {"remote-index-unusable"}),
        (".log", {"remote-object-missing"}),
    ],
)
def test_each_object_of_aivens_is_missed(tmp_path, suffix, found):
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")
    shutil.copytree(case / "remote", tmp_path / "remote")
    next((tmp_path / "remote").glob(f"pre/*/0/*3001-*{suffix}")).unlink()
    with aiven_keys():
        report = look(case / "__remote_log_metadata-0", tmp_path / "remote")
    assert {rule for rule, _ in loud(report)} == found


def test_an_encrypted_index_that_was_changed_is_named(tmp_path):
    lab = Lab(tmp_path / "d1", AIVEN)
    path = lab.path(0, ".indexes")
    lab.patch(path, 20, bytes([path.read_bytes()[20] ^ 1]))
    with aiven_keys():
        report = look(lab.dir)
    found = sole(report)
    assert found.id == "remote-index-unusable"
    assert found.facts["kind"] == ".index"
    assert "its authentication tag does not fit" in found.message


@pytest.mark.parametrize("at", [0, 70_000, 186_465])
def test_one_bit_costs_one_chunk(tmp_path, at):
    lab = Lab(tmp_path / "d1", AIVEN)
    data = lab.path(1).read_bytes()
    lab.patch(lab.path(1), at, bytes([data[at] ^ 1]))
    with aiven_keys():
        report = look(lab.dir)
    found = sole(report)
    assert found.id == "remote-chunk-corrupt"
    assert found.span.end - found.span.start <= 65536
    (there,) = report.partitions
    lost = found.offsets[1] - found.offsets[0] + 1
    assert there.records == 6001 - lost
    assert there.account.unreadable == (found.offsets,)


def test_what_the_local_log_still_has_is_not_lost(labs):
    lab, tier = labs
    base = lab.path(0)
    shutil.copy(tier.path(2), base.with_name(f"{76:020}.log"))
    tier.path(2).unlink()
    report = look(lab.root, tier.dir)
    (found,) = [one for one in report.all_findings() if one.id == "remote-object-missing"]
    assert found.offsets is None
    assert found.consequence.endswith(
        "Nothing is lost yet: the local log has these offsets until local retention deletes them."
    )
    assert next(one for one in report.partitions if one.is_remote).verdict == "damaged"


def test_what_is_damaged_in_remote_storage_and_sound_in_the_local_log_is_not_lost(labs):
    lab, tier = labs
    shutil.copy(tier.path(2), lab.path(0).with_name(f"{76:020}.log"))
    data = tier.path(2).read_bytes()
    tier.patch(tier.path(2), 1000, bytes([data[1000] ^ 1]))
    report = look(lab.root, tier.dir)
    found = sole(report)
    assert (found.id, found.offsets) == ("batch-crc-mismatch", None)
    assert found.consequence.endswith(
        "Nothing is lost yet: the local log has these offsets until local retention deletes them."
    )
    (there,) = [one for one in report.partitions if one.is_remote]
    assert (there.verdict, there.account.unreadable) == ("damaged", ())
    # Of the segment before, which the local log has not, they are.
    tier.patch(tier.path(1), 1000, bytes([tier.path(1).read_bytes()[1000] ^ 1]))
    assert next(one for one in look(lab.root, tier.dir).partitions if one.is_remote).verdict == "data-loss"


def test_what_lies_before_the_log_start_offset_is_not_lost(labs):
    lab, tier = labs
    lab.checkpoint("log-start-offset-checkpoint", 42)
    tier.path(0).unlink()
    (found,) = [one for one in look(lab.root, tier.dir).all_findings() if one.id == "remote-object-missing"]
    assert found.offsets is None
    assert found.consequence.endswith("Nothing is lost: other segments have these offsets, or they count no longer.")


def test_a_partition_that_is_missing_in_remote_storage_is_told_once(tmp_path):
    root = shutil.copytree(remote("3.9.1"), tmp_path / "remote")
    gone = next(root.glob("*/tier-1-*"))
    shutil.rmtree(gone)
    report = look(local("3.9.1"), root)
    assert loud(report) == [("remote-object-missing", f"{gone}/00000000000000000000-7qpeNzOTTq--MFWQXyM-5Q.log")]
    (found,) = [one for one in report.all_findings() if one.id == "remote-object-missing"]
    assert found.offsets == (9, 135)  # the log starts at 9


@pytest.mark.parametrize("folders", [(), ("prefix/tier-0-Qfz-izVOSma1rj1aj6gMMQx", "b")], ids=["empty", "folders"])
def test_remote_storage_without_any_object_has_lost_all_that_was_copied(folders, tmp_path):
    root = tmp_path / "remote"
    for folder in ("", *folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
    whole = remote("3.9.1") / "kafka-tiered-storage"
    report = look(root, local("3.9.1"))
    names = {one.name for one in whole.iterdir()}
    assert {one.path for one in report.partitions if one.is_remote} == {f"{root}/{name}" for name in names}
    assert {rule_id for rule_id, _ in loud(report)} == {"remote-object-missing"}
    assert not report.failed
    reason = "no file is in it: taken for emptied remote storage, since 12 segments were copied"
    assert [(one.path, one.reason) for one in report.not_checked] == [(str(root), reason)]


def test_a_folder_without_files_is_no_remote_storage_where_nothing_or_something_else_says_so(labs, tmp_path):
    lab, tier = labs
    empty = tmp_path / "empty"
    empty.mkdir()
    for given in ([empty], [empty, FIXTURES / "broker/2.1.1/plain"], [lab.root, tier.dir, empty]):
        report = look(*given)
        assert [(one.path, one.reason) for one in report.not_checked if one.failed] == [(str(empty), NOTHING_OF_KAFKA)]
        assert not [one for one in report.all_findings() if one.id == "remote-object-missing"]
    (empty / "notes.txt").write_text("")
    assert NOTHING_OF_KAFKA in [one.reason for one in look(lab.root, empty).not_checked if one.failed]


def test_remote_storage_of_another_cluster_is_no_proof_of_loss():
    assert loud(look(local("3.9.1"), remote("4.3.1"))) == []


def test_a_partition_that_was_not_given_is_not_missed(labs):
    _, tier = labs
    assert loud(look(local("3.9.1"), tier.dir)) == []


def test_the_gap_between_remote_storage_and_the_local_log_shows_without_the_storage(labs):
    lab, _ = labs
    copies_without_last = Lab(lab.root.parent / "d3", TIERED)
    copies(copies_without_last, "COPY_SEGMENT_FINISHED bZy-FRc0S6ajIhukqqMxyA")
    report = look(copies_without_last.root)
    assert loud(report) == [("remote-gap", str(copies_without_last.dir))]
    (found,) = [one for one in report.all_findings() if one.id == "remote-gap"]
    assert found.offsets == (76, 126)


def test_without_records_about_copies_a_hole_in_remote_storage_is_a_warning(labs):
    _, tier = labs
    for path in tier.dir.glob("*42-*"):
        path.unlink()
    report = look(tier.dir)
    found = sole(report)
    assert (found.id, found.severity, found.offsets) == ("remote-gap", Severity.WARNING, (42, 75))
    assert any("whether segments are missing is not known" in item.reason for item in report.not_checked)


def test_an_index_that_does_not_fit_its_log_is_told_in_words_for_remote_storage(labs):
    lab, tier = labs
    tier.entry(tier.path(1, ".index"), 1, ">ii", 9, 77)
    report = look(lab.root, tier.dir)
    found = sole(report)
    assert found.path.endswith(".index")
    assert "broker rebuilds" not in found.remedy + found.consequence
    assert "Restore the object" in found.remedy


def test_the_lines_of_remote_partitions_are_read_back_and_are_no_replicas(labs):
    lab, tier = labs
    report = look(lab.root, tier.dir)
    text = report.to_jsonl()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["path"] for row in rows if row.get("remote")] == [str(tier.dir)]
    assert read_report(text).to_jsonl() == text
    # The other host has lost what lies in remote storage here: that is no replica to fetch it from.
    cut = Lab(lab.root.parent / "d3", TIERED)
    cut.cut(cut.path(0), 100)
    merged = merged_report([Run("one", text), Run("two", look(cut.root).to_jsonl())])
    assert all(str(tier.dir) not in finding.remedy for finding in merged.all_findings())


def test_a_single_remote_file_is_judged_by_itself(labs):
    lab, tier = labs
    tier.path(1).write_bytes(tier.path(1).read_bytes()[:-50])
    assert loud(look(tier.path(0))) == []
    (there,) = [one for one in look(lab.root, tier.path(1)).partitions if one.is_remote]
    assert {finding.id for finding in there.findings} >= {"remote-size-differs", "log-tail-torn"}


def test_patterns_choose_among_remote_partitions_too():
    report = look(remote("3.9.1"), topics="tier-txn")
    assert [one.path.rpartition("/")[2] for one in report.partitions] == ["tier-txn-0-vxLa43ErRXmjnZQ31guFmQ"]
    assert report.left_out == 3


def test_a_worker_process_finds_the_same(labs):
    lab, tier = labs
    tier.cut(tier.path(2), 4000)
    one, two = (look(lab.root, tier.root, jobs=jobs) for jobs in (1, 2))
    assert one.to_jsonl() == two.to_jsonl()


def test_what_a_broker_copies_and_deletes_meanwhile_is_not_held_against_it(labs, monkeypatch):
    lab, tier = labs
    kept = {path: path.read_bytes() for path in tier.dir.iterdir() if "00042-" in path.name}
    for path in kept:
        path.unlink()
    read_logs = Tiers._read_logs

    def and_come_back(self, partitions):
        found = read_logs(self, partitions)
        if not all(path.exists() for path in kept) and and_come_back.calls:
            for path, data in kept.items():
                path.write_bytes(data)
        and_come_back.calls += 1
        return found

    and_come_back.calls = 0
    monkeypatch.setattr(Tiers, "_read_logs", and_come_back)
    assert loud(look(lab.root, tier.dir)) == []


@pytest.mark.parametrize("given", [True, False])
def test_a_local_log_that_is_gone_has_not_lost_what_was_copied(labs, given):
    lab, tier = labs
    lab.path(0).unlink()
    report = look(lab.root, *([tier.dir] if given else []))
    (found,) = [one for one in report.all_findings() if one.id == "partition-without-log"]
    assert found.offsets == (127, 169)
    assert found.consequence.endswith("What remote storage has of these offsets is not lost: offsets 127 to 169 are.")


def test_a_local_log_has_lost_what_was_copied_and_is_gone_there_too(labs):
    lab, tier = labs
    lab.path(0).unlink()
    tier.path(2).unlink()
    (found,) = [one for one in look(lab.root, tier.dir).all_findings() if one.id == "partition-without-log"]
    assert found.offsets == (76, 169)


def test_a_partition_of_aivens_is_named_in_the_headline_by_its_topic_too(tmp_path):
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")
    shutil.copytree(case / "remote", tmp_path / "remote")
    next((tmp_path / "remote").glob("pre/*/0/*3001-*.log")).unlink()
    report = look(case / "__remote_log_metadata-0", tmp_path / "remote")
    assert "tiered-mtjWJaM6Tmm_xbXg04ni6w/0" in names_of(report).values()


class Counting(ThreadPoolExecutor):
    """Threads that note what they are given."""

    def __init__(self):
        super().__init__(2)
        self.given = []

    def submit(self, function, /, *args, **kwargs):
        self.given.append(pickle.loads(pickle.dumps((function, args))))
        return super().submit(function, *args, **kwargs)


def test_workers_scan_encoded_segments_too_and_find_the_same(tmp_path):
    case = shutil.copytree(unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz") / "remote", tmp_path / "remote")
    log = max(case.rglob("*.log"), key=lambda path: path.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with aiven_keys():
        alone = look(case)
        with Counting() as pool:
            assert look(case, executor=pool) == alone
        assert look(case, jobs=2) == alone
    assert "remote-chunk-corrupt" in {finding.id for finding in alone.all_findings()}
    assert len(pool.given) == sum(one.segments for one in alone.partitions)


def test_a_worker_that_knows_nothing_of_remote_storage_reads_it():
    """As on another machine: neither the directory nor the key was looked at there."""
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz") / "remote"
    with aiven_keys(), Counting() as pool:
        there = look(case, executor=pool)
    script = (
        "import pickle, sys\nfor function, args in pickle.load(sys.stdin.buffer):\n"
        "    scan = function(*args)\n    print(scan.records, len(scan.bad_chunks))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(pool.given), capture_output=True, check=True)
    assert sum(int(line.split()[0]) for line in done.stdout.splitlines()) == sum(one.records for one in there.partitions) > 0
    assert {line.split()[1] for line in done.stdout.splitlines()} == {b"0"}
