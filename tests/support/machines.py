# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provisioned host as a client sees it: by its name and its network, not from inside."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import testinfra
import yaml
from cryptography import x509

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # SSLRequest of the PostgreSQL protocol: length, code


@dataclass(frozen=True)
class Machine:
    """One host of a scenario. I(made) is the controller's folder with what was made up for the run."""

    name: str
    made: Path
    passwords: Mapping[str, str] = field(repr=False)

    @cached_property
    def host(self) -> Any:
        """testinfra's view of it: host.run("..."), host.file(...), host.service(...), as root."""
        return testinfra.get_host(f"docker://{self.name}")

    @cached_property
    def address(self) -> str:
        """Its address on the scenario's network, asked for again after a restart."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return _output(["docker", "inspect", "--format", form, self.name]).strip()

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed the host's certificates."""
        return self.made / "ca" / "ca.crt"

    def parameters(self, role: str, database: str = "mcps", **parameters: Any) -> dict[str, Any]:
        """libpq's parameters for I(role): its password, verify-full with the authority; I(parameters) go over them."""
        return {
            "host": self.name,
            "hostaddr": self.address,
            "port": 5432,
            "user": role,
            "password": self.passwords.get(role, ""),
            "dbname": database,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca),
            "connect_timeout": 10,
            **parameters,
        }

    def connect(self, role: str, database: str = "mcps", **parameters: Any) -> psycopg2.extensions.connection:
        """A connection of I(role) in autocommit mode over the network; psycopg2.OperationalError where it is refused."""
        connection = psycopg2.connect(**self.parameters(role, database, **parameters))
        connection.autocommit = True
        return connection

    def admin(self, query: str, database: str = "postgres") -> list[list[str]]:
        """Rows of I(query) asked as the superuser through the Unix socket; every value is text, NULL is empty."""
        psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\x1f", "-R", "\x1e", "-d", database, "-f", "-"]
        done = self.execute(["runuser", "-u", "postgres", "--", *psql], query)
        # No row is no output at all; one row of an empty value is the line's end.
        return [row.split("\x1f") for row in done.removesuffix("\n").split("\x1e")] if done else []

    def setting(self, name: str) -> str:
        """What SHOW says of a setting."""
        return self.admin(f"SHOW {name}")[0][0]

    def execute(self, argv: list[str], standard_input: str = "") -> str:
        """Standard output of a command run as root on the host; AssertionError where it fails."""
        return _output(["docker", "exec", "-i", self.name, *argv], standard_input)

    def read(self, path: str) -> str:
        """A file's text."""
        return self.execute(["cat", "--", path])

    def write(self, path: str, text: str) -> None:
        """Replace a file's text; owner and mode stay. A file that is new belongs to root alone."""
        self.execute(["sh", "-c", 'umask 077; cat > "$1"', "sh", path], text)

    def restart(self) -> None:
        """Restart the whole host, and wait until systemd has started everything."""
        _output(["docker", "restart", "--time", "60", self.name])
        self.__dict__.pop("address", None)
        state = ""
        for _ in range(60):
            state = self.host.run("systemctl is-system-running --wait").stdout.strip()
            if state in ("running", "degraded"):
                return
            time.sleep(1)
        raise AssertionError(f"{self.name} does not come up: {state}")

    def log_files(self) -> list[str]:
        """Where the server writes its log."""
        current = self.admin("SELECT pg_catalog.pg_current_logfile()")[0][0]
        if current:
            return [current if current.startswith("/") else f"{self.setting('data_directory')}/{current}"]
        return [line.split()[-1] for line in self.execute(["pg_lsclusters", "--no-header"]).splitlines()]

    def log(self) -> str:
        """What the server has logged."""
        return "".join(self.read(path) for path in self.log_files())

    def served_certificate(self, port: int = 5432) -> x509.Certificate:
        """The certificate that a server of the PostgreSQL protocol shows, not checked."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection((self.address, port), timeout=10) as plain:
            plain.sendall(SSL_REQUEST)
            assert plain.recv(1) == b"S", f"{self.name}:{port} does not offer TLS"
            with context.wrap_socket(plain) as encrypted:
                return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")


def made_passwords(made: Path, variables: Path, awkward: str) -> dict[str, str]:
    """Name -> password of a run: what was made up for it, with the characters hard to quote that I(variables) adds."""
    added = yaml.safe_load(variables.read_text())[awkward]
    return {path.name: path.read_text().strip() + added for path in (made / "secrets").iterdir()}


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 15) -> None:
    """AssertionError where I(condition) has not become true after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not so after {seconds} s"
        time.sleep(0.2)


def _output(command: list[str], standard_input: str = "") -> str:
    done = subprocess.run(
        command, input=standard_input, capture_output=True, text=True, encoding="utf-8", check=False, env=os.environ
    )
    assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
