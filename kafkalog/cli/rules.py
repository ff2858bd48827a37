"""`kafkalog rules`: what verify looks for."""

from __future__ import annotations

import sys

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.streams import write_json_lines

#: Columns of a line of the list where it is not shown on a terminal.
_COLUMNS = 400


@click.command(
    "rules",
    cls=Command,
    examples=(
        ("", "all rules, a line each"),
        ("batch-crc-mismatch", "what one means, costs, and what to do"),
        ("--format jsonl", "all of them, for programs"),
    ),
)
@click.argument("rule_id", metavar="[ID]", required=False, shell_complete=completion.rule_ids)
@options.format_option()
@options.color
def command(rule_id: str | None, output_format: str, color: str) -> int:
    """List the rules of `kafkalog verify`, or explain one of them."""
    from kafkalog.render.rules import rule_json, rule_text, rules_text
    from kafkalog.render.screen import Screen
    from kafkalog.verify import RULES, rule_of

    chosen = [rule_of(rule_id)] if rule_id else list(RULES.values())
    if output_format == "jsonl":
        write_json_lines(map(rule_json, chosen))
        return exit_status.OK
    screen = Screen.of(sys.stdout, color)
    screen.show(rule_text(chosen[0]) if rule_id else rules_text(chosen, screen.width or _COLUMNS))
    return exit_status.OK
