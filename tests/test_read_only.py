"""Nothing under an examined tree is opened for writing, made or changed: by the command in a process of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from tests.log_dirs import fixture

#: Runs the command with a watch on every open; prints what was opened for writing or changed, after the command's end.
WATCHED = """
import os, sys
tree = os.path.realpath(sys.argv.pop(1)) + "/"
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
changes = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime",
    "fcntl.lockf", "fcntl.flock")
opened = []
def watch(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)) and os.path.realpath(os.fsdecode(args[0])).startswith(tree):
        opened.append(args[0])
        if args[2] & writing:
            os.write(2, f"VIOLATION {event} {args!r}\\n".encode())
    elif event in changes:
        os.write(2, f"VIOLATION {event} {args!r}\\n".encode())
sys.addaudithook(watch)
leave = os._exit
def _exit(status):
    os.write(2, f"OPENED {len(opened)}\\n".encode())
    leave(status)
os._exit = _exit
from kafkalog.cli.main import run
run(sys.argv[1:])
"""


def inventory(tree):
    rows = []
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names) + folders:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            digest = ""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            rows.append((path, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest))
    return rows


def run_watched(tree, *arguments):
    command = [sys.executable, "-c", WATCHED, str(tree), *arguments]
    # No bytecode is written: it would land in the package, not in the tree, and is not what is tested.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, errors="replace")


LOG_DIRS = [("2.1.1", "plain"), ("1.1.1", "swap"), ("0.10.2.2", "old"), ("4.3.1", "edge"), ("3.9.1", "crash")]


@pytest.mark.parametrize(("release", "workload"), LOG_DIRS)
@pytest.mark.parametrize(
    "arguments",
    [["dump"], ["dump", "--print-data-log", "--format", "jsonl"], ["dump", "--index-sanity-check"]],
    ids=" ".join,
)
def test_dump_opens_nothing_for_writing_and_leaves_the_tree_as_it_was(tmp_path, release, workload, arguments):
    tree = tmp_path / "tree"
    # Indexes of 10 MiB of zeros would be printed entry by entry.
    skip = shutil.ignore_patterns("*index") if workload == "crash" else None
    shutil.copytree(fixture(release, workload).path(), tree, ignore=skip)
    before = inventory(tree)
    result = run_watched(tree, *arguments, str(tree))
    assert "VIOLATION" not in result.stderr
    opened = int(result.stderr.rsplit("OPENED ", 1)[1])
    assert opened > 10
    assert inventory(tree) == before


@pytest.mark.parametrize(("release", "workload"), LOG_DIRS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", "--assume-stop", "unclean", "--recovery-point", "0"],
        ["next-start"],
        ["next-start", "--assume-stop", "unclean", "--recovery-point", "0"],
    ],
    ids=" ".join,
)
def test_the_start_is_played_without_touching_the_tree(tmp_path, release, workload, arguments):
    tree = tmp_path / "tree"
    shutil.copytree(fixture(release, workload).path(), tree)
    damaged = max(tree.glob("*-0/*.log"), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:200] + b"\xff" + damaged.read_bytes()[201:])
    before = inventory(tree)
    result = run_watched(tree, *arguments, str(tree))
    assert "VIOLATION" not in result.stderr
    assert int(result.stderr.rsplit("OPENED ", 1)[1]) > 10
    assert result.stdout
    assert inventory(tree) == before


RESCUES = {
    "salvage": ["-o", "{new}"],
    "salvage of replicas": ["-o", "{new}", "--unflip", "--replica", "{tree}/../other"],
    "diff": ["{tree}/../other"],
    "diff --logical": ["--logical", "--show", "3", "{tree}/../other"],
    "carve": ["-o", "{new}", "--live", "{tree}/../other/many-0", "--like", "{tree}/../other"],
}


@pytest.mark.parametrize("command", RESCUES)
def test_what_is_rescued_from_is_left_as_it_was(command, tmp_path):
    examined = tmp_path / "examined"
    tree = examined / "tree"
    for name in ("tree", "other"):
        shutil.copytree(fixture("2.1.1", "plain").path(), examined / name)
    damaged = max(tree.glob("*-0/*.log"), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:200] + b"\xff" + damaged.read_bytes()[201:])
    before = inventory(examined)
    options = [word.format(new=tmp_path / "new", tree=tree) for word in RESCUES[command]]
    paths = sorted(map(str, tree.glob("*-0/*.log"))) if command == "carve" else [str(tree)]
    result = run_watched(examined, command.split()[0], *options, *paths)
    assert result.returncode in (0, 1), result.stderr
    violations = [line for line in result.stderr.splitlines() if "VIOLATION" in line]
    assert [line for line in violations if str(examined) in line] == []
    assert int(result.stderr.rsplit("OPENED ", 1)[1]) > 10
    assert inventory(examined) == before
    assert (tmp_path / "new").exists() == ("-o" in options)


def test_the_watch_sees_a_write(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    code = WATCHED.replace("from kafkalog.cli.main import run\nrun(sys.argv[1:])", "open(sys.argv[1], 'ab'); os._exit(0)")
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert "VIOLATION open" in result.stderr
