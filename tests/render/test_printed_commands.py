"""Commands that are printed to be pasted: a real shell runs them, and sees exactly the words that were meant."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kafkalog
from kafkalog.core.command_line import command, quoted
from tests.log_dirs import FIXTURES
from tests.verify.lab import Lab

ROOT = FIXTURES.parent
#: What a shell must not make something else of; no name may hold a `/`, being that of a directory.
HOSTILE = (
    "a;touch PWN;$(id)",
    "`touch PWN`",
    "a b'c\"d",
    "-x",
    "--help",
    "a\nb; touch PWN",
    "'\n; touch PWN #",
    "$'x'",
    "a\\",
    "*",
    "~",
    "!!",
    "#a",
    "a&&touch PWN",
    "é",
    "\u202ea",
    "a\udcff;touch PWN",
)
_PROGRAM = re.compile(r"(kafka-[a-z-]+\.sh|kafkalog|mv|cp|rm) \S")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run a line in a shell where every program only notes its words; gives the words of all that were run."""
    root = tmp_path_factory.mktemp("shell")
    stubs, log = root / "bin", root / "log"
    stubs.mkdir()
    for name in ("kafka-transactions.sh", "kafka-consumer-groups.sh", "kafkalog", "mv", "touch", "id"):
        (stubs / name).write_text('#!/bin/sh\nprintf \'%s\\0\' "$#" "${0##*/}" "$@" >>"$LOG"\n')
        (stubs / name).chmod(0o755)

    def run(shell, line):
        log.write_bytes(b"")
        empty = root / "empty"
        shutil.rmtree(empty, ignore_errors=True)
        empty.mkdir()
        environment = {"PATH": str(stubs), "LOG": str(log)}
        subprocess.run([shutil.which(shell), "-c", line], cwd=empty, env=environment, check=False, capture_output=True)
        assert not any(empty.iterdir())
        words = [os.fsdecode(word) for word in log.read_bytes().split(b"\0")[:-1]]
        calls = []
        while words:
            count = int(words.pop(0)) + 1
            calls.append(words[:count])
            del words[:count]
        return calls

    return run


def shells_of(line):
    """The shells that read a line; all run it, though."""
    return ("bash",) if "$'" in line else ("bash", "sh")


def meant(topic, *rest):
    named = [f"--topic={topic}"] if topic.startswith("-") else ["--topic", topic]
    return ["kafka-transactions.sh", "--bootstrap-server", "BROKER:PORT", "abort", *named, "--partition", "0", *rest]


