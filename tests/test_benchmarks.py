"""Every benchmark says what it takes, and nothing happens."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted(path.stem for path in Path(__file__).parent.parent.joinpath("benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_is_printed(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"benchmarks/{name}.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"benchmarks.{name}").main()
    assert stopped.value.code == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: ")
    assert not err
    assert f"python -m benchmarks.{name}" in Path(__file__).parent.parent.joinpath("benchmarks/README.md").read_text() + out
