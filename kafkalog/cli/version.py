"""What `kafkalog --version` prints: what somebody who reports a problem is asked first."""

from __future__ import annotations

import platform
from importlib import metadata

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
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} is missing"
