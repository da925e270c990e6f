"""Where every command begins and ends: find the program's own folders, run `cli.app`, leave the process.

In the wheel this file is `crewlog/__init__.py`. What it imports, every start pays for, so it takes `os` and `sys`,
which the interpreter has loaded already. Only the launcher leaves the process; everything else returns.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LAUNCHER = os.path.join("cli", "launcher.py")
EVENT = os.path.join("domain", "event.py")

# Beside the exit codes of the commands: an answer that nobody could read, and two that shells know.
UNWRITABLE = 6
INTERRUPTED = 130
READER_GONE = 141


def main() -> None:
    """Run the command line in `sys.argv`, then leave the process with its exit code: this never returns."""
    root = find_root()
    if root is None:
        remark("some of its own files are missing; install it again")
        os._exit(1)
    # First, because site-packages may hold somebody else's cli/ or domain/ as well.
    sys.path.insert(0, root)
    os._exit(guarded(lambda: forward_or_run(root)))


def find_root() -> str | None:
    """The folder that holds cli/, domain/, export/ and projections/, or None.

    In the source tree that is the one above cli/, in the wheel the one that this file is in. An editable install
    copies this file alone, and a .pth file puts the source tree on `sys.path`.
    """
    here = os.path.dirname(os.path.realpath(__file__))
    if os.path.basename(here) == "cli":
        return os.path.dirname(here)
    if os.path.isfile(os.path.join(here, EVENT)):
        return here
    for entry in filter(os.path.isabs, sys.path):
        if all(os.path.isfile(os.path.join(entry, landmark)) for landmark in (LAUNCHER, EVENT)):
            return entry
    return None


def forward_or_run(root: str) -> int:
    """Have the store's resident process run the command, or run it here; its exit code."""
    from cli.warm.client import forward

    forwarded = forward(root)
    if forwarded.code is not None:
        return forwarded.code
    from cli import lean

    lean.prepare()
    from cli.app import run_process

    return flush(guarded(lambda: run_process(forwarded.key)))


def guarded(run: "Callable[[], int]") -> int:
    """Run the command and return its exit code, also where its reader or its disk gave up half-way."""
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return READER_GONE
    except OSError as error:
        from errno import EDQUOT, EFBIG, ENOSPC

        if error.errno not in {EDQUOT, EFBIG, ENOSPC}:
            raise
        remark(f"cannot write {error.filename or 'the answer'}: {error.strerror}")
        return UNWRITABLE


def flush(code: int) -> int:
    """Flush both streams and return the exit code: success means that the answer has arrived, too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # None: closed before the start, as by `>&-`
                stream.flush()
        except BrokenPipeError:
            code = code or READER_GONE
        except OSError as error:
            done = "the command was done, but " if code == 0 else ""
            remark(f"{done}its answer could not be written: {error.strerror}")
            code = code or UNWRITABLE
    return code


def remark(sentence: str) -> None:
    """Say it on stderr, if stderr can still be written."""
    try:
        sys.stderr.write(f"crewlog: {sentence}\n")
        sys.stderr.flush()
    except (AttributeError, OSError):
        return


def __getattr__(name: str) -> str:
    """Give `crewlog.__version__` to those who ask for it; a start does not."""
    root = find_root()
    if name != "__version__" or root is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runpy import run_path

    version: str = run_path(os.path.join(root, "cli", "version.py"))["__version__"]
    return version


if __name__ == "__main__":
    # Run as a script: the interpreter put this file's folder first, where cli/ could hide standard modules.
    sys.path[:] = [
        entry for entry in sys.path if os.path.realpath(entry) != os.path.dirname(os.path.realpath(__file__))
    ]
    main()
