"""Offsets that are gone, by what is left of a log: who tells of them, and what else may explain it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.files.log_dir import HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS, CheckpointLine, PartitionContext
from kafkalog.kafka.cleaner_traces import CleanerTraces
from kafkalog.kafka.gone_offsets import gone_at_end, gone_at_start, gone_offsets
from kafkalog.kafka.remains import Remains, SegmentEnd
from kafkalog.span import Span

LEFT = Remains(segments=(SegmentEnd(50, 100),), traces=CleanerTraces(()))


def context(*, clean=True, in_use=False, tiered=False, **offsets):
    names = {"start": LOG_STARTS, "point": RECOVERY_POINTS, "mark": HIGH_WATERMARKS}
    lines = {names[name]: CheckpointLine(names[name], offset, Span(0, 1)) for name, offset in offsets.items()}
    return PartitionContext(
        in_log_dir=True, clean=clean, in_use=in_use, lines=lines, log_starts_known=True, may_be_tiered=tiered
    )


def test_a_log_start_below_the_first_segment_tells_of_a_missing_one_unless_it_may_be_in_remote_storage():
    gone = gone_at_start(LEFT, context(start=10))
    assert (gone.first, gone.last, gone.certain) == (10, 49, True)
    assert gone_at_start(LEFT, context(start=10, tiered=True)).unless == "they are in remote storage"
    assert gone_at_start(replace(LEFT, is_tiered=True), context(start=10)) is None
    assert gone_at_start(LEFT, context(start=50)) is None


def test_epochs_from_before_the_first_segment_tell_of_a_missing_one_after_a_clean_stop_only():
    left = replace(LEFT, epochs=(EpochEntry(0, 20),))
    gone = gone_at_start(left, context())
    assert (gone.first, gone.last) == (20, 49)
    assert gone_at_start(left, context(clean=False)) is None


@pytest.mark.parametrize("state", ["is_metadata", "is_swapping"])
def test_a_log_that_the_broker_cuts_or_swaps_itself_tells_of_nothing(state):
    left = replace(LEFT, **{state: True})
    assert gone_at_end(left, context(mark=120)) is None
    assert gone_at_start(left, context(start=10)) is None


def test_directories_that_are_marked_tell_of_nothing():
    assert gone_at_end(replace(LEFT, mark="future"), context(mark=120)) is None
    assert gone_offsets(replace(LEFT, mark="delete"), context(mark=120, start=10)) == ()


def test_a_high_watermark_after_a_torn_end_may_be_that_of_a_crash_unless_the_offsets_were_flushed():
    torn = replace(LEFT, segments=(SegmentEnd(50, 100, is_torn=True),))
    assert gone_at_end(torn, context(clean=False, mark=120)).unless == "the machine crashed before they were on disk"
    assert gone_at_end(torn, context(clean=False, mark=120, point=110)).certain
    assert gone_at_end(LEFT, context(clean=False, mark=120)).certain


def test_a_high_watermark_against_the_recovery_point_of_a_clean_stop_is_no_certain_loss():
    gone = gone_at_end(LEFT, context(mark=120, point=100))
    assert (gone.certain, gone.is_odd) == (False, True)
    assert gone.against == "the recovery point 100"


def test_what_is_certain_is_told_before_what_goes_further():
    gone = gone_at_end(LEFT, context(mark=120, point=110))
    assert (gone.last, gone.witness) == (119, "the high watermark 120")
    torn = replace(LEFT, segments=(SegmentEnd(50, 100, is_torn=True),), without_log=())
    gone = gone_at_end(torn, context(clean=False, mark=120, in_use=True))
    assert gone.unless == "the broker was running and its checkpoint files were copied after the log"
