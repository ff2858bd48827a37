"""The layers are import-linter's; that nothing imports in a circle, not even for its types, is held here."""

from __future__ import annotations

import ast
import graphlib
import pathlib

PACKAGE = pathlib.Path(__file__).parent.parent / "kafkalog"


def name_of(path):
    return ".".join(("kafkalog", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def import_graph():
    """What each module imports, for its types too; a name that is no module stands for the module that has it."""
    modules = {name_of(path): path for path in PACKAGE.rglob("*.py")}
    graph = {}
    for module, path in modules.items():
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= {name if name in modules else node.module for name in names}
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
        graph[module] = (imported & modules.keys()) - {module}
    return graph


def test_no_module_imports_itself_by_way_of_others():
    graph = import_graph()
    assert "kafkalog.span" in graph["kafkalog.errors"]  # for its types
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
