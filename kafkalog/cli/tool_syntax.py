"""The spellings of the real tool's options that click does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli.command import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.core.release import Release

__all__ = ["ToolCommand"]


class ToolCommand(Command):
    """A command that takes `-files x` and `--deep-iteration=true`, as jopt-simple does."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Name the releases whose text is not proven by output of the real tool."""
        from kafkalog.core.release import RELEASES, parse_release
        from kafkalog.dump.dialects import unproven_releases

        del ctx
        unproven = {parse_release(release) for release in unproven_releases()}
        runs: list[list[Release]] = [[]]
        for release in RELEASES:
            if release in unproven:
                runs[-1].append(release)
            elif runs[-1]:
                runs.append([])
        formatter.write_text(f"Text not proven by output of the real tool: {', '.join(map(_span_of, filter(None, runs)))}.")

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


def _span_of(releases: Sequence[Release]) -> str:
    """`2.4.0 to 2.7.2`, or the one release."""
    from kafkalog.core.release import release_text

    return " to ".join(release_text(one) for one in dict.fromkeys((releases[0], releases[-1])))
