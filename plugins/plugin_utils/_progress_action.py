# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of every long module: runs it in the background on its host and says how far it is.

The result is the module's own. What the two ends tell one another is in two files, see docs/progress.md.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ._progress_lines import Lines

display = Display()

# Workers have no terminal of their own; this module is first imported by ansible-playbook itself.
ON_TERMINAL = os.isatty(1)

TIME_LIMIT = 30 * 24 * 3600
LEASE_SECONDS = 120.0
LINE_SECONDS = 5.0
QUIET_SECONDS = 30.0
FIRST_LOOK, LONGEST_PAUSE = 0.2, 2.0
ASK_SECONDS = 30.0
LOOKS_WITHOUT_LIFE = 3
STOP_SECONDS = 5
JOB_MARK, GONE_MARK = "mcps-job:", "mcps-gone"


class Interrupted(BaseException):
    """Ctrl-C, a SIGTERM, or the death of ansible-playbook: the remote job ends too. Nobody may catch it on the way."""


class WatchedActionModule(ActionBase):
    """Base of the action plugins that are named after long modules with a O(progress_file) argument."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name; watched, unless the task is a check, asynchronous, or wants no progress."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        wish = self._wish(variables)
        if self._task.check_mode or self._task.async_val or self._connection.has_native_async or wish == "never":
            return self._run_plainly(variables)
        if (
            self._is_become_unprivileged()
            and self._low_level_execute_command("command -v setfacl", sudoable=False)["rc"]
        ):
            # A background job needs files that one ordinary user hands to another; a pipelined module does not.
            display.v(f"{self._task.action} shows no progress: the host has no setfacl (install its package acl).")
            return self._run_plainly(variables)
        quiet = wish == "auto" and not ON_TERMINAL
        line_seconds = self._number(variables, "mcps_progress_interval", QUIET_SECONDS if quiet else LINE_SECONDS)
        lease_seconds = self._number(variables, "mcps_progress_lease", LEASE_SECONDS)
        several = len(variables.get("ansible_play_hosts_all") or []) > 1
        label = f"{variables.get('inventory_hostname')}  " if several else ""
        with _interruptible():
            job = _Job(self, variables, self._task.args.get("progress_file"), lease_seconds)
            try:
                return job.watch(Lines(line_seconds, time.monotonic(), label))
            finally:
                job.leave()

    def _run_plainly(self, variables: dict[str, Any]) -> dict[str, Any]:
        path = self._task.args.get("progress_file")
        if path and not self._task.check_mode:
            self._low_level_execute_command(f"rm -f {shlex.quote(path + '.lease')}")
        wrap_async = bool(self._task.async_val and not self._connection.has_native_async)
        return self._execute_module(task_vars=variables, wrap_async=wrap_async)

    def _wish(self, variables: dict[str, Any]) -> str:
        value = variables.get("mcps_progress", os.environ.get("MCPS_PROGRESS", "auto"))
        wish = str(self._templar.template(value))
        if wish not in ("auto", "always", "never"):
            raise AnsibleActionFail(f"mcps_progress is '{wish}', it has to be one of auto, always, never.")
        return wish

    def _number(self, variables: dict[str, Any], name: str, default: float) -> float:
        value = self._templar.template(variables.get(name, default))
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = 0.0
        if number <= 0:
            raise AnsibleActionFail(f"{name} is '{value}', it has to be a number of seconds above zero.")
        return number


@dataclass
class _Look:
    """What one look at the host showed: the result file's checksum, the module's status, and whether it still lives."""

    state: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    alive: bool = True


class _Job:
    """One run of the module in the background, with a private folder on its host for what is said about it."""

    def __init__(
        self, action: WatchedActionModule, variables: dict[str, Any], progress_file: str | None, lease_seconds: float
    ) -> None:
        self._action = action
        self._variables = variables
        self._lease_seconds = lease_seconds
        self._parent = os.getppid()
        self._running = False
        self._folder = self._make_folder()
        self._chosen = not progress_file
        self._status_file = progress_file or f"{self._folder}/status.json"
        self._lease_file = self._status_file + ".lease"
        self._job_file = ""
        self._module_folder = ""

    def watch(self, lines: Lines) -> dict[str, Any]:
        """Start the module, show its progress, return its result."""
        started = self._start()
        identity = str(started.get("ansible_job_id") or "")
        if started.get("failed") or not identity:
            return {**started, "changed": False}
        self._running = True
        self._job_file = f"{self._folder}/{identity}"
        look, pause, asked, lifeless = _Look(state="unknown"), FIRST_LOOK, 0.0, 0
        while True:
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)
            before, look = look, self._look(look)
            self._show(lines, look)
            lifeless = 0 if look.alive else lifeless + 1
            if look.state == before.state and look.alive and time.monotonic() - asked < ASK_SECONDS:
                continue
            asked = time.monotonic()
            result = self._result(identity)
            if result is None and lifeless < LOOKS_WITHOUT_LIFE:
                continue
            self._running = False
            self._show(lines, self._look(look))
            return result or {"failed": True, "changed": False, "msg": self._died()}

    def leave(self) -> None:
        """End the module if it still runs, and leave nothing behind but a progress file that the task asked for."""
        commands = []
        if self._running:
            status = shlex.quote(self._status_file)
            commands.append(
                f"printf 0 > {self._quoted_lease}; "
                f"pid=$(sed -n 's/.*\"pid\": \\([0-9][0-9]*\\).*/\\1/p' {status} 2>/dev/null); i=0; "
                f'while [ -n "$pid" ] && [ $i -lt {STOP_SECONDS} ] && kill -0 "$pid" 2>/dev/null; '
                'do sleep 1; i=$((i+1)); done; [ -z "$pid" ] || kill "$pid" 2>/dev/null'
            )
        else:
            commands.append(f"rm -f {self._quoted_lease}")
        # Ansible's wrapper may write the ended module's result into the folder while it is being removed.
        commands.append(
            f"i=0; until rm -rf {shlex.quote(self._folder)} 2>/dev/null || [ $i -ge {STOP_SECONDS} ]; "
            "do sleep 1; i=$((i+1)); done"
        )
        try:
            self._action._low_level_execute_command("; ".join(commands))
            if self._module_folder and not constants.DEFAULT_KEEP_REMOTE_FILES:
                # Ansible's wrapper does the same, some seconds later and not after a failed start; it holds passwords.
                remove = self._action._connection._shell.remove(self._module_folder, recurse=True)
                self._action._low_level_execute_command(remove, sudoable=False)
        except AnsibleConnectionFailure:
            pass  # the lease ends it

    @property
    def _quoted_lease(self) -> str:
        return shlex.quote(self._lease_file)

    def _make_folder(self) -> str:
        made = self._action._low_level_execute_command('umask 077 && mktemp -d "${TMPDIR:-/tmp}/mcps-XXXXXXXXXX"')
        folder = made["stdout"].strip().splitlines()[-1] if made["rc"] == 0 and made["stdout"].strip() else ""
        if not folder.startswith("/"):
            raise AnsibleActionFail(
                f"No temporary folder could be made on the host ({made['stderr'].strip() or made['stdout'].strip()}). "
                "Make room in its temporary directory, or set mcps_progress to never."
            )
        return str(folder)

    def _start(self) -> dict[str, Any]:
        action, task = self._action, self._action._task
        shell = action._connection._shell
        action._low_level_execute_command(
            f"umask 077; rm -f {shlex.quote(self._status_file)}; printf %s {self._lease_seconds:g} > {self._quoted_lease}"
        )
        self._module_folder = shell.tmpdir or action._make_tmp_path()
        usual = action.get_shell_option("async_dir", default="~/.ansible_async")
        # The usual folder of results is readable for everyone on the host; a result may quote rows.
        shell.set_option("async_dir", self._folder)
        task.async_val = TIME_LIMIT
        try:
            arguments = {**task.args, "progress_file": self._status_file}
            return action._execute_module(module_args=arguments, task_vars=self._variables, wrap_async=True)
        finally:
            task.async_val = 0
            shell.set_option("async_dir", usual)

    def _look(self, former: _Look) -> _Look:
        """Renew the lease and see how far the job is.

        A connection that fails is tried again for as long as the lease lasts.
        """
        job, status = shlex.quote(self._job_file), shlex.quote(self._status_file)
        pid = int(former.status.get("pid") or 0)
        command = (
            f"touch {self._quoted_lease}; {f'kill -0 {pid} 2>/dev/null || echo {GONE_MARK}; ' if pid else ''}"
            f"echo {JOB_MARK} $(cksum < {job} 2>/dev/null); cat {status} 2>/dev/null"
        )
        deadline = time.monotonic() + self._lease_seconds
        while True:
            if os.getppid() != self._parent:
                raise Interrupted("ansible-playbook is gone")
            try:
                return _parse(self._action._low_level_execute_command(command)["stdout_lines"])
            except AnsibleConnectionFailure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LONGEST_PAUSE)

    def _show(self, lines: Lines, look: _Look) -> None:
        if look.status and not self._action._task.no_log:
            for line in lines.due(look.status, time.monotonic()):
                display.display(line)

    def _died(self) -> str:
        return (
            f"{self._action._task.action} ended without a result on its host; it was probably killed. "
            "Look for the out-of-memory killer in the host's log, then run the same playbook again."
        )

    def _result(self, identity: str) -> dict[str, Any] | None:
        """The module's result, None as long as it runs."""
        result: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.async_status",
            module_args={"jid": identity, "mode": "status", "_async_dir": self._folder},
            task_vars=self._variables,
        )
        if not result.get("finished"):
            return None
        for name in ("ansible_job_id", "started", "finished", "results_file"):
            result.pop(name, None)
        if not result.get("failed"):
            result.pop("stderr", None)
            result.pop("stderr_lines", None)
        elif "invocation" not in result and "data" in result and "cmd" in result:
            result["msg"] = self._died()
        arguments = (result.get("invocation") or {}).get("module_args")
        if self._chosen and arguments:
            arguments["progress_file"] = None
        return result


def _parse(lines: list[str]) -> _Look:
    look = _Look()
    for line in lines:
        if line.startswith(JOB_MARK):
            look.state = line[len(JOB_MARK) :].strip()
        elif line.startswith(GONE_MARK):
            look.alive = False
        elif line.startswith("{"):
            try:
                look.status = json.loads(line)
            except ValueError:
                look.status = {}
    return look


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals raise Interrupted here, where Ansible's worker would die without a word to the host.

    Only the first one counts: what follows (Ansible repeats itself) must not disturb the ending of the remote job.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(signal.strsignal(number))

    former = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)
