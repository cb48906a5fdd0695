# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role tls with its private CA and with files of the operator's own, as an operator runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.ansible_runs import PlaybookRun, PlaybookRunner
from support.authority import DAY, Authority
from support.secrets_guard import SecretsGuard, awkward_password


def play(tasks_from: str = "main") -> list[dict[str, Any]]:
    role = {"name": "mcps.postgres.tls", "tasks_from": tasks_from}
    return [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "TLS", "ansible.builtin.include_role": role}]}]


@dataclass
class Site:
    """A private CA, one or more hosts (all of them this machine, each with a folder of its own), and how to run the role."""

    folder: Path
    run: PlaybookRunner
    guard: SecretsGuard
    hosts: Sequence[str] = ("localhost",)
    certificates: list[dict[str, Any]] = field(default_factory=list)
    host_variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    passphrase: str = ""

    def __post_init__(self) -> None:
        self.passphrase = self.passphrase or self.guard.add(awkward_password())

    @property
    def ca(self) -> Path:
        return self.folder / "controller" / "ca"

    def path(self, name: str, host: str = "localhost") -> Path:
        return self.folder / host / name

    def apply(self, check: bool = False, tasks_from: str = "main", **others: Any) -> PlaybookRun:
        """Run the role; I(others) go over the variables, None takes one away (for what hosts have of their own)."""
        variables = {
            "tls_ca_dir": str(self.ca),
            "tls_ca_passphrase": self.passphrase,
            "tls_dir": f"{self.folder}/{{{{ inventory_hostname }}}}",
            "tls_certificates": self.certificates,
            **others,
        }
        local = {"ansible_connection": "local", "ansible_python_interpreter": self.run.python}
        return self.run(
            play(tasks_from),
            variables={name: value for name, value in variables.items() if value is not None},
            inventory={"all": {"hosts": {host: {**local, **self.host_variables.get(host, {})} for host in self.hosts}}},
            check=check,
            diff=True,
        )

    def refused(self, cases: Sequence[tuple[dict[str, Any], str]], **others: Any) -> None:
        """Run the role on a host for each of I(cases), its variables and the words of its failure; none gets through."""
        names = [f"case{number}" for number in range(len(cases))]
        site = replace(self, hosts=names, host_variables=dict(zip(names, (case for case, _ in cases), strict=True)))
        without: dict[str, Any] = dict.fromkeys({name for case, _ in cases for name in case})
        run = site.apply(**others, **without).failed(*(words for _, words in cases))
        for name in names:
            assert run.recap[name]["failed"] == 1, run.output
            assert not list(site.path("", name).glob("server.*"))

    def certificate(self, name: str, host: str = "localhost") -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.path(f"{name}.crt", host).read_bytes())

    def state(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything below the folders of CA and hosts."""
        return {
            str(path.relative_to(self.folder)): (
                path.stat().st_mode & 0o777,
                path.stat().st_mtime_ns,
                path.read_bytes(),
            )
            for top in (self.ca, *(self.folder / host for host in self.hosts))
            for path in top.glob("*")
        }


@pytest.fixture
def site(tmp_path: Path, playbook: PlaybookRunner, secrets_guard: SecretsGuard) -> Site:
    return Site(tmp_path, playbook, secrets_guard)


def verified(certificate: Path, authority: Path, purpose: str) -> bool:
    """What openssl, and so libpq, says of it."""
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(authority), str(certificate)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def belongs(key: Path, certificate: x509.Certificate) -> bool:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return loaded.public_key() == certificate.public_key()


def alt_names(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_the_life_of_a_certificate(site: Site) -> None:
    long = {
        "name": "server",
        "common_name": "db.test",
        "subject_alt_names": ["DNS:db.test", "IP:192.0.2.1", "IP:2001:db8::5"],
    }
    short = {"name": "client", "common_name": "reader", "usage": "client", "days": 20}
    site.certificates = [long, short]

    # Nothing is there: check mode says that there is something to do, and does none of it.
    fresh = site.apply(check=True, tls_renew_days=5).succeeded(changed=True)
    for made in (site.ca / "ca.crt", site.path("ca.crt"), site.path("server.crt"), site.path("client.key")):
        assert str(made) in fresh.stdout
    assert not site.ca.exists() and not site.path("").exists()

    site.apply(tls_renew_days=5).succeeded(changed=True)
    before = site.state()
    site.apply(check=True, tls_renew_days=5).succeeded(changed=False)
    site.apply(tls_renew_days=5).succeeded(changed=False)
    assert site.state() == before

    # Keys are their owner's alone; the CA's key is worth nothing without the passphrase.
    assert site.ca.stat().st_mode & 0o777 == 0o700
    assert {name: state[0] for name, state in before.items()} == {
        "controller/ca/ca.crt": 0o644,
        "controller/ca/ca.key": 0o600,
        **{f"localhost/{name}.crt": 0o644 for name in ("ca", "server", "client")},
        **{f"localhost/{name}.key": 0o600 for name in ("server", "client")},
    }
    authority_key = (site.ca / "ca.key").read_bytes()
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(authority_key, None)
    serialization.load_pem_private_key(authority_key, site.passphrase.encode())

    # What was made is what was asked for.
    server, client = site.certificate("server"), site.certificate("client")
    assert alt_names(server) == ["db.test", "192.0.2.1", "2001:db8::5"]
    assert client.subject.rfc4514_string() == "CN=reader"
    assert belongs(site.path("server.key"), server) and belongs(site.path("client.key"), client)
    assert verified(site.path("server.crt"), site.path("ca.crt"), "sslserver")
    assert not verified(site.path("server.crt"), site.path("ca.crt"), "sslclient")
    assert verified(site.path("client.crt"), site.path("ca.crt"), "sslclient")

    # Only what is due is renewed, with the key it had. Check mode says so beforehand.
    short["days"] = 397
    assert site.apply(check=True).succeeded().count("changed") == 1
    assert site.state() == before
    assert site.apply().succeeded().count("changed") == 1
    changed = {name for name, state in site.state().items() if state != before[name]}
    assert changed == {"localhost/client.crt"}
    assert site.certificate("client").not_valid_after_utc - client.not_valid_after_utc > 300 * DAY

    # Another name renews as well; a certificate that cannot be read is made anew.
    long["subject_alt_names"] = ["DNS:db.test", "DNS:other.test"]
    site.path("client.crt").write_text("not a certificate")
    assert site.apply().succeeded().count("changed") == 2
    assert alt_names(site.certificate("server")) == ["db.test", "other.test"]
    assert verified(site.path("client.crt"), site.path("ca.crt"), "sslclient")
    assert site.state()["localhost/server.key"] == before["localhost/server.key"]

    # The CA is replaced as the README says: first everybody trusts the new one, then it signs.
    other = site.folder / "controller" / "new"
    site.apply(tasks_from="authority", tls_ca_dir=str(other)).succeeded(changed=True)
    old_server = site.path("server.crt").read_bytes()
    site.apply(tls_ca_trusted_files=[f"{other}/ca.crt"]).succeeded(changed=True)
    assert site.path("server.crt").read_bytes() == old_server
    site.apply(tls_ca_dir=str(other), tls_ca_trusted_files=[f"{site.ca}/ca.crt"]).succeeded(changed=True)
    assert verified(site.path("server.crt"), other / "ca.crt", "sslserver")
    assert not verified(site.path("server.crt"), site.ca / "ca.crt", "sslserver")
    site.apply(tls_ca_dir=str(other)).succeeded(changed=True)
    assert site.path("ca.crt").read_bytes() == (other / "ca.crt").read_bytes()
    site.apply(tls_ca_dir=str(other)).succeeded(changed=False)


def test_hosts_share_one_ca(site: Site) -> None:
    site.hosts = ("one", "two")
    site.certificates = [{"name": "server", "common_name": "{{ inventory_hostname }}.test"}]
    site.apply(check=True).succeeded(changed=True)
    site.apply().succeeded(changed=True)
    site.apply().succeeded(changed=False)
    for host in site.hosts:
        assert alt_names(site.certificate("server", host)) == [f"{host}.test"]
        assert verified(site.path("server.crt", host), site.ca / "ca.crt", "sslserver")
    assert site.path("server.key", "one").read_bytes() != site.path("server.key", "two").read_bytes()


def test_a_ca_that_ends(site: Site) -> None:
    site.certificates = [{"name": "server", "common_name": "db.test"}]
    # Certificates end with their CA; the operator is told.
    assert "WARNING: the CA of" in site.apply(tls_ca_days=40).succeeded(changed=True).stdout
    authority = x509.load_pem_x509_certificate((site.ca / "ca.crt").read_bytes())
    assert site.certificate("server").not_valid_after_utc == authority.not_valid_after_utc
    site.apply().succeeded(changed=False)
    site.apply(tls_renew_days=41).failed("within tls_renew_days (41 days): replace it now")


def test_what_cannot_work_is_refused(site: Site) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": "ca"}, "and not ca"),
        ({"name": "days", "days": 30}, "raise days"),
        ({"name": "names", "subject_alt_names": ["db.test"]}, "as DNS:name or IP:address"),
        ({"name": "own", "own_certificate_file": "/a"}, "give both"),
        ({"name": "reload", "reload": {}}, "one of systemd and container"),
    ]
    site.refused([({"tls_certificates": [{"common_name": "a", **entry}]}, words) for entry, words in bad])
    site.refused(
        [
            ({"tls_ca_dir": "/a", "tls_ca_own_file": "/a"}, "tls_ca_dir and tls_ca_own_file: set one of them"),
            ({"tls_ca_dir": "here"}, "set it to an absolute path"),
            ({"tls_ca_dir": str(site.ca), "tls_ca_passphrase": ""}, "a passphrase in tls_ca_passphrase"),
            ({"tls_ca_own_file": "/no/such/file"}, "is not an absolute path of a file"),
        ]
    )
    nobody = {"name": "server", "common_name": "db.test", "owner": "no_such_user"}
    site.apply(check=True, tls_certificates=[nobody]).succeeded(changed=True)
    assert not site.ca.exists()
    site.apply(tls_certificates=[nobody]).failed("there is no user no_such_user", "Install the service")
    # Now the CA is there, and a wrong passphrase neither opens nor replaces its key.
    key = (site.ca / "ca.key").read_bytes()
    wrong = site.guard.add(awkward_password())
    site.apply(tls_certificates=[], tls_ca_passphrase=wrong).failed("Set tls_ca_passphrase to the passphrase")
    assert (site.ca / "ca.key").read_bytes() == key
    (site.ca / "ca.key").unlink()
    site.apply(tls_certificates=[]).failed("bring the key back")


def test_own_files(site: Site) -> None:
    company = Authority(site.folder, "company").write()
    foreign = Authority(site.folder, "foreign").write()
    good = company.issue("good", "*.example.com", 200, ExtendedKeyUsageOID.SERVER_AUTH)
    other = company.issue("other", "db.example.com", 20)
    own = {"tls_ca_dir": None, "tls_ca_passphrase": None, "tls_ca_own_file": str(company.file)}

    bad = [
        ({**good, "own_key_file": other["own_key_file"]}, "is not the key of"),
        ({**good, "own_key_file": str(company.file)}, "cannot read own_key_file"),
        ({**good, "own_certificate_file": "/no/such/file"}, "cannot read own_certificate_file"),
        (company.issue("expired", "db.example.com", -1), "has expired at"),
        (company.issue("named", "web.example.org", 200), "is not for dns:db.example.com, only for dns:web.example.org"),
        (
            company.issue("client", "db.example.com", 200, ExtendedKeyUsageOID.CLIENT_AUTH),
            "with the extended key usage serverAuth",
        ),
        (foreign.issue("stranger", "db.example.com", 200), "does not lead to an authority in"),
    ]
    site.refused(
        [({"tls_certificates": [certificate]}, words) for certificate, words in bad]
        + [({"tls_certificates": [{"name": "server", "common_name": "a"}]}, "there is no CA to sign it")],
        **own,
    )

    site.certificates = [good]
    site.apply(check=True, **own).succeeded(changed=True)
    assert not site.path("server.key").exists()
    key_line = Path(good["own_key_file"]).read_text().splitlines()[1]
    assert key_line not in site.apply(**own).succeeded(changed=True).output
    site.apply(**own).succeeded(changed=False)
    assert site.path("server.key").read_bytes() == Path(good["own_key_file"]).read_bytes()
    assert site.path("server.key").stat().st_mode & 0o777 == 0o600
    assert verified(site.path("server.crt"), site.path("ca.crt"), "sslserver")

    # One that ends soon is placed, and the operator told.
    site.certificates = [other]
    assert "WARNING:" in site.apply(**own).succeeded(changed=True).stdout
    assert not site.ca.exists()
