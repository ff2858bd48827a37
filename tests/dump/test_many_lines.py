"""With numpy and pyarrow the lines of many batches are made at once; what is printed does not show it."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import subprocess
import sys

import pytest

from kafkalog.core.release import Release
from kafkalog.dump import at_once, log_text
from kafkalog.dump.dialects import DIALECTS
from kafkalog.dump.job import DumpJob, DumpOptions
from kafkalog.dump.many_lines import ManyLines
from kafkalog.dump.output import Output
from kafkalog.dump.payload import payload_of, string_decoder
from tests.encode import R, batch
from tests.log_dirs import CORPUS, corpus_log_dirs, fixture_log_dirs
from tests.made_logs import SHAPES, damaged, many, values

#: As many as the quick suite has time for; by hand, and with the corpus, more.
DAMAGES = int(os.environ.get("KAFKALOG_LINES_DAMAGES", "12" if CORPUS else "2"))

LOGS = {
    **SHAPES,
    "text that is none": many(lambda n: batch(values(5) if n % 9 else [R(0, b"\xff", b"\xc3")], base_offset=5 * n)),
    "letters of many bytes": many(lambda n: batch([R(0, "ключ".encode(), "значение €".encode())], base_offset=n)),
    "tombstones": many(lambda n: batch([R(0, b"k", None), R(1, None, b"v"), R(2), R(3, b"k", b"v")], base_offset=4 * n)),
    "keys alone": many(lambda n: batch([R(0, b"k" * (n % 3), None)], base_offset=n)),
    "one line again and again": batch([R(0, b"k", b"v")], base_offset=7) * 40,
}


def printed(path, release: Release):
    """What is printed, with the lines for stderr where they come."""
    out = []
    output = Output(out.append, lambda line: out.append(f"stderr: {line}\n".encode()))
    payload = payload_of("text", string_decoder, string_decoder, tombstone_keys=release >= (2, 4, 0, 0))
    job = DumpJob(DumpOptions(directory="/", release=release, deep=True, payload=payload), output)
    job.path_file(str(path))
    job.finish()
    return b"".join(out)


@pytest.fixture
def both(monkeypatch):
    """What is printed one batch after the other, and what many at once."""
    monkeypatch.setattr(at_once, "_FEW", 1)
    monkeypatch.setattr(at_once, "_ASKED_AFTER", 1 << 30)

    def give(path, release, window=at_once.WINDOW):
        monkeypatch.setattr(at_once, "WINDOW", window)
        monkeypatch.setattr(log_text, "WINDOW", window)
        found = []
        for pay_from in (1 << 60, 0):
            monkeypatch.setattr(at_once, "LINES_PAY_FROM", pay_from)
            found.append(printed(path, release))
        return found

    return give


@pytest.fixture
def log(tmp_path):
    path = tmp_path / f"{0:020}.log"

    def write(data):
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("name", LOGS)
def test_lines_made_at_once_are_those_of_one_batch_after_the_other_in_all_dialects(name, both, log):
    path = log(LOGS[name])
    first = list(LOGS).index(name) % 2  # each log half of them: there are many
    for number, dialect in enumerate(DIALECTS[first::2]):
        plain, many_at_once = both(path, dialect.since, (2 << 20, 700)[number % 2])
        assert many_at_once == plain


@pytest.mark.parametrize("name", LOGS)
def test_lines_of_damaged_logs_made_at_once_are_the_same(name, both, log):
    for seed in range(DAMAGES):
        chance = random.Random(seed)
        path = log(damaged(LOGS[name], f"{name} {seed}"))
        plain, many_at_once = both(path, chance.choice(DIALECTS).since, chance.choice((2 << 20, 3000, 300)))
        assert many_at_once == plain, seed


@pytest.mark.parametrize("case", fixture_log_dirs()[3::12], ids=lambda case: case.id)
def test_lines_of_real_logs_made_at_once_are_the_same(case, both):
    for path in logs_of(case):
        plain, many_at_once = both(path, DIALECTS[-1].since)
        assert many_at_once == plain, path


def test_lines_of_the_whole_corpus_made_at_once_are_the_same(both):
    """Each log once, though several moments of a log dir have it: half of them as the oldest release, half as the newest."""
    paths = [path for case in corpus_log_dirs() for path in logs_of(case)]
    distinct = {hashlib.sha256(pathlib.Path(path).read_bytes()).digest(): path for path in paths}
    for digest, path in distinct.items():
        plain, many_at_once = both(path, DIALECTS[-(digest[0] % 2)].since)
        assert many_at_once == plain, path


def logs_of(case):
    for folder in case.partition_paths():
        yield from (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".log"))


@pytest.mark.parametrize(
    ("name", "batches"), [("ordinary", 40), ("headers", 40), ("gaps", 40), ("nulls", 30), ("codec 1", 40), ("codec 4", 40)]
)
def test_ordinary_batches_are_printed_at_once(name, batches, both, log, monkeypatch):
    counts = []
    make = ManyLines.make
    monkeypatch.setattr(ManyLines, "make", lambda self, parts: counts.append(len(parts)) or make(self, parts))
    both(log(LOGS[name]), (3, 9, 1, 0))
    assert counts == [batches]


_IMPORTED = """
import sys
if {hidden}: sys.modules["numpy"] = None
from kafkalog.dump import at_once, log_text
at_once.WINDOW = log_text.WINDOW = 20000
at_once.LINES_PAY_FROM = {pay_from}
from kafkalog.cli.main import main
try: main(["dump", "--no-decode", "--print-data-log", "--jobs", "1", {path!r}])
except SystemExit: pass
print("pandas" in sys.modules, bool(sys.modules.get("pyarrow")), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("pay_from", "hidden", "imported"),
    [(5000, False, False), (1000, False, True), (1000, True, False)],
    ids=["few records", "many records", "not installed"],
)
def test_pyarrow_is_imported_where_it_pays_and_is_not_needed(pay_from, hidden, imported, log):
    path = log(SHAPES["many records"])
    code = _IMPORTED.format(path=str(path), pay_from=pay_from, hidden=hidden)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split()[-2:] == ["False", str(imported)]  # pandas takes longer than all that
    assert done.stdout.count("| offset: ") == 1800
