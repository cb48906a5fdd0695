# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two rounds of an application's answers, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.mcps.postgres.plugins.plugin_utils import _answers


def answer_differences(
    before: Mapping[str, str], after: Mapping[str, str], requests: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Where I(after) differs from I(before), both answers by the name of their request: name, place, before, after."""
    # Ansible's own texts and lists are made on demand.
    plain = json.loads(json.dumps([before, after, [dict(request) for request in requests]]))
    return _answers.differences(*plain)


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"answer_differences": answer_differences}
