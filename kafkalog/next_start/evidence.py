"""A log dir with what it shows of its broker: the era and the cluster's metadata, each worked out once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.next_start.cluster_metadata import ClusterMetadata
from kafkalog.next_start.era import era_of

if TYPE_CHECKING:
    from kafkalog.files.log_dir import LogDir
    from kafkalog.next_start.era import Era

__all__ = ["BrokerEvidence"]


class BrokerEvidence:
    """What a log dir shows of its broker.

    Args:
        log_dir: The log dir.
    """

    def __init__(self, log_dir: LogDir) -> None:
        self.log_dir = log_dir
        self.metadata = ClusterMetadata(log_dir)

    @cached_property
    def era(self) -> Era:
        """Whether the broker runs with KRaft or with ZooKeeper, and as which release its next start is predicted."""
        return era_of(self.log_dir, self.metadata)
