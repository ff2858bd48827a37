"""A report as people read it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

import kafkalog
from kafkalog.next_start.api import next_starts
from kafkalog.render.items import labelled
from kafkalog.render.text_next_start import next_starts_text
from kafkalog.render.text_verify import report_text
from kafkalog.render.wrapping import cut, on_one_screen
from kafkalog.verify.report import NotChecked
from tests.log_dirs import FIXTURES
from tests.screens import plain

BROKER = FIXTURES / "broker"
NOW = 1795500000000


def printed(report, detail=None, width=None):
    return plain(report_text(report, detail=detail), width)


@pytest.fixture(scope="module")
def flipped(tmp_path_factory):
    """A log dir of several partitions, with a bit wrong in one of them."""
    log_dir = tmp_path_factory.mktemp("flipped") / "plain"
    shutil.copytree(BROKER / "2.1.1" / "plain", log_dir)
    log = log_dir / "twitter-status-0" / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[8000] ^= 1
    log.write_bytes(data)
    return kafkalog.verify(log_dir, now=NOW)


def test_a_sound_log_dir_takes_three_lines():
    lines = printed(kafkalog.verify(BROKER / "2.1.1" / "plain", now=NOW))
    assert [line.split()[0] for line in lines] == ["benign", "next", "notes"]
    assert all(len(line) <= 160 for line in lines)


def test_what_sound_partitions_hold_besides_is_told_once_for_all_of_them_when_everything_is_asked_for():
    report = kafkalog.verify(BROKER / "2.1.1" / "plain", now=NOW)
    assert len(report.partitions) > 1
    lines = printed(report, "everything")
    rules = [line.split()[1] for line in lines if line.startswith("  info  ")]
    assert len(rules) == len(set(rules)) > 0
    assert any(" directories)" in line for line in lines)
    assert any(line.endswith("as of 2026-11-24 06:00:00 UTC") for line in lines)


def test_the_headline_says_which_partition_what_is_lost_why_and_what_to_do(flipped):
    lines = printed(flipped, "headline")
    words = [line[:12].strip() for line in lines]
    count = len(flipped.partitions)
    assert lines[0] == f"data-loss  twitter-status-0: 1 of {count} partitions is damaged"
    assert words[1:4] == ["unreadable", "consumers", "unreached"]
    text = "\n".join(lines)
    assert "unreadable  offset 36: 1 of 533, 283 B; one flipped bit explains it" in text
    assert "because     batch-crc-mismatch: " in text
    assert "\nfirst " in text
    assert re.search(r"more        kafkalog verify -v .*/twitter-status-0\n {12}kafkalog rules batch-crc-mismatch\n", text)
    assert re.search(r"\n {12}kafkalog salvage -o NEWDIR --unflip .*/twitter-status-0$", text)


def has_path(line):
    """Whether a line holds a path, or a command with one: these are not taken apart."""
    return "/" in line


@pytest.mark.parametrize("width", [80, 120])
def test_the_headline_of_one_damaged_partition_fits_a_screen(flipped, width):
    lines = printed(flipped, "headline", width)
    assert len(lines) <= 24
    assert all(len(line) <= width for line in lines if not has_path(line))


def test_the_damaged_partition_stands_right_before_the_headline_without_bytes_in_hex(flipped):
    lines = printed(flipped)
    headline = printed(flipped, "headline")
    assert lines[-len(headline) :] == headline
    blocks = "\n".join(lines).split("\n\n")
    assert blocks[-2].startswith("data-loss  ")
    assert "error  batch-crc-mismatch" in blocks[-2]
    assert "baseOffset" not in blocks[-2]
    assert "baseOffset" in "\n".join(printed(flipped, "everything"))


def test_sound_partitions_and_notes_are_a_line_each(flipped):
    lines = printed(flipped)
    count = len(flipped.partitions) - 1
    assert lines[0].startswith(f"{count} other partitions: ")
    assert re.match(r"\d+ notes \(-v shows them\): ", lines[1])
    assert not any(line.lstrip().startswith("info  ") for line in lines)


def test_two_thousand_partitions_with_three_damaged_take_one_screen(flipped):
    (damaged,) = (p for p in flipped.partitions if p.verdict == "data-loss")
    sound = next(p for p in flipped.partitions if p.verdict in ("clean", "benign"))
    many = [replace(sound, path=f"/d/topic-{number}") for number in range(1997)]
    three = [replace(damaged, path=f"/d/{'a-name-longer-than-any-column-may-be' * 2}-{number}") for number in range(3)]
    lines = printed(replace(flipped, partitions=(*many, *three)), "headline", 80)
    assert len(lines) <= 24
    assert lines[0] == "data-loss  3 of 2,000 partitions are damaged"
    assert all(len(line) <= 80 for line in lines if not has_path(line))
    rows = [line for line in lines if line.startswith("data-loss  a-name-")]
    assert len(rows) == 3
    assert not any("batch-crc-mismatch" in row for row in rows), "names are worth more than the rule, which is named below"


def _broken_in_many_ways(log_dir):
    """A bit of the metadata log, a renamed directory, one that no topic made, files that are missing or empty."""
    log = log_dir / "__cluster_metadata-0" / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[-len(data) // 3] ^= 4
    log.write_bytes(data)
    (log_dir / "e-txn-0").rename(log_dir / "payments-0")
    shutil.copytree(log_dir / "e-tomb-0", log_dir / ("a-long-name-of-a-topic-that-nobody-made" * 5 + "-7"))
    (log_dir / "meta.properties").unlink()
    (log_dir / "recovery-point-offset-checkpoint").write_bytes(b"")
    next(iter((log_dir / "e-idem-0").glob("*96.log"))).unlink()
    (log_dir / "e-tomb-0" / "leader-epoch-checkpoint").write_bytes(b"")


def test_the_headlines_of_many_damages_at_once_fit_a_screen_with_the_worst_and_what_to_do(tmp_path):
    log_dir = shutil.copytree(BROKER / "4.3.1" / "edge", tmp_path / "edge")
    _broken_in_many_ways(log_dir)
    unread = tuple(NotChecked(f"{log_dir}/unread-{number}", "permission denied", failed=True) for number in range(5))
    report = replace(kafkalog.verify(log_dir, now=NOW), not_checked=unread)
    found = {"verify": printed(report, "headline", 80)}
    found["next-start"] = plain(next_starts_text(list(next_starts([log_dir])), {str(log_dir)}, detail="headline"), 80)
    for command, lines in found.items():
        text = "\n".join(lines)
        places = sum(1 + (len(line) - 1) // 80 for line in lines if line)
        assert places <= 23, text
        assert any(line.startswith("first ") for line in lines), text
        assert any(line.startswith("more ") for line in lines), text
        assert "__cluster_metadata-0" in text, text
        assert all(len(line) <= 80 for line in lines if str(log_dir) not in line), (command, text)
    assert any(line.startswith("not checked") for line in found["verify"])


def test_a_block_that_fits_is_told_whole_and_another_is_cut_where_it_can_be():
    def block(count):
        def told(room):
            yield from (labelled("text", cut("A sentence of words. " * 19, room.letters)) for _ in range(count))

        return [item.text for item in on_one_screen(told)]

    assert block(3) == ["A sentence of words. " * 19] * 3
    assert all(text.startswith("A sentence of words.") and len(text) < 399 for text in block(5))
    assert {len(text) for text in block(40)} == {62}, "no text is made shorter than a line"


def test_a_text_is_cut_after_a_sentence_or_else_after_a_word():
    assert cut("One. Two three four.", 20) == "One. Two three four."
    assert cut("One two three. Four five six.", 16) == "One two three."
    assert cut("One. Two three four.", 15) == "One. Two three …"
    assert cut("x" * 20, 7) == "xxxxxxx …"


@pytest.mark.parametrize("columns", [60, 120])
def test_prose_is_wrapped_on_a_terminal_with_its_indentation_and_paths_are_not(flipped, columns):
    lines = printed(flipped, width=columns)
    long = [line for line in lines if len(line) > columns]
    assert all(" " not in line.strip() or "kafkalog " in line or line.startswith("data-loss ") for line in long)
    at = next(at for at, line in enumerate(lines) if line.startswith("    Consequence: "))
    assert lines[at + 1].startswith("      ")


def test_what_could_not_be_read_is_not_among_what_is_sound():
    report = kafkalog.verify(BROKER / "2.1.1" / "plain", now=NOW)
    unread = (NotChecked("d/orders-0", "permission denied", failed=True),)
    lines = printed(replace(report, not_checked=unread))
    assert lines[0].endswith(": nothing of what could be read is damaged")
    assert "nothing of what could be read is removed" in lines[1]
    assert lines[-1] == "not checked  d/orders-0: permission denied"


def test_all_files_beside_the_partitions_that_are_damaged_are_named(tmp_path):
    log_dir = shutil.copytree(BROKER / "4.3.1" / "edge", tmp_path / "edge")
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        (log_dir / name).write_bytes(b"")
    (log_dir / ".kafka_cleanshutdown").write_bytes(b"")
    first = printed(kafkalog.verify(log_dir, now=NOW), "headline")[0]
    assert first.startswith("damaged  ")
    assert first.endswith("; none of the 6 partitions is damaged")
    assert {"recovery-point-offset-checkpoint", "replication-offset-checkpoint"} <= set(re.findall(r"[\w-]+", first))


def test_findings_that_cost_different_things_each_say_what(tmp_path):
    log_dir = shutil.copytree(BROKER / "2.1.1" / "plain", tmp_path / "plain")
    log = log_dir / "twitter-status-0" / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    for position in (2000, 8000):
        data[position] ^= 1
    log.write_bytes(data)
    report = kafkalog.verify(log_dir, now=NOW)
    costs = {f.consequence for f in report.all_findings() if f.id == "batch-crc-mismatch"}
    assert len(costs) == 2
    text = "\n".join(printed(report))
    assert all(f"Consequence: {cost}" in text for cost in costs)


def test_partitions_that_only_a_start_endangers_are_not_called_damaged(flipped):
    from kafkalog.next_start.outcome import SetAside

    sound = next(p for p in flipped.partitions if p.verdict in ("clean", "benign"))
    (outcome,) = sound.next_start
    stray = replace(outcome, partition="stray", rename=((sound.path, f"{sound.path}-stray"),), set_aside=SetAside(7, 3072))
    others = [p for p in flipped.partitions if p is not sound]
    lines = printed(replace(flipped, partitions=(*others, replace(sound, next_start=(stray,)))), "headline")
    assert lines[0].endswith("1 of 7 partitions is damaged; a start endangers 1 more")
    name = sound.path.rpartition("/")[2]
    assert any(f"{name} would be set aside as -stray, with 7 records, 3.0 KiB" in line for line in lines)
