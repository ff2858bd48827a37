"""Small pieces of work handed to workers together, a result for each."""

from __future__ import annotations

from concurrent.futures import Executor, Future

from kafkalog.files import bundles
from kafkalog.files.bundles import Bundles


class Noting(Executor):
    """Works at once, and notes what it is given."""

    def __init__(self):
        self.given = []

    def submit(self, function, /, *args, **kwargs):
        self.given.append(list(*args))
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def doubled(numbers):
    return [2 * number for number in numbers]


def test_pieces_are_handed_out_together_and_each_gets_its_result():
    workers = Noting()
    work = Bundles(workers, doubled)
    shares = [work.add(number, 1) for number in range(40)]
    assert workers.given == [[*range(16)], [*range(16, 32)]]
    assert [share.result() for share in shares] == [2 * number for number in range(40)]
    assert workers.given[2:] == [[*range(32, 40)]]


def test_large_pieces_are_handed_out_alone():
    workers = Noting()
    work = Bundles(workers, doubled)
    for number, size in enumerate((1, bundles._BYTES, bundles._BYTES // 2, bundles._BYTES // 2, 1, 2 * bundles._BYTES, 1)):
        work.add(number, size)
    assert workers.given == [[0], [1], [2, 3], [4], [5]]


def test_a_bundle_whose_result_is_asked_for_is_not_waited_for_and_takes_no_more():
    workers = Noting()
    work = Bundles(workers, doubled)
    first = work.add(1, 1)
    assert first.result() == 2
    second = work.add(2, 1)
    assert (first.result(), second.result()) == (2, 4)
    assert workers.given == [[1], [2]]
