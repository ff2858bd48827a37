"""Tables as Arrow: decoded many records at once, and equal to the rows value for value, on sound bytes and on damaged ones."""

from __future__ import annotations

import os
import sys
from collections import Counter

import arro3.core
import duckdb
import nanoarrow
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import kafkalog
from kafkalog.core.filters import Filters
from kafkalog.errors import ExtraMissing, UnreadableFile
from kafkalog.table.api import TABLES, tabulate
from kafkalog.table.records import RECORDS, LogWalk
from tests.encode import batch
from tests.log_dirs import CORPUS, corpus_log_dirs, fixture, fixture_log_dirs
from tests.made_logs import SHAPES, damaged, values

PLAIN = "fixtures/broker/2.1.1/plain/twitter-status-0"
LEDGER = "fixtures/broker/2.1.1/txn/ledger-0"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def rows_of(arrow):
    """An Arrow table as `Table.rows` gives it."""
    columns = []
    for column in arrow.columns:
        if pa.types.is_timestamp(column.type):
            values = column.cast(pa.int64()).to_pylist()
        elif pa.types.is_list(column.type):
            values = [None if row is None else [(one["key"], one["value"]) for one in row] for row in column.to_pylist()]
        else:
            values = column.to_pylist()
        columns.append(values)
    return list(zip(*columns, strict=True))


def told_rows(table, give):
    told = []
    rows = list(give(table.reporting(lambda path, damage: told.append((path, damage.span, damage.reason)))))
    return rows, told


def assert_equal_ways(table):
    """The rows, and what is told of damage, are the same both ways."""
    assert told_rows(table, lambda one: rows_of(one.to_arrow())) == told_rows(table, lambda one: one.rows())


#: The others are compared where the whole corpus is: it holds them all.
SOME = fixture_log_dirs()[::4]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_records_of_real_logs_are_the_same_both_ways(case):
    assert_equal_ways(kafkalog.table(case.path(), columns="all", control=True))


def test_records_of_the_whole_corpus_are_the_same_both_ways():
    for case in corpus_log_dirs():
        if case.workload == "tiered-remote":
            continue  # a remote store: no log dir
        assert_equal_ways(kafkalog.table(case.path(), columns="all", control=True))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_the_same_both_ways(name):
    for log_dir in (fixture("2.1.1", "txn").path(), fixture("2.8.2", "groups").path()):
        # Findings tell how old something is.
        table = kafkalog.table(log_dir, name, columns="all,-message,-consequence" if name == "findings" else "all")
        assert rows_of(table.to_arrow()) == list(table.rows())


# --- made logs, sound and damaged ---


