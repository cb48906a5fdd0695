# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load with real files and a real server: what arrives, what is as it was afterwards, and what a failure leaves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import stat
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.imports import PAUSING, Case, Start

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner, PlaybookRunner

FAMILY_SOURCE = """
CREATE TABLE server (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE tool (id INTEGER PRIMARY KEY, server_id INTEGER, name TEXT);
CREATE TABLE toolembedding (id INTEGER PRIMARY KEY, tool_id INTEGER, note TEXT);
"""

FAMILY_TARGET = """
CREATE TABLE server (id serial PRIMARY KEY, name varchar(20));
CREATE TABLE tool (id serial PRIMARY KEY, server_id integer NOT NULL REFERENCES server, name text);
CREATE TABLE toolembedding (id serial PRIMARY KEY, tool_id integer UNIQUE REFERENCES tool, note text);
CREATE INDEX tool_name ON tool (name);
CREATE INDEX tool_lower ON tool (lower(name)) WHERE id > 0;
"""

FAMILY_ROWS: dict[str, list[Sequence[Any]]] = {
    "server": [(1, "a"), (2, "b"), (7, "c")],
    "tool": [(1, 1, "t1"), (2, 1, "t2"), (3, 2, None), (9, 7, "t9")],
    "toolembedding": [(1, 1, "e1"), (2, 9, "e2")],
}


@pytest.fixture
def family(case: Case) -> Case:
    """Servers, their tools, and the tools' embeddings: three levels."""
    case.sqlite(FAMILY_SOURCE, FAMILY_ROWS)
    case.postgres(FAMILY_TARGET)
    return case


def test_check_apply_check_apply(family: Case) -> None:
    before = family.state()
    planned = family.run(check=True)
    assert planned["changed"] and planned["state"] == "loaded" and planned["rows"] == 9
    assert family.state() == before and not family.query("SELECT to_regnamespace('mcps_migration')")[0][0]

    loaded = family.load()
    assert loaded["changed"] and loaded["catalog_unchanged"] and not loaded["resumed"]
    assert loaded["diff"] == planned["diff"]
    assert loaded["diff"]["after"] == {"server": {"rows": 3}, "tool": {"rows": 4}, "toolembedding": {"rows": 2}}
    for name in ("state", "rows", "left_out", "quarantined", "resumed"):
        assert loaded[name] == planned[name]
    assert [(t["table"], t["rows"]) for t in loaded["tables"]] == [(t["table"], t["rows"]) for t in planned["tables"]]
    assert family.query("SELECT id, server_id, name FROM tool ORDER BY id") == FAMILY_ROWS["tool"]
    assert family.definitions() == [row for row in before[0] if row[0] != "sequence"]

    again = family.run(check=True)
    assert not again["changed"] and again["state"] == "existing"
    existing = family.load()
    assert not existing["changed"] and existing["state"] == "existing" and existing["rows"] == 9
    assert existing["diff"]["before"] == existing["diff"]["after"] == loaded["diff"]["after"]
    assert existing["sequences"] == loaded["sequences"]


def test_a_playbook_sees_the_change(family: Case, playbook: PlaybookRunner) -> None:
    family.sqlite("CREATE TABLE alembic_version (version_num TEXT)")  # which is left out, and said to be
    task = {"mcps.postgres.sqlite_import": {**family.database.login, "source": str(family.source)}}
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    assert playbook(plays).succeeded().count("changed") == 1
    again = playbook(plays).succeeded()
    assert (again.count("changed"), again.count("skipped"), again.count("ok")) == (0, 0, 1)


def test_sequences_go_on_behind_the_largest_key(family: Case) -> None:
    result = family.load()
    assert {(s["sequence"], s["next"], s["max"]) for s in result["sequences"]} == {
        ("public.server_id_seq", 8, 7),
        ("public.tool_id_seq", 10, 9),
        ("public.toolembedding_id_seq", 3, 2),
    }
    assert family.query("INSERT INTO server (name) VALUES ('new') RETURNING id") == [(8,)]


# Values