def printed(*arguments):
    """The commands in what kafkalog prints, as text and as JSON lines; nothing else in it may look like one."""
    texts = {}
    for form in ("text", "jsonl"):
        done = subprocess.run(
            [sys.executable, "-m", "kafkalog", *arguments, "--format", form], capture_output=True, check=False, cwd=ROOT
        )
        assert b"Traceback" not in done.stderr
        texts[form] = done.stdout.decode("utf-8", "surrogateescape")
    text = {line.strip() for line in texts["text"].splitlines() if _PROGRAM.match(line.strip())}
    objects = [json.loads(line) for line in texts["jsonl"].splitlines()]
    found = {value for value in _strings(objects) if _PROGRAM.match(value)}
    assert text <= found
    return found, text, texts["text"]


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in _strings(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    """A log dir with a path that is hostile, of partitions with hostile names, and a hanging transaction in each."""
    root = tmp_path_factory.mktemp("log-dir") / "d;touch PWN $(touch PWN)"
    shutil.copytree(FIXTURES / "broker/2.1.1/txn", root)
    lab = Lab(root.parent / "other", "2.1.1/txn/ledger-0")
    lab.write(-1, lab.batches(-1)[:-1])  # the last marker
    for topic in HOSTILE:
        shutil.copytree(lab.dir, root / f"{topic}-0")
    shutil.copy(lab.path(-1), root / "ledger-0")
    return str(root)


@pytest.mark.parametrize("arguments", [("verify", "--now", "1795500000000", "--kafka-version", "2.1"), ("transactions",)])
def test_the_commands_of_verify_and_transactions_run_as_they_are_meant(arguments, hanging, ran):
    lines, in_text, text = printed(*arguments, hanging)
    assert in_text
    calls = {}
    for line in lines:
        (call,) = ran("bash", line)
        (said,) = ran("sh", line)
        assert said == call or ("$'" in line and len(said) == len(call))
        for topic in ("ledger", *HOSTILE):
            start = meant(topic)
            if call[: len(start)] == start:
                calls[line] = topic, " ".join(call[len(start) :])
    numbers = r"--start-offset \d+|--producer-id \d+ --producer-epoch \d+ --coordinator-epoch \d+"
    assert all(re.fullmatch(numbers, rest) for _, rest in calls.values())
    assert {topic for topic, rest in calls.values() if rest == "--start-offset 118"} == {"ledger", *HOSTILE}
    with_producers = {topic for topic, rest in calls.values() if rest.startswith("--producer-id 2 ")}
    assert with_producers == {"ledger", *HOSTILE}
    unknown = sorted(line for line in set(lines) - calls.keys() if not line.startswith("kafkalog "))
    assert all("ledger" in line for line in unknown)
    assert text.count("Kafka allows no topic of the name") >= 1
    assert "no topic of the name ledger" not in text


@given(name=st.text() | st.sampled_from(HOSTILE), option=st.sampled_from(["--topic", "--group", "--transactional-id"]))
@settings(max_examples=40, deadline=None)
def test_any_name_reaches_the_program_as_one_word(name, option, ran):
    made = command(("kafka-consumer-groups.sh", "--describe"), {option: name, "--last": 1})
    assert made.line.isprintable()
    if "\0" in name:
        assert option.strip("-").upper() in made.line.split()
        assert made.notes
        return
    if any("\ud800" <= char <= "\udfff" for char in name):
        name = os.fsdecode(name.encode("utf-8", "surrogateescape" if "\udc80" <= max(name) <= "\udcff" else "surrogatepass"))
    given_name = [f"{option}={name}"] if name.startswith("-") else [option, name]
    expected = [["kafka-consumer-groups.sh", "--describe", *given_name, "--last", "1"]]
    for shell in shells_of(made.line):
        assert ran(shell, made.line) == expected


@pytest.mark.parametrize("option", ["--group", "--transactional-id"])
def test_names_that_kafka_does_not_allow_are_noted(option):
    assert command(("x",), {option: "a;$(id)"}).notes == ()
    assert "Kafka allows no empty" in command(("x",), {option: ""}).notes[0]
    assert "NUL" in command(("x",), {option: "a\0b"}).notes[0]


@pytest.mark.parametrize("topic", [".", "..", "", "a" * 250, "a b", "ä", "a/b"])
def test_topics_that_kafka_does_not_allow_are_noted(topic):
    (note,) = command(("x",), {"--topic": topic}).notes
    assert quoted(topic) in note


@pytest.mark.parametrize("topic", ["a", "A.b_c-9", "-", "...", "a" * 249])
def test_topics_that_kafka_allows_are_not_noted(topic):
    assert command(("x",), {"--topic": topic}).notes == ()


def test_a_note_says_which_shells_read_the_line():
    assert "not by every sh" in command(("x",), {"--group": "a\nb"}).notes[0]


def test_no_other_place_puts_a_name_into_a_command():
    """A program's name in a text that is filled in: only `kafkalog.core.command_line` does that, and quotes."""
    found = []
    for path in sorted(ROOT.glob("kafkalog/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if re.search(r"(kafka-[a-z-]+\.sh|\bkafkalog [a-z]+ [^:]*|\bmv )[^`]*\{", text):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
    assert kafkalog.__file__
