"""Whether the data in a directory are sound, and if not, where the damage is and what to do."""

from __future__ import annotations

from kafkalog.verify import rules as _rules  # noqa: F401 - fills the registry
from kafkalog.verify.engine import verify
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.policy import Policy, read_baseline
from kafkalog.verify.report import PartitionReport, Report
from kafkalog.verify.rule import RULES, Rule, rule_of

__all__ = [
    "RULES",
    "Finding",
    "PartitionReport",
    "Policy",
    "Report",
    "Rule",
    "Severity",
    "read_baseline",
    "rule_of",
    "verify",
]
