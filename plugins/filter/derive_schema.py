# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mcps.postgres.derive_schema; its documentation is in derive_schema.yml."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def derive_schema(
    found: Any,
    schema: str = "public",
    types: Mapping[str, str] | None = None,
    decisions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What to run, what to decide and what is different; AnsibleFilterError for what sqlite_schema_info did not return."""
    if not isinstance(found, Mapping) or not {"tables", "left_out", "views", "triggers"} <= set(found):
        raise AnsibleFilterError("derive_schema needs what mcps.postgres.sqlite_schema_info returned.")
    # Not before it is asked for: each task that uses any filter of the collection loads the files of all of them.
    from ansible_collections.mcps.postgres.plugins.plugin_utils import _derive

    # Ansible's own dictionaries and lists are made on demand, and cannot be copied as plain ones can.
    plain = json.loads(json.dumps([found, types or {}, decisions or {}]))
    return _derive.derive(plain[0], str(schema), plain[1], plain[2])


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"derive_schema": derive_schema}
