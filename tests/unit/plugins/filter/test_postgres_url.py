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
from sqlalchemy.engine import make_url

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
    (
        {
            "host": "h",
            "database": "d",
            "ssl_mode": "verify-full",
            "ssl_cert": "/c",
            "ssl_key": "/k",
            "hostaddr": "1.2.3.4",
        },
        {"driver": "postgresql"},
        "postgresql://h/d?sslmode=verify-full&sslcert=%2Fc&sslkey=%2Fk&hostaddr=1.2.3.4",
    ),
    (
        {"host": "h", "database": "d", "ssl_mode": "require", "application_name": "a b"},
        {"driver": "postgresql+psycopg", "tls": "environment"},
        "postgresql+psycopg://h/d?application_name=a%20b",
    ),
    # libpq's keywords: quoted where they have to be, the backslash and the quote by a backslash.
    ({"database": "d"}, {"driver": "libpq"}, "dbname=d"),
    (
        {"host": "[::1]", "port": 5432, "user": "u", "password": "%@:/ '\"\\", "database": "a b"},
        {"driver": "libpq"},
        "host=::1 port=5432 user=u password='%@:/ \\'\"\\\\' dbname='a b'",
    ),
    (
        {"host": "/run/pg", "database": "d", "ssl_mode": "verify-full", "ca_cert": "/c a"},
        {"driver": "libpq"},
        "host=/run/pg dbname=d sslmode=verify-full sslrootcert='/c a'",
    ),
    # node-postgres: what it takes for verify-full it is told to understand as libpq does.
    (
        {"host": "h", "port": 1, "user": "u", "password": "%@:/ '\"", "database": "d", "ssl_mode": "verify-full"},
        {"driver": "node-postgres"},
        "postgresql://u:%25%40%3A%2F%20%27%22@h:1/d?sslmode=verify-full",
    ),
    (
        {"host": "::1", "database": "d", "ssl_mode": "verify-ca", "ca_cert": "/c", "application_name": "web"},
        {"driver": "node-postgres"},
        "postgresql://[::1]/d?uselibpqcompat=true&sslmode=verify-ca&sslrootcert=%2Fc&application_name=web",
    ),
    (
        {"host": "h", "database": "d", "ssl_mode": "require"},
        {"driver": "node-postgres"},
        "postgresql://h/d?uselibpqcompat=true&sslmode=require",
    ),
    (
        {"host": "h", "database": "d", "ssl_mode": "disable"},
        {"driver": "node-postgres"},
        "postgresql://h/d?sslmode=disable",
    ),
    # It decodes the database, but not what separates a URL's parts.
    ({"host": "h", "database": "a/b@c é%"}, {"driver": "node-postgres"}, "postgresql://h/a/b@c%20%C3%A9%25"),
    (
        {"host": "/run/my pg", "port": 5433, "user": "u", "database": "d"},
        {"driver": "node-postgres"},
        "postgresql://u@/d?host=%2Frun%2Fmy%20pg&port=5433",
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
        ({"database": "d", "ssl_cert": "/c"}, {}, "PGSSLCERT"),
        ({"database": "d", "hostaddr": "1.2.3.4"}, {}, "asyncpg cannot be told hostaddr"),
        ({"database": "d", "application_name": "a"}, {}, "asyncpg cannot be told application_name"),
        ({"database": "d", "hostaddr": "1.2.3.4"}, {"driver": "node-postgres"}, "cannot be told hostaddr"),
        ({"database": "d", "ssl_mode": "prefer"}, {"driver": "node-postgres"}, "set disable, require"),
        ({"database": "d", "ssl_mode": "verify-ca"}, {"driver": "node-postgres"}, "needs a ca_cert"),
        ({"database": "a?b"}, {"driver": "node-postgres"}, "settings of their own"),
        ({"database": "a/../b"}, {"driver": "node-postgres"}, "settings of their own"),
        ({"database": "d"}, {"driver": "mysql"}, "postgresql"),
        ({"database": "d"}, {"driver": "libpq+asyncpg"}, "libpq or node-postgres"),
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
    target = {"host": "h", "port": 1, "user": user, "password": password, "database": database}
    read = {"host": "h", "port": "1", "user": user, "password": password, "dbname": database}
    assert psycopg2.extensions.parse_dsn(postgres_url(target, "postgresql")) == read
    assert psycopg2.extensions.parse_dsn(postgres_url(target, "libpq")) == read


@given(user=NAMES, password=NAMES, database=NAMES)
def test_sqlalchemy_reads_back_what_went_in(user: str, password: str, database: str) -> None:
    target = {"host": "h", "port": 1, "user": user, "password": password, "database": database}
    url = make_url(postgres_url(target, "postgresql+psycopg2"))
    assert (url.username, url.password, url.database) == (user, password, database)


@given(user=NAMES, password=NAMES)
def test_urllib_reads_back_what_went_in(user: str, password: str) -> None:
    parts = urlsplit(
        postgres_url({"host": "/s", "user": user, "password": password, "database": "d", "ssl_mode": "require"})
    )
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert parse_qs(parts.query) == {"host": ["/s"], "ssl": ["require"]}
