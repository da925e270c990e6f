"""How a process is confined: by user, namespaces and filters of system calls.

A client in a sandbox must not get its command run outside of it, so the server answers only those who are confined
just as it is. Read from /proc; where that is not to be had nobody is served.
"""

from __future__ import annotations

import os

_NAMESPACES = ("mnt", "net", "pid", "user", "ipc")
_LINES = (
    b"Uid:",
    b"Gid:",
    b"Groups:",
    b"CapEff:",
    b"CapBnd:",
    b"NoNewPrivs:",
    b"Seccomp:",
    b"Seccomp_filters:",
)

Confinement = tuple[object, ...]


def confinement(pid: int) -> Confinement:
    """What two processes must have in common. Raises OSError where it cannot be read."""
    folder = f"/proc/{pid}"
    with open(f"{folder}/status", "rb") as status:
        lines = [line for line in status if line.startswith(_LINES)]
    namespaces = [os.readlink(f"{folder}/ns/{name}") for name in _NAMESPACES]
    return (*lines, *namespaces, os.readlink(f"{folder}/root"))
