# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment file is switched and put back: check, apply, check, apply."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.ansible_runs import ModuleRunner
from support.secrets_guard import awkward_password

BEFORE = "# MCPS\nexport DATABASE_URL=sqlite:///a.db\nDATABASE_PATH='data/a.db'\nDB_ECHO=false\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(BEFORE, encoding="utf-8")
    path.chmod(0o640)
    return path


def wanted(file: Path, **other: Any) -> dict[str, Any]:
    return {
        "path": str(file),
        "values": {"DATABASE_URL": "postgresql://h/geheim-1", "USE_SQLITE": False, "DB_POOL_SIZE": 20},
        "absent": ["DATABASE_PATH"],
        "backup": str(file.parent / "backup"),
        **other,
    }


AFTER = "# MCPS\nexport DATABASE_URL=postgresql://h/geheim-1\nDB_ECHO=false\nUSE_SQLITE=false\nDB_POOL_SIZE=20\n"


def without_invocation(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "invocation"}


def test_check_apply_check_apply_and_back(run_module: ModuleRunner, file: Path) -> None:
    backup = file.parent / "backup"
    arguments = wanted(file)
    planned = run_module("environment_file", arguments, check=True, diff=True, secrets=["geheim-1"])
    assert file.read_text(encoding="utf-8") == BEFORE
    assert not backup.exists()
    done = run_module("environment_file", arguments, diff=True)
    assert without_invocation(done) == without_invocation(planned)
    assert (done["changed"], done["set"], done["removed"]) == (
        True,
        ["DATABASE_URL", "DB_POOL_SIZE", "USE_SQLITE"],
        ["DATABASE_PATH"],
    )
    assert "DATABASE_URL=(old value)" in done["diff"]["before"]
    assert "DATABASE_URL=(new value)" in done["diff"]["after"]
    assert file.read_text(encoding="utf-8") == AFTER
    assert file.stat().st_mode & 0o777 == 0o640
    assert backup.read_text(encoding="utf-8") == BEFORE
    assert backup.stat().st_mode & 0o777 == 0o600
    for check in (True, False):
        assert not run_module("environment_file", arguments, check=check)["changed"]

    back = wanted(file, state="restored")
    assert run_module("environment_file", back, check=True)["changed"]
    assert file.read_text(encoding="utf-8") == AFTER
    restored = run_module("environment_file", back)
    assert (restored["changed"], restored["removed"]) == (True, ["DB_POOL_SIZE", "USE_SQLITE"])
    assert file.read_text(encoding="utf-8") == BEFORE
    for check in (True, False):
        assert not run_module("environment_file", back, check=check)["changed"]


def test_what_others_changed_in_the_meantime_stays(run_module: ModuleRunner, file: Path) -> None:
    run_module("environment_file", wanted(file))
    file.write_text(file.read_text(encoding="utf-8").replace("DB_ECHO=false", "DB_ECHO=true"), encoding="utf-8")
    run_module("environment_file", wanted(file, state="restored"))
    assert file.read_text(encoding="utf-8") == (
        "# MCPS\nexport DATABASE_URL=sqlite:///a.db\nDB_ECHO=true\nDATABASE_PATH=data/a.db\n"
    )


def test_a_copy_is_never_replaced_by_a_changed_file(run_module: ModuleRunner, file: Path) -> None:
    run_module("environment_file", wanted(file))
    run_module("environment_file", wanted(file, values={"DATABASE_URL": "postgresql://other/d"}))
    assert (file.parent / "backup").read_text(encoding="utf-8") == BEFORE


def test_a_file_that_was_not_there_is_gone_again(run_module: ModuleRunner, tmp_path: Path) -> None:
    file = tmp_path / "new"
    assert run_module("environment_file", wanted(file))["changed"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert run_module("environment_file", wanted(file, state="restored"))["changed"]
    assert not file.exists()
    assert not run_module("environment_file", wanted(file, state="restored"))["changed"]


def test_owner_and_link_are_kept(run_module: ModuleRunner, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file.name)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    owner = (file.stat().st_uid, file.stat().st_gid)
    run_module("environment_file", wanted(file, path=str(link)))
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8") == AFTER
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_a_strict_file_has_a_strict_copy(run_module: ModuleRunner, file: Path) -> None:
    file.chmod(0o400)
    run_module("environment_file", wanted(file))
    assert (file.parent / "backup").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"values": {"A": "x\ny"}}, "line break"),
        ({"values": {"A": ["12345"]}}, "not a text"),
        ({"values": {"A": None}}, "not a text"),
        ({"absent": ["DB_POOL_SIZE"]}, "DB_POOL_SIZE"),
        ({"path": "/nonexistent/folder/.env"}, "no folder"),
        ({"state": "restored"}, "backup"),
    ],
)
def test_refused_and_untouched(run_module: ModuleRunner, file: Path, other: dict[str, Any], word: str) -> None:
    for check in (True, False):
        result = run_module("environment_file", wanted(file, **other), check=check)
        assert result["failed"]
        assert word in result["msg"]
    assert file.read_text(encoding="utf-8") == BEFORE


def test_no_value_is_ever_shown(run_module: ModuleRunner, file: Path) -> None:
    """The fixture looks for the secret in everything that is printed."""
    old, new = awkward_password(), awkward_password()
    file.write_text(f"PASSWORD={old!r}\nOTHER=1\n", encoding="utf-8")
    result = run_module("environment_file", wanted(file, values={"PASSWORD": new}), diff=True, secrets=[old, new])
    assert result["set"] == ["PASSWORD"]
    run_module("environment_file", wanted(file, values={"PASSWORD": f"{new}\n"}), diff=True)
