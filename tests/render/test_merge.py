"""`kafkalog merge`: what many hosts found, as one report."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.errors import RequestError
from kafkalog.render.merged_report import Run, merged_report
from kafkalog.verify import verify
from tests.log_dirs import fixture

NOW = 1795500000000
#: Fields of a summary in which one run over everything and a merge agree.
SUM = (
    *("error", "warning", "info", "verdict", "partitions", "segments", "files", "bytes", "batches", "records"),
    *("damaged_partitions", "gone", "unreadable", "unreached", "skipped", "suppressed", "left_out", "now"),
    *("first_action", "explained_by"),
)


def merge(*words, text=None):
    return CliRunner().invoke(main, ["merge", *map(str, words)], standalone_mode=False, input=text)


def flip(log_dir, topic, number=0):
    path = sorted((log_dir / topic).glob("*.log"))[number]
    data = bytearray(path.read_bytes())
    data[200] ^= 4
    path.write_bytes(data)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Two copies of a log dir as two hosts: the first has a flipped bit in ledger-0."""
    root = tmp_path_factory.mktemp("hosts")
    for name in ("one", "two"):
        shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), root / name / "data")
    flip(root / "one" / "data", "ledger-0")
    return root


def printed(root, name, path="data"):
    """The lines of a host, which sees its own log dir as `path`."""
    text = verify(str(root / name / "data"), now=NOW).to_jsonl()
    return text.replace(json.dumps(str(root / name / "data"))[1:-1], path)


@pytest.fixture(scope="module")
def files(hosts):
    for name in ("one", "two"):
        (hosts / f"{name}.jsonl").write_text(printed(hosts, name))
    return hosts / "one.jsonl", hosts / "two.jsonl"


def test_the_summary_is_that_of_one_run_over_everything(tmp_path):
    """Log dirs of different clusters, so that nothing of one speaks of the other."""
    paths = [
        str(shutil.copytree(fixture(*case).path(), tmp_path / case[1])) for case in (("2.1.1", "plain"), ("3.9.1", "edge"))
    ]
    flip(tmp_path / "plain", "twitter-status-0", 1)
    whole = json.loads(verify(paths, now=NOW).to_jsonl().splitlines()[-1])
    merged = merged_report([Run(path, verify(path, now=NOW).to_jsonl()) for path in paths])
    summary = json.loads(merged.to_jsonl().splitlines()[-1])
    assert {name: summary[name] for name in SUM if name != "version"} == {
        name: whole[name] for name in SUM if name != "version"
    }


def test_lines_come_back_as_they_were(hosts):
    text = printed(hosts, "one")
    assert merged_report([Run("one", text)]).to_jsonl() == text


def test_paths_that_two_hosts_share_get_the_name_of_their_host(files):
    done = merge("--format", "jsonl", *files)
    rows = [json.loads(line) for line in done.output.splitlines()]
    paths = [row["path"] for row in rows if row["type"] == "partition"]
    assert len(paths) == len(set(paths))
    assert {path.partition(":")[0] for path in paths} == {"one", "two"}
    assert all(path.partition(":")[2].startswith("data/") for path in paths)
    for row in rows:
        if row["type"] == "next_start":
            assert all(path.startswith(("one:", "two:")) for path in (*row["delete"], *row["create"], *row["rebuild"]))


