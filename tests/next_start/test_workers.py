"""Predictions worked out by several processes: the same, in the same order."""

from __future__ import annotations

from concurrent.futures import Executor, Future

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


def test_of_predictions_handed_out_together_only_the_one_that_ends_workers_is_unknown():
    class LosesOne(Executor):
        def submit(self, function, /, *args, **kwargs):
            future = Future()
            if args == (-3,) or args == ([(-n,) for n in range(8)],):
                future.set_exception(WorkerLost("was ended by SIGKILL"))
            else:
                future.set_result(function(*args, **kwargs))
            return future

    results = each(LosesOne(), abs, ((Sized(-number),) for number in range(20)), lambda *lost: lost)
    assert list(results) == [(-3, str(WorkerLost("was ended by SIGKILL"))) if number == 3 else number for number in range(20)]


def test_jobs_that_are_no_number_are_refused():
    with pytest.raises(RequestError, match="jobs"):
        next_starts(PATHS, jobs="many")


class Sized(int):
    """Stands for a directory."""

    size = 0


def test_only_a_few_predictions_are_begun_ahead():
    begun = []

    class Counting(Executor):
        def submit(self, function, /, *args, **kwargs):
            begun.extend(*args)
            future = Future()
            future.set_result(function(*args, **kwargs))
            return future

    results = each(Counting(), lambda number: number + 1, ((Sized(number),) for number in range(1000)), lambda *_: None)
    assert next(results) == 1
    assert len(begun) < 100
    assert list(results) == list(range(2, 1001))
