"""Texts as Java and Jackson make them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.messages.json_form import compact_json, java_double
from kafkalog.core.messages.text import decode_utf8

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(VALUES)
def test_compact_json_is_json(value):
    assert json.loads(compact_json(value)) == value


def test_escapes_are_jacksons():
    assert (
        compact_json('"\\\b\t\n\f\r\x00\x1f/é日\u2028\U0001d518')
        == '"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001F/é日\u2028\U0001d518"'
    )
    assert compact_json({"a": [], "b": {}, "c": [1, None, True]}) == '{"a":[],"b":{},"c":[1,null,true]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (12.5, "12.5"),
        (1e6, "1000000.0"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (-1.5e-10, "-1.5E-10"),
        (1e23, "1.0E23"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_written_as_java_does(value, text):
    assert java_double(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_keeps_its_value(value):
    assert float(java_double(value)) == value


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xed\xa0\x80", "\ufffd"),
        (b"\xed\xa0\x80x", "\ufffdx"),
        (b"\xed\xbfx", "\ufffdx"),
        (b"a\xff\xc3b", "a\ufffd\ufffdb"),
        (b"\xe2\x82", "\ufffd"),
        ("é日𝔘".encode(), "é日𝔘"),
    ],
)
def test_malformed_utf8_is_replaced_where_java_does(data, text):
    assert decode_utf8(data) == text


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("40f9000000000000", "102400.0"), ("4029000000000000", "12.5"), ("3f50624dd2f1a9fc", "0.001"),
        ("3f50617c1bda5119", "9.998046874999998E-4"), ("416312d000000000", "1.0E7"), ("416312cfe0000000", "9999999.0"),
        ("43e0000000000000", "9.223372036854776E18"), ("7fefffffffffffff", "1.7976931348623157E308"),
        ("0000000000000001", "4.9E-324"), ("8000000000000000", "-0.0"), ("3fb999999999999a", "0.1"),
        ("444b1ae4d6e2ef50", "1.0E21"),
    ],
)  # fmt: skip
def test_doubles_are_spelled_as_java_17_spelled_them(bits, text):
    assert java_double(struct.unpack(">d", bytes.fromhex(bits))[0]) == text
