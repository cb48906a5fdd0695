# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long modules in the background: what is shown, what comes back, what is left behind, and how they are stopped.

The module under watch is mcps_tests.progress.slow (beside this file): it takes as long as it is told to and leaves a
file that says how it ended. Its action plugin is the one that the collection's own long modules have.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import COLLECTIONS, ROOT, PlaybookRunner
from support.secrets_guard import SecretsGuard, awkward_password

HERE = Path(__file__).resolve().parent
SLOW = "mcps_tests.progress.slow"
TABLES = {"server": 300, "tool": 1200, "social_posts": 3000}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Everything that a run leaves on the host is below tmp_path."""
    for name in ("remote", "tmp"):
        (tmp_path / name).mkdir(mode=0o700)
    return {
        "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}{os.pathsep}{HERE / 'progress'}",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "ANSIBLE_ASYNC_DIR": str(tmp_path / "async"),
        "TMPDIR": str(tmp_path / "tmp"),
    }


RESULT = re.compile(r"^(ok|changed|fatal): \[localhost\](?:: FAILED!)? => (\{.*?^\})", re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(playbook: PlaybookRunner, environment: dict[str, str]) -> Callable[..., tuple[Any, str]]:
    """Runs slow once; its whole result, invocation and all, and what was printed."""

    def one(
        arguments: dict[str, Any] | None = None, *, check: bool = False, keywords: Any = None, **variables: Any
    ) -> tuple[Any, str]:
        task = {SLOW: {"tables": TABLES, **(arguments or {})}, "ignore_errors": True, **(keywords or {})}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        done = playbook(
            [play], check=check, diff=True, environment=environment, variables=variables, extra_args=["-vvv"]
        ).succeeded()
        found = RESULT.search(done.stdout)
        assert found, done.output
        return {**json.loads(found.group(2)), "failed": found.group(1) == "fatal"}, done.output

    return one


def leftovers(tmp_path: Path) -> list[str]:
    """Files and folders that a run forgot on its host (Ansible's own local folders aside)."""
    time.sleep(0.2)
    found = [path.name for path in (tmp_path / "remote").iterdir()]
    found += [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("mcps-")]
    return found + ["async"] * (tmp_path / "async").exists()


@pytest.mark.parametrize("crash", ["", "error"])
def test_the_result_is_the_modules_own(crash: str, run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    arguments = {"crash": crash, "password": "very secret indeed", "pause": 0}
    plain, plain_output = run(arguments, mcps_progress="never")
    watched, output = run(arguments, mcps_progress="always")
    assert watched == plain
    assert plain["failed"] is bool(crash)
    assert plain["invocation"]["module_args"]["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert plain["invocation"]["module_args"]["progress_file"] is None
    if crash:
        assert (plain["advice"], plain["rows"]) == ("Do better.", [{"key": 1}])
    else:
        assert plain["changed"] and plain["diff"] == {"before": "a\n", "after": "b\n"}
        assert output.count("mind the gap") == plain_output.count("mind the gap") > 0
    assert "very secret indeed" not in output
    assert leftovers(tmp_path) == []


def test_what_is_shown_while_it_runs(run: Callable[..., tuple[Any, str]]) -> None:
    _, output = run({"pause": 0.05}, mcps_progress="always", mcps_progress_interval=0.5)
    shown = [line for line in output.splitlines() if line.startswith("  load  ")]
    finished = [line.split()[1] for line in shown if " rows  " in line]
    assert finished == list(TABLES), output
    assert any("social_posts" in line and "/ 3,000" in line and line.endswith("left") for line in shown), output
    assert any("all tables  2 of 3 done" in line and "/ 4,500" in line for line in shown), output


def test_a_log_is_not_flooded(run: Callable[..., tuple[Any, str]]) -> None:
    _, output = run({"pause": 0.15, "tables": {"server": 100, "posts": 5000}})
    shown = [line for line in output.splitlines() if line.startswith("  load  ")]
    assert [line.split()[1] for line in shown] == ["server", "posts"], output


def test_never_is_never(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    (tmp_path / "status.json.lease").write_text("0")  # of a run that was killed
    result, output = run({"progress_file": str(tmp_path / "status.json")}, mcps_progress="never")
    assert result["changed"], result
    assert "  load  " not in output
    assert not (tmp_path / "status.json.lease").exists()


def test_an_unknown_wish_is_refused(run: Callable[..., tuple[Any, str]]) -> None:
    result, _ = run(mcps_progress="sometimes")
    assert result["failed"] and "one of auto, always, never" in result["msg"]
    result, _ = run(mcps_progress="always", mcps_progress_lease=0)
    assert result["failed"] and "mcps_progress_lease is '0'" in result["msg"]


def test_check_mode_stays_in_the_foreground(run: Callable[..., tuple[Any, str]]) -> None:
    result, output = run(check=True, mcps_progress="always")
    assert result["changed"] and result["tables"] == TABLES
    assert "  load  " not in output


def test_a_task_may_still_be_asynchronous_itself(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    result, output = run(keywords={"async": 60, "poll": 1}, mcps_progress="always")
    assert result["changed"] and result["tables"] == TABLES
    assert "  load  " not in output
    assert [path.name for path in (tmp_path / "async").iterdir()] == [], "Ansible's own way of doing it"


def test_no_log_is_silent(run: Callable[..., tuple[Any, str]]) -> None:
    _, output = run(keywords={"no_log": True}, mcps_progress="always", mcps_progress_interval=0.1)
    assert "  load  " not in output


def test_a_progress_file_of_the_task_stays(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    path = tmp_path / "with 'quotes' and $dollars.json"
    result, output = run({"progress_file": str(path)}, mcps_progress="always")
    assert result["changed"] and result["invocation"]["module_args"]["progress_file"] == str(path)
    status = json.loads(path.read_text())
    assert (status["tables_done"], status["all_rows"]) == (3, 4500)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not Path(f"{path}.lease").exists()
    assert "social_posts  3,000 rows" in output


def test_a_module_that_is_killed(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    result, _ = run({"crash": "killed"}, mcps_progress="always")
    assert result["failed"]
    assert f"{SLOW} ended without a result on its host; it was probably killed" in result["msg"]
    assert leftovers(tmp_path) == []


class Controller:
    """An ansible-playbook that can be watched, interrupted and killed while it runs slow."""

    def __init__(self, tmp_path: Path, environment: dict[str, str], terminal: bool = False, **arguments: Any) -> None:
        self.marker = tmp_path / "marker"
        self.output = tmp_path / "output.txt"
        plays = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [{SLOW: {"tables": {"posts": 100_000}, "marker": str(self.marker), **arguments}}],
            }
        ]
        (tmp_path / "play.yml").write_text(json.dumps(plays))
        variables = tmp_path / "variables.json"
        interpreter = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        variables.write_text(json.dumps({"mcps_progress_lease": 3, **interpreter}))
        self._terminal, inner = pty.openpty() if terminal else (-1, -1)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ansible", "playbook", "-vvv", "-i", "localhost,", "-e", f"@{variables}"]
                + [str(tmp_path / "play.yml")],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=inner if terminal else output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), **environment},
                start_new_session=True,
            )
        if terminal:
            os.close(inner)

    def terminal_output(self) -> str:
        """All that a person would have seen, up to the end of the run."""
        text = b""
        try:
            while part := os.read(self._terminal, 65536):
                text += part
        except OSError:  # the other end is closed
            pass
        os.close(self._terminal)
        return text.decode()

    def working_module(self) -> int:
        """The module's process id, once it works."""
        wait_for(lambda: self.marker.exists() and self.marker.read_text() != "", "the module to start", self.output)
        time.sleep(1.5)
        return int(self.marker.read_text())

    def workers(self) -> list[int]:
        """Ansible's processes below the first one."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(word) for word in listed.stdout.split()]

    def undone(self) -> str:
        """Why the module stopped and undid its work."""
        path = Path(f"{self.marker}.undone")
        wait_for(path.exists, "the module to stop", self.output)
        time.sleep(0.2)
        return path.read_text()


def wait_for(condition: Callable[[], bool], what: str, output: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}:\n{output.read_text()}"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def controller(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Controller]]:
    """Starts a Controller; whatever is left of it in the end is killed."""
    made: list[Controller] = []

    def start(**arguments: Any) -> Controller:
        made.append(Controller(tmp_path, environment, **arguments))
        return made[-1]

    yield start
    for one in made:
        for pid in [*one.workers(), one.process.pid]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        one.process.wait()
        if one.marker.exists() and alive(int(one.marker.read_text() or 0)):
            os.kill(int(one.marker.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_playbook_ends_its_module(
    number: signal.Signals, controller: Callable[..., Controller], tmp_path: Path
) -> None:
    one = controller()
    module = one.working_module()
    one.process.send_signal(number)
    one.process.wait(timeout=30)
    assert "was interrupted" in one.undone()
    wait_for(lambda: not alive(module), "the module's end", one.output)
    wait_for(lambda: leftovers(tmp_path) == [], "the host to be tidied up", one.output)


def test_a_module_that_does_not_listen_is_ended(controller: Callable[..., Controller], tmp_path: Path) -> None:
    one = controller(pause=60)
    module = one.working_module()
    one.process.send_signal(signal.SIGINT)
    wait_for(lambda: not alive(module), "the module's end", one.output)
    assert not Path(f"{one.marker}.done").exists()
    wait_for(lambda: leftovers(tmp_path) == [], "the host to be tidied up", one.output)


def test_the_death_of_ansible_playbook_ends_the_module(controller: Callable[..., Controller], tmp_path: Path) -> None:
    one = controller()
    module = one.working_module()
    one.process.kill()
    assert "was interrupted" in one.undone()
    wait_for(lambda: not alive(module), "the module's end", one.output)
    wait_for(lambda: leftovers(tmp_path) == [], "the host to be tidied up", one.output)


def test_the_death_of_the_whole_controller_ends_the_module(controller: Callable[..., Controller]) -> None:
    one = controller()
    module = one.working_module()
    workers = one.workers()
    assert workers
    for pid in [one.process.pid, *workers]:
        os.kill(pid, signal.SIGKILL)
    assert "no word from it for 3 seconds" in one.undone()
    wait_for(lambda: not alive(module), "the module's end", one.output)


def test_a_long_run_outlasts_its_lease(controller: Callable[..., Controller]) -> None:
    one = controller(tables={"posts": 4000}, pause=0.2)
    assert one.process.wait(timeout=60) == 0, one.output.read_text()
    assert Path(f"{one.marker}.done").exists()


def test_on_a_terminal_a_long_table_moves(controller: Callable[..., Controller]) -> None:
    one = controller(terminal=True, tables={"posts": 1000}, pause=0.8)
    text = one.terminal_output()
    assert one.process.wait(timeout=60) == 0, text
    assert "  load  posts  " in text and "s left" in text, text


def test_a_password_is_nowhere_to_be_seen(
    controller: Callable[..., Controller], secrets_guard: SecretsGuard, tmp_path: Path
) -> None:
    password = secrets_guard.add(awkward_password())
    one = controller(tables={"posts": 1000}, pause=0.3, password=password)
    module = one.working_module()
    commands = "".join(Path(path, "cmdline").read_text() for path in Path("/proc").glob("[1-9]*") if _same_user(path))
    secrets_guard.check(commands, "a process's arguments")
    seen = {path: path.lstat().st_mode & 0o077 for place in ("remote", "tmp") for path in (tmp_path / place).glob("*")}
    assert alive(module)
    mine = {path: mode for path, mode in seen.items() if path.name.startswith(("mcps-", "ansible-tmp-"))}
    assert len(mine) == 2, "the module's folder and the folder of what is said about it"
    assert set(mine.values()) == {0}, mine
    assert not (tmp_path / "async").exists()
    assert one.process.wait(timeout=60) == 0, one.output.read_text()
    secrets_guard.check(one.output.read_text(), "ansible-playbook -vvv")
    assert leftovers(tmp_path) == []


def _same_user(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.getuid()
    except OSError:
        return False
