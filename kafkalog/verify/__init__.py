"""The truth about a directory: whether its data are sound, and if not, where and what to do."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

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


class _Callable(ModuleType):
    """This package, which can be called: `kafkalog.verify(path)`, whether the package was imported before or not."""

    def __call__(self, *args: Any, **options: Any) -> Report:
        return verify(*args, **options)


sys.modules[__name__].__class__ = _Callable
