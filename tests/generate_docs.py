"""The generated parts of `docs/`: what the code says is not written twice.

    python -m tests.generate_docs [--check]

A part is between `<!-- generated: NAME -->` and `<!-- end generated -->`. To add one, add a row to `PARTS`.
"""

from __future__ import annotations

import functools
import lzma
import pathlib
import re
import sys
import tempfile
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from kafkalog.cli.main import COMMANDS
from kafkalog.cli.main import main as main_command
from kafkalog.core.attributes import ATTRIBUTE_BITS
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.control import CONTROL_RECORD_TYPES
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER
from kafkalog.core.record import RECORD_FIELDS
from kafkalog.core.release import RELEASES, release_text
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.dump.dialects import DIALECTS, GOLDEN_RELEASES, unproven_releases
from kafkalog.render.rules import rule_markdown
from kafkalog.table.api import TABLES
from kafkalog.verify import RULES
from tests import picture
from tests.describe_messages import MESSAGE_PARTS
from tests.dump.golden import EXCLUSIONS
from tests.incidents import INCIDENTS
from tests.log_dirs import FIXTURES
from tests.man_page import PATH, man_page
from tests.tour import COLUMNS, SETUP, STEPS
from tests.transcripts import transcript
from tests.verify.invariants import GROUPS, UNJUDGED, judges, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.layout import Layout
    from kafkalog.verify import Rule

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
_PART = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end generated -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def layout(of: Layout) -> Callable[[], str]:
    """The table of a fixed structure."""
    head = ("position", "bytes", "field", "type", "meaning")
    return lambda: table(head, ((at, size, f"`{name}`", kind, meaning) for at, size, name, kind, meaning in of.table()))


def dialects() -> str:
    """The dialects and their proof."""
    rows = []
    for number, dialect in enumerate(DIALECTS):
        end = DIALECTS[number + 1].since if number + 1 < len(DIALECTS) else None
        releases = [release for release in RELEASES if dialect.since <= release and (end is None or release < end)]
        proofs = [release_text(release) for release in releases if release in GOLDEN_RELEASES]
        span = release_text(releases[0]) + (f" to {release_text(releases[-1])}" if len(releases) > 1 else "")
        rows.append((span, dialect.source, ", ".join(proofs) or "*unproven*"))
    return table(("releases", "what changed", "proven by"), rows)


def help_of(*arguments: str) -> str:
    """What `kafkalog ARGUMENTS... --help` prints in a terminal of 100 columns."""
    for name in arguments:
        # click keeps the help option of whoever asked first in this process: with `--help` alone if there was no group.
        main_command.get_command(click.Context(main_command), name)._help_option = None
    shown = CliRunner().invoke(main_command, [*arguments, "--help"], prog_name="kafkalog", terminal_width=100)
    assert shown.exit_code == 0, shown.output
    return f"```text\n{shown.output}```\n"


def output_of(*arguments: str) -> str:
    """What a command prints, with the command."""
    shown = CliRunner().invoke(main_command, arguments, standalone_mode=False)
    assert shown.exception is None, shown.exception
    return f"```console\n$ kafkalog {' '.join(arguments)}\n{shown.output}```\n"


def carve_output() -> str:
    """What `carve` prints of the image in the fixtures."""
    packed = FIXTURES / "cases" / "ext4-deleted-logs.img.xz"
    with tempfile.TemporaryDirectory() as scratch:
        image, out = f"{scratch}/disk.img", f"{scratch}/found"
        pathlib.Path(image).write_bytes(lzma.decompress(packed.read_bytes()))
        shown = CliRunner().invoke(main_command, ["carve", "--block-size", "1024", image, "-o", out], standalone_mode=False)
        assert shown.exception is None, shown.exception
    text = shown.output.replace(f"{scratch}/", "")
    return f"```console\n$ kafkalog carve --block-size 1024 disk.img -o found\n{text}```\n"


