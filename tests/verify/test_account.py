"""The account of a partition: what of its findings counts, each offset once, and which of them explains most."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kafkalog.kafka.consumed import Skipped
from kafkalog.next_start.outcome import Assumed, Consumer, ConsumerRead, Outcome
from kafkalog.span import Span
from kafkalog.verify.account import account_of
from kafkalog.verify.finding import Cause, Finding, Severity

LOG = f"orders-0/{0:020d}.log"
CRC, GAP, HW, REPLACED = "batch-crc-mismatch", "segment-gap", "hw-beyond-end", "log-replaced"


def found(rule, offsets, *, cause=None, severity=Severity.ERROR, span=None):
    remedy = f"mend {rule}"
    return Finding(rule, severity, LOG, span, offsets, "", {}, "", remedy, cause=None if cause is None else Cause(cause, LOG))


def account(*findings, outcomes=()):
    return account_of("orders-0", findings, outcomes, log_start_offset=0, log_end_offset=100)


def start(read):
    assumed = Assumed("clean", None, "4.4.0")
    return Outcome(
        path="orders-0",
        assumed=assumed,
        broker="starts",
        log_dir="online",
        partition="loaded",
        causes=(),
        records_lost=0,
        bytes_lost=0,
        consumer=Consumer(read, read),
    )


def test_what_only_seems_to_be_gone_because_it_cannot_be_read_is_unreadable():
    told = account(found(CRC, (10, 19)), found(GAP, (10, 19), cause=CRC))
    assert (told.gone, told.unreadable) == ((), ((10, 19),))


def test_what_a_foreign_log_lacks_is_told_by_its_place_alone():
    told = account(found(REPLACED, (50, 59)), found(GAP, (30, 59), cause=REPLACED))
    assert told.gone == ((50, 59),)


def test_offsets_that_are_gone_and_unreadable_by_two_findings_count_once():
    told = account(found(GAP, (10, 19)), found(CRC, (15, 24)))
    assert (told.gone, told.unreadable) == (((10, 19),), ((20, 24),))


def test_a_finding_that_follows_from_another_explains_nothing_however_much_it_tells():
    told = account(found(HW, (10, 90), cause=GAP), found(GAP, (10, 19)))
    assert told.cause.id == GAP
    assert told.first_action == f"mend {GAP}"


def test_of_two_causes_the_one_that_loses_more_explains_most():
    assert account(found(CRC, (1, 2)), found(GAP, (10, 19))).cause.id == GAP


def test_infos_lose_nothing():
    told = account(found(HW, (10, 19), severity=Severity.INFO))
    assert (told.gone, told.cause) == ((), None)


def test_bytes_of_two_findings_about_one_batch_count_once():
    told = account(found(CRC, (1, 2), span=Span(0, 100)), found(CRC, (3, 4), span=Span(50, 150)))
    assert told.unreadable_bytes == 150


@pytest.mark.parametrize("field", ["unreached", "skipped"])
def test_what_consumers_do_not_get_leaves_out_what_is_gone_or_unreadable(field):
    read = ConsumerRead(10, 10, None, stuck=False)
    read = read._replace(unreached=(10, 99)) if field == "unreached" else read._replace(skipped=(Skipped(10, 99, 80),))
    told = account(found(CRC, (10, 19)), found(GAP, (50, 59)), outcomes=(start(read),))
    assert getattr(told, field) == ((20, 49), (60, 99))


def test_a_start_is_harm_only_where_it_costs_something():
    sound = start(ConsumerRead(100, 100, None, stuck=False))
    told = account(outcomes=(sound, replace(sound, records_lost=5, bytes_lost=50)))
    assert [(one.records, one.is_harm) for one in told.starts] == [(0, False), (5, True)]
