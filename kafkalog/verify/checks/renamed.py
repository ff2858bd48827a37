"""Partition directories that a log dir knows under another name: a line without a directory, and a directory without a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.files.log_dir import HIGH_WATERMARKS, RECOVERY_POINTS
from kafkalog.verify.rules.log_dirs import RenamedDirectory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.checks.log_dir import LogDirCheck
    from kafkalog.verify.verified import Verified

__all__ = ["renamed_directories"]

_Key = tuple[str, int]


def renamed_directories(
    verified: Sequence[Verified], log_dirs: Iterable[LogDirCheck], controllers: Controllers
) -> Iterator[tuple[Verified, RenamedDirectory]]:
    """The directories that were renamed since a clean stop, with what is to be said of each.

    A clean stop notes the end of every log. A directory without a line, whose log ends where one of the lines without a
    directory says, is that partition, if neither fits another one, and its topic's id is not another's.
    """
    for log_dir in log_dirs:
        if not log_dir.clean:
            continue
        missing = _missing(log_dir)
        unlisted = [one for one in verified if one.owner is log_dir and _is_unlisted(one, log_dir)]
        for one in unlisted:
            ends = [key for key, end in missing.items() if end == one.report.log_end_offset]
            others = [other for other in unlisted if other.report.log_end_offset == one.report.log_end_offset]
            if len(ends) == len(others) == 1 and _may_be(one, ends[0], log_dir, controllers):
                (topic, number), line = ends[0], log_dir.log_dir.lines[RECOVERY_POINTS][ends[0]]
                yield (
                    one,
                    RenamedDirectory(
                        path=one.report.path,
                        was=f"{topic}-{number}",
                        end=line.offset,
                        witness=line.path,
                        kraft=log_dir.era.kraft,
                    ),
                )


def _missing(log_dir: LogDirCheck) -> dict[_Key, int]:
    """The ends that the clean stop noted of logs whose directory is not there."""
    parsed = map(parse_partition_name, log_dir.log_dir.partition_names)
    here = {(name.topic, name.partition) for name in parsed if name is not None}
    lines = log_dir.log_dir.lines.get(RECOVERY_POINTS, {})
    return {key: line.offset for key, line in lines.items() if key not in here and line.offset > 0}


def _is_unlisted(one: Verified, log_dir: LogDirCheck) -> bool:
    """Whether a directory holds records, and neither checkpoint of the stop has a line for it."""
    name = parse_partition_name(os.path.basename(one.report.path))
    if name is None or name.mark or name.topic in METADATA_TOPICS or one.is_file or not one.report.records:
        return False
    key = (name.topic, name.partition)
    return not any(key in log_dir.log_dir.lines.get(kind, {}) for kind in (RECOVERY_POINTS, HIGH_WATERMARKS))


def _may_be(one: Verified, key: _Key, log_dir: LogDirCheck, controllers: Controllers) -> bool:
    """Whether the id in a directory is that of a topic, as far as both are known."""
    told, _, _ = controllers.topic_id(key[0], log_dir)
    is_told = any(finding.id == "controller-topic-name-differs" for finding in one.report.findings)
    return not is_told and (told is None or one.topic_id in (None, told))
