"""Log dirs in buckets, files behind HTTP servers, and what else fsspec knows: read as if they were here."""

from __future__ import annotations

import base64
import os
import pathlib
import re
import shutil
import sys
import threading
from typing import NamedTuple

import fsspec
import pytest
from click.testing import CliRunner

from kafkalog import errors, next_start, open_log_dir, open_partition, open_segment, verify
from kafkalog.cli.main import main
from kafkalog.core.compression import MAX_DECOMPRESSED
from kafkalog.files import cores, object_store, remote, workers
from kafkalog.files.directory import list_directory
from kafkalog.files.mounted import exists
from kafkalog.files.source import FileSource
from kafkalog.files.urls import is_url, shown
from tests.dump import golden
from tests.encode import R, batch, offset_index
from tests.files.remote_servers import azure, delete, plain_files, put, put_tree, s3, serving
from tests.log_dirs import FIXTURES, unpack
from tests.verify.proofs import aiven_keys

NAME = "twitter-status-0"
LOG = "00000000000000000000.log"
#: What of the log dir is not put into the bucket: that is quicker.
LEFT_OUT = ("big-0", "many-0", "append*", "odd*", *(f"00000000000000000{base}.*" for base in (220, 297, 371, 400, 476, 533)))
NOW = 1_700_000_000_000
MIB = 1 << 20
BUCKET = "s3://bucket/backup/logs"


@pytest.fixture(autouse=True)
def nothing_is_known_yet(monkeypatch):
    """Stores are opened anew, failures are not waited for, and processes are forked again afterwards."""
    monkeypatch.setattr(remote, "_roots", {})
    monkeypatch.setattr(remote, "_beginnings", remote._Beginnings())
    monkeypatch.setattr(remote, "PAUSE", 0.0)
    monkeypatch.setattr(remote, "traffic", remote.Traffic())
    monkeypatch.setattr(cores, "_in_threads", [])


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A log dir whose files were written when a store can say."""
    folder = tmp_path_factory.mktemp("remote") / "logs"
    shutil.copytree(FIXTURES / "broker" / "2.1.1" / "plain", folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for path in folder.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


@pytest.fixture(scope="module")
def moto(logs):
    """An S3."""
    with s3() as served:
        put_tree(logs, "backup/logs")
        yield served


@pytest.fixture
def bucket(moto, monkeypatch):
    """The same, and this process may read it; it has counted nothing yet."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    moto.fault = lambda _: None
    moto.asked.clear()
    yield moto
    moto.fault = lambda _: None


@pytest.fixture
def memory(logs):
    """The log dir in fsspec's memory."""
    files = fsspec.filesystem("memory")
    for path in logs.rglob("*"):
        if path.is_file():
            files.pipe(f"/backup/logs/{path.relative_to(logs)}", path.read_bytes())
    yield "memory://backup/logs"
    files.rm("/backup", recursive=True)


class Ran(NamedTuple):
    """What a command printed on both streams, and its exit status."""

    output: str
    exit_code: int


