r"""Text from outside, made harmless: the one place that decides what may reach a terminal.

Names of files and topics, keys, values and whatever else a log holds can say anything to a terminal: hide text, change the
order in which it is read, freeze it. Escaped are all control characters (C0, C1, DEL), what steers the direction of text,
what has no width, separators other than a blank, what Unicode has not assigned, and bytes that are no UTF-8. They are
written as Python writes them: `\n`, `\x1b`, `\u202e`, `\U000e0041`, a byte that is no UTF-8 as `\udc80`.
"""

from __future__ import annotations

import re

__all__ = ["printable", "printable_json"]

# Of no width, though printable to `str.isprintable`: Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties.
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
#: A character that may have to be escaped: none of ASCII's printable ones.
_DOUBTFUL = re.compile(r"[^ -~]")
_HIDDEN = re.compile(f"[{_INVISIBLE}]")


def _is_harmless(text: str) -> bool:
    return text.isprintable() and (text.isascii() or not _HIDDEN.search(text))


def printable(text: str) -> str:
    r"""Text as one line that any stream and any terminal can take.

    >>> printable("gr\u00fcn, \x1b]0;title\x07, \u202egpj, a\nb")
    'grün, \\x1b]0;title\\x07, \\u202egpj, a\\nb'
    """
    if _is_harmless(text):
        return text
    return _DOUBTFUL.sub(lambda found: found[0] if _is_harmless(found[0]) else found[0].encode("unicode_escape").decode(), text)


def printable_json(text: str) -> str:
    r"""The same for JSON, line breaks between values apart: `\u009b` is what JSON knows.

    >>> printable_json('{"key":"\x7f\u202e"}\n')
    '{"key":"\\u007f\\u202e"}\n'
    """
    return text if text.isascii() and "\x7f" not in text else _DOUBTFUL.sub(_in_json, text)


def _in_json(found: re.Match[str]) -> str:
    char = found[0]
    if char == "\n" or _is_harmless(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
