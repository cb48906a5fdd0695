# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of client processes that do the same job at the same time.

They are started by the interpreter itself with a program on standard input: inside an Ansible module there is no file
that a process could be started from, and forking a process that holds database connections would share them.
"""

from __future__ import annotations

import inspect
import json
import os
import select
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional

from .._errors import MigrationError
from . import _driver
from ._figures import Figures, figures_of

#: All that stands on the command line.
BOOTSTRAP = (
    "import json, sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "request = json.loads(sys.stdin.buffer.readline().decode('utf-8')); names = {'__name__': 'mcps_postgres_client'}; "
    "exec(compile(request.pop('program'), '<mcps.postgres client>', 'exec'), names); names['main'](request)"
)
#: Beyond this many clients a process holds several of them, each in a thread: memory would be the limit.
MOST_PROCESSES = 64
#: Seconds that clients may take to start and to connect, and to end after their time.
PATIENCE = 60.0


@contextmanager
def client_processes(python: str, environment: Optional[Mapping[str, str]] = None) -> Iterator[Clients]:
    """Clients under the interpreter I(python), which end with the block. I(environment): by default this process's."""
    with tempfile.TemporaryFile() as errors:
        clients = Clients(python, os.environ if environment is None else environment, errors)
        try:
            yield clients
        finally:
            clients.end()


class Clients:
    """Client processes, started as they are needed."""

    def __init__(self, python: str, environment: Mapping[str, str], errors: IO[bytes]) -> None:
        self._python = python
        self._environment = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
        self._processes: List[_Process] = []
        self._errors = errors

    def end(self) -> None:
        """End all processes, whatever they do."""
        for process in self._processes:
            process.end()
        self._processes.clear()

    def run(self, job: Mapping[str, Any], clients: int) -> Figures:
        """Let I(clients) do the I(job) (see M(_driver)) for its V(seconds). MigrationError where a process fails."""
        wanted = min(clients, MOST_PROCESSES)
        while len(self._processes) < wanted:
            self._processes.append(_Process(self._python, self._environment, self._errors))
        busy = self._processes[:wanted]
        first = 0
        for number, process in enumerate(busy):
            share = clients // wanted + (1 if number < clients % wanted else 0)
            process.tell({**job, "first": first, "clients": share})
            first += share
        limit = float(job["limit"])
        try:
            deadline = time.monotonic() + PATIENCE + limit
            for process in busy:
                process.hear(deadline)
            for process in busy:
                process.tell("go")
            deadline = time.monotonic() + float(job["seconds"]) + limit + PATIENCE
            answers = [process.hear(deadline)["answer"] for process in busy]
        except MigrationError:
            # Others may be in the middle of anything: the next job gets new processes.
            self.end()
            raise
        return figures_of(answers, clients)


class _Process:
    def __init__(self, python: str, environment: Mapping[str, str], errors: IO[bytes]) -> None:
        self._errors = errors
        self._received = b""
        try:
            self._process = subprocess.Popen(
                [python, "-c", BOOTSTRAP],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
            )
        except OSError as error:
            raise MigrationError(
                f"A client of the benchmark cannot be started: {python}: {error.strerror}.",
                advice="Use fewer clients, or an interpreter that this user may run.",
            ) from error
        self.tell({"program": inspect.getsource(_driver)})

    def tell(self, message: Any) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            stream.write(json.dumps(message).encode("ascii") + b"\n")
            stream.flush()
        except OSError:
            raise self._gone("ended") from None

    def hear(self, deadline: float) -> Dict[str, Any]:
        """The next line of the process; MigrationError where it ends, fails, or says nothing before I(deadline)."""
        stream = self._process.stdout
        assert stream is not None
        while b"\n" not in self._received:
            patience = deadline - time.monotonic()
            if patience <= 0 or not select.select([stream], [], [], patience)[0]:
                raise self._gone("did not answer in time")
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                raise self._gone("ended")
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        document: Dict[str, Any] = json.loads(line)
        if "failure" in document:
            raise MigrationError(f"A client of the benchmark cannot work: {document['failure']}.")
        return document

    def end(self) -> None:
        """Closing its input ends a process that waits; one that works is killed."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                _close(stream)

    def _gone(self, how: str) -> MigrationError:
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace").strip()
        last = text.splitlines()[-1] if text else "it said nothing"
        return MigrationError(
            f"A client of the benchmark {how}: {last}.", advice="Use fewer clients, or see to the host's memory."
        )


def _close(stream: IO[bytes]) -> None:
    with suppress(OSError):  # what was not written yet has no reader any more
        stream.close()
