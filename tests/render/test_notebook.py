"""What a notebook shows of a value: small, without script, and whatever a log holds stays text in it."""

from __future__ import annotations

import os
import re
import uuid
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

import kafkalog
from kafkalog.render.html import LIMIT, html_of_items
from kafkalog.render.items import Line, Pieces, Table
from kafkalog.replay.committed_offsets import CommittedOffsets, Places
from kafkalog.replay.group_state import CommittedOffset, Group, Member
from kafkalog.replay.groups import Groups
from kafkalog.replay.image import Image, PartitionState, Topic
from kafkalog.replay.logs import FoundLogs
from kafkalog.replay.transactions import AbortedTransaction, Transactions
from kafkalog.verify.finding import Finding, Severity
from tests.encode import R, batch, message

HOSTILE = '\u202egpj<script>alert(1)</script><img src=x onerror="alert(2)">\'"&amp; '
HOSTILE += "\x1b[31m\x00\u200b</div><style>*{color:red}</style>"
ALLOWED = {"div", "style", "p", "span", "b", "i", "table", "tr", "th", "td"}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


class Reader(HTMLParser):
    """What a browser would see in a piece."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.styles, self.open = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.styles if self.open[-1] == "style" else self.text).append(data)


def read(html):
    """A piece as it is seen, after what must hold of each."""
    seen = Reader(html)
    assert len(html.encode()) <= LIMIT <= 8192
    assert set(seen.tags) <= ALLOWED, set(seen.tags) - ALLOWED
    assert seen.tags.count("style") == seen.tags.count("div") == 1
    assert {name for name, _ in seen.attributes} <= {"class", "style"}
    assert all(re.fullmatch(r"margin-left:[\d.]+em", value) for name, value in seen.attributes if name == "style")
    for rule in seen.styles[0].split("}")[:-1]:
        assert all(part.strip().startswith(".kafkalog-view") for part in rule.partition("{")[0].split(",")), rule
    assert "url(" not in seen.styles[0]
    assert "@" not in seen.styles[0]
    text = "".join(seen.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert not seen.open
    return text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A log dir whose names and records say whatever they like."""
    folder = tmp_path_factory.mktemp("logs") / "a<b>\u202e&\udcff"
    name = os.fsencode(str(folder)) + b"/<b onload=x>\xe2\x80\xae-0"
    os.makedirs(name)
    text = HOSTILE.encode()
    records = [R(n, text * 3, text * 300 if n else None, headers=((text, text), (b"\xff", None))) for n in range(20)]
    with open(name + b"/%020d.log" % 0, "wb") as log:
        log.write(batch(records) + message(20, text, text, magic=1, timestamp=1 << 62) + b"\x00\x07<script>" * 9)
    for n in range(30):
        with open(name + b"/%020d.timeindex" % (1000 + n), "wb") as index:
            index.write(text)
    return os.fsdecode(name)


def group_of(group):
    member = Member(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, None, {HOSTILE: HOSTILE})
    return Group(group, members={f"{n}": member for n in range(40)}, protocol=HOSTILE)


def hostile_values(path):
    partition = kafkalog.open_partition(path)
    commit = CommittedOffset(HOSTILE, HOSTILE, 0, 9, -1, HOSTILE, -1, -1, None, HOSTILE, 0)
    group = group_of(HOSTILE)
    commits = {(HOSTILE, HOSTILE, n): commit._replace(partition=n) for n in range(50)}
    committed = CommittedOffsets(commits, {HOSTILE: [*commits]}, {HOSTILE: group}, Places(FoundLogs((), (), ()), set(), []))
    aborted = AbortedTransaction(HOSTILE, HOSTILE, 0, 1, 0, None, 5, -1, -1, HOSTILE)
    finding = Finding("a-rule", Severity.ERROR, HOSTILE, None, None, HOSTILE * 50, {}, HOSTILE, HOSTILE)
    topic = uuid.UUID(int=5)
    return {
        "log dir": kafkalog.open_log_dir(os.path.dirname(path)),
        "partition": partition,
        "segment": partition.segments[0],
        "batch": next(partition.batches()),
        "old batch": list(partition.batches())[-1],
        "records": partition.table(columns="all"),
        "batches": partition.table("batches"),
        "damage": partition.table("damage"),
        "report": kafkalog.verify(path),
        "finding": finding,
        "groups": Groups({HOSTILE: group}, committed, [(1, commit)], [], [], (), 1),
        "transactions": Transactions({}, [], [aborted] * 30, 30, 0, [], (), 1),
        "image": Image(
            topics={topic: Topic(HOSTILE, topic, {n: PartitionState(n, 1, 0, 0, (1,), (1,)) for n in range(99)})},
            configs={("topic", HOSTILE): {HOSTILE: HOSTILE * 20}},
            features={HOSTILE: 3},
            others={("quota", HOSTILE): {HOSTILE: HOSTILE}},
        ),
    }


@pytest.mark.filterwarnings("ignore")
def test_hostile_names_and_payloads_stay_text(hostile):
    for name, value in hostile_values(hostile).items():
        text = read(value._repr_html_())
        assert "<" in text, name
        assert "\\u202e" in text or name in ("batches", "damage", "segment", "old batch"), name
        assert "\n" not in repr(value)
        assert repr(value).isprintable(), name


@pytest.mark.filterwarnings("ignore")
def test_a_console_of_rich_gets_no_codes_from_hostile_names(hostile):
    values = hostile_values(hostile)
    for name in ("report", "finding"):
        stream = StringIO()
        Console(file=stream, width=80, force_terminal=True, color_system="standard").print(values[name])
        text = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
        assert "\\u202e" in text
        assert re.sub("[\n]", "", text).isprintable()


