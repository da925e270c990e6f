"""Signatures with the keys that people have already: `ssh-keygen -Y`, no key material is ever read here.

Whose key is whose says a file of allowed signers, in the format of `ssh-keygen`: `name key-type key`. The one in the
store is shared like its settings; whoever does not trust the store brings one along.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping

from domain.refusals import Refusal

APPROVAL = "crewlog-approval"
CHECKPOINT = "crewlog-checkpoint"
SIGNERS = "signers"
# A signature of the largest usual key (RSA 4096) is about 1.6 KB.
SIGNATURE_LIMIT = 3_000
_PATIENCE = 120.0


def approval_text(task: str, submission: str, commit: str | None) -> bytes:
    """What an approver signs: the task, the submission, and its commit."""
    return f"crewlog approval v1\ntask {task}\nsubmission {submission}\ncommit {commit or '-'}\n".encode()


def sign(key: str, namespace: str, data: bytes, environ: Mapping[str, str]) -> str:
    """The armoured signature of the data by a key file (private, or public with an agent). Raises Refusal `signature`."""
    if not os.path.isfile(key):
        hint = "Example: --sign ~/.ssh/id_ed25519, or its .pub file with an ssh-agent."
        raise Refusal("signature", f"there is no key {key}", hint, path=key)
    done = _run(["-Y", "sign", "-q", "-n", namespace, "-f", key], data, environ)
    signature = done.stdout.decode("ascii", "replace")
    if done.returncode or not signature.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise Refusal(
            "signature", f"{key} could not sign: {_said(done)}", "Try `ssh-keygen -Y sign` by hand."
        )
    if len(signature) > SIGNATURE_LIMIT:
        raise Refusal("signature", f"the signature has {len(signature):,} bytes", "Use an Ed25519 key.")
    return signature


def signer(
    signature: str, namespace: str, data: bytes, name: str, signers: str, environ: Mapping[str, str]
) -> str:
    """Why the signature is not the name's, or "" for a good one. `signers` is the file that says whose key is whose."""
    if not os.path.isfile(signers):
        return f"there is no {signers} that says whose key is whose"
    with tempfile.NamedTemporaryFile("w", encoding="ascii", errors="replace", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        line = ["-Y", "verify", "-n", namespace, "-f", signers, "-I", name, "-s", file.name]
        done = _run(line, data, environ)
    return "" if done.returncode == 0 else _said(done)


def _run(arguments: list[str], data: bytes, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    line = ["ssh-keygen", *arguments]
    try:
        return subprocess.run(
            line,
            input=data,
            env={**environ, "LC_ALL": "C"},
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
    except FileNotFoundError as error:
        hint = "Install OpenSSH 8.2 or newer, or set the PATH."
        raise Refusal("signature", "ssh-keygen is not on the PATH", hint) from error
    except subprocess.TimeoutExpired as error:
        hint = "Does the key wait for a passphrase or a touch? An ssh-agent can hold it."
        raise Refusal("signature", "ssh-keygen did not answer", hint) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    return " ".join(text.split())[:300] or f"exit code {done.returncode}"
