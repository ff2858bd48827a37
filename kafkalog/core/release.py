"""The releases of Kafka that are supported, and how they are named."""

from __future__ import annotations

from kafkalog.errors import RequestError

__all__ = ["NEWEST", "OLDEST", "RELEASES", "Release", "parse_release", "release_text"]

#: A release as numbers: (2, 1, 1), in the 0.x line (0, 11, 0, 3). Compare them as tuples.
Release = tuple[int, ...]

_PATCHES = {
    (0, 11, 0): 3,
    (1, 0): 2,
    (1, 1): 1,
    (2, 0): 1,
    (2, 1): 1,
    (2, 2): 2,
    (2, 3): 1,
    (2, 4): 1,
    (2, 5): 1,
    (2, 6): 3,
    (2, 7): 2,
    (2, 8): 2,
    (3, 0): 2,
    (3, 1): 2,
    (3, 2): 3,
    (3, 3): 2,
    (3, 4): 1,
    (3, 5): 2,
    (3, 6): 2,
    (3, 7): 2,
    (3, 8): 1,
    (3, 9): 2,
    (4, 0): 2,
    (4, 1): 2,
    (4, 2): 1,
    (4, 3): 1,
    (4, 4): 0,
}

#: Every supported release, ascending.
RELEASES: tuple[Release, ...] = tuple((*line, patch) for line, last in _PATCHES.items() for patch in range(last + 1))
OLDEST = RELEASES[0]
NEWEST = RELEASES[-1]


def release_text(release: Release) -> str:
    """A release as people write it: `2.1.1`."""
    return ".".join(map(str, release))


def parse_release(text: object) -> Release:
    """The release of a text: `2.1.1`, or `2.1` for the last patch of the line.

    Raises:
        RequestError: there is no such release.
    """
    if not isinstance(text, str):
        raise RequestError(f"a Kafka release is a text like '3.9.1', not {text!r}")
    words = text.split(".")
    # Leading zeros and signs are no release numbers, so the text must come out as it went in.
    numbers = tuple(int(word) for word in words if word.isdecimal() and word.isascii() and len(word) <= 3)
    if release_text(numbers) == text:
        if numbers in RELEASES:
            return numbers
        last = [release for release in RELEASES if len(numbers) >= 2 and release[: len(numbers)] == numbers]
        if last:
            return last[-1]
    known = f"{release_text(OLDEST)} to {release_text(NEWEST)}"
    line = [release for release in RELEASES if numbers[:-1] and release[:-1] == numbers[:-1]]
    of_line = f"; of its line {release_text(line[0])} to {release_text(line[-1])} are known" if line else ""
    raise RequestError(f"{text!r} is no Kafka release from {known}{of_line} (a release line like 2.1 means its last patch)")
