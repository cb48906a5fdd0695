# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mcps.postgres.migration_report; its documentation is in migration_report.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def migration_report(journal: Any, application: str, rollback_command: str, benchmark: Any = None) -> Mapping[str, Any]:
    """The report document of a journal, of a benchmark, or of both."""
    # Not before it is asked for: each task that uses any filter of the collection loads the files of all of them.
    from ansible_collections.mcps.postgres.plugins.plugin_utils._migration_report import report_of, report_of_benchmark

    if benchmark and not isinstance(benchmark, Mapping):
        raise AnsibleFilterError("migration_report needs a benchmark as playbooks/benchmark.yml keeps it.")
    if benchmark and not journal:
        return report_of_benchmark(benchmark, application)
    if not isinstance(journal, Mapping) or "phases" not in journal:
        raise AnsibleFilterError("migration_report needs a journal, as migration_journal_info returns it.")
    report = report_of(journal, application, rollback_command)
    if benchmark:
        report["benchmark"] = dict(benchmark)
    return report


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"migration_report": migration_report}
