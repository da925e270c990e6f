"""The files of a source: which there are, and their lines, read one at a time however long the file is."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import BinaryIO

from domain.named import NamedTuple
from domain.refusals import Refusal
from export.foreign import beads, tissue

SYSTEMS: dict[str, ModuleType] = {"beads": beads, "tissue": tissue}

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BLOCK = 1 << 20


class File(NamedTuple):
    """A file whose lines are of one kind: `what` is the kind, `name` how the path was typed."""

    what: str
    name: str
    path: str


class Line(NamedTuple):
    """A line without its end. `number` counts from 1, `offset` in bytes from 0; `data` is None where it is too long."""

    number: int
    offset: int
    data: bytes | None


def find(system: str, path: str, cwd: str) -> list[File]:
    """The issues' file first, then what lies beside it. Refused (`not-found`) where there is no such file."""
    rules = SYSTEMS[system]
    whole = os.path.join(cwd, path)
    main = _main_file(rules, path, cwd) if os.path.isdir(whole) else path
    if not main or not os.path.exists(os.path.join(cwd, main)):
        names = " or ".join(rules.ISSUES)
        message = f"{path} holds no {names}" if os.path.isdir(whole) else f"there is no {path}"
        hint = f"Name the folder of {system}, or the file itself: crewlog import --from {system} {names.split()[0]}"
        raise Refusal("not-found", message, hint, path=path)
    found = [File("issue", main, os.path.join(cwd, main))]
    for what, name in rules.BESIDE.items():
        beside = os.path.join(os.path.dirname(main), name)
        if beside != main and os.path.isfile(os.path.join(cwd, beside)):
            found.append(File(what, beside, os.path.join(cwd, beside)))
    return found


def _main_file(rules: ModuleType, path: str, cwd: str) -> str:
    """The first file of issues that the folder has; an empty one only where there is no other."""
    places = [os.path.join(path, folder, name) for folder in rules.FOLDERS for name in rules.ISSUES]
    found = [place for place in places if os.path.isfile(os.path.join(cwd, place))]
    return max(found, key=lambda place: os.path.getsize(os.path.join(cwd, place)) > 0, default="")


@contextmanager
def opened(file: File) -> Generator[BinaryIO]:
    """The open file. Refused (`not-found`) where it cannot be read, or is no file: a pipe cannot be read twice."""
    try:
        stream = open(file.path, "rb", buffering=_BLOCK)  # noqa: SIM115 - closed below
    except OSError as error:
        hint = "Give yourself access to it, or name another file."
        raise Refusal(
            "not-found", f"cannot read {file.name}: {error.strerror}", hint, path=file.name
        ) from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            hint = "Write it to a file first: it is read twice."
            raise Refusal("not-found", f"{file.name} is no regular file", hint, path=file.name)
        yield stream


def lines(stream: BinaryIO, limit: int) -> Iterator[Line]:
    """The lines that hold something, split at newlines only. None is kept in memory beyond `limit` bytes."""
    number = offset = 0
    while data := stream.readline(limit + 2):
        number, begin, offset = number + 1, offset, offset + len(data)
        if not data.endswith(b"\n") and len(data) > limit:
            offset += _skip_line(stream)
            yield Line(number, begin, None)
            continue
        text = data.removeprefix(BYTE_ORDER_MARK) if not begin else data
        if text.strip():
            yield Line(number, begin, text.rstrip(b"\r\n"))


def _skip_line(stream: BinaryIO) -> int:
    """Read to the end of the line; how many bytes that were."""
    skipped = 0
    while block := stream.readline(_BLOCK):
        skipped += len(block)
        if block.endswith(b"\n"):
            break
    return skipped