def run(*arguments):
    """Run a command as `kafkalog` does."""
    command, *words = map(str, arguments)
    try:
        if command == "dump":  # it writes past the streams
            status, printed, told = golden.run(words)
            return Ran(printed.decode(errors="replace") + told, status)
        result = CliRunner().invoke(main, [command, *words], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return Ran(result.output, result.return_value)
    except errors.KafkalogError as error:
        return Ran(f"kafkalog: {error}\n", 2 if isinstance(error, errors.RequestError) else 3)


def objects_of(asked):
    """The requests that are for an object, not for a list of some."""
    return [one for one in asked if not one.lists]


def big_log(size):
    """A log of sound batches, of so many bytes at least."""
    one = batch([R(0, value=b"x" * 300_000)])
    return b"".join(offset.to_bytes(8, "big") + one[8:] for offset in range(size // len(one) + 1))


# --- the same as from a disk ------------------------------------------------------------------------------------------

#: A command line for each command that reads paths, with `LOGS` in the place of the log dir.
COMMANDS = {
    "verify": ("verify", "--now", str(NOW), "--format", "jsonl", "LOGS"),
    "verify a partition": ("verify", "--jobs", "3", "--now", str(NOW), "--format", "jsonl", f"LOGS/{NAME}"),
    "verify a file": ("verify", "--now", str(NOW), "--format", "jsonl", f"LOGS/{NAME}/{LOG}"),
    "dump": ("dump", "LOGS"),
    "dump a file": ("dump", "--print-data-log", "--offsets", "3:8", f"LOGS/{NAME}/{LOG}"),
    "dump as the tool does": ("dump", "--files", f"LOGS/{NAME}/{LOG},LOGS/{NAME}/{LOG.replace('.log', '.index')}"),
    "dump --jobs": ("dump", "--jobs", "2", "--deep-iteration", "LOGS"),
    "next-start of a partition": ("next-start", f"LOGS/{NAME}"),
    "show": ("show", f"LOGS/{NAME}/{LOG}", "--at", "100"),
    "show an offset": ("show", f"LOGS/{NAME}", "--offset", "7"),
    "info": ("info", "LOGS"),
    "info of a partition": ("info", f"LOGS/{NAME}"),
    "info of a file": ("info", f"LOGS/{NAME}/{LOG}"),
    "groups": ("groups", "LOGS"),
    "transactions": ("transactions", "LOGS"),
    "timeline": ("timeline", "--format", "jsonl", "LOGS"),
    "diff": ("diff", "LOGS", "LOGS"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_a_bucket_what_it_says_of_a_disk(name, bucket, logs):
    of_disk = run(*(word.replace("LOGS", str(logs)) for word in COMMANDS[name]))
    of_bucket = run(*(word.replace("LOGS", BUCKET) for word in COMMANDS[name]))
    here, there = of_disk.output.replace(str(logs), "LOGS"), of_bucket.output.replace(BUCKET, "LOGS")
    if not name.startswith("dump"):  # which is not run by the group here
        requests = re.search(r"kafkalog: (\d+) requests?, [\d,]+ bytes? fetched\n\Z", there)
        assert int(requests[1]) == len(bucket.asked)
        there = there.removesuffix(requests[0])
    if name.startswith("dump"):  # what it reports at the end stands in the order of a hash table of paths
        here, there = sorted(here.splitlines()), sorted(there.splitlines())
    assert there == here
    assert of_bucket.exit_code == of_disk.exit_code
    assert bucket.asked


def test_the_metadata_in_a_bucket_is_that_of_a_disk(bucket):
    folder = FIXTURES / "broker" / "3.9.1" / "cluster-final-n1"
    put_tree(folder, "controller/logs")
    of_bucket = run("metadata", "s3://bucket/controller/logs").output
    assert of_bucket.startswith(run("metadata", folder).output)
    assert bucket.asked


@pytest.mark.usefixtures("bucket")
def test_what_is_written_of_a_bucket_is_what_is_written_of_a_disk(logs, tmp_path):
    for name, url in (("disk", str(logs)), ("bucket", BUCKET)):
        place = tmp_path / name
        place.mkdir()
        run("export", f"{url}/{NAME}", "-o", place / "records.csv")
        run("salvage", f"{url}/{NAME}", "-o", place / NAME)
        run("report", "--now", NOW, f"{url}/{NAME}", "-o", place / "report.html")
    written = {
        place: {
            str(path.relative_to(tmp_path / place)): path.read_bytes()
            .replace(str(url).encode(), b"LOGS")
            .replace(place.encode(), b"")
            for path in (tmp_path / place).rglob("*")
            if path.is_file()
        }
        for place, url in (("disk", logs), ("bucket", BUCKET))
    }
    assert written["disk"].keys() == written["bucket"].keys() > {"records.csv", "report.html", f"{NAME}/{LOG}"}
    for name, data in written["disk"].items():
        if name != "report.html":
            assert written["bucket"][name] == data
    assert len(written["bucket"]["report.html"]) > 10_000


@pytest.mark.usefixtures("bucket")
def test_reports_in_a_bucket_are_merged(logs, tmp_path):
    lines = run("verify", "--format", "jsonl", "--now", NOW, logs).output
    put("found/broker1.jsonl", lines.encode())
    (tmp_path / "broker1.jsonl").write_text(lines)
    merged = run("merge", "s3://bucket/found/broker1.jsonl").output
    assert merged.startswith(run("merge", tmp_path / "broker1.jsonl").output)


@pytest.mark.usefixtures("bucket")
def test_any_key_can_stand_before_a_log_dir_and_marks_of_folders_are_none_of_its_files(logs):
    before = "backup of ü %41/a.b"
    put_tree(logs / NAME, f"{before}/logs/{NAME}")
    for folder in ("", "logs/", f"logs/{NAME}/"):
        put(f"{before}/{folder}", b"")
    marked = open_segment(f"s3://bucket/{before}/logs/{NAME}/{LOG}").paths[".log"].rpartition("/")[0]
    assert [entry.name for entry in list_directory(marked)] == sorted(path.name for path in (logs / NAME).iterdir())
    (only,) = open_log_dir(f"s3://bucket/{before}/logs").partitions()
    assert only.files == sorted(path.name for path in (logs / NAME).iterdir())
    assert open_segment(f"s3://bucket/{before}/logs/{NAME}/{LOG}").offset_index is not None
    assert open_log_dir(f"s3://bucket//{before}//logs/").partition_names == [NAME]


@pytest.mark.usefixtures("bucket")
def test_a_log_dir_is_read_in_the_library_too(logs):
    assert verify(BUCKET, now=NOW).to_jsonl().replace(BUCKET, "LOGS") == verify(logs, now=NOW).to_jsonl().replace(
        str(logs), "LOGS"
    )
    assert [one.path for one in open_log_dir(f"{BUCKET}/").partitions()] == [
        f"{BUCKET}/{one.name}" for one in sorted(logs.iterdir()) if one.is_dir()
    ]
    here, there = open_partition(logs / NAME), open_partition(f"{BUCKET}/{NAME}")
    assert list(there.records()) == list(here.records())
    assert there.leader_epochs == here.leader_epochs
    assert open_segment(f"{BUCKET}/{NAME}/{LOG}").offset_index == open_segment(logs / NAME / LOG).offset_index


def test_a_bucket_of_google_is_read(bucket, monkeypatch, logs):
    monkeypatch.setenv("GOOGLE_BASE_URL", bucket.url)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    url = BUCKET.replace("s3:", "gs:")
    assert verify(url, now=NOW).to_jsonl().replace(url, "LOGS") == verify(logs, now=NOW).to_jsonl().replace(str(logs), "LOGS")


@pytest.mark.parametrize("etag", ["{}", '"{}"', "another-{}"])
def test_a_container_of_azure_is_read_however_its_lists_spell_versions(etag, monkeypatch, logs):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_SKIP_SIGNATURE", "true")
    files = {f"logs/{path.relative_to(logs)}": path.read_bytes() for path in logs.rglob("*") if path.is_file()}
    with serving(azure(files, etag)) as server:
        monkeypatch.setenv("AZURE_ENDPOINT", server.url)
        report = verify("az://container/logs", now=NOW)
    assert report.to_jsonl().replace("az://container/logs", "LOGS") == (
        verify(logs, now=NOW).to_jsonl().replace(str(logs), "LOGS")
    )
    assert len(server.asked) <= len(files) + 1 + 3


def test_all_that_fsspec_knows_is_read(memory, logs):
    assert verify(memory, now=NOW).to_jsonl().replace(memory, "LOGS") == verify(logs, now=NOW).to_jsonl().replace(
        str(logs), "LOGS"
    )
    assert [r.value for r in open_segment(f"{memory}/{NAME}/{LOG}").records()] == [
        r.value for r in open_segment(logs / NAME / LOG).records()
    ]


def test_file_systems_are_chained_as_fsspec_does(logs, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "case"), "zip", logs.parent, "logs")
    url = f"zip://logs::file://{archive}"
    assert verify(url, now=NOW).to_jsonl().replace(url, "LOGS") == verify(logs, now=NOW).to_jsonl().replace(str(logs), "LOGS")


def test_a_chain_that_cannot_be_opened_is_a_condition_and_the_rest_is_read(logs, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "case"), "zip", logs.parent, "logs")
    chains = {
        f"zip://logs::{tmp_path}/none.zip": "cannot be asked: No such file or directory",
        f"zip://logs::{logs}/{NAME}/{LOG}": "cannot be asked: BadZipFile",
        f"zip://logs/{NAME}/{LOG}::{archive}": "is a file: give the directory that it is in",
    }
    report = verify([*chains, logs / NAME], now=NOW, quick=True, next_start=False)
    assert {one.path: one.reason for one in report.not_checked if one.failed} == chains
    assert [one.path for one in report.partitions] == [str(logs / NAME)]


@pytest.mark.parametrize("url", ["zip://case.zip", "zip://", "tar:///data/case.tar"])
def test_an_archive_that_no_url_names_is_asked_for(url):
    scheme = url.partition(":")[0]
    with pytest.raises(errors.RequestError, match=f"^{scheme}:// does not say which archive: {scheme}://DIRECTORY::ARCHIVE, "):
        verify(url)


@pytest.mark.parametrize("kind", ["tar", "gztar", "zip"])
@pytest.mark.usefixtures("bucket")
def test_an_archive_in_a_bucket_is_read(kind, logs, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "case"), kind, logs.parent, "logs")
    url = f"s3://bucket/{os.path.basename(archive)}"
    put(url.removeprefix("s3://bucket/"), pathlib.Path(archive).read_bytes())
    found = open_partition(f"{url}/logs/{NAME}")
    assert [r.value for r in found.records()] == [r.value for r in open_partition(logs / NAME).records()]
    assert verify(url, now=NOW).partitions[0].path.startswith(f"{url}/logs/")


@pytest.mark.usefixtures("bucket")
def test_a_file_in_a_bucket_is_read_as_something_else(logs):
    put("odd/carved.bin", (logs / NAME / LOG).read_bytes())
    printed = run("dump", "--as", "log,base=0", "s3://bucket/odd/carved.bin").output
    assert printed.splitlines()[2:] == run("dump", logs / NAME / LOG).output.splitlines()[2:]


# --- how many requests ------------------------------------------------------------------------------------------------


def test_a_log_dir_takes_a_list_and_a_request_for_each_file(bucket, logs):
    files = [path for path in logs.rglob("*") if path.is_file()]
    verify(BUCKET, now=NOW)
    assert sum(one.lists for one in bucket.asked) == 1
    keys = [one.path for one in objects_of(bucket.asked)]
    assert len(keys) == len(set(keys)) <= len(files)


def test_an_archive_is_fetched_once_whatever_is_read_of_it_in_which_order(bucket, logs, tmp_path):
    (logs / "padding").write_bytes(bytes(3 << 20))
    archive = shutil.make_archive(str(tmp_path / "case"), "tar", logs.parent, "logs")
    put("case.tar", pathlib.Path(archive).read_bytes())
    verify("s3://bucket/case.tar", now=NOW)
    assert len(objects_of(bucket.asked)) <= 3


@pytest.fixture
def wide(bucket, monkeypatch):
    """A log dir of more partitions than are listed at once."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for number in range(5):
        put(f"wide/t-{number}/{LOG}", b"x")
    return bucket


def test_as_many_objects_are_listed_at_once_as_the_store_lists(wide):
    assert len(open_log_dir("s3://bucket/wide").partition_names) == 5
    assert len(wide.asked) == 3


def test_a_large_log_is_read_by_its_first_mib_and_then_by_8_mib(bucket):
    data = big_log(18 * MIB)
    put(f"large/t-0/{LOG}", data)
    report = verify(f"s3://bucket/large/t-0/{LOG}", now=NOW, next_start=False)
    assert report.partitions[0].batches == data.count(b"x" * 300_000)
    assert len(objects_of(bucket.asked)) == 1 + 3
    assert len({one.range for one in objects_of(bucket.asked)}) == 4


def test_a_look_at_one_offset_does_not_read_the_whole_log(bucket):
    data = big_log(18 * MIB)
    put(f"large/t-0/{LOG}", data)
    put(f"large/t-0/{LOG.replace('.log', '.index')}", offset_index([(50, data.index((50).to_bytes(8, "big")))]))
    assert "50" in run("show", f"s3://bucket/large/t-0/{LOG}", "--offset", "50").output
    assert sum(one.lists for one in bucket.asked) == 1
    assert len(objects_of(bucket.asked)) <= 6


def test_what_lies_around_a_partition_is_listed_when_it_is_asked_for(bucket):
    assert next_start(f"{BUCKET}/{NAME}").assumed.stop == "clean"
    assert sum(one.lists for one in bucket.asked) == 2


def test_indexes_that_are_opened_again_are_not_fetched_again(bucket):
    segment = open_segment(f"{BUCKET}/{NAME}/{LOG}")
    assert segment.offset_index == segment.offset_index
    assert len(objects_of(bucket.asked)) == 1


@pytest.mark.usefixtures("bucket")
def test_each_call_lists_anew(logs):
    put(f"again/t-0/{LOG}", (logs / NAME / LOG).read_bytes())
    assert len(open_partition("s3://bucket/again/t-0").segments) == 1
    put("again/t-0/00000000000000000999.log", b"")
    assert len(open_partition("s3://bucket/again/t-0").segments) == 2


# --- remote storage of tiered topics, and runs that go on ---


def logs_asked(asked):
    """The objects of logs that were asked for."""
    return [one.path for one in asked if not one.lists and one.path.endswith(".log")]


def test_tiers_in_a_bucket_are_judged_as_on_a_disk_and_their_scans_are_noted(bucket, tmp_path):
    case = unpack(FIXTURES / "cases" / "aiven-tiered-storage.tar.xz")
    stores = {"tier": unpack(FIXTURES / "cases" / "tiered-remote-3.9.1.tar.xz"), "aiven": case / "remote"}
    for name, folder in stores.items():
        put_tree(folder, f"tiers/{name}")
    local = unpack(FIXTURES / "packed" / "3.9.1" / "tiered.tar.xz")
    settings = {"now": NOW, "next_start": False, "resume": tmp_path / "journal", "jobs": 2}
    urls = [f"s3://bucket/tiers/{name}" for name in stores]
    with aiven_keys():
        text = verify([local, *stores.values()], now=NOW, next_start=False).to_jsonl()
        for name, folder in stores.items():
            text = text.replace(str(folder), f"s3://bucket/tiers/{name}")
        assert verify([local, *urls], **settings).to_jsonl() == text
        first = logs_asked(bucket.asked)
        assert len(first) == len(set(first)) == sum(len(list(folder.rglob("*.log"))) for folder in stores.values())
        bucket.asked.clear()
        assert verify([local, *urls], **settings).to_jsonl() == text
        assert logs_asked(bucket.asked) == []

        log = min((case / "remote").rglob("*.log"))
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 1
        key = f"tiers/aiven/{log.relative_to(case / 'remote')}"
        put(key, bytes(data))
        report = verify([local, *urls], **settings)
        assert {one.id for one in report.all_findings()} >= {"remote-chunk-corrupt"}
        assert set(logs_asked(bucket.asked)) == {f"/bucket/{key}"}


def test_a_run_over_a_bucket_goes_on_and_looks_again_at_what_has_changed(bucket, logs, tmp_path):
    put_tree(logs, "resumed")
    settings = {"now": NOW, "next_start": False, "resume": tmp_path / "journal"}
    url = "s3://bucket/resumed"
    whole = verify(url, **settings).to_jsonl()
    bucket.asked.clear()
    assert verify(url, **settings).to_jsonl() == whole
    assert logs_asked(bucket.asked) == []
    log = max(logs.glob("*-0/*.log"), key=lambda path: path.stat().st_size)
    data = bytearray(log.read_bytes())
    data[200] ^= 4
    put(f"resumed/{log.relative_to(logs)}", bytes(data), 1_600_000_000)  # of the same size and time: the ETag tells
    report = verify(url, **settings)
    assert "batch-crc-mismatch" in {finding.id for finding in report.all_findings()}
    assert report.to_jsonl() == verify(url, now=NOW, next_start=False).to_jsonl()


def test_where_no_version_is_told_nothing_is_noted(files, tmp_path, monkeypatch):
    """Whether a file has changed could not be seen."""
    with serving(plain_files(files, etags=False)) as served:
        url, found = f"{served.url}/{NAME}/{LOG}", object_store._found
        verify(url, now=NOW, resume=tmp_path / "by time")
        monkeypatch.setattr(object_store, "_found", lambda meta: found(meta)._replace(version=None))
        monkeypatch.setattr(remote, "_roots", {})
        verify(url, now=NOW, resume=tmp_path / "by nothing")
    assert [len((tmp_path / name).read_bytes().splitlines()) for name in ("by time", "by nothing")] == [2, 1]


# --- objects that change ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bucket")
def test_an_object_that_is_replaced_while_it_is_read_is_a_condition_and_not_half_of_each(logs):
    sound = (logs / NAME / LOG).read_bytes()
    put(f"moving/t-0/{LOG}", sound)
    with FileSource(f"s3://bucket/moving/t-0/{LOG}") as source:
        put(f"moving/t-0/{LOG}", sound[:-1] + b"?")
        with pytest.raises(errors.FileChanged, match="was written to while it was read"):
            source.read()
    with FileSource(f"s3://bucket/moving/t-0/{LOG}") as source:
        assert source.read() == sound[:-1] + b"?"


def test_a_change_is_told_also_where_no_store_refuses_to_give_another_version(memory, files):
    there = fsspec.filesystem("memory")
    sound = there.cat_file(f"/backup/logs/{NAME}/{LOG}")
    with FileSource(f"{memory}/{NAME}/{LOG}") as source:
        there.pipe(f"/backup/logs/{NAME}/{LOG}", sound[:-1] + b"?")
        with pytest.raises(errors.FileChanged, match="was written to while it was read"):
            source.read()
    with serving(plain_files(files, etags=False)) as server, FileSource(f"{server.url}/{NAME}/{LOG}") as source:
        files[f"/{NAME}/{LOG}"] += b"?"
        with pytest.raises(errors.FileChanged, match="grew from"):
            source.read()


def test_verify_reads_a_partition_again_that_has_changed_and_gives_up_on_one_that_goes_on(bucket, logs):
    sound = (logs / NAME / LOG).read_bytes()
    put(f"moving/t-0/{LOG}", sound)
    left = [1, 1000]

    def replaced(asked):
        if asked.path.endswith(".log") and left[0]:
            left[0] -= 1
            put(f"moving/t-0/{LOG}", sound + bytes(1 + left[0]))

    bucket.fault = replaced
    report = verify("s3://bucket/moving/t-0", now=NOW, next_start=False)
    assert not report.not_checked
    left.pop(0)
    put(f"moving/t-0/{LOG}", sound)
    report = verify("s3://bucket/moving/t-0", now=NOW, next_start=False)
    assert [one.failed for one in report.not_checked] == [True]
    assert "while it was read" in report.not_checked[0].reason
    assert "file-changed-during-scan" in {one.id for one in report.partitions[0].findings}


@pytest.mark.usefixtures("bucket")
def test_an_object_that_is_deleted_while_it_is_read_is_missing():
    put(f"moving/t-0/{LOG}", b"gone soon")
    with FileSource(f"s3://bucket/moving/t-0/{LOG}") as source:
        delete(f"moving/t-0/{LOG}")
        with pytest.raises(errors.UnreadableFile, match="deleted since it was listed") as raised:
            source.read()
    assert raised.value.is_missing
    assert not exists(f"s3://bucket/moving/t-0/{LOG}")


# --- stores that fail -------------------------------------------------------------------------------------------------

#: How a store fails, and what is said then.
FAULTS = {
    "500 Internal Server Error": "the server answered 500 Internal Server Error",
    "503 Slow Down": "the server answered 503 Service Unavailable",
    "cut": "its answer was cut off",
    "hang": "it did not answer in time",
}


@pytest.fixture
def impatient(monkeypatch):
    """Waits for an answer for no more than two seconds, and asks only once more."""
    monkeypatch.setattr(object_store, "READ", 2.0)
    monkeypatch.setattr(remote, "TRIES", 2)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_a_fault_that_passes_is_got_over(fault, bucket, logs):
    failed = []

    def fails_once(asked):
        if not failed and asked.path.endswith(LOG):
            failed.append(asked)
            return fault
        return None

    bucket.fault = fails_once
    found = open_segment(f"{BUCKET}/{NAME}/{LOG}")
    assert [r.value for r in found.records()] == [r.value for r in open_segment(logs / NAME / LOG).records()]
    assert failed


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_a_fault_that_lasts_is_a_condition_with_the_path_and_what_to_do(fault, bucket):
    bucket.fault = lambda asked: fault if asked.path.endswith(f"{NAME}/{LOG}") else None
    report = verify(BUCKET, now=NOW, next_start=False)
    (missed,) = [one for one in report.not_checked if one.failed]
    assert missed.path == f"{BUCKET}/{NAME}/{LOG}"
    told = FAULTS[fault]
    assert missed.reason == f"could not be read, tried 2 times: {told}; try again later, or copy it to a disk first"
    assert [one.readable for one in report.partitions] == [True, True, False]


def test_a_list_that_fails_half_way_is_not_half_a_list(wide):
    wide.fault = lambda _: "500 Internal Server Error" if len(wide.asked) == 2 else None
    assert len(open_log_dir("s3://bucket/wide").partition_names) == 5
    wide.fault = lambda asked: "500 Internal Server Error" if "continuation-token" in asked.query else None
    with pytest.raises(errors.UnreadableFile, match="tried 4 times"):
        open_log_dir("s3://bucket/wide")


def test_a_store_that_fails_again_and_again_is_asked_no_more(bucket):
    for number in range(12):
        put(f"few/t-{number}/{LOG}", b"x")
    bucket.fault = lambda asked: None if asked.lists else "500 Internal Server Error"
    report = verify("s3://bucket/few", now=NOW, next_start=False)
    assert len(objects_of(bucket.asked)) == remote.TRIES * remote.MOST_FAILURES
    assert {one.path for one in report.not_checked if one.failed} >= {f"s3://bucket/few/t-{n}/{LOG}" for n in range(12)}
    assert any("not asked for: 8 files of s3://bucket could not be read" in one.reason for one in report.not_checked)


def test_nobody_there_is_an_error_and_not_a_wait():
    with serving(plain_files({})) as server:
        gone = server.url
    result = run("verify", f"{gone}/{LOG}")
    assert result.exit_code == 3
    assert f"{gone}/{LOG}: could not be read, tried 4 times: nobody listens there" in result.output


@pytest.mark.parametrize("answer", ["403 Forbidden", "401 Unauthorized"])
def test_what_one_may_not_read_says_where_credentials_come_from(answer, bucket):
    bucket.fault = lambda _: answer
    result = run("verify", BUCKET)
    assert result.exit_code == 3
    assert f"{BUCKET}: permission denied: AWS_ACCESS_KEY_ID, " in result.output
    assert len(bucket.asked) == 1


def test_what_one_may_not_read_of_a_bucket_is_a_condition_and_the_rest_is_read(bucket):
    hidden = f"{BUCKET}/{NAME}/{LOG}"
    bucket.fault = lambda asked: None if asked.lists or not hidden.endswith(asked.path) else "403 Forbidden"
    report = verify(BUCKET, now=NOW, next_start=False)
    assert [(one.path, one.reason.partition(":")[0]) for one in report.not_checked if one.failed] == [
        (hidden, "permission denied")
    ]
    assert [(one.readable, one.path.endswith(NAME)) for one in report.partitions] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert len([one for one in bucket.asked if hidden.endswith(one.path)]) == 1


def test_where_listing_is_forbidden_a_file_is_read_by_itself(bucket, logs):
    bucket.fault = lambda asked: "403 Forbidden" if asked.lists else None
    found = open_segment(f"{BUCKET}/{NAME}/{LOG}")
    assert len(list(found.records())) == len(list(open_segment(logs / NAME / LOG).records()))


@pytest.mark.parametrize("path", ["backup/none", f"backup/logs/{NAME}/00000000000000000777.log", f"backup/logs/{NAME}/{LOG}/x"])
@pytest.mark.usefixtures("bucket")
def test_what_is_not_in_the_bucket_is_missing(path):
    result = run("verify", f"s3://bucket/{path}")
    assert result.output.splitlines()[0] == f"kafkalog: s3://bucket/{path}: no such file or directory"
    assert result.exit_code == 3


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_told_as_that():
    for words in (["verify", "s3://buckett/logs"], ["dump", f"s3://buckett/{NAME}/{LOG}"]):
        assert "there is no bucket or container of this name" in run(*words).output


# --- HTTP -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(logs):
    """The files of a partition and an archive of it, as an HTTP server has them, by their path."""
    archive = shutil.make_archive(str(logs.parent / "case"), "gztar", logs.parent, "logs")
    return {f"/{NAME}/{path.name}": path.read_bytes() for path in (logs / NAME).iterdir()} | {
        "/case.tar.gz": pathlib.Path(archive).read_bytes()
    }


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_is_read_by_http_with_the_index_beside_it(etags, files, logs):
    with serving(plain_files(files, etags=etags)) as server:
        of_http = run("dump", "--offsets", "40:50", f"{server.url}/{NAME}/{LOG}")
        assert of_http.output.replace(server.url, "LOGS") == (
            run("dump", "--offsets", "40:50", logs / NAME / LOG).output.replace(str(logs), "LOGS")
        )
        assert {one.path.rpartition("/")[2] for one in server.asked} == {LOG, LOG.replace(".log", ".index")}


def test_an_archive_is_read_by_http(files, logs):
    with serving(plain_files(files)) as server:
        report = verify(f"{server.url}/case.tar.gz", now=NOW)
        assert [one.verdict for one in report.partitions] == [one.verdict for one in verify(logs, now=NOW).partitions]


@pytest.mark.parametrize("path", [NAME, f"{NAME}/", "", "/"])
def test_a_directory_cannot_be_read_by_http(path, files):
    with serving(plain_files(files)) as server:
        result = run("verify", f"{server.url}/{path}")
    assert result.exit_code == 3
    assert "HTTP cannot list a directory: give the URL of a file or of an archive" in result.output


def test_a_server_without_ranges_gives_small_files_and_says_so_for_large_ones(files):
    large = f"/t-0/{LOG}"
    with serving(plain_files({**files, large: big_log(3 * MIB)}, ranges=False)) as server:
        assert run("dump", f"{server.url}/{NAME}/{LOG}").exit_code == 0
        result = run("verify", f"{server.url}{large}")
    assert "the server does not give parts of a file (HTTP ranges): copy it to a disk first" in result.output
    assert result.exit_code == 3


# --- nothing secret is shown ------------------------------------------------------------------------------------------


def test_passwords_and_signatures_are_used_and_not_shown(files, tmp_path):
    users = [f"Basic {base64.b64encode(b'me:geheim').decode()}"]
    page = tmp_path / "page.html"
    with serving(plain_files(files, users=users, signature="X-Amz-Signature=geheim")) as server:
        url = f"http://me:geheim@{server.url.removeprefix('http://')}/{NAME}/{LOG}?X-Amz-Signature=geheim"
        outputs = [
            run(*words)
            for words in (
                ("verify", url),
                ("verify", "--format", "jsonl", url),
                ("dump", url),
                ("dump", "--format", "jsonl", url),
                ("show", url),
                ("info", url),
                ("timeline", url),
                ("next-start", url),
                ("salvage", url, "-o", tmp_path / "new"),
                ("diff", url, url),
                ("groups", url),
                ("report", url, "-o", page),
                ("export", url, "-o", tmp_path / "records.csv"),
                ("verify", url.replace(LOG, "00000000000000000777.log")),
            )
        ]
    assert [one.exit_code for one in outputs[:6]] == [0, 0, 0, 0, 0, 0]
    assert f"/{NAME}/{LOG}" in page.read_text()
    for text in (page.read_text(), *(one.output for one in outputs)):
        assert "geheim" not in text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("s3://bucket/logs", "s3://bucket/logs"),
        ("abfss://container@account.dfs.core.windows.net/logs", "abfss://container@account.dfs.core.windows.net/logs"),
        ("sftp://me:secret@host/logs", "sftp://host/logs"),
        ("https://host/a.log?sig=secret", "https://host/a.log"),
        ("C:\\logs?x", "C:\\logs?x"),
        ("logs/a:b@c", "logs/a:b@c"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, text):
    assert shown(url) == text
    assert is_url(url) == ("://" in url)


# --- what it needs, and what it does not do ---------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["s3://bucket/logs", "https://host/a.log", "sftp://host/logs"])
def test_without_the_extra_one_line_names_it(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    for name in ("object_store", "fsspec_store"):
        monkeypatch.delitem(sys.modules, f"kafkalog.files.{name}", raising=False)
    result = run("verify", url)
    scheme = url.partition(":")[0]
    assert result == Ran(f"kafkalog: {scheme}:// needs what is not installed: pip install 'kafkalog[remote]'\n", 2)


@pytest.mark.parametrize("url", ["nonsense://host/logs", "s3fs-not-here::s3://bucket/logs"])
def test_a_scheme_that_nobody_knows_is_one_error(url):
    with pytest.raises(errors.RequestError, match="cannot be read"):
        verify(url)


def test_nothing_is_written_to_a_url(bucket, logs):
    for words in (
        ("salvage", BUCKET, "-o", f"{BUCKET}/new"),
        ("salvage", logs, "-o", "s3://bucket/new"),
        ("export", f"{BUCKET}/{NAME}", "-o", f"{BUCKET}/{NAME}/records.csv"),
        ("report", BUCKET, "-o", f"{BUCKET}/report.html"),
    ):
        result = run(*words)
        assert "is not on this machine" in result.output
        assert result.exit_code == 2
    assert {one.method for one in bucket.asked} <= {"GET", "HEAD"}


def test_an_image_is_read_on_this_machine(tmp_path):
    result = run("carve", "s3://bucket/disk.img", "-o", tmp_path / "new")
    assert "copy it to a disk first" in result.output


@pytest.mark.usefixtures("bucket")
def test_what_reads_a_bucket_works_in_threads_in_which_is_set_what_was_set():
    open_log_dir(BUCKET)
    token = MAX_DECOMPRESSED.set(4711)
    try:
        with workers.pool(2) as pool:
            assert pool.submit(MAX_DECOMPRESSED.get).result() == 4711
            assert pool.submit(os.getpid).result() == os.getpid()
    finally:
        MAX_DECOMPRESSED.reset(token)


@pytest.mark.usefixtures("bucket")
def test_threads_that_are_ended_begin_nothing_more():
    open_log_dir(BUCKET)
    has_begun, may_end = threading.Event(), threading.Event()

    def long_work():
        has_begun.set()
        return may_end.wait(60)

    pool = workers.pool(1)
    begun, waiting = pool.submit(long_work), pool.submit(os.getpid)
    has_begun.wait(60)
    pool.shutdown(wait=False)
    may_end.set()
    assert begun.result()
    assert waiting.cancelled()
