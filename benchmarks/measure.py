# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One program run with its time taken and the memory of all its processes watched. Linux only (/proc)."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
#: Seconds between two looks at the resident memory; every fifth of them asks for shares, which costs the kernel more.
INTERVAL = 0.02
SHARES_EVERY = 5


@dataclass
class Memory:
    """Bytes that a program's processes held together at most.

    I(resident) counts a page once per process that has it, I(share) divides it by the number of its processes, as is
    right for workers that were forked.
    """

    resident: int = 0
    share: int = 0


@dataclass(frozen=True)
class Finished:
    """What a program came to; I(seconds) is from its start to its end, I(processor) what all its processes computed."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    processor: float
    memory: Memory


def measured(
    command: Sequence[str],
    *,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
) -> Finished:
    """Run I(command) with I(given) on its input. Raises subprocess.TimeoutExpired, after which nothing of it is left."""
    before = _computed()
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with _ended(process), _watched(process.pid) as memory:
        stdout, stderr = process.communicate(given, timeout)
        seconds = time.perf_counter() - began
    return Finished(process.returncode, stdout, stderr, seconds, _computed() - before, memory)


def _computed() -> float:
    """Processor seconds of all processes that this one has waited for, and those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """No process of the session survives, whatever happens."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[Memory]:
    """The peak of I(pid) and its descendants so far; final at the end."""
    memory = Memory()
    over = threading.Event()

    def watch() -> None:
        turn = 0
        while True:
            family = _family(pid)
            memory.resident = max(memory.resident, sum(map(_resident, family)))
            if turn % SHARES_EVERY == 0:
                memory.share = max(memory.share, sum(map(_share, family)))
            turn += 1
            if over.wait(INTERVAL):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def _family(pid: int) -> list[int]:
    """I(pid) and its descendants, from the kernel's own lists: a walk over all processes would cost milliseconds."""
    found = [pid]
    for one in found:  # grows meanwhile
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                found += map(int, Path(f"/proc/{one}/task/{task}/children").read_text(encoding="ascii").split())
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
