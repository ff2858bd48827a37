"""How large what is read may become in memory: one option, the same in every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.core.compression import DEFAULT_LIMIT, MAX_DECOMPRESSED

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["max_decompressed"]


def _use(_: click.Context, __: click.Parameter, value: int) -> None:
    MAX_DECOMPRESSED.set(value)


def max_decompressed(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--max-decompressed`, which holds for all that the command reads."""
    return click.option(
        "--max-decompressed",
        type=click.IntRange(1),
        metavar="BYTES",
        default=DEFAULT_LIMIT,
        expose_value=False,
        callback=_use,
        help="Read compressed batches, and single records, of up to this many bytes when decompressed.",
    )(command)
