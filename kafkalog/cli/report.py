"""`kafkalog report`: what `verify` finds, as one page that can be sent to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli import completion, exit_status, options
from kafkalog.cli import judging as judgings
from kafkalog.cli.command import Command
from kafkalog.cli.judging import judged, say_unread, unread_of
from kafkalog.cli.streams import CannotWrite, show, write_bytes
from kafkalog.core.command_line import quoted
from kafkalog.errors import RequestError
from kafkalog.files.source import describe_os_error

if TYPE_CHECKING:
    from kafkalog.cli.judging import Judging
    from kafkalog.files.intake import As
    from kafkalog.verify import Report

__all__ = ["command"]

_PAYLOADS = ("none", "length", "sha256", "hex", "text")
#: Under this name the words of the command line are kept, without those that say where the page goes.
_WORDS = "kafkalog.report.words"


class _Report(Command):
    """The command, which notes the words it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as usual."""
        ctx.meta[_WORDS] = tuple(_without_place(args))
        return super().parse_args(ctx, args)


def _without_place(words: list[str]) -> list[str]:
    """Words without `-o FILE` and `--force`: a page is the same wherever it is written to."""
    kept: list[str] = []
    is_place = False
    for word in words:
        if is_place or word == "--force" or word.startswith("--out="):
            is_place = False
        elif word in ("-o", "--out"):
            is_place = True
        elif not (word.startswith("-o") and not word.startswith("--")):
            kept.append(word)
    return kept


@click.command(
    "report",
    cls=_Report,
    no_args_is_help=True,
    examples=(
        ("/kafka/data -o incident.html", "a whole log dir"),
        ("orders-0 --payload text -o page.html", "with its records"),
        ("--from verify.jsonl -o page.html", "of an earlier run"),
    ),
    sections={
        "The page": ("out", "earlier", "title", "payload", "timelines", "hash_inputs", "embed_jsonl", "force"),
        "What is checked": judgings.WHAT,
        "Which findings": judgings.FINDINGS,
        "What is assumed": (),
    },
)
@options.paths
@click.option("-o", "--out", required=True, metavar="FILE", help="Where the page goes; - for stdout.")
@click.option(
    "--from",
    "earlier",
    metavar="FILE",
    shell_complete=completion.files,
    help="The JSON lines of an earlier verify; no data is read.",
)
@click.option("--title", metavar="TEXT", show_default="the paths", help="Its title.")
@click.option(
    "--payload",
    type=options.choice(_PAYLOADS),
    default="none",
    metavar="FORM",
    help="Bytes of records: none, length, sha256, hex, text.",
)
@click.option("--timelines", type=click.IntRange(0), metavar="N", default=12, help="Draw N partitions, the worst first.")
@click.option("--embed-jsonl", is_flag=True, help="Put the JSON lines of verify into the page.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@options.read_as
@judged
def command(
    *,
    paths: tuple[str, ...],
    out: str,
    earlier: str | None,
    title: str | None,
    payload: str,
    timelines: int,
    embed_jsonl: bool,
    force: bool,
    read_as: As | None,
    judging: Judging,
) -> int:
    """Write what verify finds as one HTML page, with bytes and timelines.

    The page needs no network and no JavaScript. It needs pip install 'kafkalog[report]'. Exit status: that of verify.
    """
    from kafkalog.files.output_file import check_apart, written_whole
    from kafkalog.files.urls import shown as shown_url
    from kafkalog.render.report.html import report_html

    if (earlier is None) == (not paths):
        raise click.UsageError("Give either PATHs to examine, or --from FILE.")
    if out != "-":
        check_apart(out, paths)
    if earlier is None:
        named = options.named_paths(paths, read_as)
        report = judging.report(named)
        unread = unread_of(report, named)
        say_unread(unread)
        if not (report.partitions or report.findings or len(unread) < len(report.not_checked)):
            return exit_status.UNREADABLE
    else:
        report = _earlier(earlier).under(judging.policy)
    words = click.get_current_context().meta[_WORDS]
    page = report_html(
        report,
        title=title,
        payload=payload,
        timelines=timelines,
        embed_jsonl=embed_jsonl,
        reads=earlier is None,
        paths=paths,
        command=" ".join(("kafkalog report", *map(quoted, map(shown_url, words)))),
    ).encode("utf-8", "backslashreplace")
    if out == "-":
        write_bytes(page)
        return judging.exit_status(report)
    try:
        with written_whole(out, replace=force) as file:
            file.write(page)
    except OSError as error:
        raise CannotWrite(f"{out}: {describe_os_error(error)}") from None
    _say_what(report, out, len(page))
    return judging.exit_status(report)


def _earlier(path: str) -> Report:
    """The report of an earlier run."""
    from kafkalog.files.source import read_file
    from kafkalog.render.earlier_report import read_report

    try:
        return read_report(read_file(path).decode("utf-8", "surrogateescape"))
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None


def _say_what(report: Report, out: str, size: int) -> None:
    """The page in two lines."""
    from itertools import islice

    from kafkalog.render.items import labelled
    from kafkalog.render.quantities import size_text
    from kafkalog.render.verify_headline import headline

    show([*islice(headline(report), 1), labelled("written", f"{out}, {size_text(size)}")], "auto")
