"""Forensics of Kafka's log segments: offline, read-only, without a JVM.

>>> import kafkalog
>>> partition = kafkalog.open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
>>> batch = next(partition.batches())
>>> record = next(batch.records())
>>> record.offset
0
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kafkalog.services import offer as _offer

if TYPE_CHECKING:
    from kafkalog.core.batch import Damage, RecordBatch
    from kafkalog.core.legacy import LegacyBatch, LegacyRecord
    from kafkalog.core.record import Record, RecordHeader
    from kafkalog.diff.api import diff
    from kafkalog.diff.values import ReplicaDiff, Replicas
    from kafkalog.errors import (
        ExtraMissing,
        FileChanged,
        FormatError,
        KafkalogError,
        LimitExceeded,
        RequestError,
        UnreadableFile,
        UnwritableFile,
    )
    from kafkalog.files.aiven import use_aiven_keys
    from kafkalog.files.log_dir import LogDir, open_log_dir
    from kafkalog.files.partition import Partition, open_partition
    from kafkalog.files.segment import Segment, open_segment
    from kafkalog.info.api import describe
    from kafkalog.info.values import Description, LogDirInfo, PartitionInfo, SegmentInfo
    from kafkalog.next_start.api import next_start, next_starts
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.replay.groups import read_groups
    from kafkalog.replay.metadata import read_metadata
    from kafkalog.replay.transactions import read_transactions
    from kafkalog.replay.until import Until
    from kafkalog.salvage.api import salvage
    from kafkalog.salvage.values import PartitionSalvage, Salvage
    from kafkalog.span import Padding, Span
    from kafkalog.table.api import table
    from kafkalog.table.table import Table
    from kafkalog.verify.engine import verify
    from kafkalog.verify.finding import Finding, Severity
    from kafkalog.verify.policy import Policy
    from kafkalog.verify.report import PartitionReport, Report

__version__ = "0.1.0"

__all__ = [
    "Damage",
    "Description",
    "ExtraMissing",
    "FileChanged",
    "Finding",
    "FormatError",
    "KafkalogError",
    "LegacyBatch",
    "LegacyRecord",
    "LimitExceeded",
    "LogDir",
    "LogDirInfo",
    "Outcome",
    "Padding",
    "Partition",
    "PartitionInfo",
    "PartitionReport",
    "PartitionSalvage",
    "Policy",
    "Record",
    "RecordBatch",
    "RecordHeader",
    "ReplicaDiff",
    "Replicas",
    "Report",
    "RequestError",
    "Salvage",
    "Segment",
    "SegmentInfo",
    "Severity",
    "Span",
    "Table",
    "UnreadableFile",
    "Until",
    "UnwritableFile",
    "__version__",
    "describe",
    "diff",
    "next_start",
    "next_starts",
    "open_log_dir",
    "open_partition",
    "open_segment",
    "read_groups",
    "read_metadata",
    "read_transactions",
    "salvage",
    "table",
    "use_aiven_keys",
    "verify",
]

#: Names are imported when they are used: start-up is half of a small dump, and reading logs needs little of what is here.
_LAZY = {
    "Damage": "kafkalog.core.batch",
    "ExtraMissing": "kafkalog.errors",
    "FileChanged": "kafkalog.errors",
    "FormatError": "kafkalog.errors",
    "KafkalogError": "kafkalog.errors",
    "LegacyBatch": "kafkalog.core.legacy",
    "LegacyRecord": "kafkalog.core.legacy",
    "LimitExceeded": "kafkalog.errors",
    "LogDir": "kafkalog.files.log_dir",
    "Padding": "kafkalog.span",
    "Partition": "kafkalog.files.partition",
    "Record": "kafkalog.core.record",
    "RecordBatch": "kafkalog.core.batch",
    "RecordHeader": "kafkalog.core.record",
    "ReplicaDiff": "kafkalog.diff.values",
    "Replicas": "kafkalog.diff.values",
    "RequestError": "kafkalog.errors",
    "Segment": "kafkalog.files.segment",
    "Span": "kafkalog.span",
    "Table": "kafkalog.table.table",
    "UnreadableFile": "kafkalog.errors",
    "UnwritableFile": "kafkalog.errors",
    "open_log_dir": "kafkalog.files.log_dir",
    "open_partition": "kafkalog.files.partition",
    "open_segment": "kafkalog.files.segment",
    "use_aiven_keys": "kafkalog.files.aiven",
    "Until": "kafkalog.replay.until",
    "Description": "kafkalog.info.values",
    "LogDirInfo": "kafkalog.info.values",
    "PartitionInfo": "kafkalog.info.values",
    "SegmentInfo": "kafkalog.info.values",
    "describe": "kafkalog.info.api",
    "Outcome": "kafkalog.next_start.outcome",
    "next_starts": "kafkalog.next_start.api",
    "read_groups": "kafkalog.replay.groups",
    "read_metadata": "kafkalog.replay.metadata",
    "read_transactions": "kafkalog.replay.transactions",
    "Finding": "kafkalog.verify",
    "PartitionReport": "kafkalog.verify",
    "PartitionSalvage": "kafkalog.salvage.values",
    "Salvage": "kafkalog.salvage.values",
    "Policy": "kafkalog.verify",
    "Report": "kafkalog.verify",
    "Severity": "kafkalog.verify",
}


_offer(
    html="kafkalog.render.notebook:html_of",
    jsonl="kafkalog.render.json_verify:report_json_lines",
    merged="kafkalog.verify.merging:merged",
    plots="kafkalog.plot.api:Plots",
    report_html="kafkalog.render.report.html:report_html",
    rich="kafkalog.render.notebook:drawn",
    salvage_lines="kafkalog.render.json_salvage:salvage_lines",
    table="kafkalog.table.api:table",
    verify="kafkalog.verify.engine:verify",
    version="kafkalog:__version__",
)


class _Package(ModuleType):
    """This package: five of its functions have the names of packages in it, which an import would put in their place."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray and Spark pickle what a function on the command line refers to, modules by their name.
        return import_module, (self.__name__,)

    @property
    def diff(self) -> Any:
        """The function `kafkalog.diff.api.diff`."""
        return import_module("kafkalog.diff.api").diff

    @diff.setter
    def diff(self, package: ModuleType) -> None:
        del package

    @property
    def next_start(self) -> Any:
        """The function `kafkalog.next_start.api.next_start`."""
        return import_module("kafkalog.next_start.api").next_start

    @next_start.setter
    def next_start(self, package: ModuleType) -> None:
        del package

    @property
    def salvage(self) -> Any:
        """The function `kafkalog.salvage.api.salvage`."""
        return import_module("kafkalog.salvage.api").salvage

    @salvage.setter
    def salvage(self, package: ModuleType) -> None:
        del package

    @property
    def table(self) -> Any:
        """The function `kafkalog.table.api.table`."""
        return import_module("kafkalog.table.api").table

    @table.setter
    def table(self, package: ModuleType) -> None:
        del package

    @property
    def verify(self) -> Any:
        """The function `kafkalog.verify.engine.verify`."""
        return import_module("kafkalog.verify.engine").verify

    @verify.setter
    def verify(self, package: ModuleType) -> None:
        del package


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
