# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mcps.postgres.report_html; its documentation is in report_html.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def report_html(document: Any) -> str:
    """The page of a report document (a dictionary); AnsibleFilterError for anything else."""
    # Not before it is asked for: each task that uses any filter of the collection loads the files of all of them.
    from ansible_collections.mcps.postgres.plugins.plugin_utils._report import render

    if not isinstance(document, Mapping):
        raise AnsibleFilterError(f"report_html needs a report document (a dictionary), not {type(document).__name__}.")
    return render(document)


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"report_html": report_html}
