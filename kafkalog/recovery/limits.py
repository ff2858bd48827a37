"""Ceilings of kafkalog's own: what is larger is not worked out, and said so."""

from __future__ import annotations

__all__ = ["CONSUMER_BYTES", "WHOLE_FILE_BYTES"]

#: Largest file that is read as a whole (an index, a snapshot, a checkpoint), in bytes.
WHOLE_FILE_BYTES = 256 << 20
#: Logs of a log dir up to which consumers' reading is worked out unasked, in bytes: it takes decoding every record.
CONSUMER_BYTES = 64 << 20
