"""Where a start would lose records that are there, the command that keeps them is named, it runs, and its result helps."""

from __future__ import annotations

import shlex
import shutil

import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.core.command_line import GIVES_EVERYTHING, carve_command, diff_command, salvage_command
from kafkalog.next_start.rescue_advice import SALVAGE, SEEK
from kafkalog.verify import verify
from tests.log_dirs import fixture
from tests.verify.lab import Lab
from tests.verify.proofs import PROOFS

NOW = 1797500000000
LEDGER = "3.9.1/cluster-final-n1/ledger-0"


def made(proof, where):
    """The log dir of a proof."""
    case = PROOFS[proof]
    lab = Lab(where / "data", *case.sources)
    case.change(lab)
    return lab


def outcomes_of(log_dir):
    """What starts after both kinds of stop do to its partitions."""
    report = verify(log_dir, now=NOW)
    return [outcome for one in report.partitions for outcome in (*one.next_start, *one.otherwise)]


def ran(line, new, **names):
    """Run a command line of ours, with directories in the place of what it leaves open."""
    program, *words = shlex.split(line)
    assert program == "kafkalog"
    words = [{"NEWDIR": str(new), **names}.get(word, word) for word in words]
    result = CliRunner().invoke(main, words, standalone_mode=False)
    assert result.exception is None, result.output
    return result


RESCUED = ["crc-one-bit", "batches-swapped", "length-changed", "magic-9", "legacy-offset-negative"]


@pytest.mark.parametrize("proof", RESCUED)
def test_the_salvage_that_is_named_keeps_what_a_start_would_lose(proof, tmp_path):
    lab = made(proof, tmp_path)
    rescued = [outcome for outcome in outcomes_of(lab.root) if outcome.commands]
    assert rescued
    for number, outcome in enumerate(rescued):
        assert outcome.commands == (salvage_command(str(lab.dir)),)
        assert any(action.endswith(SALVAGE) for action in outcome.actions)
        new, place = tmp_path / f"new{number}", tmp_path / f"copy{number}"
        ran(outcome.commands[0].line, new)
        shutil.copytree(lab.root, place)
        shutil.rmtree(place / lab.name)
        shutil.copytree(new, place / lab.name)
        (after,) = kafkalog.next_starts(place, assume_stop=outcome.assumed.stop)
        assert after.severity != "error"
        assert not after.records_lost
        before = 0 if outcome.consumer is None else outcome.consumer.uncommitted.records
        assert after.consumer.uncommitted.records > before or not outcome.records_lost


OTHERWISE = {
    "zero-tail-clean": "Move 00000000000000000476.index out of the directory",
    "log-start-raised": "put 0 there, with which the log begins by its files",
    "legacy-wrapper-offset": GIVES_EVERYTHING,
    "logs-deleted": SEEK,
    "notes-log": "The start stops here until the cause is gone",
    "txnindex-emptied": "move the `.index` and `.timeindex` files out of the directory",
}


@pytest.mark.parametrize("proof", OTHERWISE)
def test_no_salvage_is_named_where_nothing_sound_is_lost_or_something_simpler_helps(proof, tmp_path):
    lab = made(proof, tmp_path)
    outcomes, words = outcomes_of(lab.root), OTHERWISE[proof]
    assert outcomes
    assert not any(outcome.commands for outcome in outcomes)
    assert any(words in action for outcome in outcomes for action in outcome.actions)
    report = verify(lab.root, now=NOW)
    assert not any("kafkalog salvage" in finding.remedy for finding in report.all_findings())
    assert not any("kafkalog salvage" in command.line for one in report.partitions for command in one.account.more)


def test_a_line_that_has_the_log_begin_after_its_end_is_put_right_and_nothing_is_lost(tmp_path):
    lab = made("log-start-raised", tmp_path)
    lab.lines("log-start-offset-checkpoint", [f"{lab.name[:-2]} 0 0"])
    assert all(outcome.severity != "error" for outcome in outcomes_of(lab.root))


# --- replicas of which each has something that the other lacks ---


@pytest.fixture
def halves(tmp_path):
    """Two replicas: the first is damaged, the second ends earlier."""
    first = Lab(tmp_path / "n1", LEDGER)
    first.change(0, 2, lambda batch: batch[:-9] + bytes(9))
    second = shutil.copytree(fixture("3.9.1", "cluster-final-n2").path(), tmp_path / "n2") / "ledger-0"
    log = max(second.glob("*.log"))
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    return first, second


def test_of_two_replicas_that_each_lack_something_the_salvage_of_both_is_named_and_has_all(halves, tmp_path):
    first, second = halves
    report = verify([first.root, second.parent], topics="ledger", now=NOW)
    (finding,) = (f for f in report.partitions[0].findings if f.id == "batch-crc-mismatch")
    line = salvage_command(str(first.dir), str(second)).line
    assert f"before this one. With both brokers stopped, `{line}` writes" in finding.remedy
    result = ran(line, tmp_path / "new")
    assert result.return_value == 0, result.output
    (salvaged,) = verify(tmp_path / "new", now=NOW).partitions
    assert (salvaged.log_end_offset, salvaged.account.gone) == (report.partitions[0].log_end_offset, ())


def test_a_replica_that_has_it_all_is_fetched_from(halves):
    first, second = halves
    shutil.rmtree(second)
    shutil.copytree(f"{fixture('3.9.1', 'cluster-final-n2').path()}/ledger-0", second)
    report = verify([first.root, second.parent], topics="ledger", now=NOW)
    (finding,) = (f for f in report.partitions[0].findings if f.id == "batch-crc-mismatch")
    assert "let its broker lead, then stop this one" in finding.remedy
    assert "kafkalog salvage" not in finding.remedy


# --- what is gone with its files ---


def test_where_a_directory_is_missing_the_carve_that_leaves_the_others_out_is_named(tmp_path):
    lab = made("partition-taken-away-with-its-lines", tmp_path)
    line = carve_command(str(lab.root)).line
    report = verify(lab.root, now=NOW)
    assert any(f"`{line}`" in finding.remedy for finding in report.findings if finding.id == "partition-missing")
    image = tmp_path / "image"
    image.write_bytes(b"".join(path.read_bytes() for path in sorted(lab.source.glob("*-0/*.log"))))
    result = ran(line, tmp_path / "new", IMAGE=str(image))
    assert result.return_value in (0, 1), result.output


# --- the lines themselves ---


@pytest.mark.parametrize("path", ["d/orders-0", "-/orders-0", "-x/orders-0", "a b/$(id)-0", "a\nb-0", "{x}-0"])
def test_each_command_gets_its_paths_as_they_are(path):
    lines = {
        salvage_command(path, path, unflips=True).line: [path, path],
        diff_command(path, path).line: [path, path],
        carve_command(path).line: [path],
    }
    for line, paths in lines.items():
        plain = line.replace("$'a\\012b-0'", "'a\nb-0'").removesuffix(" < FILE")
        name, *words = shlex.split(plain)[1:]
        context = main.get_command(None, name).make_context(name, words)
        given = [one for key in ("paths", "replicas", "live", "images") for one in context.params.get(key, ())]
        given = [one.removeprefix("./") for one in given if one != "IMAGE"]
        assert sorted(given) == sorted(paths)
