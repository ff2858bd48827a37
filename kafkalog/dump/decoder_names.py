"""The decoders of internal topics by name: since when the tool has them, and which topics need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS

if TYPE_CHECKING:
    from kafkalog.core.release import Release

__all__ = ["DECODERS", "TOPIC_DECODERS"]

#: The decoders in the order in which the real tool prefers them, with the release their option came with.
DECODERS: dict[str, Release] = {
    "offsets": (0, 11, 0, 0),
    "transaction-log": (0, 11, 0, 0),
    "cluster-metadata": (2, 8, 0),
    "remote-log-metadata": (3, 9, 0),
    "share-group-state": (4, 0, 0),
}

#: Which decoder the records of a topic need.
TOPIC_DECODERS = {
    "__consumer_offsets": "offsets",
    "__transaction_state": "transaction-log",
    **dict.fromkeys(METADATA_TOPICS, "cluster-metadata"),
    "__remote_log_metadata": "remote-log-metadata",
    "__share_group_state": "share-group-state",
}
