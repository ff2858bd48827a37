"""`kafkalog export`: files say what the table says, are whole or not there, and never among what is examined."""

from __future__ import annotations

import base64
import csv
import fcntl
import json
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.table import export, text_files
from kafkalog.table.api import TABLES
from kafkalog.table.export import FORMATS, ROW_GROUP
from tests.encode import R, batch
from tests.log_dirs import fixture
from tests.table.test_arrow import SHAPES, rows_of

LEDGER = "fixtures/broker/2.1.1/txn/ledger-0"
PLAIN = "fixtures/broker/2.1.1/plain/twitter-status-0"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


class Done(NamedTuple):
    """What a command said, and its exit status; 2 stands for all that is refused."""

    status: int
    stderr: str
    says: str


def run(*words):
    done = CliRunner().invoke(main, ["export", *map(str, words)], prog_name="kafkalog", standalone_mode=False)
    status = done.return_value if done.exception is None else 2
    says = getattr(done.exception, "message", "") or str(done.exception or "")
    return Done(status, done.stderr, says)


def exported(tmp_path, suffix, *words, status=0):
    out = tmp_path / f"out.{suffix}"
    done = run(*words, "-o", out, "--force")
    assert done.status == status, done
    assert os.listdir(tmp_path) == [out.name]
    return out


@pytest.fixture(scope="module")
def headers_log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs") / "t-7"
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(
        SHAPES["keys that are no text"] + batch([R(key=b'a"b\n', value=b"\xff")], base_offset=1000)
    )
    return str(folder)


@pytest.fixture(params=["plain", "transactions", "headers"])
def logs(request, headers_log):
    return {"plain": PLAIN, "transactions": LEDGER, "headers": headers_log}[request.param]


def test_parquet_and_arrow_give_back_the_table(tmp_path, logs):
    rows = list(kafkalog.table(logs, columns="all"))
    assert rows_of(pq.read_table(exported(tmp_path, "parquet", logs, "--columns", "all"))) == rows
    (tmp_path / "out.parquet").unlink()
    with pa.ipc.open_file(exported(tmp_path, "arrow", logs, "--columns", "all")) as file:
        assert rows_of(file.read_all()) == rows


def test_parquet_is_read_by_pandas_polars_and_duckdb(tmp_path, headers_log):
    out = exported(tmp_path, "parquet", headers_log)
    rows = list(kafkalog.table(headers_log))
    assert pd.read_parquet(out, dtype_backend="pyarrow")["offset"].tolist() == [row.offset for row in rows]
    assert pl.read_parquet(out)["value"].to_list() == [row.value for row in rows]
    found = duckdb.sql(f"select \"offset\", key, headers[1].key, epoch_ms(timestamp) from '{out}'").fetchall()
    assert found == [(row.offset, row.key, row.headers[0][0] if row.headers else None, row.timestamp) for row in rows]


