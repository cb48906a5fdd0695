# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority of a test's own, and a way to a server over TLS with a certificate of it."""

from __future__ import annotations

import contextlib
import datetime
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
#: What a client of PostgreSQL asks first: eight octets, of which the second four say TLS.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@dataclass
class Authority:
    """An authority that is not the role's."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}-ca.crt"

    def issue(self, name: str, alt_name: str, days: int, usage: x509.ObjectIdentifier | None = None) -> dict[str, Any]:
        """Key and certificate for I(alt_name), as an entry of tls_certificates."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._builder(alt_name, key.public_key(), days).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(alt_name)]), critical=False
        )
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate_file.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return {
            "name": "server",
            "common_name": "db.example.com",
            "own_certificate_file": str(certificate_file),
            "own_key_file": str(key_file),
        }

    def write(self) -> Authority:
        built = self._builder(self.name, self.key.public_key(), 3650).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        built = built.add_extension(usage, critical=True)
        self.file.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return self

    def _builder(self, name: str, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 20 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )


class TlsEntry:
    """PostgreSQL's protocol over TLS on C(port), carried on to a server without. I(heard): how much clients said in it."""

    def __init__(self, host: str, port: int, files: dict[str, Any]) -> None:
        self.heard = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["own_certificate_file"], files["own_key_file"])
        entry = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                assert self.request.recv(8, socket.MSG_WAITALL) == SSL_REQUEST
                self.request.sendall(b"S")
                # A client that does not like the certificate goes.
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(self.request, server_side=True) as client,
                    socket.create_connection((host, port)) as server,
                ):
                    entry.carry(client, server)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def carry(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        """Both ways, until one of the two goes."""
        while True:
            for ready in [client] if client.pending() else select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                if ready is client:
                    self.heard += len(data)
                (server if ready is client else client).sendall(data)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def tls_entry(host: str, port: int, files: dict[str, Any]) -> Iterator[TlsEntry]:
    """A way to the server at I(host) and I(port) with the certificate I(files) (C(Authority.issue)); closed at the end."""
    entry = TlsEntry(host, port, files)
    try:
        yield entry
    finally:
        entry.close()
