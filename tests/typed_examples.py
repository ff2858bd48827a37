"""The examples of the README, of `docs/python.md` and of the notebooks as a user's modules, for type checkers."""

from __future__ import annotations

import ast
import doctest
import pathlib
import re
import subprocess
import sys
import tempfile

__all__ = ["checked", "modules_of_examples"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def modules_of_examples() -> dict[str, str]:
    """A module for each page, with its examples as statements: what they show is printed."""
    readme = _blocks(ROOT / "README.md")
    assert len(readme) == 1
    page = doctest.DocTestParser().get_examples((DOCS / "python.md").read_text(encoding="utf-8"))
    sources = {
        "readme": readme,
        "python": [_printing(one.source) if one.want and not one.source.startswith("for ") else one.source for one in page],
        **{path.stem.replace("-", "_"): list(map(_printing, _blocks(path))) for path in sorted(DOCS.glob("notebook-*.md"))},
    }
    return {name: "\n".join(statements) for name, statements in sources.items()}


def _blocks(path: pathlib.Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def _printing(source: str) -> str:
    """The same statements; a value that stands at the end is printed, as the prompt or the cell shows it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        last.value = ast.Call(ast.Name("print"), [last.value], [])
    return ast.unparse(tree)


def checked() -> dict[str, subprocess.CompletedProcess[str]]:
    """What mypy and pyright, both strict, say of the modules."""
    with tempfile.TemporaryDirectory(prefix="kafkalog-user-") as folder:
        paths = []
        for name, source in modules_of_examples().items():
            path = pathlib.Path(folder) / f"{name}.py"
            path.write_text(source, encoding="utf-8")
            paths.append(str(path))
        (pathlib.Path(folder) / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
        checkers = {
            "mypy": ["mypy", "--strict", "--config-file", "", "--cache-dir", folder],
            "pyright": ["basedpyright", "--project", folder, "--pythonpath", sys.executable],
        }
        return {name: _run([*words, *paths]) for name, words in checkers.items()}


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
