"""The rules, by what they look at. Importing this package fills the registry."""

from __future__ import annotations

from kafkalog.verify.rules import (
    batches,
    checkpoints,
    compaction,
    controllers,
    epochs,
    indexes,
    kraft,
    legacy,
    log_dir_files,
    log_dirs,
    names,
    order,
    partitions,
    producers,
    records,
    replicas,
    snapshots,
    tails,
    time_indexes,
    transaction_indexes,
)

__all__ = [
    "batches",
    "checkpoints",
    "compaction",
    "controllers",
    "epochs",
    "indexes",
    "kraft",
    "legacy",
    "log_dir_files",
    "log_dirs",
    "names",
    "order",
    "partitions",
    "producers",
    "records",
    "replicas",
    "snapshots",
    "tails",
    "time_indexes",
    "transaction_indexes",
]
