"""From runs to logs, and from logs to what may be one partition: by offsets, and by what is alike."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.carve.values import FoundGroup, Run, Shape, Stitch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kafkalog.carve.values import Piece

__all__ = ["Known", "chains_of", "groups_of", "without_copies"]

#: Runs of one first offset that are compared with one that ends there.
_MOST_SAME = 16
#: Groups with something in common with a log in which its place is sought: the largest ones.
_MOST_GROUPS = 64
#: What logs of one topic have in common: a producer id, or what their values look like.
Mark = int | tuple[str, str]
#: Producer ids that are named.
_NAMED = 4


class Known(NamedTuple):
    """A partition or a topic that is known.

    Args:
        name: Its path, or `topic NAME`.
        producers: Producer ids in it.
        shapes: What records of it look like.
        why: What else says so, in words; "": nothing.
    """

    name: str
    producers: frozenset[int]
    shapes: frozenset[Shape]
    why: str = ""


def without_copies(runs: Iterable[Run]) -> list[Run]:
    """The runs, one of each of those that hold the same batches; it counts the others."""
    first: dict[tuple[int, int, int, int, int], Run] = {}
    for run in runs:
        key = (run.first_offset, run.next_offset, run.first_crc, run.batches, run.end - run.start)
        kept = first.setdefault(key, run)
        if kept is not run:
            kept.copies += 1
    return list(first.values())


def chains_of(runs: Sequence[Run], stitched: Mapping[int, tuple[Stitch, int]]) -> list[list[Piece]]:
    """Logs without a gap: runs that are joined by a stitched batch, or where one has the offset after the other.

    Args:
        runs: The runs.
        stitched: The number of a run → the batch after it, and the number of the run after that.
    """
    after: dict[int, tuple[Stitch | None, int]] = dict(stitched)
    taken = {number for _, number in stitched.values()}
    starting: dict[int, list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        if number not in taken:
            starting[run.first_offset].append(number)
    pairs = []
    for number, run in enumerate(runs):
        if number in after or run.is_cut:
            continue
        for other in starting.get(run.next_offset, ())[:_MOST_SAME]:
            if other != number and _may_follow(run, runs[other]):
                pairs.append((_likeness(run, runs[other]), -number, -other))
    for _, one, other in sorted(pairs, reverse=True):
        if -one not in after and -other not in taken:
            after[-one] = (None, -other)
            taken.add(-other)
    chains = []
    for number in range(len(runs)):
        if number in taken:
            continue
        chain: list[Piece] = [runs[number]]
        at = number
        while at in after:
            stitch, at = after[at]
            chain += [runs[at]] if stitch is None else [stitch, runs[at]]
        chains.append(chain)
    return chains


def _may_follow(run: Run, other: Run) -> bool:
    """Whether a run may be what comes next in the same log."""
    return (
        (run.magic == 2) == (other.magic == 2)
        and run.last_epoch <= other.first_epoch
        and _may_be_alike(run.shape, other.shape)
        and (run.first_timestamp or 0) <= (other.last_timestamp or 1 << 63)
    )


def _may_be_alike(one: Shape, other: Shape) -> bool:
    if not one.value or not other.value or "null" in (one.value, other.value):
        return True
    if one.is_strong and other.is_strong and one.value == other.value == "schema":
        return one.detail == other.detail
    return one.value == other.value


def _likeness(run: Run, other: Run) -> tuple[bool, bool, bool, bool, bool, int]:
    """How much says that a run goes on with another one: the more the greater."""
    return (
        bool(run.producers & other.producers),
        run.shape == other.shape,
        run.codecs == other.codecs,
        run.last_epoch == other.first_epoch,
        run.image == other.image and other.start >= run.end,
        -abs(other.start - run.end),
    )


class _Traits:
    """What is known of a log."""

    def __init__(self, chain: list[Piece]) -> None:
        runs = [piece for piece in chain if isinstance(piece, Run)]
        self.chain = chain
        self.first = runs[0].first_offset
        self.next = runs[-1].next_offset
        self.first_epoch, self.last_epoch = runs[0].first_epoch, runs[-1].last_epoch
        self.producers: set[int] = set().union(*(run.producers for run in runs))
        self.shapes = {run.shape for run in runs if run.shape.value}
        self.strong = {(shape.value, shape.detail) for shape in self.shapes if shape.is_strong}
        self.first_timestamp = min((run.first_timestamp for run in runs if run.first_timestamp is not None), default=None)
        self.last_timestamp = max((run.last_timestamp for run in runs if run.last_timestamp is not None), default=None)
        self.size = sum(run.end - run.start for run in runs)

    def precedes(self, other: _Traits) -> bool:
        """Whether the other can come later in the same log: neither offsets, epochs nor times contradict it."""
        if self.next > other.first or self.last_epoch > other.first_epoch:
            return False
        return self.first_timestamp is None or other.last_timestamp is None or self.first_timestamp <= other.last_timestamp

    @property
    def marks(self) -> list[Mark]:
        """What another log of the same topic may have, too."""
        return [*self.producers, *self.strong]


class _Members:
    """Logs that may be of one partition, ascending."""

    def __init__(self, number: int, first: _Traits) -> None:
        self.number = number
        self.logs = [first]
        self.marks = Counter(first.marks)

    def takes(self, one: _Traits) -> bool:
        """Whether a log fits between those that are there."""
        at = self._place_of(one)
        return (not at or self.logs[at - 1].precedes(one)) and (at == len(self.logs) or one.precedes(self.logs[at]))

    def add(self, one: _Traits) -> None:
        """Take it in."""
        self.logs.insert(self._place_of(one), one)
        self.marks.update(one.marks)

    def _place_of(self, one: _Traits) -> int:
        return bisect_left(self.logs, one.first, key=lambda member: member.first)

    def why(self) -> list[str]:
        """What its logs have in common; what a single one looks like."""
        shared = [mark for mark, count in self.marks.items() if count > 1 or len(self.logs) == 1]
        return _words([mark for mark in shared if isinstance(mark, int)], [mark for mark in shared if isinstance(mark, tuple)])


def _words(producers: Iterable[int], strong: Iterable[tuple[str, str]]) -> list[str]:
    """Producer ids, and what values look like, in words."""
    ids = sorted(producers)
    named = ", ".join(map(str, ids[:_NAMED])) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    looks = [f"schema id {detail}" if value == "schema" else f"JSON objects with {detail}" for value, detail in sorted(strong)]
    return ([f"producer {'id' if len(ids) == 1 else 'ids'} {named}"] if ids else []) + looks


def groups_of(chains: Iterable[list[Piece]], known: Sequence[Known]) -> list[FoundGroup]:
    """Logs that may be of one partition, the largest first.

    A log is added to the group with which it has most in common, a producer id, a schema id, the names in JSON objects, if
    its offsets, epochs and times fit; without anything in common it is a group of its own.
    """
    groups: list[_Members] = []
    by_mark: dict[Mark, list[_Members]] = defaultdict(list)
    for traits in sorted(map(_Traits, chains), key=lambda one: (-one.size, one.first)):
        shared: dict[int, set[Mark]] = defaultdict(set)
        for mark in traits.marks:
            for group in by_mark[mark]:
                # Producer ids count once, however many they are.
                shared[group.number].add(-1 if isinstance(mark, int) else mark)
        likely = sorted(shared, key=lambda number: (-len(shared[number]), number))
        best = next((groups[number] for number in likely if groups[number].takes(traits)), None)
        if best is None:
            best = _Members(len(groups), traits)
            groups.append(best)
        else:
            best.add(traits)
        for mark in traits.marks:
            of_mark = by_mark[mark]
            if best not in of_mark and len(of_mark) < _MOST_GROUPS:
                of_mark.append(best)
    return [_found(members, known) for members in groups]


def _found(members: _Members, known: Sequence[Known]) -> FoundGroup:
    group = FoundGroup(f"unknown-{members.number + 1:04d}-0", [one.chain for one in members.logs], members.why())
    group.guess, group.guess_why = _guess(members.logs, known)
    return group


def _guess(members: Sequence[_Traits], known: Sequence[Known]) -> tuple[str | None, list[str]]:
    """The one partition or topic that it looks like, and why; None where none does, or several.

    Producer ids say most; that a schema is registered for a topic says more than that partitions have it, too.
    """
    producers = set().union(*(one.producers for one in members))
    strong = set().union(*(one.strong for one in members))
    scored: list[tuple[tuple[bool, bool, bool], str, list[str]]] = []
    for one in known:
        shared = producers & one.producers
        alike = strong & {(shape.value, shape.detail) for shape in one.shapes}
        if shared or alike:
            why = [one.why] if one.why else []
            scored.append(((bool(shared), bool(why), bool(alike)), one.name, _words(shared, alike) + why))
    scored.sort(key=lambda one: one[0], reverse=True)
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None, []
    return scored[0][1], scored[0][2]