VALUES: list[tuple[str, str, list[tuple[Any, str]]]] = [
    ("boolean", "BOOLEAN", [(0, "false"), (1, "true")]),
    ("smallint", "SMALLINT", [(-32768, "-32768"), (32767, "32767")]),
    ("integer", "INTEGER", [(-(2**31), "-2147483648"), (2**31 - 1, "2147483647")]),
    ("bigint", "BIGINT", [(-(2**63), "-9223372036854775808"), (2**63 - 1, "9223372036854775807")]),
    ("numeric(20,4)", "BLOB", [(1, "1.0000"), ("12345678901234.5678", "12345678901234.5678"), (0.1, "0.1000")]),
    (
        "double precision",
        "",  # SQLite itself forgets the sign of zero in columns of REAL affinity
        [
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.0, "-0"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (float("inf"), "Infinity"),
            (float("-inf"), "-Infinity"),
            (123456789.12345679, "123456789.12345679"),
            (3, "3"),
        ],
    ),
    ("real", "", [(0.5, "0.5"), (1.401298464324817e-45, "1e-45"), (-0.0, "-0")]),
    (
        "text",
        "TEXT",
        [
            ("", ""),
            ("\\N", "\\N"),
            ("\\.", "\\."),
            ("tab\tnew\nreturn\rback\\slash", "tab\tnew\nreturn\rback\\slash"),
            ("\x02\x03\x04", "\x02\x03\x04"),
            ("\x04", "\x04"),
            ("NULL", "NULL"),
            ("ä€😀" * 50, "ä€😀" * 50),
            ("x" * 1_000_000, "x" * 1_000_000),
        ],
    ),
    ("varchar(3)", "VARCHAR(3)", [("äöü", "äöü")]),
    ("char(5)", "CHAR(5)", [("ab", "ab   ")]),
    ("bytea", "BLOB", [(b"", "\\x"), (b"\x00\xff\\\n", "\\x00ff5c0a")]),
    (
        "uuid",
        "CHAR(32)",
        [
            ("0123456789abcdef0123456789ABCDEF", "01234567-89ab-cdef-0123-456789abcdef"),
            ("01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
        ],
    ),
    ("mood", "VARCHAR", [("HAPPY", "HAPPY"), ('S"A D', 'S"A D')]),
    ("json", "JSON", [('{"b": 1,  "a": "\\u0000"}', '{"b": 1,  "a": "\\u0000"}'), ("null", "null")]),
    ("jsonb", "JSON", [('{"b": 1, "a": [1.50, "\\u00e9"]}', '{"a": [1.50, "é"], "b": 1}'), ("null", "null")]),
    (
        "timestamp",
        "DATETIME",
        [
            ("2024-02-29 23:59:59.999999", "2024-02-29 23:59:59.999999"),
            ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
            ("9999-12-31 23:59:59.5", "9999-12-31 23:59:59.5"),
        ],
    ),
    ("timestamptz", "DATETIME", [("2024-01-01 00:30:00+01:00", "2023-12-31 23:30:00+00")]),
    ("date", "DATE", [("2024-02-29", "2024-02-29")]),
    ("time", "TIME", [("23:59:59.000001", "23:59:59.000001")]),
    ("interval", "DATETIME", [("1970-01-03 12:00:00.000001", "2 days 12:00:00.000001"), ("P1Y2M", "1 year 2 mons")]),
    (
        "text[]",
        "JSON",
        [
            ("[]", "{}"),
            ('["a", null, "NULL", "", "q\\"", "b\\\\", "{,}"]', '{a,NULL,"NULL","","q\\"","b\\\\","{,}"}'),
            ('["tab\\t", "new\\nline"]', '{"tab\t","new\nline"}'),
        ],
    ),
    ("integer[]", "JSON", [("[[1, 2], [3, null]]", "{{1,2},{3,NULL}}")]),
    ("vector(3)", "JSON", [("[1, 0.5, -2]", "[1,0.5,-2]"), (struct.pack("<3f", 0.1, 2, 3), "[0.1,2,3]")]),
    ("halfvec(2)", "JSON", [("[1, 2.5]", "[1,2.5]"), (struct.pack("<2f", 0.5, -1), "[0.5,-1]")]),
    ("short", "TEXT", [("abc", "abc")]),
    ("positive_short", "TEXT", [("abc", "abc")]),
]


@pytest.mark.parametrize(("sql_type", "declared", "values"), VALUES, ids=[v[0] for v in VALUES])
def test_values_arrive(case: Case, sql_type: str, declared: str, values: list[tuple[Any, str]]) -> None:
    held: list[tuple[Any, Any]] = [*values, (None, None)]
    case.sqlite(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared}, w TEXT)",
        {"t": [(number, value, "w") for number, (value, _) in enumerate(held)]},
    )
    case.database.query(
        "CREATE TYPE mood AS ENUM ('HAPPY', 'S\"A D'); CREATE DOMAIN short AS varchar(5);"
        "CREATE DOMAIN positive_short AS short CHECK (VALUE <> 'bad');"
        f"CREATE TABLE t (id integer PRIMARY KEY, v {sql_type}, w text)"
    )
    case.load()
    with (
        contextlib.closing(case.database.connect(options="-c TimeZone=UTC")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT id, v::text, w FROM t ORDER BY id")
        if sql_type == "char(5)":
            cursor.execute("SELECT id, format('%s', v), w FROM t ORDER BY id")
            held = [(value, text or "") for value, text in held]
        assert cursor.fetchall() == [(number, text, "w") for number, (_, text) in enumerate(held)]


def test_generated_identity_and_default_columns(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, doubled INTEGER AS (n * 2))")
    with contextlib.closing(sqlite3.connect(case.source)) as connection, connection:
        connection.executemany("INSERT INTO t (id, n) VALUES (?, ?)", [(5, 1), (6, 2)])
    case.postgres(
        """
        CREATE FUNCTION helper(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n + 100';
        CREATE FUNCTION outer_helper(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
          'BEGIN RETURN helper(n); END';
        CREATE TABLE t (
          id integer GENERATED ALWAYS AS IDENTITY (START WITH 3 INCREMENT BY 10),
          other bigint GENERATED BY DEFAULT AS IDENTITY,
          n integer, doubled integer GENERATED ALWAYS AS (outer_helper(n)) STORED,
          made text DEFAULT 'by default', PRIMARY KEY (id)
        )
        """
    )
    result = case.load()
    assert case.query("SELECT id, n, doubled, made FROM t ORDER BY id") == [
        (5, 1, 101, "by default"),
        (6, 2, 102, "by default"),
    ]
    assert {"table": "t", "column": "doubled", "reason": "generated in PostgreSQL"} in result["left_out"]
    # The sequence stays in its own series: 3, 13, 23 ...
    assert case.query("INSERT INTO t (n) VALUES (3) RETURNING id, other") == [(13, 3)]


def test_renamed_excluded_and_skipped(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE old (id INTEGER PRIMARY KEY, n TEXT, secret TEXT); CREATE TABLE cache_x (id INTEGER);"
        "CREATE TABLE Kept (ID INTEGER PRIMARY KEY); CREATE TABLE alembic_version (version_num TEXT)",
        {"old": [(1, " ", "s"), (2, "x", "s")], "cache_x": [(1,)], "Kept": [(1,)]},
    )
    case.postgres("CREATE TABLE new (id integer PRIMARY KEY, name text); CREATE TABLE kept (id integer PRIMARY KEY)")
    arguments: dict[str, Any] = {
        "exclude": ["cache_*"],
        "exclude_columns": ["old.secret"],
        "rename_tables": {"old": "new"},
        "rename_columns": {"old.n": "name"},
        "rules": [{"table": "old", "column": "n", "rule": "empty_to_null"}],
    }
    result = case.load(**arguments)
    assert case.query("SELECT * FROM new ORDER BY id") == [(1, None), (2, "x")]
    assert [(t["table"], t["target"], t["rows"]) for t in result["tables"]] == [("Kept", "kept", 1), ("old", "new", 2)]
    assert result["rules"] == [{"table": "old", "column": "n", "rule": "empty_to_null", "values": 1}]
    assert {(s["table"], s["column"]) for s in result["left_out"]} == {
        ("alembic_version", ""), ("cache_x", ""), ("old", "secret")
    }  # fmt: skip


def test_a_source_without_rows_leaves_sequences_alone(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    case.postgres("CREATE TABLE t (id serial PRIMARY KEY)")
    before = case.catalog()
    result = case.load()
    assert result["changed"] and result["rows"] == 0
    assert result["sequences"] == [
        {"sequence": "public.t_id_seq", "table": "t", "column": "id", "next": 1, "max": None}
    ]
    assert case.catalog() == before
    assert not case.load()["changed"]


@pytest.mark.parametrize(
    ("sequence", "rows", "following"),
    [
        ("", [1, 5], 21),  # SQLite's own counter stands at 20
        ("INCREMENT BY 7", [1, 5], 22),
        ("MINVALUE 100 START 100", [1, 5], 100),
        ("START 50", [1, 5], 50),
    ],
)
def test_autoincrement_and_the_sequence_s_own_series(
    case: Case, sequence: str, rows: list[int], following: int
) -> None:
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO t VALUES (20, 'gone');"
        "DELETE FROM t",
        {"t": [(number, "v") for number in rows]},
    )
    case.postgres(
        f"CREATE SEQUENCE own {sequence}; CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('own'), v text)"
    )
    result = case.load()
    assert [s["next"] for s in result["sequences"]] == [following]
    assert case.query("INSERT INTO t (v) VALUES ('new') RETURNING id") == [(following,)]


def test_a_sequence_that_ends_before_the_largest_key(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY)", {"t": [(2**31 - 1,)]})
    case.postgres("CREATE TABLE t (id serial PRIMARY KEY)")
    result = case.fail()
    assert "public.t_id_seq cannot go past 2147483647" in result["msg"] and "bigint" in result["advice"]


# Definitions

HARD_TARGET = """
CREATE TABLE server (id serial PRIMARY KEY, name text, twin integer);
CREATE TABLE tool (id serial PRIMARY KEY, server_id integer, name text, other integer);
CREATE TABLE toolembedding (id serial PRIMARY KEY, tool_id integer, note text);
CREATE TABLE seen (id serial PRIMARY KEY, server_id integer REFERENCES server ON DELETE CASCADE);
ALTER TABLE server ADD CONSTRAINT twins FOREIGN KEY (twin) REFERENCES server DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE tool ADD CONSTRAINT "Odd, name" FOREIGN KEY (server_id) REFERENCES server ON UPDATE CASCADE
  DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE tool ADD CONSTRAINT loose FOREIGN KEY (other) REFERENCES server NOT VALID;
COMMENT ON CONSTRAINT "Odd, name" ON tool IS 'It''s {odd}, 100 %s';
ALTER TABLE toolembedding ADD CONSTRAINT one_each UNIQUE (tool_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE toolembedding ADD FOREIGN KEY (tool_id) REFERENCES tool ON DELETE SET NULL;
CREATE INDEX plain ON tool (name);
CREATE INDEX "Mixed, case" ON tool (name DESC NULLS LAST) INCLUDE (id) WITH (fillfactor = 70) WHERE name <> '{%}';
CREATE UNIQUE INDEX whole ON tool (name, id);
CREATE INDEX gin_index ON tool USING gin (name gin_trgm_ops);
CREATE INDEX commented ON tool (id, name);
COMMENT ON INDEX commented IS 'stays';
CREATE INDEX counted ON tool (lower(name));
ALTER INDEX counted ALTER COLUMN 1 SET STATISTICS 500;
CREATE INDEX clustered ON toolembedding (note);
ALTER TABLE toolembedding CLUSTER ON clustered;
CREATE UNIQUE INDEX identity ON server (id);
ALTER TABLE server REPLICA IDENTITY USING INDEX identity;
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''a trigger ran''; END';
CREATE TRIGGER on_insert BEFORE INSERT ON tool FOR EACH ROW EXECUTE FUNCTION never();
CREATE TRIGGER "On, delete" BEFORE DELETE ON tool FOR EACH ROW EXECUTE FUNCTION never();
CREATE TRIGGER on_truncate BEFORE TRUNCATE ON tool FOR EACH STATEMENT EXECUTE FUNCTION never();
CREATE TRIGGER always_on AFTER INSERT ON tool FOR EACH ROW EXECUTE FUNCTION never();
CREATE TRIGGER replica_on AFTER INSERT ON tool FOR EACH ROW EXECUTE FUNCTION never();
CREATE TRIGGER off AFTER INSERT ON tool FOR EACH ROW EXECUTE FUNCTION never();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON tool DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never();
ALTER TABLE tool ENABLE ALWAYS TRIGGER always_on;
ALTER TABLE tool ENABLE REPLICA TRIGGER replica_on;
ALTER TABLE tool DISABLE TRIGGER off;
CREATE VIEW grouped AS SELECT id, name FROM server GROUP BY id;
"""

HARD_SOURCE = """
CREATE TABLE server (id INTEGER PRIMARY KEY, name TEXT, twin INTEGER);
CREATE TABLE tool (id INTEGER PRIMARY KEY, server_id INTEGER, name TEXT, other INTEGER);
CREATE TABLE toolembedding (id INTEGER PRIMARY KEY, tool_id INTEGER, note TEXT);
"""


def hard(case: Case, rows: Mapping[str, Sequence[Sequence[Any]]]) -> list[tuple[Any, ...]]:
    case.sqlite(HARD_SOURCE, rows)
    case.postgres(HARD_TARGET)
    return case.definitions()


def test_definitions_are_restored_exactly(case: Case) -> None:
    before = hard(
        case,
        {
            "server": [(1, "a", 2), (2, "b", 1)],
            "tool": [(1, 1, "t", 99), (2, 2, "u", None)],
            "toolembedding": [(1, 2, "n")],
        },
    )
    case.load()
    assert case.definitions() == before
    # A foreign key that is not valid does not ask about rows that are there already: 99 stays.
    assert case.query("SELECT other FROM tool WHERE id = 1") == [(99,)]
    # Once more, over rows that are there, with triggers that forbid TRUNCATE.
    case.load(replace=True)
    assert case.definitions() == before


def test_definitions_are_restored_after_a_failure(case: Case) -> None:
    hard(case, {"server": [(1, "a", 1)], "tool": [(1, 1, "t", None), (2, 3, "orphan", None)]})
    result = case.fail()
    assert result["counts"] == [{"table": "tool", "kind": "orphan", "rows": 1}]
    hard_rows = case.setting_aside(5)
    assert case.load(**hard_rows)["quarantined"] == 1


def test_plain_indexes_are_really_out_of_the_way(case: Case) -> None:
    """Otherwise the tests above would hold without anything being restored."""
    hard(case, {"tool": [(1, None, "t", None)]})
    before = dict(case.query("SELECT relname, oid::bigint FROM pg_class WHERE relkind = 'i'"))
    case.load()
    after = dict(case.query("SELECT relname, oid::bigint FROM pg_class WHERE relkind = 'i'"))
    made_anew = {
        name for name, oid in after.items() if before.get(name) != oid and not name.startswith(("import_", "pg_"))
    }
    assert made_anew == {"plain", "Mixed, case", "whole", "gin_index"}


# Refusals


def test_a_target_with_rows_is_refused(family: Case) -> None:
    family.postgres("INSERT INTO server VALUES (1, 'mine')")
    for check in (True, False):
        before = family.state()
        result = family.run(check=check)
        assert result["failed"] and "server (1 rows)" in result["msg"] and "replace" in result["advice"]
        assert result["tables"] == [{"table": "server", "rows": 1}]
        assert family.state() == before


def test_a_finished_import_and_another_source(family: Case) -> None:
    family.load()
    family.sqlite("INSERT INTO server VALUES (100, 'late')")
    result = family.fail()
    assert "imported from" in result["msg"]
    replaced = family.load(replace=True)
    assert replaced["changed"] and replaced["diff"]["before"]["server"] == {"rows": 3}
    assert family.query("SELECT count(*) FROM server") == [(4,)]
    # The journal speaks of the last import, not of the first.
    assert not family.load()["changed"]


def test_rows_that_are_gone_since_are_not_an_existing_import(family: Case) -> None:
    family.load()
    family.postgres("TRUNCATE server, tool, toolembedding")
    assert family.load()["changed"]
    assert family.query("SELECT count(*) FROM tool") == [(4,)]


def test_mapping_problems_stop_before_anything(family: Case) -> None:
    family.postgres("ALTER TABLE tool DROP COLUMN name; CREATE VIEW prompt AS SELECT 1 AS id")
    family.sqlite("CREATE TABLE prompt (id INTEGER); CREATE TABLE nowhere (id INTEGER)")
    result = family.fail()
    assert {(p["table"], p["column"]) for p in result["problems"]} == {
        ("nowhere", ""), ("prompt", ""), ("tool", "name")
    }  # fmt: skip
    assert "prompt is a view" in result["msg"]


def test_missing_privileges_are_named(family: Case, postgres: Any) -> None:
    admin = postgres.as_superuser(family.database.name)
    admin.query("ALTER TABLE tool OWNER TO postgres")
    admin.query(f'REVOKE CREATE ON DATABASE "{family.database.name}" FROM "{family.database.user}"')
    result = family.run()
    assert result["failed"] and "table tool belongs to postgres" in result["msg"]
    owner = admin.query("SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()")[0][0]
    assert owner == family.database.user  # which keeps the right to create schemas
    assert "GRANT postgres TO" in result["advice"]


def test_row_security_and_inheritance_are_refused(family: Case) -> None:
    family.postgres(
        "ALTER TABLE tool ENABLE ROW LEVEL SECURITY; ALTER TABLE tool FORCE ROW LEVEL SECURITY;"
        "CREATE TABLE heir () INHERITS (server)"
    )
    result = family.fail()
    assert "row-level security of tool" in result["msg"] and "inherit from server" in result["msg"]


def test_row_security_that_the_owner_is_free_of(family: Case) -> None:
    family.postgres("ALTER TABLE tool ENABLE ROW LEVEL SECURITY")
    assert family.load()["rows"] == 9


def test_a_partitioned_table_can_be_loaded(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(n, f"v{n}") for n in range(2000)]})
    case.postgres(
        "CREATE TABLE t (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (1000);"
        "CREATE TABLE high PARTITION OF t FOR VALUES FROM (1000) TO (5000);"
        "CREATE TABLE child (id integer PRIMARY KEY, t integer REFERENCES t); CREATE INDEX ON t (v)"
    )
    before = case.definitions()
    case.load()
    assert case.query("SELECT (SELECT count(*) FROM low), (SELECT count(*) FROM high)") == [(1000, 1000)]
    assert case.definitions() == before
    case.load(replace=True)
    assert case.definitions() == before


