"""The address of a store on a server: `postgresql://USER@HOST/DATABASE?schema=CREW`.

It never holds a password: an address is written to a file, printed, and seen by whoever lists the processes. Who the
user is the server learns from PGPASSWORD, `~/.pgpass` or a service file.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlsplit

from domain.named import NamedTuple
from domain.refusals import Refusal

SCHEMA = "crewlog"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")  # with room for the names of what stands in it
_SECRET = frozenset({"password", "sslpassword"})


class Address(NamedTuple):
    """`url` is what libpq understands; `schema` is the crew's own, so that several share one database."""

    url: str
    schema: str

    @property
    def text(self) -> str:
        """The whole address, as it is kept and shown."""
        return f"{self.url}{'&' if '?' in self.url else '?'}schema={self.schema}"


def parse(text: str, source: str) -> Address:
    """The address that `source` gave. Raises Refusal `bad-value`, whose text never repeats what could be secret."""
    try:
        parts = urlsplit(text)
        fields = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        has_password = parts.password is not None
    except ValueError as error:
        raise _bad(f"{source} is no address of a server") from error
    if has_password or any(name in _SECRET for name, _ in fields):
        hint = "Leave it out, and put it in PGPASSWORD, ~/.pgpass or a service file."
        raise Refusal("bad-value", f"{source} holds a password, which others could read", hint)
    if parts.scheme not in ("postgresql", "postgres") or parts.fragment or "\n" in text:
        raise _bad(f"{source} is no address of a server")
    schema = dict(fields).get("schema", SCHEMA)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        hint = "Small letters, digits and underscores, at most 48. Example: ?schema=crew_one"
        raise Refusal("bad-value", f"{schema[:80]!r} is no name for a crew's schema", hint)
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in fields if name != "schema")
    url = f"postgresql://{parts.netloc}{parts.path}{'?' if query else ''}{query}"
    return Address(url, schema)


def _bad(message: str) -> Refusal:
    return Refusal("bad-value", message, "Example: postgresql://ada@db.example.org/crews?schema=crew_one")
