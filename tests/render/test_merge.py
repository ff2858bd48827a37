"""`kafkalog merge`: what many hosts found, as one report."""

from __future__ import annotations

import gzip
import json
import shutil

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.errors import RequestError
from kafkalog.render.merged_report import Run, merged_report
from kafkalog.verify import Policy, across, verify
from kafkalog.verify.fitting import is_replica
from tests.log_dirs import FIXTURES, fixture, unpack
from tests.verify.lab import Lab, fields, header
from tests.verify.test_clusters import add_marker, change_meta, other_id

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


def test_lines_of_a_log_dir_that_does_not_say_whose_it_is_come_back_too(tmp_path):
    """Whether its broker starts is not known, so that some of their fields are null."""
    shutil.copytree(FIXTURES / "broker/2.1.1/plain/odd-times-0", tmp_path / "odd-times-0")
    (tmp_path / "-0").mkdir()
    text = verify(str(tmp_path), now=NOW).to_jsonl()
    assert '"broker": null' in text
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
    for end, told in ((1, False), (2, True)):
        short = "\n".join(json.dumps(row | ({"log_end_offset": end} if row["type"] == "partition" else {})) for row in rows)
        merged = merged_report([Run("one", damaged), Run("two", short)]).to_jsonl()
        assert ("is a replica that has offset 1 of these sound" in merged) is told


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
        ("[" * 100_000, "h: line 1 is no line of `kafkalog verify --format jsonl`"),
        ("no json\n", "h: line 1 is no line of `kafkalog verify --format jsonl`"),
        ('{"schema": "kafkalog.dump/1", "type": "batch"}\n', "h: line 1 is of the schema 'kafkalog.dump/1'"),
        (
            '{"schema": "kafkalog.verify/1", "type": "find',
            "h: line 1 is cut off: the run, or the copying of its",
        ),
    ],
)
def test_other_lines_are_refused_with_their_run(text, words):
    with pytest.raises(RequestError, match=words):
        merged_report([Run("h", text)])


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("partition", "records", "many"),
        ("partition", "bytes", None),
        ("partition", "log_end_offset", []),
        ("partition", "topic_id", 5),
        ("next_start", "reason", None),
        ("finding", "message", 5),
        ("finding", "offsets", []),
        ("summary", "now", None),
    ],
)
def test_a_line_that_somebody_has_changed_is_refused(kind, field, value, hosts):
    rows = [json.loads(line) for line in printed(hosts, "one").splitlines()]
    next(row for row in rows if row["type"] == kind)[field] = value
    with pytest.raises(RequestError, match=r"h: line \d+ is no line of `kafkalog verify --format jsonl`"):
        merged_report([Run("h", "\n".join(map(json.dumps, rows)))])


def test_lines_of_some_partitions_only_are_refused_for_their_sums_would_be_wrong(hosts):
    lines = CliRunner().invoke(main, ["verify", "--format", "jsonl", "--only", "damaged", str(hosts / "two/data")]).stdout
    with pytest.raises(
        RequestError, match=r"h: its lines are of 0 of the 6 partitions .* without --only, which can be given here"
    ):
        merged_report([Run("h", lines)])


def test_compressed_lines_are_told_as_that(files, tmp_path):
    (tmp_path / "one.jsonl.gz").write_bytes(gzip.compress(files[0].read_bytes()))
    with pytest.raises(RequestError, match=r"one\.jsonl\.gz is compressed: unpack it first, as gunzip does"):
        CliRunner().invoke(main, ["merge", str(tmp_path / "one.jsonl.gz")], standalone_mode=False, catch_exceptions=False)


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


# --- runs over parts of one log dir ---

PARTS = {"a": {"topics": "ledger*"}, "b": {"exclude": ("ledger*", "__*")}, "c": {"topics": "__*"}}


@pytest.fixture
def hurt_log_dir(tmp_path):
    """A log dir with something to say of itself, of a controller, and of a partition."""
    path = shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / "n1")
    (path / "recovery-point-offset-checkpoint").write_text("junk\n")
    (path / "strange.file").write_text("x")
    flip(path, "ledger-0")
    return path


def parts_of(path, **settings):
    """Runs that leave out different parts, by name."""
    return {name: Run(name, verify(str(path), now=NOW, **settings, **part).to_jsonl()) for name, part in PARTS.items()}


