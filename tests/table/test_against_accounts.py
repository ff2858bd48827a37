"""Tables hold what the clients themselves sent and read: their own accounts, not our readers, say so."""

from __future__ import annotations

import collections

import pytest

import kafkalog
from tests.log_dirs import corpus_log_dirs, fixture_log_dirs
from tests.test_ground_truth import Log, check, with_records


def read_table(path):
    """A partition's data as the tables have them, through Arrow."""
    ends = kafkalog.table(path, "batches", columns="last_offset").to_arrow()["last_offset"].to_pylist()
    starts = kafkalog.table(path, "segments", columns="base_offset").to_arrow()["base_offset"].to_pylist()
    found = kafkalog.table(path, columns="offset,timestamp_ms,magic,key,value,headers,problem,crc_ok").to_arrow()
    assert set(found["crc_ok"].to_pylist()) <= {True}
    records = {
        row["offset"]: (
            row["timestamp_ms"],
            row["magic"],
            row["key"],
            row["value"],
            [(header["key"].encode(), header["value"]) for header in row["headers"] or ()],
        )
        for row in found.to_pylist()
    }
    return Log(min(starts, default=0), max(ends, default=-1) + 1, records)


#: The others are compared where the whole corpus is: it holds them all.
SOME = with_records(fixture_log_dirs())[::5]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_the_table_of_records_equals_the_clients_account(case):
    counts = check(case, read_table)
    assert counts["ack"] + counts["consumer"] > 0 or case.workload.startswith(("swap", "future"))


def test_the_tables_of_the_whole_corpus_equal_the_clients_accounts():
    counts = sum((check(case, read_table) for case in with_records(corpus_log_dirs())), collections.Counter())
    print(dict(counts))
    assert counts["ack"] > 150_000
    assert counts["consumer"] > 150_000
