# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgAdmin as its administrator sees it: the login page over TLS, the log-in, and the registered server, in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.browser import headless_browser
from support.machines import Machine

REPORTS = Path(__file__).resolve().parents[3] / ".cache" / "reports"
PORT = 5050
EMAIL = "admin@example.com"
SERVER, USER = "MCPS", "mcps_owner"


def certificate(machine: Machine, **trust: Any) -> x509.Certificate:
    """What pgAdmin shows to a client that checks it against the authority and the host's name."""
    context = ssl.create_default_context(**trust)
    with (
        socket.create_connection((machine.address, PORT), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=machine.name) as encrypted,
    ):
        return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")


def pin(shown: x509.Certificate) -> str:
    """The hash of a certificate's key, as Chromium's option wants it."""
    key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class Page:
    """pgAdmin in a browser."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self._driver, seconds, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: condition(), f"{what} does not appear")

    def find(self, selector: str) -> list[Any]:
        return [found for found in self._driver.find_elements("css selector", selector) if found.is_displayed()]

    def one(self, selector: str) -> Any:
        return self.wait(lambda: self.find(selector), selector)[0]

    def says(self, text: str) -> None:
        self.wait(lambda: text in self._driver.find_element("tag name", "body").text, repr(text))

    def log_in(self, password: str) -> None:
        for name, value in (("email", EMAIL), ("password", password)):
            field = self.one(f"input[name={name}]")
            field.clear()
            field.send_keys(value)
        self.one("button[name=internal_button]").click()

    def nodes(self, name: str) -> list[Any]:
        """Entries of the tree of objects, without what is shown behind their names."""
        entries = "#id-object-explorer .file-entry .file-name"
        return [entry for entry in self.find(entries) if entry.text.strip() == name]

    def node(self, name: str) -> Any:
        return self.wait(lambda: self.nodes(name), f"node {name}")[0]

    def open_node(self, name: str, is_open: Callable[[], Any]) -> None:
        """Double-click it, again where nothing comes of it: a tree that has just appeared does not listen yet."""
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
        from selenium.webdriver import ActionChains

        for _ in range(5):
            try:
                ActionChains(self._driver).double_click(self.node(name)).perform()
                self.wait(is_open, f"what is in {name}", seconds=15)
            except (StaleElementReferenceException, TimeoutException):
                continue
            return
        raise AssertionError(f"{name} does not open")

    def keep(self, name: str) -> None:
        REPORTS.mkdir(parents=True, exist_ok=True)
        self._driver.save_screenshot(str(REPORTS / f"{name}.png"))


def test_only_who_has_the_authority_trusts_it(machine: Machine) -> None:
    certificate(machine, cafile=str(machine.ca))
    with pytest.raises(ssl.SSLCertVerificationError):
        certificate(machine)


def test_it_works_in_a_browser(machine: Machine, passwords: Mapping[str, str], tmp_path: Path) -> None:
    # Checked with the authority first; the browser then takes this key and no other.
    shown = certificate(machine, cafile=str(machine.ca))
    options = (
        f"--host-resolver-rules=MAP {machine.name} {machine.address}",
        f"--ignore-certificate-errors-spki-list={pin(shown)}",
        "--window-size=1280,900",
    )
    with headless_browser(tmp_path / "profile", *options) as driver:
        page = Page(driver)
        try:
            driver.get(f"https://{machine.name}:{PORT}/")
            page.one("button[name=internal_button]")
            page.keep(f"pgadmin-{machine.name}-login")

            page.log_in("not the password")
            page.says("Incorrect username or password.")

            page.log_in(passwords["pgadmin"])
            page.open_node("Servers", lambda: page.nodes(SERVER))
            page.open_node(SERVER, lambda: page.find("input[type=password]"))
            page.one("input[type=password]").send_keys(passwords[USER])
            assert not page.find("input[type=checkbox][name=save_password]")
            page.one("button[data-test=save]").click()
            for name in ("Databases", "Login/Group Roles", "Tablespaces"):
                page.node(name)
            cookies = {cookie["name"]: cookie for cookie in driver.get_cookies()}
            assert cookies["pga4_session"]["secure"] and cookies["pga4_session"]["httpOnly"]

            sessions = "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
            assert machine.admin(f"{sessions} WHERE a.application_name LIKE 'pgAdmin%'") == [["t"]]
        finally:
            page.keep(f"pgadmin-{machine.name}")


def test_the_server_is_registered_without_a_password(machine: Machine) -> None:
    query = "SELECT name, password, save_password, connection_params FROM server"
    program = (
        "import json, sqlite3; database = sqlite3.connect('file:/var/lib/pgadmin/pgadmin4.db?mode=ro', uri=True);"
        f" print(json.dumps(database.execute('{query}').fetchall()))"
    )
    ((name, password, saved, parameters),) = json.loads(machine.execute(["python3", "-c", program]))
    assert (name, password, saved or 0) == (SERVER, None, 0)
    assert json.loads(parameters) == {"sslmode": "verify-full", "sslrootcert": "Authorities:/ca-1.crt"}
    assert machine.read("/etc/pgadmin/ca/ca-1.crt") == machine.ca.read_text()


def test_its_files_are_its_own(machine: Machine) -> None:
    for path in ("/var/lib/pgadmin", "/var/log/pgadmin"):
        folder = machine.host.file(path)
        assert (folder.user, folder.mode) == ("pgadmin", 0o700)
    assert machine.host.file("/var/lib/pgadmin/pgadmin4.db").mode == 0o600
    for path in ("/etc/pgadmin", "/opt/pgadmin"):
        assert machine.execute(["find", path, "-perm", "-o+w", "-not", "-type", "l"]) == ""


def test_the_service_has_no_privileges(machine: Machine) -> None:
    service = machine.host.service("pgadmin")
    assert service.is_running and service.is_enabled
    pid = machine.execute(["systemctl", "show", "--property", "MainPID", "--value", "pgadmin"]).strip()
    lines = machine.read(f"/proc/{pid}/status").splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"][0] == str(machine.host.user("pgadmin").uid)
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind][0], 16) == 0
