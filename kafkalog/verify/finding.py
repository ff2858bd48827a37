"""What verify found: a finding, and how bad it is."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.suggestion import did_you_mean
from kafkalog.errors import RequestError
from kafkalog.services import service

if TYPE_CHECKING:
    from kafkalog.core.command_line import Command
    from kafkalog.span import Span
    from kafkalog.verify.effects import Effect

__all__ = ["Cause", "Finding", "Hit", "Severity"]


class Severity(IntEnum):
    """How bad a finding is. `IGNORE` is what a policy gives to rules that shall not speak."""

    IGNORE = 0
    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """Its name as the output spells it."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Severity:
        """The severity of a name.

        Raises:
            RequestError: there is none of that name.
        """
        try:
            return cls[text.upper()]
        except KeyError:
            known = f"no severity {text!r}: there are error, warning, info and ignore."
            raise RequestError(known + did_you_mean(text, [severity.label for severity in cls])) from None


class Hit:
    """What a rule yields: the place, and the facts its templates are filled with.

    Args:
        span: The bytes concerned, in the file of `path`; None where it is about a name, a directory, or a
            file that is gone.
        offsets: First and last log offset concerned, None when it is about none.
        path: The file, when it is not the subject's own.
        severity: When this case deserves another one than the rule's.
        commands: The commands in the remedy.
        facts: What the templates name; integers, text, None, and lists of them.
    """

    __slots__ = ("commands", "facts", "offsets", "path", "severity", "span")

    def __init__(
        self,
        span: Span | None,
        offsets: tuple[int, int] | None = None,
        *,
        path: str | None = None,
        severity: Severity | None = None,
        commands: tuple[Command, ...] = (),
        **facts: Any,
    ) -> None:
        self.span = span
        self.offsets = offsets
        self.path = path
        self.severity = severity
        self.commands = commands
        self.facts = facts


class Cause(NamedTuple):
    """The finding that another one follows from: its rule, and the path that it is about."""

    id: str
    path: str


class Finding(NamedTuple):
    """One thing that is wrong, odd or worth knowing, at one place.

    `span` is a half-open byte range of the file `path`, None when that file is gone. `offsets` are the first and last log
    offset concerned. `facts["file"]` names the damaged file when `path` is only the file that shows the damage. `next_start`
    are the effects of the predicted starts on that place, `commands` the commands in the remedy. `cause` is the finding that
    this one follows from, None when it has no cause.
    """

    id: str
    severity: Severity
    path: str
    span: Span | None
    offsets: tuple[int, int] | None
    message: str
    facts: dict[str, Any]
    consequence: str
    remedy: str
    next_start: tuple[Effect, ...] = ()
    commands: tuple[Command, ...] = ()
    cause: Cause | None = None

    def __repr__(self) -> str:
        place = "" if self.span is None else f" bytes {self.span.start}..{self.span.end}"
        return f"Finding({self.severity.label} {self.id}, {self.path!r}{place})"

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __rich__(self) -> object:
        return service("rich")(self)
