"""No command's work grows faster than its input, counted in calls: they are the same on any machine."""

from __future__ import annotations

import sys

import click
import pytest

from benchmarks.growth import SHAPES
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
    folders = []
    for factor in (1, 2, 3):
        folder = tmp_path / str(factor)
        folder.mkdir()
        made.write(folder, COUNTED[shape] * factor)
        folders.append(str(folder if any(path.is_file() for path in folder.iterdir()) else folder / "t-0"))
    for command in made.commands:
        name, *options = command.split()
        calls([name, *options, folders[0]])  # what is made once
        first, second, third = (calls([name, *options, folder]) for folder in folders)
        assert third - second < 1.25 * (second - first), (command, first, second, third)
    capfd.readouterr()
