"""`verify`: whether what is stored agrees with itself."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.call import Call
from cli.grammar import command
from cli.importing import finding_line, hint_lines
from cli.output import Answer
from domain.refusals import Exit, Refusal


@command(
    "verify",
    "crewlog verify\ncrewlog verify --git --json\ncrewlog verify --from origin/crewlog --checkpoint monday.json",
    proves=True,
)
def verify(
    call: Call,
    git: Annotated[
        bool,
        typer.Option(
            "--git", help="Also every commit that the log names, in the repository.", show_default=False
        ),
    ] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="That the log continues this one.", show_default=False
        ),
    ] = None,
    signer: Annotated[
        str,
        typer.Option("--signer", metavar="NAME", help="That NAME signed the checkpoint.", show_default=False),
    ] = "",
) -> None:
    """Look whether what is stored agrees with itself. Exit 7 where it does not; each finding names its place.

    Bytes against ids, each clone's chain, parents, blobs, states, views, live.jsonl, segments, signatures. --git: every
    commit that the log names exists and is in its branch or base, and no merge into a base is without its event.
    """
    from cli.approvals import signers_file
    from cli.verifying import checkpoint_findings, verdict, verify_all
    from export.findings import is_damage

    if signer and checkpoint is None:
        hint = f"crewlog verify --checkpoint FILE --signer {signer}"
        raise Refusal("usage", "--signer is of a checkpoint, and none was named", hint)
    looked, found, state = verify_all(call, hashed=True)
    if checkpoint is not None:
        found += checkpoint_findings(call, checkpoint, looked, signer, signers_file(call))
    if git:
        from cli.git.auditing import findings
        from cli.git.repository import needed

        found += findings(needed(call, "verify --git"))
    damaged = any(map(is_damage, found))
    data = {
        "ok": not damaged,
        "events": looked.events,
        "state": state,
        "replicas": [
            {"replica": replica, "seq": end.seq, "id": end.id} for replica, end in looked.ends.items()
        ],
        "findings": [finding.as_dict() for finding in found],
    }
    lines = [*map(finding_line, found), *hint_lines(found)]
    lines += [f"{looked.events:,} events of {len(looked.ends)} clones, state {state[:12] or '?'}"]
    lines.append(verdict(found))
    ids = [finding.id or finding.code for finding in found]
    call.answer(Answer(data, lines, ids, exit=Exit.CORRUPT if damaged else Exit.DONE))
