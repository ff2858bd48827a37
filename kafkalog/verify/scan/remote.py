"""Scanning a segment that a plug-in has cut, packed or encrypted, wherever it is told to."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_remote_file_name
from kafkalog.files.aiven import AIVEN_KEYS, BAD_CHUNKS
from kafkalog.files.tier import take_in
from kafkalog.verify.scan.segment import scan_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.verify.scan.results import SegmentScan, SegmentTask

__all__ = ["scan_encoded"]


def scan_encoded(keys: Mapping[str, str], task: SegmentTask) -> SegmentScan:
    """Scan such a segment as the log that it was made of; another process need not know the directory yet.

    Args:
        keys: As `AIVEN_KEYS`.
        task: The segment, under the names of the files that it was made of.

    Raises:
        RequestError: a key is none, or another one.
        UnreadableFile: the directory cannot be listed.
    """
    path = task.paths[".log"]
    name = parse_remote_file_name(os.path.basename(path))
    given, bad = AIVEN_KEYS.set(keys), BAD_CHUNKS.set([])
    try:
        take_in(os.path.dirname(path) or ".", "" if name is None else name.stem)
        scan = scan_segment(task)
        return replace(scan, bad_chunks=tuple(BAD_CHUNKS.get() or ()))
    finally:
        BAD_CHUNKS.reset(bad)
        AIVEN_KEYS.reset(given)
