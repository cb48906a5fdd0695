# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's own processes are told by their environment, and what of it is a secret. Pure."""

from __future__ import annotations

import re
from typing import Any, List, Mapping

#: What any process needs to run at all. Libpq's own variables (PG*) come along too, since login_* may leave it to them.
INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE"),
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
INHERITED_PREFIXES = ("LC_", "PG")
#: Values that are no secrets by themselves: words, numbers and versions, paths.
PLAIN = re.compile(r"[A-Za-z][a-z_.-]{0,23}|[A-Z_]{1,24}|[\d.:]{1,15}|\.{0,2}/[^@]*")


def text(value: Any) -> str:
    """A variable's value as a process gets it: booleans as YAML writes them."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def passes(name: str) -> bool:
    """Whether the application may inherit this variable."""
    return name in INHERITED or name.startswith(INHERITED_PREFIXES)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable's value has to be kept out of everything that is shown.

    A short plain word (V(production), V(8080), V(false)) is no secret unless the variable's name says so: taking it out
    of every text would only make texts wrong.
    """
    words = ("PASS", "PW", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "DSN", "URL", "SALT", "PRIVATE", "CERT")
    if any(word in name.upper() for word in words):
        return len(value) >= 4
    return len(value) >= 4 and not PLAIN.fullmatch(value)


def plain_values(params: Mapping[str, Any]) -> List[str]:
    """Values of the argument C(environment) that are no secrets, although all of it is treated as if it were one."""
    environment = params.get("environment") or {}
    own = {name: text(value) for name, value in environment.items()}
    hidden = {value for name, value in own.items() if is_secret(name, value)} | {params.get("login_password") or ""}
    return sorted(set(own.values()) - hidden)
