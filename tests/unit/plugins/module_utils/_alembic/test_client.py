# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's process is given, and what is read from its answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils import _application
from ansible_collections.mcps.postgres.plugins.module_utils._alembic import _client, _process

PASSWORD = "s3cr%t@:/ '\""


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "alembic.ini").touch()
    return {
        "project_dir": str(tmp_path),
        "config_file": "alembic.ini",
        "python": sys.executable,
        "driver": "asyncpg",
        "url_variable": "APP_URL",
        "environment": {"DEBUG": True, "WORKERS": 4, "NOTHING": None, "API_TOKEN": "geheim", "PGSSLMODE": "disable"},
        "login_host": "db.example.com",
        "login_port": 5432,
        "login_user": "mcps",
        "login_password": PASSWORD,
        "login_db": "mcps",
        "ca_cert": "/ca.pem",
        "target_schema": "public",
    }


def test_the_environment_is_small_and_says_where_the_database_is(params: dict[str, Any]) -> None:
    inherited = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PGOPTIONS": "-c x=y",
        "DATABASE_URL": "old",
        "PYTHONPATH": "/x",
        "APP_URL": "old",
    }
    project = _client.project_from_params(params, inherited)
    url = "postgresql+asyncpg://mcps:s3cr%25t%40%3A%2F%20%27%22@db.example.com:5432/mcps"
    assert project.url == url
    assert project.environment == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PGOPTIONS": "-c x=y",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "DEBUG": "true",
        "WORKERS": "4",
        "NOTHING": "",
        "API_TOKEN": "geheim",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.pem",
        "APP_URL": url,
    }
    assert project.secrets == ("geheim", PASSWORD)
    assert "s3cr" not in repr(project) and "geheim" not in repr(project)


def test_an_inherited_password_is_a_secret_too(params: dict[str, Any]) -> None:
    assert "inherited" in _client.project_from_params(params, {"PGPASSWORD": "inherited"}).secrets


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "production", True),
        ("SECRET_KEY", "abcdefgh", True),
        ("REDIS_URL", "redis://:x@h", True),
        ("TOKEN", "abc", False),
        ("MODE", "production", False),
        ("COUNT", "1", False),
        ("PORT", "8080", False),
        ("LEVEL", "DEBUG", False),
        ("HOST", "127.0.0.1", False),
        ("FOLDER", "/srv/app", False),
        ("OTHER", "hunter2!", True),
        ("OTHER", "deadbeef01234567", True),
        ("OTHER", "https://user:pw@host", True),
    ],
)
def test_what_has_to_be_kept_secret(params: dict[str, Any], name: str, value: str, secret: bool) -> None:
    assert _application.is_secret(name, value) is secret
    assert (value in _application.plain_values({**params, "environment": {name: value}})) is not secret


def test_the_password_is_no_plain_value_wherever_else_it_stands(params: dict[str, Any]) -> None:
    assert (
        _application.plain_values({**params, "login_password": "production", "environment": {"MODE": "production"}})
        == []
    )


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("mark {}\n", {}),
        ('noise\nmark {"a": [1]}\nmore noise', {"a": [1]}),
        ("noise", None),
        ("", None),
        ('mark {"cut', None),
    ],
)
def test_the_answer_is_found_among_noise(output: str, answer: Any) -> None:
    assert _client.read_answer(output, "mark ") == answer


def test_the_command_line_holds_nothing_but_the_loader() -> None:
    assert "program" in _process.BOOTSTRAP and len(_process.BOOTSTRAP) < 400
