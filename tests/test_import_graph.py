"""The layers are import-linter's; held here: no circles, not even for types, and commands load what they use."""

from __future__ import annotations

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

from tests.log_dirs import FIXTURES

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


#: What every command line loads, and what the dump of a lone index does. A small dump is mostly its start, so that whatever
#: is added here is paid for at every call: import it where it is used.
STARTED = {
    *"kafkalog cli cli.command cli.completion cli.exit_status cli.main cli.streams".split(),  # noqa: SIM905
    *"core core.printable core.suggestion errors services".split(),  # noqa: SIM905
}
INDEX_DUMPED = STARTED.union(
    """
    cli.dump cli.options cli.progress cli.tool_syntax span
    core.attributes core.batch core.checkpoint core.checksum core.compression core.cursor core.filename core.filters core.layout
    core.legacy core.line_ends core.log core.messages core.messages.text core.offset_index core.record core.record_walk
    core.release core.source core.spoken core.time_index core.transaction_index
    dump dump.decoder_names dump.dialects dump.index_checks dump.index_options dump.index_text dump.inputs dump.job dump.output
    dump.reports dump.tool_died
    files files.ceilings files.classify files.cores files.directory files.meter files.mistakes files.mounted files.nodes
    files.paths files.restraint files.source files.urls
    kafka kafka.behaviours kafka.failure kafka.file_names kafka.indexes kafka.java kafka.log_input_stream kafka.overlay
    kafka.reading_rules kafka.record_iterators
    """.split()  # noqa: SIM905
)
#: Parts of the standard library that take long, and that these commands have no use for.
HEAVY = {"dataclasses", "email", "hashlib", "importlib.metadata", "json", "subprocess", "tempfile", "zipfile"}


#: Runs a command line, and says at the end of stderr what was loaded for it.
LOADING = """
import os, sys
before = set(sys.modules)
os._exit = lambda status: None
from kafkalog.cli.main import run
run(sys.argv[1:])
print("", *sys.modules.keys() - before, file=sys.stderr)
"""


def loaded_by(*arguments):
    """The modules that a command line loads, those of this package by what follows its name."""
    command = [sys.executable, "-c", LOADING, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return {name.removeprefix("kafkalog.") for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (["--version"], STARTED | {"cli.version", "core.release"}),
        (["dump", str(FIXTURES / "broker/2.1.1/plain/append-time-0/00000000000000000000.index")], INDEX_DUMPED),
    ],
    ids=["--version", "dump of an index"],
)
def test_a_command_loads_no_more_than_it_uses(arguments, own):
    loaded = loaded_by(*arguments)
    assert loaded & {name_of(path).removeprefix("kafkalog.") for path in PACKAGE.rglob("*.py")} == own
    assert not loaded & HEAVY


def test_the_topics_of_coordinators_are_replayed_without_the_model_of_a_start():
    loaded = loaded_by("transactions", str(FIXTURES / "broker/2.8.2/repl-b1/__transaction_state-0"))
    assert "next_start.era" in loaded  # it says as which release the topic is loaded
    assert not loaded & {"kafka.loader", "kafka.log_segment", "next_start.partition", "next_start.log_dir", "verify"}


def test_a_log_of_no_coordinator_is_verified_without_what_reads_their_records():
    loaded = loaded_by("verify", "-q", str(FIXTURES / "broker/2.1.1/plain/twitter-status-0"))
    assert "verify.scan.segment" in loaded
    assert not loaded & {"replay.regular_records", "replay.coordinator_loads", "core.messages.transaction"}
