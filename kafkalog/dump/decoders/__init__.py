"""The decoders of internal topics: the key and payload texts of each release's DumpLogSegments.

`decoder_for` gives the decoder of a release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from kafkalog.dump.decoder_changes import OFFSETS_AS_JSON, SHARE_VALUE_VERSION, TRANSACTIONS_AS_JSON
from kafkalog.dump.decoder_names import DECODERS
from kafkalog.dump.decoders.coordinator_json import CoordinatorJson
from kafkalog.dump.decoders.framed import ClusterMetadataJson, RemoteLogMetadataText
from kafkalog.dump.decoders.offsets_text import OffsetsText
from kafkalog.dump.decoders.transactions_text import TransactionsText
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.dump.decoders.base import Decoder

__all__ = ["decoder_for"]


def decoder_for(name: str, release: Release) -> Decoder:
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
        return CoordinatorJson(release, GROUP_RECORDS) if OFFSETS_AS_JSON.applies_to(release) else OffsetsText(release)
    if name == "transaction-log":
        if TRANSACTIONS_AS_JSON.applies_to(release):
            return CoordinatorJson(release, TRANSACTION_RECORDS)
        return TransactionsText(release)
    if name == "cluster-metadata":
        return ClusterMetadataJson(release)
    if name == "remote-log-metadata":
        return RemoteLogMetadataText(release)
    return CoordinatorJson(release, SHARE_GROUP_RECORDS, "version" if SHARE_VALUE_VERSION.applies_to(release) else "type")
