"""How Kafka's own code fails on what it reads: a class for each thing that the broker does about it while it loads a log."""

from __future__ import annotations

__all__ = [
    "BrokerAborts",
    "CorruptIndex",
    "CorruptRecord",
    "InvalidOffset",
    "InvalidRecord",
    "LoadFailure",
    "LogDirOffline",
]


class LoadFailure(Exception):
    """An exception inside the modelled broker: Kafka's class and what it would say.

    Args:
        kafka_class: Simple name of the Java exception.
        text: Its message, in kafkalog's words where Kafka's holds paths.
        file: Name of the file that it is about; None: no single one.
    """

    def __init__(self, kafka_class: str, text: str, *, file: str | None = None) -> None:
        self.kafka_class = kafka_class
        self.file = file
        self.text = text
        super().__init__(kafka_class, text)

    def __str__(self) -> str:
        return f"{self.kafka_class}: {self.text}"


class BrokerAborts(LoadFailure):
    """Nobody catches it: LogManager gives up and the process exits."""


class LogDirOffline(LoadFailure):
    """An IOException or KafkaStorageException: the log dir is taken offline, the broker goes on without it."""


class CorruptRecord(LoadFailure):
    """CorruptRecordException: ends the valid part of a segment in recovery, stops the broker anywhere else."""

    def __init__(self, text: str) -> None:
        super().__init__("CorruptRecordException", text)


class InvalidRecord(LoadFailure):
    """InvalidRecordException: since 2.4 the same as a corrupt record in recovery."""

    def __init__(self, text: str) -> None:
        super().__init__("InvalidRecordException", text)


class InvalidOffset(LoadFailure):
    """InvalidOffsetException: an index refuses an offset that is not above its last one."""

    def __init__(self, text: str) -> None:
        super().__init__("InvalidOffsetException", text)


class CorruptIndex(LoadFailure):
    """CorruptIndexException: the segment is recovered."""

    def __init__(self, text: str) -> None:
        super().__init__("CorruptIndexException", text)
