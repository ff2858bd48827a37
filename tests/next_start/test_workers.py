"""Predictions worked out by several processes: the same, in the same order."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import NamedTuple

import pytest

from kafkalog.errors import RequestError, WorkerLost
from kafkalog.next_start import api
from kafkalog.next_start.api import next_starts
from kafkalog.next_start.work import each
from tests.log_dirs import fixture

PATHS = [
    fixture("2.1.1", "plain").path(),
    f"{fixture('2.1.1', 'plain').path()}/twitter-status-0",
    fixture("3.9.1", "edge").path(),
]


class Lost(Executor):
    """Loses the workers of every task."""

    def submit(self, function, /, *args, **kwargs):
        del function, args, kwargs
        future = Future()
        future.set_exception(WorkerLost("was ended by SIGKILL"))
        return future


@pytest.mark.parametrize("settings", [{}, {"assume_stop": "unclean"}, {"consumer": True}], ids=str)
def test_two_processes_foretell_what_one_does(settings):
    alone = list(next_starts(PATHS, **settings))
    assert len(alone) > 10
    assert list(next_starts(PATHS, jobs=2, **settings)) == alone
    assert list(next_starts(PATHS, jobs=None, **settings)) == alone


def test_from_a_number_of_partitions_on_each_core_has_a_process(monkeypatch):
    started = []
    original = api.workers_or
    monkeypatch.setattr(api, "cores", lambda: 2)
    monkeypatch.setattr(api, "workers_or", lambda executor, jobs: started.append(jobs) or original(executor, 1))
    for most in (1000, 1):
        monkeypatch.setattr(api, "_PAYS_FROM", most)
        list(next_starts(PATHS, jobs=None))
    assert started == [1, 2]


def test_what_a_lost_worker_was_at_is_unknown_and_says_why():
    outcomes = list(next_starts(PATHS[0], executor=Lost()))
    assert len(outcomes) == len(list(next_starts(PATHS[0])))
    assert all(outcome.is_unknown and "ended by SIGKILL" in outcome.reason for outcome in outcomes)


def test_jobs_that_are_no_number_are_refused():
    with pytest.raises(RequestError, match="jobs"):
        next_starts(PATHS, jobs="many")


class Folder(NamedTuple):
    """A directory, as far as its place and its size go."""

    number: int
    size: int


def number_of(folder):
    return folder.number + 1


class Counting(Executor):
    """Does what it is given at once, and notes it; loses every task with a folder of `deadly` numbers in it."""

    def __init__(self, deadly=()):
        self.begun = []
        self.deadly = deadly

    def submit(self, function, /, *args, **kwargs):
        group = [folder.number for (folder,) in args[0]] if isinstance(args[0], list) else [args[0].number]
        self.begun.append(group)
        future = Future()
        if set(group) & set(self.deadly):
            future.set_exception(WorkerLost("was ended by SIGKILL"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_only_a_few_directories_are_begun_ahead():
    executor = Counting()
    results = each(executor, number_of, ((Folder(number, 1000),) for number in range(1000)), lambda *_: None)
    assert next(results) == 1
    assert sum(map(len, executor.begun)) < 400
    assert list(results) == list(range(2, 1001))


def test_small_directories_travel_together_and_large_ones_alone():
    executor = Counting()
    sizes = [1000] * 40 + [1 << 20] * 3 + [1 << 19] * 3
    folders = [Folder(number, size) for number, size in enumerate(sizes)]
    assert list(each(executor, number_of, zip(folders), lambda *_: None)) == list(range(1, 47))
    assert list(map(len, executor.begun)) == [16, 16, 8, 1, 1, 1, 2, 1]


def test_only_those_are_unknown_over_which_a_worker_is_lost_alone():
    executor = Counting(deadly={5, 17})
    folders = [Folder(number, 1000) for number in range(40)]
    found = list(each(executor, number_of, zip(folders), lambda folder, why: (folder.number, "SIGKILL" in why)))
    assert [one for one in found if isinstance(one, tuple)] == [(5, True), (17, True)]
    assert found[4] == 5
    assert found[6] == 7