PLAIN = "fixtures/broker/2.1.1/plain/twitter-status-0"


def test_a_partition_shows_its_segments_and_their_files():
    text = read(kafkalog.open_partition(PLAIN)._repr_html_())
    assert text.startswith("twitter-status-0 8 segments, 110.5 KiB" + PLAIN + "base offset.log bytes.index bytes")
    assert "476117348010810" in text
    read(kafkalog.open_log_dir(os.path.dirname(PLAIN))._repr_html_())


def test_of_many_segments_the_first_and_the_last_are_shown(hostile):
    text = read(kafkalog.open_partition(hostile)._repr_html_())
    assert "… 21 more between the first 5 and the last 5" in text
    assert "1029" in text


def test_a_batch_shows_its_header_and_its_first_records():
    one = next(kafkalog.open_partition(PLAIN).batches())
    text = read(one._repr_html_())
    assert "lastOffsetDelta 1" in text
    assert "crc 0xb072b73a" in text
    assert "its checksum is right" in text
    assert '02019-02-12T19:33:20.223Z"user_011""{"id":1090000000002635049' in text
    data = bytes(one.data)
    damaged = type(one).read(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert "CRC WRONG: the bytes have 0x766b37a7" in read(damaged._repr_html_())
    assert "CRC WRONG" in repr(damaged)
    cut = type(one).read(batch([R(0), R(1)], count=7))
    assert "its records cannot be read further" in read(cut._repr_html_())


def test_null_empty_and_bytes_that_are_no_text_are_told_apart():
    one = kafkalog.RecordBatch.read(batch([R(0, None, b""), R(1, b"\xff\x00" * 40, "\u00e9".encode() * 40)]))
    text = read(one._repr_html_())
    assert 'null""' in text
    assert "ff 00 ff 00" in text
    assert "(80 bytes)" in text
    assert "\u00e9" * 24 + "…" in text


def test_a_table_shows_its_first_rows():
    table = kafkalog.table(PLAIN, columns="offset,timestamp,key,headers,topic")
    text = read(table._repr_html_())
    assert text.count("twitter-status") == 10
    assert '02019-02-12T19:33:20.223Z"user_011"' in text
    assert "no rows" in read(kafkalog.table(PLAIN, "damage")._repr_html_())


def test_a_table_of_large_logs_is_not_read_by_a_cell_alone(tmp_path, monkeypatch):
    folder = tmp_path / "t-0"
    folder.mkdir()
    with (folder / f"{0:020}.log").open("wb") as log:
        log.truncate((256 << 20) + 1)
    monkeypatch.setattr(kafkalog.Table, "head", None)
    text = read(kafkalog.table(folder, columns="key,offset")._repr_html_())
    assert text.startswith("table records 2 columns, 256.0 MiB of logs: .head() reads rows of it")
    assert text.endswith("columntypekeybinaryoffsetint64")


def test_a_report_shows_the_verdict_and_each_rule_once(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    data = bytearray(b"".join(batch([R()], base_offset=n) for n in range(9)))
    data[64] ^= 1
    (folder / f"{0:020}.log").write_bytes(data)
    report = kafkalog.verify(str(folder))
    text = read(report._repr_html_())
    assert text.startswith("data-loss")
    assert text.count("errorbatch-crc-mismatch") == 1
    assert f"t-0/{0:020}.log, bytes" in text
    (finding,) = [one for one in report.all_findings() if one.id == "batch-crc-mismatch"]
    assert "Consequence: " in read(finding._repr_html_())
    assert repr(finding).startswith("Finding(error batch-crc-mismatch, ")
    stream = StringIO()
    Console(file=stream, width=60).print(report)
    assert max(map(len, stream.getvalue().splitlines())) <= 100
    assert "data-loss" in stream.getvalue()
    clean = kafkalog.verify(PLAIN)
    assert read(clean._repr_html_()).startswith("benign")


def test_groups_transactions_and_metadata_show_what_the_commands_show():
    assert "alone again" in read(kafkalog.read_groups("fixtures/broker/2.8.2/groups")._repr_html_())
    assert "hanging-app" in read(kafkalog.read_transactions("fixtures/broker/2.1.1/txn")._repr_html_())
    image = kafkalog.read_metadata("fixtures/broker/4.3.1/meta-n1/__cluster_metadata-0").image
    assert "cleanup.policy" in read(image._repr_html_())


def test_what_cannot_be_read_is_said_in_the_cell(tmp_path):
    assert "no such file" in read(kafkalog.table(str(tmp_path / "gone-0"))._repr_html_())


def test_a_piece_has_room_for_so_much_and_says_what_is_missing():
    rows = [["x" * 500, n] for n in range(50)]
    text = read(html_of_items([Line(0, "title", "of it", style="title"), Table(("a", "b"), rows)]))
    assert "… and 40 more" in text
    assert "of it" in text
    text = read(html_of_items([*(Line(4, "", "<&>" * 400) for _ in range(40)), Line(0, "last", "")]))
    assert text.endswith("… and more, for which there is no room here.")
    assert read(html_of_items([Pieces((("a<", "error"), ("b", ""))), "", "plain"])) == "a<bplain"
    wide = Table(tuple(f"column {n}" for n in range(60)), [["&" * 300] * 60] * 10)
    assert "column 59" in read(html_of_items([wide]))
