"""What an archive holds, put together member by member: nothing that a member's name says is believed."""

from __future__ import annotations

from kafkalog.core.spoken import listed
from kafkalog.files.nodes import Folder, Piece

__all__ = ["MOST_MEMBERS", "Members"]

#: Members that an archive may have; parts and characters of a member's path.
MOST_MEMBERS = 1_000_000
_MOST_PARTS = 64
_MOST_NAME = 4096
_SHOWN = 3


class Members:
    """The members of an archive that are read, as a directory, and what of it is left out.

    `problems` is what could not be read.
    """

    def __init__(self) -> None:
        self.folder = Folder()
        self.problems: list[str] = []
        self._told: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    @property
    def notes(self) -> list[str]:
        """What was left out on purpose, a line for each reason."""
        return [f"{what}: {listed(names, _SHOWN, self._counts[what])}" for what, names in self._told.items()]

    def leave_out(self, what: str, name: str) -> None:
        """Note that a member is not read, and why."""
        self._counts[what] = self._counts.get(what, 0) + 1
        names = self._told.setdefault(what, [])
        if len(names) < _SHOWN:
            names.append(name[:_MOST_NAME])

    def place_of(self, name: str) -> list[str] | None:
        """The parts of a member's path below the archive; None: it has no place there, which is noted."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or len(parts) > _MOST_PARTS or len(name) > _MOST_NAME or "\0" in name:
            self.leave_out("not read, for its path leads out of the archive or makes no sense", name)
            return None
        return parts

    def add_folder(self, parts: list[str], name: str) -> Folder:
        """Take a directory in."""
        if name.startswith("/"):
            self.leave_out("read below the archive, though its path begins with /", name)
        return self._folder(parts, name)

    def add_file(self, parts: list[str], name: str, piece: Piece) -> None:
        """Take a file in; the last one of a name counts."""
        if name.startswith("/"):
            self.leave_out("read below the archive, though its path begins with /", name)
        if not parts:
            self.leave_out("not read, it has no name", name)
            return
        folder = self._folder(parts[:-1], name)
        if parts[-1] in folder.nodes:
            self.leave_out("there more than once, the last one is read", name)
        folder.nodes[parts[-1]] = piece

    def _folder(self, parts: list[str], name: str) -> Folder:
        folder = self.folder
        for part in parts:
            node = folder.nodes.get(part)
            if not isinstance(node, Folder):
                if node is not None:
                    self.leave_out("read as a directory, though it is a file as well", name)
                node = folder.nodes[part] = Folder()
            folder = node
        return folder
