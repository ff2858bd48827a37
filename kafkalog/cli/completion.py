"""What a shell completes: files, rule ids, releases, commands. Nothing of it is imported before a shell asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click
    from click.shell_completion import CompletionItem

__all__ = ["beginning_with", "files", "releases", "releases_or_auto", "rule_ids"]


def beginning_with(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    """The words that go on from what is typed; after the last comma where several are."""
    from click.shell_completion import CompletionItem

    before, comma, typed = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{word}") for word in words if word.startswith(typed)]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and directories, which the shell looks for."""
    from click.shell_completion import CompletionItem

    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def rule_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of rules."""
    from kafkalog.verify import RULES

    del ctx, param
    return beginning_with(incomplete, RULES)


def releases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Releases of Kafka, the newest first."""
    from kafkalog.core.release import RELEASES, release_text

    del ctx, param
    return beginning_with(incomplete, map(release_text, reversed(RELEASES)))


def releases_or_auto(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same, and `auto`."""
    return [*beginning_with(incomplete, ["auto"]), *releases(ctx, param, incomplete)]
