"""Requests as a worker reads them: what arrives on a connection, and the command line that it asks for."""

from __future__ import annotations

import os
import socket

from cli.warm import wire
from domain.named import NamedTuple

PATIENCE = 10.0  # seconds for a client to say what it wants
DESCRIPTORS = 4


class Request(NamedTuple):
    """What came in: the fields, and the descriptors that travelled with them."""

    fields: list[bytes]
    descriptors: list[int]


class Errand(NamedTuple):
    """A command line to be run, with its surroundings."""

    identity: bytes
    folder: bytes
    umask: int
    key: str
    cwd: str
    words: list[str]
    environ: dict[bytes, bytes]


def receive(connection: socket.socket) -> Request:
    """The request on a connection. Raises OSError or ValueError for what is none."""
    connection.settimeout(PATIENCE)
    first, descriptors, _, _ = socket.recv_fds(connection, wire.HEADER, DESCRIPTORS)
    try:
        header = first + _exactly(connection, wire.HEADER - len(first))
        size = int.from_bytes(header[len(wire.MAGIC) :], "big")
        body = _exactly(connection, size if header.startswith(wire.MAGIC) else -1)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    connection.settimeout(None)
    return Request(body.split(b"\0"), list(descriptors))


def _exactly(connection: socket.socket, size: int) -> bytes:
    if not 0 <= size <= wire.LIMIT:
        raise ValueError("no request")
    parts: list[bytes] = []
    while size:
        part = connection.recv(min(size, 1 << 16))
        if not part:
            raise ValueError("the request ends early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def errand(request: Request) -> Errand:
    """The command line of a `run`. Raises ValueError where it is malformed."""
    identity, folder, umask, key, cwd, count, *rest = request.fields[1:]
    words, environ = rest[: int(count)], rest[int(count) :]
    if len(request.descriptors) != DESCRIPTORS or len(words) != int(count):
        raise ValueError("a run needs its descriptors and all its words")
    pairs = (entry.partition(b"=") for entry in environ)
    return Errand(
        identity,
        folder,
        int(umask, 8),
        key.decode("ascii"),
        os.fsdecode(cwd),
        [os.fsdecode(word) for word in words],
        {name: value for name, _, value in pairs if name},
    )
