"""Runs and their worker processes, ended by real signals: quietly, with 128 + n, and nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import kafkalog
from kafkalog.errors import WorkerLost
from kafkalog.files.workers import Workers
from kafkalog.verify import engine
from tests.log_dirs import FIXTURES

ROOT = FIXTURES.parent
TWITTER = FIXTURES / "broker/2.1.1/plain/twitter-status-0"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
NOW = "1795500000000"
#: No assertion about time: a test that waits longer than this hangs.
PATIENCE = 120


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A log dir of two partitions whose check takes seconds."""
    root = tmp_path_factory.mktemp("large")
    data = b"".join((TWITTER / f"{base:020d}.log").read_bytes() for base in (0, 74, 147)) * 150
    (root / "meta.properties").write_text("#\n#\nversion=0\nbroker.id=0\n")
    first = root / "a-0"
    first.mkdir()
    (first / f"{0:020d}.log").write_bytes(data)
    second = root / "b-0"
    second.mkdir()
    os.link(first / f"{0:020d}.log", second / f"{0:020d}.log")
    return root


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "kafkalog", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, start_new_session=True, **options,
    )  # fmt: skip


def processes():
    """State and parent of every process."""
    text = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    return {int(pid): (int(parent), state) for pid, parent, state in map(str.split, text.splitlines())}


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def workers_of(process, count):
    def seen():
        found = [pid for pid, (parent, state) in processes().items() if parent == process.pid and "Z" not in state]
        assert process.poll() is None, process.communicate()
        return found if len(found) == count else None

    return wait_for(seen)