# Rows that do not fit


def test_misfits_are_listed(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, d TEXT)",
        {"t": [(i, "x" if i % 2 else i, "2024-13-01" if i == 3 else None) for i in range(60)]},
    )
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, n smallint, d date)")
    result = case.fail()
    assert result["error"] == "InvalidRowError" and result["more"]
    assert result["rows"][0] == {
        "table": "t", "target": "t", "key": {"id": 1}, "column": "n", "value": "'x'", "kind": "storage_class",
        "reason": "SQLite holds text where smallint is expected", "advice": result["rows"][0]["advice"],
    }  # fmt: skip
    assert [(row["key"]["id"], row["column"]) for row in result["rows"][:3]] == [(1, "n"), (3, "n"), (3, "d")]
    assert len(result["rows"]) == 20 and result["total"] == 21
    assert "t (id=1): n = 'x'" in result["msg"] and "more" in result["msg"]


def test_the_error_counts_exactly_where_the_table_was_read(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", {"t": [(1, 1), (2, "x"), (3, 3), (4, "y")]})
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, n smallint)")
    result = case.fail()
    assert result["total"] == 2 and result["counts"] == [{"table": "t", "kind": "storage_class", "rows": 2}]
    assert not result["more"]


def test_rows_that_postgresql_itself_refuses(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)",
        {"t": [(1, 1), (2, "misfit"), (3, 3), (4, 1000), (5, 5), (6, 2000)]},
    )
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, n integer CONSTRAINT small CHECK (n < 100))")
    result = case.fail(rules=[])
    assert result["rows"][0]["key"] == {"id": 2}
    result = case.fail(**case.setting_aside(1))
    assert {(row["key"]["id"], row["kind"]) for row in result["rows"]} == {(2, "storage_class"), (4, "refused")}
    assert 'check constraint "small"' in result["msg"]
    assert case.load(**case.setting_aside(3))["quarantined"] == 3
    assert case.query("SELECT id FROM t ORDER BY id") == [(1,), (3,), (5,)]
    assert [entry["key"]["id"] for entry in case.set_aside()] == [2, 4, 6]


