# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mcps.postgres.migration_report; its documentation is in migration_report.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.plugin_utils._migration_report import report_of


def migration_report(journal: Any, application: str, rollback_command: str) -> Mapping[str, Any]:
    """The report document of a journal."""
    if not isinstance(journal, Mapping) or "phases" not in journal:
        raise AnsibleFilterError("migration_report needs a journal, as migration_journal_info returns it.")
    return report_of(journal, application, rollback_command)


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"migration_report": migration_report}
