"""docs/next-start.md follows the code and the recordings."""

from __future__ import annotations

import pathlib
import re
import sys

import kafkalog
from kafkalog.core.release import release_text
from kafkalog.kafka.behaviours import BEHAVIOURS
from tests.next_start import test_log_dirs
from tests.next_start.broker_starts import differences, packed_starts

PAGE = pathlib.Path(kafkalog.__file__).resolve().parent.parent / "docs" / "next-start.md"
BEGIN = "<!-- behaviours: generated from kafkalog/kafka/behaviours.py -->\n"
END = "<!-- /behaviours -->\n"


def behaviour_table() -> str:
    rows = [
        f"| {release_text(row.since)} | {row.text} | {row.source} |" for row in sorted(BEHAVIOURS, key=lambda row: row.since)
    ]
    return "\n".join(["| since | loading | source |", "|---|---|---|", *rows]) + "\n"


def test_table_of_releases_follows_the_code():
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    assert text[begin:end] == behaviour_table(), "run python -m tests.next_start.test_docs"


def test_every_row_of_the_model_names_a_recorded_start_that_is_predicted():
    starts = {start.id: start for start in packed_starts()}
    rows = re.findall(r"^\|.*\| `([^`|]+/(?:clean|unclean[a-z-]*))` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 35
    for case in rows:
        assert differences(starts[case]) == [], case


def test_every_row_beside_the_partitions_names_a_recorded_log_dir_or_a_test():
    page = PAGE.read_text(encoding="utf-8")
    part = page[page.index("Beside the partitions.") : page.index("## Releases")]
    rows = re.findall(r"^\|.*\| `([^`|]+)` \|$", part, re.MULTILINE)
    assert len(rows) == sum(line.startswith("| ") for line in part.splitlines()) - 1
    recorded = {case["id"] for case in test_log_dirs.packed_log_dirs()[1]} - {*test_log_dirs.PARTIAL, *test_log_dirs.UNSEEN}
    for row in rows:
        assert row in recorded if row.startswith("level:") else callable(getattr(test_log_dirs, row)), row


def write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(text[:begin] + behaviour_table() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