@pytest.mark.parametrize(
    "unique",
    [
        "ALTER TABLE t ADD UNIQUE (n)",
        "ALTER TABLE t ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED",
        "CREATE UNIQUE INDEX ON t (n)",
        "CREATE UNIQUE INDEX ON t ((n + 0))",
        "CREATE UNIQUE INDEX ON t (n) WHERE n > 0",
    ],
)
def test_duplicates(case: Case, unique: str) -> None:
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)",
        {"t": [(1, 1), (2, 7), (3, None), (4, 7), (5, None), (6, 7), (7, "x")]},
    )
    case.postgres(f"CREATE TABLE t (id integer PRIMARY KEY, n integer); {unique}")
    result = case.fail(rules=[{"table": "t", "column": "n", "rule": "map", "options": {"values": {"x": 8}}}])
    assert result["rows"][0]["key"] == {"id": 4} and result["rows"][0]["kind"] == "duplicate"
    assert result["rows"][0]["table"] == "t"
    result = case.load(**case.setting_aside(3))
    assert result["quarantined"] == 3
    assert case.query("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,), (5,)]
    assert [(e["key"]["id"], e["problems"][0]["kind"]) for e in case.set_aside()] == [
        (4, "duplicate"), (6, "duplicate"), (7, "storage_class")
    ]  # fmt: skip


def test_a_key_too_long_for_an_index(case: Case) -> None:
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(60))
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)", {"t": [(1, "short"), (2, noise), (3, "also short")]})
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE INDEX by_a ON t (upper(a))")
    result = case.fail()
    assert result["rows"][0]["key"] == {"id": 2} and "by_a" in result["msg"]
    before = case.definitions()
    assert case.load(**case.setting_aside(1))["rows"] == 2
    assert case.definitions() == before


