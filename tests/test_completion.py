"""Shell completion, asked for as the shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete

from kafkalog.cli.command import COMMANDS
from kafkalog.cli.main import main
from kafkalog.verify import RULES

ENVIRONMENT = {**os.environ, "COLUMNS": "80"}


def completed(*words):
    """Types and values of what completes the last word."""
    *before, incomplete = words
    found = BashComplete(main, {}, "kafkalog", "_KAFKALOG_COMPLETE").get_completions(before, incomplete)
    return [(item.type, item.value) for item in found]


def values(*words):
    return [value for _, value in completed(*words)]


def test_commands_and_options_are_completed():
    assert values("") == [*COMMANDS, "help"]
    assert values("ver") == ["verify"]
    assert values("help", "ne") == ["next-start"]
    assert values("verify", "--fail") == ["--fail-on"]
    assert values("verify", "--fail-on", "") == ["error", "warning", "info", "never"]
    assert "--print-data-log" in values("dump", "--p")


@pytest.mark.parametrize("words", [["verify", "--select"], ["verify", "--ignore"], ["rules"]])
def test_rule_ids_are_completed(words):
    assert values(*words, "") == list(RULES)
    assert values(*words, "batch-crc-m") == ["batch-crc-mismatch"]


def test_the_last_of_several_rules_is_completed():
    assert values("verify", "--select", "index-*,batch-crc-m") == ["index-*,batch-crc-mismatch"]


def test_releases_are_completed_with_auto_where_that_is_one():
    assert values("verify", "--kafka-version", "2.8") == ["2.8.2", "2.8.1", "2.8.0"]
    assert values("next-start", "--kafka-version", "a") == ["auto"]
    assert values("dump", "--kafka-version", "")[0] == "4.4.0"
    assert "auto" not in values("dump", "--kafka-version", "")


@pytest.mark.parametrize("words", [["verify"], ["dump"], ["dump", "--files"], ["groups"], ["verify", "--baseline"]])
def test_files_are_completed_by_the_shell(words):
    assert completed(*words, "/var/lib/ka") == [("file", "/var/lib/ka")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed_and_is_answered(shell):
    def asked(**variables):
        command = [sys.executable, "-m", "kafkalog"]
        return subprocess.run(command, env={**ENVIRONMENT, **variables}, capture_output=True, text=True, check=True).stdout

    assert "_KAFKALOG_COMPLETE" in asked(_KAFKALOG_COMPLETE=f"{shell}_source")
    words = {"COMP_WORDS": "kafkalog verify --fail", "COMP_CWORD": "--fail" if shell == "fish" else "2"}
    assert "--fail-on" in asked(_KAFKALOG_COMPLETE=f"{shell}_complete", **words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_what_is_typed(tmp_path):
    command = tmp_path / "kafkalog"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kafkalog "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(_KAFKALOG_COMPLETE=bash_source kafkalog)"
        COMP_WORDS=(kafkalog rules batch-crc-m) COMP_CWORD=2
        _kafkalog_completion kafkalog
        echo "${COMPREPLY[@]}"
    """
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(["bash", "-ec", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("batch-crc-mismatch\n", "")
