"""The log dirs of one broker, among those that are looked at: what they share, and what no two of them may share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import parse_partition_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.files.log_dir import LogDir

__all__ = ["Broker", "PlacedDirectory", "brokers_of", "different_brokers", "same_broker"]


class PlacedDirectory(NamedTuple):
    """A partition directory, by its log dir and its name."""

    log_dir: LogDir
    name: str

    @property
    def path(self) -> str:
        """Its path."""
        return self.log_dir.directory.path_of(self.name)


class Broker(NamedTuple):
    """The log dirs of one broker, in the order in which they were given."""

    log_dirs: tuple[LogDir, ...]

    def doubled_partitions(self) -> Iterator[tuple[PlacedDirectory, PlacedDirectory]]:
        """Directories of a partition that an earlier one is already of, each with the first one."""
        first: dict[tuple[str, int], PlacedDirectory] = {}
        for place, key in self._unmarked():
            other = first.setdefault(key, place)
            if other is not place:
                yield place, other

    def _unmarked(self) -> Iterator[tuple[PlacedDirectory, tuple[str, int]]]:
        for log_dir in self.log_dirs:
            for name in log_dir.partition_names:
                parsed = parse_partition_name(name)
                if parsed is not None and not parsed.mark:
                    yield PlacedDirectory(log_dir, name), (parsed.topic, parsed.partition)

    def shared_directory_ids(self) -> Iterator[tuple[LogDir, LogDir]]:
        """Log dirs with the `directory.id` of an earlier one, each with that one."""
        first: dict[str, LogDir] = {}
        for log_dir in self.log_dirs:
            directory_id = log_dir.identity.directory_id
            other = log_dir if directory_id is None else first.setdefault(directory_id, log_dir)
            if other is not log_dir:
                yield log_dir, other


def brokers_of(log_dirs: Iterable[LogDir]) -> list[Broker]:
    """The brokers that name themselves in `meta.properties`, by cluster and node id, in the order of their first log dirs."""
    found: dict[tuple[str, str], list[LogDir]] = {}
    for log_dir in log_dirs:
        if log_dir.identity.broker is not None:
            found.setdefault(log_dir.identity.broker, []).append(log_dir)
    return [Broker(tuple(group)) for group in found.values()]


def same_broker(one: LogDir, other: LogDir) -> bool:
    """Whether two log dirs name the same cluster and node; False, too, where one of them does not name both."""
    return one.identity.broker is not None and one.identity.broker == other.identity.broker


def different_brokers(one: LogDir, other: LogDir) -> bool:
    """Whether two log dirs name different clusters or nodes; False, too, where one of them does not name both."""
    mine, theirs = one.identity.broker, other.identity.broker
    return mine is not None and theirs is not None and mine != theirs
