# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a connection is secured by default, and how the driver's errors are told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._postgres._session import default_ssl_mode, target_error


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("", "prefer"),
        ("/run/postgresql", "prefer"),
        ("@abstract", "prefer"),
        ("localhost", "prefer"),
        ("127.0.0.1", "prefer"),
        ("127.8.9.1", "prefer"),
        ("::1", "prefer"),
        ("10.0.0.1", "verify-full"),
        ("db.example.org", "verify-full"),
        ("localhost.example.org", "verify-full"),
        ("127.0.0.1.example.org", "verify-full"),
    ],
)
def test_what_leaves_the_machine_is_verified(host: str, mode: str) -> None:
    assert default_ssl_mode(host) == mode


def test_an_error_is_one_line_without_the_password() -> None:
    error = SimpleNamespace(
        pgcode="23505",
        diag=SimpleNamespace(
            message_primary="duplicate\n  key s3cret", constraint_name="t_pkey", message_detail="Key (id)=(1) exists."
        ),
    )
    told = target_error(error, "database 'x' on h:1", "s3cret")
    assert told.message == "Database 'x' on h:1: duplicate key ******** (Key (id)=(1) exists.)."
    assert told.details == {
        "sqlstate": "23505",
        "reason": "duplicate key ********",
        "constraint": "t_pkey",
        "detail": "Key (id)=(1) exists.",
    }


@pytest.mark.parametrize(
    ("code", "text", "advice"),
    [
        ("28P01", "x", "login_password"),
        ("42501", "permission denied", "privilege"),
        ("57P01", "terminating", "same command again"),
        ("", 'root certificate file "/home/app/.postgresql/root.crt" does not exist', "ca_cert"),
        ("", "server does not support SSL, but SSL was required", "ssl_mode"),
        ("", "connection refused", "server runs"),
    ],
)
def test_an_error_says_what_to_do(code: str, text: str, advice: str) -> None:
    error = SimpleNamespace(pgcode=code, diag=SimpleNamespace(message_primary=text))
    assert advice in target_error(error, "x").advice
