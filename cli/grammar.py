"""The grammar of the command line, in one place: which commands there are, what every one of them takes.

Commands are loaded by name when they are asked for: importing all of them would cost every start. This module and
`cli.app` are all that know Typer's machinery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from cli.building import Declared, Definition, build, declared, help_option
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.call import Call

GROUPS: dict[str, dict[str, str]] = {
    "Begin": {
        "init": "cli.commands.init",
        "where": "cli.commands.where",
        "join": "cli.commands.join",
        "leave": "cli.commands.leave",
        "whoami": "cli.commands.whoami",
        "prime": "cli.commands.prime",
    },
    "Tasks": {
        "spawn": "cli.commands.spawn",
        "start": "cli.commands.start",
        "run": "cli.commands.run",
        "resume": "cli.commands.resume",
        "progress": "cli.commands.progress",
        "note": "cli.commands.note",
        "done": "cli.commands.done",
        "fail": "cli.commands.fail",
        "release": "cli.commands.release",
        "heartbeat": "cli.commands.heartbeat",
    },
    "Review and steer": {
        "approve": "cli.commands.approve",
        "reject": "cli.commands.reject",
        "review": "cli.commands.review",
        "diff": "cli.commands.diff",
        "merge": "cli.commands.merge",
        "cancel": "cli.commands.cancel",
        "retry": "cli.commands.retry",
        "assign": "cli.commands.assign",
        "edit": "cli.commands.edit",
        "link": "cli.commands.link",
        "unlink": "cli.commands.unlink",
        "undo": "cli.commands.undo",
        "conflicts": "cli.commands.conflicts",
        "resolve": "cli.commands.resolve",
        "reap": "cli.commands.reap",
        "cleanup": "cli.commands.cleanup",
    },
    "Mail": {
        "send": "cli.commands.send",
        "ask": "cli.commands.ask",
        "answer": "cli.commands.answer",
        "inbox": "cli.commands.inbox",
        "read": "cli.commands.read",
        "ack": "cli.commands.ack",
        "channel": "cli.commands.channel",
    },
    "Look": {
        "status": "cli.commands.status",
        "top": "cli.commands.top",
        "ready": "cli.commands.ready",
        "list": "cli.commands.list",
        "show": "cli.commands.show",
        "graph": "cli.commands.graph",
        "search": "cli.commands.search",
        "agents": "cli.commands.agents",
        "log": "cli.commands.log",
        "tail": "cli.commands.tail",
        "replay": "cli.commands.replay",
        "audit": "cli.commands.audit",
        "wait": "cli.commands.wait",
        "report": "cli.commands.report",
    },
    "Store and help": {
        "move": "cli.commands.move",
        "export": "cli.commands.export",
        "import": "cli.commands.import_",
        "sync": "cli.commands.sync",
        "rebuild": "cli.commands.rebuild",
        "verify": "cli.commands.verify",
        "checkpoint": "cli.commands.checkpoint",
        "doctor": "cli.commands.doctor",
        "blob": "cli.commands.blob",
        "redact": "cli.commands.redact",
        "backup": "cli.commands.backup",
        "restore": "cli.commands.restore",
        "prune": "cli.commands.prune",
        "serve": "cli.commands.serve",
        "demo": "cli.commands.demo",
        "schema": "cli.commands.schema",
        "help": "cli.commands.help",
        "completion": "cli.commands.completion",
    },
}
MODULES = {name: module for group in GROUPS.values() for name, module in group.items()}

OTHER_WORDS = {
    "create": "spawn",
    "new": "spawn",
    "add": "spawn",
    "close": "done",
    "finish": "done",
    "submit": "done",
    "complete": "done",
    "claim": "start",
    "take": "start",
    "next": "start",
    "comment": "note",
    "dep": "link",
    "depend": "link",
    "block": "link",
    "update": "edit",
    "ls": "list",
    "find": "search",
    "watch": "top",
    "monitor": "top",
    "todo": "status",
    "grep": "search",
    "history": "log",
    "accept": "approve",
    "reopen": "retry",
    "drop": "release",
    "unclaim": "release",
    "beat": "heartbeat",
    "register": "join",
    "roster": "agents",
    "expire": "reap",
    "exec": "run",
    "quit": "leave",
    "mail": "inbox",
    "message": "send",
    "msg": "send",
    "tell": "send",
    "reply": "answer",
    "respond": "answer",
    "subscribe": "channel join",
    "unsubscribe": "channel leave",
}

Json = Annotated[bool, typer.Option("--json", help="Answer with JSON.", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.", show_default=False)]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who you are [env: CREWLOG_AGENT].", show_default=False),
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="DIR|URL", help="Which store [env: CREWLOG_STORE].", show_default=False),
]
Full = Annotated[bool, typer.Option("--full", help="Nothing shortened.", show_default=False)]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="Makes a retry return the first event.", show_default=False),
]
AllowSecret = Annotated[
    bool,
    typer.Option(
        "--allow-secret", help="Let a text pass that looks like a key; recorded.", show_default=False
    ),
]

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="WHEN",
        help="As it was then: a local time (UTC with a Z), an age like 2h, an event.",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="PLACE", help="Read segments in a folder or a git ref instead.", show_default=False
    ),
]

COMMON = (
    Declared("json", Json, default=False),
    Declared("quiet", Quiet, default=False),
    Declared("full", Full, default=False),
    Declared("as_", As, default=None),
    Declared("store", Store, default=None),
)
WRITES = (Declared("key", Key, default=None), Declared("allow_secret", AllowSecret, default=False))
PROVES = (Declared("from_", From, default=None),)
LOOKS = (Declared("at", At, default=None), *PROVES)

SHORT_HELP = 400  # the first sentence, never cut

_defined: dict[str, Definition] = {}
_loaded: dict[str, TyperCommand] = {}


class _HelpToShell:
    """Help goes where the command's answers go; mistakes know their command."""

    _parser: Any = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; what the parser says of a wrong line names its command, which Typer forgets for a missing value."""
        base: Any = super()
        try:
            parsed: list[str] = base.parse_args(ctx, args)
        except Exception as raised:
            error: Any = raised
            if getattr(error, "ctx", ctx) is None:
                error.ctx = ctx
            raise
        return parsed

    def make_parser(self, ctx: Any) -> Any:
        """Typer's parser, made once for a command: a resident process parses again and again."""
        base: Any = super()
        if self._parser is None:
            self._parser = base.make_parser(ctx)
        self._parser.ctx = ctx
        return self._parser

    def get_help_option(self, ctx: Any) -> Any:
        """The same for every command."""
        del ctx
        return help_option(_show_help)


