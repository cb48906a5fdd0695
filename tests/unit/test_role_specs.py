# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs, defaults and README of every role say the same, and every variable carries its role's name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
NAMES = [role.name for role in ROLES]


def read(path: Path) -> dict[str, Any]:
    """A YAML file's mapping, empty where there is no file."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """Entry point -> its options."""
    specs = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: spec.get("options", {}) for name, spec in specs.items()}


def test_every_role_has_a_spec() -> None:
    folders = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
    assert folders == NAMES


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_defaults_are_those_of_the_spec(role: Path) -> None:
    stated = {}
    for options in entry_points(role).values():
        for name, option in options.items():
            if "default" in option:
                assert not option.get("required"), f"{name} is required and has a default"
                assert stated.setdefault(name, option["default"]) == option["default"], f"two defaults for {name}"
    assert read(role / "defaults" / "main.yml") == stated


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_entry_points_agree_on_what_they_share(role: Path) -> None:
    points = entry_points(role)
    for name, options in points.items():
        assert (role / "tasks" / f"{name}.yml").exists(), f"there is no entry point {name}"
        for option, spec in options.items():
            shared = points["main"].get(option, spec)
            assert {**spec, "required": None} == {**shared, "required": None}, option


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_variables_carry_the_roles_name(role: Path) -> None:
    for options in entry_points(role).values():
        assert [name for name in options if not name.startswith(f"{role.name}_")] == []
    for path in (role / "vars").glob("**/*.yml"):
        assert [name for name in read(path) if not name.startswith(f"__{role.name}_")] == [], path


def test_the_readmes_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "role-docs"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rate_reaches_the_load_and_the_verification() -> None:
    given = {}
    for step in ("load", "compare"):
        tasks = yaml.safe_load((ROOT / "roles" / "migration" / "tasks" / "steps" / f"{step}.yml").read_text("utf-8"))
        given.update({name: task[name]["max_rate"] for task in tasks for name in task if "max_rate" in str(task[name])})
    assert given == dict.fromkeys(
        ("mcps.postgres.sqlite_import", "mcps.postgres.migration_verify_info"), "{{ migration_max_rate or omit }}"
    )
