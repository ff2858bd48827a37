"""The picture of a terminal in the README, made by the first of its two commands: `docs/verify.svg`.

`python -m tests.generate_docs` makes it again when what the command shows has changed; the text that it shows is its `<desc>`.
"""

from __future__ import annotations

import html
import io
import pathlib
import re

from rich import _export_format
from rich.console import Console
from rich.text import Text

from tests.transcripts import place, shown

__all__ = ["COMMAND", "PATH", "SETUP", "picture", "text_in", "text_now"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = ROOT / "docs" / "verify.svg"
#: The damage, and the command, that the README's first command has after the set-up.
SETUP = """\
mkdir -p case
cp -r fixtures/broker/2.1.1/plain/. case
printf '#' | dd of=case/twitter-status-0/00000000000000000147.log bs=1 seek=8116 conv=notrunc status=none
"""
COMMAND = "kafkalog verify -q case"
_COLUMNS = 80
# Of the fonts, which rich would have fetched from elsewhere, only the last resort.
_FORMAT = re.sub(r"@font-face\s*{{.*?}}\s*", "", _export_format.CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def _typed() -> str:
    prompt = f"$ {COMMAND}\n"
    return prompt + shown(COMMAND, place(SETUP), columns=_COLUMNS, color="always")


def text_now() -> str:
    """What the terminal shows now, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", _typed())


def picture() -> str:
    """The picture."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    console.print(Text.from_ansi(_typed()), soft_wrap=True)
    drawn = console.export_svg(title="kafkalog", code_format=_FORMAT, unique_id="kafkalog")
    return drawn.replace("<style>", f"<desc>{html.escape(text_now())}</desc>\n    <style>", 1) + "\n"


def text_in(drawn: str) -> str:
    """What a picture shows."""
    found = re.search(r"<desc>(.*?)</desc>", drawn, re.DOTALL)
    return html.unescape(found[1]) if found else ""
