"""No command's work grows faster than its input, counted in calls: they are the same on any machine."""

from __future__ import annotations

import itertools
import sys

import click
import pytest

from benchmarks.growth import SHAPES, words_of
from kafkalog.cli.main import main

#: Shape and n; 3n must not cost much more beyond 2n than 2n beyond n.
COUNTED = {
    "log-only-segments": 40,
    "whole-segments": 40,
    "unclean-segments": 40,
    "leader-epochs": 80,
    "aborted-transactions": 60,
    "overlapping-transactions": 60,
    "producers-and-segments": 100,
    "pieces-on-a-disk": 400,
}


def calls(arguments) -> int:
    """Calls of Python functions, steps of generator expressions included."""
    count = 0

    def note(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with pytest.raises((SystemExit, click.exceptions.Exit)):
            main.main(arguments, standalone_mode=True)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", COUNTED)
def test_work_grows_no_faster_than_its_input(shape, tmp_path, capfd):
    made = SHAPES[shape]
    counter = itertools.count()
    folders = []
    for factor in (1, 2, 3):
        folder = tmp_path / str(factor)
        folder.mkdir()
        made.write(folder, COUNTED[shape] * factor)
        images = [path for path in folder.iterdir() if path.suffix == ".img"]
        folders.append(str(*images or [folder if any(path.is_file() for path in folder.iterdir()) else folder / "t-0"]))

    def counted(command, folder):
        return calls(words_of(command, [folder], str(tmp_path / f"new{next(counter)}")))

    for command in made.commands:
        counted(command, folders[0])  # what is made once
        first, second, third = (counted(command, folder) for folder in folders)
        assert third - second < 1.25 * (second - first), (command, first, second, third)
    capfd.readouterr()
