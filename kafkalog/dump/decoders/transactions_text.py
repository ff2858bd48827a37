"""`--transaction-log-decoder` up to Kafka 4.0: a text of its own for a transactional id's state.

Source: DumpLogSegments.scala 0.11.0.2 to 2.4.0, TransactionLog.scala 2.4.1 to 4.0.0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.object_texts import CoordinatorTexts
from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.core.messages.transaction import (
    TRANSACTION_LOG_KEY,
    TRANSACTION_LOG_VALUE,
    TRANSACTION_RECORDS,
    TRANSACTION_STATES,
)
from kafkalog.dump.decoder_changes import BRACKETS, KEYS_NAMED, STATE_DEAD_KNOWN, UNKNOWN_KEYS_PASS
from kafkalog.dump.decoders.base import DELETED, Texts, Values, read_or_die, version_or_die
from kafkalog.errors import DecoderFailed
from kafkalog.kafka.hash_orders import scala_set_order

if TYPE_CHECKING:
    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.schema import Release

__all__ = ["TransactionsText"]

_EMPTY_STATE = 0
#: The same keys, and the same few topics, come again and again: so many are kept, of so many bytes at most.
_MOST_KEPT, _SHORT, _FEW = 4096, 512, 16


class TransactionsText:
    """The decoder of one release up to 4.0."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.named_keys = KEYS_NAMED.applies_to(release)
        self.brackets = BRACKETS.applies_to(release)
        self.unknown_keys = UNKNOWN_KEYS_PASS.applies_to(release)
        self.states = TRANSACTION_STATES if STATE_DEAD_KNOWN.applies_to(release) else TRANSACTION_STATES[:-1]
        self._objects = CoordinatorTexts(TRANSACTION_RECORDS)
        self._values = Values(TRANSACTION_LOG_VALUE, release, "Unknown version {} from the transaction log message value")
        self._key_text = lru_cache(_MOST_KEPT)(self._key)
        self._stored_text = lru_cache(_MOST_KEPT)(self._stored)

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:  # noqa: ARG002
        """See `Decoder`."""
        return read_coordinator_record(TRANSACTION_RECORDS, key, value).as_object()

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:
        """See `Decoder`."""
        return self._objects.of(key, value)

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:  # noqa: ARG002
        """See `Decoder`."""
        if key is None:
            raise DecoderFailed("the message has no key")
        text, is_known = (self._key_text if len(key) <= _SHORT else self._key)(key)
        if not is_known:
            return text, None
        if value is None:
            if not self.named_keys:
                raise DecoderFailed("the message has no value")
            return text, DELETED
        return text, self._payload(value)

    def _key(self, key: bytes) -> tuple[bytes, bool]:
        """The text of a key, and whether it has a known version."""
        cursor = Cursor(key)
        version = version_or_die(cursor, "key")
        if version != 0:
            if self.unknown_keys:
                return f"unknown::version={version}".encode(), False
            raise DecoderFailed(f"Unknown transaction log message key schema version {version}")
        name = read_or_die(cursor, TRANSACTION_LOG_KEY, version, self.release)["transactionalId"]
        prefix = "transaction_metadata::" if self.named_keys else ""
        return f"{prefix}transactionalId={name}".encode(), True

    def _payload(self, value: bytes) -> bytes:
        message = self._values.read(value)
        state = message["transactionStatus"]
        if not 0 <= state < len(self.states):
            raise DecoderFailed(f"Unknown transaction state id {state} from the transaction status message")
        return (
            f"producerId:{message['producerId']},producerEpoch:{message['producerEpoch']},"
            f"state={self.states[state]},partitions={self._partitions(message, state)},"
            f"txnLastUpdateTimestamp={message['transactionLastUpdateTimestampMs']},"
            f"txnTimeoutMs={message['transactionTimeoutMs']}"
        ).encode()

    def _partitions(self, message: Message, state: int) -> str:
        groups = message["transactionPartitions"]
        if groups is None and state != _EMPTY_STATE:
            raise DecoderFailed("a transaction without a list of partitions")
        if not groups or state == _EMPTY_STATE:
            return self._set([])
        if len(groups) == len(groups[0]["partitionIds"]) == 1:
            return self._set([f"{groups[0]['topic']}-{groups[0]['partitionIds'][0]}"])
        stored = tuple([(group["topic"], *group["partitionIds"]) for group in groups])
        return (self._stored_text if sum(map(len, stored)) <= _FEW else self._stored)(stored)

    def _stored(self, groups: tuple[tuple[Any, ...], ...]) -> str:
        """The text of topics, each with its partitions after it, as they were stored."""
        stored = [[(topic, number) for number in numbers] for topic, *numbers in groups]
        return self._set([f"{topic}-{number}" for topic, number in scala_set_order(stored, self.release)])

    def _set(self, names: list[str]) -> str:
        return f"[{','.join(names)}]" if self.brackets else f"Set({', '.join(names)})"
