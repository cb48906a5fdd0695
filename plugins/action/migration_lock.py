# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module migration_lock who asks, and which holder is known here to be dead."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.mcps.postgres.plugins.module_utils._lock import rebooted, same_controller
from ansible_collections.mcps.postgres.plugins.plugin_utils._controller import lives, this_run


class ActionModule(ActionBase):
    """Runs the module; a second time, for just that holder, when the one in the way turns out to be dead."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        me = this_run(str(variables.get("inventory_hostname", "")))
        arguments = {**self._task.args, "run": me}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=variables)
        holder = result.get("holder")
        if result.get("failed") and holder and self._dead(holder, me):
            arguments["dead"] = holder["token"]
            result = self._execute_module(module_args=arguments, task_vars=variables)
        return result

    @staticmethod
    def _dead(holder: dict[str, Any], me: dict[str, str]) -> bool:
        return rebooted(holder, me) or (same_controller(holder, me) and not lives(holder))