def test_csv_gives_back_the_table(tmp_path, logs):
    columns = "offset,key,value,timestamp,headers,transaction,is_control"
    rows = list(kafkalog.table(logs, columns=columns.split(",")))
    out = exported(tmp_path, "csv", logs, "--columns", columns, "--key-format", "hex", "--value-format", "base64")
    frame = pd.read_csv(out, dtype_backend="pyarrow", keep_default_na=False, na_values=[""], dtype={"key": "string[pyarrow]"})
    assert frame["offset"].tolist() == [row.offset for row in rows]
    assert [bytes.fromhex(one) if isinstance(one, str) else b"" for one in frame["key"]] == [row.key or b"" for row in rows]
    with open(out, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))[1:]
    assert [base64.b64decode(line[2]) for line in lines] == [row.value or b"" for row in rows]
    assert [line[6] for line in lines] == ["true" if row.is_control else "false" for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert bool(line[4]) == bool(row.headers)
        if row.headers:
            assert [one["key"] for one in json.loads(line[4])] == [key for key, _ in row.headers]


def test_rows_with_large_values_are_written_few_at_a_time(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(batch([R(n, value=b"v" * 300_000) for n in range(30)]))
    table = kafkalog.table(folder)
    for lines in (text_files.csv_lines, text_files.json_lines):
        pieces = [len(piece) for piece in lines(table, "text", "text")]
        assert max(pieces) < 2_000_000
        assert sum(pieces) > 9_000_000


def test_null_and_empty_are_told_apart_in_csv(tmp_path):
    folder = tmp_path / "in" / "t-0"
    folder.mkdir(parents=True)
    (folder / f"{0:020}.log").write_bytes(batch([R(0, None, b""), R(1, b"", None)]))
    (tmp_path / "out").mkdir()
    out = exported(tmp_path / "out", "csv", folder, "--columns", "key,value")
    assert out.read_bytes() == b'"key","value"\r\n,""\r\n"",\r\n'


def test_json_lines_give_back_the_table(tmp_path, logs):
    rows = list(kafkalog.table(logs, columns="all"))
    out = exported(tmp_path, "jsonl", logs, "--columns", "all", "--value-format", "hex", "--key-format", "base64")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["offset"] for line in lines] == [row.offset for row in rows]
    stored = [None if line["value"] is None else bytes.fromhex(line["value"]) for line in lines]
    assert stored == [row.value for row in rows]
    assert [line["timestamp_ms"] for line in lines] == [row.timestamp_ms for row in rows]
    first = lines[0]
    assert first["timestamp"].endswith("Z")
    assert pd.Timestamp(first["timestamp"]).value == rows[0].timestamp * 1_000_000


def test_text_of_bytes_that_are_no_utf_8_is_escaped(tmp_path, headers_log):
    out = exported(tmp_path, "jsonl", headers_log, "--offsets", "1000:")
    (line,) = map(json.loads, out.read_text().splitlines())
    assert (line["key"], line["value"], line["partition"]) == ('a"b\n', "\\xff", 7)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_written_in_every_format(tmp_path, table):
    log_dir = fixture("2.1.1", "txn").path()
    count = len(list(kafkalog.table(log_dir, table)))
    for suffix in FORMATS:
        out = tmp_path / f"{table}.{suffix}"
        assert run(log_dir, "--table", table, "-o", out).status == 0
    assert pq.read_metadata(tmp_path / f"{table}.parquet").num_rows == count
    assert (tmp_path / f"{table}.jsonl").read_text().count("\n") == count


def test_the_parquet_file_is_laid_out_to_be_looked_into(tmp_path):
    out = exported(tmp_path, "parquet", PLAIN, "--row-group", "100", "--offsets", "3:")
    found = pq.ParquetFile(out)
    names = [found.schema_arrow.names.index(name) for name in ("key", "topic", "offset", "timestamp")]
    groups = [found.metadata.row_group(number) for number in range(found.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [100] * 5 + [30]
    assert [column.column_index for column in groups[0].sorting_columns] == [names[2]]
    key, topic, offset, time = (groups[0].column(number) for number in names)
    assert {key.compression, offset.compression} == {"ZSTD"}
    assert key.statistics is None
    assert (offset.statistics.min, offset.statistics.max) == (3, 102)
    assert offset.has_column_index
    assert offset.has_offset_index
    assert "DELTA_BINARY_PACKED" in offset.encodings
    assert "DELTA_BYTE_ARRAY" in key.encodings
    assert "DELTA_BINARY_PACKED" in time.encodings
    assert topic.has_dictionary_page
    assert not key.has_dictionary_page
    footer = {key.decode(): value.decode() for key, value in found.metadata.metadata.items()}
    assert footer["kafkalog.schema"] == "kafkalog.records/1"
    assert json.loads(footer["kafkalog.sources"]) == [PLAIN]
    assert json.loads(footer["kafkalog.options"])["first_offset"] == 3
    assert json.loads(footer["kafkalog.damage"]) == []
    assert ROW_GROUP == 131_072


#: The schema of `spark.read.format("kafka")` with headers, as Spark's guide to Kafka gives it, as DDL.
SPARK_KAFKA_SOURCE = [
    ("key", "binary"),
    ("value", "binary"),
    ("topic", "string"),
    ("partition", "int"),
    ("offset", "bigint"),
    ("timestamp", "timestamp"),
    ("timestampType", "int"),
    ("headers", "array<struct<key:string,value:binary>>"),
]
#: What Spark makes of the types of Parquet.
SPARK_TYPES = {
    ("BYTE_ARRAY", "NONE"): "binary",
    ("BYTE_ARRAY", "UTF8"): "string",
    ("INT32", "NONE"): "int",
    ("INT32", "INT_32"): "int",
    ("INT64", "NONE"): "bigint",
    ("INT64", "TIMESTAMP_MILLIS"): "timestamp",
}


def test_with_kafka_s_names_a_file_begins_with_the_schema_of_spark_s_kafka_source(tmp_path):
    schema = pq.ParquetFile(exported(tmp_path, "parquet", PLAIN, "--names", "kafka")).schema
    leaves = [schema.column(number) for number in range(9)]
    found = [(leaf.path, SPARK_TYPES[leaf.physical_type, leaf.converted_type]) for leaf in leaves]
    assert [name for name, _ in found[7:9]] == ["headers.list.element.key", "headers.list.element.value"]
    headers = f"array<struct<key:{found[7][1]},value:{found[8][1]}>>"
    assert [*found[:7], ("headers", headers)] == SPARK_KAFKA_SOURCE
    assert "isAdjustedToUTC=true" in str(leaves[5].logical_type)  # without it Spark has no timestamp
    assert [leaf.max_definition_level for leaf in leaves[:7]] == [1] * 7  # all may be null, as there


def test_offsets_that_do_not_ascend_are_not_said_to(tmp_path):
    folder = tmp_path / "in" / "t-0"
    folder.mkdir(parents=True)
    (folder / f"{0:020}.log").write_bytes(batch([R()], base_offset=5) + batch([R()], base_offset=3))
    (tmp_path / "out").mkdir()
    out = exported(tmp_path / "out", "parquet", folder)
    assert pq.read_table(out)["offset"].to_pylist() == [5, 3]
    assert pq.read_metadata(out).row_group(0).sorting_columns == ()
    out = exported(tmp_path / "out", "parquet", PLAIN, LEDGER)
    assert pq.read_metadata(out).row_group(0).sorting_columns == ()


def test_a_folder_gets_a_file_for_each_partition_that_duckdb_reads_as_one(tmp_path):
    log_dir = fixture("2.1.1", "txn").path()
    done = run(log_dir, PLAIN, LEDGER, "-o", f"{tmp_path}/lake/")
    assert done.status == 0, done
    files = sorted(str(path.relative_to(tmp_path / "lake")) for path in tmp_path.rglob("*.parquet"))
    assert "topic=ledger/partition=0/part-0.parquet" in files
    assert "topic=ledger/partition=0/part-1.parquet" in files  # another copy of it
    count = sum(1 for path in (log_dir, PLAIN, LEDGER) for _ in kafkalog.table(path))
    found = duckdb.sql(f"select count(*) from read_parquet('{tmp_path}/lake/**/*.parquet', hive_partitioning=true)")
    assert found.fetchall() == [(count,)]


def test_processes_write_the_same_files_and_say_the_same(tmp_path):
    log_dir = shutil.copytree(fixture("2.1.1", "txn").path(), tmp_path / "in")
    (log_dir / "ledger-0" / f"{0:020}.log").write_bytes(b"\7" * 500)
    told, files = [], []
    for jobs in ("1", "2"):
        done = run(log_dir, "-o", f"{tmp_path}/{jobs}/", "--jobs", jobs)
        assert done.status == 1
        told.append(done.stderr)
        paths = sorted((tmp_path / jobs).rglob("*.*"))
        files.append([(str(path.relative_to(tmp_path / jobs)), path.read_bytes()) for path in paths])
    assert told[0] == told[1] != ""
    assert files[0] == files[1]
    assert len(files[0]) == len(kafkalog.LogDir(str(log_dir)).partition_names)


def test_the_folders_of_topics_with_odd_names_are_read_back(tmp_path):
    names = ["n\nl", "t\udcff", "%41", "é", ".."]
    for number, name in enumerate(names):
        folder = f"{tmp_path}/in/{name}-{number}"
        os.makedirs(folder)
        with open(f"{folder}/{0:020}.log", "wb") as log:
            log.write(batch([R()]))
    assert run(tmp_path / "in", "-o", f"{tmp_path}/lake/").status == 0
    found = duckdb.sql(f"select topic, partition from read_parquet('{tmp_path}/lake/**/*.parquet', hive_partitioning=true)")
    shown = {(row.topic.replace("\udcff", "\\udcff"), row.partition) for row in kafkalog.table(tmp_path / "in")}
    assert set(found.fetchall()) == shown
    assert len(shown) == len(names)


@pytest.mark.parametrize("table", ["records", "findings", "transactions"])
def test_a_path_that_is_missing_is_told_before_anything_is_written(table, tmp_path):
    done = run("--table", table, PLAIN, tmp_path / "none", "-o", tmp_path / "new" / "x.csv")
    assert done.says == f"{tmp_path}/none: no such file or directory"
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_read_is_named_and_the_status_says_so(tmp_path):
    copy = shutil.copytree(PLAIN, tmp_path / "in" / "twitter-status-0")
    log = copy / f"{0:020}.log"
    data = log.read_bytes()
    log.write_bytes(data[:1000] + data[1001:])
    out = tmp_path / "out.parquet"
    done = run(copy, "-o", out)
    assert done.status == 1
    assert done.stderr == (
        f"kafkalog: {log}: bytes 492..1275 are not in the output: batchLength: CRC wrong, and a sound batch begins at 1275, "
        "before the end that its length says (bytes 500..504)\n"
    )
    found = pq.read_metadata(out)
    assert json.loads(found.metadata[b"kafkalog.damage"]) == [
        {"path": str(log), "start": 492, "end": 1275, "batchPosition": None}
    ]
    assert found.num_rows == len(list(kafkalog.table(PLAIN))) - 3


def test_transactions_of_a_damaged_log_may_not_be_all(tmp_path):
    copy = shutil.copytree(LEDGER, tmp_path / "in" / "ledger-0")
    log = copy / f"{30:020}.log"
    log.write_bytes(b"\7" * 100 + log.read_bytes()[100:])
    done = run("--table", "transactions", copy, "-o", tmp_path / "x.csv")
    assert done.status == 1
    assert done.stderr.startswith(f"kafkalog: {log}: bytes 0..")


def test_of_many_damages_the_first_are_named(tmp_path):
    folder = tmp_path / "in" / "t-0"
    folder.mkdir(parents=True)
    (folder / f"{0:020}.log").write_bytes(b"".join(batch([R()], base_offset=n) + b"\7" * 9 for n in range(30)))
    done = run(folder, "-o", tmp_path / "out.csv")
    assert (done.status, done.stderr.count("\n")) == (1, 21)
    assert "10 more ranges of bytes are not in the output" in done.stderr


def test_nothing_is_written_among_what_is_examined(tmp_path):
    copy = shutil.copytree(PLAIN, tmp_path / "twitter-status-0")
    before = sorted(os.listdir(copy))
    os.symlink(copy, tmp_path / "link")
    log = copy / f"{0:020}.log"
    for paths, out in (
        ((copy,), copy / "x.csv"),
        ((copy,), f"{copy}/lake/"),
        ((copy,), tmp_path / "link" / "x.csv"),
        ((tmp_path / "link",), copy / "x.csv"),
        ((log,), log.with_suffix(".csv")),
        ((log,), log),
    ):
        done = run(*paths, "-o", out, "--force", "--format", "csv")
        assert done.status == 2
        assert "is examined and must not be changed" in done.says
    assert sorted(os.listdir(copy)) == before
    assert run(copy, "-o", tmp_path / "twitter-status-0.csv").status == 0


def test_evidence_is_not_overwritten_whatever_it_is_called(tmp_path):
    data = (b"%s" % batch([R()])) * 3
    for name in ("out.csv", "out.csv.partial", "packed.csv"):
        (tmp_path / name).write_bytes(data)
    for words in (
        ("--as", "log", tmp_path / "out.csv", "-o", tmp_path / "out.csv"),
        ("--as", "log", tmp_path / "out.csv.partial", "-o", tmp_path / "out.csv"),
        (tmp_path / "packed.csv" / f"{0:020}.log", "-o", tmp_path / "packed.csv"),
    ):
        done = run(*words, "--force")
        assert (done.status, "is examined and must not be changed" in done.says) == (2, True), done
    os.symlink(tmp_path / "out.csv", tmp_path / "link.csv")
    assert "link.csv is there already, and no regular file" in run(PLAIN, "-o", tmp_path / "link.csv", "--force").says
    # What a killed run left is removed, not written into: it may be a second name of something.
    os.link(tmp_path / "out.csv", tmp_path / "new.csv.partial")
    assert run(PLAIN, "-o", tmp_path / "new.csv").status == 0
    assert (tmp_path / "out.csv").read_bytes() == data == (tmp_path / "out.csv.partial").read_bytes()
    assert not (tmp_path / "new.csv.partial").exists()


def test_a_file_that_another_run_writes_is_left_to_it(tmp_path):
    with (tmp_path / "out.csv.partial").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run(PLAIN, "-o", tmp_path / "out.csv")
    assert "out.csv.partial is being written by another run" in done.says
    assert os.listdir(tmp_path) == ["out.csv.partial"]


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    done = run(PLAIN, "-o", out)
    assert "is there already: --force replaces it" in done.says
    assert out.read_text() == "mine"
    assert run(PLAIN, "-o", out, "--force").status == 0
    assert out.read_text().startswith('"key"')


def test_what_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        yield b"half"
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "csv_lines", fail)
    assert run(PLAIN, "-o", tmp_path / "out.csv").status != 0
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(PLAIN, "-o", tmp_path / "file" / "out.csv")
    assert done.status == 3
    assert done.stderr.startswith("kafkalog: cannot write the output: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-o", "x.txt"], "x.txt does not tell a format by its suffix"),
        (["-o", "-", "--format", "parquet"], "Parquet cannot be written to a pipe"),
        (["-o", "x.csv", "--columns", "nope"], "has no column 'nope'"),
        (["-o", "x.csv", "--table", "batches", "--control"], "the table batches has none"),
        (["-o", "x/", "--table", "findings"], "goes into one file"),
        (["-o", "x.csv", "--since", "@5", "--until", "@4"], "--since is later than --until"),
        (["-o", "/dev/null", "--format", "csv", "--force"], "/dev/null is there already, and no regular file"),
    ],
)
def test_what_cannot_be_done_is_refused(words, says, tmp_path, monkeypatch):
    path = os.path.abspath(PLAIN)
    monkeypatch.chdir(tmp_path)
    done = run(path, *words)
    assert done.status == 2
    assert says in done.says
    assert os.listdir(tmp_path) == []


