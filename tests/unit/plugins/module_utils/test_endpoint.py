# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs and TLS variables, held against what SQLAlchemy reads in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from ansible_collections.mcps.postgres.plugins.module_utils import _endpoint

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("given_parts", "url"),
    [
        ({}, "postgresql:///"),
        ({"driver": "none", "database": "d"}, "postgresql:///d"),
        ({"driver": "asyncpg", "host": "h", "port": 5, "user": "u", "database": "d"}, "postgresql+asyncpg://u@h:5/d"),
        ({"host": "h", "user": "u", "password": "%@:/ '\""}, "postgresql://u:%25%40%3A%2F%20%27%22@h/"),
        ({"host": "::1", "port": 5432, "database": "d"}, "postgresql://[::1]:5432/d"),
        ({"host": "[fe80::1]", "database": "d"}, "postgresql://[fe80::1]/d"),
        ({"port": 5433, "database": "d"}, "postgresql://:5433/d"),
        (
            {"driver": "psycopg2", "host": "/run/my sql", "port": 5433, "user": "u", "password": "p", "database": "d"},
            "postgresql+psycopg2://u:p@/d?host=%2Frun%2Fmy%20sql&port=5433",
        ),
        ({"host": "@abstract", "database": "d"}, "postgresql:///d?host=%40abstract"),
    ],
)
def test_the_spelling(given_parts: dict[str, Any], url: str) -> None:
    assert _endpoint.compose_url(**given_parts) == url


@given(WORDS, WORDS, WORDS)
def test_sqlalchemy_reads_what_was_meant(user: str, password: str, database: str) -> None:
    url = make_url(_endpoint.compose_url("psycopg2", "db.example.com", 6543, user, password, database))
    assert (url.username, url.password, url.database) == (user, password, database)
    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg2", "db.example.com", 6543)


@given(WORDS, WORDS)
def test_sqlalchemy_finds_the_socket(folder: str, password: str) -> None:
    url = make_url(_endpoint.compose_url("asyncpg", f"/{folder}", 6543, "u", password, "d"))
    assert (url.password, url.host, url.port) == (password, None, None)
    assert dict(url.query) == {"host": f"/{folder}", "port": "6543"}


@given(WORDS)
def test_a_composed_url_never_holds_two_percent_signs_in_a_row(password: str) -> None:
    """Which the driver relies on to see whether env.py doubled them for the ini file."""
    assert "%%" not in _endpoint.compose_url("", "/" + password, 1, password, password, password)


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        *[
            (host, "prefer")
            for host in ("", "/run/postgresql", "@x", "localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")
        ],
        *[(host, "verify-full") for host in ("db.example.com", "10.0.0.1", "fe80::1", "localhost.example.com")],
    ],
)
def test_servers_elsewhere_are_checked_unless_told_otherwise(host: str, mode: str) -> None:
    assert _endpoint.tls_environment(host) == {"PGSSLMODE": mode}
    assert _endpoint.tls_environment(host, "require") == {"PGSSLMODE": "require"}


def test_certificates_go_into_the_environment() -> None:
    assert _endpoint.tls_environment("h", "verify-ca", "/ca", "/cert", "/key") == {
        "PGSSLMODE": "verify-ca",
        "PGSSLROOTCERT": "/ca",
        "PGSSLCERT": "/cert",
        "PGSSLKEY": "/key",
    }
