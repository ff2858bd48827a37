"""Tables as rows: what the library's own objects say, value for value, and nothing that is not there."""

from __future__ import annotations

import inspect
import pickle
import re
import shutil

import pytest

import kafkalog
from kafkalog.core.layout import kafka_name
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.segment import transaction_ends
from kafkalog.table.api import TABLES
from tests.encode import R, batch, marker, message
from tests.log_dirs import fixture, fixture_log_dirs
from tests.table.plain import plain_records

LEDGER = "fixtures/broker/2.1.1/txn/ledger-0"
PLAIN = "fixtures/broker/2.1.1/plain/twitter-status-0"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def column(table, name):
    return [getattr(row, name) for row in table]


@pytest.fixture
def log_dir_of(tmp_path):
    """Makes a partition directory `t-0` of the bytes of a log."""

    def make(data, name="t-0"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / f"{0:020}.log").write_bytes(data)
        return str(folder)

    return make


@pytest.mark.parametrize("case", fixture_log_dirs()[1::4], ids=lambda case: case.id)
def test_records_are_those_of_the_plain_walk(case):
    for path in case.partition_paths():
        partition = kafkalog.Partition(path)
        expected = list(plain_records(path, ends=transaction_ends(partition.segments)))
        assert list(kafkalog.table(partition, columns="all", control=True).rows()) == expected
        assert (
            partition.table(columns="-transaction").head(1)
            == [row[:9] + row[11:13] + row[15:17] + row[25:] for row in plain_records(path, control=False)][:1]
        )


def test_a_log_dir_gives_its_partitions_one_after_the_other_and_several_paths_too():
    log_dir = fixture("2.1.1", "txn").path()
    expected = [row for part in sorted(kafkalog.LogDir(log_dir).partition_names) for row in plain_records(f"{log_dir}/{part}")]
    assert len(list(kafkalog.table(log_dir, control=True))) == len(expected) > 400
    assert len(list(kafkalog.table([log_dir, kafkalog.LogDir(log_dir)], control=True))) == 2 * len(expected)


def test_a_table_can_be_gone_over_again_and_is_empty_before_it_is_asked():
    table = kafkalog.table(PLAIN)
    assert list(table) == list(table)
    assert next(table.rows()) == table.head(1)[0]


def test_the_first_rows_are_as_many_as_there_are():
    table = kafkalog.table(PLAIN, columns="offset", offsets=(0, 3))
    assert [len(table.head(count)) for count in (0, 2, 9)] == [0, 2, 3]
    for count in (-1, "2", None):
        with pytest.raises(RequestError):
            table.head(count)


def test_a_table_travels_to_other_processes():
    for items in (PLAIN, kafkalog.open_partition(PLAIN)):
        table = kafkalog.table(items, columns="offset,timestamp_type", names="kafka", offsets=(3, 9))
        other = pickle.loads(pickle.dumps(table))
        assert (other.names, list(other)) == (table.names, list(table))


@pytest.mark.parametrize("name", ["findings", "transactions"])
def test_what_could_not_be_read_is_raised_where_findings_and_transactions_end(name, tmp_path):
    table = kafkalog.table([fixture("2.1.1", "txn").path(), tmp_path / "none"], name)
    rows = table.rows()
    assert next(rows)
    with pytest.raises(UnreadableFile, match="none: no such file"):
        list(rows)


def test_transactions_of_a_segment_are_those_of_its_log():
    segment = kafkalog.open_segment(f"{LEDGER}/{0:020}.log")
    assert list(kafkalog.table(segment, "transactions")) == list(kafkalog.table(segment.paths[".log"], "transactions")) != []


def test_help_lists_every_table_and_column():
    text = inspect.getdoc(kafkalog.table)
    for definition in TABLES.values():
        part = text.partition(f"\nTable {definition.name}: {definition.meaning}\n\n")[2].partition("\n\n")[0]
        assert [line.split()[0].rstrip("*") for line in part.splitlines()] == [one.name for one in definition.columns]


def test_control_records_are_left_out_unless_asked_for():
    assert not any(column(kafkalog.table(LEDGER), "is_control"))
    assert sum(column(kafkalog.table(LEDGER, control=True), "is_control")) > 0


def test_what_the_table_calls_aborted_and_open_is_what_the_library_does():
    partition = kafkalog.open_partition(LEDGER)
    rows = list(partition.table(columns="offset,transaction,is_transactional"))
    expected = {record.offset: record.is_aborted for record in partition.records()}
    assert {row.transaction for row in rows} >= {"committed", "aborted"}
    for row in rows:
        assert row.transaction == (
            None if not row.is_transactional else {True: "aborted", False: "committed", None: "open"}[expected[row.offset]]
        )
    committed = [record.offset for record in partition.records(isolation="read_committed")]
    assert column(partition.table(columns="offset", isolation="read_committed"), "offset") == committed


