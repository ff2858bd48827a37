"""What holds for all tests: no examined tree is ever changed, and every fixture is used."""

from __future__ import annotations

import os
import sys
import tomllib

import pytest
from hypothesis import HealthCheck, settings

from kafkalog.core.compression import MAX_DECOMPRESSED
from kafkalog.files.aiven import AIVEN_KEYS
from kafkalog.files.mounted import EXAMINED as EXAMINED_NOW
from kafkalog.files.mounted import MAX_SPOOL, TELL
from tests.log_dirs import CORPUS, FIXTURES

settings.register_profile("kafkalog", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kafkalog")

#: Trees that the tests examine in place.
EXAMINED = tuple(os.path.realpath(path) for path in (FIXTURES / "broker", FIXTURES / "golden", CORPUS) if str(path))

_violations: list[str] = []
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime")


def _is_examined(path) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return os.path.realpath(os.fsdecode(path)).startswith(tuple(f"{tree}/" for tree in EXAMINED))


#: Paths below `fixtures/` that tests have opened in this process, or given to a command; of xdist's workers too, once they
#: have ended.
_opened: set[str] = set()
_FIXTURES = f"{os.path.realpath(FIXTURES)}/"
_hashing = False


def _use(path) -> None:
    if isinstance(path, str) and path.startswith(_FIXTURES) and not _hashing:
        _opened.add(path.removeprefix(_FIXTURES).rstrip("/"))


def _watch(event, args) -> None:
    if event == "open":
        path, _, flags = args
        _use(path)
        if flags & _WRITING and _is_examined(path):
            _violations.append(f"open {path!r} with flags {flags:o}")
    elif event == "subprocess.Popen":
        for argument in args[1]:
            _use(argument)
    elif event in _CHANGES and any(_is_examined(arg) for arg in args):
        _violations.append(f"{event} {args!r}")


# Modules of tests read fixtures while they are imported, so that it listens from the first of them on.
sys.addaudithook(_watch)


def _inventory() -> dict[str, tuple[int, int]]:
    return {
        os.path.join(folder, name): (status.st_size, status.st_mtime_ns)
        for tree in EXAMINED
        for folder, _, names in os.walk(tree)
        for name in names
        for status in (os.lstat(os.path.join(folder, name)),)
    }


@pytest.fixture(autouse=True)
def what_only_hashes_a_fixture_does_not_use_it(request):
    """Do not count what `test_fixtures.py` opens."""
    global _hashing  # noqa: PLW0603 - the audit hook cannot be taken away or given anything
    _hashing = request.path.name == "test_fixtures.py"
    yield
    _hashing = False


#: What a command that is run in this process sets for the rest of it.
_SETTINGS = (MAX_DECOMPRESSED, MAX_SPOOL, TELL, EXAMINED_NOW, AIVEN_KEYS)


@pytest.fixture(autouse=True)
def what_a_test_sets_is_not_set_for_the_next_one():
    """Take back the settings of commands."""
    before = [(setting, setting.get()) for setting in _SETTINGS]
    yield
    for setting, value in before:
        setting.set(value)


#: Rows of the manifest whose files are fixtures each; in the others all files are one: a log dir as it was left.
_EACH_FILE = ("accounts", "broker-starts", "golden/*.jsonl.xz")


def _unused_fixtures() -> list[str]:
    """Fixtures of which no test has opened a file, nor given one to a command. The recipes, which made the others, are none."""
    manifest = tomllib.loads((FIXTURES / "MANIFEST.toml").read_text(encoding="utf-8"))
    whole = {row["path"] for row in [*manifest["log_dir"], *manifest["unit"]]} - {*_EACH_FILE, "recipes"}
    names = [line.split("  ", 1)[1] for line in (FIXTURES / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]

    def fixture_of(name: str) -> str:
        return next((path for path in whole if f"{name}/".startswith(f"{path}/")), name)

    fixtures = {fixture_of(name) for name in names if not name.startswith("recipes/")}
    return sorted(fixtures - set(map(fixture_of, _opened)))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    """Take over what a worker of xdist has opened."""
    del error
    _opened.update(getattr(node, "workeroutput", {}).get("opened", ()))


def pytest_sessionfinish(session, exitstatus) -> None:
    """Fail a run of the whole suite in which a fixture was not used."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["opened"] = sorted(_opened)
    elif exitstatus == pytest.ExitCode.OK and _is_whole(config):
        config.stash[_UNUSED] = unused = _unused_fixtures()
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if unused else exitstatus


_UNUSED = pytest.StashKey[list[str]]()


def _is_whole(config) -> bool:
    chosen = ("keyword", "deselect", "ignore", "ignore_glob", "lf", "collectonly")
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.option.markexpr == "not kafka"
    return whole and not any(getattr(config.option, name, None) for name in chosen)


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Name the fixtures that no test has used."""
    for name in config.stash.get(_UNUSED, ()):
        terminalreporter.write_line(f"FAILED fixtures/{name}: no test opens it", red=True)


@pytest.fixture(scope="session", autouse=True)
def examined_trees_stay_as_they_are():
    """Asks the watch over every `open`, and compares names, sizes and times before and after the whole suite."""
    before = _inventory()
    yield
    assert _violations == []
    assert _inventory() == before
