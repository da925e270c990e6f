"""What tests of every layer ask for: event stores of every kind, and a PostgreSQL server that runs as long as they do."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresStore, Server, running_server
from tests.support.stores import SqliteStore, Store

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for what a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server of these tests' own, started when the first one asks for it."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_store(postgres_server: Server) -> PostgresStore:
    """A new store on the server, in a schema of its own."""
    return PostgresStore(postgres_server, f"crew_{os.urandom(5).hex()}").create()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """A new embedded store."""
    return SqliteStore(str(tmp_path)).create()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """A new store of every kind that there is: what asks for it is the contract of all event stores."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made