def _show_help(ctx: Any, _param: Any, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        print(ctx.get_help(), file=ctx.find_root().obj.shell.stdout)
        ctx.exit()


class Command(_HelpToShell, TyperCommand):
    """One command."""


class Group(_HelpToShell, TyperGroup):
    """All commands, loaded by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of GROUPS."""
        del ctx
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or None."""
        del ctx
        return load(cmd_name) if cmd_name in MODULES else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names; a wrong word is answered with the whole line corrected."""
        if args and args[0] not in MODULES and not args[0].startswith("-"):
            words = ctx.obj.words
            _wrong_word(words[: len(words) - len(args)], args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in `--help`, by group."""
        del ctx
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, load(name).get_short_help_str(SHORT_HELP)) for name in names])


def load(name: str) -> TyperCommand:
    """The command of this name."""
    if name not in _loaded:
        _loaded[name] = build(Command, define(name))
    return _loaded[name]


def define(name: str) -> Definition:
    """What its module says of the command of this name."""
    if name not in _defined:
        __import__(MODULES[name])
    return _defined[name]


def command(
    name: str, example: str, *, writes: bool = False, looks: bool = False, proves: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function `(call, arguments…)` the command of this name. Its docstring is the help.

    `writes`: it takes what writes take, like --key. `looks`: it can look at the past, or at somebody else's segments.
    `proves`: only at those, since what is stored now is what can be proved.
    """
    common = COMMON + (WRITES if writes else ()) + (LOOKS if looks else PROVES if proves else ())

    def register(function: Callable[..., None]) -> Callable[..., None]:
        def run(ctx: typer.Context, **arguments: Any) -> None:
            call: Call = ctx.obj
            given = {name: arguments.pop(name) for name, _, _ in common}
            function(call.with_options(**given), **arguments)

        epilog = "\b\n" + "\n".join(("Example:", *(f"  {line}" for line in example.splitlines())))
        parameters = [*declared(function), *common]
        _defined[name] = Definition(name, run, parameters, function.__doc__ or "", epilog)
        return function

    return register


def _wrong_word(options: Sequence[str], args: list[str]) -> NoReturn:
    import difflib
    import shlex

    word, rest = args[0], args[1:]
    # Close means a slip of the finger: `status` is no `start`, which would take a task. Of a short word nearly every
    # letter must be right, and then it is right: `stop` is no `top`.
    known = [name for name in (*MODULES, *OTHER_WORDS) if len(name) > 3]
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.75)
    right = OTHER_WORDS.get(word) or (OTHER_WORDS.get(near[0], near[0]) if near else "")
    if right == "link":
        from cli.hints import as_link

        rest = as_link(rest, other_waits=word == "block")
    line = shlex.join(["crewlog", *options, *right.split(), *rest]) if right else ""
    hint = line or "`crewlog --help` lists the commands."
    raise Refusal("unknown-command", f"there is no command {word[:80]!r}", hint, corrected=line or None)
