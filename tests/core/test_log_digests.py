"""Digests of logs: sums over ranges of offsets, whatever segments and widths there are."""

from __future__ import annotations

import random
from hashlib import blake2b
from itertools import pairwise

from kafkalog.core.batch import RecordBatch
from kafkalog.core.log_digests import DigestNotes, LogDigests, first_difference, together
from tests import encode
from tests.encode import R


def batch(base, value=b"v"):
    return encode.batch([R(value=value)], base_offset=base)


def digests(batches):
    notes = DigestNotes()
    data = b"".join(batches)
    notes.take(data, 0, len(data))
    return notes.digests()


LOG = [batch(base) for base in range(3000)]


def test_a_digest_is_the_sum_of_what_the_documentation_says():
    of_each = [int.from_bytes(blake2b(data[:21], digest_size=8).digest(), "big") for data in LOG[:3]]
    assert digests(LOG[:3]) == LogDigests(1, tuple(enumerate(of_each)))
    assert digests(LOG[:3]).of_width(2) == LogDigests(2, ((0, (of_each[0] + of_each[1]) % 2**64), (1, of_each[2])))


def test_a_long_log_has_few_ranges():
    found = digests(LOG)
    assert found.width == 16
    assert len(found.sums) == -(-3000 // 16)


def test_segments_and_order_do_not_matter():
    whole = digests(LOG)
    cuts = [0, *sorted(random.Random(1).sample(range(3000), 5)), 3000]
    parts = [digests(LOG[start:end]) for start, end in pairwise(cuts)]
    assert together(parts) == whole
    assert together(reversed(parts)) == whole
    assert together([]) == LogDigests()


def test_one_batch_that_differs_is_found_in_its_range():
    for place in (0, 1, 1500, 2991):
        other = [*LOG[:place], batch(place, b"w"), *LOG[place + 1 :]]
        first, last = first_difference(digests(LOG), digests(other), 0, 3000)
        assert first <= place <= last
        assert last - first == 15


def test_a_batch_that_is_missing_in_the_midst_is_a_difference():
    assert first_difference(digests(LOG), digests([*LOG[:100], *LOG[101:]]), 0, 3000) == (96, 111)


def test_only_ranges_that_both_logs_have_whole_are_compared():
    late, early = digests(LOG[1000:]), digests(LOG[:2000])
    assert first_difference(late, early, 1000, 2000) is None
    assert first_difference(late, early, 900, 2000) is not None
    assert first_difference(late, early, 1000, 2100) is not None
    wrong_end = digests([*LOG[:1999], batch(1999, b"w")])
    assert first_difference(wrong_end, digests(LOG), 0, 1999) is None


def test_the_leader_epoch_is_digested_although_the_checksum_does_not_cover_it():
    (raised,) = [bytearray(batch(0))]
    raised[15] += 1
    assert RecordBatch.read(bytes(raised)).crc_ok
    assert digests([bytes(raised)]) != digests(LOG[:1])