def in_any_order(text):
    return sorted(text.splitlines()[:-1]), json.loads(text.splitlines()[-1])


def test_runs_over_parts_of_a_log_dir_are_one_run_over_it(hurt_log_dir):
    whole = in_any_order(verify(str(hurt_log_dir), now=NOW, digests=True).to_jsonl())
    runs = parts_of(hurt_log_dir, digests=True)
    for order in ("abc", "cab"):
        assert in_any_order(merged_report([runs[name] for name in order]).to_jsonl()) == whole
    # In one file, one after the other, too; and a merge of merges.
    assert in_any_order(merged_report([Run("all", "".join(run.text for run in runs.values()))]).to_jsonl()) == whole
    some = merged_report([runs["b"], runs["a"]])
    assert some.left_out == 3
    assert in_any_order(merged_report([Run("some", some.to_jsonl()), runs["c"]]).to_jsonl()) == whole


def test_without_digests_only_the_files_of_the_log_dir_itself_are_counted_again(hurt_log_dir):
    lines, summary = in_any_order(verify(str(hurt_log_dir), now=NOW).to_jsonl())
    found_lines, found = in_any_order(merged_report([*parts_of(hurt_log_dir).values()]).to_jsonl())
    assert found_lines == lines
    assert found | {"files": summary["files"]} == summary


def test_what_a_policy_has_changed_in_one_part_counts_by_the_worst(hurt_log_dir):
    runs = parts_of(hurt_log_dir)
    row = '"id": "checkpoint-malformed", "severity": '
    milder = runs["a"].text.replace(f'{row}"error"', f'{row}"info"')
    assert milder != runs["a"].text
    found = merged_report([Run("a", milder), runs["b"]])
    assert [one.severity.label for one in found.findings if one.id == "checkpoint-malformed"] == ["error"]


def test_what_could_not_be_read_in_a_log_dir_is_told_once_and_what_parts_leave_out_by_each(hurt_log_dir):
    (hurt_log_dir / "meta.properties").unlink()
    (hurt_log_dir / "meta.properties").mkdir()
    (hurt_log_dir / "recovery-point-offset-checkpoint").unlink()
    (hurt_log_dir / "recovery-point-offset-checkpoint").symlink_to("/nowhere")
    settings = {"now": NOW, "since_mtime": NOW * 2}
    runs = [Run(topic, verify(str(hurt_log_dir), **settings, topics=topic).to_jsonl()) for topic in ("ledger", "late")]
    merged = merged_report(runs)
    assert merged.left_out == 6
    assert len({one for one in merged.not_checked if one.failed}) == sum(one.failed for one in merged.not_checked)
    assert sum("left out" in one.reason for one in merged.not_checked) == 2


def test_whole_log_dirs_of_one_path_with_other_partitions_are_those_of_two_hosts(tmp_path):
    lines = {}
    for name, dropped in (("one", "l*-[0-9]"), ("two", "__*-[0-9]")):
        path = shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / name)
        (path / "strange.file").write_text("x")
        for directory in path.glob(dropped):
            shutil.rmtree(directory)
        lines[name] = verify(str(path), now=NOW).to_jsonl().replace(json.dumps(str(path))[1:-1], "/kafka/data")
    found = {one.path for one in merged_report([Run(*each) for each in lines.items()]).findings}
    assert {f"{name}:/kafka/data/strange.file" for name in lines} <= found


def test_a_metadata_log_is_compared_by_the_part_that_has_looked_at_it(tmp_path):
    one, other = two_quorums(tmp_path)
    settings = {"now": NOW, "digests": True, "next_start": False}
    parts = [Run(name, verify(str(one), **settings, **PARTS[name]).to_jsonl()) for name in "ac"]
    found = merged_report([*parts, digested(tmp_path, other.name, next_start=False)])
    assert "quorums-differ" in {finding.id for finding in found.all_findings()}


def of_cluster(row, number):
    """A line with the id of another topic."""
    return row | ({"topic_id": f"{number}{row['topic_id'][2:]}"} if row.get("topic_id") else {})


