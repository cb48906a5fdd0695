# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's environment file: switched to new values, and put back."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import _dotenv
from .._argspec import Spec
from .._errors import MigrationError
from .._files import read_optional, remove_file, replace_file
from ._runner import Outcome, Task

NO_FILE = "# mcps.postgres: there was no file\n"


def argument_spec() -> Spec:
    return {
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
        "values": {"type": "dict", "no_log": True, "required": True},
        "absent": {"type": "list", "elements": "str", "default": []},
        "backup": {"type": "path"},
    }


def module_options() -> Dict[str, Any]:
    return {"required_if": [("state", "restored", ["backup"])]}


def manage(task: Task) -> Outcome:
    """Bring the file into the state that is wanted, or in check mode only say what that takes."""
    path, backup = task.params["path"], task.params["backup"]
    wanted = {str(key): _text(str(key), value) for key, value in task.params["values"].items()}
    absent: List[str] = task.params["absent"]
    _refuse_contradictions(path, wanted, absent)
    content = read_optional(path)
    now = None if content is None else _decoded(content)
    if task.params["state"] == "present":
        then: Optional[str] = _dotenv.edited(now or "", wanted, absent)
        then = now if then == (now or "") else then
    else:
        then = _restored(now, _saved(path, backup), wanted, absent)
    if then != now and not task.check_mode:
        try:
            if task.params["state"] == "present" and backup:
                _save(path, backup, content)
            if then is None:
                remove_file(path)
            else:
                replace_file(path, then.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise MigrationError(
                f"{path} could not be replaced: {error.strerror} ({error.filename}).",
                advice="The user that runs this task must own the file's folder, and the disk must have room.",
            ) from error
    return _outcome(task, now, then, [*wanted, *absent])


def _refuse_contradictions(path: str, wanted: Mapping[str, str], absent: Sequence[str]) -> None:
    both = sorted(set(wanted) & set(absent))
    if both:
        raise MigrationError(
            f"{', '.join(both)} shall be set and be absent in {path}.", advice="Name each key in one of the two."
        )
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise MigrationError(
            f"{path} cannot be written: {folder} is no folder.", advice="Create it, or correct the path."
        )


def _text(key: str, value: Any) -> str:
    """YAML's true, false and numbers as applications read them; a value that is no scalar is refused."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        raise MigrationError(
            f"The value for {key} is not a text, a number or a boolean.",
            advice="Give one value, and an empty text for an empty one.",
        )
    _dotenv.check(key, str(value))
    return str(value)


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _save(path: str, backup: str, content: Optional[bytes]) -> None:
    """Keep the file as it was before its first change; a copy that is there stays, so it is never a changed one."""
    if os.path.lexists(backup):
        return
    if content is None:
        replace_file(backup, NO_FILE.encode(), mode=0o600)
    else:
        replace_file(backup, content, mode=stat.S_IMODE(os.stat(path).st_mode) & 0o600)


def _saved(path: str, backup: str) -> str:
    content = read_optional(backup)
    if content is None:
        raise MigrationError(
            f"{path} cannot be restored: its copy {backup} is not there.",
            advice="Name the copy that state=present made, or edit the file by hand.",
        )
    return _decoded(content)


def _restored(now: Optional[str], saved: str, wanted: Mapping[str, str], absent: Sequence[str]) -> Optional[str]:
    """The old text; where others changed the file meanwhile, their text with only our keys as they were."""
    there_was_none = saved == NO_FILE
    old = "" if there_was_none else saved
    if now is None or now == _dotenv.edited(old, wanted, absent):
        return None if there_was_none else old
    before = _dotenv.values(old)
    ours = [*wanted, *absent]
    text = _dotenv.edited(
        now, {key: before[key] for key in ours if key in before}, [key for key in ours if key not in before]
    )
    return None if there_was_none and not text else text


def _outcome(task: Task, now: Optional[str], then: Optional[str], keys: Sequence[str]) -> Outcome:
    before, after = _dotenv.values(now or ""), _dotenv.values(then or "")
    path = task.params["path"]
    result: Dict[str, Any] = {
        "set": sorted(key for key in keys if key in after and before.get(key) != after[key]),
        "removed": sorted(key for key in keys if key in before and key not in after),
        "backup": task.params["backup"],
    }
    return Outcome(
        changed=then != now,
        result=result,
        before=_masked(keys, before, after, "old"),
        after=_masked(keys, after, before, "new"),
        before_header=path,
        after_header=path,
    )


def _masked(keys: Sequence[str], side: Mapping[str, str], other: Mapping[str, str], name: str) -> str:
    """One line per key that is there, telling whether its value is the other side's but never the value."""
    return "".join(f"{key}=({'kept' if other.get(key) == side[key] else name} value)\n" for key in keys if key in side)
