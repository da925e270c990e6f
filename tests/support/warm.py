"""Command lines through a resident process: the whole CLI suite, answered by workers that have answered others before.

One server answers for every store of the run: it keeps nothing of any of them, and that is what is tested.
"""

from __future__ import annotations

import atexit
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from cli.warm import control, wire
from cli.warm.identity import Identity
from cli.warm.requests import Errand

WANTED = os.environ.get("CREWLOG_WARM") == "1"
PATIENCE = 60.0


def run(words: Sequence[str], stdin: str, environ: Mapping[str, str], cwd: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line."""
    folder = _server()
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        source.write(stdin.encode("utf-8", "surrogateescape"))
        source.seek(0)
        here = os.open(cwd, os.O_RDONLY | os.O_DIRECTORY)
        try:
            code = _ask(folder, words, environ, cwd, (source.fileno(), out.fileno(), err.fileno(), here))
        finally:
            os.close(here)
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(), err.read().decode()


def _ask(
    folder: str, words: Sequence[str], environ: Mapping[str, str], cwd: Path, descriptors: tuple[int, ...]
) -> int:
    fields = [
        wire.RUN,
        wire.identity(control.root()),
        wire.folder_identity(folder),
        b"22",
        b"",
        os.fsencode(cwd),
        b"%d" % len(words),
        *(word.encode("utf-8", "surrogateescape") for word in words),
        *(os.fsencode(f"{name}={value}") for name, value in environ.items()),
    ]
    header, body = wire.frame(fields)
    with socket.socket(socket.AF_UNIX) as connection, wire.address(folder) as path:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        assert connection.recv(1) == wire.HELLO
        socket.send_fds(connection, [header], list(descriptors))
        connection.sendall(body)
        answer = b""
        while received := connection.recv(3):
            answer += received
    assert answer[:2] == wire.BEGUN + wire.DONE, answer
    return answer[2]


class _AnyStore(Identity):
    def fits(self, wanted: Errand, peer: int) -> bool:
        del wanted, peer
        return True


def _serve(folder: str, ready: Connection) -> None:
    from cli.warm.confinement import confinement
    from cli.warm.server import Server
    from cli.warm.warming import warm_up

    serving = Server(folder, 600.0, _AnyStore(control.root(), folder, confinement(os.getpid())))
    warm_up()
    with serving.listening() as listener:
        ready.send(True)
        serving.serve(listener)


@cache
def _server() -> str:
    """The folder of the one server of this process."""
    folder = tempfile.mkdtemp(prefix="crewlog-warm-")
    context = get_context("spawn")
    ready, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, theirs), daemon=True)
    process.start()
    assert ready.poll(PATIENCE), "the server does not come up"
    atexit.register(process.terminate)
    return folder
