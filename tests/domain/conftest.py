from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from domain.log import Log
from tests.support.stores import SqliteStore, Store

# The machine that runs the tests may be busy: how long an example takes says nothing.
settings.register_profile("crewlog", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crewlog")


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """A new embedded store."""
    return SqliteStore(str(tmp_path)).create()


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest) -> Store:
    """A new store of every kind that there is: what asks for it is the contract of all event stores."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made


@pytest.fixture
def log(store: Store) -> Iterator[Log]:
    """The log of a new store."""
    opened = store.open(keep_open=True)
    yield opened
    opened.close()
