"""A command that runs below us: in a process group of its own, its output passed through as it comes."""

from __future__ import annotations

import codecs
import os
import selectors
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, TextIO

from cli.signals import OFFSET, Stops

TAIL = 3_500  # bytes of output that are kept: with a sentence before them they stay inline in an event
CHUNK = 65_536
# Nobody says when a child was stopped or its group has changed: looked at now and then.
GLANCE = 1.0
# A pipe holds at most 1 MiB: what is still read after so many chunks was written by a process that was left behind.
LEFT_IN_PIPE = 16


class Sink:
    """Writes bytes to a stream, unchanged and at once.

    A reader that went away, or a full disk, is no reason to leave the command alone: the rest is dropped. `trouble` is
    why, None for a reader that went away.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._raw = getattr(stream, "buffer", None)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._works = True
        self.trouble: OSError | None = None

    def __call__(self, data: bytes) -> None:
        """Write."""
        if not self._works:
            return
        try:
            self._write(data)
        except OSError as error:
            self._works = False
            self.trouble = None if isinstance(error, BrokenPipeError) else error

    def _write(self, data: bytes) -> None:
        if self._raw is None:
            self._stream.write(self._decoder.decode(data))
            return
        self._stream.flush()
        self._raw.write(data)
        self._raw.flush()


class Child:
    """The command, its output so far (`written` bytes, the end of it in `tail`), and its end."""

    def __init__(
        self,
        line: Sequence[str],
        cwd: str,
        environ: Mapping[str, str],
        source: IO[bytes] | int,
        sinks: Sequence[Sink],
    ) -> None:
        """Start it; `sinks` take what it writes on stdout and stderr. Raises OSError where it cannot be started."""
        self._process = subprocess.Popen(
            line,
            cwd=cwd,
            env=dict(environ),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        self.pid = self._process.pid
        self.tail = b""
        self.written = 0
        self._sinks = sinks
        self._selector = selectors.DefaultSelector()
        for pipe, sink in zip((self._process.stdout, self._process.stderr), sinks, strict=True):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ, sink)

    def attend(self, stops: Stops, each_round: Callable[[], None]) -> int:
        """Pass output through and signals on until it has ended; its exit code, 128 + N where signal N ended it."""
        self._selector.register(stops.descriptor, selectors.EVENT_READ, None)
        passed = 0
        while self._process.poll() is None:
            self._pass_output(GLANCE, stops)
            for number in stops.signals[passed:]:
                self.send(number)
                passed += 1
            each_round()
        self._selector.unregister(stops.descriptor)
        self._drain()
        code = self._process.returncode
        return code if code >= 0 else OFFSET - code

    def send(self, number: int) -> None:
        """Send a signal to the whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _pass_output(self, timeout: float, stops: Stops | None = None) -> bool:
        """Take what is there, waiting for it; False where there was nothing."""
        found = False
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                found = self._take(key) or found
            elif stops is not None:
                stops.clear()
        return found

    def _take(self, key: selectors.SelectorKey) -> bool:
        try:
            data = os.read(key.fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(key.fileobj)
            return False
        self.tail = (self.tail + data)[-TAIL:]
        self.written += len(data)
        key.data(data)
        return True

    def _drain(self) -> None:
        """What was written until the end. A process that it left behind may hold the pipes open, or write on for ever."""
        for _ in range(LEFT_IN_PIPE):
            if not self._selector.get_map() or not self._pass_output(0):
                break
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def output(self) -> tuple[int, str]:
        """How many bytes it has written, and the end of it."""
        return self.written, self.last_words()

    def complain(self) -> None:
        """Raise the OSError for which output was dropped, if any was."""
        for sink in self._sinks:
            if sink.trouble:
                raise sink.trouble

    def last_words(self) -> str:
        """The end of its output as text."""
        return self.tail.decode("utf-8", "replace").strip()