def test_replicas_are_looked_for_among_those_of_one_topic(hosts, monkeypatch):
    """Each cluster has a topic of this name: their replicas are not compared, pair by pair, by what else they say."""
    asked = []
    monkeypatch.setattr(across, "is_replica", lambda one, other: asked.append(0) or is_replica(one, other))
    rows = [json.loads(line) for line in printed(hosts, "two").splitlines()]
    for count in (1, 20):
        merged_report([Run(f"{n}", "\n".join(json.dumps(of_cluster(row, n)) for row in rows)) for n in range(10, 10 + count)])
        assert len(asked) == 0
    merged_report([Run(name, printed(hosts, name)) for name in ("one", "two")])
    assert asked


# --- what one run over everything says, and a merge of a run for each ---

METADATA, KEPT, LEDGER = "4.3.1/meta-n1/__cluster_metadata-0", "4.3.1/meta-n1/kept-0", "3.9.1/cluster-final-n1/ledger-0"


def two_quorums(root):
    cases = unpack(FIXTURES / "cases/two-quorums-one-cluster-id.tar.xz").parent
    return [shutil.copytree(cases / name, root / name) for name in ("n1", "n2")]


def controller_and_broker(root):
    labs = [Lab(root / name, source) for name, source in (("n1", METADATA), ("n2", KEPT))]
    change_meta(labs[1].root, node_id=7, directory_id="RCLNVpKiRwqmdZd9HMvIPQ")
    return labs


def a_broker_that_is_no_replica(root):
    return [lab.root for lab in controller_and_broker(root)]


def a_topic_id_that_the_controller_does_not_know(root):
    controller, broker = controller_and_broker(root)
    other_id(broker.dir)
    shutil.copytree(broker.dir, controller.root / "kept-1")
    return [broker.root, controller.root]


def a_producer_id_of_no_block(root):
    controller, broker = controller_and_broker(root)
    add_marker(broker.dir / f"{0:020d}.log")
    return [controller.root, broker.root]


def two_metadata_logs(root):
    labs = [Lab(root / name, METADATA) for name in ("n1", "n2")]
    change_meta(labs[1].root, node_id=9)
    return labs


def a_tail_of_a_former_leader(root):
    one, other = two_metadata_logs(root)
    epoch = header(other.batches(0)[-1]).partition_leader_epoch + 1
    for at in (-2, -1):
        other.change(0, at, lambda batch: fields(batch, partition_leader_epoch=epoch, max_timestamp=1_790_000_000_000))
    return [one.dir, other.dir]


def another_batch_of_the_same_epoch(root):
    one, other = two_metadata_logs(root)
    other.field(0, 5, max_timestamp=5)
    return [one.root, other.root]


def two_replicas(root):
    labs = [Lab(root / name, LEDGER) for name in ("n1", "n2")]
    change_meta(labs[1].root, node_id=2, directory_id="RCLNVpKiRwqmdZd9HMvIPQ")
    return labs


def two_log_dirs_of_one_broker(root):
    return [Lab(root / name, LEDGER).root for name in ("n1", "n2")]


def a_topic_in_two_clusters(root):
    one, other = two_replicas(root)
    change_meta(other.root, cluster_id="AAAAAAAAAAAAAAAAAAAAAA")
    return [one.root, other.root]


def two_topics_of_one_id(root):
    one, other = two_replicas(root)
    other.dir.rename(other.root / "other-0")
    return [one.root, other.root]


def lost_records_that_another_has(root):
    one, other = two_replicas(root)
    flip(one.root, "ledger-0")
    return [one.root, other.root]


def hurt_replicas_of_which_each_has_something(root):
    one, other = two_replicas(root)
    flip(one.root, "ledger-0")
    flip(other.root, "ledger-0", 1)
    return [other.root, one.root]


ACROSS = {
    two_quorums: {"quorums-differ", "topic-id-mismatch"},
    a_broker_that_is_no_replica: {"controller-assigns-elsewhere"},
    a_topic_id_that_the_controller_does_not_know: {"controller-topic-id-differs"},
    a_producer_id_of_no_block: {"producer-id-not-given"},
    a_tail_of_a_former_leader: {"replica-diverges"},
    another_batch_of_the_same_epoch: {"quorums-differ"},
    two_log_dirs_of_one_broker: {"partition-duplicated", "broker-ids-differ"},
    a_topic_in_two_clusters: {"cluster-ids-differ"},
    two_topics_of_one_id: {"topic-id-shared"},
    lost_records_that_another_has: {"batch-crc-mismatch"},
    hurt_replicas_of_which_each_has_something: {"batch-crc-mismatch"},
}


