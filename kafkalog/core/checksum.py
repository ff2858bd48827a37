"""The two checksums of Kafka's files, under Kafka's names."""

from __future__ import annotations

from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, cast
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["crc32", "crc32c"]


def _load_crc32c() -> Callable[..., int]:
    # The package's __init__ reads its own metadata at import, which takes longer than a whole small dump; its extension
    # module alone does all that is needed here.
    package = PathFinder.find_spec("crc32c")
    if package is not None and package.submodule_search_locations:
        spec = PathFinder.find_spec("_crc32c", list(package.submodule_search_locations))
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            found = getattr(module, "crc32c", None)
            if callable(found) and found(b"123456789") == 0xE3069283:
                return cast("Callable[..., int]", found)
    from crc32c import crc32c as packaged

    return packaged


#: CRC-32C (Castagnoli): record batches of magic 2, producer snapshots. `crc32c(data) -> int` in 0 .. 2**32-1.
crc32c = _load_crc32c()
