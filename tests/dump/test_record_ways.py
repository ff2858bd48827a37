"""The fast ways to record lines, text and JSON, print exactly what the readable ways print."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkalog.core.checksum import crc32c
from kafkalog.dump import jsonl
from kafkalog.dump.log_text import LogPrinter
from kafkalog.dump.lone_records import Lines, LoneRecords
from kafkalog.dump.record_json import Passed, RecordLines
from kafkalog.dump.record_text import RecordText
from tests import encode
from tests.dump.golden import run
from tests.encode import R

some_bytes = (
    st.binary(max_size=12)
    | st.text(max_size=8).map(str.encode)
    | st.sampled_from([b"\xff\xfe", b'"\\\n', b"x" * 70, b"x" * 9000])
)
nullable = st.none() | some_bytes
headers = (
    st.lists(st.tuples(some_bytes, nullable), max_size=3).map(tuple)
    | st.just(((b"h", b"v"),) * 70)
    # Those of one log are often the same.
    | st.sampled_from([((b"h", b"v"),), ((b"h", None), (b"trace", b"x" * 40))])
)
rows = st.lists(
    st.builds(
        R,
        key=nullable,
        value=nullable,
        headers=st.just(()) | headers,
        timestamp_delta=st.integers(-5, 70),
        attributes=st.just(0),
    ),
    max_size=5,
)
gaps = st.lists(st.integers(0, 2), min_size=5, max_size=5)
batches = st.lists(
    st.tuples(rows, gaps, st.sampled_from([0, 0, 8, 1, 4, 0x20]), st.sampled_from([-1, 0, 2**31 - 3]), st.integers(0, 2)),
    min_size=1,
    max_size=4,
)
flips = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), max_size=2)
KINDS = ([], ["--format", "jsonl"])
FORMS = ("text", "hex", "base64", "length", "sha256", "none")
WAYS = {
    "text": st.sampled_from(("", "0.11", "2.3.1", "2.8.2", "3.9.1")).map(
        lambda release: ["--print-data-log", *(["--kafka-version", release] if release else [])]
    ),
    "deep": st.sampled_from([["--deep-iteration"], ["--deep-iteration", "--format", "jsonl"]]),
    "form": st.sampled_from(FORMS).map(lambda form: ["--print-data-log", "--payload", form]),
    "form-jsonl": st.sampled_from(FORMS).map(lambda form: ["--print-data-log", "--payload", form, "--format", "jsonl"]),
    "bare": st.sampled_from([["--print-data-log"], ["--deep-iteration"], ["--print-data-log", "--kafka-version", "2.8.2"]]).map(
        lambda options: [*options, "--skip-record-metadata"]
    ),
    "decoded": st.sampled_from(
        [
            ["--key-decoder-class", "org.apache.kafka.tools.api.LongDecoder", "--kafka-version", "3.9.1"],
            ["--offsets-decoder"],
            ["--offsets-decoder", "--format", "jsonl"],
        ]
    ),
    "wanted": st.tuples(
        st.sampled_from(
            [
                ["--offsets", "2:5"],
                ["--offsets", ":3"],
                ["--key", ""],
                ["--key", '"\\\n'],
                ["--producer-id", "7"],
                ["--since", "1600000000010"],
                ["--until", "1600000000020"],
                ["--since", "1600000000005", "--offsets", ":4"],
            ]
        ),
        st.sampled_from(KINDS),
        st.sampled_from([[], ["--print-data-log"], ["--deep-iteration"]]),
    ).map(lambda parts: [option for part in parts for option in part]),
}


def log_of(described) -> bytearray:
    data, offset = bytearray(), 0
    for records, skipped, attributes, sequence, gap in described:
        offset += gap
        placed, delta = [], 0
        for record, skip in zip(records, skipped, strict=False):
            placed.append(record._replace(offset_delta=delta))
            delta += 1 + skip // 2
        data += encode.batch(
            placed,
            base_offset=offset,
            attributes=attributes,
            base_sequence=sequence,
            producer_id=-1 if sequence < 0 else 7,
            max_timestamp=1_600_000_000_099,
            compress=encode.CODECS.get(attributes & 7),
        )
        offset += max(1, delta)
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ways")


def both_ways(path, options):
    fast = run([*options, str(path)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecordText, "make", lambda *_: None)
        patch.setattr(LoneRecords, "lines", lambda _, __, position, *___, **____: Lines(b"", [], position))
        patch.setattr(RecordLines, "of", lambda *given: iter([Passed(0, given[-1], whole=False)]))
        plain = run([*options, str(path)])
    return fast, plain


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data(), name=st.sampled_from(["plain", "100%d", "ümläut-\udc80"]), described=batches, flipped=flips)
@settings(max_examples=30)
def test_the_fast_way_prints_what_the_readable_way_prints(folder, way, data, name, described, flipped):
    options = data.draw(WAYS[way])
    log = log_of(described)
    for place, bit in flipped:
        # Behind the fields that say where a batch ends.
        log[61 + place % max(1, len(log) - 61) if len(log) > 61 else 0] ^= 1 << bit
    path = folder / name / "00000000000000000000.log"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(log)
    fast, plain = both_ways(path, options)
    assert fast == plain


lone_batches = st.lists(
    st.tuples(
        rows.filter(bool).map(lambda records: records[:1])
        | st.just([R(key=b"\0\1\0\1g\0\1t\0\0\0\0", value=b"\0\3" + bytes(22))]),
        st.sampled_from([0, 0, 0, 1]).map(lambda delta: [delta * 2] * 5),
        st.sampled_from([0, 0, 0x10, 0x10, 8, 1, 0x40]),
        st.sampled_from([-1, 0, 2**31 - 1]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=2,
    max_size=12,
)
DIALECTS_OF = ("0.11", "2.3.1", "2.8.2", "3.9.1", "4.1.1", "4.4")
LONE_WAYS = st.tuples(
    st.sampled_from(["--print-data-log", "--deep-iteration", "--offsets-decoder", "--transaction-log-decoder"]),
    st.sampled_from([[], [], ["--format", "jsonl"], ["--format", "jsonl", "--payload", "text"]]),
).map(lambda some: [some[0], *(some[1] if some[0] == "--print-data-log" else some[1][:2])])


@given(described=lone_batches, flipped=flips, options=LONE_WAYS, release=st.sampled_from(DIALECTS_OF), fixed=st.booleans())
@settings(max_examples=50)
def test_batches_of_one_record_are_printed_as_any_others(folder, described, flipped, options, release, fixed):
    log = log_of(described)
    for place, bit in flipped:
        log[place % len(log)] ^= 1 << bit
    if fixed and flipped:  # the checksum of the first batch is right whatever it holds
        log[17:21] = crc32c(bytes(log[21 : 12 + int.from_bytes(log[8:12], "big", signed=True)])).to_bytes(4, "big")
    path = folder / "00000000000000000000.log"
    path.write_bytes(log)
    fast, plain = both_ways(path, [*options, "--kafka-version", release])
    assert fast == plain


ODD = {
    "bytes left over": {"records": encode.record(R(key=b"k", value=b"v")) + b"left", "count": 1},
    "a larger last offset": {"last_offset_delta": 2},
    "no such sequence": {"base_sequence": -2, "producer_id": 7},
    "the broker's clock": {"attributes": 8, "max_timestamp": 1_600_000_000_099},
    "a delete horizon": {"attributes": 0x40},
    "a control batch": {"attributes": 0x20},
    "a wrong checksum": {"crc": 1},
    "a later offset": {"records": [R(key=b"k", value=b"v", offset_delta=1)]},
    "no UTF-8": {"records": [R(key=b"\xff", value=b"v")]},
}


@pytest.mark.parametrize("kind", KINDS, ids=["text", "jsonl"])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_batch_among_those_of_one_record_is_printed_the_readable_way(tmp_path, odd, kind):
    path = tmp_path / "00000000000000000000.log"
    usual = {"records": [R(key=b"k", value=b"v")]}
    path.write_bytes(b"".join(encode.batch(base_offset=3 * at, **(usual | ODD[odd] if at == 2 else usual)) for at in range(5)))
    fast, plain = both_ways(path, ["--print-data-log", "--kafka-version", "3.9.1", *kind])
    assert fast == plain
    assert (b'"offset":3,' if kind else b"offset: 3 ") in fast[1]


@pytest.mark.parametrize(("kind", "printer"), [([], LogPrinter), (KINDS[1], jsonl.JsonDump)], ids=["text", "jsonl"])
def test_batches_of_one_record_are_printed_in_one_go_from_window_to_window(tmp_path, monkeypatch, kind, printer):
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(b"".join(encode.batch([R(key=b"k", value=b"v" * 900)], base_offset=n) for n in range(3000)))
    one_by_one = []
    printed = printer._batch
    monkeypatch.setattr(printer, "_batch", lambda *given, **more: (one_by_one.append(1), printed(*given, **more)))
    fast, plain = both_ways(path, ["--print-data-log", "--jobs", "1", *kind])
    assert fast == plain
    assert 3000 < len(one_by_one) < 3000 + 20  # the first ones, and those that lie across the ends of windows


@pytest.mark.parametrize(
    "options", [("--print-data-log",), ("--format", "jsonl", "--print-data-log", "--payload", "text")], ids=["text", "jsonl"]
)
def test_a_topic_with_headers_stays_on_the_fast_way(tmp_path, options, monkeypatch):
    records = [R(n, b"k", b"v", ((b"trace", b"%d" % n), (b"type", None))) for n in range(50)]
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(encode.batch(records))
    monkeypatch.setattr("kafkalog.dump.log_text.LogPrinter._record", None)
    monkeypatch.setattr(jsonl.JsonDump, "_record_line", None)
    status, out, err = run([*options, str(path)])
    assert (status, err) == (0, "")
    assert out.count(b"trace") == 50


def test_what_stands_behind_the_last_record_of_a_regular_batch_is_damage(tmp_path):
    section = encode.record(R(0, b"k", b"v", ((b"h", b"x"),)))
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(encode.batch(section + b"left", count=1))
    fast, plain = both_ways(path, ("--format", "jsonl", "--print-data-log"))
    assert fast == plain
    assert b'"type":"damage"' in fast[1]


@pytest.mark.parametrize("kind", KINDS, ids=["text", "jsonl"])
def test_after_the_last_offset_asked_for_only_headers_are_read(tmp_path, kind, monkeypatch):
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(b"".join(encode.batch([R(0, b"k", b"v")], base_offset=n) for n in range(9)))
    checked = []
    for module in ("dump.log_text", "core.batch", "core.log"):
        monkeypatch.setattr(f"kafkalog.{module}.crc32c", lambda data: checked.append(1) or crc32c(data))
    status, out, err = run([*kind, "--print-data-log", "--offsets", "1:3", str(path)])
    assert (status, err, out.count(b"keySize")) == (0, "", 2)
    assert len(checked) == 4


@pytest.mark.parametrize("kind", KINDS, ids=["text", "jsonl"])
def test_a_wanted_record_after_the_last_offset_asked_for_is_found(tmp_path, kind):
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(b"".join(encode.batch([R(0, b"k", b"v")], base_offset=n) for n in (0, 1, 5, 2, 6)))
    status, out, _ = run([*kind, "--print-data-log", "--offsets", ":3", str(path)])
    assert (status, out.count(b"keySize")) == (0, 3)
