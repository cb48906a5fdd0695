# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection strings in which any character is safe, for the client that reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.module_utils._endpoint import compose_url

#: What only some clients can be told, under the names that libpq has for it.
_LIBPQ = {
    "ssl_mode": "sslmode",
    "ca_cert": "sslrootcert",
    "ssl_cert": "sslcert",
    "ssl_key": "sslkey",
    "hostaddr": "hostaddr",
    "application_name": "application_name",
}
#: The client -> the names that it has for it. What is missing, it cannot be told in a connection string.
_PARAMETERS: dict[str, dict[str, str]] = {
    "": _LIBPQ,
    "psycopg2": _LIBPQ,
    "psycopg": _LIBPQ,
    # SQLAlchemy hands the parameters to asyncpg.connect, which has no argument for files.
    "asyncpg": {"ssl_mode": "ssl"},
    "node-postgres": {name: there for name, there in _LIBPQ.items() if name != "hostaddr"},
}
_TLS = ("ssl_mode", "ca_cert", "ssl_cert", "ssl_key")
_KNOWN = ("host", "port", "user", "password", "database", *_LIBPQ)
_SCHEMES = ("postgresql", "libpq", "node-postgres")


@dataclass(frozen=True)
class _Address:
    """Where a database is and who logs in; empty is what the client has as its default."""

    host: str
    port: int | None
    user: str
    password: str
    database: str


def postgres_url(target: Mapping[str, Any], driver: str = "postgresql+asyncpg", tls: str = "url") -> str:
    """The connection string of I(target) for I(driver); see postgres_url.yml."""
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
    if scheme not in _SCHEMES or (bare_driver and scheme != "postgresql"):
        raise AnsibleFilterError(
            f"postgres_url's driver is '{driver}', it has to be postgresql, postgresql+DRIVER, libpq or node-postgres."
        )
    address = _Address(
        host=_text(target.get("host")),
        port=int(target["port"]) if target.get("port") else None,
        user=_text(target.get("user")),
        password=_text(target.get("password")),
        database=str(target["database"]),
    )
    wanted = {name: str(target[name]) for name in _LIBPQ if target.get(name) and (tls == "url" or name not in _TLS)}
    if scheme == "libpq":
        return _keywords(address, _named(wanted, _LIBPQ, driver))
    names = _PARAMETERS.get(bare_driver if scheme == "postgresql" else scheme, {})
    parameters = _named(wanted, names, bare_driver or driver)
    if scheme == "node-postgres":
        return _node_url(address, {**_node_compatibility(wanted), **parameters})
    return _with(_sqlalchemy_url(address, bare_driver), parameters)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _named(wanted: Mapping[str, str], names: Mapping[str, str], client: str) -> dict[str, str]:
    """I(wanted) under the client's own names; AnsibleFilterError where it has none for one of them."""
    for name in wanted:
        if name in names:
            continue
        if name not in _TLS:
            raise AnsibleFilterError(f"{client} cannot be told {name} in a connection string: leave it out.")
        advice = "Use tls='environment' and set PGSSLMODE, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY."
        if name == "ca_cert" and names:
            raise AnsibleFilterError(f"{client} takes no file of certificates in its URL. {advice}")
        raise AnsibleFilterError(f"postgres_url does not know how {client} is told {name}. {advice}")
    return {names[name]: value for name, value in wanted.items()}


def _with(url: str, parameters: Mapping[str, str]) -> str:
    if not parameters:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, quote_via=quote, safe='')}"


def _sqlalchemy_url(address: _Address, driver: str) -> str:
    """As SQLAlchemy and libpq read it."""
    return compose_url(driver, address.host, address.port, address.user, address.password, address.database)


def _keywords(address: _Address, parameters: Mapping[str, str]) -> str:
    """libpq's keyword/value form; how values are quoted: libpq-connect, section 32.1.1.1."""
    pairs = {
        "host": address.host.strip("[]"),
        "port": _text(address.port),
        "user": address.user,
        "password": address.password,
        "dbname": address.database,
        **parameters,
    }
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items() if value)


def _quoted(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]+", value):
        return value
    return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"


def _node_url(address: _Address, parameters: Mapping[str, str]) -> str:
    """As the package pg-connection-string reads it.

    It decodes the database by decodeURI, which leaves what separates parts of a URL encoded. So that stays as it is,
    and a name with the two characters that would end the path cannot be said at all.
    """
    if re.search(r"[?#]|(^|/)\.{1,2}(/|$)", address.database):
        raise AnsibleFilterError(
            f"node-postgres cannot be told the database {address.database} in a URL: give it host, user, password and "
            "database as settings of their own."
        )
    url, _, _ = compose_url("", address.host, address.port, address.user, address.password).partition("?")
    socket = {"host": address.host, "port": _text(address.port)} if address.host.startswith(("/", "@")) else {}
    path = quote(address.database, safe=";/:@&=+$,")
    return _with(url + path, {**{name: value for name, value in socket.items() if value}, **parameters})


def _node_compatibility(wanted: Mapping[str, str]) -> dict[str, str]:
    """What makes node-postgres understand an sslmode as libpq does.

    By itself it takes every mode but disable for verify-full; uselibpqcompat makes require and verify-ca mean what they
    say. There is no mode in which it falls back to plain text.
    """
    mode = wanted.get("ssl_mode", "")
    if mode in ("allow", "prefer"):
        raise AnsibleFilterError(
            f"node-postgres cannot decide about TLS by itself as ssl_mode {mode} asks: set disable, require or, best, "
            "verify-full."
        )
    if mode == "verify-ca" and not wanted.get("ca_cert"):
        raise AnsibleFilterError("node-postgres needs a ca_cert for ssl_mode verify-ca: give it, or set verify-full.")
    return {"uselibpqcompat": "true"} if mode in ("require", "verify-ca") else {}


class FilterModule:
    """The collection's filter for connection strings."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"postgres_url": postgres_url}