def test_orphans_are_reported(family: Case) -> None:
    family.sqlite(
        "INSERT INTO tool VALUES (20, 55, 'lost'), (21, 56, 'lost'); INSERT INTO toolembedding VALUES (9, 77, 'x')"
    )
    result = family.fail()
    assert result["counts"] == [
        {"table": "tool", "kind": "orphan", "rows": 2},
        {"table": "toolembedding", "kind": "orphan", "rows": 1},
    ]
    first = result["rows"][0]
    assert (first["table"], first["key"], first["column"], first["value"]) == ("tool", {"id": 20}, "server_id", "55")
    assert first["reason"] == "its parent server (id=55) does not exist"


def test_orphans_of_several_keys_are_reported(family: Case) -> None:
    family.sqlite(
        "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
        " INSERT INTO tool SELECT i, 88, 't' FROM n;"
        "INSERT INTO toolembedding VALUES (70, 77, 'e'), (71, 78, 'e')"
    )
    for arguments in ({}, family.setting_aside(30)):
        assert family.fail(**arguments)["counts"] == [
            {"table": "tool", "kind": "orphan", "rows": 100},
            {"table": "toolembedding", "kind": "orphan", "rows": 2},
        ]


def test_quarantine_takes_dependents_along(family: Case) -> None:
    family.sqlite(
        "UPDATE server SET name = 'much too long for varchar(20)' WHERE id = 1;"
        "INSERT INTO tool VALUES (20, 55, 'lost'); INSERT INTO toolembedding VALUES (9, 20, 'of lost')"
    )
    before = family.definitions()
    # One server, its two tools, the embedding of one of them; one orphan and its embedding.
    refused = family.fail(**family.setting_aside(5))
    assert "quarantine_budget is 5" in refused["msg"]
    assert {(c["table"], c["kind"]) for c in refused["counts"]} >= {
        ("server", "too_long"),
        ("tool", "parent_quarantined"),
    }
    assert not family.quarantine.exists()

    result = family.load(**family.setting_aside(6))
    assert result["quarantined"] == 6 and result["quarantine_file"] == str(family.quarantine)
    assert [(t["table"], t["rows"], t["quarantined"]) for t in result["tables"]] == [
        ("server", 2, 1), ("tool", 2, 3), ("toolembedding", 1, 2)
    ]  # fmt: skip
    assert family.definitions() == before
    assert stat.S_IMODE(family.quarantine.stat().st_mode) == 0o600
    entries = {(e["table"], e["key"]["id"]): e for e in family.set_aside()}
    kinds = {key: entry["problems"][0]["kind"] for key, entry in entries.items()}
    assert kinds == {
        ("server", 1): "too_long",
        ("tool", 1): "parent_quarantined",
        ("tool", 2): "parent_quarantined",
        ("toolembedding", 1): "parent_quarantined",
        ("tool", 20): "orphan",
        ("toolembedding", 9): "parent_quarantined",
    }
    assert entries[("tool", 1)]["row"] == {"id": 1, "server_id": 1, "name": "t1"}
    assert entries[("tool", 1)]["parent"] == {"table": "server", "key": {"id": 1}}
    # Source rows = loaded rows + set aside rows.
    assert result["rows"] + result["quarantined"] == 11

    assert not family.load(**family.setting_aside(6))["changed"]
    family.quarantine.unlink()
    again = family.load(**family.setting_aside(6))
    assert again["changed"] and again["state"] == "existing" and len(family.set_aside()) == 6


