"""`import kafkalog`: light, sorted, documented; and the core does no I/O."""

from __future__ import annotations

import ast
import inspect
import pathlib
import pickle
import subprocess
import sys

import pytest

import kafkalog
from kafkalog import errors
from kafkalog.span import Span

ROOT = pathlib.Path(kafkalog.__file__).parent


def test_public_names_are_sorted_and_documented():
    assert list(kafkalog.__all__) == sorted(kafkalog.__all__)
    for name in kafkalog.__all__:
        thing = getattr(kafkalog, name)
        if not name.startswith("__"):
            assert inspect.getdoc(thing), name


def test_importing_kafkalog_imports_no_third_party_but_the_checksum():
    code = "import sys; before = set(sys.modules); import kafkalog; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"click", "rich", "lz4", "zstandard", "cramjam", "crc32c", "numpy", "pyarrow", "asyncio", "argparse", "json.tool"}
    assert not heavy & {name.partition(".")[0] for name in loaded}


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_does_no_input_or_output(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"os", "io", "pathlib", "sys", "time", "datetime", "shutil", "tempfile", "subprocess", "logging"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input"}


def test_only_files_opens_files():
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        opens = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and (
                (isinstance(node.func, ast.Name) and node.func.id == "open")
                or (isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in ("os.open", "io.open", "codecs.open"))
            )
        ]
        assert not opens or path.relative_to(ROOT).parts[0] == "files", f"{path}: {opens}"


def error_classes():
    return [getattr(errors, name) for name in errors.__all__]


def test_errors_are_one_family():
    for kind in error_classes():
        assert issubclass(kind, errors.KafkalogError)


ERRORS = [
    errors.FormatError("wrong", "crc", Span(1, 5)),
    errors.NotANumber("'x' is no number", "count", Span(2, 3)),
    errors.FormatError("wrong"),
    errors.Truncated(10, 3, "batch", Span(0, 3)),
    errors.BadVarint("no end", "length", Span(0, 5)),
    errors.BadLength(-5, "0 or more", "size"),
    errors.UnknownMagic(9, Span(16, 17)),
    errors.UnknownCompression(7, "0 to 4"),
    errors.DecompressionFailed("lz4", "no end mark"),
    errors.LimitExceeded(10, 20, "bytes"),
    errors.LimitExceeded(10, None, "bytes"),
    errors.RequestError("no such release"),
    errors.UnreadableFile("a/b", "permission denied"),
    errors.UnwritableFile("a/b", "no space left on device"),
    errors.FileChanged("a/b", 10, 5),
    errors.ExtraMissing("to_arrow", "kafkalog[arrow]"),
    errors.WorkerLost("was ended by SIGKILL"),
    errors.DecoderFailed("what the real tool says"),
    errors.MessageError("a rule of the reader", "field", Span(0, 2)),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_speak_and_survive_a_pickle(error):
    assert str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


def test_every_error_class_is_tried_here():
    assert {type(error) for error in ERRORS} >= set(error_classes()) - {errors.KafkalogError}


def test_the_version_is_one():
    from importlib.metadata import version

    assert kafkalog.__version__.count(".") == 2
    assert version("kafkalog") == kafkalog.__version__


def test_public_functions_and_methods_are_typed():
    for name in kafkalog.__all__:
        thing = getattr(kafkalog, name)
        members = [thing] if inspect.isfunction(thing) else [m for _, m in inspect.getmembers(thing, inspect.isfunction)]
        for member in members:
            # Methods that a dataclass or a NamedTuple makes have no text of their own.
            if member.__module__.startswith("kafkalog") and not member.__name__.startswith("__"):
                signature = inspect.signature(member)
                missing = [
                    p for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")
                ]
                assert not missing, f"{name}.{member.__name__}"


def test_the_package_can_be_pickled_by_its_name():
    """Functions that Ray and Spark send to their workers refer to it."""
    assert pickle.loads(pickle.dumps(kafkalog)) is kafkalog
