"""`kafkalog groups`, `transactions` and `metadata` on the command line."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys

import pytest

from kafkalog.errors import UnreadableFile
from kafkalog.replay.groups import read_groups
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.transactions import read_transactions
from tests.generate_docs import DOCS
from tests.internal_topics import offset_key, offset_value
from tests.log_dirs import FIXTURES, fixture
from tests.replay.test_groups import batch, write_log

COMMANDS = ("groups", "transactions", "metadata")
META = str(FIXTURES / "broker/4.3.1/meta-n1/__cluster_metadata-0")


def run(*arguments, status=0):
    done = subprocess.run([sys.executable, "-m", "kafkalog", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == status, (done.returncode, done.stdout[-500:], done.stderr)
    return done.stdout


def lines(*arguments, status=0):
    return [json.loads(line) for line in run(*arguments, "--format", "jsonl", status=status).splitlines()]


def of_type(kind, found):
    return [line for line in found if line["type"] == kind]


@pytest.fixture(scope="module")
def txn():
    return fixture("4.3.1", "txn").path()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_line_has_its_schema_and_the_summary_is_last(command, txn):
    found = lines(command, "--exit-zero", txn)
    assert {line["schema"] for line in found} == {f"kafkalog.{command}/1"}
    assert found[-1]["type"] == "summary"
    assert len(of_type("summary", found)) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_input_gives_the_same_bytes(command, txn):
    for form in ("text", "jsonl"):
        assert len({run(command, "--exit-zero", "--format", form, txn) for _ in range(2)}) == 1


def test_groups_as_text_shows_lag(txn):
    text = run("groups", txn)
    row = next(line.split() for line in text.splitlines() if line.startswith("next-billing") and " feed " in line)
    assert row[2:6] == ["0", "20", "20", "0"]


def test_groups_as_json_lines(txn):
    found = lines("groups", txn)
    summary = found[-1]
    assert summary["groups"] == len(of_type("group", found)) == 8
    assert summary["offsets"] == len(of_type("offset", found)) == 18
    assert all(os.path.exists(line["path"]) for line in of_type("offset", found))


def test_a_hanging_transaction_comes_first_with_what_it_blocks_and_the_command_that_ends_it(txn):
    command = "kafka-transactions.sh --bootstrap-server BROKER:PORT abort --topic txn-hang --partition 0 --start-offset 5"
    text = run("transactions", txn, status=1).splitlines()
    table = text[text.index("Open in the partitions (3)") + 2 :][:3]
    assert [row.split()[:2] for row in table] == [
        ["txn-hang-0", "hanging"],
        ["txn-open-0", "ongoing"],
        ["txn-open-1", "ongoing"],
    ]
    at = text.index("1 transaction hangs.")
    assert text[at + 1 : at + 5] == [
        "txn-hang-0 from offset 5: no transactional id has this producer id.",
        "  read_committed consumers do not get 14 records (1.7 KiB), since 2023-11-14 22:13:20 UTC",
        "  abort it with:",
        f"    {command}",
    ]
    first, *others = of_type("open", lines("transactions", txn, status=1))
    assert (first["verdict"], first["abort"], first["blockedRecords"], first["blockedBytes"]) == ("hanging", command, 14, 1700)
    assert {(line["verdict"], line["blockedRecords"], line["blockedBytes"]) for line in others} == {("ongoing", None, None)}


def test_whether_a_transaction_hangs_is_not_known_without_the_coordinator(txn):
    text = run("transactions", f"{txn}/txn-hang-0", f"{txn}/txn-open-0").splitlines()
    at = text.index("It is not known whether these hang: txn-hang-0 from offset 5, txn-open-0 from offset 3")
    assert text[at + 1] == "  no partition of __transaction_state was given"


def test_aborted_transactions_are_counted_and_listed_when_asked_for(txn):
    text = run("transactions", "--exit-zero", txn)
    counted = next(line for line in text.splitlines() if " ABORT markers" in line)
    number = int(counted.split()[3])
    assert counted.endswith("(--aborted lists the transactions that were aborted)")
    assert "\nAborted" not in text
    assert f"\nAborted ({number})\n" in run("transactions", "--exit-zero", "--aborted", txn)
    assert len(of_type("aborted", lines("transactions", txn, status=1))) == number


def test_hanging_transactions_fail_unless_only_errors_shall(txn):
    run("transactions", txn, status=1)
    run("transactions", "--fail-on", "error", txn)
    run("transactions", "--exit-zero", txn)


def test_metadata_at_an_offset_and_what_changed_since():
    assert "Metadata up to offset 229, epoch 1" in run("metadata", "--at", "229", META)
    text = run("metadata", "--diff", "229", "234", META)
    assert text.startswith("From offset 229 to offset 234\n")
    changes = of_type("change", lines("metadata", "--diff", "229", "234", META))
    assert {"what": "partition", "name": "kept-0"}.items() <= changes[-1].items() or changes
    assert len(changes) == sum(line.startswith(("+", "-", "~")) for line in text.splitlines())
    assert of_type("change", lines("metadata", "--diff", "229", "229", META)) == []


def test_at_takes_offsets_and_times(tmp_path):
    key = offset_key("g", "t", 0)
    path = write_log(tmp_path, [batch(n, key, offset_value(10 + n), time=1000 * n) for n in range(5)])
    for at, offset in (("2", 12), ("@3000", 13), ("1970-01-01T00:00:01Z", 11), ("1970-01-01T01:00:02+01:00", 12)):
        assert [line["offset"] for line in of_type("offset", lines("groups", "--at", at, path))] == [offset]
    run("groups", "--at", "yesterday", path, status=2)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_path_is_status_3_and_said(command, tmp_path):
    found = lines(command, str(tmp_path / "nowhere"), status=3)
    assert of_type("not_read", found)[0]["reason"] == "no such file or directory"
    done = subprocess.run(
        [sys.executable, "-m", "kafkalog", command, str(tmp_path / "nowhere")], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("", f"kafkalog: {tmp_path}/nowhere: no such file or directory\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_errors_are_status_2(command):
    run(command, status=2)
    run(command, "--frobnicate", "x", status=2)
    for wrong in ("-5", "yesterday", "@", "99999999999999999999"):
        run(command, "--at", wrong, "x", status=2)


def test_an_end_that_is_none_says_what_would_be_one():
    done = subprocess.run(
        [sys.executable, "-m", "kafkalog", "groups", "--at", "-5", "x"], capture_output=True, text=True, check=False
    )
    assert (
        "'-5' is neither an offset, nor ISO 8601 (2024-05-01, 2024-05-01T12:00:00Z) nor @ and epoch milliseconds" in done.stderr
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_partition_that_cannot_be_read_hides_no_other(tmp_path, command, monkeypatch):
    from kafkalog.files import directory

    def listed(path, listing=directory.list_directory):
        if os.path.basename(path) == "denied-0":
            raise UnreadableFile(path, "permission denied")
        return listing(path)

    monkeypatch.setattr(directory, "list_directory", listed)
    write_log(tmp_path, [batch(0, offset_key("g", "t", 0), offset_value(1))])
    for name in ("__transaction_state-0", "__cluster_metadata-0", "denied-0"):
        write_log(tmp_path, [], name)
    read = {"groups": read_groups, "transactions": read_transactions, "metadata": read_metadata}[command]
    assert [(note.path, note.message) for note in read(tmp_path).problems] == [
        (str(tmp_path / "denied-0"), "permission denied")
    ]
    assert [item.offset for item in read_groups(tmp_path).offsets] == [1]


def test_at_and_diff_exclude_each_other():
    run("metadata", "--at", "3", "--diff", "1", "2", META, status=2)


def test_damage_is_status_1_and_the_rest_is_shown(tmp_path):
    key = offset_key("g", "t", 0)
    path = write_log(tmp_path, [batch(0, key, offset_value(1)), batch(1, key, b"\x00\x03\x01")])
    found = lines("groups", path, status=1)
    assert [line["offset"] for line in of_type("offset", found)] == [1]
    assert of_type("note", found)[0]["offset"] == 1
    run("groups", "--exit-zero", path)


def test_names_that_are_no_text_survive(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xff")
    path = write_log(folder, [batch(0, offset_key("g", "t", 0), offset_value(1))])
    done = subprocess.run(
        [sys.executable, "-m", "kafkalog", "groups", "--format", "jsonl", path], capture_output=True, check=True
    )
    assert b"\\udcff" in done.stdout


def test_control_characters_in_metadata_do_not_reach_the_terminal(tmp_path):
    path = write_log(tmp_path, [batch(0, offset_key("g\x1b[31m", "t", 0), offset_value(1, "a\x00\n"))])
    text = run("groups", path)
    assert "\x1b" not in text
    assert "g\\x1b[31m" in text
    assert "a\\x00\\n" in text


def test_control_characters_in_names_do_not_reach_the_terminal_in_sentences(tmp_path):
    key = offset_key("g\x1b[31m", "t", 0)
    write_log(tmp_path, [batch(0, key, offset_value(9)), batch(1, key, b"\x00\x03\x01")])
    write_log(tmp_path, [batch(0, b"k", b"v")], "t-0")
    text = run("groups", str(tmp_path), status=1)
    assert "\x1b" not in text
    assert "g\\x1b[31m: committed offset 9 of t-0 lies 8 after the end" in text
    assert "This concerns g\\x1b[31m." in text


def test_examples_in_the_page_run(monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    result = doctest.testfile(str(DOCS / "internal-topics.md"), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_nothing_found_is_said(tmp_path):
    for topic, command, said in (
        ("__consumer_offsets-0", "groups", "No groups."),
        ("__transaction_state-0", "transactions", "No transactional ids, and no transactions in the partitions."),
        ("__cluster_metadata-0", "metadata", "No records of metadata."),
    ):
        path = tmp_path / topic
        path.mkdir()
        (path / "00000000000000000000.log").write_bytes(b"")
        assert run(command, path).strip() == said
        assert "offset -1" not in run(command, tmp_path / "none", status=3)
