"""What the next start does to everything in a verify report, after each kind of stop, in one sentence."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from kafkalog.core.filename import is_metadata_log
from kafkalog.render.outcome_words import aborted_visible, caveats_of, certain_harms, harm_of
from kafkalog.render.quantities import agreeing, count_text, size_text
from kafkalog.render.wrapping import cut
from kafkalog.verify import Severity
from kafkalog.verify.subjects import OF_NO_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify import PartitionReport, Report

__all__ = ["article", "every_outcome", "is_predicted", "missing_perhaps", "names_of", "start_text"]

#: Rules that say, from a severity on, that partitions are not here.
_LACKING = {"partitions-not-copied": Severity.INFO, "checkpoint-line-unknown": Severity.WARNING}


def _name_of(partition: PartitionReport) -> str:
    """The last name of its path, in remote storage the last two where the last one is only its number."""
    above, _, name = partition.path.rpartition("/")
    return f"{os.path.basename(above)}/{name}" if partition.is_remote and name.isdigit() else name


def names_of(report: Report) -> dict[str, str]:
    """What partitions are called, by their path: their directory's name, or the path where another one has that name."""
    names = {partition.path: _name_of(partition) for partition in report.partitions}
    count = Counter(names.values())
    return {path: name if count[name] == 1 else path for path, name in names.items()}


def is_predicted(report: Report) -> bool:
    """Whether the next start of anything was predicted."""
    return bool(report.next_start) or any(partition.next_start for partition in report.partitions)


def every_outcome(report: Report) -> list[Outcome]:
    """The predictions for all of it."""
    return [*report.next_start, *(outcome for partition in report.partitions for outcome in partition.next_start)]


def start_text(report: Report, letters: int) -> str:
    """What the next start takes away, after each kind of stop that was predicted, in so many letters at most."""
    predicted = [partition for partition in report.partitions if partition.next_start]
    # A metadata log is recovered whatever the stop was: it does not say what the stop was.
    asked = [one for one in predicted if not is_metadata_log(os.path.basename(one.path))] or predicted
    stops = [outcome.assumed.stop for one in asked for outcome in one.next_start] or [o.assumed.stop for o in report.next_start]
    texts: dict[str, list[str]] = {}
    for stop in sorted(set(stops)):
        texts.setdefault("; ".join(_at_stop(report, stop)), []).append(stop)
    release = f" (Kafka {report.version})" if report.version is not None else ""
    for stop, text in _otherwise(report):
        texts.setdefault(text, []).append(stop)
    return cut("; ".join(f"after {article(names)} stop: {text}" for text, names in texts.items()), letters) + release


def _otherwise(report: Report) -> Iterator[tuple[str, str]]:
    """The other kind of stop, and what a start after it takes from the damaged partitions of a log dir."""
    asked = [(partition, partition.otherwise) for partition in report.partitions if partition.otherwise]
    texts = [_harm_sentence(kind, places, report) for kind, places in _harms_of(asked).items()]
    lossy = [partition for partition, _ in asked if partition.account.gone or partition.account.unreadable]
    if lossy and not texts:
        texts = [f"nothing of {names_of(report)[lossy[0].path] if len(lossy) == 1 else 'what is damaged'} is removed"]
    if texts:
        yield asked[0][1][0].assumed.stop, "; ".join(texts)


def _harms_of(
    predicted: Iterable[tuple[PartitionReport, Sequence[Outcome]]],
) -> dict[str, list[tuple[PartitionReport, Outcome]]]:
    """Partitions and what harms them, by the kind of harm."""
    harms: dict[str, list[tuple[PartitionReport, Outcome]]] = {}
    for partition, outcomes in predicted:
        harmful = certain_harms(outcomes)
        kind = harm_of(harmful[0]) if harmful else ""
        if kind:
            harms.setdefault(kind, []).append((partition, harmful[0]))
    return harms


def article(stops: Sequence[str]) -> str:
    """Kinds of stop with their article."""
    return "a clean or an unclean" if len(set(stops)) > 1 else "an unclean" if "unclean" in stops else "a clean"


