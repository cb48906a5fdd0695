# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that the tests talk to: the API, and a server of feeds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
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
        return [json.loads(line) for line in self.log.read_text().splitlines()]

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
    """Feeds of social platforms on this machine. I(items) holds each one's items, I(asked) what was asked for."""

    def __init__(self, items: Mapping[str, list[dict[str, Any]]]) -> None:
        self.items = {name: list(each) for name, each in items.items()}
        self.asked: list[tuple[str, str]] = []
        self.fail_after: dict[str, int] = {}
        self.pause = 0.0
        feeds = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlparse(self.path)
                query = parse_qs(url.query, keep_blank_values=True)
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
