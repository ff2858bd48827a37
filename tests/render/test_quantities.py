"""Numbers as people read them."""

from __future__ import annotations

import pytest

from kafkalog.render.quantities import count_text, duration_text, offsets_text, size_text, utc


@pytest.mark.parametrize(
    ("number", "noun", "text"), [(1, "batch", "1 batch"), (0, "batch", "0 batches"), (2, "file", "2 files")]
)
def test_nouns_agree_with_their_number(number, noun, text):
    assert count_text(number, noun) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 29, "2.5 GiB"), (1 << 60, "1048576.0 TiB")]
)
def test_sizes_have_the_largest_unit_that_fits(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (59_999, "59 s"),
        (187_000, "3 min 7 s"),
        (15_000_000, "4 h 10 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_have_their_two_largest_units(milliseconds, text):
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(1550000000223, "2019-02-12T19:33:20.223Z"), (-1, None), (-2, "1969-12-31T23:59:59.998Z"), (1 << 62, str(1 << 62))],
)
def test_times_are_utc_and_never_fail(milliseconds, text):
    assert utc(milliseconds) == text


@pytest.mark.parametrize(
    ("ranges", "text"),
    [
        ([(5, 5)], "offset 5"),
        ([(5, 9)], "offsets 5..9"),
        ([(5, 5), (7, 9)], "offsets 5 and 7..9"),
        ([(0, 0), (2, 2), (4, 5)], "offsets 0, 2 and 4..5"),
        ([(at, at) for at in range(0, 10, 2)], "offsets 0, 2, 4 and 2 more ranges"),
    ],
)
def test_offsets_are_told_as_ranges_and_a_single_one_in_the_singular(ranges, text):
    assert offsets_text(ranges) == text
