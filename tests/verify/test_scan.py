"""The scan: where its windows end and how many threads read changes nothing in the report."""

from __future__ import annotations

import random

import pytest

from kafkalog.files import read_ahead
from kafkalog.verify import engine, verify
from tests.verify.lab import Lab

NOW = 1795500000000
PARTITIONS = ("2.1.1/plain/twitter-status-0", "2.1.1/txn/ledger-0", "2.1.1/codec/mixed-0", "0.10.2.2/old/mixed-magic-0")


def damaged(lab, rng):
    """Flip, cut or zero something in some files of a partition."""
    files = sorted(p for p in lab.dir.iterdir() if p.suffix in (".log", ".index", ".timeindex") and p.stat().st_size)
    for path in rng.sample(files, min(len(files), rng.randrange(3))):
        data = bytearray(path.read_bytes())
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at : at + 40] = bytes(40)
        else:
            data[at:at] = data[at : at + rng.randrange(300)]
        path.write_bytes(data)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
def test_windows_and_threads_do_not_show_in_the_report(tmp_path, monkeypatch, quick):
    rng = random.Random(5)
    for number in range(24):
        lab = Lab(tmp_path / str(number), PARTITIONS[number % len(PARTITIONS)])
        damaged(lab, rng)
        monkeypatch.undo()
        whole = verify(lab.dir, now=NOW, quick=quick).to_jsonl()
        monkeypatch.setattr(read_ahead, "_ENOUGH_FOR_TWO", 1)
        monkeypatch.setattr(read_ahead, "WINDOW", rng.choice((200, 700, 3000)))
        for cores in (1, 2):
            monkeypatch.setattr(engine, "cores", lambda cores=cores: cores)
            assert verify(lab.dir, now=NOW, quick=quick).to_jsonl() == whole
