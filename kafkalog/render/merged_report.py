"""The reports of many hosts as one: their JSON lines read, their paths told apart."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.errors import RequestError
from kafkalog.render.earlier_report import read_report
from kafkalog.verify.across import compared_with_each_other
from kafkalog.verify.merging import is_one_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.verify import Report

__all__ = ["Run", "merged_report"]

#: Fields of the lines that hold a path, a list of paths, or a list of pairs of paths.
_PATHS = ("path", "file", "delete", "create", "rebuild", "rename", "within", "epoch_file", "log_files")


class Run(NamedTuple):
    """What one run of verify printed.

    Args:
        name: What it is called: the host, as a rule.
        text: Its JSON lines.
    """

    name: str
    text: str


def merged_report(runs: Sequence[Run]) -> Report:
    """One report of several runs of `kafkalog verify --format jsonl`.

    Where two runs name the same path, as hosts with the same log dirs do, the name of the run stands before every path, with
    a colon between them. The clock is that of the first run. A partition that has lost records is told where another run has
    them. What runs with digests have told of is compared as one run over everything does; of replicas, their digests.

    Raises:
        RequestError: lines are none of that output, or end without a summary; two runs have one name.
    """
    twice = [name for name, count in Counter(run.name for run in runs).items() if count > 1]
    if twice:
        raise RequestError(f"two runs are called {twice[0]!r}: give each its own name, NAME=FILE")
    found = [_read(run) for run in runs]
    if not is_one_host(found):
        found = [_read(Run(run.name, "\n".join(_placed(line, run.name) for line in run.text.splitlines()))) for run in runs]
    return compared_with_each_other(found)


def _read(run: Run) -> Report:
    try:
        return read_report(run.text)
    except RequestError as error:
        raise RequestError(f"{run.name}: {error}") from None


def _placed(line: str, name: str) -> str:
    """A line with the name of its run before each path."""
    if not line.strip():
        return line
    row = json.loads(line)
    _place(row, f"{name}:")
    return json.dumps(row)


def _place(value: Any, prefix: str) -> None:
    if isinstance(value, list):
        for one in value:
            _place(one, prefix)
    elif isinstance(value, dict):
        for key, held in value.items():
            if key in _PATHS:
                value[key] = _prefixed(held, prefix)
            elif key == "hashes" and isinstance(held, dict):
                value[key] = {prefix + path: digest for path, digest in held.items()}
            elif key == "unread":
                value[key] = _prefixed(held, prefix)
            if isinstance(held, (dict, list)):
                _place(held, prefix)


def _prefixed(value: Any, prefix: str) -> Any:
    if isinstance(value, str):
        return prefix + value
    if isinstance(value, list):
        return [_prefixed(one, prefix) for one in value]
    return value
