"""What names say, and what they do not."""

from __future__ import annotations

import pytest

from kafkalog.core.filename import PartitionName, SegmentFileName, parse_partition_name, parse_segment_file_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("00000000000000000042.log", SegmentFileName(42, ".log")),
        ("00000000000000000042.index", SegmentFileName(42, ".index")),
        ("00000000000000000042.timeindex", SegmentFileName(42, ".timeindex")),
        ("00000000000000000042.txnindex", SegmentFileName(42, ".txnindex")),
        ("00000000000000000042.snapshot", SegmentFileName(42, ".snapshot")),
        ("00000000000000000042.log.deleted", SegmentFileName(42, ".log", ".deleted")),
        ("00000000000000000042.timeindex.cleaned", SegmentFileName(42, ".timeindex", ".cleaned")),
        ("00000000000000000042.txnindex.swap", SegmentFileName(42, ".txnindex", ".swap")),
        ("00000000000000000042-0000000003.checkpoint", SegmentFileName(42, ".checkpoint", "", 3)),
        ("00000000000000000042-0000000003.checkpoint.deleted", SegmentFileName(42, ".checkpoint", ".deleted", 3)),
        ("00000000000000000042-0000000003.checkpoint.part", SegmentFileName(42, ".checkpoint", ".part", 3)),
        ("00000000000000000042-0000000003.checkpoint.8723.part", SegmentFileName(42, ".checkpoint", ".part", 3)),
        ("42.log", None),
        ("-0000000000000000042.log", None),
        ("00000000000000000042.log~", None),
        ("00000000000000000042.logs", None),
        ("00000000000000000042", None),
        ("٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٤٢.log", None),
        ("notes.log", None),
        ("leader-epoch-checkpoint", None),
        ("", None),
    ],
)
def test_names_of_segment_files(name, expected):
    assert parse_segment_file_name(name) == expected


HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders-0", PartitionName("orders", 0)),
        ("my-topic.with_all-12", PartitionName("my-topic.with_all", 12)),
        ("__consumer_offsets-49", PartitionName("__consumer_offsets", 49)),
        (f"orders-0.{HEX}-delete", PartitionName("orders", 0, "delete")),
        (f"orders-0.{HEX}-future", PartitionName("orders", 0, "future")),
        (f"a.b-c-7.{HEX}-stray", PartitionName("a.b-c", 7, "stray")),
        ("orders", None),
        ("orders-", None),
        ("-0", None),
        ("orders-x", None),
        ("orders-0-copy", None),
        ("orders-0.bak", None),
        ("orders-99999999999", None),
        ("orders-2147483647", PartitionName("orders", 2147483647)),
        ("orders-2147483648", None),
        (f"orders-0.{HEX}-gone", None),
        ("lost+found", None),
        ("", None),
    ],
)
def test_names_of_partition_directories(name, expected):
    assert parse_partition_name(name) == expected
