"""`blob`: the large texts that events refer to."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.output import Answer, print_exactly
from cli.text import safe
from domain.refusals import Exit, Refusal

VERBS = ("show", "verify")


@command("blob", "crewlog blob show 3f2a9c1b\ncrewlog blob verify")
def blob(
    call: Call,
    verb: Annotated[str, typer.Argument(metavar="show|verify", help="What to do.", show_default=False)],
    digest: Annotated[
        str, typer.Argument(metavar="[SHA256]", help="Which one; a prefix will do.", show_default=False)
    ] = "",
) -> None:
    """Show a large text by its hash, or look whether all of them are whole. What was redacted says by which event."""
    if verb not in VERBS:
        raise Refusal("usage", f"there is no `blob {verb[:40]}`", "crewlog blob show 3f2a9c1b")
    if verb == "show":
        _show(call, digest)
    else:
        _verify(call)


def found_blob(call: Call, prefix: str) -> str:
    """The whole hash of the blob that is meant. Raises Refusal `usage`, `not-found`, `ambiguous`."""
    if len(prefix) < 8 or not all(char in "0123456789abcdef" for char in prefix):
        hint = "`crewlog show TASK --json` has the hashes; at least eight digits."
        what = f"{prefix[:64]!r} is no hash, or too little of one" if prefix else "which blob?"
        raise Refusal("usage", what, hint)
    log = call.store.log
    known = {*log.blobs(), *log.redacted()}
    fitting = sorted(digest for digest in known if digest.startswith(prefix))
    if len(fitting) == 1:
        return fitting[0]
    message = f"{prefix[:64]} fits {'several blobs' if fitting else 'no blob'} here"
    hint = "Type more of the hash." if fitting else "`crewlog import` or `crewlog sync` may bring it."
    raise Refusal("ambiguous" if fitting else "not-found", message, hint)


def _show(call: Call, prefix: str) -> None:
    digest = found_blob(call, prefix)
    data = call.store.log.blob(digest)
    text = data.decode("utf-8", "replace")
    answer = {"sha256": digest, "size": len(data), "text": text}
    lines = safe(text).split("\n")
    if not (call.options.json or call.options.quiet or call.shell.stdout.isatty()):
        print_exactly(call.shell, data)
        lines = []
    call.answer(Answer(answer, lines, [digest]))


def _verify(call: Call) -> None:
    from cli.importing import finding_lines
    from export.verify import referred_blobs, verify_blobs

    log = call.store.log
    found = verify_blobs(log, call.store.folder, referred_blobs(log))
    number = len(log.blobs())
    data = {"blobs": number, "findings": [finding.as_dict() for finding in found]}
    counts = (
        f"{number:,} blob{'' if number == 1 else 's'}, {len(found)} finding{'' if len(found) == 1 else 's'}"
    )
    lines = [*finding_lines(found, full=call.options.full), counts]
    call.answer(Answer(data, lines, [item.id for item in found], exit=Exit.CORRUPT if found else Exit.DONE))
