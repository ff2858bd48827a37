"""The help of every command, its version, and what it answers to words that it does not know."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from kafkalog.cli.command import COMMANDS, Command, command_of, sections_of
from kafkalog.cli.main import main, run
from tests.log_dirs import fixture

PLAIN = fixture("2.1.1", "plain").path()


def said(*words, columns=80):
    return CliRunner().invoke(main, words, prog_name="kafkalog", terminal_width=columns)


def help_of(name, columns=80):
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["help", name], prog_name="kafkalog")
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_on_a_screen(name):
    lines = help_of(name).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_what_its_option_shows(name):
    own = CliRunner(env={"COLUMNS": "80"}).invoke(main, [name, "--help"], prog_name="kafkalog")
    assert own.output == help_of(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_three_examples_are_given_and_each_can_be_typed(name):
    command = command_of(name)
    assert isinstance(command, Command)
    assert len(command.examples) == 3
    for words, purpose in command.examples:
        assert purpose
        assert f"kafkalog {name} {words}".rstrip() in help_of(name)
        context = command.make_context(name, shlex.split(words), parent=click.Context(main, info_name="kafkalog"))
        assert context.params


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_its_section_and_a_default_is_written_in_one_way(name):
    sections = sections_of(command_of(name))
    assert "Further options" not in sections
    listed = [option.name for options in sections.values() for option in options]
    assert len(listed) == len(set(listed))
    text = " ".join(help_of(name).split())
    for found in re.findall(r"\[default[^]]*\]", text):
        assert re.fullmatch(r"\[default: [^()\[\]]+\]", found), found
    assert "x>=" not in text


def test_the_list_of_commands_is_grouped_by_what_one_wants():
    shown = said("--help").output
    headings = [line.removesuffix(":") for line in shown.splitlines() if re.fullmatch(r"[A-Z][a-z]+:", line)]
    assert headings == ["Options", "Look", "Check", "Foretell", "Rescue", "Understand"]
    for name in COMMANDS:
        assert f"  {name} " in shown


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_names_python_codecs_and_releases(option):
    done = said(option)
    assert done.exit_code == 0
    first, python, codecs, releases = done.output.splitlines()
    assert first == "kafkalog 0.1.0"
    assert python.startswith("Python 3.")
    for codec in ("gzip (zlib ", "snappy (cramjam ", "lz4 (lz4 ", "zstd (zstandard "):
        assert codec in codecs
    assert "missing" not in codecs
    assert releases == "releases of Kafka: 0.11.0.0 to 4.4.0"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["verfy"], "No such command: verfy. Did you mean verify?"),
        (["help", "transaction"], "No such command: transaction. Did you mean transactions?"),
        (["frobnicate"], "No such command: frobnicate. There are info, "),
        ([PLAIN], f"Say what to do with this path: `kafkalog verify {PLAIN}`, for example."),
        (["verify", "--jobbs", "2", PLAIN], "No such option: --jobbs. Did you mean --jobs?"),
        (["verify", "-jobs", "2", PLAIN], "No such option: -jobs. Did you mean --jobs?"),
        (["verify", "--print-data-log", PLAIN], "No such option: --print-data-log. `kafkalog dump` has it."),
        (["dump", "--print-data", PLAIN], "Did you mean --print-data-log?"),
        (["groups", "--no-next-start", PLAIN], "`kafkalog verify` and `kafkalog report` have it."),
        (["verify", "-x", PLAIN], "No such option: -x."),
        (["verify", "--format", "json", PLAIN], "'json' is none of text, jsonl. Did you mean jsonl?"),
        (["next-start", "--assume-stop", "crashed", PLAIN], "'crashed' is none of auto, clean, unclean."),
        (
            ["rules", "batch-crc-mismach"],
            "no rule 'batch-crc-mismach': `kafkalog rules` lists the ids. Did you mean batch-crc-mismatch or ",
        ),
        (
            ["verify", "--select", "crc", PLAIN],
            "no rule 'crc': `kafkalog rules` lists the ids. Did you mean batch-crc-mismatch",
        ),
        (["verify", "--level", "log-tail-tron=error", PLAIN], "Did you mean log-tail-torn"),
        (["verify", "--level", "batch-crc-mismatch=eror", PLAIN], "Did you mean error?"),
        (["verify"], "Usage: kafkalog verify [OPTIONS] PATH..."),
        (["groups"], "Usage: kafkalog groups [OPTIONS] PATH..."),
    ],
)
def test_a_word_that_is_mistyped_is_answered_with_the_one_that_was_meant(words, answer):
    done = CliRunner().invoke(main, words, prog_name="kafkalog")
    assert done.exit_code != 0
    text = done.stderr if done.exception is None or isinstance(done.exception, SystemExit) else str(done.exception)
    assert answer in " ".join(text.split()), text


@pytest.mark.parametrize("words", [[], ["verify"], ["info"], ["show"]])
def test_a_command_without_arguments_prints_its_help_in_lines(words, capsys, monkeypatch):
    def leave(status):
        raise SystemExit(status)

    monkeypatch.setattr("kafkalog.cli.main._leave", leave)
    with pytest.raises(SystemExit):
        run(words)
    told = "".join(capsys.readouterr())
    assert "Usage: kafkalog" in told.splitlines()[0]
    assert "\\n" not in told
