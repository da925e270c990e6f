from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from domain.log import Log
from tests.support.stores import Store

# The machine that runs the tests may be busy: how long an example takes says nothing.
settings.register_profile("crewlog", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crewlog")


@pytest.fixture
def log(store: Store) -> Iterator[Log]:
    """The log of a new store."""
    opened = store.open(keep_open=True)
    yield opened
    opened.close()
