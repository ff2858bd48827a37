"""Prediction never fails and never writes, whatever is in a directory."""

from __future__ import annotations

import errno
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkalog.core.log import BytesSource
from kafkalog.core.release import NEWEST, RELEASES
from kafkalog.kafka.indexes import BrokerOffsetIndex
from kafkalog.kafka.overlay import Disk
from kafkalog.kafka.reading_rules import reading_rules
from kafkalog.next_start.api import next_starts
from kafkalog.next_start.partition import Situation, predict_partition
from tests.next_start.broker_starts import packed_starts

HEALTHY = {start.seen["base"]: start.files for start in packed_starts() if start.seen["kind"] == "none"}


def predict(files: dict[str, bytes], **situation):
    disk = Disk({name: BytesSource(data) for name, data in files.items()})
    return predict_partition("P", disk, Situation(**situation)).outcome


def damaged(files: dict[str, bytes], seed: int) -> dict[str, bytes]:
    random_ = random.Random(seed)
    files = dict(files)
    for _ in range(random_.randrange(1, 5)):
        name = random_.choice(sorted(files))
        data = bytearray(files[name])
        at = random_.randrange(len(data) + 1)
        kind = random_.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << random_.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = random_.randbytes(random_.randrange(40))
        elif kind == 3:
            data[at : at + 64] = bytes(len(data[at : at + 64]))
        elif kind == 4:
            data = bytearray(files[random_.choice(sorted(files))])
        else:
            files[name + random_.choice([".deleted", ".cleaned", ".swap", "~", ""])] = files.pop(name)
            continue
        files[name] = bytes(data)
    return files


@pytest.mark.parametrize("base", sorted(HEALTHY))
def test_any_damage_gives_an_outcome_in_every_release(base):
    for seed in range(60):
        files = damaged(HEALTHY[base], seed)
        release = RELEASES[seed % len(RELEASES)]
        for clean in (True, False):
            outcome = predict(files, clean=clean, release=release, recovery_point=seed)
            assert outcome.partition in ("loaded", "stray", "deleted", "failed", "unknown")
            assert outcome.reason
            assert outcome.records_lost is None or outcome.records_lost >= 0
            assert outcome == predict(files, clean=clean, release=release, recovery_point=seed)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from([f"{n:020d}{s}" for n in (0, 5) for s in (".log", ".index", ".txnindex", ".snapshot", ".log.swap")]),
        st.binary(max_size=120),
    ),
    st.booleans(),
)
def test_any_bytes_under_any_name_give_an_outcome(files, clean):
    assert predict(files, clean=clean, release=(4, 3, 1)).reason


def test_nothing_is_written_under_the_examined_path(tmp_path):
    folder = tmp_path / "plain-0"
    folder.mkdir()
    for name, data in damaged(HEALTHY["plain"], 3).items():
        (folder / name).write_bytes(data)

    def shot():
        return sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in os.scandir(folder))

    before = shot()
    assert len(list(next_starts([str(folder)]))) == 2
    assert shot() == before


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 5000)), max_size=40), st.integers(0, 1100))
def test_offset_lookup_in_a_sound_index_is_the_largest_lower_bound(pairs, target):
    index = BrokerOffsetIndex(0, reading_rules(NEWEST))
    for offset, position in sorted(dict(pairs).items()):
        index.append(offset, position)
    below = [(offset, position) for offset, position in sorted(dict(pairs).items()) if offset <= target]
    assert tuple(index.lookup(target)) == (below[-1] if below else (0, 0))


@pytest.mark.parametrize("name", ["00000000000000000125.index", "00000000000000000125.log", "leader-epoch-checkpoint"])
def test_a_file_that_the_disk_does_not_give_makes_the_outcome_unknown(name, tmp_path, monkeypatch):
    folder = tmp_path / "plain-0"
    folder.mkdir()
    for other, data in HEALTHY["plain"].items():
        (folder / other).write_bytes(data)

    def failing(read):
        def and_fail(descriptor, *rest):
            if os.readlink(f"/proc/self/fd/{descriptor}") == str(folder / name):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(descriptor, *rest)

        return and_fail

    for read in ("pread", "preadv"):
        monkeypatch.setattr(os, read, failing(getattr(os, read)))
    outcomes = list(next_starts([str(folder)], kafka_version="3.9.1"))
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert outcome.partition == "unknown"
        assert outcome.why["records_lost"] == f"it cannot be read: {folder / name}: input/output error"
