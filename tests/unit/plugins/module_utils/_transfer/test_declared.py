# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's declared tables as the target would have them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import MappingError
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._declared import tables_from_model
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import Check, ForeignKey

MODEL: dict[str, Any] = {
    "tool": {
        "columns": {
            "id": {"type": "SERIAL", "nullable": False, "default": True, "generated": False, "identity": ""},
            "host": {"type": "host_type", "nullable": True, "default": False, "generated": False, "identity": ""},
            "server_id": {"type": "INTEGER", "nullable": False, "default": False, "generated": False, "identity": ""},
            "search": {"type": "TSVECTOR", "nullable": True, "default": False, "generated": True, "identity": ""},
            "number": {"type": "BIGINT", "nullable": False, "default": False, "generated": False, "identity": "a"},
        },
        "primary_key": ["id"],
        "foreign_keys": [{"columns": ["server_id"], "parent": "server", "parent_columns": ["id"], "name": "fk"}],
        "unique": [["server_id", "host"]],
        "indexed": [["host"], ["id"]],
        "enums": {"host_type": ["GITHUB", "GITLAB"]},
    },
    "server": {"columns": {"id": {"type": "INTEGER", "nullable": True}}, "primary_key": ["id"]},
}


def test_everything_that_the_mapping_asks_for() -> None:
    server, tool = tables_from_model(MODEL, "app")
    assert [server.name, tool.name] == ["server", "tool"]
    assert {server.schema, tool.schema} == {"app"}
    columns = {column.name: column for column in tool.columns}
    assert list(columns) == ["id", "host", "server_id", "search", "number"]
    assert (columns["id"].type.name, columns["id"].has_default, columns["id"].not_null) == ("integer", True, True)
    assert (columns["host"].type.name, columns["host"].type.labels) == ("enum", ("GITHUB", "GITLAB"))
    assert columns["search"].generated and columns["number"].identity == "a"
    assert tool.primary_key == ("id",)
    assert tool.foreign_keys == (ForeignKey(("server_id",), "server", ("id",), "fk"),)
    assert tool.unique == (("id",), ("server_id", "host"))
    assert tool.indexed == (("host",), ("id",), ("server_id", "host"))


def test_a_primary_key_is_never_null() -> None:
    server = tables_from_model(MODEL, "public")[0]
    assert server.columns[0].not_null
    assert server.unique == server.indexed == (("id",),)


def test_what_nobody_says_is_not_expected() -> None:
    server, tool = tables_from_model(MODEL, "app")
    assert (server.checks, tool.foreign_keys[0].on_delete, tool.columns[0].expression) == (None, None, None)


@pytest.mark.parametrize(
    ("expression", "has_default", "kept"),
    [("3", True, "3"), ("", True, ""), (None, True, None), ("NULL", False, None), ("(null)", False, None)],
)
def test_a_default_of_null_is_none(expression: str, has_default: bool, kept: str | None) -> None:
    column = {"type": "INTEGER", "nullable": True, "default": True, "expression": expression}
    (table,) = tables_from_model({"t": {"columns": {"a": column}}}, "public")
    assert (table.columns[0].has_default, table.columns[0].expression) == (has_default, kept)


def test_what_is_said_of_checks_and_keys() -> None:
    key = {"columns": ["a"], "parent": "p", "parent_columns": ["b"], "on_delete": "CASCADE", "on_update": "NO ACTION"}
    model = {"t": {"columns": {}, "checks": [{"name": "", "expression": "a > 0"}], "foreign_keys": [key]}}
    (table,) = tables_from_model(model, "public")
    assert table.checks == (Check("", "a > 0"),)
    assert table.foreign_keys == (ForeignKey(("a",), "p", ("b",), "", "CASCADE", "NO ACTION", None),)


@pytest.mark.parametrize(
    "model",
    [
        {"t": None},
        {"t": {}},
        {"t": {"columns": {"a": "INTEGER"}}},
        {"t": {"columns": {"a": {"nullable": True}}}},
        {"t": {"columns": [], "foreign_keys": [{}]}},
    ],
)
def test_another_shape(model: dict[str, Any]) -> None:
    with pytest.raises(MappingError, match="not what alembic_info returns") as caught:
        tables_from_model(model, "public")
    assert "alembic_info" in caught.value.advice