@pytest.fixture
def partition_of(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()

    def make(data):
        (folder / f"{0:020}.log").write_bytes(data)
        return str(folder)

    return make


@pytest.mark.parametrize("name", SHAPES)
def test_made_logs_are_the_same_both_ways(name, partition_of):
    path = partition_of(SHAPES[name])
    assert_equal_ways(kafkalog.table(path, columns="all", control=True))
    assert kafkalog.table(path, control=True).head(1)


@pytest.mark.parametrize("name", SHAPES)
def test_damaged_logs_are_the_same_both_ways(name, partition_of):
    for seed in range(int(os.environ.get("KAFKALOG_TABLE_DAMAGES", "40" if CORPUS else "8"))):
        path = partition_of(damaged(SHAPES[name], f"{name} {seed}"))
        try:
            assert_equal_ways(kafkalog.table(path, columns="all", control=True))
        except AssertionError:
            raise AssertionError(f"seed {seed}") from None


def test_ordinary_batches_are_not_read_one_by_one(partition_of, monkeypatch):
    def one_by_one(_, batch):
        raise AssertionError(f"{batch} is read by itself")

    monkeypatch.setattr(LogWalk, "rows", one_by_one)
    for name in SHAPES.keys() - {"old", "ends of 64 bits"}:
        assert kafkalog.table(partition_of(SHAPES[name])).to_arrow().num_rows
    assert kafkalog.table(LEDGER, isolation="read_committed").to_arrow().num_rows == 47


@pytest.mark.parametrize("name", ["ordinary", "headers", "gaps", "old", "times", "transactions", "codec 4"])
def test_conditions_select_the_same_records_both_ways(name, partition_of):
    path = partition_of(SHAPES[name])
    for filters in (
        Filters(first_offset=33, end_offset=202),
        Filters(since=1_600_000_000_001, until=1_600_000_000_004),
        Filters(until=3),
        Filters(key=b"1"),
        Filters(producer_id=2),
        Filters(first_offset=50, producer_id=-1),
        Filters(first_offset=1 << 40),
    ):
        for committed in (False, True):
            table = tabulate(RECORDS, path, "all", "snake", filters, committed=committed, control=True)
            assert_equal_ways(table)
    assert_equal_ways(kafkalog.table(path, control=False))


# --- who takes them ---


@pytest.fixture
def table():
    return kafkalog.table(PLAIN, columns="offset,timestamp,key,value,topic,headers,problem")


def test_pandas_polars_duckdb_and_pyarrow_take_a_table_as_it_is(table):
    rows = list(table.rows())
    sizes = sum(len(row.value or b"") for row in rows)
    frame = table.to_pandas()
    assert frame["offset"].tolist() == [row.offset for row in rows]
    assert frame["value"].dropna().map(len).sum() == sizes
    assert str(frame.dtypes["timestamp"]) == "timestamp[ms, tz=UTC][pyarrow]"
    assert list(frame["topic"].unique()) == ["twitter-status"]
    polars = table.to_polars()
    assert polars["key"].to_list() == [row.key for row in rows]
    assert polars["timestamp"].dt.epoch("ms").to_list() == [row.timestamp for row in rows]
    assert pl.DataFrame(table).equals(polars)
    taken = table
    assert taken is table  # DuckDB looks it up by the name of the variable
    found = duckdb.sql("select count(*), sum(octet_length(value)), any_value(topic) from taken where problem is null")
    assert found.fetchall() == [(len(rows), sizes, "twitter-status")]
    assert pa.table(table).num_rows == pa.RecordBatchReader.from_stream(table).read_all().num_rows == len(rows)
    assert sum(part.num_rows for part in table.batches()) == len(rows)


def test_nanoarrow_and_arro3_take_a_table_as_it_is(table):
    rows = list(table.rows())
    # Its `to_pylist` crashes on views, those of pyarrow too.
    assert [one[3] for one in nanoarrow.ArrayStream(table).iter_tuples()] == [row.value for row in rows]
    found = arro3.core.Table(table)
    assert found.num_rows == len(rows)
    assert pa.table(found)["key"].to_pylist() == [row.key for row in rows]


def test_a_taker_gets_the_types_that_it_requests(table):
    wanted = pa.schema([field.with_type(pa.binary()) if field.name == "key" else field for field in table.schema])
    found = pa.RecordBatchReader.from_stream(table, schema=wanted).read_all()
    assert (found.schema, found["key"].to_pylist()) == (wanted, [row.key for row in table.rows()])


def test_texts_can_be_grouped_searched_and_sorted():
    ledger = kafkalog.table(fixture("2.1.1", "txn").path(), columns="topic,transaction,offset")
    rows = list(ledger.rows())
    counted = Counter(row.topic for row in rows)
    assert len(counted) > 2
    grouped = ledger.to_arrow().group_by("topic").aggregate([("offset", "count")])
    assert {one["topic"]: one["offset_count"] for one in grouped.to_pylist()} == counted
    frame = ledger.to_pandas()
    assert frame["topic"].str.startswith("ledger").sum() == sum(row.topic.startswith("ledger") for row in rows)
    assert frame.sort_values("topic")["topic"].tolist() == sorted(row.topic for row in rows)
    assert frame["transaction"].fillna("none").value_counts().to_dict() == Counter(row.transaction or "none" for row in rows)


def test_headers_and_dictionaries_survive_every_taker(partition_of):
    path = partition_of(SHAPES["keys that are no text"] + SHAPES["old"])
    given = kafkalog.table(path, columns="headers,problem,compression")
    rows = list(given.rows())
    assert {row.problem for row in rows} == {None, "header-key-utf8"}
    assert [row and [(one["key"], one["value"]) for one in row] for row in given.to_polars()["headers"].to_list()] == [
        row.headers for row in rows
    ]
    assert given.to_polars()["problem"].to_list() == [row.problem for row in rows]
    problems = given.to_pandas()["problem"]
    assert [None if pd.isna(one) else one for one in problems] == [row.problem for row in rows]
    counted = duckdb.sql("select problem, count(*), count(headers) from given group by problem order by problem nulls first")
    of_none = [row for row in rows if row.problem is None]
    odd = [row for row in rows if row.problem]
    assert counted.fetchall() == [(None, len(of_none), 0), ("header-key-utf8", len(odd), len(odd))]


def test_a_table_of_views_says_the_same_as_one_of_copies(table):
    views = table.to_arrow(compact=False)
    assert (views.schema.field("key").type, table.to_arrow().schema.field("key").type) == (pa.binary_view(), pa.binary())
    assert views.schema == table.schema
    assert rows_of(views) == rows_of(table.to_arrow())


def test_the_first_columns_are_those_of_spark_s_kafka_source():
    schema = kafkalog.table(PLAIN, names="kafka").schema
    assert [(field.name, str(field.type)) for field in schema][:8] == [
        ("key", "binary_view"),
        ("value", "binary_view"),
        ("topic", "dictionary<values=string, indices=int32, ordered=0>"),
        ("partition", "int32"),
        ("offset", "int64"),
        ("timestamp", "timestamp[ms, tz=UTC]"),
        ("timestampType", "int32"),
        ("headers", "list<item: struct<key: string, value: binary>>"),
    ]


def test_a_name_that_is_no_text_goes_into_arrow_escaped(tmp_path):
    folder = f"{tmp_path}/t\udcff-0"
    os.mkdir(folder)
    with open(f"{folder}/{0:020}.log", "wb") as log:
        log.write(batch(values(1)))
    table = kafkalog.table(folder, columns="topic,path")
    assert table.head(1)[0].topic == "t\udcff"
    assert table.to_arrow()["topic"].to_pylist() == ["t\\udcff"]
    assert kafkalog.table(folder, "findings").to_arrow().num_rows >= 0


def test_what_cannot_be_read_is_kafkalog_s_own_error_in_every_form(tmp_path):
    table = kafkalog.table(tmp_path / "none")
    for ask in (table.to_arrow, table.to_pandas, table.to_polars, lambda: list(table.batches())):
        with pytest.raises(UnreadableFile, match="none: no such file"):
            ask()


@pytest.mark.parametrize("missing", ["numpy", "pyarrow"])
def test_without_the_extra_rows_are_given_and_arrow_is_refused_with_what_to_install(table, monkeypatch, missing):
    for name in [name for name in sys.modules if name.startswith("kafkalog.table.")]:
        if name.rpartition(".")[2] in ("arrow", "encoder", "record_arrays", "windows", "lanes"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert table.head(1)[0].offset == 0
    for ask in (
        table.to_arrow,
        table.to_pandas,
        table.to_polars,
        table.batches,
        table.__arrow_c_stream__,
        lambda: table.schema,
    ):
        with pytest.raises(ExtraMissing, match=r"pip install 'kafkalog\[arrow\]'"):
            ask()


@pytest.mark.parametrize("missing", ["pandas", "polars"])
def test_without_pandas_or_polars_their_name_is_what_to_install(table, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ExtraMissing, match=f"to_{missing} needs what is not installed: pip install '{missing}'"):
        getattr(table, f"to_{missing}")()
