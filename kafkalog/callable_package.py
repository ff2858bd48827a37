"""Packages that are called like their main function: `kafkalog.verify(path)`, whether `kafkalog.verify` was imported or not."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["make_callable"]


def make_callable(package: str, module: str) -> None:
    """Let a call of a package go to the function of its own name in `module`, which the first call imports."""
    name = package.rpartition(".")[2]

    class CallablePackage(ModuleType):
        def __call__(self, *args: Any, **options: Any) -> Any:
            return getattr(import_module(module), name)(*args, **options)

    sys.modules[package].__class__ = CallablePackage
