"""What values can do with the help of packages that stand above them.

A value names the service; who gives it is said in `kafkalog/__init__.py`, the one place that knows every package. So values
have the methods that their users look for, and import nothing from above.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["offer", "service"]

_GIVERS: dict[str, str] = {}


def offer(**givers: str) -> None:
    """Say who gives services.

    Args:
        givers: By the name of the service the module and what gives it, a function as a rule, with a colon between; imported
            when it is used.
    """
    _GIVERS.update(givers)


def service(name: str) -> Any:
    """What gives a service: a function, as a rule."""
    module, _, function = _GIVERS[name].partition(":")
    return getattr(import_module(module), function)
