"""The keys of a cleaned log are noted as its segments are scanned: only where one may be there twice is it read again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kafkalog.kafka.cleaner_traces import CleanerTraces
from kafkalog.verify import verify
from kafkalog.verify.scan.key_notes import KeyNotes
from tests import encode
from tests.encode import R

NOW = 1_700_000_000_000
TIME = 1_600_000_000_000
CLEANED = 40


def keys(*texts):
    return [R(2 * delta, text, b"v") for delta, text in enumerate(texts)]


#: The batches of two segments, each of four offsets; the cleaner has come to offset 40.
LOGS = {
    "all keys are different": [keys(b"%d" % n, b"%d'" % n) for n in range(10)],
    "keys are long": [keys(b"%d" % n * 40, b"%d'" % n * 40) for n in range(10)],
    "a key is twice in a segment": [keys(b"%d" % (n - (n == 3)), b"%d'" % n) for n in range(10)],
    "a key is in both segments": [keys(b"%d" % (n - 7 * (n == 7)), b"%d'" % n) for n in range(10)],
    "a long key is in both segments": [keys(b"%d" % (n - 7 * (n == 7)) * 40, b"%d'" % n) for n in range(10)],
    "a record has no key": [keys(b"%d" % n, None if n == 4 else b"%d'" % n) for n in range(10)],
    "a key is written again after the cleaner": [keys(b"%d" % (n % 10), b"%d'" % n) for n in range(12)],
    "the offsets of a batch fall": [keys(b"%d" % n, b"%d'" % n)[:: -1 if n == 4 else 1] for n in range(10)],
}


@pytest.fixture
def log_dir(tmp_path):
    """Writes a log dir with one partition of two segments."""

    def write(batches, **more):
        where = tmp_path / "t-0"
        where.mkdir(exist_ok=True)
        made = [
            encode.batch(records, base_offset=4 * n, last_offset_delta=3, base_timestamp=TIME, max_timestamp=TIME, **more)
            for n, records in enumerate(batches)
        ]
        (where / f"{0:020}.log").write_bytes(b"".join(made[:5]))
        (where / f"{20:020}.log").write_bytes(b"".join(made[5:]))
        (tmp_path / "cleaner-offset-checkpoint").write_text(f"0\n1\nt 0 {CLEANED}\n")
        return tmp_path

    return write


@pytest.mark.parametrize("codec", [0, 1])
@pytest.mark.parametrize("name", LOGS)
def test_what_is_noted_says_what_reading_the_log_again_says(name, codec, log_dir, monkeypatch):
    path = log_dir(LOGS[name], attributes=codec, compress=encode.CODECS[codec] if codec else None)
    noted = verify(path, now=NOW)
    with ThreadPoolExecutor(1) as executor:
        assert noted.to_jsonl() == verify(path, now=NOW, jobs=2, executor=executor).to_jsonl()
    monkeypatch.setattr(KeyNotes, "are_different", property(lambda _self: False))
    assert noted.to_jsonl() == verify(path, now=NOW).to_jsonl()
    twice = [found for found in noted.all_findings() if found.id == "compacted-key-twice"]
    assert bool(twice) == ("a key is" in name or "long key is" in name) * ("after" not in name)


@pytest.mark.parametrize("codec", [0, 1])
def test_a_cleaned_log_whose_keys_are_all_different_is_read_once(codec, log_dir, monkeypatch):
    read = []
    batches = CleanerTraces.batches
    monkeypatch.setattr(CleanerTraces, "batches", lambda self: read.append(self) or batches(self))
    for name in ("all keys are different", "keys are long", "a key is written again after the cleaner"):
        verify(log_dir(LOGS[name], attributes=codec, compress=encode.CODECS[codec] if codec else None), now=NOW)
    assert not read
    verify(log_dir(LOGS["a key is in both segments"]), now=NOW)
    assert read
