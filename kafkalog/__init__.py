"""Forensics of Kafka's log segments: offline, read-only, without a JVM.

>>> import kafkalog
>>> partition = kafkalog.open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
>>> batch = next(partition.batches())
>>> record = next(batch.records())
>>> record.offset
0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch, LegacyRecord
from kafkalog.core.record import Record, RecordHeader
from kafkalog.core.span import Padding, Span
from kafkalog.errors import FileChanged, FormatError, KafkalogError, LimitExceeded, RequestError, UnreadableFile
from kafkalog.files.log_dir import LogDir, open_log_dir
from kafkalog.files.partition import Partition, open_partition
from kafkalog.files.segment import Segment

if TYPE_CHECKING:
    from kafkalog.recovery.outcome import Outcome
    from kafkalog.recovery.predict import next_start, next_starts

__version__ = "0.1.0"

__all__ = [
    "Damage",
    "FileChanged",
    "FormatError",
    "KafkalogError",
    "LegacyBatch",
    "LegacyRecord",
    "LimitExceeded",
    "LogDir",
    "Outcome",
    "Padding",
    "Partition",
    "Record",
    "RecordBatch",
    "RecordHeader",
    "RequestError",
    "Segment",
    "Span",
    "UnreadableFile",
    "__version__",
    "next_start",
    "next_starts",
    "open_log_dir",
    "open_partition",
]

#: Names that are imported when they are used, for a program that only reads logs does not need what stands behind them.
_LAZY = {
    "Outcome": "kafkalog.recovery.outcome",
    "next_start": "kafkalog.recovery.predict",
    "next_starts": "kafkalog.recovery.predict",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