@pytest.mark.parametrize("offsets", [None, (20, None)])
def test_read_committed_ends_where_the_oldest_open_transaction_begins(log_dir_of, offsets):
    parts = [
        batch([R()], base_offset=0, attributes=0x10, producer_id=1, producer_epoch=0, base_sequence=0),
        *(batch([R()], base_offset=n) for n in range(1, 30)),
    ]
    path = log_dir_of(b"".join(parts))
    assert column(kafkalog.table(path, isolation="read_committed", offsets=offsets), "offset") == []
    path = log_dir_of(b"".join(parts) + marker(commit=True, offset=30, producer_id=1, producer_epoch=0))
    assert column(kafkalog.table(path, isolation="read_committed"), "offset") == list(range(30))


def test_offsets_and_times_select_records():
    times = {row.offset: row.timestamp_ms for row in kafkalog.table(PLAIN)}
    assert column(kafkalog.table(PLAIN, offsets=(10, 40)), "offset") == [n for n in times if 10 <= n < 40]
    assert column(kafkalog.table(PLAIN, offsets=(None, 3)), "offset") == [0, 1, 2]
    middle = sorted(times.values())[len(times) // 2]
    assert column(kafkalog.table(PLAIN, since=middle), "offset") == [n for n, time in times.items() if time >= middle]
    assert column(kafkalog.table(PLAIN, until=middle), "offset") == [n for n, time in times.items() if time < middle]


def test_a_record_that_cannot_be_trusted_is_there_and_says_why(log_dir_of):
    odd = [R(headers=((b"\xff", b"v"), (b"k", None))), R(offset_delta=1, timestamp_delta=1 << 60), R(offset_delta=2)]
    path = log_dir_of(
        batch(odd, base_timestamp=5) + batch([R(key=b"", value=None)], base_offset=3, crc=1) + message(4, None, b"v", crc=3)
    )
    rows = list(kafkalog.table(path))
    assert [row.problem for row in rows] == ["header-key-utf8", "timestamp-range", None, "crc", "crc"]
    assert rows[0].headers == [("\\xff", b"v"), ("k", None)]
    assert (rows[1].timestamp, rows[1].timestamp_ms) == (None, (1 << 60) + 5)
    assert (rows[3].key, rows[3].value) == (b"", None)


def test_damage_has_no_rows_is_told_and_is_a_table_of_its_own(tmp_path):
    copy = shutil.copytree(PLAIN, tmp_path / "twitter-status-0")
    log = copy / f"{0:020}.log"
    data = log.read_bytes()
    log.write_bytes(data[:1000] + data[1001:])
    (copy / f"{0:020}.index").write_bytes(b"\1" * 11)
    told = []
    rows = list(kafkalog.table(copy).reporting(lambda path, damage: told.append((path, damage.span))))
    assert len(rows) == len(list(kafkalog.table(PLAIN))) - 3
    assert told == [(str(log), (492, 1275, None))]
    found = list(kafkalog.table(copy, "damage"))
    assert [(row.path, row.start, row.end) for row in found] == [
        (str(log), 492, 1275),
        (str(log.with_suffix(".index")), 8, 11),
    ]
    assert found[0].reason.startswith("batchLength: CRC wrong")


def test_batches_and_segments_are_the_library_s():
    partition = kafkalog.open_partition(LEDGER)
    rows = list(partition.table("batches"))
    assert [(row.base_offset, row.size, row.records_count, row.is_control) for row in rows] == [
        (one.base_offset, one.size, one.header.records_count, one.is_control) for one in partition.batches()
    ]
    segments = list(partition.table("segments"))
    assert [(row.base_offset, row.size) for row in segments] == [(one.base_offset, one.size) for one in partition.segments]
    assert sum(row.batches for row in segments) == len(rows)
    assert sum(row.records for row in segments) == sum(row.records_count for row in rows)


def test_segments_count_messages_in_wrappers_and_bytes_that_are_none(log_dir_of):
    sound, wrong = message(0, None, b"a"), message(1, None, b"b", crc=5)
    path = log_dir_of(sound + wrong + message(2, None, b"c") + b"\7" * 30 + message(3, None, b"d") + bytes(50))
    (row,) = kafkalog.table(path, "segments")
    assert (row.batches, row.records, row.damaged_bytes, row.padding_bytes, row.wrong_crcs) == (4, 4, 30, 50, 1)


def test_entries_of_the_side_files_are_the_library_s():
    partition = kafkalog.open_partition(LEDGER)
    segments = partition.segments

    def entries(name):
        return [entry for one in segments if getattr(one, name) is not None for entry in getattr(one, name).entries]

    for table, name in (("index_entries", "offset_index"), ("time_index_entries", "time_index")):
        rows = list(partition.table(table))
        assert [row.relative_offset for row in rows] == [entry.relative_offset for entry in entries(name)]
        assert [row.offset - row.base_offset for row in rows] == [row.relative_offset for row in rows]
    rows = list(
        partition.table("aborted_transactions", columns="version,producer_id,first_offset,last_offset,last_stable_offset")
    )
    assert rows == entries("transaction_index")
    assert rows
    assert column(partition.table("epochs"), "start_offset") == [
        entry.start_offset for entry in partition.leader_epochs.entries
    ]
    assert set(column(partition.table("producers"), "snapshot_offset")) == set(partition.snapshots)


def test_transactions_and_findings_are_those_of_their_commands():
    log_dir = fixture("2.1.1", "txn").path()
    found = kafkalog.read_transactions(log_dir)
    rows = list(kafkalog.table(log_dir, "transactions"))
    assert [row.first_offset for row in rows if row.state == "aborted"] == [one.first_offset for one in found.aborted]
    assert [row.verdict for row in rows if row.state == "open"] == [one.verdict for one in found.open]
    report = kafkalog.verify(log_dir)
    assert [(row.rule, row.path) for row in kafkalog.table(log_dir, "findings")] == [
        (one.id, one.path) for one in report.all_findings()
    ]


def test_columns_are_chosen_by_name_and_spelled_as_kafka_does():
    names = kafkalog.table(PLAIN, columns="all").names
    assert kafkalog.table(PLAIN, columns=["value", "offset"]).names == ("value", "offset")
    assert kafkalog.table(PLAIN, columns="+sequence,-key").names == (*kafkalog.table(PLAIN).names[1:], "sequence")
    spark = ("key", "value", "topic", "partition", "offset", "timestamp", "timestampType", "headers")
    assert kafkalog.table(PLAIN, names="kafka").names[:8] == spark
    assert kafkalog.table(PLAIN, columns="all", names="kafka").names == tuple(map(kafka_name, names))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_what_it_is_and_has_the_columns_it_declares(name):
    definition = TABLES[name]
    table = kafkalog.table(fixture("2.1.1", "txn").path(), name, columns="all")
    assert table.names == tuple(column.name for column in definition.columns)
    assert len(set(table.names)) == len(table.names)
    assert all(column.meaning.endswith(".") for column in definition.columns)
    assert repr(table).startswith(f"Table({name}: ")
    for row in table.head(3):
        assert len(row) == len(table.names)


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((PLAIN, "record"), {}, "there is no table 'record'; there are records, batches"),
        ((PLAIN,), {"columns": "ofset"}, "has no column 'ofset'; it has key, value"),
        ((PLAIN,), {"columns": "key,-key"}, "no column is left"),
        ((PLAIN, "batches"), {"since": 5}, "the table batches has none"),
        ((PLAIN,), {"isolation": "committed"}, "no isolation level"),
        ((PLAIN,), {"names": "camel"}, "names is 'snake' or 'kafka'"),
        ((PLAIN,), {"since": "now"}, "since is int or None, not str"),
        ((PLAIN,), {"offsets": 5}, "offsets is tuple or list or None, not int"),
        ((PLAIN,), {"offsets": (5,)}, "offsets is (FIRST, END), of which either may be None, not (5,)"),
        ((PLAIN,), {"offsets": ("a", None)}, "an offset is int or None, not str"),
        ((PLAIN,), {"control": "yes"}, "control is bool, not str"),
        ((PLAIN,), {"columns": 5}, "columns is a text, or several, not int"),
        ((PLAIN,), {"columns": [5]}, "a column is str, not int"),
        ((PLAIN, None), {}, "name is str, not None"),
        ((5,), {}, "not int"),
        (([5],), {}, "not of a int"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_read(arguments, options, says):
    with pytest.raises(RequestError, match=re.escape(says)):
        kafkalog.table(*arguments, **options)


def test_what_is_no_log_is_refused_when_it_is_read(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    for path in (tmp_path / "x.txt", tmp_path / "none", f"{PLAIN}/leader-epoch-checkpoint"):
        with pytest.raises(UnreadableFile):
            kafkalog.table(path).head(1)


def test_a_file_given_by_itself_is_one_segment_of_its_directory_s_partition():
    rows = list(kafkalog.table(f"{PLAIN}/{0:020}.log"))
    assert rows == [row for row in kafkalog.table(PLAIN) if row.offset < len(rows)]
    assert len(list(kafkalog.table(f"{PLAIN}/{0:020}.index", "index_entries"))) > 0
