# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's interpreter, waiting for requests with its Alembic imported."""

from __future__ import annotations

import contextlib
import inspect
import json
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from typing import IO, Any, List, Mapping

from .._errors import ApplicationError
from . import _driver

#: All that stands on the command line: the program and its requests come on standard input.
BOOTSTRAP = (
    "import json, sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "first = json.loads(sys.stdin.buffer.readline().decode('utf-8')); names = {'__name__': 'mcps_postgres_driver'}; "
    "exec(compile(first['program'], '<mcps.postgres>', 'exec'), names); names['serve'](first['imports'])"
)


@dataclass(frozen=True)
class Reply:
    """How the process of a request ended (as C(subprocess) counts it), and what it wrote to its two streams."""

    status: int
    output: str
    errors: str


class Interpreter:
    """One process of the application's interpreter, which forks for each request (see C(_driver.serve)).

    Importing Alembic and SQLAlchemy takes longer than most requests do. ApplicationError where it cannot be started.
    """

    def __init__(self, python: str, folder: str, environment: Mapping[str, str], imports: List[str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _end)
        try:
            self._process = subprocess.Popen(
                [python, "-c", BOOTSTRAP],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                cwd=folder,
                env=dict(environment),
            )
        except OSError as error:
            self._errors.close()
            raise ApplicationError(
                f"{python} cannot be started: {error.strerror}.",
                advice="Set python to the interpreter of the application's virtual environment.",
            ) from error
        weakref.finalize(self, _end, self._process, self._errors)
        self._first = {"program": inspect.getsource(_driver), "imports": imports}

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """Carry out one request."""
        try:
            line = self._exchange([*([self._first] if self._first else []), request])
        except BaseException:
            self._process.terminate()
            raise
        self._first = {}
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            return Reply(status, "", self._errors.read().decode("utf-8", "replace"))
        return Reply(**json.loads(line))

    def _exchange(self, messages: List[Mapping[str, Any]]) -> bytes:
        """The line that comes back; empty where the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            for message in messages:
                self._process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return b""
        return self._process.stdout.readline()


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    for stream in (process.stdin, process.stdout, errors):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.wait()
