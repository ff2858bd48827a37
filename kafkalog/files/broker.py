"""The log dirs of one broker, among those that are looked at: what they share, and what no two of them may share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from kafkalog.core.filename import parse_partition_name
from kafkalog.files.paths import join

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.files.log_dir import Identity

__all__ = ["Broker", "Home", "PlacedDirectory", "brokers_of", "different_brokers", "same_broker"]


class Home(Protocol):
    """What is asked of a log dir here, be it on this machine or told of by another."""

    @property
    def path(self) -> str:
        """Where it is."""

    @property
    def identity(self) -> Identity:
        """Whose it is."""

    @property
    def partition_names(self) -> Sequence[str]:
        """The names of its partition directories."""


H = TypeVar("H", bound=Home)


class PlacedDirectory(NamedTuple, Generic[H]):
    """A partition directory, by its log dir and its name."""

    log_dir: H
    name: str

    @property
    def path(self) -> str:
        """Its path."""
        return join(self.log_dir.path, self.name)


class Broker(NamedTuple, Generic[H]):
    """The log dirs of one broker, in the order in which they were given."""

    log_dirs: tuple[H, ...]

    def doubled_partitions(self) -> Iterator[tuple[PlacedDirectory[H], PlacedDirectory[H]]]:
        """Directories of a partition that an earlier one is already of, each with the first one."""
        first: dict[tuple[str, int], PlacedDirectory[H]] = {}
        for place, key in self._unmarked():
            other = first.setdefault(key, place)
            if other is not place:
                yield place, other

    def _unmarked(self) -> Iterator[tuple[PlacedDirectory[H], tuple[str, int]]]:
        for log_dir in self.log_dirs:
            for name in log_dir.partition_names:
                parsed = parse_partition_name(name)
                if parsed is not None and not parsed.mark:
                    yield PlacedDirectory(log_dir, name), (parsed.topic, parsed.partition)

    def shared_directory_ids(self) -> Iterator[tuple[H, H]]:
        """Log dirs with the `directory.id` of an earlier one, each with that one."""
        first: dict[str, H] = {}
        for log_dir in self.log_dirs:
            directory_id = log_dir.identity.directory_id
            other = log_dir if directory_id is None else first.setdefault(directory_id, log_dir)
            if other is not log_dir:
                yield log_dir, other


def brokers_of(log_dirs: Iterable[H]) -> list[Broker[H]]:
    """The brokers that name themselves in `meta.properties`, by cluster and node id, in the order of their first log dirs."""
    found: dict[tuple[str, str], list[H]] = {}
    for log_dir in log_dirs:
        if log_dir.identity.broker is not None:
            found.setdefault(log_dir.identity.broker, []).append(log_dir)
    return [Broker(tuple(group)) for group in found.values()]


def same_broker(one: Home, other: Home) -> bool:
    """Whether two log dirs name the same cluster and node; False, too, where one of them does not name both."""
    return one.identity.broker is not None and one.identity.broker == other.identity.broker


def different_brokers(one: Home, other: Home) -> bool:
    """Whether two log dirs name different clusters or nodes; False, too, where one of them does not name both."""
    mine, theirs = one.identity.broker, other.identity.broker
    return mine is not None and theirs is not None and mine != theirs