def test_a_row_can_be_restored_from_the_quarantine_file(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE t (k TEXT, b BLOB, f REAL, n INTEGER, PRIMARY KEY (k, n)) WITHOUT ROWID",
        {"t": [("a", b"\x00\xff", float("inf"), 1), ("b", "text", 0.1, 2)]},
    )
    case.postgres("CREATE TABLE t (k text, b text, f float8, n integer, PRIMARY KEY (k, n))")
    case.load(**case.setting_aside(1))
    (entry,) = case.set_aside()
    assert entry["key"] == {"k": "a", "n": 1}
    assert entry["row"] == {"k": "a", "b": {"blob": "00ff"}, "f": {"real": "inf"}, "n": 1}
    assert entry["reason_row"] == "b: SQLite holds blob where text is expected"


def test_tables_without_a_key(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE log (p INTEGER, line TEXT)",
        {"p": [(1,)], "log": [(1, "a"), (2, "b"), (2, "b"), (None, "c"), (1, b"5")]},
    )
    case.postgres("CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE log (p integer REFERENCES p, line text)")
    result = case.load(**case.setting_aside(3))
    assert result["quarantined"] == 3
    assert [(e["key"], e["problems"][0]["kind"]) for e in case.set_aside()] == [
        ({"rowid": 5}, "storage_class"), ({"rowid": 2}, "orphan"), ({"rowid": 3}, "orphan")
    ]  # fmt: skip
    assert case.query("SELECT p, line FROM log ORDER BY line") == [(1, "a"), (None, "c")]


def test_self_references_and_cycles(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER); CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER);"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER)",
        {
            "node": [(1, 3), (2, 1), (3, 1), (4, 99), (5, 4), (6, 5), (7, 7)],
            "a": [(1, 1), (2, 2), (3, None)],
            "b": [(1, 1), (2, 50), (3, 2)],
        },
    )
    case.postgres(
        "CREATE TABLE node (id integer PRIMARY KEY, up integer REFERENCES node);"
        "CREATE TABLE a (id integer PRIMARY KEY, b integer); CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a);"
        "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b"
    )
    assert case.fail()["total"] == 2
    result = case.load(**case.setting_aside(6))
    assert result["quarantined"] == 6
    assert case.query("SELECT id FROM node ORDER BY id") == [(1,), (2,), (3,), (7,)]
    assert case.query("SELECT id FROM a ORDER BY id") == [(1,), (3,)]
    assert case.query("SELECT id FROM b") == [(1,)]
    kinds = {(e["table"], e["key"]["id"]): e["problems"][0]["kind"] for e in case.set_aside()}
    assert kinds[("node", 4)] == "orphan" and kinds[("node", 5)] == kinds[("node", 6)] == "parent_quarantined"
    assert kinds[("b", 2)] == "orphan" and kinds[("a", 2)] == kinds[("b", 3)] == "parent_quarantined"


def test_composite_foreign_keys_and_match_full(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE p (a INTEGER, b TEXT, PRIMARY KEY (a, b)); CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER, b TEXT);"
        "CREATE TABLE f (id INTEGER PRIMARY KEY, a INTEGER, b TEXT)",
        {
            "p": [(1, "x")],
            "c": [(1, 1, "x"), (2, 1, "y"), (3, None, "y")],
            "f": [(1, 1, "x"), (2, None, "x"), (3, None, None)],
        },
    )
    case.postgres(
        "CREATE TABLE p (a integer, b text, PRIMARY KEY (a, b));"
        "CREATE TABLE c (id integer PRIMARY KEY, a bigint, b varchar, FOREIGN KEY (a, b) REFERENCES p);"
        "CREATE TABLE f (id integer PRIMARY KEY, a integer, b text, FOREIGN KEY (a, b) REFERENCES p MATCH FULL)"
    )
    result = case.load(**case.setting_aside(2))
    assert result["quarantined"] == 2
    assert {(e["table"], e["key"]["id"], str(e["problems"][0]["value"])) for e in case.set_aside()} == {
        ("c", 2, "[1, 'y']"), ("f", 2, "[None, 'x']")
    }  # fmt: skip


def test_a_table_that_is_not_imported_refers_to_rows_that_go(family: Case) -> None:
    family.load()
    family.postgres(
        "CREATE TABLE visit (id serial PRIMARY KEY, server integer REFERENCES server); INSERT INTO visit (server) VALUES (7)"
    )
    family.sqlite(
        "DELETE FROM tool WHERE server_id = 7; DELETE FROM toolembedding WHERE tool_id = 9;"
        "DELETE FROM server WHERE id = 7"
    )
    result = family.fail(replace=True)
    assert "not part of this import" in result["advice"]


# Replace


def test_replace_that_fails_leaves_the_old_rows(family: Case) -> None:
    family.load()
    family.postgres("UPDATE server SET name = 'written since' WHERE id = 1")
    family.sqlite("INSERT INTO tool VALUES (30, 1, x'00')")
    result = family.fail(replace=True)
    assert result["counts"] == [{"table": "tool", "kind": "storage_class", "rows": 1}]
    family.sqlite("UPDATE tool SET name = 'fine', server_id = 88 WHERE id = 30")
    assert family.fail(replace=True)["counts"] == [{"table": "tool", "kind": "orphan", "rows": 1}]
    assert family.query("SELECT name FROM server WHERE id = 1") == [("written since",)]
    assert family.load(replace=True, **family.setting_aside(1))["quarantined"] == 1
    assert family.query("SELECT name FROM server WHERE id = 1") == [("a",)]


# Killed, crashed, disturbed


