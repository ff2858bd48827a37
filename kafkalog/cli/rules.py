"""`kafkalog rules`: what verify looks for."""

from __future__ import annotations

import sys
import textwrap

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.streams import write_json_lines, write_lines

#: Columns of a line of the list.
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
def command(rule_id: str | None, output_format: str) -> int:
    """List the rules of `kafkalog verify`, or explain one of them."""
    from kafkalog.render.rules import rule_json, rule_text
    from kafkalog.verify import RULES, rule_of

    chosen = [rule_of(rule_id)] if rule_id else list(RULES.values())
    if output_format == "jsonl":
        write_json_lines(map(rule_json, chosen))
    elif rule_id:
        sys.stdout.write(rule_text(chosen[0]))
    else:
        width = max(len(rule.id) for rule in chosen)
        lines = (f"{rule.id:{width}}  {rule.severity.label:7}  {rule.explanation.splitlines()[0]}" for rule in chosen)
        write_lines(textwrap.shorten(line, _COLUMNS) if len(line) > _COLUMNS else line for line in lines)
    return exit_status.OK
