# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a PostgreSQL database is named to others: as a URL, and as the environment variables that its drivers read."""

from __future__ import annotations

import ipaddress
from typing import Dict, Optional
from urllib.parse import quote

#: Said instead of a driver where the URL is to have none.
NO_DRIVER = ("", "none")


def compose_url(
    driver: str = "",
    host: str = "",
    port: Optional[int] = None,
    user: Optional[str] = None,
    password: Optional[str] = None,
    database: str = "",
) -> str:
    """The URL as SQLAlchemy and libpq read it, every part percent-encoded (RFC 3986, section 2.1).

    A host that begins with V(/) is the folder of a Unix socket and goes into the query, which SQLAlchemy hands on to
    psycopg2, psycopg and asyncpg. TLS settings never go into a URL: no spelling of them suits every driver
    (see M(tls_environment)).
    """
    scheme = "postgresql" if driver in NO_DRIVER else f"postgresql+{driver}"
    login = quote(user or "", safe="")
    if password:
        login += ":" + quote(password, safe="")
    if login:
        login += "@"
    path = quote(database, safe="")
    if host.startswith(("/", "@")):
        query = f"host={quote(host, safe='')}" + (f"&port={port}" if port else "")
        return f"{scheme}://{login}/{path}?{query}"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    where = host if host.startswith("[") else quote(host, safe="")
    return f"{scheme}://{login}{where}{f':{port}' if port else ''}/{path}"


def default_ssl_mode(host: str) -> str:
    """V(verify-full), but V(prefer) where nothing leaves the machine: sockets and loopback addresses."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return "prefer"
    try:
        return "prefer" if ipaddress.ip_address(host.strip("[]")).is_loopback else "verify-full"
    except ValueError:
        return "verify-full"


def tls_environment(
    host: str = "",
    ssl_mode: Optional[str] = None,
    ca_cert: Optional[str] = None,
    ssl_cert: Optional[str] = None,
    ssl_key: Optional[str] = None,
) -> Dict[str, str]:
    """The variables by which libpq's drivers and asyncpg alike are told how to encrypt and what to check."""
    settings = {
        "PGSSLMODE": ssl_mode or default_ssl_mode(host),
        "PGSSLROOTCERT": ca_cert,
        "PGSSLCERT": ssl_cert,
        "PGSSLKEY": ssl_key,
    }
    return {name: setting for name, setting in settings.items() if setting}
