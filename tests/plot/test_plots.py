"""`partition.plot`: columns that need nothing, charts that need altair, and never more marks than a screen has room for."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

import kafkalog
from kafkalog.errors import ExtraMissing
from kafkalog.plot.api import Plots
from kafkalog.plot.marks import MARKS
from kafkalog.plot.overview import DamagedBytes, Gap, TransactionBar, overview_of
from tests.encode import R, batch

PLAIN = "fixtures/broker/2.1.1/plain/twitter-status-0"
LEDGER = "fixtures/broker/2.1.1/txn/ledger-0"
NOW = 1_800_000_000_000
T = 1_700_000_000_000


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A partition with everything a plot may have to show, in a directory with a name that says what it likes."""
    folder = tmp_path_factory.mktemp("logs") / "<b>\u202e-0"
    folder.mkdir()
    data = b"".join(batch([R(0, value=b"v" * 50), R(1)], base_offset=2 * n, base_timestamp=T + n * 1000) for n in range(40))
    data += batch([R()], base_offset=500, base_timestamp=T + 99_000, attributes=0x10, producer_id=4, producer_epoch=0)
    data += b"\xff" * 200 + batch([R()], base_offset=600, base_timestamp=5, max_timestamp=5)
    (folder / f"{0:020}.log").write_bytes(data + batch([R()], base_offset=601, base_timestamp=T + 100_000, leader_epoch=3))
    return Plots(kafkalog.open_partition(folder), NOW)


def test_a_timeline_has_segments_gaps_damage_open_transactions_and_missing_indexes(odd):
    data = odd.timeline.data
    assert {len(column) for column in data.values()} == {7}
    assert data["kind"] == ["segment", "segment", "gap", "gap", "damage", "open transaction", "no index"]
    assert data["epoch"][:2] == [0, 3]
    assert (data["first_offset"][2:4], data["last_offset"][2:4]) == ([80, 501], [499, 599])
    assert "\\u202e" in odd.timeline.title
    assert odd.timeline.notes == (
        "1 batch has a timestamp that cannot be right, the first at offset 600: 1970-01-01 00:00:00 UTC",
    )


def test_throughput_counts_every_batch_with_a_time_that_can_be_right(odd):
    data = odd.throughput.data
    assert sum(data["batches"]) == 42
    assert sum(data["records"]) == 82
    assert data["records_per_second"] == [
        pytest.approx(records * 1000 / (end - time), abs=0.001)
        for records, time, end in zip(data["records"], data["time"], data["end"], strict=True)
    ]


def test_sizes_and_timestamps_are_told_along_the_log(odd):
    sizes = odd.batch_sizes.data
    assert (sizes["first_offset"][0], sizes["last_offset"][-1]) == (0, 601)
    times = odd.timestamps.data
    assert times["median"][0] == T
    assert times["kind"][-1] == "not right"
    assert times["largest"][-1] == 5
    assert "offset 600: 1970-01-01" in times["about"][-1]


def test_transactions_are_told_by_how_they_ended(odd):
    data = kafkalog.open_partition(LEDGER).plot.transactions.data
    assert {state: data["state"].count(state) for state in set(data["state"])} == {"committed": 32, "aborted": 16, "open": 1}
    assert odd.transactions.data["state"] == ["open"]
    assert Plots(kafkalog.open_partition(PLAIN), NOW).transactions.notes == ("there are no transactions",)


@pytest.mark.parametrize("name", MARKS)
def test_every_plot_is_a_chart_of_altair(name, odd):
    import altair as alt

    for plots in (odd, Plots(kafkalog.open_partition(PLAIN), NOW), Plots(kafkalog.open_partition(LEDGER), NOW)):
        chart = getattr(plots, name)(width=500, height=200)
        assert isinstance(chart, alt.TopLevelMixin)
        found = chart.to_dict()  # validates it
        assert "$schema" in found
        assert found["title"]["text"] == plots.timeline.title.replace("<", "\\x3c")
        assert tuple(found["title"]["subtitle"]) == getattr(plots, name).notes
        assert "http" not in json.dumps(found).replace(found["$schema"], "")
        # altair puts texts into a script as they are.
        assert "<b>" not in chart.to_html()
    assert repr(getattr(odd, name)).startswith(f"Plot({name} of ")
    assert repr(odd).isprintable()


def test_batches_are_read_once_for_all_plots_of_one_object(monkeypatch):
    calls = []
    monkeypatch.setattr("kafkalog.plot.api.overview_of", lambda *words: calls.append(words) or overview_of(*words))
    plots = kafkalog.open_partition(PLAIN).plot
    assert plots.timeline.data
    assert plots.batch_sizes.data
    assert len(calls) == 1


def test_no_plot_has_more_marks_than_can_be_seen_and_each_says_what_is_left_out(odd):
    seen = odd.overview
    stretch = seen.stretches[0]
    many = replace(
        seen,
        stretches=tuple(
            stretch._replace(base_offset=n, first_offset=10 * n, last_offset=10 * n + 9, epoch=n % 3) for n in range(5000)
        ),
        gaps=tuple(Gap(n, n + n % 40, None, None, is_damaged=False) for n in range(500)),
        gaps_count=90_000,
        damages=tuple(DamagedBytes("a", n, n + 1, n, None, "why") for n in range(500)),
        damages_count=501,
        transactions=tuple(TransactionBar(n, 0, "open", n, n, T, T, 1) for n in range(2000)),
        transactions_count={"open": 2000, "committed": 70_000},
        segments=tuple(seen.segments[0]._replace(base_offset=n) for n in range(3000)),
    )
    for name, marks_of in MARKS.items():
        marks = marks_of(many)
        assert len(marks.rows) <= 2000, name
        assert all(len(row) == len(marks.columns) for row in marks.rows)
    timeline = MARKS["timeline"](many)
    drawn = [row for row in timeline.rows if row[0] == "segment"]
    assert 700 <= len(drawn) <= 800
    assert (drawn[0][2], drawn[-1][3]) == (0, 49_999)
    assert (
        sum(int(row[-1].rpartition(" records in")[0].rpartition(" ")[2].replace(",", "")) for row in drawn)
        == 5000 * stretch.records
    )
    assert "89,750 smaller gaps are not drawn" in timeline.notes
    assert "251 later damages are not drawn" in timeline.notes
    assert "1,750 open transactions are not drawn" in timeline.notes
    assert "2,750 segments without an index are not drawn" in timeline.notes
    assert MARKS["transactions"](many).notes == ("70,000 shorter transactions are not drawn",)


def test_without_altair_columns_are_given_and_a_chart_is_refused_with_what_to_install(odd, monkeypatch):
    monkeypatch.delitem(sys.modules, "kafkalog.plot.charts", raising=False)
    monkeypatch.setitem(sys.modules, "altair", None)
    assert odd.timeline.data["kind"]
    with pytest.raises(ExtraMissing, match=r"plot\.timeline\(\) needs .* pip install 'kafkalog\[notebook\]'"):
        odd.timeline()


def test_a_partition_without_a_time_that_can_be_right_has_plots_that_say_so(tmp_path):
    folder = tmp_path / "t-0"
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(batch([R()], base_timestamp=-1, max_timestamp=-1))
    plots = Plots(kafkalog.open_partition(folder), NOW)
    assert plots.throughput.data["time"] == []
    assert plots.throughput.notes == ("no batch has a timestamp that can be right", "1 batch has no timestamp")
    for name in MARKS:
        assert getattr(plots, name)().to_dict()
