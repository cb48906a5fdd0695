# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of application_probe in, what the application's process did out."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from typing import IO, Any, Callable, Iterator, List, Mapping, Optional, Tuple

from .._application import is_secret, passes, plain_values, text
from .._argspec import Spec
from .._errors import ApplicationError
from .._masking import Mask
from ._runner import Outcome, Task

__all__ = ["argument_spec", "plain_values", "probe"]

#: What stands for the free port that the process gets.
PORT = "{port}"
#: Seconds between two questions, and that one may take.
PAUSE, PATIENCE = 0.25, 10.0
#: How much of what was printed, or answered, is shown, from its end.
SHOWN = 4000
PR_SET_PDEATHSIG = 1


def argument_spec() -> Spec:
    """What application_probe takes."""
    return {
        "command": {"type": "list", "elements": "str", "required": True},
        "chdir": {"type": "path"},
        "environment": {"type": "dict", "default": {}, "no_log": True},
        "url": {"type": "str"},
        "match": {"type": "str", "default": ""},
        "ca_cert": {"type": "path"},
        "timeout": {"type": "float", "default": 60.0},
        "stop_timeout": {"type": "float", "default": 30.0},
    }


def probe(task: Task) -> Outcome:
    """Start the process, wait for the right answer, stop it. Changes nothing but what the process does."""
    if task.check_mode:
        return Outcome(result={"probed": False})
    return _Probe(task.params).run()


class _Probe:
    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        port = str(_free_port())
        own = {name: text(value).replace(PORT, port) for name, value in params["environment"].items()}
        self.environment = {**{name: value for name, value in os.environ.items() if passes(name)}, **own}
        self.command: List[str] = [word.replace(PORT, port) for word in params["command"]]
        self.url = (params["url"] or "").replace(PORT, port)
        self.mask = Mask([value for name, value in own.items() if is_secret(name, value)])
        self.begun = time.monotonic()

    def run(self) -> Outcome:
        with tempfile.TemporaryFile() as output, self._process(output) as process:
            answer = self._served(process, output) if self.url else self._ended(process, output)
            return Outcome(
                result={
                    "probed": True,
                    "answer": self.mask(answer)[-SHOWN:],
                    "seconds": round(time.monotonic() - self.begun, 3),
                    "output": self._printed(output),
                }
            )

    @contextmanager
    def _process(self, output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        try:
            process = subprocess.Popen(
                self.command,
                cwd=self.params["chdir"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        except OSError as error:
            raise ApplicationError(
                f"{self.command[0]} cannot be started: {error.strerror}.",
                advice="Name the program with its whole path, and a chdir that is there.",
            ) from error
        try:
            yield process
        finally:
            self._stop(process)

    def _served(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
        """The first right answer of the page."""
        last = "nothing"
        while time.monotonic() - self.begun < self.params["timeout"]:
            if process.poll() is not None:
                raise self._failed(f"ended with exit status {process.returncode} before it answered", output)
            status, last = self._ask()
            if status == 200 and re.search(self.params["match"], last):
                return last
            time.sleep(PAUSE)
        raise self._failed(
            f"gave no right answer within {self.params['timeout']:g} seconds; the last was: {last[-400:]}", output
        )

    def _ask(self) -> Tuple[int, str]:
        context = ssl.create_default_context(cafile=self.params["ca_cert"]) if self.url.startswith("https") else None
        try:
            with urllib.request.urlopen(self.url, timeout=PATIENCE, context=context) as page:
                return page.status, page.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, f"HTTP status {error.code}: " + error.read().decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            return 0, str(error)

    def _ended(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
        """What a process that ends by itself has printed."""
        try:
            status = process.wait(self.params["timeout"])
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {self.params['timeout']:g} seconds", output) from None
        if status != 0:
            raise self._failed(f"ended with exit status {status}", output)
        output.seek(0)
        printed = output.read().decode("utf-8", "replace")
        if not re.search(self.params["match"], printed):
            raise self._failed(f"printed nothing that matches {self.params['match']}", output)
        return printed

    def _failed(self, what: str, output: IO[bytes]) -> ApplicationError:
        printed = self._printed(output)
        last = " ".join(printed[-600:].split())
        return ApplicationError(
            self.mask(f"{' '.join(self.command)} {what}.") + (f" It printed: {last}" if last else ""),
            advice="Give it the settings that it needs (environment), and see output.",
            details={"output": printed},
        )

    def _printed(self, output: IO[bytes]) -> str:
        output.seek(0)
        return self.mask(output.read().decode("utf-8", "replace"))[-SHOWN:].strip()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """The process and whatever it has started: kindly first."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.params["stop_timeout"])
                if how is signal.SIGKILL or not _group_is_there(process.pid):
                    return


def _group_is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _end_with_parent() -> Optional[Callable[[], None]]:
    """On Linux: what lets the child end when this module is killed."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return None

    def tell() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return tell
