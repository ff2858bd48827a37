"""Ceilings of kafkalog's own: what is larger is not worked out, and said so."""

from __future__ import annotations

__all__ = ["BESIDE_SCAN_BYTES", "CONSUMER_BYTES", "DAMAGED_BYTES"]

#: Logs of a log dir up to which consumers' reading is worked out unasked, in bytes: it takes decoding every record.
CONSUMER_BYTES = 64 << 20
#: The same when the prediction goes along with a scan, which it must not hold up; and bytes of a directory's logs up to
#: which their recovery is gone through then, though the scan has found nothing wrong.
BESIDE_SCAN_BYTES = 4 << 20
#: Logs of one directory up to which that is done beside a scan that has found damage in it, in bytes.
DAMAGED_BYTES = 16 << 20
