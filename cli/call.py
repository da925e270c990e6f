"""One command's call: its options, who calls, which task is meant, the write and what follows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli import place
from cli.binding import Binding, read_binding
from cli.local import read_local
from cli.output import Answer, print_answer
from cli.shell import Shell
from cli.style import Style, style_for
from domain.named import NamedTuple
from domain.names import check_name, is_task_id
from domain.refusals import Refusal

if TYPE_CHECKING:
    from cli.store import Store
    from domain.commands import Command
    from domain.draft import Draft
    from domain.log import IdempotencyKey, Seen, Transaction, Written
    from domain.task import Task


class Options(NamedTuple):
    """The options that every command takes, before or after its name."""

    json: bool = False
    quiet: bool = False
    full: bool = False
    as_: str | None = None
    store: str | None = None
    key: str | None = None
    allow_secret: bool = False
    at: str | None = None
    from_: str | None = None

    @property
    def looks_elsewhere(self) -> bool:
        """True for a command about the past, or about a store that is not here."""
        return self.at is not None or self.from_ is not None


BY_BINDING = "this worktree's binding"


class Who(NamedTuple):
    """A name and why it is this one."""

    name: str
    why: str


class Call:
    """What a command function gets: surroundings, options, and the store when it asks for it."""

    def __init__(self, shell: Shell, options: Options | None = None, words: tuple[str, ...] = ()) -> None:
        self.shell = shell
        self.options = options or Options()
        self.words = words
        self.exit = 0
        self.opened: Store | None = None  # once somebody asked for it
        self._parent: Call | None = None
        self.part = 0

    def with_options(self, **given: Any) -> Call:
        """This call with the options that were given behind the command's name as well."""
        stated = {name: value for name, value in given.items() if value not in (None, False)}
        child = Call(self.shell, self.options._replace(**stated), self.words)
        child._parent = self
        return child

    def answer(self, answer: Answer) -> None:
        """Print the answer; its exit code becomes the command's."""
        if "store" in self.__dict__:
            answer = self._with_news(answer._replace(remarks=[*self.store.warnings, *answer.remarks]))
        print_answer(self.shell, answer, as_json=self.options.json, quiet=self.options.quiet)
        self.finish(int(answer.exit))

    def _with_news(self, answer: Answer) -> Answer:
        """The answer with what is new for who asks: `notices` in JSON, else on stderr."""
        lines = self.news(answer.tells)
        if not lines:
            return answer
        if self.options.json:
            return answer._replace(data={**answer.data, "notices": lines})
        return answer._replace(remarks=[*answer.remarks, *(f"! {line}" for line in lines)])

    def news(self, shown: Collection[str] = ()) -> list[str]:
        """What is new for who called, but for what is `shown`; nothing before a store was opened."""
        reached: Call = self.__dict__.get("reached", self)
        if "store" not in reached.__dict__ or reached.options.looks_elsewhere:
            return []
        from cli.notices import news

        who = reached.who()
        return news(reached.store, who.name, shown) if who else []

    def style(self, *, utc: bool = False) -> Style:
        """How text looks to who reads the answer."""
        return style_for(self.shell, whole=self.options.full, utc=utc)

    def finish(self, code: int) -> None:
        """Set the exit code, here and for who called."""
        self.exit = code
        if self._parent:
            self._parent.finish(code)

    @cached_property
    def signatures(self) -> dict[str, str]:
        """What was found out about approvals' signatures, by the approval's id: each takes a process of its own."""
        return {}

    @cached_property
    def git(self) -> place.GitPlace | None:
        """The git repository around, if any."""
        return place.find_git(self.shell.cwd)

    @cached_property
    def code(self) -> place.GitPlace | None:
        """The git repository that the store belongs to, if any: the one whose branches its tasks are about."""
        if self.options.from_ is not None:  # the log of somebody else, about the code that one is in
            return self.git
        return place.find_git(os.path.dirname(self.located.path))

    @cached_property
    def binding(self) -> Binding | None:
        """What `start` or `join` wrote down for this worktree, if it is about this store."""
        bound = read_binding(self.git) if self.git else None
        if bound:
            return bound if bound.store in ("", self.located.path) else None
        return self._binding_around(self.git) if self.git else None

    def _binding_around(self, inner: place.GitPlace) -> Binding | None:
        """In a submodule: what the worktree that holds it is bound to."""
        if inner.linked or not inner.worktree or inner.git_dir == os.path.join(inner.worktree, ".git"):
            return None
        outer = place.find_git(os.path.dirname(inner.worktree))
        if outer is None:
            return None
        bound = read_binding(outer)
        if bound is None:
            return self._binding_around(outer)
        return bound if bound.store == self.located.path else None

    @cached_property
    def located(self) -> place.Located:
        """Where the store is, and why there."""
        if self.options.from_ is not None:
            return place.Located(self.store.folder, "--from")
        return place.locate_store(self.shell.cwd, self.shell.environ, self.options.store)

    @cached_property
    def store(self) -> Store:
        """The open store, or the one that `--at` and `--from` name; closed by the app when the command ends."""
        if not self.options.looks_elsewhere:
            return self.present
        from cli.elsewhen import looked_at

        found = looked_at(self) or self.present
        self._keep(found)
        return found

    @cached_property
    def present(self) -> Store:
        """The store here and now."""
        from cli.store import Store

        place.guard(self.located.path)
        opened = Store(self.located.path, self.shell, self._session, self.located.url)
        self._keep(opened)
        return opened

    def _session(self) -> str:
        from cli.process import session_id

        return session_id(self.shell.environ, command=self.shell.command)

    def _keep(self, opened: Store) -> None:
        root = self
        while root._parent:
            root = root._parent
        root.opened = opened
        root.__dict__["reached"] = self

    def close(self) -> None:
        """Close the store that this call opened."""
        opened, self.opened = self.opened, None
        if opened:
            opened.close()

    def who(self) -> Who | None:
        """Who calls: `--as`, CREWLOG_AGENT, the worktree's binding, on a terminal `me` in local.toml; or None."""
        if self.options.as_ is not None:
            return Who(check_name(self.options.as_), "--as")
        name = self.shell.environ.get("CREWLOG_AGENT", "")
        if name:
            return Who(check_name(name, "CREWLOG_AGENT"), "CREWLOG_AGENT")
        if self.binding:
            return Who(self.binding.agent, BY_BINDING)
        me = read_local(self.located.path).get("me", "") if self.shell.interactive else ""
        return Who(check_name(me, "me in local.toml"), "me in local.toml, on a terminal") if me else None

    def tell_who(self) -> None:
        """Say under which name this is done where only the binding of the main worktree says it: people type there too."""
        who = self.who()
        if who and who.why == BY_BINDING and self.git and not self.git.linked:
            self.shell.remark(f"done as {who.name}, by {BY_BINDING}; --as NAME says otherwise")

    @cached_property
    def actor(self) -> str:
        """The name that writes; refused (`no-name`) where nothing says it."""
        who = self.who()
        if who is None:
            hint = "Give --as NAME, set CREWLOG_AGENT, or bind this worktree with `crewlog join NAME`."
            raise Refusal("no-name", "who are you? Nothing here says your name", hint)
        return who.name

    def task(self, text: str | None) -> str:
        """The id of the task that is meant: as typed, else CREWLOG_TASK, else the worktree's."""
        if text == "":  # an unset variable in a script must not mean the task of this worktree
            raise Refusal("bad-value", "TASK is empty", "Name it by id, prefix or slug, or leave it out.")
        mine = self.who()
        bound = self.binding
        text = text or self.shell.environ.get("CREWLOG_TASK", "")
        if not text and bound and bound.task and mine and bound.agent == mine.name:
            text = bound.task
        if not text:
            name = f" --as {mine.name}" if mine else ""
            hint = f"Name it by id, prefix or slug; `crewlog whoami{name}` shows what you hold."
            raise Refusal("usage", "which task? None was given, and nothing here says it", hint)
        if is_task_id(text):
            return text
        from projections.tasks import resolve

        self.store.views.catch_up()
        return resolve(self.store.views.connection, text)

    def claim(self, task: str, given: str) -> str:
        """The claim to show: `--claim`, else CREWLOG_CLAIM, else the worktree's for this task and name; or ""."""
        if given:
            return given
        from_environment = self.shell.environ.get("CREWLOG_CLAIM", "")
        stated = self.shell.environ.get("CREWLOG_TASK", "")
        if from_environment and (not stated or self.task(stated) == task):
            return from_environment
        bound = self.binding
        if bound and bound.task == task and bound.agent == self.actor:
            return bound.claim or ""
        return ""

    def write(
        self, task: str, command: Command, *, texts: Sequence[str | None] = (), keyed: bool = True
    ) -> Written:
        """Decide the command on the task's true state and append what comes of it.

        `keyed` False: this is not the event that `--key` stands for.
        """
        from domain.decide import decide

        def decided(seen: Seen) -> Sequence[Draft]:
            if seen.state is None:
                raise Refusal(
                    "not-found", f"there is no task {task}", "`crewlog list` shows the tasks.", task=task
                )
            return decide(command, seen.state)

        try:
            with self.writing(texts) as transaction:
                return transaction.append(
                    f"task/{task}",
                    self.actor,
                    self.marked(decided, texts),
                    retry=self.retry(type(command).__name__) if keyed else None,
                )
        except Refusal as refusal:
            if refusal.code == "held":
                from cli.reaping import explain_elsewhere

                explain_elsewhere(self, task, refusal)
            raise

    @contextmanager
    def writing(self, texts: Sequence[str | None] = ()) -> Generator[Transaction]:
        """A transaction of the log; secrets are looked for first."""
        self.secret(texts)
        with self.store.log.transaction() as transaction:
            yield transaction

    def retry(self, command: str, **fields: Any) -> IdempotencyKey | None:
        """What an earlier event with this call's key must look like to be its answer; None where it has no key."""
        key = self._key()
        if key is None:
            return None
        from domain.commands import EVENTS
        from domain.log import IdempotencyKey

        return IdempotencyKey(key, EVENTS[command], fields)

    def _key(self) -> str | None:
        """The key that was given, else the shell's: one for each of several things that are named."""
        if self.options.key is not None:
            return _checked_key(self.options.key)
        return f"{self.shell.retry_key}.{self.part}" if self.shell.retry_key else None

    def replayed(self, command: str) -> Written | None:
        """What this call's `--key` was used for before, whatever is so by now; None for a new key, or none."""
        retry = self.retry(command)
        if retry is None:
            return None
        with self.writing() as transaction:
            return transaction.replay(self.actor, retry)

    def secret(self, texts: Sequence[str | None]) -> str:
        """The rule that finds a secret in the texts, or ""; refused unless `--allow-secret`."""
        from domain.secrets import find_secret

        for text in texts:
            found = find_secret(text) if text else None
            if found and self.options.allow_secret:
                return found.rule
            if found:
                hint = "Take it out, name where it is kept instead; or --allow-secret, which is recorded."
                raise Refusal(
                    "secret", f"the text looks like it holds a secret ({found.rule})", hint, rule=found.rule
                )
        return ""

    def marked(
        self, decided: Callable[[Seen], Sequence[Draft]], texts: Sequence[str | None]
    ) -> Callable[[Seen], Sequence[Draft]]:
        """The decision with a mark on its first event where a suspected secret was let pass."""
        rule = self.secret(texts)

        def with_mark(seen: Seen) -> Sequence[Draft]:
            first, *others = (*decided(seen),) or (None,)
            if first is None:
                return ()
            return (first._replace(payload={**first.payload, "allowed_secret": rule}), *others)

        return with_mark if rule else decided

    def state_of(self, task: str) -> Task:
        """The task's state as the log has it; refused (`not-found`) where there is no such task."""
        state: Task | None = self.store.log.state(f"task/{task}")
        if state is None:
            raise Refusal(
                "not-found", f"there is no task {task}", "`crewlog list` shows the tasks.", task=task
            )
        return state


def _checked_key(key: str) -> str:
    if 0 < len(key) <= 128 and key.isascii() and key.isprintable():
        return key
    raise Refusal(
        "bad-value", "--key must be 1 to 128 printable ASCII characters", "Example: --key run-17-done"
    )
