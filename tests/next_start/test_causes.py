"""Outcomes carry causes with kind, file and place; what is advised reads these, and no code takes English apart."""

from __future__ import annotations

import ast
import pathlib
import shutil

import pytest

from kafkalog.next_start.api import next_starts
from kafkalog.next_start.cause import FALSE_MARKER, INVALID_BATCH, LOAD_FAILURE, LOADED, LOG_DIR, NOTE, STRAY, Cause
from kafkalog.next_start.clean_marker import StopTraces, contradiction
from kafkalog.verify import verify
from tests.log_dirs import fixture

PACKAGE = pathlib.Path(__file__).parents[2] / "kafkalog"
#: Attributes that hold sentences for people.
SENTENCES = {"reason", "message", "consequence", "remedy"}
TAKING_APART = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "find", "index", "removeprefix"}
MARKER = ".kafka_cleanshutdown"


def is_sentence(node):
    return isinstance(node, ast.Attribute) and node.attr in SENTENCES


def sentences_taken_apart(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKING_APART:
            if is_sentence(node.func.value):
                yield node.lineno
        elif isinstance(node, ast.Compare):
            words = [one for one in (node.left, *node.comparators) if isinstance(one, ast.Constant | ast.Name)]
            if words and any(map(is_sentence, (node.left, *node.comparators))):
                constants = [one.value for one in words if isinstance(one, ast.Constant)]
                if constants not in ([""], [None]):
                    yield node.lineno


def test_no_code_takes_english_apart():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in sentences_taken_apart(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    ["METADATA_FILE in outcome.reason", 'outcome.reason.rpartition("; ")', 'error.reason == "no such file or directory"'],
)
def test_code_that_does_is_found(code):
    assert list(sentences_taken_apart(ast.parse(code))) == [1]


@pytest.fixture
def log_dir(tmp_path):
    return pathlib.Path(shutil.copytree(fixture("4.3.1", "meta-n1").path(), tmp_path / "d"))


def outcome_of(log_dir, name, **options):
    (found,) = (outcome for outcome in next_starts([log_dir], **options) if outcome.path == f"{log_dir}/{name}")
    return found


def places(outcome):
    return [(cause.kind, cause.file, cause.position) for cause in outcome.causes]


def test_nothing_to_tell_is_a_cause_too(log_dir):
    assert places(outcome_of(log_dir, "kept-0")) == [(LOADED, None, None)]


def test_a_file_that_keeps_a_partition_from_loading_is_named(log_dir):
    (log_dir / "kept-0" / "leader-epoch-checkpoint").write_text("rubbish\n")
    outcome = outcome_of(log_dir, "kept-0")
    assert places(outcome) == [(LOAD_FAILURE, "leader-epoch-checkpoint", None)]
    assert outcome.reason == outcome.causes[0].text
    assert any("Move leader-epoch-checkpoint out of the directory" in action for action in outcome.actions)


@pytest.mark.parametrize("change", ["removed", "emptied"])
def test_partition_metadata_that_is_gone_or_empty_is_the_cause_and_the_advice(change, log_dir):
    path = log_dir / "kept-0" / "partition.metadata"
    path.unlink() if change == "removed" else path.write_bytes(b"")
    outcome = outcome_of(log_dir, "kept-0")
    kind = STRAY if change == "removed" else LOAD_FAILURE
    assert (kind, "partition.metadata", None) in places(outcome)
    assert any("write its id into `partition.metadata`" in action for action in outcome.actions)


def test_the_batch_at_which_recovery_stops_has_its_file_and_position(log_dir):
    log = log_dir / "kept-0" / f"{0:020d}.log"
    data = log.read_bytes()
    log.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    outcome = outcome_of(log_dir, "kept-0", assume_stop="unclean", recovery_point=0)
    (cut,) = outcome.truncate
    assert 0 < cut.position < len(data)
    assert (INVALID_BATCH, log.name, cut.position) in places(outcome)


def test_what_stops_the_broker_beside_the_partitions_is_named_by_its_path(log_dir):
    (log_dir / "meta.properties").write_text("version=9\n")
    outcomes = list(next_starts([log_dir], kafka_version="4.3.1"))
    assert (LOG_DIR, f"{log_dir}/meta.properties", None) in places(outcomes[0])
    assert all((LOG_DIR, f"{log_dir}/meta.properties", None) in places(outcome) for outcome in outcomes[1:])


def test_the_start_stops_for_its_cause_and_not_for_what_is_only_worth_knowing(log_dir):
    """The last clause of the reason is a remark, about `meta.properties`."""
    (log_dir / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=c\n")
    (log_dir / "kept-0" / "leader-epoch-checkpoint").write_text("0\n1\na b\n")
    outcome = outcome_of(log_dir, "kept-0", kafka_version="3.9.1")
    assert [cause.kind for cause in outcome.causes] == [LOAD_FAILURE, NOTE]
    told = [action for action in outcome.actions if "until the cause is gone" in action]
    assert told == [] or "NumberFormatException" in told[0]


# --- a marker of a clean shutdown that lies ---


@pytest.fixture(scope="module", params=[("3.9.1", "crash"), ("3.3.2", "crash")], ids=["killed", "killed in its first minute"])
def marked(request, tmp_path_factory):
    """The log dir of a killed broker, into which somebody has put a clean-shutdown marker."""
    root = pathlib.Path(shutil.copytree(fixture(*request.param).path(), tmp_path_factory.mktemp("marked") / "d"))
    (root / MARKER).write_text('{"version":0,"brokerEpoch":-1}')
    return root


def test_a_false_marker_is_named_with_what_to_do_where_verify_finds_it(marked):
    assert "clean-marker-false" in {finding.id for finding in verify(marked, next_start=False).findings}
    outcomes = list(next_starts([marked]))
    misled = [outcome for outcome in outcomes if FALSE_MARKER in {cause.kind for cause in outcome.causes}]
    assert misled
    for outcome in misled:
        assert (FALSE_MARKER, f"{marked}/{MARKER}", None) in places(outcome)
        assert outcome.severity in ("warning", "error")
        assert any(f"move `{MARKER}` out of the log dir" in action for action in outcome.actions)
    assert not any("__cluster_metadata-0" in outcome.path for outcome in misled), "a clean stop does not close it"


def test_without_the_marker_nothing_is_said_of_it(marked):
    assert not any(
        cause.kind == FALSE_MARKER for outcome in next_starts([marked], assume_stop="unclean") for cause in outcome.causes
    )


@pytest.mark.parametrize(
    "case", [("4.3.1", "meta-n1"), ("2.1.1", "plain"), ("3.9.1", "cluster-final-n1"), ("2.8.2", "repl-b1")]
)
def test_a_true_marker_is_believed(case):
    path = pathlib.Path(fixture(*case).path())
    if (path / MARKER).exists():
        assert not any(cause.kind == FALSE_MARKER for outcome in next_starts([path]) for cause in outcome.causes)


@pytest.mark.parametrize(
    ("logs", "no_points", "against"),
    [
        ([], False, None),
        ([StopTraces()], False, None),
        ([StopTraces(is_point_before_end=True)], False, None),
        ([StopTraces(is_point_before_end=True, is_padded=True)], False, 1),
        ([StopTraces(is_point_before_end=True, lacks_snapshot=True), StopTraces()], False, None),
        ([StopTraces(is_point_before_end=True, lacks_snapshot=True), StopTraces(lacks_point=True)], False, 1),
        ([StopTraces(lacks_snapshot=True)], False, None),
        ([StopTraces(lacks_snapshot=True)], True, 1),
    ],
)
def test_a_marker_lies_when_more_logs_contradict_it_than_were_closed(logs, no_points, against):
    found = contradiction(logs, no_points=no_points)
    assert (None if found is None else found.against) == against


def test_a_cause_is_text_with_a_place():
    assert Cause(NOTE, "words") == (NOTE, "words", None, None)
