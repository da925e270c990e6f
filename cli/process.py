"""The session process: the one that lives as long as an agent's session, although every command is short.

Reads /proc by hand. On a system without it only a pid that the user names is recorded, for the parent would be the
shell that ends with the command; the quiet lease judges there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Literal

from domain.named import NamedTuple
from domain.process import LARGEST_PID, Process
from domain.refusals import Refusal

State = Literal["there", "stopped", "gone", "elsewhere"]

PROC = "/proc"
SESSION_VARIABLE = "CREWLOG_SESSION"
SESSION_LIMIT = 64
ANCESTORS_LIMIT = 256

SHELLS = "ash bash busybox csh dash elvish fish ksh ksh93 mksh nu pwsh rbash sh tcsh xonsh yash zsh"  # and their scripts

# Programs that wait for one command and end with it. Recorded as the session they would look dead a second later,
# and the agent would be robbed of its task. `env`, `nice`, `nohup` and the like become the command: no entry.
WAITERS = (
    "bwrap codex-linux-sandbox direnv doas firejail flock git gmake hatch just make mise ninja npm npx parallel pdm "
    "pipx poetry script strace su sudo time timeout tox unshare uv uvx xargs"
)

# Who adopts orphans, and what idles as a container's first process: below these hangs no session that could end.
REAPERS = "catatonit conmon containerd-shim docker-init dumb-init init launchd pause runit s6-svscan sleep systemd tail tini"

NAME_LENGTH = 15  # the kernel keeps no more of a process's name


def _names(text: str) -> frozenset[str]:
    return frozenset(name[:NAME_LENGTH] for name in text.split())


_SHELLS, _WAITERS, _REAPERS = _names(SHELLS), _names(WAITERS), _names(REAPERS)
_ENDED = frozenset("ZXx")
_STOPPED = frozenset("Tt")


class _Entry(NamedTuple):
    """What /proc/PID/stat says."""

    pid: int
    name: str
    state: str
    parent: int
    started: str


def session_process(pid: int | None = None, *, command: int | None = None) -> Process | None:
    """The process whose end ends the caller's session, or None where none can be told.

    `pid`: the one that the user names; refused (`bad-value`) if it is not running. Otherwise the nearest ancestor of
    process `command` (this one) that is no shell or shell script, none of WAITERS, and not crewlog.
    """
    if pid is not None:
        return _named(pid)
    entry = _entry(command or os.getpid())
    for _ in range(ANCESTORS_LIMIT):
        entry = _entry(entry.parent) if entry and entry.parent else None
        if entry is None or entry.name in _REAPERS:
            return None
        if not _passes(entry):
            return _process(entry.pid, entry.started, _age(entry.started))
    return None


def process_state(process: Process) -> State:
    """Whether the process is there, stopped (SIGSTOP, debugger) or gone; elsewhere: not to be told from here.

    A zombie is gone, and so is a pid that another process has now. Elsewhere: another host, boot or pid namespace.
    """
    if (process.host, process.boot, process.namespace) != _here():
        return "elsewhere"
    entry = _entry(process.pid)
    if entry is None:
        return "there" if _answers(process.pid) else "gone"
    if entry.started != process.started or entry.state in _ENDED:
        return "gone"
    return "stopped" if entry.state in _STOPPED else "there"


def session_id(environ: Mapping[str, str], *, command: int | None = None) -> str:
    """What tells two sessions of one name apart: CREWLOG_SESSION, else `<pid>.<start>`, or "" if neither is known.

    Refused (`bad-value`): a CREWLOG_SESSION that is not at most 64 printable ASCII characters.
    """
    given = environ.get(SESSION_VARIABLE, "")
    if not given:
        process = session_process(command=command)
        return process.session if process else ""
    if len(given) <= SESSION_LIMIT and given.isascii() and given.isprintable():
        return given
    message = f"{SESSION_VARIABLE} must be at most {SESSION_LIMIT} printable ASCII characters"
    raise Refusal("bad-value", message, f"Example: {SESSION_VARIABLE}=run-17")


def _named(pid: int) -> Process:
    entry = _entry(pid) if 0 < pid <= LARGEST_PID else None
    if entry and entry.state not in _ENDED:
        return _process(pid, entry.started)
    if not os.path.isdir(PROC) and 0 < pid <= LARGEST_PID and _answers(pid):
        return _process(pid, "")
    hint = "Name a process that lives as long as your session, or leave --pid out."
    raise Refusal("bad-value", f"there is no process {pid}", hint, pid=pid)


def _process(pid: int, started: str, age: int | None = None) -> Process:
    host, boot, namespace = _here()
    return Process(pid, started, boot, namespace, host, age)


def _age(started: str) -> int:
    """For how many seconds a process has run. /proc/uptime may be a container's own; this clock is what starts count by."""
    return max(0, int(time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")))


def _here() -> tuple[str, str, str]:
    """Host, boot and pid namespace of this process."""
    try:
        namespace = os.readlink(f"{PROC}/self/ns/pid")
    except OSError:
        namespace = ""
    return (
        os.uname().nodename,
        _read("sys/kernel/random/boot_id").decode("ascii", "replace").strip(),
        namespace,
    )


def _entry(pid: int) -> _Entry | None:
    # A name may hold spaces and parentheses: it ends at the last one.
    head, _, tail = _read(f"{pid}/stat").rpartition(b")")
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    fields = tail.decode("ascii", "replace").split()
    if len(fields) < 20:
        return None
    return _Entry(pid, name, fields[0], int(fields[1]), fields[19])


def _answers(pid: int) -> bool:
    """True if the pid is taken: a system can hide other users' processes from /proc, or have no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _passes(entry: _Entry) -> bool:
    """True for an ancestor that is not the session but only stands between."""
    program = _program(entry.pid)
    names = {entry.name.split(" ")[0], program[:NAME_LENGTH]}
    return (
        bool(names & (_SHELLS | _WAITERS))
        or "crewlog" in names
        or _runs_crewlog(entry.pid, program or entry.name)
    )


def _program(pid: int) -> str:
    """The name of the program's file; "" if it is another user's. A shell script bears its own name, not the shell's."""
    try:
        return os.path.basename(os.readlink(f"{PROC}/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def _runs_crewlog(pid: int, program: str) -> bool:
    """True for an interpreter with the script `crewlog`, or the module, as what it runs."""
    if not program.startswith(("python", "pypy")):
        return False
    arguments = iter(_read(f"{pid}/cmdline").decode("utf-8", "replace").split("\0")[1:])
    for argument in arguments:
        if argument == "-m":
            return next(arguments, "") in ("crewlog", "cli")
        if argument in ("-X", "-W"):
            next(arguments, "")
        elif not argument.startswith("-"):
            return os.path.basename(argument) == "crewlog"
    return False


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(f"{PROC}/{path}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
