"""From a report to HTML: one file, without a single address in it."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from kafkalog.core.printable import printable
from kafkalog.core.suggestion import did_you_mean
from kafkalog.errors import ExtraMissing, RequestError
from kafkalog.render.json_verify import report_json_lines
from kafkalog.render.report.blocks import pieces_of
from kafkalog.render.report.evidence import PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.verify import Report

__all__ = ["report_html"]


def report_html(
    report: Report,
    *,
    title: str | None = None,
    payload: str = "none",
    timelines: int = 12,
    embed_jsonl: bool = False,
    reads: bool = True,
    paths: Sequence[str] = (),
    command: str = "",
) -> str:
    """A report as a page.

    Args:
        report: What verify found.
        title: Its title; None: the paths.
        payload: How bytes of records are shown: `none`, `length`, `sha256`, `hex` or `text`.
        timelines: How many partitions are drawn, the worst first.
        embed_jsonl: Whether the page carries the JSON lines, in `<script type="application/json" id="kafkalog-verify">`.
        reads: Whether to read the files for pictures and bytes.
        paths: What was examined.
        command: The command line that is named in it.

    Raises:
        ExtraMissing: jinja2 is not installed.
        RequestError: there is no such `payload`.
    """
    if payload not in PAYLOADS:
        raise RequestError(f"no payload {payload!r}: there are {', '.join(PAYLOADS)}.{did_you_mean(payload, PAYLOADS)}")
    try:
        import jinja2
    except ImportError:
        raise ExtraMissing("a report as HTML", "kafkalog[report]") from None
    from kafkalog import __version__
    from kafkalog.render.report.page import Wanted, page_of

    wanted = Wanted(
        title=title,
        payload=payload,
        timelines=timelines,
        reads=reads,
        paths=paths,
        command=command,
        version=__version__,
        data=_embedded(report) if embed_jsonl else "",
    )
    style, script = _text("page.css"), _text("page.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_harmless, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["pieces"] = pieces_of
    template = environment.from_string(_text("page.html.j2"))
    # Both are the package's own files, and hashed as they are.
    return template.render(
        page=page_of(report, wanted),
        style=_own(style),
        script=_own(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _harmless(value: Any) -> Any:
    """Text without anything that would act on who reads it; markup of our own is left as it is."""
    return printable(value) if type(value) is str else value


@cache
def _text(name: str) -> str:
    return files("kafkalog.render.report").joinpath(name).read_text(encoding="utf-8")


def _own(text: str) -> Any:
    from kafkalog.render.report.svg import own

    return own(text)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(report: Report) -> Any:
    """JSON lines that no end of an element can be in."""
    lines = (json.dumps(line).replace("<", "\\u003c") for line in report_json_lines(report))
    return _own("\n" + "\n".join(lines) + "\n")
