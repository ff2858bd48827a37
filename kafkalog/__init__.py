"""Forensics of Kafka's log segments: offline, read-only, without a JVM.

>>> import kafkalog
>>> partition = kafkalog.open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
>>> batch = next(partition.batches())
>>> record = next(batch.records())
>>> record.offset
0
"""

from __future__ import annotations

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
    from kafkalog.internal.groups import read_groups
    from kafkalog.internal.metadata import read_metadata
    from kafkalog.internal.moment import Moment
    from kafkalog.internal.transactions import read_transactions

__version__ = "0.1.0"

#: Names that are imported when they are used, and where they live: not everybody who reads a log needs Kafka's messages.
_LATER = {
    "Moment": "kafkalog.internal.moment",
    "read_groups": "kafkalog.internal.groups",
    "read_metadata": "kafkalog.internal.metadata",
    "read_transactions": "kafkalog.internal.transactions",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)


__all__ = [
    "Damage",
    "FileChanged",
    "FormatError",
    "KafkalogError",
    "LegacyBatch",
    "LegacyRecord",
    "LimitExceeded",
    "LogDir",
    "Moment",
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
    "open_log_dir",
    "open_partition",
    "read_groups",
    "read_metadata",
    "read_transactions",
]
