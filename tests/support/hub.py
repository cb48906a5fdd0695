# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference application's API, as its clients ask it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status, and the text."""

    status: int
    text: str

    @property
    def document(self) -> Any:
        """The text as JSON."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Hub:
    """An API that is running at I(url)."""

    url: str

    def ask(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """One request, whatever its status is; OSError where nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        target = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        request = urllib.request.Request(target, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def get(self, path: str, **query: Any) -> Any:
        """The document at I(path); AssertionError where the status is not 200."""
        answer = self.ask(path, **query)
        assert answer.status == 200, f"{path}: {answer.status} {answer.text}"
        return answer.document

    def total(self, kind: str, **query: Any) -> int:
        """How many records of I(kind) there are (servers, tools, posts)."""
        return int(self.get(f"/{kind}", limit=1, **query)["total"])

    def pool(self) -> dict[str, float]:
        """The pool's connections by state, from the metrics."""
        found = re.findall(r'mcps_db_pool_connections\{[^}]*state="(\w+)"[^}]*\} (\S+)', self.ask("/metrics").text)
        return {state: float(number) for state, number in found}
