"""The spellings of the real tool's options that click does not know."""

from __future__ import annotations

import click

__all__ = ["ToolCommand"]


class ToolCommand(click.Command):
    """A command that takes `-files x` and `--deep-iteration=true`, as jopt-simple does."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Name the releases whose text is not proven by output of the real tool."""
        from kafkalog.dump.dialects import unproven_releases

        del ctx
        formatter.write_paragraph()
        formatter.write_text(f"Text not proven by output of the real tool: {', '.join(unproven_releases())}.")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the tool's spellings, then parse as usual."""
        long_names = {name for parameter in self.params for name in parameter.opts if name.startswith("--")}
        flags = {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option) and parameter.is_flag
            for name in parameter.opts
        }
        rewritten = []
        for number, word in enumerate(args):
            if word == "--":
                rewritten += args[number:]
                break
            name, equals, _ = word.partition("=")
            if name.startswith("-") and not name.startswith("--") and "-" + name in long_names:
                name, word = "-" + name, "-" + word  # noqa: PLW2901 - the word as click knows it
            rewritten.append(name if equals and name in flags else word)
        return super().parse_args(ctx, rewritten)
