# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Database URLs in which any character is safe, for the driver that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.module_utils._endpoint import compose_url

#: How a driver is told to use TLS in a URL: the parameter for the mode, the one for the authority's certificate.
_TLS_PARAMETERS: dict[str, tuple[str, str]] = {
    "": ("sslmode", "sslrootcert"),
    "psycopg2": ("sslmode", "sslrootcert"),
    "psycopg": ("sslmode", "sslrootcert"),
    "asyncpg": ("ssl", ""),
}
_KNOWN = ("host", "port", "user", "password", "database", "ssl_mode", "ca_cert")


def postgres_url(target: Mapping[str, Any], driver: str = "postgresql+asyncpg", tls: str = "url") -> str:
    """The URL of I(target) for I(driver); see postgres_url.yml."""
    if not isinstance(target, Mapping):
        raise AnsibleFilterError(
            f"postgres_url needs a mapping with {', '.join(_KNOWN)}, not a {type(target).__name__}."
        )
    unknown = sorted(set(target) - set(_KNOWN))
    if unknown:
        raise AnsibleFilterError(f"postgres_url does not know {', '.join(unknown)}; it knows {', '.join(_KNOWN)}.")
    if not target.get("database"):
        raise AnsibleFilterError("postgres_url needs a database.")
    if target.get("password") and not target.get("user"):
        raise AnsibleFilterError("postgres_url was given a password without a user.")
    if tls not in ("url", "environment"):
        raise AnsibleFilterError(f"postgres_url's tls is '{tls}', it has to be url or environment.")
    scheme, _, bare_driver = driver.partition("+")
    if scheme != "postgresql":
        raise AnsibleFilterError(f"postgres_url's driver is '{driver}', it has to be postgresql or postgresql+DRIVER.")
    url = compose_url(
        bare_driver,
        host=str(target.get("host") or ""),
        port=int(target["port"]) if target.get("port") else None,
        user=_text(target.get("user")),
        password=_text(target.get("password")),
        database=str(target["database"]),
    )
    parameters = _tls(target, bare_driver) if tls == "url" else {}
    if not parameters:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, quote_via=quote, safe='')}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _tls(target: Mapping[str, Any], driver: str) -> dict[str, str]:
    mode, certificate = target.get("ssl_mode"), target.get("ca_cert")
    if not mode and not certificate:
        return {}
    names = _TLS_PARAMETERS.get(driver)
    if names is None:
        raise AnsibleFilterError(
            f"postgres_url does not know how {driver} is told about TLS. Use tls='environment' and set PGSSLMODE and "
            "PGSSLROOTCERT."
        )
    if certificate and not names[1]:
        raise AnsibleFilterError(
            f"{driver} takes no file of certificates in its URL. Use tls='environment' and set PGSSLMODE and PGSSLROOTCERT."
        )
    given = {names[0]: mode, names[1]: certificate}
    return {name: str(value) for name, value in given.items() if value}


class FilterModule:
    """The collection's filter for URLs."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"postgres_url": postgres_url}
