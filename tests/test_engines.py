"""verify on the workers of a Dask cluster: the same report, byte for byte, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from click.testing import CliRunner

from kafkalog.cli.engines import dask
from kafkalog.cli.main import main
from kafkalog.errors import ExtraMissing, RequestError
from kafkalog.files.mounted import TELL
from kafkalog.verify import verify
from tests.log_dirs import fixture

NOW = 1795500000000
PATHS = [fixture("2.1.1", "plain").path(), fixture("3.9.1", "edge").path()]


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="never: it is one of the development tools")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            yield cluster


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_report_although_a_worker_is_killed(cluster):
    alone = verify(PATHS, now=NOW).to_jsonl()
    killed = []

    def kill_one():
        while not cluster.scheduler.tasks:
            time.sleep(0.01)
        workers = [nanny.process.process for nanny in cluster.workers.values()]
        os.kill(workers[0].pid, signal.SIGKILL)
        killed.append(workers[0].pid)

    killer = threading.Thread(target=kill_one)
    killer.start()
    words = ["verify", *PATHS, "--now", f"@{NOW}", "--format", "jsonl", "--dask", cluster.scheduler_address]
    done = CliRunner().invoke(main, words, standalone_mode=False)
    killer.join()
    assert done.exception is None
    assert killed
    assert done.output == alone


@pytest.mark.filterwarnings("ignore")
def test_what_a_cluster_scans_is_noted_and_is_not_scanned_again(cluster, tmp_path):
    words = ["verify", *PATHS, "--now", f"@{NOW}", "--format", "jsonl", "--resume", str(tmp_path / "journal")]
    there = CliRunner().invoke(main, [*words, "--dask", cluster.scheduler_address], standalone_mode=False)
    assert there.exception is None
    noted = (tmp_path / "journal").read_bytes()
    assert noted.count(b"\n") > 20
    here = CliRunner().invoke(main, words, standalone_mode=False)
    assert (tmp_path / "journal").read_bytes() == noted
    assert here.output == there.output == verify(PATHS, now=NOW).to_jsonl()


def test_where_no_scheduler_answers_one_line_says_so(monkeypatch):
    monkeypatch.setattr("kafkalog.cli.engines._ANSWERS_IN", "0.5s")
    with (
        pytest.raises(RequestError, match=r"--dask tcp://127\.0\.0\.1:9: no scheduler answers there"),
        dask("tcp://127.0.0.1:9", 1),
    ):
        pass


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'kafkalog\[dask\]'"), dask("local", 1):
        pass


def test_a_scheduler_without_workers_is_told_as_that(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="never: it is one of the development tools")
    monkeypatch.setattr("kafkalog.cli.engines._ANSWERS_IN", "0.5s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None) as empty,
            pytest.raises(RequestError, match="the scheduler has no worker: start one, or more"),
            dask(empty.scheduler_address, 1),
        ):
            pass


class Failing(ThreadPoolExecutor):
    """A pool that does so much, and then fails as one of processes whose worker was killed, or as a cluster that went away."""

    def __init__(self, does, error, *, at_once):
        super().__init__(1)
        self.left, self.error, self.at_once = does, error, at_once

    def submit(self, function, /, *args):
        self.left -= 1
        if self.left >= 0:
            return super().submit(function, *args)
        if self.at_once:
            raise self.error
        future = Future()
        future.set_exception(self.error)
        return future


SMALL = f"{PATHS[0]}/twitter-status-0"


@pytest.mark.parametrize(
    ("does", "at_once", "error"),
    [(0, True, BrokenProcessPool("a child process ended")), (3, False, CancelledError()), (1, False, RuntimeError("closed"))],
)
def test_what_the_callers_executor_fails_to_do_is_done_here(does, at_once, error):
    said = []
    token = TELL.set(said.append)
    try:
        with Failing(does, error, at_once=at_once) as pool:
            assert verify(SMALL, now=NOW, executor=pool).to_jsonl() == verify(SMALL, now=NOW).to_jsonl()
    finally:
        TELL.reset(token)
    (text,) = said
    assert text.startswith(f"the workers have failed ({type(error).__name__}")
    assert text.endswith("what they have not done is done here, by one process")


def test_scans_that_the_callers_executor_fails_to_do_are_noted_in_the_journal(tmp_path):
    with Failing(3, BrokenProcessPool(), at_once=False) as pool:
        verify(SMALL, now=NOW, executor=pool, resume=tmp_path / "journal")
    assert len((tmp_path / "journal").read_text().splitlines()) == 1 + len(list(Path(SMALL).glob("*.log")))
