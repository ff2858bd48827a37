"""Payloads that are damaged although their batches are sound: noted, and the rest counts."""

from __future__ import annotations

import json
import random
from functools import cache

import pytest

from kafkalog.core.messages.records import read_metadata_record
from kafkalog.render.json_replay import change_lines, group_lines, metadata_lines, transaction_lines
from kafkalog.render.text_groups import groups_text
from kafkalog.render.text_metadata import change_text, metadata_text
from kafkalog.render.text_transactions import transactions_text
from kafkalog.replay.groups import read_groups
from kafkalog.replay.image import diff_images
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.transactions import read_transactions
from kafkalog.replay.until import Until
from tests import encode
from tests.internal_topics import internal_records
from tests.log_dirs import fixture, fixture_log_dirs
from tests.replay.test_groups import write_log
from tests.replay.test_metadata import PREVIEW
from tests.screens import plain


@cache
def real_records():
    """Key and value of real records by topic, each once."""
    found = {}
    for case in fixture_log_dirs():
        for topic, _, record in internal_records(case.path()):
            found.setdefault(topic, set()).add((record.key, record.value))
    found["__cluster_metadata"] |= {(None, bytes.fromhex(value)) for value in PREVIEW}
    return {topic: sorted(pairs, key=repr) for topic, pairs in found.items()}


def damaged(dice, data):
    if data is None or dice.random() < 0.5:
        return data
    data = bytearray(data)
    kind = dice.random()
    if kind < 0.6 and data:
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] = dice.randrange(256)
    elif kind < 0.8:
        del data[dice.randrange(len(data) + 1) :]
    else:
        data += dice.randbytes(dice.randint(1, 9))
    return bytes(data)


@pytest.mark.parametrize("seed", range(8))
def test_no_payload_ends_a_replay_and_every_record_is_counted(tmp_path, seed):
    dice = random.Random(seed)
    count = 200
    for topic in ("__cluster_metadata", "__consumer_offsets", "__share_group_state", "__transaction_state"):
        pairs = [dice.choice(real_records()[topic]) for _ in range(count)]
        batches = [
            encode.batch([encode.R(key=damaged(dice, key), value=damaged(dice, value))], base_offset=at)
            for at, (key, value) in enumerate(pairs)
        ]
        write_log(tmp_path, batches, f"{topic}-0")
    metadata, before = read_metadata(tmp_path), read_metadata(tmp_path, Until(offset=count // 2))
    groups, transactions = read_groups(tmp_path), read_transactions(tmp_path)
    for found, topics in ((metadata, 1), (groups, 2), (transactions, 1)):
        assert found.records == topics * count
        assert found.notes
        assert all(0 <= note.offset < count for note in found.notes if note.offset is not None)
    for line in (
        *metadata_lines(metadata),
        *change_lines(before, metadata),
        *group_lines(groups),
        *transaction_lines(transactions),
    ):
        json.dumps(line, allow_nan=False)
    for lines in (
        metadata_text(metadata),
        change_text(before, metadata),
        groups_text(groups),
        transactions_text(transactions, []),
    ):
        assert all(line.isprintable() for line in plain(lines))


def test_one_damaged_payload_is_noted_once_and_changes_only_what_it_was_about(tmp_path):
    source = f"{fixture('4.1.1', 'meta-n2').path()}/__cluster_metadata-0"
    values = [record.value for topic, path, record in internal_records(source.rpartition("/")[0]) if path.endswith(".log")]
    sound = image(tmp_path / "sound", values)
    for number in range(0, len(values), 7):
        broken = [*values[:number], values[number][:3] + b"\xff", *values[number + 1 :]]
        found = image(tmp_path / str(number), broken)
        assert found.records == sound.records
        new = [note for note in found.notes if note not in sound.notes]
        assert number in [note.offset for note in new] or diff_images(sound.image, found.image) == []


def image(folder, values):
    batches = [encode.batch([encode.R(value=value)], base_offset=at) for at, value in enumerate(values)]
    found = read_metadata(write_log(folder, batches, "__cluster_metadata-0"))
    return found._replace(notes=[note._replace(path="") for note in found.notes])


@pytest.mark.parametrize("value", ["000c818d270a26ff2a00", "008b0087eb03a3000000000000000200", "01168080040000"])
def test_a_version_beyond_int16_is_none(value):
    decoded = read_metadata_record(bytes.fromhex(value))
    assert decoded.value is None
    assert "is no version" in decoded.problem


def test_a_record_that_ends_behind_its_version_is_damage_not_an_empty_message():
    decoded = read_metadata_record(b"\x01\x16\x00")
    assert decoded.value is None
    assert "the bytes end too early" in decoded.problem
