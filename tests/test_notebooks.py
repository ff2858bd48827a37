"""The notebooks of the docs run from a new kernel, show what they promise, and name no place of this machine."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from tests.generate_docs import DOCS

ROOT = DOCS.parent
NOTEBOOKS = sorted(DOCS.glob("notebook-*.md"))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of each notebook with their outputs, by its name; one kernel for all, for its start takes longest."""
    notebooks = {path.stem: jupytext.read(path) for path in NOTEBOOKS}
    cells = []
    for notebook in notebooks.values():
        cells += [nbformat.v4.new_code_cell(f"import os; os.chdir({str(ROOT)!r})"), *notebook.cells]
    scratch = str(tmp_path_factory.mktemp("notebooks"))
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": scratch}},
    )
    client.execute(env={**os.environ, "TMPDIR": scratch, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    return notebooks


def outputs(notebook):
    """For each code cell its first line, and its results by MIME type."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert all(output.output_type == "execute_result" for output in cell.outputs), cell.outputs
            for output in cell.outputs:
                yield cell.source.splitlines()[-1], output.data


def test_there_are_two_notebooks_and_each_cell_but_the_first_shows_something(executed):
    assert sorted(executed) == ["notebook-incident", "notebook-workload"]
    for notebook in executed.values():
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.outputs for cell in code[1:])
        shown = list(outputs(notebook))
        assert sum("text/html" in data for _, data in shown) >= 5
        for what, data in shown:
            for kind, text in data.items():
                assert str(ROOT) not in text, (what, kind)
                assert "/tmp/" not in text, (what, kind)


def test_the_incident_comes_to_the_right_answers(executed):
    shown = dict(outputs(executed["notebook-incident"]))
    assert "data-loss" in shown["report"]["text/html"]
    assert "batch-length-invalid" in shown["next(finding for finding in errors if finding.cause is None)"]["text/plain"]
    assert "vega" in shown["plots.timeline()"]["text/html"]
    count, first = ast.literal_eval(shown["len(lost), lost[:4]"]["text/plain"])
    assert count == 16
    assert [row[0] for row in first] == [2, 3, 4, 17]
    assert [row[3] for row in first] == [None, None, None, "crc"]
    assert "('loaded', 2, 515)" in str([data["text/plain"] for data in shown.values()])
    assert ast.literal_eval(shown["kept.num_rows, kept.nbytes"]["text/plain"])[0] == 533 - 3


def test_the_workload_comes_to_the_right_answers(executed):
    shown = dict(outputs(executed["notebook-workload"]))
    rows = ast.literal_eval(shown["sorted(summary.rows(), key=str)"]["text/plain"])
    assert [row[:2] for row in rows] == [("aborted", 76), ("committed", 141), ("open", 3)]
    assert "3 open, 66 aborted, 126 committed" in shown['kafkalog.read_transactions("broker")']["text/plain"]


def test_the_marimo_notebook_runs_as_a_script(tmp_path):
    path = DOCS / "incident.marimo.py"
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "data-loss: 1 damaged place, 530 records can be read\n"
