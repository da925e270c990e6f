"""What an error of PostgreSQL means to who typed a command."""

from __future__ import annotations

import psycopg
from eventsourcing.persistence import PersistenceError

from domain.refusals import Refusal
from domain.stores.tables import moved

_AGAIN = "Nothing was written. Look whether the server runs and can be reached, then run it again."
_ACCESS = "Check the user in the address, and the password in PGPASSWORD, ~/.pgpass or a service file."
_RIGHTS = "Ask the owner of the database for the rights that docs/operating.md lists."

MOVED = "CRW01"  # ours: what `refuse_moved` raises, with the place as its message

# By SQLSTATE, the longest that fits: code, hint. The error's own words are added.
_STATES = {
    "08": ("unreachable", _AGAIN),
    "25006": ("unwritable", "This is a read-only server, or user: write through another one."),
    "28": ("no-access", _ACCESS),
    "3D000": ("no-access", "Make the database first (createdb), or mend its name in the address."),
    "3F000": ("no-store", "crewlog init --store ADDRESS"),
    "40": ("locked", "Run it again."),
    "42501": ("unwritable", _RIGHTS),
    "42P01": ("no-store", "Somebody removed the tables: restore the log from a backup."),
    "53": ("unreachable", "The server is short of something: connections, memory. Run it again later."),
    "53100": ("disk-full", "Free some space on the server and run it again."),
    "55P03": ("locked", "Run it again."),
    "57": ("unreachable", _AGAIN),
    "XX": ("corrupt", "The server calls its data damaged: restore the database from a backup."),
}
# What the server says before a session begins comes without a SQLSTATE.
_WORDS = {
    "does not exist": "3D000",
    "too many": "53",
    "connection slots": "53",
    "permission denied for database": "28",
    "no pg_hba.conf entry": "28",
}


def refusal(error: Exception, place: str) -> Exception:
    """The refusal that an error stands for, or the error itself where it is a bug."""
    cause = error.__cause__ if isinstance(error, PersistenceError) else error
    if not isinstance(cause, psycopg.Error):
        return error
    state = cause.sqlstate or (
        "08" if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) else ""
    )
    return moved(place, _words(cause)) if state == MOVED else _known(state, cause, place) or error


def refusal_to_connect(error: psycopg.Error, place: str) -> Refusal:
    """The refusal for a connection that did not come about."""
    if isinstance(error, psycopg.ProgrammingError):
        hint = "Example: postgresql://ada@db.example.org/crews?schema=crew_one"
        return Refusal("bad-value", f"libpq does not understand the address: {_words(error)}", hint)
    text = str(error)
    state = error.sqlstate or next((state for words, state in _WORDS.items() if words in text), "")
    connection = error.pgconn
    if not state and connection is not None and (connection.needs_password or connection.used_password):
        state = "28"
    found = _known(state or "08", error, place)
    assert found is not None  # noqa: S101 - 08 is in the table
    return found


def unacknowledged(place: str) -> Refusal:
    """The refusal for a commit whose answer was lost: only the log knows."""
    hint = "Run it again with the same --key; without a --key, look first (`crewlog log`)."
    message = f"the connection to {place} broke during the commit: whether it was written is not known"
    return Refusal("unacknowledged", message, hint, store=place)


def _known(state: str, error: psycopg.Error, place: str) -> Refusal | None:
    found = next((_STATES[state[:size]] for size in (5, 2) if state[:size] in _STATES), None)
    return Refusal(found[0], f"{place}: {_words(error)}", found[1], store=place) if found else None


def _words(error: psycopg.Error) -> str:
    """The first line of what libpq or the server says; neither ever repeats a password."""
    return str(error).strip().split("\n", maxsplit=1)[0]
