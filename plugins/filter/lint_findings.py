# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What squawk says of a migration's SQL, by revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.plugin_utils import _lint


def lint_findings(report: str, sql: str) -> list[dict[str, Any]]:
    """The findings that are about locks and clients; AnsibleFilterError for what squawk did not report."""
    try:
        return _lint.findings(str(report), str(sql))
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"lint_findings needs what squawk --reporter json printed: {error}") from error


def lint_parts(sql: str) -> dict[str, str]:
    """The SQL by revision."""
    return _lint.parts(str(sql))


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"lint_findings": lint_findings, "lint_parts": lint_parts}
