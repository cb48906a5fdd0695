# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs are read back as what went in, by libpq and by SQLAlchemy."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg2.extensions
import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.filter.postgres_url import FilterModule

postgres_url = FilterModule().filters()["postgres_url"]

TABLE: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"database": "d"}, {}, "postgresql+asyncpg:///d"),
    (
        {"host": "h", "port": 5432, "user": "u", "password": "%@:/ '\"", "database": "d"},
        {},
        "postgresql+asyncpg://u:%25%40%3A%2F%20%27%22@h:5432/d",
    ),
    ({"host": "::1", "port": "5432", "database": "d"}, {}, "postgresql+asyncpg://[::1]:5432/d"),
    ({"host": "[::1]", "database": "d"}, {}, "postgresql+asyncpg://[::1]/d"),
    (
        {"host": "/run/my pg", "port": 5433, "user": "u", "database": "d"},
        {},
        "postgresql+asyncpg://u@/d?host=%2Frun%2Fmy%20pg&port=5433",
    ),
    ({"host": "h", "database": "a/b?c"}, {"driver": "postgresql"}, "postgresql://h/a%2Fb%3Fc"),
    ({"host": "h", "database": "d", "ssl_mode": "require"}, {}, "postgresql+asyncpg://h/d?ssl=require"),
    (
        {"host": "h", "database": "d", "ssl_mode": "verify-full", "ca_cert": "/c a"},
        {"driver": "postgresql+psycopg2"},
        "postgresql+psycopg2://h/d?sslmode=verify-full&sslrootcert=%2Fc%20a",
    ),
    (
        {"host": "h", "database": "d", "ssl_mode": "require", "ca_cert": "/c"},
        {"tls": "environment"},
        "postgresql+asyncpg://h/d",
    ),
]


@pytest.mark.parametrize(("target", "options", "expected"), TABLE)
def test_table(target: dict[str, Any], options: dict[str, str], expected: str) -> None:
    assert postgres_url(target, **options) == expected


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ({}, {}, "needs a database"),
        ({"database": "d", "pasword": "x"}, {}, "pasword"),
        ({"database": "d", "password": "x"}, {}, "without a user"),
        ({"database": "d", "ssl_mode": "require"}, {"driver": "postgresql+pg8000"}, "PGSSLMODE"),
        ({"database": "d", "ca_cert": "/c"}, {}, "PGSSLROOTCERT"),
        ({"database": "d"}, {"driver": "mysql"}, "postgresql"),
        ({"database": "d"}, {"tls": "no"}, "url or environment"),
        ("text", {}, "mapping"),
    ],
)
def test_refused(target: Any, options: dict[str, str], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        postgres_url(target, **options)


NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(user=NAMES, password=NAMES, database=NAMES)
def test_libpq_reads_back_what_went_in(user: str, password: str, database: str) -> None:
    url = postgres_url({"host": "h", "port": 1, "user": user, "password": password, "database": database}, "postgresql")
    assert psycopg2.extensions.parse_dsn(url) == {
        "host": "h",
        "port": "1",
        "user": user,
        "password": password,
        "dbname": database,
    }


@given(user=NAMES, password=NAMES)
def test_urllib_reads_back_what_went_in(user: str, password: str) -> None:
    parts = urlsplit(
        postgres_url({"host": "/s", "user": user, "password": password, "database": "d", "ssl_mode": "require"})
    )
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert parse_qs(parts.query) == {"host": ["/s"], "ssl": ["require"]}
