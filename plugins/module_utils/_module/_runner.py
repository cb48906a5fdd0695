# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way from an Ansible task to the layers below and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Optional

from ansible.module_utils.basic import AnsibleModule

from .._errors import MigrationError


@dataclass
class Outcome:
    """What a module has to say: V(changed), its own result fields, and before/after for C(--diff)."""

    changed: bool = False
    result: Dict[str, Any] = field(default_factory=dict)
    before: Any = None
    after: Any = None
    before_header: str = ""
    after_header: str = ""
    prepared: str = ""
    warnings: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """A task's arguments and mode, all that the layers below are told of Ansible."""

    params: Dict[str, Any]
    check_mode: bool
    want_diff: bool


def run_module(
    argument_spec: Dict[str, Any],
    action: Callable[[Task], Outcome],
    *,
    supports_check_mode: bool = True,
    plain_values: Optional[Callable[[Dict[str, Any]], Iterable[str]]] = None,
    **module_options: Any,
) -> None:
    """Read the arguments, run I(action), leave with its outcome; a MigrationError becomes a failed task.

    I(plain_values) picks from the arguments what is no secret although it is part of a no_log dictionary: Ansible would
    take a V(1) or a V(production) out of every text of the result. I(module_options) are AnsibleModule's own
    (required_if, mutually_exclusive ...).
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=supports_check_mode, **module_options)
    if plain_values is not None:
        module.no_log_values.difference_update(plain_values(module.params))
    task = Task(params=module.params, check_mode=module.check_mode, want_diff=bool(module._diff))
    try:
        outcome = action(task)
    except MigrationError as error:
        module.fail_json(msg=str(error), error=type(error).__name__, advice=error.advice, **_reported(error.details))
        return
    for warning in outcome.warnings:
        module.warn(warning)
    document: Dict[str, Any] = {"changed": outcome.changed, **outcome.result}
    difference = _difference(outcome) if task.want_diff else None
    if difference:
        document["diff"] = difference
    module.exit_json(**document)


def _reported(details: Dict[str, Any]) -> Dict[str, Any]:
    """Details as result fields, none of which may shadow Ansible's own."""
    return {key: value for key, value in details.items() if key not in ("msg", "failed", "changed", "error", "advice")}


def _difference(outcome: Outcome) -> Optional[Dict[str, Any]]:
    if outcome.prepared:
        return {"prepared": outcome.prepared}
    if outcome.before is None and outcome.after is None:
        return None
    difference = {"before": outcome.before, "after": outcome.after}
    if outcome.before_header:
        difference["before_header"] = outcome.before_header
    if outcome.after_header:
        difference["after_header"] = outcome.after_header
    return difference
