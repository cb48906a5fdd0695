# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run of ansible-playbook this is, and whether another one on this machine still lives."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DEAD_STATES = ("Z", "X", "x")


def this_run(inventory_host: str) -> dict[str, str]:
    """The facts of M(_lock.FACTS) for the ansible-playbook process above this worker."""
    process = os.getppid()
    return {
        "controller": socket.gethostname(),
        "machine": _text("/etc/machine-id"),
        "boot": _text("/proc/sys/kernel/random/boot_id") or _asked("sysctl", "-n", "kern.boottime"),
        "namespace": _link("/proc/self/ns/pid"),
        "pid": str(process),
        "started": start_of(process),
        "inventory_host": inventory_host,
        "user": getpass.getuser(),
    }


def lives(holder: Mapping[str, Any]) -> bool:
    """Whether the holder's process, one of this machine, is still there; a doubt counts as yes."""
    process = int(holder["pid"])
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's, which is all that this tells
    if _state_of(process) in _DEAD_STATES:
        return False
    started = start_of(process)
    return not started or not holder.get("started") or started == holder["started"]


def start_of(process: int) -> str:
    """When a process started, in whatever form the system has; the same for as long as it lives."""
    fields = _stat_fields(process)
    return fields[19] if len(fields) > 19 else _asked("ps", "-o", "lstart=", "-p", str(process))


def _state_of(process: int) -> str:
    fields = _stat_fields(process)
    return fields[0] if fields else _asked("ps", "-o", "state=", "-p", str(process))[:1]


def _stat_fields(process: int) -> list[str]:
    """The fields behind the command name, which may itself hold blanks and brackets (proc_pid_stat(5))."""
    return _text(f"/proc/{process}/stat").rpartition(")")[2].split()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _asked(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
