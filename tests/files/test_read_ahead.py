"""A file that is read ahead is seen whole, in order and once, whatever the window and the threads."""

from __future__ import annotations

import os
import random
import threading

import pytest

from kafkalog.errors import FileChanged
from kafkalog.files import read_ahead
from kafkalog.files.read_ahead import ReadAhead
from kafkalog.files.source import FileSource


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    return request.param


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(read_ahead, "WINDOW", 1000)
    monkeypatch.setattr(read_ahead, "_ENOUGH_FOR_TWO", 1)
    content = random.Random(1).randbytes(50_123)
    (tmp_path / "file").write_bytes(content)
    return content


def test_every_byte_is_shown_in_order_and_what_is_left_is_shown_again(data, tmp_path, threads):
    rng = random.Random(2)
    seen = bytearray()

    def work(buffer, position):
        assert position == len(seen)
        end = buffer.end if buffer.end == len(data) else max(position, buffer.end - rng.randrange(900))
        seen.extend(buffer.data[position - buffer.begin : end - buffer.begin])
        return end, True

    with FileSource(str(tmp_path / "file")) as source:
        assert ReadAhead(source, threads).run(0, work) == len(data)
    assert bytes(seen) == data


def test_work_that_stops_is_not_shown_more_until_asked_again(data, tmp_path, threads):
    stops = [3, 2500, 2501, 17_000, 40_000, 50_123]
    seen = bytearray()

    def work(buffer, position):
        end = min(stops[0], buffer.end)
        seen.extend(buffer.data[position - buffer.begin : end - buffer.begin])
        return end, end < stops[0]

    with FileSource(str(tmp_path / "file")) as source:
        shown = ReadAhead(source, threads)
        position = 0
        while stops:
            position = shown.run(position, work)
            assert position == stops.pop(0)
    assert bytes(seen) == data


def test_what_does_not_fit_a_window_stops_the_reading_where_it_begins(data, tmp_path, threads):
    def work(buffer, position):
        # Something of 2500 bytes begins at 10,100.
        return (max(position, min(buffer.end, 10_100)), True) if buffer.end < 12_600 else (buffer.end, True)

    with FileSource(str(tmp_path / "file")) as source:
        assert ReadAhead(source, threads).run(0, work) == 10_100
    assert data


def test_an_error_of_either_thread_ends_the_reading_and_leaves_no_thread(data, tmp_path):
    for number in range(4, 8):
        calls = []

        def work(buffer, position, calls=calls, number=number):
            calls.append((threading.current_thread(), position))
            if len(calls) == number:
                raise ZeroDivisionError
            return buffer.end, True

        with FileSource(str(tmp_path / "file")) as source, pytest.raises(ZeroDivisionError):
            ReadAhead(source, 2).run(0, work)
        assert len(calls) == number
        assert len({thread for thread, _ in calls}) == 2
        assert threading.active_count() == 1
    assert data


def test_a_file_that_shrinks_is_reported_from_either_thread(data, tmp_path, threads):
    for number in (5, 6):
        path = tmp_path / "file"
        path.write_bytes(data)
        calls = []

        def work(buffer, position, calls=calls, number=number, path=path):
            calls.append(position)
            if len(calls) == number:
                os.truncate(path, 3000)
            return buffer.end, True

        with FileSource(str(path)) as source, pytest.raises(FileChanged):
            ReadAhead(source, threads).run(0, work)
