"""Runs of batches, as a recorder notes them."""

from __future__ import annotations

from kafkalog.core.attributes import TRANSACTIONAL
from kafkalog.core.batch import BatchHeader
from kafkalog.replay.producer_events import ProducerRun


def transactional_run(producer_id, offset, records=3, *, epoch=0, sequence=0, timestamp=7, position=0):
    """A batch of a transaction, of 80 bytes."""
    head = BatchHeader(
        offset, 68, 0, 2, 0, TRANSACTIONAL, records - 1, timestamp, timestamp, producer_id, epoch, sequence, records
    )  # fmt: skip
    return ProducerRun(0, epoch, TRANSACTIONAL, tuple(head), position, tuple(head), position, records, hole=-1)