@pytest.mark.parametrize(("table", "finished"), [("server", 0), ("tool", 1), ("toolembedding", 2)])
def test_a_killed_run_is_gone_on_with(family: Case, running: Start, table: str, finished: int) -> None:
    before = family.definitions()
    run = running(family, table)
    run.wait_for("advisory")
    assert len(family.journal("import_table")) == finished
    run.kill()
    run.go_on()
    loaded_before = family.query("SELECT xmin::text FROM server ORDER BY id")

    assert family.run(check=True)["resumed"]
    result = family.load()
    assert result["resumed"] and result["changed"] and result["rows"] == 9
    if finished:
        assert family.query("SELECT xmin::text FROM server ORDER BY id") == loaded_before
    family.postgres("ALTER TABLE " + table + " DROP CONSTRAINT pausing")
    assert family.definitions() == before
    assert family.query("INSERT INTO tool (server_id) VALUES (7) RETURNING id") == [(10,)]


def test_killed_in_the_last_transaction(family: Case, running: Start) -> None:
    run = running(family, "toolembedding")
    run.wait_for("advisory")
    before = family.definitions()
    # The last transaction makes the foreign keys again, for which nobody may be about to write to the parent.
    run.sql("BEGIN")
    run.sql("LOCK TABLE server IN ROW EXCLUSIVE MODE")
    run.go_on()
    run.wait_for("relation")
    assert len(family.journal("import_table")) == 3
    run.kill()
    run.sql("ROLLBACK")
    result = family.load()
    assert result["resumed"] and len(family.definitions()) == len(before) + 2
    assert not family.load()["changed"]


def test_killed_while_undoing(family: Case, running: Start) -> None:
    family.sqlite("INSERT INTO toolembedding VALUES (9, 99, 'orphan')")
    family.postgres(PAUSING.format(table="toolembedding", condition="pause()"))
    before = family.state()
    run = running(family, "toolembedding")
    run.wait_for("advisory")
    run.sql("BEGIN")
    run.sql("LOCK TABLE server IN ACCESS SHARE MODE")  # TRUNCATE waits for it, all before does not
    run.go_on()
    run.wait_for("relation")
    assert family.journal("import_run")
    run.kill()
    run.sql("ROLLBACK")
    result = family.run()
    assert result["failed"] and result["counts"] == [{"table": "toolembedding", "kind": "orphan", "rows": 1}]
    assert family.state() == before and not family.journal("import_run")


def test_a_killed_run_and_another_source(family: Case, running: Start) -> None:
    run = running(family, "tool")
    run.wait_for("advisory")
    run.kill()
    run.go_on()
    family.sqlite("UPDATE server SET name = 'changed' WHERE id = 1")
    result = family.load()
    assert not result["resumed"] and "unfinished import" in str(result["warnings"])
    assert family.query("SELECT name FROM server WHERE id = 1") == [("changed",)]
    assert len(family.journal("import_run")) == 1


def test_a_killed_run_with_quarantine(family: Case, running: Start) -> None:
    family.sqlite("UPDATE server SET name = 'much too long for varchar(20)' WHERE id = 1")
    run = running(family, "tool", **family.setting_aside(4))
    run.wait_for("advisory")
    run.kill()
    run.go_on()
    refused = family.run(**family.setting_aside(3))
    assert refused["failed"] and refused["total"] == 4 and not family.journal("import_run")
    run = running(family, "tool", **family.setting_aside(4))
    run.wait_for("advisory")
    run.kill()
    run.go_on()
    result = family.load(**family.setting_aside(4))
    assert result["resumed"] and result["quarantined"] == 4
    assert {(e["table"], e["key"]["id"]) for e in family.set_aside()} == {
        ("server", 1), ("tool", 1), ("tool", 2), ("toolembedding", 1)
    }  # fmt: skip


def test_killed_in_replace(family: Case, running: Start) -> None:
    family.load()
    family.postgres("UPDATE server SET name = 'mine' WHERE id = 1")
    run = running(family, "tool", replace=True)
    before = family.state()
    run.wait_for("advisory")
    run.kill()
    run.go_on()
    refused = family.run(source=str(family.source), exclude=["toolembedding"])
    assert refused["failed"] and "replace" in refused["advice"]
    assert family.state() == before
    assert not family.load(replace=True)["resumed"]
    assert family.query("SELECT name FROM server WHERE id = 1") == [("a",)]


def test_two_imports_at_once(family: Case, running: Start) -> None:
    run = running(family, "tool")
    run.wait_for("advisory")
    second = family.run()
    assert second["failed"] and second["error"] == "LockedError"
    assert str(run.process.pid) in second["holder"]["application"] and family.database.user in second["msg"]
    run.go_on()
    assert run.result()["state"] == "loaded"
    assert family.load()["state"] == "existing"


def test_rows_of_others_are_never_thrown_away(family: Case, running: Start) -> None:
    run = running(family, "tool")
    run.wait_for("advisory")
    family.postgres("INSERT INTO server VALUES (1000, 'mine')")
    run.go_on()
    result = run.result()
    assert result["failed"] and result["error"] == "JournalError"
    assert result["tables"] == [{"table": "server", "loaded": 3, "found": 4}]
    assert family.query("SELECT name FROM server WHERE id = 1000") == [("mine",)]
    assert family.run()["error"] == "JournalError"
    family.postgres("DELETE FROM server WHERE id = 1000")
    assert family.load()["resumed"]


def test_definitions_that_change_meanwhile(family: Case, running: Start) -> None:
    run = running(family, "tool")
    run.wait_for("advisory")
    family.postgres("ALTER TABLE server ADD COLUMN extra text")
    run.go_on()
    result = run.result()
    assert result["failed"] and result["differences"] == [
        d for d in result["differences"] if "server.extra is new" in d
    ]
    assert family.query("SELECT count(*) FROM server") == [(0,)] and not family.journal("import_run")


def test_a_server_that_crashes(run_module: ModuleRunner, tmp_path: Path, secrets_guard: Any, running: Start) -> None:
    from support.server import running_server

    with running_server(secrets_guard) as server:
        case = Case(server.create_database(), run_module, tmp_path)
        case.sqlite(FAMILY_SOURCE, FAMILY_ROWS)
        case.postgres(FAMILY_TARGET)
        case.postgres("ALTER TABLE tool DROP CONSTRAINT tool_server_id_fkey; ALTER TABLE server SET UNLOGGED")
        run = running(case, "toolembedding")
        run.wait_for("advisory")
        server.stop(signal.SIGQUIT)
        lost = run.result()
        assert lost["failed"] and "same command again" in lost["advice"]
        server.start()
        assert case.query("SELECT count(*) FROM server") == [(0,)]  # which a crash does to unlogged tables
        result = case.load()
        assert not result["resumed"] and result["rows"] == 9
        assert case.query("SELECT count(*) FROM server") == [(3,)]


