"""The decoders of internal topics: the key and payload texts of each release's DumpLogSegments.

`decoder_for` gives the decoder of a release, `decoder_name_for_topic` which one a topic needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from kafkalog.dump.decoders.coordinator_json import CoordinatorJson
from kafkalog.dump.decoders.framed import ClusterMetadataJson, RemoteLogMetadataText
from kafkalog.dump.decoders.offsets_text import OffsetsText
from kafkalog.dump.decoders.transactions_text import TransactionsText
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from kafkalog.core.messages.schema import Release
    from kafkalog.dump.decoders.base import Decoder

__all__ = ["DECODERS", "TOPIC_DECODERS", "decoder_for"]

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


def decoder_for(name: str, release: tuple[int, ...]) -> Decoder:
    """The decoder of that name as `release` has it; a release before its option gets its first form.

    Args:
        name: One of `DECODERS`.
        release: The release whose texts are wanted, e.g. `(3, 9, 1)`.

    Raises:
        RequestError: there is no such decoder.
    """
    if name not in DECODERS:
        raise RequestError(f"no decoder {name!r}; there are {', '.join(DECODERS)}")
    release = max(release, DECODERS[name])
    if name == "offsets":
        return CoordinatorJson(release, GROUP_RECORDS) if release >= (3, 8, 0) else OffsetsText(release)
    if name == "transaction-log":
        return CoordinatorJson(release, TRANSACTION_RECORDS) if release >= (4, 1, 0) else TransactionsText(release)
    if name == "cluster-metadata":
        return ClusterMetadataJson(release)
    if name == "remote-log-metadata":
        return RemoteLogMetadataText(release)
    return CoordinatorJson(release, SHARE_GROUP_RECORDS, "version" if release >= (4, 1, 0) else "type")
