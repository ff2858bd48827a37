"""Every single bit of a file flipped in turn, and which flips `verify` keeps silent about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.verify import Severity, verify

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

    from tests.verify.lab import Lab

NOW = 1795500000000


def silent_flips(lab: Lab, path: pathlib.Path, positions: Iterable[int]) -> dict[int, str]:
    """Position → the bits (as digits) whose flip gives no WARNING and no ERROR; positions without one are left out."""
    whole = path.read_bytes()
    silent: dict[int, str] = {}
    for at in positions:
        for bit in range(8):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            if verify(lab.root, now=NOW, next_start=False).worst < Severity.WARNING:
                silent[at] = silent.get(at, "") + str(bit)
    path.write_bytes(whole)
    return silent


def outside_checksums(log: bytes) -> list[int]:
    """The positions of a `.log` that no checksum covers: offset, length, and from magic 2 on leader epoch and magic."""
    positions: list[int] = []
    at = 0
    while at < len(log):
        positions += range(at, at + (17 if log[at + 16] == 2 else 12))
        at += 12 + int.from_bytes(log[at + 8 : at + 12], "big")
    return positions


def spelled(flips: dict[int, str]) -> list[str]:
    """`position:bits`, or `first-last:bits` for positions in a row with the same bits."""
    rows: list[tuple[int, int, str]] = []
    for at, bits in sorted(flips.items()):
        if rows and rows[-1][1] == at - 1 and rows[-1][2] == bits:
            rows[-1] = (rows[-1][0], at, bits)
        else:
            rows.append((at, at, bits))
    return [f"{first}:{bits}" if first == last else f"{first}-{last}:{bits}" for first, last, bits in rows]


def read_spelled(rows: Iterable[str]) -> dict[int, str]:
    """The flips that `spelled` gave."""
    flips: dict[int, str] = {}
    for row in rows:
        place, _, bits = row.partition(":")
        first, _, last = place.partition("-")
        flips.update(dict.fromkeys(range(int(first), int(last or first) + 1), bits))
    return flips