PARTS: dict[str, Callable[[], str]] = {
    "output-show": lambda: output_of("show", "--offset", "3", "fixtures/broker/2.1.1/plain/twitter-status-0"),
    "output-carve": carve_output,
    "output-diff": lambda: output_of(
        "diff", *(f"fixtures/broker/2.3.1/diverge-before-{broker}/stock-0" for broker in ("b0", "b1"))
    ),
    "output-info": lambda: output_of("info", "fixtures/broker/4.3.1/meta-n1"),
    "dialects": dialects,
    "unproven-releases": lambda: ", ".join(unproven_releases()) + "\n",
    "golden-exclusions": lambda: "".join(f"- `{pattern}`: {reason}\n" for pattern, reason in EXCLUSIONS.items()),
    "help": help_of,
    **{f"help-{name}": functools.partial(help_of, name) for name in COMMANDS},
    "batch-header": layout(BATCH_HEADER),
    "message-0": layout(LEGACY_HEADER_V0),
    "message-1": layout(LEGACY_HEADER_V1),
    "offset-index-entry": layout(OFFSET_INDEX_ENTRY),
    "time-index-entry": layout(TIME_INDEX_ENTRY),
    "aborted-transaction": layout(ABORTED_TXN),
    "snapshot-header": layout(SNAPSHOT_HEADER),
    "producer-entry": layout(PRODUCER_ENTRY),
    "record-fields": lambda: table(
        ("field", "stored as", "meaning"), ((f"`{field.name}`", field.type, field.meaning) for field in RECORD_FIELDS)
    ),
    "attributes": lambda: table(
        ("mask", "name", "magic", "meaning"),
        ((f"`{bit.mask:#04x}`", f"`{bit.name}`", f"{bit.since_magic} and later", bit.meaning) for bit in ATTRIBUTE_BITS),
    ),
    "codecs": lambda: table(
        ("id", "codec", "magic"), ((row.id, row.name, ", ".join(map(str, row.magics))) for row in COMPRESSION_TYPES)
    ),
    "control-records": lambda: table(("type", "name", "since"), CONTROL_RECORD_TYPES),
    **MESSAGE_PARTS,
}


def rule_pages() -> list[str]:
    """The modules of rules, in the order of the registry: each is a page."""
    return list(dict.fromkeys(_page_of(rule) for rule in RULES.values()))


def _page_of(rule: Rule) -> str:
    return rule.check.__module__.rpartition(".")[2].replace("_", "-")


def rules_of(page: str) -> Callable[[], str]:
    """The rules of a page."""
    return lambda: "\n".join(rule_markdown(rule) for rule in RULES.values() if _page_of(rule) == page)


def rule_table() -> str:
    """All rules with links to their pages."""

    def first_sentence(rule: Rule) -> str:
        return rule.explanation.split("\n\n")[0].replace("\n", " ")

    return table(
        ("rule", "severity", "what is wrong"),
        ((f"[{rule.id}]({_page_of(rule)}.md#{rule.id})", rule.severity.label, first_sentence(rule)) for rule in RULES.values()),
    )


def unjudged_invariants() -> str:
    """What no rule looks at, and why."""
    return table(("", "what holds", "why no rule judges it"), ((number, *row) for number, row in UNJUDGED.items()))


def judged_invariants() -> str:
    """The rules of each invariant."""

    def links(number: str) -> str:
        return ", ".join(f"[{rule_id}]({_page_of(RULES[rule_id])}.md#{rule_id})" for rule_id in judges(number))

    rows: list[tuple[str, str]] = []
    for number in numbers():
        letter = number[0]
        if number == f"{letter}1":
            rows.append((f"**{letter}**", f"**{GROUPS[letter][0]}**"))
        if judges(number):
            rows.append((number, links(number)))
    return table(("", "rules"), rows)


def tables() -> str:
    """Each table with its columns."""
    parts = []
    for definition in TABLES.values():
        rows = (
            (f"`{one.name}`", one.type, "" if one.is_default else "no", one.meaning.replace("|", "\\|"))
            for one in definition.columns
        )
        parts.append(
            f"### {definition.name}\n\n{definition.meaning}\n\n" + table(("column", "type", "default", "meaning"), rows)
        )
    return "\n".join(parts)


PARTS["tables"] = tables
PARTS["invariants-unjudged"] = unjudged_invariants
PARTS["invariants-judged"] = judged_invariants
for _name, _incident in INCIDENTS.items():
    PARTS[f"{_name}-setup"] = functools.partial("```sh\n{}```\n".format, _incident.setup)
    for _number, _line in enumerate(_incident.steps, 1):
        PARTS[f"{_name}-{_number}"] = functools.partial(transcript, _incident.setup, _line)
PARTS["rules"] = rule_table
PARTS["tour-setup"] = lambda: f"```sh\n{SETUP}```\n"
PARTS.update({name: functools.partial(transcript, SETUP, line, COLUMNS) for name, line in STEPS.items()})
PARTS.update({f"rules-{page}": rules_of(page) for page in rule_pages()})


def render(text: str) -> str:
    """A page with its generated parts made again."""
    return _PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[4]}", text)


def names_in(text: str) -> list[str]:
    """The generated parts that a page has."""
    return [match[2] for match in _PART.finditer(text)]


def main() -> int:
    """Write the pages that do not follow, or with `--check` name them."""
    stale = []
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if render(text) != text:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(render(text), encoding="utf-8")
    if not PATH.exists() or PATH.read_text(encoding="utf-8") != man_page():
        stale.append(PATH)
        if "--check" not in sys.argv:
            PATH.write_text(man_page(), encoding="utf-8")
    if not picture.PATH.exists() or picture.text_in(picture.PATH.read_text(encoding="utf-8")) != picture.text_now():
        stale.append(picture.PATH)
        if "--check" not in sys.argv:
            picture.PATH.write_text(picture.picture(), encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)}: {'does not follow the code' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