def have_ended(pids):
    running = processes()
    return all(pid not in running or "Z" in running[pid][1] for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("arguments", [("verify", "--jobs", 2), ("dump", "--print-data-log", "--jobs", 2)], ids=lambda a: a[0])
def test_workers_end_with_the_process_that_started_them(arguments, number, large):
    with start(*arguments, large) as process:
        workers = workers_of(process, 2)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert err == b""
        wait_for(lambda: have_ended(workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_dump_that_is_ended_ends_its_last_line(jobs, number, large):
    with start("dump", "--print-data-log", "--jobs", jobs, large / "a-0") as process:
        begin = process.stdout.read(100_000)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + number
        assert err == b""
        assert (begin + out).endswith(b"\n")


@pytest.mark.parametrize("command", ["verify", "next-start", "groups", "transactions"])
def test_other_commands_end_as_quietly(command, large):
    with start(command, large) as process:
        wait_for(lambda: process.poll() is not None or _has_open(process, large))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 143 or (process.returncode in (0, 1, 3) and (out or err))
        assert b"Traceback" not in out + err


def _has_open(process, folder):
    links = f"/proc/{process.pid}/fd"
    if not os.path.isdir(links):
        return True
    for name in os.listdir(links):
        try:
            if os.readlink(f"{links}/{name}").startswith(str(folder)):
                return True
        except OSError:
            continue
    return False


def test_a_run_that_shall_not_be_hung_up_goes_on(large):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 - as nohup does
    with start("dump", "--print-data-log", large / "a-0", preexec_fn=ignore) as process:
        process.stdout.read(1000)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert b"Non-consecutive" in err


def test_a_worker_that_is_killed_costs_nothing_but_time(large):
    arguments = ("verify", "--format", "jsonl", "--now", NOW, "--no-next-start", large)
    with start(*arguments, "--jobs", 2) as process:
        os.kill(workers_of(process, 2)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    alone = subprocess.run(
        [sys.executable, "-m", "kafkalog", *map(str, arguments)], capture_output=True, env=ENVIRONMENT, check=False
    )
    assert (out, err, process.returncode) == (alone.stdout, alone.stderr, alone.returncode)


#: Runs kafkalog with the function `{name}` of the module `{module}` replaced: `{body}` comes before each call.
SCRIPT = """
import importlib, os, signal, sys
module = importlib.import_module("{module}")
from kafkalog.cli.main import run
original = module.{name}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def once(mark):
    if not os.path.exists(mark):
        open(mark, "w").close()
        die()
def replacement(*arguments):
    {body}
    return original(*arguments)
module.{name} = replacement
replacement.__module__, replacement.__qualname__ = module.__name__, "{name}"
run(sys.argv[1:])
"""


def run_with(module, name, body, *arguments):
    code = SCRIPT.format(module=module, name=name, body=body)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, env=ENVIRONMENT, check=False, timeout=PATIENCE
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def verify_with(body, *arguments, module="kafkalog.verify.second_look", name="scan_segment"):
    arguments = ("verify", "--format", "jsonl", "--now", NOW, "--fail-on", "never", "--jobs", "2", *arguments)
    return run_with(module, name, body, *arguments)


def test_what_is_lost_with_a_worker_is_done_again(tmp_path):
    plain = verify_with("pass", TWITTER)
    assert plain.returncode == 0
    mark = tmp_path / "died"
    again = verify_with(f"once({str(mark)!r})", TWITTER)
    assert mark.exists()
    assert (again.stdout, again.returncode, again.stderr) == (plain.stdout, 0, b"")


def test_a_segment_that_ends_every_worker_is_not_checked_and_the_others_are():
    done = verify_with(f'"{74:020d}.log" in arguments[0].paths[".log"] and die()', TWITTER, "--no-next-start")
    assert done.returncode == 3
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (missed,) = lines[-1]["not_checked"]
    assert missed["path"] == f"{TWITTER}/{74:020d}.log"
    assert "ended by SIGKILL, as the kernel does when memory runs out" in missed["reason"]
    (partition,) = (line for line in lines if line["type"] == "partition")
    assert partition["segments"] == len(list(TWITTER.glob("*.log")))
    assert partition["records"] > 100


@pytest.mark.parametrize("path", [TWITTER, TWITTER.parent], ids=["partition", "log dir"])
def test_a_prediction_that_ends_every_worker_is_unknown(path):
    name = "predict_directory" if path == TWITTER else "predict_in_situation"
    module = "kafkalog.verify.next_start" if path == TWITTER else "kafkalog.next_start.log_dir"
    done = verify_with("die()", path, module=module, name=name)
    assert done.returncode == 3
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["partition"] for line in lines if line["type"] == "next_start"} == {"unknown"}
    assert all("its next start: a worker process was ended by SIGKILL" in item["reason"] for item in lines[-1]["not_checked"])
    assert sum(line["records"] for line in lines if line["type"] == "partition") > 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_workers_of_a_prediction_end_with_the_process_that_started_them(number):
    code = SCRIPT.format(module="kafkalog.next_start.log_dir", name="predict_in_situation", body="signal.pause()")
    code = code.replace("run(sys", "importlib.import_module('kafkalog.files.bundles')._PIECES = 1\nrun(sys")
    with subprocess.Popen(
        [sys.executable, "-c", code, "next-start", str(TWITTER.parent), "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, start_new_session=True,
    ) as process:  # fmt: skip
        workers = workers_of(process, 2)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert (out, err) == (b"", b"")
        wait_for(lambda: have_ended(workers))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of a few ranges."""
    path = tmp_path_factory.mktemp("log") / f"{0:020d}.log"
    path.write_bytes(b"".join((TWITTER / f"{base:020d}.log").read_bytes() for base in (0, 74, 147)) * 90)
    return path


#: Prints a log with small ranges; `{body}` runs in a worker before the printing of a range, `{late}` in its midst.
DUMP = """
import os, signal, sys
from kafkalog.dump import job, ranges
from kafkalog.cli.main import run
ranges.RANGE = 1 << 20
original = job.DumpJob._print_part
parent = os.getpid()
def die():
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
def replacement(self, printer, source, part, end, turn):
    number = round(part[0] / ranges.RANGE)
    {body}
    def its_turn():
        may_print = turn()
        if may_print:
            {late}
        return may_print
    return original(self, printer, source, part, end, its_turn)
job.DumpJob._print_part = replacement
run(sys.argv[1:])
"""


def dump(log, *, body="pass", late="pass", jobs=2):
    code = DUMP.format(body=body, late=late)
    command = [sys.executable, "-c", code, "dump", str(log), "--print-data-log", "--jobs", str(jobs)]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, timeout=PATIENCE)
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def test_a_dump_goes_on_in_one_process_when_a_worker_is_lost(log):
    alone = dump(log, jobs=1)
    assert dump(log).stdout == alone.stdout
    for number in (0, 1, 2):
        done = dump(log, body=f"number == {number} and die()")
        assert (done.stdout, done.returncode) == (alone.stdout, 0)
        first, *rest = done.stderr.splitlines()
        assert b"a worker process was ended by SIGKILL, as the kernel does when memory runs out" in first
        assert b"\n".join(rest).strip() == alone.stderr.strip()


def test_a_worker_that_is_lost_while_it_prints_leaves_a_gap_that_is_told(log):
    alone = dump(log, jobs=1)
    done = dump(log, late="number == 1 and (os.write(1, b'half a li'), die())")
    assert done.returncode == 3
    assert b"half a li\n" in done.stdout
    before, after = done.stdout.split(b"half a li\n")
    assert alone.stdout.startswith(before)
    assert alone.stdout.endswith(after)
    assert b"the worker ended while it printed them, so lines may be missing" in done.stderr


NO_ROOM = "os.fork = lambda: exec('raise OSError(11, \"no room\")')"


def test_where_the_system_has_no_room_for_processes_one_does_all_the_work(log):
    alone = dump(log, jobs=1)
    code = DUMP.format(body="pass", late="pass").replace("run(sys", f"{NO_ROOM}\nrun(sys")
    command = [sys.executable, "-c", code, "dump", str(log), "--print-data-log", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, timeout=PATIENCE)
    assert (done.stdout, done.returncode, done.stderr) == (alone.stdout, alone.returncode, alone.stderr)


def test_workers_that_cannot_be_started_are_done_without(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "no room")

    monkeypatch.setattr(os, "fork", refuse)
    with Workers(2) as pool:
        assert list(pool.map(pow, range(9), range(9))) == [pow(n, n) for n in range(9)]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()


@pytest.mark.parametrize(("size", "started"), [(1 << 20, [3]), (1 << 40, [])])
def test_verify_takes_as_many_processes_as_cores_where_it_pays(monkeypatch, size, started):
    counts = []

    def workers(count):
        counts.append(count)
        return Workers(2)

    monkeypatch.setattr("kafkalog.files.workers.Workers", workers)
    monkeypatch.setattr(engine, "cores", lambda: 3)
    monkeypatch.setattr(engine, "may_fork", lambda: True)
    monkeypatch.setattr(engine, "_PAYS_FROM", {False: size >> 5})
    auto = kafkalog.verify(TWITTER, now=int(NOW), jobs=None)
    assert counts == started
    assert auto == kafkalog.verify(TWITTER, now=int(NOW))
    assert counts == started


@pytest.mark.parametrize("command", ["verify", "dump"])
def test_the_default_number_of_processes_is_decided_by_the_command(command):
    shown = subprocess.run([sys.executable, "-m", "kafkalog", command, "--help"], capture_output=True, text=True, check=True)
    assert "--jobs N" in shown.stdout
    assert "Processes, or auto. [default: as many as pay]" in " ".join(shown.stdout.split())
    for wrong in ("0", "-1", "two", "1.5"):
        done = start(command, "--jobs", wrong, TWITTER)
        assert b"is neither a number, 1 or more, nor auto" in done.communicate()[1]
        assert done.returncode == 2


def children():
    return {pid for pid, (parent, state) in processes().items() if parent == os.getpid() and "Z" not in state}


def test_results_come_as_they_were_asked_for_and_errors_are_raised():
    others = children()  # other libraries have helpers of their own, which stay
    with Workers(3) as pool:
        assert list(pool.map(pow, range(50), range(50))) == [pow(n, n) for n in range(50)]
        assert pool.submit(bytes, 3_000_000).result() == bytes(3_000_000)
        assert pool.submit(len, bytes(3_000_000)).result() == 3_000_000
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()
        futures = [pool.submit(os._exit, 7) if n == 3 else pool.submit(abs, -n) for n in range(8)]
        for number, future in enumerate(futures):
            if number == 3:
                with pytest.raises(WorkerLost, match="ended with status 7"):
                    future.result()
            else:
                assert future.result() == number
        workers = {worker.process for worker in pool._workers}
        assert workers
        assert workers <= children() - others
    assert not workers & processes().keys()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe holds a page")
def test_a_worker_has_its_next_task_at_hand_though_it_is_larger_than_a_page():
    with Workers(1) as pool:
        futures = [pool.submit(len, bytes(50_000)) for _ in range(2)]
        assert not pool._waiting
        assert [future.result() for future in futures] == [50_000] * 2


#: Runs the command with an interrupt at the moment when `click` is imported.
INTERRUPTED = """
import os, runpy, signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("kafkalog", run_name="__main__")
"""


def test_an_interrupt_while_the_command_is_imported_ends_it_without_another_word():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, "--version"], capture_output=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
