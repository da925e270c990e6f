"""The thin client: hands a command line to the resident process of its store, where there is one.

It decides nothing about the command. Whatever stands in the way (no store, no server, another version, a sandbox that
the server is not in) it answers None, and the caller runs the command itself.
"""

from __future__ import annotations

import os
import sys

from cli.warm import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

SWITCH = "CREWLOG_SERVE"
# What needs the terminal for itself, starts other programs (which must stay in the caller's session and sandbox), or
# is about the server. A word too many here costs a cold start and nothing else.
LOCAL = frozenset(
    [
        "run",
        "top",
        "serve",
        "demo",
        "init",
        "merge",
        "--merge",
        "sync",
        "--check",
        "report",
        "--while-pid",
        "--install-completion",
        "--show-completion",
    ]
)
_INTERRUPT = 2
WHOLE = 3  # BEGUN, DONE, the exit code
PATIENCE = 2.0  # seconds for a worker to begin; then the command is run here


class Forwarded:
    """What became of the attempt: the exit code, or None; and the key that a second attempt must show."""

    __slots__ = ("code", "key")

    def __init__(self, code: int | None, key: str = "") -> None:
        self.code = code
        self.key = key


def forward(root: str) -> Forwarded:
    """Have the command line in `sys.argv` run by the resident process, if there is one for its store.

    Where the answer is lost on the way, `key` is set: run with it, a write that was done already is not done again.
    """
    words = sys.argv[1:]
    environ = os.environ
    if environ.get(SWITCH) == "0" or "_CREWLOG_COMPLETE" in environ or not LOCAL.isdisjoint(words):
        return Forwarded(None)
    try:
        cwd = os.getcwd()
        folder = _folder(cwd, words)
        connection = connect(folder)
        try:
            return _ask(connection, _request(root, folder, cwd, words))
        finally:
            connection.close()
    except Exception:  # noqa: BLE001 - no store, no server, a refusal: the command itself says it, in full
        return Forwarded(None)


def _folder(cwd: str, words: list[str]) -> str:
    """The store that the line is most likely about. A wrong guess does no harm: no server keeps anything of a store."""
    from cli import place

    option = None
    for number, word in enumerate(words):
        if word == "--":
            break
        if word == "--store":
            option = words[number + 1]
        elif word.startswith("--store="):
            option = word[len("--store=") :]
    return place.locate_store(cwd, os.environ, option).path


def connect(folder: str) -> socket:
    """A connection to a worker of a store's server. Raises OSError where there is none, or where it is not ours."""
    import _socket

    path = os.path.join(folder, wire.SOCKET)
    if os.lstat(path).st_uid != os.geteuid():
        raise PermissionError(path)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        with wire.address(folder) as path:
            connection.connect(path)
        connection.settimeout(PATIENCE)
        _greeted(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _greeted(connection: socket) -> None:
    if connection.recv(1) != wire.HELLO:
        raise ConnectionError("nobody is there")


def _request(root: str, folder: str, cwd: str, words: list[str]) -> list[bytes]:
    umask = os.umask(0o077)
    os.umask(umask)
    environ = [name + b"=" + value for name, value in os.environb.items()]
    return [
        wire.RUN,
        wire.identity(root),
        wire.folder_identity(folder),
        b"%o" % umask,
        os.urandom(8).hex().encode(),
        os.fsencode(cwd),
        b"%d" % len(words),
        *map(os.fsencode, words),
        *environ,
    ]


def _ask(connection: socket, request: list[bytes]) -> Forwarded:
    header, body = wire.frame(request)
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _send(connection, header, (0, 1, 2, here))
    finally:
        os.close(here)
    connection.sendall(body)
    answer = _answer(connection)
    if answer == wire.NO:
        return Forwarded(None)
    # Without a whole answer the command may have been run nevertheless: the next attempt shows the key.
    if len(answer) < WHOLE:
        return Forwarded(None, request[4].decode())
    return Forwarded(answer[-1])


def _send(connection: socket, header: bytes, descriptors: tuple[int, ...]) -> None:
    import _socket

    rights = b"".join(number.to_bytes(4, sys.byteorder) for number in descriptors)
    sent = connection.sendmsg([header], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    connection.sendall(header[sent:])


def _answer(connection: socket) -> bytes:
    """All that the worker says, passing Ctrl-C on meanwhile. It ends early where the worker does."""
    answer = b""
    while len(answer) < WHOLE and answer != wire.NO:
        try:
            received = connection.recv(3)
        except KeyboardInterrupt:
            _pass_on(connection, _INTERRUPT)
            continue
        except OSError:
            break
        if not received:
            break
        answer += received
        connection.settimeout(None)
    return answer


def _pass_on(connection: socket, signal: int) -> None:
    try:
        connection.send(bytes((signal,)))
    except OSError:  # the worker is gone: the next read says so
        return
