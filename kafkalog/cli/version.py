"""What `kafkalog --version` prints: what somebody who reports a problem is asked first."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress

from kafkalog import __version__
from kafkalog.core.release import NEWEST, OLDEST, release_text

__all__ = ["version_lines"]

#: Codec → the package that it comes from.
_CODECS = {"snappy": "cramjam", "lz4": "lz4", "zstd": "zstandard", "checksums": "crc32c"}


def version_lines() -> list[str]:
    """The lines, the version first."""
    import zlib

    codecs = [f"gzip (zlib {zlib.ZLIB_RUNTIME_VERSION})", *(f"{codec} ({_installed(name)})" for codec, name in _CODECS.items())]
    return [
        f"kafkalog {__version__}",
        f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.system()} {platform.machine()})",
        f"codecs: {', '.join(codecs)}",
        f"releases of Kafka: {release_text(OLDEST)} to {release_text(NEWEST)}",
    ]


def _installed(package: str) -> str:
    """A package and its version. Where it is installed says so by a name; to ask the package itself would load it."""
    beginning, end = f"{package}-", ".dist-info"
    for directory in sys.path:
        with suppress(OSError):
            for name in os.listdir(directory or "."):
                if name.startswith(beginning) and name.endswith(end):
                    return f"{package} {name[len(beginning) : -len(end)]}"
    return _installed_otherwise(package)


def _installed_otherwise(package: str) -> str:
    """The same for what lies in an archive or an egg, as Python's own reader finds it, which takes as long as all the rest."""
    from importlib import metadata

    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} is missing"
