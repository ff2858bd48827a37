"""The documentation follows the code, and its examples run."""

from __future__ import annotations

import doctest
import functools
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from fnmatch import fnmatch

import pytest

import kafkalog
from kafkalog.cli.command import COMMANDS
from tests import picture
from tests.generate_docs import DOCS, PARTS, names_in, render
from tests.incidents import INCIDENTS
from tests.man_page import PATH, man_page
from tests.tour import SETUP
from tests.transcripts import place, shown

ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_parts_follow_the_code(page):
    text = page.read_text(encoding="utf-8")
    assert render(text) == text, "run python -m tests.generate_docs"
    assert text.count("<!-- generated:") == len(names_in(text)) == text.count("<!-- end generated -->")


def test_the_man_page_follows_the_help_of_the_commands():
    assert PATH.read_text(encoding="utf-8") == man_page(), "run python -m tests.generate_docs"
    for name in COMMANDS:
        assert f".SS {name}".replace("-", "\\-") in man_page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_the_man_page_can_be_shown():
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(PATH)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "--fail-on" in shown
    assert "kafkalog verify --quick" in shown


@pytest.mark.parametrize("name", INCIDENTS)
def test_the_commands_that_a_screen_advises_can_be_typed(name):
    setup, steps = INCIDENTS[name]
    folder = place(setup)
    screens = "".join(shown(line, folder, columns=200) for line in steps)
    advised = set(re.findall(r"^(?:more)? +(kafkalog [^`\n]+)$", screens, re.MULTILINE))
    for line in advised:
        said = shown(line, folder)
        assert said, line
        assert not re.search(r"^(kafkalog|Usage|Error): ", said, re.MULTILINE), said


def test_the_picture_in_the_readme_shows_what_the_command_shows():
    drawn = picture.PATH.read_text(encoding="utf-8")
    assert picture.text_in(drawn) == picture.text_now(), "run python -m tests.generate_docs"
    ET.fromstring(drawn)
    assert "http" not in re.sub(r"xmlns=\"[^\"]*\"|<!--.*?-->", "", drawn)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/verify.svg)" in readme
    for line in picture.SETUP.splitlines():
        assert line in readme, "the README's first command makes the damage of the picture"
    assert len(picture.text_now().splitlines()) <= 24


def test_the_readme_installs_the_wheel_of_this_version():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"kafkalog-([\w.]+)-py3-none-any\.whl", readme)) == {kafkalog.__version__}
    for name in COMMANDS:
        assert f"kafkalog {name} " in readme or f"{name}, " in readme or f", {name}" in readme, name


def test_every_generated_part_stands_on_a_page():
    standing = [name for page in PAGES for name in names_in(page.read_text(encoding="utf-8"))]
    assert sorted(standing) == sorted(PARTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@functools.cache
def files_that_are_there():
    here = (
        path for name in ("kafkalog", "tests", "fixtures", "benchmarks", "docs", ".ci") for path in (ROOT / name).rglob("*")
    )
    return {f"/{path.relative_to(ROOT).as_posix()}" for path in (*here, *ROOT.glob("*"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_directories_that_a_page_names_are_there(page):
    there = files_that_are_there()
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"[\w./*-]+\.(?:py|toml)\b", text)) | set(re.findall(r"`([a-z_]+(?:/[a-z_-]+)*)/`", text))
    missing = [name for name in names if not any(fnmatch(path, f"*/{name}") for path in there)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_are_there(page):
    for name in set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))):
        assert any(f"def {name}" in text for text in texts_of_tests()), name


@functools.cache
def texts_of_tests():
    return [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]


def test_the_index_names_every_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"index.md"}
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    missing = {page for page in pages if page not in linked and not page.startswith("rules/")}
    assert not missing


@pytest.mark.parametrize(("page", "least"), [("python.md", 60), ("tables.md", 10)])
def test_examples_in_the_python_pages_run(page, least):
    result = doctest.testfile(str(DOCS / page), module_relative=False)
    assert result.attempted >= least
    assert result.failed == 0


def test_examples_in_the_tour_run(tmp_path, monkeypatch):
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    subprocess.run(["bash", "-ec", SETUP], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(DOCS / "tour.md"), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0


def test_examples_in_the_readme_run(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "RecordBatch(offsets 0..1, 2 records, position 0, 492 bytes)" in capsys.readouterr().out


def modules():
    root = pathlib.Path(ROOT / "kafkalog")
    for path in sorted(root.rglob("*.py")):
        if ">>>" in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert result.failed == 0


def test_readme_commands_are_one_line_each_and_use_fixtures_that_are_there():
    commands = re.findall(
        r"<!-- command: (\w+) -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert [name for name, _ in commands] == ["dump", "test"]
    for _, text in commands:
        assert text.count("\n") == 1
        for path in re.findall(r"fixtures/\S+", text):
            assert os.path.isdir(path)
