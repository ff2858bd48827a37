"""The page of a report: what stands on it, and what never may."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from kafkalog.plot.columns import Columns
from kafkalog.plot.overview import Overview, SegmentBar, Stretch
from kafkalog.plot.times import TimeColumns
from kafkalog.render.items import Line
from kafkalog.render.report.scales import spread, ticks, time_ticks
from kafkalog.render.report.svg import Band, Mark, Picture, picture
from kafkalog.render.verify_headline import headline_of_page
from kafkalog.span import Span
from kafkalog.verify import Finding, PartitionReport, Report, Severity
from tests.encode import R, batch, marker, record
from tests.log_dirs import FIXTURES

NOW = 1795500000000
VOID = {"meta", "input", "br", "circle", "path"}
#: The bytes of a secret, which no other bytes of a log are.
SECRET = b"PaSsW0rd-\xe2\x82\xac-PaSsW0rd"


class Reader(HTMLParser):
    """A page as a browser takes it apart: elements with their attributes, and all text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.inside = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        self.texts.append((self.inside[-1] if self.inside else "", data))

    def all(self, tag, **attributes):
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    def of_class(self, tag, name):
        return [found for found in self.all(tag) if name in (found.get("class") or "").split()]

    def text(self, *but):
        return " ".join("".join(data for tag, data in self.texts if tag not in (*but, "style", "script")).split())


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A log dir with a wrong bit, and a segment less."""
    log_dir = tmp_path_factory.mktemp("page") / "plain"
    shutil.copytree(FIXTURES / "broker/2.1.1/plain", log_dir)
    log = log_dir / "twitter-status-0/00000000000000000147.log"
    data = bytearray(log.read_bytes())
    data[8116] ^= 1
    log.write_bytes(data)
    (log_dir / "twitter-status-0/00000000000000000400.log").unlink()
    return log_dir


@pytest.fixture(scope="module")
def report(damaged):
    return kafkalog.verify(damaged, now=NOW)


@pytest.fixture(scope="module")
def page(report):
    return report.to_html()


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def one_log(path, *batches):
    path.mkdir(parents=True)
    (path / "00000000000000000000.log").write_bytes(b"".join(batches))
    return path


def test_the_page_says_what_the_screen_says_in_its_headline(report, read):
    said = [item for item in headline_of_page(report) if isinstance(item, Line)]
    assert len(said) > 5
    for line in said:
        for piece in line.text.split("`"):
            assert " ".join(piece.split()) in read.text()


def test_every_finding_stands_on_the_page_once_the_worst_first(report, read):
    found = read.of_class("details", "f")
    assert [one["id"] for one in found] == [f"f{number}" for number in range(1, 1 + sum(report.counts.values()))]
    severities = [one["data-s"] for one in found]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    for finding in report.all_findings():
        assert " ".join(finding.message.split()) in read.text()


def test_what_follows_from_a_finding_stands_right_after_it(damaged):
    text = kafkalog.verify(damaged, now=NOW).to_html()
    followers = re.findall(r'<dt>Follows from</dt><dd><a href="#(f\d+)">', text)
    for anchor in followers:
        assert f'id="{anchor}"' in text


def test_every_link_leads_to_a_place_on_the_page(read):
    ids = {found["id"] for _, found in read.elements if found.get("id")}
    links = [found["href"] for found in read.all("a")]
    assert len(links) > 10
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_a_damaged_byte_is_shown_with_its_field_and_the_reason(page):
    assert re.search(r'<b class="wrong">00001f12  45 b9 86 7e +crc +0x45b9867e</b>', page)
    assert "flipping bit 0 of the byte at 8116" in page


def test_the_worst_partition_is_drawn_with_what_is_gone_and_circles_that_lead_to_findings(read):
    assert len(read.all("svg")) == 1
    assert len(read.of_class("path", "gone")) >= 1
    marks = [found for found in read.all("a") if found.get("aria-label", "").startswith("error: ")]
    assert {found["href"] for found in marks} == {"#f1", "#f2"}
    assert "offsets 400..475 gone" in read.text()


def test_what_is_wrong_with_most_partitions_is_told_by_a_table_and_the_rest_below_it(tmp_path):
    for number in range(5):
        # The last one is the worst.
        log = bytearray(batch([R(at, value=b"x" * 20) for at in range(number + 1)]))
        log[70] ^= 1
        one_log(tmp_path / "data" / f"orders-{number}", bytes(log))
    made = kafkalog.verify(tmp_path / "data", now=NOW).to_html()
    table, more = re.search(r"(<table>.*?</table>)</div>\n<p class=\"dim more\">(.*?):", made, re.DOTALL).groups()
    assert table.count("data-loss") == 2 * 3
    assert more == "… and 2 more"
    assert ">\n<dd></dd>" not in made
    first = re.search(r"<td>(orders-\d)</td>", table)[1]
    assert re.search(r'<figcaption><b class="v data-loss">data-loss</b> <code>(.*?)</code>', made)[1] == first
    files = re.findall(r'<span class="file">(.*?) @', made)
    assert first == "orders-4"
    assert set(files) == {f"orders-{number}/00000000000000000000.log" for number in range(5)}


def test_a_page_is_called_by_what_was_examined_in_few_words():
    one = with_findings(2).partitions[0]
    parts = [PartitionReport(**{**_fields(one), "path": f"/data/kafka/topic-{at}"}) for at in range(30)]
    for number, title in ((1, "topic-0"), (4, "topic-0, topic-1, topic-2, topic-3"), (30, "/data/kafka")):
        page = Report(now=NOW, partitions=tuple(parts[:number])).to_html()
        assert f'<p class="title">{title}</p>' in page
    scattered = tuple(PartitionReport(**{**_fields(one), "path": f"/data/{at}/topic-{at}"}) for at in range(30))
    assert '<p class="title">30 partitions</p>' in Report(now=NOW, partitions=scattered).to_html()


def test_ranges_that_have_no_text_of_their_own_are_counted(tmp_path):
    batches = [
        bytearray(batch([R(value=b"x" * 30)], base_offset=at, base_timestamp=1_700_000_000_000 + at)) for at in range(20)
    ]
    for one in batches[1::2]:
        one[-3] ^= 1
    text = Reader(kafkalog.verify(one_log(tmp_path / "orders-0", *batches), now=NOW).to_html()).text()
    assert "offset 1 unreadable" in text
    assert "and 6 more ranges unreadable" in text


def test_replicas_among_the_partitions_are_compared(read):
    broker = FIXTURES / "broker/2.3.1"
    one, other = (kafkalog.verify(broker / name, now=NOW) for name in ("diverge-before-b0", "diverge-before-b1"))
    made = Reader(one.merge(other).to_html())
    assert "1 pair of replicas: 0 equal, 1 where one goes on, 0 that diverge" in made.text()
    pair = kafkalog.diff(broker / "diverge-before-b0", broker / "diverge-before-b1").pairs[0]
    assert f"A loses {pair.if_a_follows_b.records_lost} records" in made.text()
    assert made.all("a", href="#replicas")
    assert not read.all("a", href="#replicas")


def test_replicas_that_diverge_are_told_in_full(tmp_path):
    for side, word in (("a", b"x"), ("b", b"y")):
        folder = one_log(tmp_path / side / "orders-0", batch([R(value=b"0")]), batch([R(value=word)], base_offset=1))
        (folder / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
    one, other = (kafkalog.verify(tmp_path / side / "orders-0", now=NOW) for side in "ab")
    made = Reader(one.merge(other).to_html())
    assert "1 pair of replicas: 0 equal, 0 where one goes on, 1 that diverge" in made.text()
    assert "A and B diverge from offset 1 on" in made.text()
    assert "They are the same up to offset 0; at offset 1 they part" in made.text()
    assert f"kafkalog diff {tmp_path}/a/orders-0 {tmp_path}/b/orders-0" in made.text()
    assert len(made.of_class("details", "warn")) == 1
    assert "pair of replicas" not in one.merge(other).to_html(reads=False)


def test_the_page_allows_nothing_but_its_own_style_and_script(page, read):
    (policy,) = (found["content"] for found in read.all("meta") if found.get("http-equiv"))
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    for text in (style, script):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    for tag, found in read.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not [name for name in found if name.startswith("on") or name in ("style", "src", "srcset", "xlink:href")]
    assert not re.search(r"url\(|https?:|@import", page)


def test_markup_is_made_in_one_module():
    folder = FIXTURES.parent / "kafkalog"
    using = [path.name for path in sorted(folder.rglob("*.py")) if "Markup(" in path.read_text(encoding="utf-8")]
    assert using == ["svg.py"]
    assert "|safe" not in (folder / "render/report/page.html.j2").read_text(encoding="utf-8")


def test_the_same_directory_and_clock_give_the_same_page(damaged, page):
    assert kafkalog.verify(damaged, now=NOW, jobs=2).to_html() == page


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\u202e"


def test_names_keys_and_values_stay_text_whatever_they_are(tmp_path):
    text = HOSTILE.encode()
    # A file's name ends at a slash.
    name = HOSTILE.replace("/", "") + "-0"
    records = [R(value=text, key=text, headers=[(text, text)]), R(value=text)]
    log = bytearray(batch(records))
    log[17] ^= 1
    one_log(tmp_path / name, bytes(log), batch([R(value=text)], base_offset=7))
    made = Reader(kafkalog.verify(tmp_path / name, now=NOW).to_html(payload="text", title=HOSTILE))
    assert not made.all("img")
    assert len(made.all("script")) == 1
    assert len(made.of_class("details", "f")) > 0
    title = next(data for tag, data in made.texts if tag == "title")
    assert title == f"data-loss: {HOSTILE[:-1]}\\u202e"
    assert "\u202e" not in made.text()
    assert "onerror=alert(2)>" in made.text()


def test_no_byte_of_a_record_stands_on_the_page_whatever_is_damaged(tmp_path):
    dice = random.Random(13)
    records = [R(value=SECRET, key=SECRET[:9], headers=[(SECRET[:8], SECRET)]) for _ in range(4)]
    whole = b"".join(batch(records, base_offset=4 * number) for number in range(5))
    with_bytes = 0
    for number in range(20):
        log = bytearray(whole)
        for _ in range(dice.choice((1, 1, 3, 40))):
            log[dice.randrange(len(log))] = dice.randrange(256)
        if number % 5 == 0:
            del log[dice.randrange(len(log)) :]
        if number % 6 == 0:
            del log[: dice.randrange(1, 300)]
        path = one_log(tmp_path / str(number) / "orders-0", bytes(log))
        text = kafkalog.verify(path, now=NOW).to_html()
        with_bytes += '<pre class="hex"' in text
        for at in range(len(SECRET) - 3):
            part = SECRET[at : at + 4]
            assert part.hex(" ") not in text, number
            assert part.decode("utf-8", "ignore") not in text or not part.isascii(), number
    assert with_bytes > 12


@pytest.mark.parametrize("form", ["length", "sha256", "hex", "text"])
def test_bytes_of_records_are_shown_as_they_are_asked_for(tmp_path, form):
    # The value is said to be longer than its record.
    section = bytearray(record(R(value=SECRET)) + record(R(value=SECRET, offset_delta=1)))
    section[section.index(SECRET) - 1] += 2
    log = batch(bytes(section), count=2, last_offset_delta=1)
    text = kafkalog.verify(one_log(tmp_path / "orders-0", log), now=NOW).to_html(payload=form)
    assert (SECRET[:4].hex(" ") in text) is (form in ("hex", "text"))
    assert ("PaSsW0rd" in text) is (form == "text")
    assert ("sha256 " in text) is (form == "sha256")


def test_a_payload_form_that_there_is_not_is_refused(report):
    with pytest.raises(kafkalog.RequestError, match=r"no payload 'texts'.*Did you mean"):
        report.to_html(payload="texts")


def many_findings(number):
    return tuple(
        Finding(
            id=("batch-crc-mismatch", "record-gap", "timestamp-future")[at % 3],
            severity=(Severity.ERROR, Severity.WARNING, Severity.INFO)[at % 3],
            path=f"/data/orders-0/{at:020}.log",
            span=Span(61, 161),
            offsets=(at, at + 2),
            message=f"stored checksum 0x{at:08x}, computed 0x{at + 1:08x}; flipping bit 0 of byte {at} makes it match",
            facts={},
            consequence="Consumers that check CRCs fail at this offset, and followers stop there. " * 3,
            remedy="If another replica is in sync and verifies clean: stop this broker. " * 3,
        )
        for at in range(number)
    )


def with_findings(number):
    partition = PartitionReport(
        path="/data/orders-0", topic="orders", partition=0, findings=many_findings(number), valid_through_offset=0,
        valid_file="", valid_position=0, log_start_offset=0, log_end_offset=number, segments=number, batches=number,
        records=number, bytes=1 << 30,
    )  # fmt: skip
    return Report(now=NOW, partitions=(partition,))


def large_overview(segments, points):
    sizes, times, moments = Columns(), Columns(), TimeColumns()
    start, stretches, bars = 1_700_000_000_000, [], []
    for at in range(points):
        time = start + at * 7919 % 86_400_000 * 30
        sizes.add(at, at, 100)
        times.add(at, at, time)
        moments.add(time, 10, 1000)
    each = points // segments
    for at in range(segments):
        ends = (at * each, (at + 1) * each - 1, start + at * 60_000, start + at * 60_000 + 59_000)
        stretches.append(Stretch(at * each, at // 500, *ends, 0, 1000, each, each))
        bars.append(SegmentBar("x.log", at * each, *ends, 1000, 0, each, each, 10, at * each, 900))
    return Overview(
        segments=tuple(bars), stretches=tuple(stretches), gaps=(), gaps_count=0, missing_offsets=0, damages=(), damaged_bytes=0,
        damages_count=0, transactions=(), transactions_count={}, sizes=sizes.columns(), times=times.columns(),
        throughput=moments.moments(), time_range=moments.range(), odd_times=(), odd_times_count=0, without_time=0,
        out_of_order=0, now=NOW,
    )  # fmt: skip


def test_a_hundred_findings_and_a_log_of_5_000_segments_and_50_000_batches_take_less_than_400_kilobytes():
    shown = Picture(
        number=1,
        name="orders-0",
        overview=large_overview(5000, 50_000),
        bands=tuple(Band("gone", at * 400, at * 400 + 40, "") for at in range(100)),
        marks=tuple(Mark(f"f{at}", "error", "error: batch-crc-mismatch", at * 480) for at in range(60)),
    )
    drawn = picture(shown)
    assert drawn.count("<circle") == 60
    # Findings on files that are there have up to 2,000 letters of bytes each.
    assert len(drawn) + len(with_findings(100).to_html()) + 100 * 1500 < 400_000


def test_the_same_advice_stands_on_the_page_twenty_times_and_is_linked_from_then_on():
    made = with_findings(100).to_html()
    remedy = "<dt>What to do</dt><dd>If another replica is in sync"
    assert made.count(remedy) == 20
    assert made.count('<dd>the same as for <a href="#f1">') == 80
    assert 'id="f21"' in made


def test_of_ten_thousand_findings_some_of_each_rule_are_shown_and_all_are_counted():
    made = Reader(with_findings(10_000).to_html())
    shown = made.of_class("details", "f")
    assert len(shown) == 60
    text = made.text()
    assert "error 3,334" in text
    assert text.count("3,314 more") == 1
    assert text.count("3,313 more") == 2


def test_a_page_of_3_000_damaged_partitions_with_hashes_stays_below_five_megabytes():
    one = with_findings(2).partitions[0]
    many = tuple(
        kafkalog.PartitionReport(**{**_fields(one), "path": f"/data/a-rather-long-topic-name-{at}-0"}) for at in range(10_000)
    )
    hashes = tuple((f"{part.path}/00000000000000000000.log", "a" * 64) for part in many)
    assert len(Report(now=NOW, partitions=many, hashes=hashes).to_html()) < 5_000_000


def _fields(partition):
    return {name: getattr(partition, name) for name in partition.__dataclass_fields__}


# --- the command ---


class Done(NamedTuple):
    exit_code: int
    output: str


def run(*words):
    done = CliRunner().invoke(main, ["report", *map(str, words), "--now", f"@{NOW}"], standalone_mode=False)
    if isinstance(done.exception, kafkalog.RequestError | click.UsageError):
        return Done(2, f"kafkalog: {done.exception}\n")
    assert done.exception is None
    return Done(done.return_value, done.output)


def test_the_command_writes_the_page_and_exits_as_verify_does(damaged, tmp_path):
    done = run(damaged, "-o", tmp_path / "a.html")
    assert done.exit_code == 1
    assert done.output.startswith("data-loss  twitter-status-0: 1 of ")
    again = run(damaged, "--out", tmp_path / "b.html", "--force")
    assert again.exit_code == 1
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert (tmp_path / "b.html").read_text(encoding="utf-8") == text
    assert f"kafkalog report {damaged} --now @{NOW}" in text


def test_a_page_that_is_there_is_replaced_only_with_force(damaged, tmp_path):
    place = tmp_path / "a.html"
    place.write_text("mine")
    assert run(damaged, "-o", place).exit_code == 2
    assert place.read_text() == "mine"
    assert run(damaged, "-o", place, "--force").exit_code == 1
    assert place.read_text() != "mine"


def test_a_page_is_not_written_among_what_is_examined(damaged):
    done = run(damaged, "-o", damaged / "a.html")
    assert done.exit_code == 2
    assert "is examined and must not be changed" in done.output


def test_of_a_path_that_is_missing_there_is_no_page(tmp_path):
    done = run(tmp_path / "none", "-o", tmp_path / "a.html")
    assert done.exit_code == 3
    assert not (tmp_path / "a.html").exists()


def test_the_lines_of_an_earlier_run_make_the_same_page_but_for_bytes_and_times(report, read, tmp_path):
    lines = tmp_path / "verify.jsonl"
    lines.write_text(report.to_jsonl())
    done = run("--from", lines, "-o", tmp_path / "a.html")
    assert done.exit_code == 1
    made = Reader((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert not made.of_class("pre", "hex")
    assert "the files were not read again" in made.text()
    # What the lines tell of offsets is drawn.
    assert len(made.all("svg")) == 1
    assert "offsets 400..475 gone" in made.text()
    assert "Only its offsets are drawn" in made.text()
    circles = {found["href"] for found in read.all("a") if found.get("aria-label", "").startswith("error: ")}
    assert {found["href"] for found in made.all("a") if found.get("aria-label", "").startswith("error: ")} == circles
    assert not made.of_class("details", "events")
    for of in (made, read):
        assert len(of.of_class("details", "f")) == sum(report.counts.values())
    told = {line.word: line.text for line in headline_of_page(report) if isinstance(line, Line) and line.word != "next start"}
    for text in told.values():
        assert " ".join(text.split("`")[0].split()) in made.text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html>", "line 1 is no line of"),
        ('{"schema": "kafkalog.info/1", "type": "partition"}', "line 1 is of the schema 'kafkalog.info/1'"),
        ('{"schema": "kafkalog.verify/1", "type": "finding"}', "line 1 is no line of"),
        ("", "end without a summary"),
    ],
)
def test_a_file_that_is_no_earlier_run_is_one_line(tmp_path, text, why):
    (tmp_path / "x").write_text(text)
    done = run("--from", tmp_path / "x", "-o", tmp_path / "a.html")
    assert done.exit_code == 2
    assert why in done.output
    assert len(done.output.splitlines()) == 1


def test_paths_and_an_earlier_run_exclude_each_other(damaged, tmp_path):
    assert run("-o", tmp_path / "a.html").exit_code == 2
    assert run(damaged, "--from", "x", "-o", tmp_path / "a.html").exit_code == 2


def test_the_lines_of_verify_can_be_taken_out_of_the_page(damaged, report, tmp_path):
    run(damaged, "-o", tmp_path / "a.html", "--embed-jsonl")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="kafkalog-verify">(.*?)</script>', text, re.DOTALL)
    rows = [json.loads(line) for line in data.strip().splitlines()]
    assert rows == [json.loads(line) for line in report.to_jsonl().splitlines()]


def test_hashes_stand_on_the_page_when_they_are_asked_for(damaged, tmp_path):
    run(damaged, "-o", tmp_path / "a.html", "--hash")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    log = damaged / "twitter-status-0/00000000000000000000.log"
    assert hashlib.sha256(log.read_bytes()).hexdigest() in text


def test_without_jinja2_one_line_says_what_to_install(damaged, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = run(damaged, "-o", tmp_path / "a.html")
    assert done.exit_code == 2
    assert done.output == "kafkalog: a report as HTML needs what is not installed: pip install 'kafkalog[report]'\n"
    assert os.listdir(tmp_path) == []


# --- the picture ---


def test_ticks_are_round_numbers_within_the_axis():
    assert ticks(0, 533, 6) == [0, 100, 200, 300, 400, 500]
    assert ticks(7, 9, 6) == [7, 8, 9]
    assert ticks(10**18, 10**18 + 3, 6) == [10**18, 10**18 + 1, 10**18 + 2, 10**18 + 3]


def test_ticks_of_times_are_round_in_utc():
    hour = 1_700_002_800_000
    assert [text for _, text in time_ticks(hour, hour + 7_200_000, 4)] == ["23:00", "23:30", "00:00", "00:30", "01:00"]
    assert [text for _, text in time_ticks(hour, hour + 20, 4)][:2] == ["23:00:00.000", "23:00:00.005"]
    assert time_ticks(hour, hour + 86_400_000 * 40, 5)[0][1].count("-") == 2


def test_labels_are_moved_apart_and_stay_in_the_picture():
    assert spread([10, 11, 12], 10, 100) == [10, 20, 30]
    assert spread([98, 99, 100], 10, 100) == [80, 90, 100]


def test_the_colours_of_many_epochs_leave_room_for_the_times():
    text = picture(Picture(number=1, name="orders-0", overview=large_overview(5000, 50_000)))
    keys = [float(x) for x in re.findall(r'<path class="key e\d" d="M([\d.]+) ', text)]
    assert len(keys) == 8
    many = large_overview(5000, 50_000)
    many = replace(many, stretches=tuple(one._replace(epoch=at) for at, one in enumerate(many.stretches)))
    keys = [float(x) for x in re.findall(r'<path class="key e\d" d="M([\d.]+) ', picture(Picture(1, "x", many)))]
    assert 4 <= len(keys) < 8
    assert max(keys) < 430


def test_one_wrong_clock_does_not_squeeze_all_other_times_into_a_line(tmp_path):
    hour = 1_700_002_800_000
    batches = [batch([R(value=b"x")], base_offset=at, base_timestamp=hour + at * 60_000) for at in range(300)]
    batches[150] = batch([R(value=b"x")], base_offset=150, base_timestamp=1_300_000_000_000)
    text = kafkalog.verify(one_log(tmp_path / "orders-0", *batches), now=NOW).to_html()
    assert re.search(r'<path class="arrow" d="M77', text)
    assert ">00:00<" in text or "11-15 00:00" in text


def test_a_single_batch_is_drawn_from_its_first_time_to_its_last(tmp_path):
    hour = 1_700_002_800_000
    records = [R(at, value=b"x", timestamp_delta=at * 1000) for at in range(60)]
    text = kafkalog.verify(one_log(tmp_path / "orders-0", batch(records, base_timestamp=hour)), now=NOW).to_html()
    assert "2023-11-14 23:00:00 to 2023-11-14 23:00:59 UTC" in text
    assert 'class="arrow"' not in text


def test_batches_of_one_time_are_drawn_in_the_order_of_the_segments(tmp_path):
    batches = [batch([R(value=b"x")], base_offset=at, base_timestamp=1_700_002_800_000) for at in range(30)]
    text = kafkalog.verify(one_log(tmp_path / "orders-0", *batches), now=NOW).to_html()
    assert "All batches are of one time" in text
    assert "No batch has a timestamp" not in text


def test_a_log_of_which_no_batch_is_left_is_drawn_too(damaged, tmp_path):
    shutil.copytree(damaged, tmp_path / "plain")
    for log in (tmp_path / "plain/twitter-status-0").glob("*.log"):
        log.write_bytes(b"")
    made = Reader(kafkalog.verify(tmp_path / "plain/twitter-status-0", now=NOW).to_html())
    assert len(made.all("svg")) == 1
    assert made.of_class("path", "gone")
    assert "No batch is left of it." in made.text()


def test_a_log_without_timestamps_is_drawn_in_the_order_of_its_segments(tmp_path):
    batches = [batch([R(value=b"x")], base_offset=at, base_timestamp=-1, max_timestamp=-1) for at in range(30)]
    text = kafkalog.verify(one_log(tmp_path / "orders-0", *batches), now=NOW).to_html()
    assert "No batch has a timestamp that can be right" in text
    assert "records per second" not in text


def test_open_transactions_are_drawn(tmp_path):
    begun = {"base_sequence": 0, "producer_epoch": 0, "attributes": 0x10}
    open_one = batch([R(value=b"x")], base_offset=1, base_timestamp=NOW - 9000, producer_id=7, **begun)
    ended = batch([R(value=b"x")], base_offset=2, base_timestamp=NOW - 8000, producer_id=8, **begun)
    first = batch([R(value=b"x")], base_timestamp=NOW - 10_000)
    log = one_log(tmp_path / "orders-0", first, open_one, ended, marker(commit=True, offset=3, producer_id=8, producer_epoch=0))
    assert "open transaction 1" in kafkalog.verify(log, now=NOW).to_html()
