"""Start, ask and stop the resident process of a store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

import orjson

from cli.warm import wire
from cli.warm.client import connect
from domain.refusals import Refusal

if TYPE_CHECKING:
    from _socket import socket

READY_SECONDS = 60.0
END_SECONDS = 10.0
ASK_SECONDS = 5.0
_LOOK = 0.02


class About(TypedDict):
    """What a server says of itself. `program` is where its files are, `served` counts commands."""

    pid: int
    version: str
    python: str
    program: str
    served: int
    up_seconds: int
    idle_seconds: int


def root() -> str:
    """The folder that holds this program's folders."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def serve(folder: str, idle: float, ready: Callable[[], None]) -> None:
    """Be the server of the store until there is a reason to end. Raises Refusal `held` where there is one."""
    from cli.place import address_in
    from cli.warm.confinement import confinement
    from cli.warm.identity import Identity
    from cli.warm.server import Server
    from cli.warm.warming import warm_up

    try:
        identity = Identity(root(), folder, confinement(os.getpid()))
    except OSError as error:
        hint = "Commands work without it."
        raise Refusal("unwritable", f"a server needs Linux's /proc: {error}", hint, path="/proc") from error
    warm_up(remote=address_in(folder) is not None)
    server = Server(folder, idle, identity)
    with server.listening() as listener:
        ready()
        server.serve(listener)


def about(folder: str) -> About | None:
    """What the store's server says of itself, None where there is none."""
    return _asked(folder, wire.STATUS)


def stop(folder: str) -> About | None:
    """End the store's server and wait for it; what it was, None where there was none. Raises Refusal `locked`."""
    before = _asked(folder, wire.STOP)
    if before is None or _until(lambda: about(folder) is None, END_SECONDS):
        return before
    hint = f"Look what it does: ps -p {before['pid']}"
    raise Refusal("locked", f"process {before['pid']} does not end", hint, pid=before["pid"])


def start(folder: str, idle: str) -> tuple[About, bool]:
    """A server in the background, ready to answer; True where there was one already. Raises Refusal `locked`."""
    there = about(folder)
    if there:
        return there, True
    line = [sys.executable, os.path.join(root(), "cli", "launcher.py"), "serve", "--idle", idle]
    child = subprocess.Popen(
        [*line, "--store", folder],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    ready = _until(lambda: child.poll() is not None or about(folder) is not None, READY_SECONDS)
    found = about(folder) if ready else None
    if found is None:
        hint = f"`crewlog serve --store {folder}` in the foreground says why; commands work without it."
        raise Refusal("locked", "the server did not come up", hint, path=folder)
    child.returncode = 0  # it goes on without us: its end is not ours to wait for
    return found, found["pid"] != child.pid


def _until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK)
    return True


def _asked(folder: str, kind: bytes) -> About | None:
    try:
        connection = connect(folder)
    except OSError:
        return None
    try:
        connection.settimeout(ASK_SECONDS)
        header, body = wire.frame([kind])
        connection.sendall(header + body)
        answer: About = orjson.loads(_all(connection))
    except (OSError, ValueError):
        return None
    finally:
        connection.close()
    return answer


def _all(connection: socket) -> bytes:
    parts: list[bytes] = []
    while part := connection.recv(4096):
        parts.append(part)
    return b"".join(parts)
