"""How long the -wal of a database of ours may get, where most processes write once and are gone.

SQLite begins a -wal anew once all of it is in the database. That it is there stands in shared memory only, and goes with
the last process: whoever opens the store next reads the whole -wal again, appends to it, and copies all of it once more.
So it is emptied in time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress

# After how many pages a commit copies them into the database. Whoever opens the store first reads as many again.
CHECKPOINT_PAGES = 256
# The same, and the memory in KiB, for who writes some thousand events a commit.
PAGES_AT_LENGTH = 8_192
KIB_AT_LENGTH = 32_768
# Beyond what a -wal gets to that is begun anew, as it is where processes overlap.
_LONGEST = 288 * (4_096 + 24)


def shorten(execute: Callable[[str], object], path: str) -> None:
    """Empty the -wal of the database at `path` if it is too long and nobody reads in it just now.

    Only for who has the turn to write. Raises nothing: what was committed is safe, and the next writer tries again.
    """
    try:
        long = os.stat(f"{path}-wal").st_size > _LONGEST
    except OSError:
        return
    if long:
        with suppress(sqlite3.Error):
            execute("PRAGMA busy_timeout = 0")
            execute("PRAGMA wal_checkpoint(TRUNCATE)")
