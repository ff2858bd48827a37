"""The records of `__transaction_state`: what the coordinator knows about each transactional id.

Source: `transaction-coordinator/src/main/resources/common/message` (up to 3.8 `core/…`) of Kafka 2.8 to 3.9, the generated
classes of 4.0.0 to 4.4.0; TransactionLog.scala of 0.11 to 2.7; TransactionState.java, 4.1.
"""

from __future__ import annotations

from kafkalog.core.messages.record_types import RecordType
from kafkalog.core.messages.schema import NEWEST, schema

__all__ = ["STATUS", "TRANSACTION_LOG_KEY", "TRANSACTION_LOG_VALUE", "TRANSACTION_RECORDS", "TRANSACTION_STATES"]

_SOURCE = "transaction-coordinator/src/main/resources/common/message/{}.json"

#: The field of a value that says the state.
STATUS = "transactionStatus"
#: Names of its values.
TRANSACTION_STATES = (
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
)

TRANSACTION_LOG_KEY = schema(
    "TransactionLogKey",
    """
    transactionalId   string
    """,
    versions="0=0.11.0",
    source=_SOURCE,
)

TRANSACTION_LOG_VALUE = schema(
    "TransactionLogValue",
    """
    producerId                         int64
    previousProducerId                 int64       1+   tag=0 default=-1 since=4.0.0
    nextProducerId                     int64       1+   tag=1 default=-1 since=4.0.0
    producerEpoch                      int16
    nextProducerEpoch                  int16       1+   tag=3 default=-1 since=4.1.0
    transactionTimeoutMs               int32
    transactionStatus                  int8
    transactionPartitions              []struct?        name=PartitionsSchema
      topic                            string
      partitionIds                     []int32
    transactionLastUpdateTimestampMs   int64
    transactionStartTimestampMs        int64
    clientTransactionVersion           int16       1+   tag=2 since=4.0.0
    """,
    versions="0=0.11.0 1=3.4.1",
    flexible=1,
    source=_SOURCE,
)

TRANSACTION_RECORDS = (RecordType(0, TRANSACTION_LOG_KEY, TRANSACTION_LOG_VALUE, (), NEWEST),)