def test_paths_that_differ_stay_as_they_are(hosts, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(printed(hosts, name, f"/kafka/{name}"))
    output = merge("--format", "jsonl", tmp_path / "one.jsonl", tmp_path / "two.jsonl").output
    assert '"path": "/kafka/two/ledger-0"' in output
    assert "two:/kafka" not in output


def test_names_can_be_given(files):
    output = merge(f"east={files[0]}", f"west={files[1]}").output
    assert "east:data/ledger-0" in output
    with pytest.raises(RequestError, match="two runs are called 'a'"):
        merged_report([Run("a", ""), Run("a", "")])


def test_a_sound_replica_of_another_host_is_named_with_the_offsets_it_has(files):
    text = " ".join(merge(*files).output.split())
    assert "two:data/ledger-0 is a replica that has offsets" in text
    assert "which this one lacks, sound" in text


def test_a_replica_of_another_topic_with_the_same_name_is_none(hosts):
    other = printed(hosts, "two").replace('"topic_id": "', '"topic_id": "x')
    assert "is a replica that has" not in merged_report([Run("one", printed(hosts, "one")), Run("two", other)]).to_jsonl()


def test_a_replica_that_is_damaged_itself_or_ends_before_is_none(hosts):
    sound = printed(hosts, "two")
    damaged = printed(hosts, "one")
    assert "is a replica that has" not in merged_report([Run("one", damaged), Run("two", damaged)]).to_jsonl()
    rows = [json.loads(line) for line in sound.splitlines()]
    short = "\n".join(json.dumps(row | ({"log_end_offset": 2} if row["type"] == "partition" else {})) for row in rows)
    assert "is a replica that has" not in merged_report([Run("one", damaged), Run("two", short)]).to_jsonl()


def test_the_exit_status_is_that_of_the_worst_host(files, tmp_path):
    assert merge(*files).return_value == 1
    assert merge(files[1]).return_value == 0
    assert merge("--exit-zero", *files).return_value == 0
    missing = tmp_path / "missing.jsonl"
    missing.write_text(verify([str(files[1].parent / "two" / "data" / "ledger-0"), "/nowhere"], now=NOW).to_jsonl())
    assert merge(files[0], missing).return_value == 3


def test_what_another_stop_would_do_is_kept(files):
    one = merge("-q", files[0]).output
    assert "after an unclean stop" in one


def test_standard_input_is_a_run_too(files):
    assert "1 of" in merge("-", text=files[0].read_text()).output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "h: the lines end without a summary"),
        ("no json\n", "h: line 1 is no line of `kafkalog verify --format jsonl`"),
        ('{"schema": "kafkalog.dump/1", "type": "batch"}\n', "h: line 1 is of the schema 'kafkalog.dump/1'"),
    ],
)
def test_other_lines_are_refused_with_their_run(text, words):
    with pytest.raises(RequestError, match=words):
        merged_report([Run("h", text)])


# --- digests ---


def digested(root, name, **settings):
    """The lines of a host with digests."""
    return Run(name, verify(str(root / name), now=NOW, digests=True, **settings).to_jsonl())


@pytest.fixture
def pair(tmp_path):
    """Two copies of a log dir as two hosts."""
    for name in ("one", "two"):
        shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / name)
    return tmp_path


def diverging(report):
    return [finding for finding in report.all_findings() if finding.id == "replica-diverges"]


def other_epoch(log_dir, topic):
    """Raise the leader epoch of the second batch of a log, and of its epoch file: a replica with another history."""
    path = min((log_dir / topic).glob("*.log"))
    data = bytearray(path.read_bytes())
    at = 12 + int.from_bytes(data[8:12], "big")
    offset = int.from_bytes(data[at : at + 8], "big")
    while at < len(data):
        data[at + 15] += 1
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")
    path.write_bytes(data)
    return offset


@pytest.mark.parametrize("settings", [{}, {"quick": True}, {"jobs": 2}], ids=str)
def test_equal_replicas_of_two_hosts_are_said_nothing_of(settings, pair):
    runs = [digested(pair, name, **settings) for name in ("one", "two")]
    assert sum(partition.digests is not None for run in runs for partition in merged_report([run]).partitions) > 3
    assert diverging(merged_report(runs)) == []


def test_replicas_that_differ_are_told_with_the_range_of_offsets(pair):
    offset = other_epoch(pair / "two", "ledger-0")
    found = diverging(merged_report([digested(pair, "one"), digested(pair, "two")]))
    assert [finding.path for finding in found] == [str(pair / "one/ledger-0"), str(pair / "two/ledger-0")]
    for finding, other in zip(found, ("two", "one"), strict=True):
        assert finding.offsets == (offset, offset)
        assert finding.facts["file"] == str(pair / other / "ledger-0")
        assert finding.severity.label == "info"


def test_without_digests_nothing_is_compared(pair):
    other_epoch(pair / "two", "ledger-0")
    runs = [Run(name, verify(str(pair / name), now=NOW).to_jsonl()) for name in ("one", "two")]
    assert diverging(merged_report(runs)) == []


def test_digests_come_back_out_of_their_lines(pair):
    run = digested(pair, "one")
    assert merged_report([run]).to_jsonl() == run.text
    here = [one.digests for one in verify(str(pair / "one"), now=NOW, digests=True).partitions]
    assert [one.digests for one in merged_report([run]).partitions] == here


def test_damaged_logs_have_no_digests(pair):
    flip(pair / "one", "ledger-0")
    report = verify(str(pair / "one"), now=NOW, digests=True)
    assert {one.path.rpartition("/")[2]: one.digests for one in report.partitions}["ledger-0"] is None
    assert diverging(merged_report([digested(pair, "one"), digested(pair, "two")])) == []
