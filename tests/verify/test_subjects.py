"""What a report speaks of first: what stops the broker, then its metadata log, then the worst."""

from __future__ import annotations

from dataclasses import replace

from kafkalog.next_start.outcome import Assumed, Outcome
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.report import PartitionReport, Report
from kafkalog.verify.subjects import subjects_of

SOUND = PartitionReport(
    path="orders-0",
    topic="orders",
    partition=0,
    findings=(),
    valid_through_offset=99,
    valid_file="",
    valid_position=0,
    log_start_offset=0,
    log_end_offset=100,
    segments=1,
    batches=1,
    records=100,
    bytes=1000,
)
STOPS = Outcome(
    path="stops-0",
    assumed=Assumed("clean", None, "4.4.0"),
    broker="aborts",
    log_dir=None,
    partition="unknown",
    causes=(),
)


def damaged(name, *, gone=None, rule="batch-crc-mismatch", starts=()):
    told = [] if gone is None else [Finding(rule, Severity.ERROR, name, None, gone, "", {}, "", "")]
    return replace(SOUND, path=name, findings=tuple(told), next_start=starts)


def names(*partitions):
    return [one.path for one in subjects_of(Report(0, partitions))]


def test_what_stops_the_broker_comes_before_all_else():
    stopping = damaged("stops-0", starts=(STOPS,))
    assert names(damaged("orders-0", gone=(0, 99)), damaged("__cluster_metadata-0", gone=(5, 6)), stopping)[0] == "stops-0"


def test_the_metadata_log_comes_before_partitions_that_have_lost_more():
    assert names(damaged("orders-0", gone=(0, 99)), damaged("__cluster_metadata-0", gone=(5, 6))) == [
        "__cluster_metadata-0",
        "orders-0",
    ]


def test_of_partitions_the_one_that_has_lost_most_comes_first_and_sound_ones_are_not_spoken_of():
    assert names(damaged("few-0", gone=(0, 1)), SOUND, damaged("many-0", gone=(0, 50))) == ["many-0", "few-0"]
