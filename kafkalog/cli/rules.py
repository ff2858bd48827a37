"""`kafkalog rules`: what verify looks for."""

from __future__ import annotations

import sys
import textwrap

import click


@click.command("rules")
@click.argument("rule_id", metavar="[ID]", required=False)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "jsonl")),
    default="text",
    help="Text for people, or one JSON object per line for programs.",
)
def command(rule_id: str | None, format_: str) -> int:
    """List the rules of `kafkalog verify`, or explain one of them."""
    from kafkalog.verify import RULES, rule_of

    chosen = [rule_of(rule_id)] if rule_id else list(RULES.values())
    if format_ == "jsonl":
        import json

        from kafkalog.render.rules import rule_json

        for rule in chosen:
            sys.stdout.write(json.dumps(rule_json(rule)) + "\n")
    elif rule_id:
        from kafkalog.render.rules import rule_text

        sys.stdout.write(rule_text(chosen[0]))
    else:
        width = max(len(rule.id) for rule in chosen)
        for rule in chosen:
            line = f"{rule.id:{width}}  {rule.severity.label:7}  {rule.explanation.splitlines()[0]}"
            sys.stdout.write(textwrap.shorten(line, 400) if len(line) > 400 else line)
            sys.stdout.write("\n")
    return 0
