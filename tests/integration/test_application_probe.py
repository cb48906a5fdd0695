# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""application_probe with real processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import ModuleRunner

SERVICE = """
import http.server, os, signal, subprocess, sys

if os.environ.get("NO_DATABASE"):
    sys.exit("no database: " + os.environ["DATABASE_URL"])
open(os.environ["PID_FILE"], "w").write(f"{os.getpid()} {subprocess.Popen(['sleep', '600']).pid}")
if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Handler.asked += 1
        body = b'{"status": "healthy"}' if Handler.asked > 2 else b'{"status": "starting"}'
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Service:
    def __init__(self, folder: Path, run: ModuleRunner) -> None:
        self.folder, self._run = folder, run
        self.program = folder / "service.py"
        self.program.write_text(SERVICE)
        self.pids = folder / "pids"

    def probe(self, *, check: bool = False, environment: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        own = {"PORT": "{port}", "PID_FILE": str(self.pids), **(environment or {})}
        arguments = {
            "command": [sys.executable, str(self.program)],
            "environment": own,
            "url": "http://127.0.0.1:{port}/health",
            "match": '"status": *"healthy"',
            "timeout": 20,
            **more,
        }
        return self._run("application_probe", arguments, check=check)

    def alive(self) -> list[int]:
        """Those of its processes that are still there (a moment after it was stopped)."""
        found = [int(pid) for pid in self.pids.read_text().split()]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(running(pid) for pid in found):
            time.sleep(0.05)
        return [pid for pid in found if running(pid)]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def service(tmp_path: Path, run_module: ModuleRunner) -> Service:
    return Service(tmp_path, run_module)


def test_it_waits_for_the_right_answer_and_stops_everything(service: Service) -> None:
    result = service.probe()
    assert result["rc"] == 0 and not result["changed"], result
    assert result["probed"] and "healthy" in result["answer"] and result["seconds"] > 0
    assert service.alive() == []


def test_one_that_does_not_stop_is_killed(service: Service) -> None:
    assert service.probe(environment={"STUBBORN": 1}, stop_timeout=0.5)["rc"] == 0
    assert service.alive() == []


def test_one_that_ends_at_once_says_why_without_the_password(service: Service) -> None:
    result = service.probe(environment={"NO_DATABASE": True, "DATABASE_URL": "postgresql://u:s3cr3t-pw@h/d"})
    assert result["failed"] and "exit status 1" in result["msg"] and "no database" in result["msg"]
    assert "s3cr3t-pw" not in str(result)


@pytest.mark.parametrize("wrong", [{"match": "never"}, {"url": "http://127.0.0.1:{port}/elsewhere"}])
def test_a_wrong_answer_is_told(service: Service, wrong: dict[str, str]) -> None:
    result = service.probe(timeout=3, **wrong)
    assert result["failed"] and "no right answer within 3 seconds" in result["msg"]
    assert service.alive() == []


def test_one_that_ends_by_itself(service: Service) -> None:
    words = [sys.executable, "-c", "import os; print('rows', os.environ['ROWS'])"]
    result = service.probe(command=words, environment={"ROWS": 12}, url=None, match="rows 12")
    assert result["rc"] == 0 and result["answer"].strip() == "rows 12"
    assert "nothing that matches" in service.probe(command=words, environment={"ROWS": 12}, url=None, match="x")["msg"]
    assert "exit status" in service.probe(command=words, url=None, match="")["msg"]
    assert "did not end" in service.probe(command=["/bin/sleep", "60"], url=None, match="", timeout=0.5)["msg"]


def test_only_what_any_process_needs_is_inherited(service: Service) -> None:
    os.environ["MCPS_UNRELATED"] = "x"
    try:
        words = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
        result = service.probe(command=words, url=None, match="PATH")
    finally:
        del os.environ["MCPS_UNRELATED"]
    assert result["rc"] == 0 and "MCPS_UNRELATED" not in result["answer"]


def test_a_program_that_is_not_there(service: Service) -> None:
    result = service.probe(command=["/nowhere/program"])
    assert result["failed"] and "/nowhere/program cannot be started" in result["msg"]


def test_check_mode_starts_nothing(service: Service) -> None:
    assert service.probe(check=True)["probed"] is False
    assert not service.pids.exists()
