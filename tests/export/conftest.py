from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.log import Log
from export.live import LiveFile
from tests.support.stores import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A new store."""
    return SqliteStore(str(tmp_path)).create()


@pytest.fixture
def log(store: SqliteStore) -> Iterator[Log]:
    """Its log."""
    opened = store.open(keep_open=True)
    yield opened
    opened.close()


@pytest.fixture
def live(store: SqliteStore, log: Log) -> LiveFile:
    """Its live file."""
    return LiveFile(store.folder, log)
