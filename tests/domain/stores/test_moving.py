from __future__ import annotations

import re

from domain.stores import tables
from domain.stores.moving import ALL


def test_every_table_of_the_log_is_moved_with_all_its_columns() -> None:
    made = {
        found[1]: set(
            re.findall(r"(?:^|, )([a-z0-9_]+) (?:TEXT|BIGINT|INTEGER|\{bytes\}|\{position\})", found[2])
        )
        for statement in tables.DDL
        if (found := re.match(r"CREATE TABLE (\w+) \((.*)\)(?:\{narrow\})?$", statement))
    }
    made.pop("moved")  # says where the log went; a new place has none

    moved = {rows.table: set(rows.columns) for rows in ALL}
    assert {name: moved[name] for name in made} == made
    assert set(moved) - set(made) == {"stored_events", "pulses"}
