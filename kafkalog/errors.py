"""The errors kafkalog raises: one family, distinguished by type and attributes, never by prose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkalog.span import Span

__all__ = [
    "BadLength",
    "BadVarint",
    "DecoderFailed",
    "DecompressionFailed",
    "ExtraMissing",
    "FileChanged",
    "FormatError",
    "KafkalogError",
    "LimitExceeded",
    "MessageError",
    "NotANumber",
    "RequestError",
    "Truncated",
    "UnknownCompression",
    "UnknownMagic",
    "UnreadableFile",
    "UnwritableFile",
    "WorkerLost",
]


class KafkalogError(Exception):
    """Base of every error that kafkalog raises on purpose."""


class FormatError(KafkalogError):
    """The bytes are not what the format says.

    Args:
        problem: What was seen and what was allowed, one sentence without a full stop.
        field: The on-disk field it was seen in, by Kafka's name, or "" when it is no single field.
        span: The bytes concerned, or None when the reader does not know where it is.
    """

    def __init__(self, problem: str, field: str = "", span: Span | None = None) -> None:
        self.problem = problem
        self.field = field
        self.span = span
        super().__init__(problem, field, span)

    def __str__(self) -> str:
        place = f" (bytes {self.span.start}..{self.span.end})" if self.span is not None else ""
        return f"{self.field}: {self.problem}{place}" if self.field else f"{self.problem}{place}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(cls: type[KafkalogError], state: dict[str, object]) -> KafkalogError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = tuple(state.values())
    return error


class Truncated(FormatError):
    """More bytes are needed than there are: `need` bytes wanted, `have` present."""

    def __init__(self, need: int, have: int, field: str = "", span: Span | None = None) -> None:
        self.need = need
        self.have = have
        super().__init__(f"{need} bytes needed, {have} present", field, span)


class BadVarint(FormatError):
    """A variable-length integer goes on past its last allowed byte (5 for varint, 10 for varlong)."""


class NotANumber(FormatError):
    """A text stands where a number should."""


class BadLength(FormatError):
    """A length or count field holds a value that the bytes around it do not allow."""

    def __init__(self, value: int, allowed: str, field: str = "", span: Span | None = None) -> None:
        self.value = value
        self.allowed = allowed
        super().__init__(f"{value} is not allowed here: {allowed}", field, span)


class UnknownMagic(FormatError):
    """A message format version other than 0, 1 and 2."""

    def __init__(self, magic: int, span: Span | None = None) -> None:
        self.magic = magic
        super().__init__(f"message format version {magic}, known are 0, 1 and 2", "magic", span)


class UnknownCompression(FormatError):
    """A codec id that this message format version does not know."""

    def __init__(self, codec_id: int, allowed: str, span: Span | None = None) -> None:
        self.codec_id = codec_id
        super().__init__(f"compression type id {codec_id}, allowed are {allowed}", "attributes", span)


class DecompressionFailed(FormatError):
    """A compressed section is not one whole, sound stream of its codec."""

    def __init__(self, codec: str, reason: str, span: Span | None = None) -> None:
        self.codec = codec
        self.reason = reason
        super().__init__(f"{codec}: {reason}", "records", span)


class MessageError(FormatError):
    """A message of an internal topic breaks one of the rules of Kafka's own reader; `problem` is Kafka's text for it."""


class LimitExceeded(KafkalogError):
    """A ceiling of kafkalog's own was hit; the bytes may be sound.

    Args:
        limit: The ceiling, in the unit that `what` names.
        wanted: What the input asks for, at least; None when it is only known to be more than `limit`.
        what: What is counted, e.g. "bytes of decompressed records".
        option: The option of the commands that raises it, "" when there is none.
    """

    def __init__(self, limit: int, wanted: int | None, what: str, option: str = "") -> None:
        self.limit = limit
        self.wanted = wanted
        self.what = what
        self.option = option
        super().__init__(limit, wanted, what, option)

    def __str__(self) -> str:
        wanted = f"{self.wanted}" if self.wanted is not None else "more"
        raised = f" ({self.option} raises it)" if self.option else ""
        return f"{self.what}: {wanted} wanted, the limit is {self.limit}{raised}"


class DecoderFailed(KafkalogError):
    """A record on which the real tool's decoder dies, so that its output ends there.

    Args:
        reason: What the real tool says, in one line.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RequestError(KafkalogError):
    """The caller asked for something that does not exist: a Kafka version, a rule, a pair of options."""


class UnwritableFile(RequestError):
    """A file that was named to be written cannot be: no permission, a full disk, an I/O error.

    Args:
        path: The path as the caller gave it.
        reason: Why, in a few words.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.reason}"


class ExtraMissing(RequestError):
    """What was asked for needs a package that is not installed.

    Args:
        what: What was asked for.
        package: What to install, as pip takes it.
    """

    def __init__(self, what: str, package: str) -> None:
        self.what = what
        self.package = package
        super().__init__(what, package)

    def __str__(self) -> str:
        return f"{self.what} needs what is not installed: pip install '{self.package}'"


class WorkerLost(KafkalogError):
    """A worker process ended in the middle of its work, and so did the one that did it again.

    Args:
        how: How it ended, in a few words.
    """

    def __init__(self, how: str) -> None:
        self.how = how
        super().__init__(how)

    def __str__(self) -> str:
        return f"a worker process {self.how}, and so did the one that tried it again"


class UnreadableFile(KafkalogError):
    """A path cannot be read: missing, not a regular file, no permission, an I/O error.

    Args:
        path: The path as the caller gave it.
        reason: Why, in a few words.
        is_missing: Whether nothing is called so.
    """

    def __init__(self, path: str, reason: str, *, is_missing: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.is_missing = is_missing
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class FileChanged(UnreadableFile):
    """A file shrank or grew while it was being read, or became another of the same size.

    Args:
        path: The path as the caller gave it.
        size_before: Bytes when reading began.
        size_now: Bytes seen now.
    """

    def __init__(self, path: str, size_before: int, size_now: int) -> None:
        self.size_before = size_before
        self.size_now = size_now
        verb = "shrank" if size_now < size_before else "grew"
        change = "was written to" if size_now == size_before else f"{verb} from {size_before} to {size_now} bytes"
        super().__init__(path, f"{change} while it was read")
        self.args = (path, size_before, size_now)
