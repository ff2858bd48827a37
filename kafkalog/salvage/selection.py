"""Choosing among the sound batches of all sources: one for each offset, in the order of the log."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.salvage.candidates import find_candidates
from kafkalog.salvage.values import COPY, DIVERGED, NOT_WANTED, SUPERSEDED, GoneRange, LeftOut
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.filters import Filters
    from kafkalog.errors import UnreadableFile
    from kafkalog.salvage.candidates import Candidate, Found, SourceLog
    from kafkalog.salvage.cleaning import Cleaning
    from kafkalog.salvage.values import Flip

__all__ = ["Chosen", "Selection", "SourceRule"]


class SourceRule(NamedTuple):
    """What may be taken of a source.

    Args:
        rank: Of two batches of one epoch, that of the source with the larger rank is taken.
        first: No batch of a lower offset.
        shared_end: None that reaches this offset: from there on another history counts; None: all.
        against: Whose history that is.
        fills: Whether it only fills what the first source lacks.
    """

    rank: int
    first: int = 0
    shared_end: int | None = None
    against: str = ""
    fills: bool = False


class Chosen(NamedTuple):
    """A batch that is kept: where it is, and the bit to set back in it."""

    log: SourceLog
    candidate: Candidate
    flip: Flip | None


class _Item(NamedTuple):
    """A candidate in the row of all of them; `number` makes the order of equal ones definite."""

    base: int
    number: int
    candidate: Candidate
    log: SourceLog


class Selection:
    """The batches that are kept, and why others are not.

    Args:
        logs: The `.log` files of all sources, by base offset; the first source is number 0.
        rules: What may be taken of each source, by its number.
        filters: Which offsets and times are wanted.
        parses: Whether batches must have readable records.
        unflips: Whether a batch with a single flipped bit is taken.
        cleaning: What is known of the log cleaner's work on the first source.
    """

    def __init__(
        self,
        logs: Sequence[SourceLog],
        rules: Sequence[SourceRule],
        filters: Filters,
        *,
        parses: bool,
        unflips: bool,
        cleaning: Cleaning,
    ) -> None:
        self._logs = sorted(logs)
        self._rules = rules
        self._filters = filters
        self._parses = parses
        self._unflips = unflips
        self._cleaning = cleaning
        self._holes = 0
        self.left_out: list[LeftOut] = []
        self.gone: list[GoneRange] = []
        self.unread: list[UnreadableFile] = []
        #: First and last offset of each stretch of the new log without a hole.
        self.stretches: list[list[int]] = []
        self._flips: dict[tuple[str, int], Flip] = {}
        self._damaged_end: set[int] = set()
        self._end: int | None = None
        #: Batches that other sources have and the log cleaner may have removed from the first.
        self.cleaned = 0

    def __iter__(self) -> Iterator[Chosen]:
        for item in self._filled(self._without_overlaps(self._merged())):
            candidate = item.candidate
            self._note_gap(candidate)
            if not self._is_wanted(candidate):
                self._leave_out(item, NOT_WANTED, "not asked for")
                continue
            self._note_kept(candidate)
            yield Chosen(item.log, candidate, self._flips.get((item.log.path, candidate.position)))
        self._close()

    # --- all candidates by their offset ---

    def _merged(self) -> Iterator[_Item]:
        """Every candidate by its base offset; a file is read when its own base offset is reached."""
        heap: list[tuple[int, int, _Item, Iterator[_Item]]] = []
        number = 0
        waiting = list(reversed(self._logs))
        while heap or waiting:
            while waiting and (not heap or waiting[-1].base <= heap[0][0]):
                number += 1
                _push(heap, number, self._candidates(waiting.pop(), number))
            if heap:
                _, at, item, following = heappop(heap)
                yield item
                _push(heap, at, following)

    def _candidates(self, log: SourceLog, number: int) -> Iterator[_Item]:
        found = find_candidates(log, parses=self._parses, unflips=self._unflips)
        self._take(found, log)
        rule = self._rules[log.source]
        follows_damage = log.source in self._damaged_end
        self._damaged_end.discard(log.source)
        for candidate in found:
            one = candidate._replace(after_damage=True) if follows_damage else candidate
            follows_damage = False
            item = _Item(one.base, number, one, log)
            if rule.shared_end is not None and one.last >= rule.shared_end:
                reason = f"its history is another one than that of {rule.against} from offset {rule.shared_end} on"
                self._leave_out(item, DIVERGED, reason)
            elif one.base >= rule.first:
                yield item
        if found.ends_in_damage or (follows_damage and not len(found)):
            self._damaged_end.add(log.source)

    def _take(self, found: Found, log: SourceLog) -> None:
        if found.error is not None:
            self.unread.append(found.error)
        if log.source == 0:
            self._cleaning.is_known = self._cleaning.is_known or found.is_cleaned
            self._holes += found.holes
            following = min((one.base for one in self._logs if one.source == 0 and one.base > log.base), default=None)
            for one in found.left_out:
                if one.offsets is not None and one.offsets[1] is None and following is not None:
                    first = one.offsets[0]
                    self.left_out.append(one._replace(offsets=(first, following - 1) if first < following else None))
                else:
                    self.left_out.append(one)
        self._flips.update({(log.path, position): flip for position, flip in found.flips.items()})

    # --- one batch for each offset ---

    def _without_overlaps(self, items: Iterator[_Item]) -> Iterator[_Item]:
        held: _Item | None = None
        for item in items:
            if held is None or item.base > held.candidate.last:
                if held is not None:
                    yield held
                held = item
                continue
            better, other = (item, held) if self._value(item) > self._value(held) else (held, item)
            self._give_up(other, better)
            held = better
        if held is not None:
            yield held

    def _value(self, item: _Item) -> tuple[int, bool, int]:
        """The batch of the later leader is taken, then one that is as it was written, then that of the longer log."""
        candidate = item.candidate
        is_as_written = (item.log.path, candidate.position) not in self._flips
        return candidate.epoch, is_as_written, self._rules[item.log.source].rank

    def _give_up(self, item: _Item, better: _Item) -> None:
        one, other = item.candidate, better.candidate
        if one[:4] == other[:4]:
            if item.log.source == better.log.source:
                self._leave_out(item, COPY, f"the same batch stands in {better.log.path}")
            return
        epochs = f"of leader epoch {one.epoch}, and that of epoch {other.epoch} counts"
        what = epochs if one.epoch != other.epoch else "and only one of the two can stand there"
        self._leave_out(item, SUPERSEDED, f"it overlaps offsets {other.base} to {other.last} of {better.log.path}, {what}")

    # --- what the first source lacks ---

    def _filled(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """Batches of the first source, and between them those of others, where it has lost something."""
        waiting: list[_Item] = []
        for item in items:
            if self._rules[item.log.source].fills:
                waiting.append(item)
                continue
            yield from self._fillers(waiting, may_fill=item.candidate.after_damage or self._is_lost(waiting))
            waiting.clear()
            yield item
        yield from waiting

    def _is_lost(self, waiting: list[_Item]) -> bool:
        if not waiting:
            return False
        return self._cleaning.cannot_explain(waiting[0].base, self._holes) or not self._cleaning.may_explain(self._holes)

    def _fillers(self, waiting: list[_Item], *, may_fill: bool) -> Iterator[_Item]:
        if may_fill:
            yield from waiting
        else:
            self.cleaned += len(waiting)

    # --- what was chosen ---

    def _is_wanted(self, one: Candidate) -> bool:
        first, end, since, until = self._filters[:4]
        return (
            (first is None or one.last >= first)
            and (end is None or one.base < end)
            and (since is None or one.last_time >= since)
            and (until is None or one.first_time < until)
        )

    def _leave_out(self, item: _Item, kind: str, reason: str) -> None:
        one = item.candidate
        new = LeftOut(item.log.path, one.span, (one.base, one.last), kind, reason)
        before = self.left_out[-1] if self.left_out else None
        if before is not None and before.offsets is not None and _joins(before, new):
            span = Span(before.span.start, new.span.end)
            self.left_out[-1] = before._replace(span=span, offsets=(before.offsets[0], one.last))
        else:
            self.left_out.append(new)

    def _note_gap(self, one: Candidate) -> None:
        """Note offsets that nothing holds between the batch before and this one."""
        if self._end is not None and one.base > self._end:
            certain = one.after_damage or self._cleaning.cannot_explain(self._end, self._holes)
            if certain or not self._cleaning.may_explain(self._holes):
                reason = "the bytes are damaged" if one.after_damage else "no file holds them"
                self.gone.append(GoneRange(self._end, one.base - 1, reason, certain))
        self._end = one.last + 1

    def _note_kept(self, one: Candidate) -> None:
        if self.stretches and self.stretches[-1][1] + 1 == one.base:
            self.stretches[-1][1] = one.last
        else:
            self.stretches.append([one.base, one.last])

    def _close(self) -> None:
        """Say of what was left out whether the new log has its offsets all the same."""
        self.left_out = [one._replace(is_covered=self._covers(one)) for one in self.left_out]

    def _covers(self, one: LeftOut) -> bool:
        if one.kind == COPY or one.offsets is None:
            return one.kind == COPY or (one.offsets is None and bool(self.stretches))
        first, last = one.offsets
        if last is None:
            return bool(self.stretches) and self.stretches[-1][1] >= first
        return any(begin <= first and last <= end for begin, end in self.stretches)


def _push(heap: list[tuple[int, int, _Item, Iterator[_Item]]], number: int, following: Iterator[_Item]) -> None:
    item = next(following, None)
    if item is not None:
        heappush(heap, (item.base, number, item, following))


def _joins(before: LeftOut, new: LeftOut) -> bool:
    same = (before.path, before.kind, before.reason) == (new.path, new.kind, new.reason)
    return same and before.span.end == new.span.start
