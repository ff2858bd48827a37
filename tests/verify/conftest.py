"""What tests of several kinds of checks use."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from kafkalog.replay.logs import Log


@pytest.fixture
def replayed(monkeypatch):
    """How often the log of each directory is walked for a replay."""
    walks = Counter()
    sources = Log._sources

    def counted(log):
        walks[os.path.basename(log.path)] += 1
        return sources(log)

    monkeypatch.setattr(Log, "_sources", counted)
    return walks
