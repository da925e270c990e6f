"""From words to a command and from its outcome to an exit code. `run` never leaves the process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Annotated, TextIO

import typer
from typer.core import TyperGroup

from cli.building import Definition, build, declared
from cli.call import Call
from cli.grammar import As, Full, Group, Json, Quiet, Store
from cli.output import print_refusal
from cli.shell import Shell
from cli.text import safe
from cli.version import __version__
from domain.refusals import Exit, Refusal

# Typer keeps its copy of Click private; the base of its own error is the usage error of that copy.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_EPILOG = "`crewlog COMMAND --help` shows an example. `crewlog help states` draws the task machine."

_COMPLETION = ("--install-completion", "--show-completion")


def _print_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        call: Call = ctx.obj
        print(f"crewlog {__version__}", file=call.shell.stdout)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Print the version.", callback=_print_version, is_eager=True, show_default=False
    ),
]


def _root(
    ctx: typer.Context,
    *,
    json: Json = False,
    quiet: Quiet = False,
    full: Full = False,
    as_: As = None,
    store: Store = None,
    version: Version = False,
) -> None:
    """An event-sourced message log that a crew of coding agents works from."""
    del version
    call: Call = ctx.obj
    ctx.obj = call.with_options(json=json, quiet=quiet, full=full, as_=as_, store=store)


# Who is refused by the rules, or waits in vain, hears what is new as well; where the store has trouble nobody looks.
_TOLD = frozenset({Exit.REFUSED, Exit.CONFLICT, Exit.NOTHING_YET})


def run(arguments: Sequence[str], shell: Shell) -> int:
    """Run one command line and return its exit code."""
    call = Call(shell, words=tuple(arguments))
    try:
        _refuse_strange_bytes(arguments)
        return _run_and_mend(arguments, shell, call)
    except Refusal as refusal:
        news = call.news() if refusal.exit in _TOLD else []
        print_refusal(shell, refusal, as_json=_wants_json(arguments), news=news)
        return int(refusal.exit)
    except KeyboardInterrupt:
        stopped = Refusal("interrupted", "stopped", "An event that was acknowledged is safe; run it again.")
        print_refusal(shell, stopped, as_json=_wants_json(arguments))
        return 130
    except OSError:
        raise  # the launcher knows what to say where the answer itself could not be written
    except Exception as error:  # noqa: BLE001 - the last line of defence: people get a code, not a traceback
        bug = _internal(error, shell)
        print_refusal(shell, bug, as_json=_wants_json(arguments))
        return int(bug.exit)
    finally:
        call.close()


def _run_and_mend(arguments: Sequence[str], shell: Shell, call: Call) -> int:
    """Run it; where it stumbled over damaged views, refuse it as `views-mended`."""
    try:
        return _run(arguments, shell, call)
    except (Refusal, OSError):
        raise
    except Exception as error:
        from cli.mending import mended

        refusal = None
        with suppress(Exception):  # then the first error tells more
            refusal = mended(error, call)
        if refusal:
            raise refusal from error
        raise


def _internal(error: Exception, shell: Shell) -> Refusal:
    if shell.environ.get("CREWLOG_DEBUG"):
        import traceback

        traceback.print_exception(error, file=shell.stderr)
    message = f"{type(error).__name__}: {error}"
    hint = "`crewlog verify` says if the log is damaged. Else please report it; CREWLOG_DEBUG=1 says where it happened."
    return Refusal("internal", message, hint)


def _run(arguments: Sequence[str], shell: Shell, call: Call) -> int:
    completing = "_CREWLOG_COMPLETE" in shell.environ or any(word in _COMPLETION for word in arguments)
    program = _program(completing=completing)
    if completing:
        program.main(list(arguments), prog_name="crewlog", standalone_mode=False, obj=call)
        return 0
    try:
        # Not `program.main`: it ends the process on a reader that went away, and swallows Ctrl-C.
        with program.make_context("crewlog", list(arguments) or ["--help"], obj=call) as context:
            program.invoke(context)
    except typer.Exit as left:
        return left.exit_code or call.exit or (0 if arguments else int(Exit.USAGE))
    except UsageError as error:
        raise _usage(error, arguments, shell) from error
    return call.exit


@cache
def _program(*, completing: bool) -> TyperGroup:
    """The program, built once: a resident process runs it again and again. `Group` loads its commands by name."""
    definition = Definition("", _root, declared(_root), _root.__doc__ or "", _EPILOG)
    program: TyperGroup = build(Group, definition, no_args_is_help=True)
    if completing:
        from typer.main import get_install_completion_arguments

        program.params.extend(get_install_completion_arguments())
    return program


def _refuse_strange_bytes(arguments: Sequence[str]) -> None:
    """Refuse what is no UTF-8: no event and no JSON answer can hold it."""
    for number, word in enumerate(arguments, 1):
        if any("\ud800" <= char <= "\udfff" for char in word):
            message = f"argument {number}, {safe(word[:40])}, is not valid UTF-8"
            raise Refusal("bad-value", message, "Type it in UTF-8, or give the text on standard input.")


def _wants_json(arguments: Sequence[str]) -> bool:
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _usage(error: Exception, arguments: Sequence[str], shell: Shell) -> Refusal:
    """What Typer says about the line, with a hint for what it cannot know."""
    format_message = getattr(error, "format_message", None)
    said = str(format_message() if format_message else error)
    message = " ".join(said.split()).rstrip(".").replace("valid int range", "whole number")
    message = message.replace("valid int", "whole number")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "crewlog"
    hint = f"`{path} --help` shows how it is typed."
    if "unexpected extra argument" not in message:
        return Refusal("usage", message, hint)
    from cli.hints import with_option

    extra = message.partition("(s) (")[2].removesuffix(")")
    meant = with_option(path.rpartition(" ")[2], extra, arguments)
    if meant:
        return Refusal("usage", message, meant)
    files = [word for word in arguments if os.path.exists(os.path.join(shell.cwd, word))]
    if len(files) > 1:
        listed = ", ".join(files[:3])
        hint = f"{listed} are files here: did the shell expand a *? Quote the text."
    else:
        hint = f"A text of several words goes in quotes. {hint}"
    return Refusal("usage", message, hint)


def run_process(retry_key: str = "") -> int:
    """Run the command line of this process: UTF-8 in and out, whatever the locale; a closed stream counts as empty.

    `retry_key` is that of an attempt whose answer was lost.
    """
    stdin, stdout, stderr = (_utf8(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))
    return run(sys.argv[1:], Shell(stdin, stdout, stderr, os.environ, os.getcwd(), retry_key=retry_key))


def _utf8(stream: TextIO | None) -> TextIO:
    if stream is None:
        return io.StringIO()
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8", errors="surrogateescape")
    return stream


def docs_program() -> object:
    """The program with everything loaded, for generated documentation and tests."""
    return _program(completing=True)


__all__ = ["Exit", "docs_program", "run", "run_process"]
