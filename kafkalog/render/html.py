"""What people are shown, as a piece of HTML for a notebook: small, without script, with nothing that reaches beyond it."""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING

from kafkalog.core.printable import printable
from kafkalog.render.items import Line, Pieces, Table
from kafkalog.render.tables import cell_of, is_numbers, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.render.items import Item

__all__ = ["LIMIT", "html_of_items"]

#: Bytes that a piece has at most.
LIMIT = 8000
#: Rows of a table and columns of a cell that are tried one after the other, until it fits into what is left.
_SIZES = ((10, 160), (10, 80), (10, 40), (5, 40), (3, 24), (1, 24), (1, 9))
#: Characters of a line, and of a cell that is not wrapped.
_LINE, _WIDE = 1200, 44

#: White on these can be read (contrast 4.5 and more), whatever the notebook's theme is; all else has the theme's own colours.
_BADGES = {
    "#b3261e": ("error", "data-loss"),
    "#8a4600": ("warning", "damaged", "unknown"),
    "#1e6b34": ("clean", "benign"),
    "#37618e": ("info",),
}
_NAME = "kafkalog-view"
_RULES = (
    ("", "font:13px/1.5 system-ui,sans-serif;text-align:left;overflow-x:auto"),
    (" p", "margin:.1em 0;max-width:64em;overflow-wrap:anywhere"),
    (" table", "border-collapse:collapse;margin:.3em 0;font-size:12px"),
    (" th", "font-weight:600;text-align:left;padding:.1em .8em .1em 0;white-space:nowrap"),
    (" td", "text-align:left;padding:.1em .8em .1em 0;vertical-align:top;border-top:1px solid #8885;white-space:nowrap"),
    (" .n", "text-align:right;font-variant-numeric:tabular-nums"),
    (" .w", "white-space:normal;min-width:22em;max-width:40em;overflow-wrap:anywhere"),
    (" i", "opacity:.7"),
    (" .b", "color:#fff;border-radius:3px;padding:0 .4em;font-weight:600"),
    *((f" .b{number}", f"background:{colour}") for number, colour in enumerate(_BADGES)),
)
_STYLE = "<style>" + "".join(f".{_NAME}{rule}{{{style}}}" for rule, style in _RULES) + "</style>"
_CLASSES = {word: f"b b{number}" for number, words in enumerate(_BADGES.values()) for word in words}
_HEAD, _TAIL = f'<div class="{_NAME}">{_STYLE}', "</div>"
_MORE = "<p><i>… and more, for which there is no room here.</i></p>"


def html_of_items(items: Iterable[Item]) -> str:
    """Lines and tables as HTML of at most `LIMIT` bytes; what there is no room for is left out, and said to be."""
    parts = [_HEAD]
    left = LIMIT - len((_HEAD + _MORE + _TAIL).encode())
    for item in items:
        part = next((html for html in _tries(item) if len(html.encode()) <= left), None)
        if part is None:
            parts.append(_MORE)
            break
        parts.append(part)
        left -= len(part.encode())
    return "".join(parts) + _TAIL


def _tries(item: Item) -> Iterator[str]:
    """An item, and smaller forms of it."""
    if isinstance(item, Table):
        yield from (_table(item, *size) for size in _SIZES)
    elif isinstance(item, Pieces):
        yield _paragraph(0, "".join(_marked(text, style) for text, style in item.pieces))
    elif isinstance(item, Line):
        if item.word or item.text:
            yield _paragraph(item.indent, f"{_marked(item.word, item.style or item.word)} {_text(item.text, _LINE)}".strip())
        else:
            yield ""
    else:
        yield _paragraph(0, _text(item, _LINE)) if item else ""


def _paragraph(indent: int, html: str) -> str:
    return f'<p style="margin-left:{indent / 2:g}em">{html}</p>' if indent else f"<p>{html}</p>"


def _text(text: str, most: int) -> str:
    return escape(shortened(printable(text), most))


def _marked(text: str, style: str) -> str:
    """A word of a line: as a badge, bold, or as it is."""
    html = _text(text.rstrip(), _LINE)
    if not html or not style:
        return html
    return f'<span class="{_CLASSES[style]}">{html}</span>' if style in _CLASSES else f"<b>{html}</b>"


def _table(table: Table, rows: int, columns: int) -> str:
    shown = list(islice(table.rows, rows))
    numbers = [is_numbers(shown, at) for at in range(len(table.headings))]
    head = "".join(f"<th{_class(name, numbers[at])}>{_text(name, columns)}</th>" for at, name in enumerate(table.headings))
    body = "".join(
        "<tr>"
        + "".join(_cell(value, columns, is_number=numbers[at], is_styled=at == table.styled) for at, value in enumerate(row))
        + "</tr>"
        for row in shown
    )
    more = len(table.rows) - len(shown)
    note = f"<p><i>… and {more:,} more</i></p>" if more > 0 else ""
    return f"<table><tr>{head}</tr>{body}</table>{note}"


def _class(text: str, is_number: bool) -> str:  # noqa: FBT001 - for the two kinds of cells
    """What a cell is: a number, a text that is wrapped, or neither."""
    return ' class="n"' if is_number else ' class="w"' if len(text) > _WIDE else ""


def _cell(value: object, columns: int, *, is_number: bool, is_styled: bool) -> str:
    text = shortened(cell_of(value), columns)
    html = escape(text)
    if is_styled and html in _CLASSES:
        html = f'<span class="{_CLASSES[html]}">{html}</span>'
    return f"<td{_class(text, is_number)}>{html}</td>"
