"""Forensics of Kafka's log segments: offline, read-only, without a JVM.

>>> import kafkalog
>>> partition = kafkalog.open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
>>> batch = next(partition.batches())
>>> record = next(batch.records())
>>> record.offset
0
"""

from __future__ import annotations

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch, LegacyRecord
from kafkalog.core.record import Record, RecordHeader
from kafkalog.core.span import Padding, Span
from kafkalog.errors import FileChanged, FormatError, KafkalogError, LimitExceeded, RequestError, UnreadableFile
from kafkalog.files.log_dir import LogDir, open_log_dir
from kafkalog.files.partition import Partition, open_partition
from kafkalog.files.segment import Segment
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
