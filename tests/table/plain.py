"""The rows of `records` as the plain walk of the library gives them, written out once more and apart from the tables."""

from __future__ import annotations

import os

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.filename import parse_partition_name
from kafkalog.files.partition import Partition

YEARS = (-62_135_596_800_000, 253_402_300_799_999)
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def plain_records(path, *, control=True, ends=None):
    """All columns of all records in a partition directory, in the declared order; `ends`: of the transactions."""
    partition = Partition(str(path))
    name = parse_partition_name(os.path.basename(os.path.realpath(path)))
    where = (name.topic, name.partition) if name else (None, None)
    for segment in partition.segments:
        for batch in segment.batches():
            if isinstance(batch, RecordBatch) and batch.is_control and not control:
                continue
            for record in batch.walk_records():
                if not isinstance(record, Damage):
                    yield plain_row(segment.paths[".log"], where, batch, record, ends)


def plain_row(path, where, batch, record, ends):
    new = isinstance(batch, RecordBatch)
    header = batch.header
    timestamp = record.timestamp
    crc_ok = batch.crc_ok and (new or record.crc_ok)
    in_years = YEARS[0] <= timestamp <= YEARS[1]
    problems = [] if crc_ok else ["crc"]
    if not in_years:
        problems.append("timestamp-range")
    headers = []
    for key, value in record.headers:
        headers.append((key.decode("utf-8", "backslashreplace"), value))
        if key.decode("utf-8", "replace").encode() != key and "header-key-utf8" not in problems:
            problems.append("header-key-utf8")
    aborted = ends.is_aborted(batch) if ends is not None and new else None
    transaction = None
    if new and ends is not None and batch.is_transactional and not batch.is_control:
        transaction = {True: "aborted", False: "committed", None: "open"}[aborted]
    return (
        record.key,
        record.value,
        *where,
        record.offset,
        timestamp if in_years and timestamp != -1 else None,
        -1 if batch.magic == 0 else int(batch.timestamp_type == "LogAppendTime"),
        headers or None,
        timestamp,
        -1 if record.key is None else len(record.key),
        -1 if record.value is None else len(record.value),
        header.partition_leader_epoch if new else -1,
        header.producer_id if new else -1,
        header.producer_epoch if new else -1,
        batch.sequence_of(record) if new else -1,
        new and batch.is_transactional,
        new and batch.is_control,
        transaction,
        CODECS[batch.compression_id],
        batch.magic,
        crc_ok,
        path,
        batch.position,
        batch.size,
        None if batch.compression_id else batch.position + record.start,
        ",".join(problems) or None,
    )
