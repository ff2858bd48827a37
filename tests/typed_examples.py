"""The examples of `docs/python.md` and the README as a user's module, for type checkers."""

from __future__ import annotations

import doctest
import pathlib
import re
import subprocess
import sys
import tempfile

__all__ = ["checked", "module_of_examples"]

ROOT = pathlib.Path(__file__).resolve().parent.parent


def module_of_examples() -> str:
    """One function for each page, with its examples as statements: what they show is printed."""
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    (readme,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    sources = {
        "page": "".join(_statement(one.source, shown=one.want) for one in doctest.DocTestParser().get_examples(page)),
        "readme": readme,
    }
    functions = (f"def {name}() -> None:\n{_indented(source)}\n\n" for name, source in sources.items())
    return "\n".join(functions)


def _statement(source: str, *, shown: str) -> str:
    return f"print({source.strip()})\n" if shown and not source.startswith("for ") else source


def _indented(source: str) -> str:
    return "".join(f"    {line}\n" for line in source.splitlines())


def checked() -> dict[str, subprocess.CompletedProcess[str]]:
    """What mypy and pyright, both strict, say of the module."""
    with tempfile.TemporaryDirectory(prefix="kafkalog-user-") as folder:
        path = pathlib.Path(folder) / "examples.py"
        path.write_text(module_of_examples(), encoding="utf-8")
        (pathlib.Path(folder) / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
        checkers = {
            "mypy": ["mypy", "--strict", "--config-file", "", "--cache-dir", folder],
            "pyright": ["basedpyright", "--project", folder, "--pythonpath", sys.executable],
        }
        return {name: _run([*words, str(path)]) for name, words in checkers.items()}


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
