"""What a command's exit status says."""

from __future__ import annotations

import signal

__all__ = ["CANNOT_WRITE", "FINDINGS", "INTERNAL", "INTERRUPTED", "OK", "UNREADABLE", "USAGE"]

OK = 0
FINDINGS = 1
USAGE = 2
UNREADABLE = 3
INTERNAL = 4
INTERRUPTED = 128 + signal.SIGINT

#: Where the output cannot be written: the result is not reported. `dump` has one status for all that it cannot do.
CANNOT_WRITE = {"dump": FINDINGS}
