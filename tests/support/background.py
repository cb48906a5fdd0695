# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in the background, to be looked at while it runs, and killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .ansible_runs import COLLECTIONS, ROOT, PlaybookRunner


class Background:
    """One running ansible-playbook, leader of a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Come back when I(condition) holds; AssertionError where the run ends or takes too long before that."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, f"it ended:\n{self.output}"
            assert time.monotonic() < deadline, f"it took too long:\n{self.output}"
            time.sleep(0.05)

    def kill_group(self) -> None:
        """SIGKILL for ansible-playbook and its process group. Modules at work have groups of their own."""
        os.killpg(self.pid, signal.SIGKILL)

    def kill_tree(self) -> None:
        """SIGKILL for ansible-playbook and everything that it has started."""
        for pid in [self.pid, *_descendants(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def output(self) -> str:
        """What was printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def ansible_in_background(
    playbook: str | Path | Sequence[Mapping[str, Any]], variables: Mapping[str, Any], folder: Path
) -> Iterator[Background]:
    """Run a playbook file (relative to the checkout) or plays on this machine; whatever is left is killed at the end."""
    folder.mkdir(parents=True)
    path = folder / "playbook.yml"
    if isinstance(playbook, (str, Path)):
        path = ROOT / playbook
    else:
        path.write_text(json.dumps(list(playbook)), encoding="utf-8")
    inventory = PlaybookRunner.local_inventory(["application"])
    (folder / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
    (folder / "variables.json").touch(mode=0o600)
    (folder / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ansible", "playbook", str(path)),
                *("-i", str(folder / "inventory.yml"), "-e", f"@{folder / 'variables.json'}"),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "ANSIBLE_HOME": str(folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    run = Background(process, log)
    try:
        yield run
    finally:
        run.kill_tree()
        process.wait()


def _descendants(parent: int) -> list[int]:
    """The processes below I(parent), from ps, which every system has."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found: list[int] = []
    waiting = [parent]
    while waiting:
        above = waiting.pop()
        below = [pid for pid, ppid in pairs if ppid == above]
        found += below
        waiting += below
    return found
