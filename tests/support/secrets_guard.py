# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that are hard to quote, and a watch over everything that a program prints."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

AWKWARD = "%@:/ '\""


def awkward_password() -> str:
    """A random password with every character that a URL, an ini file, a shell or SQL could trip over."""
    return f"{secrets.token_hex(6)}{AWKWARD}{secrets.token_hex(6)}"


class SecretsGuard:
    """Knows every secret of a test run and says where one of them shows."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> str:
        """Watch for I(secret) from now on; returns it."""
        if len(secret) < 6:
            raise ValueError("so short a secret would be found everywhere")
        self._secrets.add(secret)
        return secret

    def forms(self) -> set[str]:
        """Every secret in every spelling under which it could leak."""
        spellings: set[str] = set()
        for secret in self._secrets:
            spellings |= {
                secret,
                json.dumps(secret)[1:-1],
                repr(secret)[1:-1],
                shlex.quote(secret),
                quote(secret, safe=""),
                quote(secret),
                quote_plus(secret),
                secret.replace("'", "''"),
                secret.replace("%", "%%"),
            }
        return spellings

    def check(self, text: str, where: str) -> None:
        """AssertionError (which does not repeat the secret) where a secret occurs in I(text)."""
        for form in self.forms():
            position = text.find(form)
            if position >= 0:
                raise AssertionError(
                    f"A secret shows in {where}, after: {text[max(0, position - 80) : position]!r}"
                ) from None
