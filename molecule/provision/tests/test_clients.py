# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every client that the filter postgres_url writes for gets in with its string, and is not fooled by another server."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.ext.asyncio import create_async_engine

from ansible_collections.mcps.postgres.plugins.filter.postgres_url import FilterModule
from support.machines import Machine
from support.web_site import NODE, WEB

postgres_url = FilterModule().filters()["postgres_url"]
QUESTION = "SELECT current_user || ' ' || ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()"
ELSEWHERE = "elsewhere.example"
TLS = ("ssl_mode", "ca_cert")
# Standard input: the URL, the question and the address that every name has. Standard output: the answer.
NODE_CLIENT = """
const { url, question, address } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
require('dns').lookup = (name, options, done) =>
  options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4);
const { Client } = require('pg');
(async () => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10000 });
  await client.connect();
  console.log(Object.values((await client.query(question)).rows[0])[0]);
  await client.end();
})().catch((error) => { console.error(error.message); process.exit(1); });
"""

Target = Mapping[str, Any]
Client = Callable[[Target, str], str]


def libpq_uri(target: Target, address: str) -> str:
    return ask_libpq(postgres_url({**target, "hostaddr": address}, "postgresql"))


def libpq_keywords(target: Target, address: str) -> str:
    return ask_libpq(postgres_url({**target, "hostaddr": address}, "libpq"))


def sqlalchemy_psycopg2(target: Target, address: str) -> str:
    engine = sqlalchemy.create_engine(postgres_url({**target, "hostaddr": address}, "postgresql+psycopg2"))
    try:
        with engine.connect() as connection:
            return str(connection.scalar(sqlalchemy.text(QUESTION)))
    finally:
        engine.dispose()


def sqlalchemy_asyncpg(target: Target, address: str) -> str:
    """As migration_environment has it: all of TLS in variables."""
    with environment(PGSSLMODE=target["ssl_mode"], PGSSLROOTCERT=target["ca_cert"]):
        return ask_asyncpg(postgres_url(target, "postgresql+asyncpg", tls="environment"), address)


def sqlalchemy_asyncpg_mode_in_url(target: Target, address: str) -> str:
    without_file = {name: value for name, value in target.items() if name != "ca_cert"}
    with environment(PGSSLROOTCERT=target["ca_cert"]):
        return ask_asyncpg(postgres_url(without_file, "postgresql+asyncpg"), address)


def node_postgres(target: Target, address: str) -> str:
    told = {"url": postgres_url(target, "node-postgres"), "question": QUESTION, "address": address}
    done = subprocess.run(
        [str(NODE), "-e", NODE_CLIENT],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=WEB,
        check=False,
    )
    if done.returncode:
        raise ConnectionError(done.stderr)
    return done.stdout.strip()


CLIENTS: list[Client] = [
    libpq_uri,
    libpq_keywords,
    sqlalchemy_psycopg2,
    sqlalchemy_asyncpg,
    sqlalchemy_asyncpg_mode_in_url,
    node_postgres,
]


def ask_libpq(connection_string: str) -> str:
    connection = psycopg2.connect(connection_string)
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUESTION)
            return str(cursor.fetchone()[0])
    finally:
        connection.close()


def ask_asyncpg(url: str, address: str) -> str:
    async def ask() -> str:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return str(await connection.scalar(sqlalchemy.text(QUESTION)))
        finally:
            await engine.dispose()

    def here(host: Any, port: Any, *others: Any, **named: Any) -> Any:
        return resolve(address, port, *others, **named)

    resolve = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here)
        return asyncio.run(ask())


class environment:
    """With these variables set."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        for name, value in self._variables.items():
            self._patch.setenv(name, value)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


@pytest.fixture(scope="session", autouse=True)
def node_modules() -> None:
    """The package pg, as the reference application's web site has it."""
    assert (WEB / "node_modules" / "pg").is_dir(), "the web site has not been built: make web"


@pytest.fixture
def target(machine: Machine, passwords: Mapping[str, str]) -> Target:
    return {
        "host": machine.name,
        "port": 5432,
        "user": "mcps_app",
        "password": passwords["mcps_app"],
        "database": "mcps",
        "ssl_mode": "verify-full",
        "ca_cert": str(machine.ca),
    }


@pytest.fixture(scope="session")
def foreign_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that has signed nothing here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody else")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("foreign") / "ca.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def refused(client: Client, target: Target, address: str) -> str:
    """Why the client did not connect, in its own words."""
    with pytest.raises((psycopg2.OperationalError, sqlalchemy.exc.OperationalError, OSError)) as caught:
        client(target, address)
    return str(caught.value)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_in(client: Client, target: Target, machine: Machine) -> None:
    assert set(target["password"]) >= set("%@:/ '\"")
    assert client(target, machine.address) == "mcps_app true"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_foreign_authority(client: Client, target: Target, machine: Machine, foreign_authority: Path) -> None:
    why = refused(client, {**target, "ca_cert": str(foreign_authority)}, machine.address)
    assert re.search(r"certificate verify failed|unable to (verify|get)|self-signed certificate", why), why


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_host_name(client: Client, target: Target, machine: Machine) -> None:
    why = refused(client, {**target, "host": ELSEWHERE}, machine.address)
    assert re.search(r"does not match|Hostname mismatch", why), why
    assert ELSEWHERE in why