def test_stdout_gets_csv_json_lines_and_an_arrow_stream():
    def out(form):
        words = [sys.executable, "-m", "kafkalog", "export", PLAIN, "-o", "-", "--format", form]
        return subprocess.run(words, capture_output=True, check=True).stdout

    count = len(list(kafkalog.table(PLAIN)))
    assert out("jsonl").count(b"\n") == count
    assert pa.ipc.open_stream(out("arrow")).read_all().num_rows == count


def test_csv_and_json_lines_need_no_extra_and_the_others_name_it(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("kafkalog.table.")]:
        if name.rpartition(".")[2] in ("arrow", "arrow_files", "encoder", "record_arrays", "windows", "lanes"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(PLAIN, "-o", tmp_path / "x.csv").status == 0
    assert run(PLAIN, "-o", tmp_path / "x.jsonl").status == 0
    done = run(PLAIN, "-o", tmp_path / "x.parquet")
    assert "export as parquet needs what is not installed: pip install 'kafkalog[arrow]'" in done.says
    assert sorted(os.listdir(tmp_path)) == ["x.csv", "x.jsonl"]


@pytest.fixture
def half_readable(tmp_path):
    """A log dir of which one log cannot be read, and that log."""
    log_dir = tmp_path / "data"
    shutil.copytree("fixtures/broker/2.1.1/plain", log_dir)
    log = log_dir / "many-0" / f"{0:020}.log"
    log.unlink()
    log.symlink_to("nowhere")
    return log_dir, log


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_partition_that_cannot_be_read_costs_a_folder_its_own_file_only(tmp_path, half_readable, jobs):
    log_dir, log = half_readable
    done = run("--jobs", jobs, "--table", "batches", "--format", "csv", log_dir, "-o", f"{tmp_path}/lake/")
    assert done.status == 3
    assert done.stderr.splitlines() == [f"kafkalog: {log}: no such file or directory"]
    written = {path.parts[-3] for path in (tmp_path / "lake").rglob("*.csv")}
    assert written == {"topic=append-time", "topic=big", "topic=never-used", "topic=odd-times", "topic=twitter-status"}


def test_a_caller_who_asks_for_no_word_of_it_gets_the_error(tmp_path, half_readable):
    log_dir, _ = half_readable
    with pytest.raises(kafkalog.UnreadableFile, match="many-0"):
        export.export(kafkalog.table(log_dir), f"{tmp_path}/lake/", export.ExportOptions("csv"), lambda *_: None)
