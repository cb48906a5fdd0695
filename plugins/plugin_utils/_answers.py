# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the answers of an application differ between two moments. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

#: How much of a value is shown.
SHOWN = 200
MISSING = "nothing"


def differences(
    before: Mapping[str, str], after: Mapping[str, str], requests: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """All of them in the order of I(requests), which name what may differ (I(ignore), regular expressions).

    Answers that are JSON on both sides are compared as documents: the order of keys and the spelling of numbers do not
    matter, and places are written as C(items.0.name). All others are compared as texts.
    """
    found = []
    for request in requests:
        name = request["name"]
        ignored = [re.compile(pattern) for pattern in request.get("ignore") or ()]
        for place, one, other in _compared(before.get(name), after.get(name), ignored):
            found.append({"name": name, "place": place, "before": _shown(one), "after": _shown(other)})
    return found


def _compared(
    before: str | None, after: str | None, ignored: Sequence[re.Pattern[str]]
) -> Iterator[tuple[str, Any, Any]]:
    if before is None or after is None:
        if before != after:
            yield "", MISSING if before is None else before, MISSING if after is None else after
        return
    try:
        # By their digits: 1.5e300 as a double is not the number that jsonb writes out in 301 of them.
        documents = json.loads(before, parse_float=Decimal), json.loads(after, parse_float=Decimal)
    except ValueError:
        texts = [before, after]
        for pattern in ignored:
            texts = [pattern.sub("", text) for text in texts]
        if texts[0] != texts[1]:
            yield "", *_around(texts[0], texts[1])
        return
    for place, one, other in _documents("", *documents):
        if not any(pattern.search(place) for pattern in ignored):
            yield place, one, other


def _documents(place: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _documents(_inner(place, key), one.get(key, MISSING), other.get(key, MISSING))
    elif isinstance(one, list) and isinstance(other, list):
        for number in range(max(len(one), len(other))):
            pair = [side[number] if number < len(side) else MISSING for side in (one, other)]
            yield from _documents(_inner(place, number), *pair)
    elif one != other or isinstance(one, bool) != isinstance(other, bool):
        yield place, one, other


def _inner(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _around(one: str, other: str) -> tuple[str, str]:
    """Both texts from a little before the first character that differs."""
    first = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(0, first - 20)
    return one[begin:], other[begin:]


def _shown(value: Any) -> str:
    plain = isinstance(value, (str, Decimal))
    text = str(value) if plain else json.dumps(value, ensure_ascii=False, default=float)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
