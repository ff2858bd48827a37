"""The answers in `docs/python.md`, found once more record by record and batch by batch."""

from __future__ import annotations

import ast
import doctest
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise

import pytest

import kafkalog
from tests.generate_docs import DOCS

TWEETS = "fixtures/broker/2.1.1/plain/twitter-status-0"
LEDGER = "fixtures/broker/2.1.1/txn/ledger-0"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def answers():
    """The last answer below each question."""
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    questions = page.partition("## Ten questions")[2].partition("\n## ")[0]
    found = {}
    for part in re.split(r"^### ", questions, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        found[title] = ast.literal_eval(doctest.DocTestParser().get_examples(text)[-1].want)
    return found


def records_of(path):
    return list(kafkalog.open_partition(path).records())


def minutes():
    counted = Counter(one.timestamp // 60_000 for one in records_of(TWEETS))
    return [
        (datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d %H:%M"), count)
        for minute, count in sorted(counted.items())
    ][:3]


def largest_keys():
    rows = defaultdict(lambda: [0, 0])
    for one in records_of(TWEETS):
        if one.key is not None:
            rows[one.key][0] += len(one.value or b"")
            rows[one.key][1] += 1
    return [(key, *row) for key, row in sorted(rows.items(), key=lambda item: -item[1][0])[:3]]


def duplicates():
    keyed = [one for one in records_of(TWEETS) if one.key is not None]
    last = {one.key: one.offset for one in keyed}
    pairs = Counter((one.key, one.value) for one in keyed if one.value is not None)
    return sum(one.offset != last[one.key] for one in keyed), sum(count - 1 for count in pairs.values())


def producers():
    rows = defaultdict(lambda: [0, 0])
    for one in kafkalog.open_partition(LEDGER).batches():
        rows[one.header.producer_id][0] += one.size
        rows[one.header.producer_id][1] += 0 if one.is_control else one.header.records_count
    return [(producer, *row) for producer, row in sorted(rows.items(), key=lambda item: -item[1][0])[:3]]


def gaps():
    batches = list(kafkalog.open_partition("fixtures/broker/4.3.1/edge/e-idem-0").batches())
    return [
        (before.last_offset + 1, after.base_offset - 1)
        for before, after in pairwise(batches)
        if after.base_offset > before.last_offset + 1
    ]


def aborted():
    ledger = kafkalog.open_partition(LEDGER)
    offsets = {one.offset for one in ledger.records() if one.is_aborted}
    found = [
        (record.offset, record.key, batch.header.producer_id)
        for batch in ledger.batches()
        for record in batch.records()
        if record.offset in offsets
    ]
    return len(found), found[:2]


def delays():
    found = sorted(
        batch.header.max_timestamp - batch.header.base_timestamp
        for batch in kafkalog.open_partition("fixtures/broker/2.1.1/plain/append-time-0").batches()
        if batch.timestamp_type == "LogAppendTime"
    )
    return [(len(found), float(found[len(found) // 2]))]


def compression():
    rows = defaultdict(lambda: [0, 0])
    for partition in kafkalog.open_log_dir("fixtures/broker/2.1.1/codec").partitions():
        for batch in partition.batches():
            records = list(batch.records())
            times = [one.timestamp for one in records]
            hour = datetime.fromtimestamp(min(times) / 1000, UTC).strftime("%Y-%m-%d %H:00")
            row = rows[hour, ["none", "gzip", "snappy", "lz4", "zstd"][batch.compression_id]]
            row[0] += sum(len(one.key or b"") + len(one.value or b"") for one in records)
            row[1] += batch.size
    return [(*key, round(plain / stored, 1)) for key, (plain, stored) in sorted(rows.items())][:5]


def future():
    partition = kafkalog.open_partition("fixtures/broker/2.1.1/plain/odd-times-0")
    return [
        (one.offset, one.timestamp, one.key, batch.header.producer_id, batch.position)
        for batch in partition.batches()
        for one in batch.records()
        if one.timestamp > 1_800_000_000_000
    ][:2]


def replicas():
    one, other = (
        {
            record.offset: (record.key, record.value)
            for record in records_of(f"fixtures/broker/2.3.1/diverge-before-{name}/stock-0")
        }
        for name in ("b0", "b1")
    )
    same = [offset for offset in one if one[offset] == other.get(offset)]
    differing = [offset for offset in one.keys() | other.keys() if one.get(offset) != other.get(offset)]
    return [(len(same), len(one.keys() - other.keys()), len(other.keys() - one.keys()), min(differing))]


PLAINLY = [minutes, largest_keys, duplicates, producers, gaps, aborted, delays, compression, future, replicas]


def test_there_are_ten_questions():
    assert len(answers()) == len(PLAINLY) == 10


@pytest.mark.parametrize("number", range(10), ids=[plainly.__name__ for plainly in PLAINLY])
def test_the_answer_is_that_of_a_plain_walk(number):
    assert list(answers().values())[number] == PLAINLY[number]()
