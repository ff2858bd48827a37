"""Java's spelling of text, and the order of hash maps."""

import random
from functools import partial

import pytest

from kafkalog.core.messages.text import decode_utf8, string_hash
from kafkalog.core.release import NEWEST, OLDEST
from kafkalog.kafka import java
from kafkalog.kafka.hash_orders import java_map_order, scala_map_order


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("grün 日本".encode(), "grün 日本"),
        (b"\xff", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd"),
        (b"\xed\xa0\x80\xed\xb0\x80", "\ufffd\ufffd"),
        (b"\xed\xa0x", "\ufffdx"),
        (b"\xed\xa0", "\ufffd"),
        (b"\xf0\x9f\x98", "\ufffd"),
        (b"\xc0\x80", "\ufffd\ufffd"),
        (b"a\x00b", "a\x00b"),
        (b"\xe2\x82", "\ufffd"),
    ],
)
def test_malformed_text_is_replaced_as_java_does(data, text):
    assert decode_utf8(data) == text
    assert java.replace_malformed(data) == text.encode()


def test_replacing_a_whole_batch_at_once_would_be_the_same_as_field_by_field():
    rng = random.Random(1)
    for _ in range(2000):
        fields = [
            bytes(rng.choice(b"a\xed\xa0\x80\xe2\x82\xac\xf0\x9f\xff") for _ in range(rng.randrange(6))) for _ in range(3)
        ]
        whole = b" ".join(fields)
        assert java.replace_malformed(whole) == b" ".join(map(java.replace_malformed, fields))


def test_string_hash_is_that_of_java():
    assert string_hash("") == 0
    assert string_hash("hello") == 99162322
    assert string_hash("polygenelubricants") == 0x80000000
    assert string_hash("😀") == 0xD83D * 31 + 0xDE00


@pytest.mark.parametrize(
    "order", [java_map_order, partial(scala_map_order, release=OLDEST), partial(scala_map_order, release=NEWEST)]
)
def test_every_key_is_listed_once(order):
    keys = [f"/data/topic-{n}/00000000000000000000.index" for n in range(50)]
    assert sorted(order(keys)) == sorted(keys)
    assert order(keys) != keys


def test_paths_are_normalised_as_file_does():
    assert java.file_path("a//b/") == "a/b"
    assert java.file_path("./a/../b") == "./a/../b"
    assert java.file_path("/") == "/"
    assert java.absolute_path("./a", "/w") == "/w/./a"
    assert java.absolute_path("/a//b", "/w") == "/a/b"
