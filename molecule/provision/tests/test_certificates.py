# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients refuse a server whose certificate is for another name, has expired, or comes from a stranger."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.machines import Machine, wait_for

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def replace(machine: Machine, passwords: Mapping[str, str]) -> Iterator[Callable[..., None]]:
    """Lets the server show another certificate for the key that it has; the old one comes back in the end.

    replace(name, days, foreign): for the host I(name), valid until I(days) from now, by the scenario's authority, or
    by a I(foreign) one of that name.
    """
    path = machine.setting("ssl_cert_file")
    good = machine.read(path)
    good_certificate = x509.load_pem_x509_certificate(good.encode())

    def show(text: str) -> None:
        # The server reads its certificate anew when it is told to reload.
        machine.write(path, text)
        wanted = x509.load_pem_x509_certificate(text.encode()).serial_number
        machine.execute(["systemctl", "reload", "postgresql"])
        wait_for("the certificate is shown", lambda: machine.served_certificate().serial_number == wanted)

    def sign(name: str, days: float, foreign: str = "") -> None:
        authority = x509.load_pem_x509_certificate(machine.ca.read_bytes())
        key: Any = ec.generate_private_key(ec.SECP256R1())
        issuer = authority.subject
        if foreign:
            issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, foreign)])
        else:
            encrypted = machine.ca.with_suffix(".key").read_bytes()
            key = serialization.load_pem_private_key(encrypted, passwords["authority"].encode())
        signed = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(good_certificate.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 30 * DAY)
            .not_valid_after(NOW + days * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        show(signed.public_bytes(serialization.Encoding.PEM).decode())

    yield sign
    show(good)
    machine.connect("mcps_app").close()


def refused(machine: Machine) -> str:
    """Why a client with verify-full refused the server."""
    with pytest.raises(psycopg2.OperationalError) as caught:
        machine.connect("mcps_app")
    return str(caught.value)


def test_a_good_certificate_made_by_the_test_is_taken(machine: Machine, replace: Callable[..., None]) -> None:
    replace(machine.name, days=30)
    machine.connect("mcps_app").close()


def test_a_certificate_for_another_host_is_refused(machine: Machine, replace: Callable[..., None]) -> None:
    replace("elsewhere.example", days=30)
    assert f'does not match host name "{machine.name}"' in refused(machine)


def test_an_expired_certificate_is_refused(machine: Machine, replace: Callable[..., None]) -> None:
    replace(machine.name, days=-1)
    assert "certificate verify failed" in refused(machine)
    # Not for another reason: without the check the same server lets the client in.
    machine.connect("mcps_app", sslmode="require", sslrootcert="").close()


def test_a_foreign_certificate_is_refused(machine: Machine, replace: Callable[..., None]) -> None:
    replace(machine.name, days=30, foreign="Somebody else's authority")
    assert "certificate verify failed" in refused(machine)


def test_a_certificate_by_an_impostor_of_the_same_name_is_refused(
    machine: Machine, replace: Callable[..., None]
) -> None:
    authority = x509.load_pem_x509_certificate(machine.ca.read_bytes())
    ((name,),) = [authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    replace(machine.name, days=30, foreign=str(name.value))
    assert "SSL error" in refused(machine)


def test_the_keys_never_leave_the_host_and_belong_to_the_service(machine: Machine) -> None:
    key = machine.host.file(machine.setting("ssl_key_file"))
    assert (key.user, oct(key.mode)) == ("postgres", "0o600")
    assert not [path for path in machine.made.rglob("*.key") if path.name != "ca.key"]
    assert "ENCRYPTED" in machine.ca.with_suffix(".key").read_text()
    assert oct(machine.ca.with_suffix(".key").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("port", [5432, 6432])
def test_the_certificate_is_for_servers_and_names_the_host(machine: Machine, port: int) -> None:
    served = machine.served_certificate(port)
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert machine.name in names.get_values_for_type(x509.DNSName)
    usage = served.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
    assert 300 * DAY < served.not_valid_after_utc - NOW < 400 * DAY
