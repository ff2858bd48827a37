"""Files read gently: at a rate, past the page cache, with a low priority."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
import sys
import time

import pytest

from kafkalog.errors import RequestError
from kafkalog.files import restraint
from kafkalog.files.image import Image
from kafkalog.files.source import FileSource
from kafkalog.verify import verify
from tests.log_dirs import fixture
from tests.verify.lab import Lab


@pytest.fixture
def unrestrained():
    yield
    restraint.limit_rate(None)
    restraint.set_cache(None)


def written(path, size):
    path.write_bytes(os.urandom(size))
    return str(path)


@pytest.mark.usefixtures("unrestrained")
def test_reads_wait_for_their_share_of_a_rate_in_all_processes_together(tmp_path, monkeypatch):
    slept, clock = [], [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", slept.append)
    path = written(tmp_path / "a", 4000)
    restraint.limit_rate(1000)
    with FileSource(path) as source:
        source.read(0, 1000)
        assert slept == []  # after a pause a little is free
        worker = os.fork()
        if not worker:
            source.read(0, 1000)
            os._exit(0)
        os.waitpid(worker, 0)
        buffer = bytearray(500)
        source.read_into(memoryview(buffer), 0)
        assert slept == [pytest.approx(1.9)]
        clock[0] += 60
        source.read(0, 1000)
        assert len(slept) == 1
    restraint.limit_rate(None)
    with FileSource(path) as source:
        assert len(source.read()) == 4000
    assert len(slept) == 1


@pytest.mark.usefixtures("unrestrained")
def test_bytes_are_the_same_however_they_are_read(tmp_path):
    path = written(tmp_path / "a", 10_000)
    with FileSource(path) as source:
        plain = source.read(17, 5000), bytes(source.window(4000, 9000).data)
    restraint.set_cache(spare=True)
    with FileSource(path) as source:
        assert (source.read(17, 5000), bytes(source.window(4000, 9000).data)) == plain
        assert source.read(9_999, 50) == plain[1][-1:]


def cached_pages(path):
    """Pages of a file that are in the page cache: mincore(2) of a mapping that nobody touches."""
    size = os.path.getsize(path)
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as mapped,
    ):
        pages = -(-size // mmap.PAGESIZE)
        seen = (ctypes.c_ubyte * pages)()
        start = (ctypes.c_char * size).from_buffer(mapped)
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), seen) == 0
        del start
        return sum(page & 1 for page in seen)


def dropped(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def kernel_can(path):
    with open(path, "rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, restraint.RWF_DONTCACHE)
        except OSError:
            return False
    return True


@pytest.mark.usefixtures("unrestrained")
def test_a_page_cache_that_is_spared_is_as_it_was_before(tmp_path):
    path = written(tmp_path / "a", 4 << 20)
    can = kernel_can(path)
    dropped(path)
    restraint.set_cache(spare=True)
    with FileSource(path) as source:
        for position in range(0, source.size, 1 << 20):
            source.window(position, 1 << 20)
    left = cached_pages(path)
    assert left < 64 if can else left > 512
    dropped(path)
    with FileSource(path) as source:
        source.read(0, 1 << 20)
    assert cached_pages(path) < 64 or not can, "nothing is read ahead, which would stay"
    restraint.set_cache(spare=False)
    with FileSource(path) as source:
        source.read()
    assert cached_pages(path) == 1024
    restraint.set_cache(spare=True)
    with FileSource(path) as source:
        source.read()
    assert cached_pages(path) == 1024  # what a broker has there stays


@pytest.mark.usefixtures("unrestrained")
def test_images_are_read_as_gently_as_logs(tmp_path, monkeypatch):
    slept = []
    path = written(tmp_path / "disk.img", 4 << 20)
    can = kernel_can(path)
    dropped(path)
    restraint.set_cache(spare=True)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    restraint.limit_rate(1 << 20)
    with Image(path) as image:
        assert len(image.read(0, 4 << 20)) == 4 << 20
    assert [round(seconds, 1) for seconds in slept] == [0.9, 1.9, 2.9]
    assert cached_pages(path) < 64 or not can


@pytest.mark.usefixtures("unrestrained")
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_the_flag_is_asked_once(number, tmp_path, monkeypatch):
    path = written(tmp_path / "a", 100)
    flags, plain = [], os.preadv

    def refusing(descriptor, buffers, position, flag=0):
        flags.append(flag)
        if flag:
            raise OSError(number, os.strerror(number))
        return plain(descriptor, buffers, position)

    monkeypatch.setattr(os, "preadv", refusing)
    monkeypatch.setattr(restraint, "_without_flag", set())
    restraint.set_cache(spare=True)
    with FileSource(path) as source:
        assert len(source.read()) == len(source.read(10)) + 10
    assert flags == [restraint.RWF_DONTCACHE, 0, 0]


@pytest.mark.usefixtures("unrestrained")
@pytest.mark.parametrize(("is_killed", "asked", "spared"), [(True, None, True), (False, None, False), (True, False, False)])
def test_verify_spares_the_cache_beside_a_broker_that_seems_to_run(is_killed, asked, spared, tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    if is_killed:
        (lab.root / ".kafka_cleanshutdown").unlink(missing_ok=True)
        index = max(lab.dir.glob("*.index"))
        index.write_bytes(index.read_bytes() + bytes(8000))
    seen, plain = set(), os.preadv
    monkeypatch.setattr(restraint, "_without_flag", set())
    monkeypatch.setattr(os, "preadv", lambda *call: (seen.add(len(call) > 3), plain(*call[:3]))[1])
    restraint.set_cache(asked)
    verify(lab.root, quick=True)
    assert (True in seen) is spared


def test_a_process_can_be_made_nicer_and_its_io_idle():
    path = f"{fixture('2.1.1', 'plain').path()}/many-0"
    code = (
        "import os, ctypes; from click.testing import CliRunner; from kafkalog.cli.main import main;"
        f"CliRunner().invoke(main, ['verify', '-q', '--nice', '3', '--idle-io', {path!r}]);"
        "print(os.nice(0), ctypes.CDLL(None).syscall({'x86_64': 252, 'aarch64': 31}[os.uname().machine], 1, 0) >> 13)"
    )
    before = os.nice(0)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [str(min(19, before + 3)), "3"]


def test_a_system_without_idle_io_says_so(monkeypatch):
    monkeypatch.setattr(restraint, "_IOPRIO_SET", {})
    with pytest.raises(RequestError, match="--idle-io: this system has no idle class"):
        restraint.idle_io()


def test_a_niceness_that_the_system_refuses_says_so(monkeypatch):
    def refuse(_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "nice", refuse)
    with pytest.raises(RequestError, match="--nice 4: operation not permitted"):
        restraint.lower_priority(4)