@pytest.mark.parametrize(("workers", "most"), [(1, 48), (2, 54)])
def test_memory_does_not_grow_with_the_data(case: Case, workers: int, most: int) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, v text)")
    peaks = []
    done = 0
    # Both sizes are loaded in parts.
    for rows in (2_500, 22_500):
        case.sqlite(
            f"WITH RECURSIVE n (i) AS (SELECT {done} + 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
            " INSERT INTO t SELECT i, hex(randomblob(2000)) FROM n"
        )
        case.postgres("TRUNCATE t")
        result = case.load(workers=workers)
        assert (result["rows"], result["workers"], result["bytes"] > 4000 * rows) == (rows, workers, True)
        peaks.append(result["memory_peak_bytes"])
        done = rows
    # The larger one has 80 MB more.
    assert peaks[1] - peaks[0] < 4 << 20 and peaks[1] < most << 20, peaks


HUGE = 120_000_000


@pytest.mark.parametrize(
    ("declared", "kind", "made"),
    [
        ("TEXT", "text", f"hex(randomblob({HUGE} / 2))"),
        # Python takes four bytes for each character of such a text.
        ("TEXT", "text", f"char(128512) || hex(randomblob({HUGE} / 2)) || char(233)"),
        ("BLOB", "bytea", f"randomblob({HUGE})"),
    ],
    ids=["text", "wide", "blob"],
)
def test_a_huge_value_is_not_held_many_times(case: Case, declared: str, kind: str, made: str) -> None:
    case.sqlite(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO t VALUES (1, CAST('small' AS {declared})),"
        f" (3, CAST('x' AS {declared})); INSERT INTO t SELECT 2, {made}"
    )
    case.postgres(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    result = case.load()
    with contextlib.closing(sqlite3.connect(case.source)) as connection:
        [(value, size)] = connection.execute("SELECT CAST(v AS BLOB), length(v) FROM t WHERE id = 2").fetchall()
    as_bytes = "v" if kind == "bytea" else "convert_to(v, 'UTF8')"
    assert case.query(f"SELECT id, length(v), encode(sha256({as_bytes}), 'hex') FROM t WHERE id = 2") == [
        (2, size, hashlib.sha256(value).hexdigest())
    ]
    assert case.query("SELECT id, length(v) FROM t WHERE id <> 2 ORDER BY id") == [(1, 5), (3, 1)]
    assert result["memory_peak_bytes"] < 60_000_000 + 3 * HUGE


def test_large_rows_that_are_read_one_by_one_are_not_held_in_hundreds(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT, v TEXT); WITH RECURSIVE n (i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, 'a', hex(randomblob(250000)) FROM n"
    )
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, kind text, v text)")
    rules = [{"table": "t", "column": "kind", "rule": "map", "options": {"values": {"a": "b"}}}]
    result = case.load(rules=rules)
    assert (result["rows"], result["rules"][0]["values"]) == (300, 300)
    assert case.query("SELECT count(*), min(length(v)) FROM t WHERE kind = 'b'") == [(300, 500_000)]
    # All of them have 150 MB.
    assert result["memory_peak_bytes"] < 90_000_000


def test_long_texts_are_converted_and_refused_like_others(case: Case) -> None:
    long = "\u20ac" * 500_000
    documents = json.dumps({"text": long})
    rows = [
        (1, long, long, documents),
        (2, long + "\x00", long + "\x00", documents),
        (3, "short", long, documents[:-1]),
    ]
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, mended TEXT, doc JSON)", {"t": rows})
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY, v text, mended text, doc jsonb)")
    rules = [{"table": "t", "column": "mended", "rule": "strip_nul"}]
    result = case.load(rules=rules, **case.setting_aside(2))
    assert case.query("SELECT id, md5(v), md5(mended), doc ->> 'text' = v FROM t") == [
        (1, hashlib.md5(long.encode()).hexdigest(), hashlib.md5(long.encode()).hexdigest(), True)
    ]
    assert result["quarantined"] == 2
    first, second = case.set_aside()
    assert [(p["column"], p["kind"]) for p in first["problems"]] == [("v", "nul_character")]
    assert [(p["column"], p["kind"]) for p in second["problems"]] == [("doc", "invalid_json")]
    assert [list(entry["row"].values()) for entry in (first, second)] == [list(row) for row in rows[1:]]
    case.sqlite("DELETE FROM t WHERE id = 3; UPDATE t SET v = mended WHERE id = 1")
    result = case.load(rules=rules, replace=True, **case.setting_aside(1))
    assert result["rows"] == 1 and result["rules"] == []


# The reference application

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_application(case: Case) -> None:
    python = os.environ.get("MCPS_APPLICATION_PYTHON", str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"))
    assert Path(python).exists(), "run: make venv-app"

    def application(url: str, *command: str) -> str:
        done = subprocess.run(
            [python, "-B", "-m", *command],
            cwd=ROOT / "examples" / "mcps",
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    here, there = f"sqlite+aiosqlite:///{case.source}", case.database.url("asyncpg")
    for url in (here, there):
        application(url, "alembic", "upgrade", "head")
    application(here, "packages.harvester.cli", "seed", "--servers", "500")
    before = case.definitions()
    result = case.load()
    assert case.definitions() == before and len(result["tables"]) == 15
    assert application(there, "packages.harvester.cli", "stats") == application(here, "packages.harvester.cli", "stats")
    assert not case.load()["changed"]
    # Everything that the application adds gets a key of its own.
    added = application(there, "packages.harvester.cli", "seed", "--servers", "3", "--seed", "99", "--append")
    assert added
    assert case.query("SELECT count(*) FROM server") == [(503,)]
    assert case.query("SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid") == [(False,)]
