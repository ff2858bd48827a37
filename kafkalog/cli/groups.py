"""`kafkalog groups`: what `__consumer_offsets` says about groups."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from kafkalog.cli import options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.replay_output import release_by, status_of
from kafkalog.cli.streams import show, write_json_lines

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.replay.groups import Groups
    from kafkalog.replay.until import Until

__all__ = ["command"]


@click.command(
    "groups",
    cls=Command,
    examples=(
        ("/kafka/data", "all, with their lag"),
        ("--at 2024-05-01 /kafka/data", "as they were then"),
        ("--format jsonl __consumer_offsets-12", "for programs"),
    ),
    sections={"What is shown": ("until",)},
)
@options.required_paths
@options.at("the state", "__consumer_offsets")
@options.kafka_version("The release whose coordinator loads the topic")
@options.fail_on(
    ("error", "warning", "info"),
    "warning",
    "What makes the exit status 1. error: records that cannot be read or loaded; warning: also committed offsets outside "
    "their log; info: also those that a copy taken at another time may explain, or whose topic is not there.",
)
@options.now("The present, by which offsets have expired")
@options.format_option()
@options.exit_zero
@options.color
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    until: Until,
    kafka_version: Release | None,
    fail_on: str,
    now: int | None,
    output_format: str,
    exit_zero: bool,
    color: str,
) -> int:
    """Show the groups that __consumer_offsets knows: state, generation, members, last committed offsets.

    PATH is a log dir, a partition directory or a .log file. The other partitions found there give the lag of each group.
    Records that the release's coordinator cannot load are reported first, with the groups that it then does not know.

    Exit status: 0 nothing that --fail-on names; 1 findings; 2 usage; 3 a PATH is missing or cannot be read.
    """
    from kafkalog.replay.groups import read_groups
    from kafkalog.replay.logs import count_findings
    from kafkalog.replay.until import END

    clock = time.time_ns() // 1_000_000 if now is None else now
    with shown(paths, counts=lambda name: name.startswith(("__consumer_offsets-", "__share_group_state-"))):
        found = read_groups(paths, until)
    # What has expired since then is not asked about an earlier state.
    expired_by = clock if until == END else None
    release_of = release_by(kafka_version)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import group_lines

        write_json_lines(group_lines(found, release_of, expired_by))
    else:
        from kafkalog.render.text_groups import groups_text

        show(groups_text(found, release_of, now=expired_by, release_is_named=kafka_version is not None), color)
    unloaded = sum(load.failure(release_of(load.path)) is not None for load in found.loads)
    findings = count_findings(found.notes) + unloaded + _commits_that_fail(found, fail_on)
    return status_of(findings, found.problems, exit_zero=exit_zero)


def _commits_that_fail(found: Groups, fail_on: str) -> int:
    """How many committed offsets make the exit status 1."""
    if fail_on == "error":
        return 0
    if fail_on == "warning":
        return sum(commit.is_certain for commit in found.out_of_range)
    return len(found.out_of_range) + len(found.without_topic)
