"""What a thin client and the resident process say to each other. Only `os` and `sys` are imported: every start pays.

A worker begins with HELLO: until then nobody may be there, and descriptors that wait in a socket keep pipes open. A
request is MAGIC, the length of its body, and the body: fields that NUL bytes part, the first of them its kind. With the
first byte of a `run` travel four descriptors: standard input, output and error, and the working directory. The answer to `run` is NO (run it yourself), or BEGUN and then DONE with the exit code; while it runs the client may send
numbers of signals, one byte each. The answer to `status` is JSON.
"""

from __future__ import annotations

import os
import sys

SOCKET = "serve.sock"
MAGIC = b"crewlog1"
HEADER = len(MAGIC) + 4
LIMIT = 8 << 20  # more than any kernel lets a program have as arguments and environment together

RUN, STATUS, STOP = b"run", b"status", b"stop"
HELLO, NO, BEGUN, DONE = b"H", b"N", b"B", b"X"

# Linux: address of a socket at most 107 bytes. A longer path is reached through a descriptor of its folder.
ADDRESS_LIMIT = 107


class address:  # noqa: N801 - a context manager, without contextlib's cost
    """A path by which the socket in a folder can be bound or reached, however long the folder's own path is."""

    __slots__ = ("_descriptor", "_folder")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> str:
        path = os.path.join(self._folder, SOCKET)
        if len(os.fsencode(path)) <= ADDRESS_LIMIT:
            return path
        self._descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._descriptor}/{SOCKET}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def frame(fields: list[bytes]) -> tuple[bytes, bytes]:
    """Header and body of a request."""
    body = b"\0".join(fields)
    return MAGIC + len(body).to_bytes(4, "big"), body


def identity(root: str) -> bytes:
    """What client and server must have in common: the program's files and the interpreter."""
    return os.fsencode(f"{root}:{sys.hexversion:x}:{sys.prefix}")


def folder_identity(folder: str) -> bytes:
    """Which folder a path leads to, whatever its name. Raises OSError."""
    about = os.stat(folder)
    return b"%d:%d" % (about.st_dev, about.st_ino)
