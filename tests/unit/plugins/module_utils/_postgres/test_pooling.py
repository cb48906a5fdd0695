# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a connection is a session of its own is found out by the processes that stand behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._postgres import _session


class FakeSession:
    """Announces one process, and has those of I(real) behind it, the last of them for good."""

    def __init__(self, announced: int, real: list[int]) -> None:
        self.announced_process = announced
        self._real = real

    def value(self, statement: str) -> int:
        return self._real.pop(0) if len(self._real) > 1 else self._real[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass


@pytest.mark.parametrize(
    ("announced", "real", "second", "expected"),
    [
        (10, [10], [11], "none"),
        (-9, [10], [11], "session"),
        (-9, [10], [10], "transaction"),  # what the first has given back is lent to the second
        (-9, [10, 12], [11], "transaction"),  # somebody else took it in between
        (-9, [10, 10, 10, 12], [11], "transaction"),
    ],
)
def test_pooling(
    monkeypatch: pytest.MonkeyPatch, announced: int, real: list[int], second: list[int], expected: str
) -> None:
    def visit(params: Any, purpose: str = "") -> FakeSession:
        assert announced < 0, "a direct connection needs no second one"
        return FakeSession(-7, list(second))

    monkeypatch.setattr(_session, "visit", visit)
    assert _session.pooling(FakeSession(announced, list(real)), {}) == expected  # type: ignore[arg-type]
