# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the driver says of the application's model and of errors, without a database."""

from __future__ import annotations

import ast
import configparser
import inspect
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ansible_collections.mcps.postgres.plugins.module_utils._alembic import _driver


def test_it_needs_nothing_but_python_where_it_is_loaded() -> None:
    tree = ast.parse(inspect.getsource(_driver))
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
    assert imported <= sys.stdlib_module_names
    ast.parse(inspect.getsource(_driver), feature_version=(3, 7))


class Upper(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


class Wrapped(sa.types.TypeDecorator[Any]):
    """An enum on PostgreSQL, text elsewhere."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ENUM("X", "Y", name="wrapped"))
        return dialect.type_descriptor(sa.String())


class Unwritten(sa.sql.expression.ColumnElement[int]):
    """What SQLAlchemy has no SQL for."""

    inherit_cache = True


@pytest.mark.parametrize(
    ("column_type", "spelling", "enums"),
    [
        (sa.Integer(), "INTEGER", {}),
        (sa.String(), "VARCHAR", {}),
        (sa.String(20), "VARCHAR(20)", {}),
        (sa.Uuid(), "UUID", {}),
        (sa.JSON(), "JSON", {}),
        (sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), "JSONB", {}),
        (sa.DateTime(), "TIMESTAMP WITHOUT TIME ZONE", {}),
        (sa.DateTime(timezone=True), "TIMESTAMP WITH TIME ZONE", {}),
        (sa.Boolean(), "BOOLEAN", {}),
        (sa.Double(), "DOUBLE PRECISION", {}),
        (sa.Numeric(10, 2), "NUMERIC(10, 2)", {}),
        (sa.LargeBinary(), "BYTEA", {}),
        (Upper(), "VARCHAR", {}),
        (sa.Enum("A", "B", name="letters"), "letters", {"letters": ["A", "B"]}),
        (sa.Enum("A", "B", name="Mixed Case"), '"Mixed Case"', {"Mixed Case": ["A", "B"]}),
        (sa.Enum("A", "B", native_enum=False), "VARCHAR(1)", {}),
        (Wrapped(), "wrapped", {"wrapped": ["X", "Y"]}),
        (postgresql.ARRAY(sa.Text()), "TEXT[]", {}),
        (postgresql.ARRAY(sa.Enum("A", name="letters")), "letters[]", {"letters": ["A"]}),
    ],
)
def test_types_are_postgresqls(column_type: Any, spelling: str, enums: dict[str, list[str]]) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("c", column_type))
    model = _driver.model_of(table.metadata, "public")
    assert model["t"]["columns"]["c"]["type"] == spelling
    assert model["t"]["enums"] == enums


def test_columns_keys_and_indexes() -> None:
    metadata = sa.MetaData()
    sa.Table(
        "parent", metadata, sa.Column("a", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, primary_key=True)
    )
    table = sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("made", sa.DateTime, server_default=sa.func.now(), nullable=False),
        sa.Column("client_side", sa.Integer, default=3),
        sa.Column("twice", sa.Integer, sa.Computed("id * 2")),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
        sa.Column("e", sa.Integer, unique=True),
        sa.ForeignKeyConstraint(["a", "b"], ["parent.a", "parent.b"], name="fk"),
        sa.UniqueConstraint("a", "b"),
    )
    sa.Index("i1", table.c.made)
    sa.Index("i2", table.c.a, unique=True)
    sa.Index("i3", table.c.b, unique=True, postgresql_where=table.c.a > 1)
    sa.Index("i4", sa.func.lower(table.c.e))
    sa.Index("i5", table.c.twice, postgresql_using="gin")
    model = _driver.model_of([metadata], "public")["t"]
    shape = {name: (item["default"], item["generated"], item["identity"]) for name, item in model["columns"].items()}
    assert shape == {
        "id": (True, False, "a"),
        "made": (True, False, ""),
        "client_side": (False, False, ""),
        "twice": (False, True, ""),
        "a": (False, False, ""),
        "b": (False, False, ""),
        "e": (False, False, ""),
    }
    assert model["primary_key"] == ["id"]
    assert model["foreign_keys"] == [
        {
            "columns": ["a", "b"],
            "parent": "parent",
            "parent_columns": ["a", "b"],
            "name": "fk",
            "on_delete": "NO ACTION",
            "on_update": "NO ACTION",
            "deferrable": None,
        }
    ]
    assert model["unique"] == [["a"], ["a", "b"], ["e"]]
    assert model["indexed"] == [["a"], ["a", "b"], ["b"], ["e"], ["id"], ["made"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("NO ACTION", "NO ACTION", None)),
        ({"ondelete": "cascade", "onupdate": "SET  NULL"}, ("CASCADE", "SET NULL", None)),
        ({"ondelete": "SET NULL (a)", "deferrable": True}, ("SET NULL", "NO ACTION", "DEFERRABLE")),
        ({"deferrable": True, "initially": "deferred"}, ("NO ACTION", "NO ACTION", "DEFERRABLE INITIALLY DEFERRED")),
        ({"initially": "DEFERRED"}, ("NO ACTION", "NO ACTION", "DEFERRABLE INITIALLY DEFERRED")),
        ({"deferrable": False}, ("NO ACTION", "NO ACTION", "NOT DEFERRABLE")),
        ({"initially": "IMMEDIATE"}, ("NO ACTION", "NO ACTION", "NOT DEFERRABLE")),
    ],
)
def test_what_a_foreign_key_does(options: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("a", sa.Integer, primary_key=True))
    sa.Table("t", metadata, sa.Column("a", sa.Integer, sa.ForeignKey("p.a", **options)))
    (key,) = _driver.model_of(metadata, "public")["t"]["foreign_keys"]
    assert (key["on_delete"], key["on_update"], key["deferrable"]) == expected


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        (sa.Column("c", sa.Integer), None),
        (sa.Column("c", sa.Integer, default=3), None),
        (sa.Column("c", sa.Integer, primary_key=True), None),
        (sa.Column("c", sa.Integer, sa.Identity()), None),
        (sa.Column("c", sa.String, server_default="it's 5%"), "'it''s 5%'"),
        (sa.Column("c", sa.DateTime, server_default=sa.func.now()), "now()"),
        (sa.Column("c", sa.Boolean, server_default=sa.false()), "false"),
        (sa.Column("c", sa.JSON, server_default=sa.text("'{\"a\"\\:1}'")), """'{"a":1}'"""),
        (sa.Column("c", sa.Integer, server_default=Unwritten()), ""),
        (sa.Column("c", sa.Integer, server_default=sa.FetchedValue()), None),
        (sa.Column("c", sa.Integer, sa.Computed("id % 2")), "id % 2"),
    ],
)
def test_defaults_and_generated_columns_as_sql(column: sa.Column[Any], expression: str | None) -> None:
    table = sa.Table("t", sa.MetaData(), column)
    assert _driver.model_of(table.metadata, "public")["t"]["columns"]["c"]["expression"] == expression


def test_checks_that_postgresql_gets() -> None:
    kind = sa.Enum("A", "it's", native_enum=False, create_constraint=True, name="kind")
    table = sa.Table(
        "t",
        sa.MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"}),
        sa.Column("a", sa.Integer, sa.CheckConstraint("a % 2 = 0", name="even")),
        sa.Column("flag", sa.Boolean(create_constraint=True, name="flag")),
        sa.Column("kind", kind),
        sa.Column("native", sa.Enum("A", name="native", create_constraint=True)),
    )
    table.append_constraint(sa.CheckConstraint(table.c.a > 3, name=sa.schema.conv('In "quotes"')))
    assert _driver.model_of(table.metadata, "public")["t"]["checks"] == [
        {"name": 'In "quotes"', "expression": "a > 3"},
        {"name": "ck_t_even", "expression": "a % 2 = 0"},
        {"name": "ck_t_kind", "expression": "kind IN ('A', 'it''s')"},
    ]


def test_checks_without_names() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.CheckConstraint("a > 0"))
    assert _driver.model_of(table.metadata, "public")["t"]["checks"] == [{"name": "", "expression": "a > 0"}]


@pytest.mark.parametrize(("schema", "key"), [(None, "t"), ("public", "t"), ("other", "other.t")])
def test_tables_of_another_schema_are_named_with_it(schema: str | None, key: str) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("c", sa.Integer), schema=schema)
    assert list(_driver.model_of(table.metadata, "public")) == [key]


def test_no_metadata_is_no_model() -> None:
    assert _driver.model_of(None, "public") == {}


@pytest.mark.parametrize(
    ("stored", "read"),
    [("a%40b", "a%40b"), ("a%%40b", "a%40b"), ("%(here)s/x", "/h/x"), ("a%25%40", "a%25%40"), ("plain", "plain")],
)
def test_a_url_survives_the_ini_file_with_and_without_doubled_signs(stored: str, read: str) -> None:
    parser = configparser.ConfigParser({"here": "/h"}, interpolation=_driver.LenientInterpolation())
    parser.add_section("alembic")
    parser.set("alembic", "sqlalchemy.url", stored)
    assert parser.get("alembic", "sqlalchemy.url") == read


def test_an_error_is_followed_to_what_caused_it() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        assert [type(item) for item in _driver.chain(error)] == [ValueError, KeyError]
        assert _driver.position(_driver.chain(error), __file__, "/nowhere")[0] == __file__


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        (
            ("add_column", None, "t", sa.Column("c", sa.Integer)),
            ("add_column", "t", "c", "the application's model has it, the database does not"),
        ),
        (
            ("remove_table", sa.Table("t", sa.MetaData(), schema="s")),
            ("remove_table", "s.t", "", "the database has it, the application's model does not"),
        ),
        (
            ("modify_nullable", None, "t", "c", {}, True, False),
            ("modify_nullable", "t", "c", "nullable is True in the database, False in the application's model"),
        ),
    ],
)
def test_drift_is_said_in_words(change: tuple[Any, ...], entry: tuple[str, ...]) -> None:
    assert tuple(_driver.drift_entry(change).values()) == entry


def test_an_index_is_named_with_its_columns() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("b", sa.Integer))
    entry = _driver.drift_entry(("remove_index", sa.Index("ix", table.c.a, table.c.b)))
    assert (entry["table"], entry["detail"]) == (
        "t",
        "ix (a, b): the database has it, the application's model does not",
    )
