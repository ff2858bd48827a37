"""A word on stderr about what is wrong in a partition, as soon as it has been looked at, where the report takes long to come.

The report comes when all partitions have been looked at and compared, and the next start has been predicted: what is said of
one may depend on the others. Whoever waits for thousands of them wants to know at once that something is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.cli.streams import say
from kafkalog.render.ceilings import MOST_PARTITIONS

if TYPE_CHECKING:
    from kafkalog.verify.report import PartitionReport

__all__ = ["EarlyWord"]


class EarlyWord:
    """Says which errors partitions have, while as many as a report tells in full are still to be looked at; of so many, too."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, report: PartitionReport, left: int) -> None:
        """A partition has been looked at, and so many are left."""
        from kafkalog.verify import Severity

        # What is less may turn out to be one thing in all partitions, as when their indexes were not copied.
        wrong = [finding for finding in report.findings if finding.severity >= Severity.ERROR]
        if not wrong or left < MOST_PARTITIONS or self._said == MOST_PARTITIONS:
            return
        self._said += 1
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        say(f"kafkalog: {report.path}: {wrong[0].id}{more}; {left} partitions are still to be looked at")
        if self._said == MOST_PARTITIONS:
            say("kafkalog: what else is found stands only in the report")
