"""Every invariant has a rule, or a reason why it has none."""

from __future__ import annotations

from kafkalog.verify import RULES
from tests.verify.invariants import UNJUDGED, judges, numbers


def test_every_invariant_is_judged_by_a_rule_or_listed_with_a_reason_and_never_both():
    judged = {number for number in numbers() if judges(number)}
    assert judged | set(UNJUDGED) == set(numbers())
    assert not judged & set(UNJUDGED)


def test_rules_name_no_invariant_that_does_not_exist():
    assert {number for rule in RULES.values() for number in rule.invariants} <= set(numbers())


def test_there_are_157_invariants_and_one_that_was_found_later():
    assert len(numbers()) == 157 + 1  # G12: a `.txnindex` equals a replay of the log