def _at(stop: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The predictions for a kind of stop; the one there is, where that does not depend on it."""
    return [outcome for outcome in outcomes if outcome.assumed.stop == stop] or list(outcomes)


def _at_stop(report: Report, stop: str) -> Iterator[str]:
    """What one start does, in half sentences."""
    predicted = [(partition, _at(stop, partition.next_start)) for partition in report.partitions]
    harms = _harms_of(predicted)
    unknown = [
        partition
        for partition, outcomes in predicted
        if not certain_harms(outcomes) and any(outcome.is_unknown or outcome.severity == "error" for outcome in outcomes)
    ]
    yield from _beside_texts(_at(stop, report.next_start))
    for kind, places in harms.items():
        yield _harm_sentence(kind, places, report)
    told = {partition.path for partition, _ in harms.get("empty", ())}
    logless = [p for p in report.partitions if p.next_start and not p.segments and p.verdict not in ("clean", "benign")]
    logless = [partition for partition in logless if partition.path not in told]
    if logless:
        yield f"{count_text(len(logless), 'partition')} without a log {agreeing(len(logless), 'gets', 'get')} an empty one"
    if unknown:
        them = names_of(report)[unknown[0].path] if len(unknown) == 1 else count_text(len(unknown), "partition")
        yield f"{them} cannot be predicted"
    if not (harms or logless or unknown or report.next_start):
        yield _nothing_lost(report)


def _beside_texts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What is done beside the partitions."""
    aborts = [outcome for outcome in outcomes if outcome.broker == "aborts"]
    if aborts:
        yield aborts[0].reason
    made = [outcome for outcome in outcomes if outcome.partition == "loaded" and outcome.records_lost is None]
    if made:
        are = agreeing(len(made), "is", "are")
        yield f"{count_text(len(made), 'partition')} placed here and missing {are} created again, empty"
    others = [outcome for outcome in outcomes if outcome not in aborts and outcome not in made]
    if others:
        yield others[0].reason


_DOES = {
    "stops": "the broker does not start because of {them}",
    "offline": "the log dir goes offline because of {them}",
    "stray": "{them} would be set aside as -stray",
    "deleted": "{them} would be deleted",
    "failed": "{them} would not be served",
    "empty": "{them} would begin empty",
}


def _harm_sentence(kind: str, places: list[tuple[PartitionReport, Outcome]], report: Report) -> str:
    them = names_of(report)[places[0][0].path] if len(places) == 1 else count_text(len(places), "partition")
    if kind == "loses":
        records = sum(outcome.records_lost or 0 for _, outcome in places)
        size = size_text(sum(outcome.bytes_lost or 0 for _, outcome in places))
        mendable = sum(_mendable_after(partition, outcome) for partition, outcome in places)
        more = f", and {mendable:,} unreadable {agreeing(mendable, 'one', 'ones')} that could be repaired" if mendable else ""
        return f"{them} {agreeing(len(places), 'loses', 'lose')} {count_text(records, 'record')}, {size}{more}"
    if kind == "aborted":
        records = sum(aborted_visible(outcome) for _, outcome in places)
        return f"read_committed consumers of {them} get {count_text(records, 'record')} of aborted transactions"
    sentence = _DOES.get(kind, "{them}: " + kind).format(them=them)
    if kind == "empty" and not all(partition.account.gone for partition, _ in places):
        return f"{sentence}; how much is lost is not known"
    asides = [outcome.set_aside for _, outcome in places if outcome.set_aside is not None]
    if not asides:
        return sentence
    records, size = sum(aside.records or 0 for aside in asides), size_text(sum(aside.size for aside in asides))
    at_least = "at least " if any(aside.records is None for aside in asides) else ""
    if not (records or at_least):
        return f"{sentence}, without records"
    return f"{sentence}, with {at_least}{count_text(records, 'record')}, {size}"


def _mendable_after(partition: PartitionReport, outcome: Outcome) -> int:
    """How many offsets that a flipped bit makes unreadable are after the end that a start leaves."""
    end = outcome.log_end_offset
    if end is None:
        return 0
    return sum(last - max(first, end) + 1 for first, last in partition.account.repairable if last >= end)


def missing_perhaps(report: Report) -> list[str]:
    """The directories of partitions that checkpoints name, that are not here, and that may be lost, or be so on purpose."""
    told: dict[str, Severity] = {}
    for finding in report.findings:
        if finding.id in OF_NO_DIRECTORY and "offsets_unknown" in finding.facts:
            path = str(finding.facts["file"])
            told[path] = max(finding.severity, told.get(path, Severity.IGNORE))
    return [path for path, severity in told.items() if severity is Severity.INFO]


def _nothing_lost(report: Report) -> str:
    """The good news, as far as it goes."""
    lossy = (partition.account for partition in report.partitions if partition.verdict == "data-loss")
    if any(account.gone or account.uncounted for account in lossy):
        return "nothing more is removed"
    lacking = any(f.severity >= _LACKING.get(f.id, Severity.ERROR) for f in report.findings) or bool(missing_perhaps(report))
    if report.failed:
        return "nothing of what could be read is removed"
    if lacking:
        return "nothing is lost of what is here"
    if any(outcome.already_gone for outcome in every_outcome(report)):
        return "nothing of what is here is lost"
    is_damaged = any(partition.account.unreadable for partition in report.partitions)
    return "nothing is removed" if is_damaged or caveats_of(every_outcome(report)) else "nothing is lost"
