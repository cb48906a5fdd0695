# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests talk to: the API, a server of feeds, and a pooler of connections to PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx

PROJECT = Path(__file__).parents[1]
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for it. AssertionError with I(what) where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def environment(**settings: str) -> dict[str, str]:
    """A process's environment with these settings and no others."""
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    return {**own, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1", **settings}


class Api:
    """One running API. I(client) talks to it; I(lines) are what it has logged."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / f"api-{self.port}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "packages.api"],
                cwd=folder,
                env=environment(API_PORT=str(self.port), **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)
        self.wait_until_alive()

    def wait_until_alive(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/liveness").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    @property
    def lines(self) -> list[dict[str, Any]]:
        # The last may be half written.
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def event(self, name: str) -> dict[str, Any] | None:
        """The first line of the log with this event."""
        return next((line for line in self.lines if line["event"] == name), None)

    def figure(self, name: str) -> float:
        """A metric that has no labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    def pool(self) -> dict[str, int]:
        """The pool's figures, which are told whether the database answers or not."""
        figures: dict[str, int] = self.client.get("/health/db").json()["database"]["pool"]
        return figures

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running_api(folder: Path, **settings: str) -> Iterator[Api]:
    api = Api(folder, **settings)
    try:
        yield api
    finally:
        api.stop(signal.SIGKILL)


class Feeds:
    """Feeds of social platforms on this machine. I(items) holds each one's items, I(asked) what was asked for.

    No page comes before I(together) of them have been asked for at one time; I(most) says how many were.
    """

    def __init__(self, items: Mapping[str, list[dict[str, Any]]]) -> None:
        self.items = {name: list(each) for name, each in items.items()}
        self.asked: list[tuple[str, str]] = []
        self.fail_after: dict[str, int] = {}
        self.pause = 0.0
        self.together, self.most, self.open = 1, 0, 0
        self.turn = threading.Condition()
        feeds = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlparse(self.path)
                query = parse_qs(url.query, keep_blank_values=True)
                with feeds.one_of_many():
                    status, body = feeds.page(url.path.strip("/"), query["after"][0], int(query["limit"][0]))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def one_of_many(self) -> Iterator[None]:
        with self.turn:
            self.open += 1
            self.most = max(self.most, self.open)
            self.turn.notify_all()
            if not self.turn.wait_for(lambda: self.most >= self.together, timeout=PATIENCE / 3):
                # Once is enough: I(most) tells.
                self.together = 1
        try:
            yield
        finally:
            with self.turn:
                self.open -= 1

    def page(self, name: str, after: str, limit: int) -> tuple[int, dict[str, Any]]:
        self.asked.append((name, after))
        time.sleep(self.pause)
        items = self.items.get(name, [])
        ids = [item["id"] for item in items]
        begin = ids.index(after) + 1 if after in ids else 0
        if name in self.fail_after and begin >= self.fail_after[name]:
            return 500, {"error": "out of order"}
        chosen = items[begin : begin + limit]
        more = begin + limit < len(items)
        return 200, {"items": chosen, "next": chosen[-1]["id"] if more else None}


def posts(platform: str, count: int, begin: int = 0) -> list[dict[str, Any]]:
    """Items of a feed, the same at every call."""
    return [
        {
            "id": f"{platform}-{number}",
            "title": f"Post {number} of {platform}",
            "content": f"What {platform} says about servers, part {number}",
            "author": "ann",
            "url": f"https://{platform}.example/{number}",
            "published_at": f"2026-01-{number % 28 + 1:02d}T10:00:00+02:00",
            "hashtags": ["mcp", platform],
            "score": number,
        }
        for number in range(begin, begin + count)
    ]


class Pooler:
    """Lends connections to PostgreSQL for one transaction each, as PgBouncer does in transaction mode.

    It does not follow prepared statements. Whoever connects brings a connection along, by its own login; each
    transaction gets the one that was idle longest. I(names) are those of the statements that were prepared. No TLS, and
    no cancelling.
    """

    STARTUP, SSL, GSS = 196608, 80877103, 80877104

    def __init__(self, host: str, port: int) -> None:
        self.names: list[str] = []
        self.clients: list[socket.socket] = []
        self.idle: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        pooler = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server = socket.create_connection((host, port))
                for each in (self.request, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError, EOFError):
                    pooler.log_in(self.request, server)
                    pooler.idle.put(server)
                    pooler.clients.append(self.request)
                    pooler.lend(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def log_in(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            head = _exactly(client, 8)
            length, code = struct.unpack("!II", head)
            if code == self.STARTUP:
                break
            assert code in (self.SSL, self.GSS)
            client.sendall(b"N")
        server.sendall(head + _exactly(client, length - 8))
        message = b""
        while message[:1] != b"Z":
            message = _message(server)
            client.sendall(message)
            # Anything but "you are in" and the last word of SCRAM wants an answer.
            if message[:1] == b"R" and struct.unpack("!I", message[5:9])[0] not in (0, 12):
                server.sendall(_message(client))

    def lend(self, client: socket.socket) -> None:
        """One transaction after the other, until the client goes."""
        message = _message(client)
        while message[:1] != b"X":
            server = self.idle.get(timeout=PATIENCE)
            waiting, state = self.ask(server, message), b""
            while waiting or state != b"I":
                for ready in select.select([client, server], [], [])[0]:
                    message = _message(ready)
                    if ready is client:
                        waiting += self.ask(server, message)
                        continue
                    client.sendall(message)
                    if message[:1] == b"Z":
                        waiting, state = waiting - 1, message[5:]
            self.idle.put(server)
            message = _message(client)

    def ask(self, server: socket.socket, message: bytes) -> int:
        """Send it on; how many times the server will say that it is ready again."""
        server.sendall(message)
        if message[:1] == b"P":
            self.names.append(message[5:].split(b"\0")[0].decode())
        return int(message[:1] in (b"Q", b"S"))

    def close(self) -> None:
        """Nobody comes in any more, and whoever is in is put out."""
        self.server.shutdown()
        self.server.server_close()
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        while not self.idle.empty():
            self.idle.get().close()


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = source.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _message(source: socket.socket) -> bytes:
    """One message of PostgreSQL's protocol: its kind, its length without that, and what it says."""
    head = _exactly(source, 5)
    return head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)
