"""Where segments come from: a store's folder, single files, or a branch of a git repository that nobody checked out.

A source gives lines with their place, and blobs; what they are worth is judged by `export.importing` and
`export.verify`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from domain.event import LINE_LIMIT
from domain.named import NamedTuple
from domain.refusals import Refusal
from export.segments import BLOBS, LOG, Span, blob_path, span
from export.signing import SIGNERS

if TYPE_CHECKING:
    from export.git import Git

_BLOCK = 1 << 20
_LONGEST = LINE_LIMIT + 1


class Line(NamedTuple):
    """One line: its number from 1, where it begins in the file, its bytes with the newline, if it has one.

    A line beyond all limits is cut behind them.
    """

    number: int
    offset: int
    data: bytes


class File(NamedTuple):
    """A file of events. `span` says what its name says; None for one that is no segment. `size` in bytes."""

    path: str
    span: Span | None
    size: int


class Source(Protocol):
    """Files of events, and blobs."""

    def files(self) -> list[File]:
        """The files, those of one replica in the order of its chain."""
        ...

    def lines(self, file: File) -> Iterator[Line]:
        """The lines of a file, read as they are asked for."""
        ...

    def blobs(self) -> list[str]:
        """The hashes of the blobs there."""
        ...

    def blob(self, digest: str, limit: int) -> bytes | None:
        """The bytes of a blob, whatever they hash to; None where it is not there. At most one more than `limit`."""
        ...

    def signers(self) -> bytes | None:
        """What is said there of whose key is whose; None where nothing is."""
        ...


def open_source(places: Sequence[str]) -> Source:
    """The files and folders of these names. Raises Refusal `not-found` for one that is not there."""
    for place in places:
        if not os.path.exists(place):
            hint = "Name a folder with segments (like .crewlog), a .jsonl file, or a git ref: --ref crewlog."
            raise Refusal("not-found", f"there is no {place}", hint, path=place)
    return Places(places)


class Places:
    """Files and folders on disk."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places

    def files(self) -> list[File]:
        """All segments below the folders, and the files themselves."""
        found: list[File] = []
        for place in self._places:
            paths = _segments_below(place) if os.path.isdir(place) else [place]
            found += [File(path, span(os.path.abspath(path)), _size(path)) for path in paths]
        return sorted(found, key=lambda file: (file.span or Span("", 0, 0), file.path))

    def lines(self, file: File) -> Iterator[Line]:
        """The lines of a file."""
        descriptor = open_plain(file.path)
        try:
            yield from split(descriptor)
        finally:
            os.close(descriptor)

    def blobs(self) -> list[str]:
        """The blobs beside the segments."""
        names: list[str] = []
        for folder in self._folders():
            for _, _, files in os.walk(os.path.join(folder, BLOBS)):
                names += files
        return sorted(names)

    def blob(self, digest: str, limit: int) -> bytes | None:
        """The bytes of a blob."""
        for folder in self._folders():
            path = os.path.join(folder, blob_path(digest))
            if os.path.lexists(path):
                descriptor = open_plain(path)
                with open(descriptor, "rb") as file:
                    return file.read(limit + 1)
        return None

    def signers(self) -> bytes | None:
        """The file of signers beside the segments."""
        for folder in self._folders():
            path = os.path.join(folder, SIGNERS)
            if os.path.lexists(path):
                with open(open_plain(path), "rb") as file:
                    return file.read()
        return None

    def _folders(self) -> list[str]:
        return [_root(place) for place in self._places if os.path.isdir(place)]


def _root(place: str) -> str:
    """The folder that holds `log` and `blobs`: a checkout of a code repository holds it as .crewlog."""
    inside = os.path.join(place, ".crewlog")
    return inside if not os.path.isdir(os.path.join(place, LOG)) and os.path.isdir(inside) else place


def _segments_below(place: str) -> list[str]:
    root = os.path.join(_root(place), LOG)
    if not os.path.isdir(root):
        hint = "A folder with segments holds log/<replica>/<first>-<last>.jsonl."
        raise Refusal("not-found", f"{place} holds no segments", hint, path=place)
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    return sorted(path for path in paths if path.endswith(".jsonl"))


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def open_plain(path: str) -> int:
    """A descriptor of a plain file. Raises Refusal `unwritable`, `unsafe-store`."""
    from domain.stores.queue import unwritable

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unwritable(error, path) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise Refusal("unsafe-store", f"{path} is not a regular file", "Look who put it there.", path=path)


def split(descriptor: int) -> Iterator[Line]:
    """The lines of an open file, in bounded memory."""
    number, offset, rest = 0, 0, b""
    read_to = 0
    while block := os.pread(descriptor, _BLOCK, read_to):
        read_to += len(block)
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            yield Line(number, offset, line[:_LONGEST] + b"\n")
            offset += len(line) + 1
        if len(rest) > _LONGEST:
            yield Line(number + 1, offset, rest[:_LONGEST])
            return
    if rest:
        yield Line(number + 1, offset, rest)


class Ref:
    """A commit, branch or tag in a git repository: nothing is checked out."""

    def __init__(self, git: Git, ref: str) -> None:
        """Raises Refusal `not-found` where the repository has no such ref."""
        self._git = git
        self._ref = ref
        found = git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{tree}}", codes=(0, 1, 128)
        )
        if found.code:
            hint = "`git branch --all` lists them; after `git fetch` the branch is called origin/crewlog."
            raise Refusal("not-found", f"{git.folder} has no ref {ref}", hint, ref=ref)
        self._objects = self._listed(found.line)

    def _listed(self, tree: str) -> dict[str, tuple[str, int]]:
        objects: dict[str, tuple[str, int]] = {}
        for part in self._git.run("ls-tree", "-r", "-z", "--long", "--full-tree", tree).parts:
            about, _, path = part.partition("\t")
            mode, _, digest, size = about.split()
            if mode.startswith("100"):  # no link, no submodule
                objects[path] = digest, int(size)
        return objects

    def files(self) -> list[File]:
        """All segments in the tree."""
        found = [
            File(f"{self._ref}:{path}", span(path), size)
            for path, (_, size) in self._objects.items()
            if path.startswith(f"{LOG}/") and path.endswith(".jsonl")
        ]
        return sorted(found, key=lambda file: (file.span or Span("", 0, 0), file.path))

    def lines(self, file: File) -> Iterator[Line]:
        """The lines of a file of the tree."""
        data, offset = self._content(file.path.partition(":")[2]), 0
        for number, line in enumerate(data.split(b"\n"), 1):
            end = offset + len(line) + 1
            if line or end <= len(data):
                yield Line(number, offset, line[:_LONGEST] + (b"\n" if end <= len(data) else b""))
            offset = end

    def blobs(self) -> list[str]:
        """The blobs in the tree."""
        return sorted(path.rpartition("/")[2] for path in self._objects if path.startswith(f"{BLOBS}/"))

    def blob(self, digest: str, limit: int) -> bytes | None:
        """The bytes of a blob."""
        path = blob_path(digest)
        return self._content(path)[: limit + 1] if path in self._objects else None

    def signers(self) -> bytes | None:
        """The file of signers in the tree."""
        return self._content(SIGNERS) if SIGNERS in self._objects else None

    def _content(self, path: str) -> bytes:
        return self._git.run("cat-file", "blob", self._objects[path][0]).out