@pytest.mark.parametrize("make", ACROSS, ids=lambda make: make.__name__)
def test_a_merge_of_a_run_for_each_log_dir_is_one_run_over_all(make, tmp_path):
    paths = [str(path) for path in make(tmp_path)]
    settings = {"now": NOW, "digests": True, "next_start": False}
    whole = verify(paths, **settings)
    assert {finding.id for finding in whole.all_findings()} >= ACROSS[make]
    runs = [Run(path, verify(path, **settings).to_jsonl()) for path in paths]
    assert merged_report(runs).to_jsonl() == whole.to_jsonl()
    # A merge of merges is one, too.
    again = [Run("first", merged_report(runs[:1]).to_jsonl()), *runs[1:]]
    assert merged_report(again).to_jsonl() == whole.to_jsonl()


def seen_as(run, path, shown):
    """A run of a host that sees its log dir at another path."""
    return Run(run.name, run.text.replace(json.dumps(str(path))[1:-1], shown))


def test_controllers_are_compared_where_all_hosts_have_the_same_paths_too(tmp_path):
    paths = two_quorums(tmp_path)
    runs = [seen_as(digested(path.parent, path.name), path, "/kafka/data") for path in paths]
    (found,) = (finding for finding in merged_report(runs).all_findings() if finding.id == "quorums-differ")
    assert found.path == f"n2:/kafka/data/__cluster_metadata-0/{0:020d}.log"
    assert found.facts["other"] == "n1:/kafka/data/__cluster_metadata-0"


def test_what_a_run_leaves_out_of_its_own_stays_left_out(tmp_path):
    paths = a_topic_id_that_the_controller_does_not_know(tmp_path)
    policy = Policy(ignore=("controller-topic-id-differs",))
    runs = [Run(str(path), verify(path, now=NOW, digests=True, next_start=False, policy=policy).to_jsonl()) for path in paths]
    found = {finding.path for finding in merged_report(runs).all_findings() if finding.id == "controller-topic-id-differs"}
    assert found == {str(paths[0] / "kept-0" / "partition.metadata")}, "the controller of another host told of it"


def test_parts_of_one_log_dir_are_no_two_log_dirs(tmp_path):
    path = str(shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / "n1"))
    settings = {"now": NOW, "digests": True, "next_start": False}
    runs = [
        Run(name, verify(path, **settings, topics=chosen, exclude=left).to_jsonl())
        for name, chosen, left in (("a", "l*", ()), ("b", (), "l*"))
    ]
    report = merged_report(runs)
    assert len(report.partitions) == len(verify(path, **settings).partitions)
    assert all(one.path.startswith(path) for one in report.partitions)
    assert {finding.id for finding in report.all_findings()}.isdisjoint(("partition-duplicated", "broker-ids-differ"))


def test_no_setting_and_no_credential_of_the_metadata_is_told(tmp_path):
    lab = Lab(tmp_path / "n1", METADATA)
    rows = [json.loads(line) for line in verify(lab.root, now=NOW, digests=True).to_jsonl().splitlines()]
    (told,) = (row for row in rows if row["type"] == "metadata_log")
    assert set(told["image"]) == {
        *("last_offset", "is_whole", "next_producer_id", "brokers", "topics"),
        *("since", "removed", "moved", "stopped"),
    }
    assert {name for row in told["image"]["brokers"] for name in row} == {"id", "epoch", "log_dirs"}
    assert {name for row in told["image"]["topics"] for name in row} == {"topic", "topic_id", "partitions"}


@pytest.mark.parametrize("damage", [{"batches": "AAAA"}, {"leaders": 5}, {"image": {}}, {"batches": "?"}], ids=str)
def test_a_line_of_a_metadata_log_that_is_no_such_is_refused(damage, tmp_path):
    one, other = two_metadata_logs(tmp_path)
    rows = [json.loads(line) for line in verify(one.root, now=NOW, digests=True).to_jsonl().splitlines()]
    text = "\n".join(json.dumps(row | (damage if row["type"] == "metadata_log" else {})) for row in rows)
    with pytest.raises(RequestError, match=r"one: line \d+ is no line of `kafkalog verify --format jsonl`"):
        merged_report([Run("one", text), digested(other.root.parent, "n2")])
