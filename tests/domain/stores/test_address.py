from __future__ import annotations

import pytest

from domain.refusals import Refusal
from domain.stores.address import Address, parse


@pytest.mark.parametrize(
    ("text", "url", "schema"),
    [
        ("postgresql://ada@db/crews?schema=one", "postgresql://ada@db/crews", "one"),
        ("postgres://ada@db:5433/crews", "postgresql://ada@db:5433/crews", "crewlog"),
        (
            "postgresql://db/crews?sslmode=require&schema=one&connect_timeout=3",
            "postgresql://db/crews?sslmode=require&connect_timeout=3",
            "one",
        ),
        ("postgresql:///?service=crew", "postgresql:///?service=crew", "crewlog"),
        ("postgresql:///crews?host=/run/my%20server", "postgresql:///crews?host=/run/my%20server", "crewlog"),
        ("postgresql://a%40b@[::1]/crews", "postgresql://a%40b@[::1]/crews", "crewlog"),
    ],
)
def test_an_address_is_what_libpq_understands_and_a_schema(text: str, url: str, schema: str) -> None:
    found = parse(text, "--store")

    assert found == Address(url, schema)
    assert parse(found.text, "--store") == found


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada:hunter2@db/crews",
        "postgresql://ada:@db/crews",
        "postgresql://ada@db/crews?password=hunter2",
        "postgresql://ada@db/crews?sslpassword=hunter2",
        "postgresql://ada@db/crews?%70assword=hunter2",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(text, "--store")

    assert "password" in caught.value.message
    assert "PGPASSWORD" in caught.value.hint
    assert "hunter2" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "text",
    [
        "mysql://db/crews",
        "postgresql://[db/crews",
        "postgresql://db/crews?schema",
        "postgresql://db/crews#x",
        "postgresql://db/crews?schema=One",
        "postgresql://db/crews?schema=pg_crew",
        "postgresql://db/crews?schema=a-b",
        "postgresql://db/crews?schema=" + "x" * 49,
        "postgresql://db/crews?schema=one'; DROP SCHEMA two",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(text, "--store")

    assert caught.value.code == "bad-value"
    assert "Example" in caught.value.hint
