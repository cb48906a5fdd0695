# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification on a real file and a real server: what is equal is equal, and every planted fault is found and named.

Both sides are filled by hand here, never by this collection's own conversions, so that a wrong conversion shows.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._postgres._reader import row_query
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._keys import OrderTerm
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import TargetTable

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner
    from support.server import Database

ROOT = Path(__file__).resolve().parents[2]

SOURCE_SCHEMA = """
CREATE TABLE server (
    id INTEGER PRIMARY KEY, uuid CHAR(32) NOT NULL UNIQUE, host VARCHAR(10), name VARCHAR, small SMALLINT, big BIGINT,
    score FLOAT, single FLOAT, price NUMERIC(10, 2), active BOOLEAN, created DATETIME, aware DATETIME, day DATE,
    at TIME, span DATETIME, raw BLOB, doc JSON, meta JSON, tags JSON, embedding BLOB, fixed CHAR(5)
);
CREATE TABLE tool (
    id INTEGER PRIMARY KEY, server_id INTEGER REFERENCES server (id), name TEXT
);
CREATE TABLE log (line TEXT, level INTEGER);
"""

TARGET_SCHEMA = """
CREATE TYPE host_type AS ENUM ('GITLAB', 'GITHUB');
CREATE TABLE server (
    id serial PRIMARY KEY, uuid uuid NOT NULL UNIQUE, host host_type, name varchar, small smallint, big bigint,
    score float8, single real, price numeric(10, 2), active boolean, created timestamp, aware timestamptz, day date,
    at time, span interval, raw bytea, doc json, meta jsonb, tags text[], embedding vector(3), fixed char(5)
);
CREATE TABLE tool (
    id serial PRIMARY KEY, server_id integer REFERENCES server (id), name text
);
CREATE TABLE log (line text, level integer);
CREATE INDEX tool_name ON tool (name);
"""

LONG = "x" * 3000
VECTOR = struct.pack("<3f", 0.1, -0.0, 2.5)

SERVERS: list[tuple[Any, ...]] = [
    (
        1, "0123456789ABCDEF0123456789abcdef", "GITHUB", "Zoë\t\\n\n'q'", 7, 2**40, 0.1 + 0.2, 0.5, 12.5, 1,
        "2025-01-02 03:04:05.000006", "2025-01-02 03:04:05+02:00", "2025-01-02", "03:04:05.5",
        "1970-01-03 01:00:00.000000", b"\x00\x01\xfe\xff" * 40, '{"a":  1}', '{"b": [1.50, true, null], "a": "\\u00e9"}',
        '["a", "b,c", "", null, "NULL"]', VECTOR, "ab",
    ),
    (2, "fedcba98-7654-3210-fedc-ba9876543210", "GITLAB", "", None, None, 0.0, None, None, 0, "2025-01-02 03:04:05",
     None, None, None, None, b"", "null", "null", "[]", None, None),
    (3, "00000000000000000000000000000001", None, LONG + "e\u0301", 0, 0, 5e-324, 1.0, 3, None, None, None, None, None,
     None, None, None, None, None, None, ""),
    (10, "00000000000000000000000000000002", None, " trailing ", 0, 0, 1e300, -1.0, 0, None, "0999-12-31", None, None,
     "23:59:59", None, None, None, None, None, None, None),
]  # fmt: skip

SERVERS_LITERALS: list[tuple[Any, ...]] = [
    (
        1, "01234567-89ab-cdef-0123-456789abcdef", "GITHUB", "Zoë\t\\n\n'q'", 7, 2**40, "0.30000000000000004", "0.5",
        "12.50", True, "2025-01-02 03:04:05.000006", "2025-01-02 01:04:05+00", "2025-01-02", "03:04:05.5",
        "P2DT1H", psycopg2.Binary(b"\x00\x01\xfe\xff" * 40), '{"a":  1}', '{"a": "é", "b": [1.5, true, null]}',
        '{a,"b,c","",NULL,"NULL"}', "[0.1,-0,2.5]", "ab",
    ),
    (2, "fedcba98-7654-3210-fedc-ba9876543210", "GITLAB", "", None, None, "0", None, None, False,
     "2025-01-02 03:04:05", None, None, None, None, psycopg2.Binary(b""), "null", "null", "{}", None, None),
    (3, "00000000-0000-0000-0000-000000000001", None, LONG + "e\u0301", 0, 0, "5e-324", 1, 3, None, None, None, None,
     None, None, None, None, None, None, None, ""),
    (10, "00000000-0000-0000-0000-000000000002", None, " trailing ", 0, 0, "1e300", -1, 0, None, "0999-12-31 00:00:00",
     None, None, "23:59:59", None, None, None, None, None, None, None),
]  # fmt: skip

TOOLS = [(number, 1 + number % 3, f"tool {number}") for number in range(1, 6)]
LOG = [("a", 1), ("a", 1), ("", None), (None, 2)]


def insert(table: str, mark: str, width: int) -> str:
    return "INSERT INTO {} VALUES ({})".format(table, ", ".join([mark] * width))


class Pair:
    """A SQLite file and a PostgreSQL database side by side."""

    def __init__(self, path: Path, database: Database, run_module: ModuleRunner) -> None:
        self.path = path
        self.database = database
        self.run_module = run_module

    def sqlite(self, script: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            if rows:
                connection.executemany(script, rows)
            else:
                connection.executescript(script)

    def postgres(self, statement: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        with contextlib.closing(self.database.connect()) as connection, connection, connection.cursor() as cursor:
            if rows:
                cursor.executemany(statement, rows)
            else:
                cursor.execute(statement)

    def verify(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"source": str(self.path), **self.database.login, **options}
        return self.run_module("migration_verify_info", arguments, check=check)

    def table(
        self, sqlite: str, postgres: str, rows: Sequence[Sequence[Any]], literals: Sequence[Sequence[Any]]
    ) -> None:
        """One table V(t) on each side, with rows."""
        self.sqlite(f"CREATE TABLE t {sqlite}")
        self.postgres(f"CREATE TABLE t {postgres}")
        if rows:
            self.sqlite(insert("t", "?", len(rows[0])), rows)
        if literals:
            self.postgres(insert("t", "%s", len(literals[0])), literals)


@pytest.fixture
def pair(tmp_path: Path, database: Database, run_module: ModuleRunner) -> Pair:
    return Pair(tmp_path / "application.sqlite", database, run_module)


@pytest.fixture
def moved(pair: Pair) -> Pair:
    """A pair whose sides are equal, with a value of every type."""
    pair.sqlite(SOURCE_SCHEMA)
    pair.sqlite(insert("server", "?", 21), SERVERS)
    pair.sqlite("INSERT INTO tool VALUES (?, ?, ?)", TOOLS)
    pair.sqlite("INSERT INTO log VALUES (?, ?)", LOG)
    pair.postgres(TARGET_SCHEMA)
    pair.postgres(insert("server", "%s", 21), SERVERS_LITERALS)
    pair.postgres("INSERT INTO tool VALUES (%s, %s, %s)", TOOLS)
    pair.postgres("INSERT INTO log VALUES (%s, %s)", LOG[::-1])
    pair.postgres("SELECT setval('server_id_seq', 10), setval('tool_id_seq', 5)")
    return pair


def listed(result: dict[str, Any]) -> list[tuple[str, str, str, str, str, str]]:
    assert not result.get("failed"), result
    return [
        tuple(d[name] for name in ("kind", "table", "key", "column", "source", "target")) for d in result["differences"]
    ]


def test_equal_sides_are_equal(moved: Pair) -> None:
    result = moved.verify()
    assert listed(result) == []
    assert result["equal"] is True
    assert result["changed"] is False
    assert (result["rows"], result["values"]) == (13, 4 * 21 + 5 * 3 + 4 * 2)
    assert [(t["table"], t["source_rows"], t["target_rows"], t["order"]) for t in result["tables"]] == [
        ("log", 4, 4, "content"),
        ("server", 4, 4, "streamed"),
        ("tool", 5, 5, "ranges"),
    ]
    assert result["sequences"] == [
        {"sequence": "public.server_id_seq", "table": "server", "column": "id", "next": 11, "max": 10, "ok": True},
        {"sequence": "public.tool_id_seq", "table": "tool", "column": "id", "next": 6, "max": 5, "ok": True},
    ]
    assert result["constraints"] == result["indexes"] == result["schema"] == []
    check = moved.verify(check=True)
    for document in (result, check):
        document.pop("invocation")
        document.pop("seconds")
        for table in document["tables"]:
            table.pop("seconds")
    assert check == result


# Each fault: what is done to the target, then kind, table, key, column, and what source and target must show.
FAULTS = {
    "flipped bit in text": (
        "UPDATE server SET name = overlay(name PLACING 'y' FROM 2000 FOR 1) WHERE id = 3",
        ("different", "server", "id=3", "name", "at character 1999: ...'" + "x" * 20 + "x", "at character 1999: ...'" + "x" * 20 + "y"),
    ),
    "flipped bit in bytea": (
        "UPDATE server SET raw = set_bit(raw, 1000, 1 - get_bit(raw, 1000)) WHERE id = 1",
        ("different", "server", "id=1", "raw", "at character 253: ", "at character 253: "),
    ),
    "last bit of a float": (
        "UPDATE server SET score = 0.3 WHERE id = 1",
        ("different", "server", "id=1", "score", "0.30000000000000004", "'0.3'"),
    ),
    "smallest float lost": (
        "UPDATE server SET score = 0 WHERE id = 3",
        ("different", "server", "id=3", "score", "5e-324", "'0'"),
    ),
    "sign of zero": (
        "UPDATE server SET score = '-0' WHERE id = 2",
        ("different", "server", "id=2", "score", "0.0", "'-0'"),
    ),
    "component of a vector": (
        "UPDATE server SET embedding = '[0.1,-0,2.5000002]' WHERE id = 1",
        ("different", "server", "id=1", "embedding", "x'cdcccc3d0000008000002040'", "'[0.1,-0,2.5000002]'"),
    ),
    "sign of a vector's zero": (
        "UPDATE server SET embedding = '[0.1,0,2.5]' WHERE id = 1",
        ("different", "server", "id=1", "embedding", "x'cdcccc3d0000008000002040'", "'[0.1,0,2.5]'"),
    ),
    "one microsecond": (
        "UPDATE server SET created = created + interval '1 microsecond' WHERE id = 1",
        ("different", "server", "id=1", "created", "'2025-01-02 03:04:05.000006'", "'2025-01-02 03:04:05.000007'"),
    ),
    "one microsecond of an interval": (
        "UPDATE server SET span = span + interval '1 microsecond' WHERE id = 1",
        ("different", "server", "id=1", "span", "'1970-01-03 01:00:00.000000'", "'P2DT1H0.000001S'"),
    ),
    "dropped offset": (
        "UPDATE server SET aware = '2025-01-02 03:04:05+00' WHERE id = 1",
        ("different", "server", "id=1", "aware", "'2025-01-02 03:04:05+02:00'", "'2025-01-02 03:04:05+00'"),
    ),
    "one day": (
        "UPDATE server SET day = day + 1 WHERE id = 1",
        ("different", "server", "id=1", "day", "'2025-01-02'", "'2025-01-03'"),
    ),
    "NULL for an empty text": (
        "UPDATE server SET name = NULL WHERE id = 2",
        ("different", "server", "id=2", "name", "''", "NULL"),
    ),
    "NULL for no bytes": (
        "UPDATE server SET raw = NULL WHERE id = 2",
        ("different", "server", "id=2", "raw", "x''", "NULL"),
    ),
    "an empty text for NULL": (
        "UPDATE tool SET server_id = 3 WHERE id = 1",
        ("different", "tool", "id=1", "server_id", "2", "'3'"),
    ),
    "SQL NULL for JSON null": (
        "UPDATE server SET meta = NULL WHERE id = 2",
        ("different", "server", "id=2", "meta", "'null'", "NULL"),
    ),
    "JSON null for SQL NULL": (
        "UPDATE server SET doc = 'null' WHERE id = 3",
        ("different", "server", "id=3", "doc", "NULL", "'null'"),
    ),
    "jsonb number": (
        "UPDATE server SET meta = jsonb_set(meta, '{b,0}', '1.51') WHERE id = 1",
        ("different", "server", "id=1", "meta", '\'{"b": [1.50, true', '\'{"a": "é", "b": [1.51, true'),
    ),
    "true is not 1": (
        "UPDATE server SET meta = jsonb_set(meta, '{b,1}', '1') WHERE id = 1",
        ("different", "server", "id=1", "meta", '\'{"b": [1.50, true', '\'{"a": "é", "b": [1.5, 1,'),
    ),
    'json spelling': (
        "UPDATE server SET doc = '{\"a\": 1}' WHERE id = 1",
        ("different", "server", "id=1", "doc", "'{\"a\":  1}'", "'{\"a\": 1}'"),
    ),
    "order of an array": (
        "UPDATE server SET tags = '{\"b,c\",a,\"\",NULL,\"NULL\"}' WHERE id = 1",
        ("different", "server", "id=1", "tags", "'[\"a\", \"b,c\"", "'{\"b,c\",a,"),
    ),
    "NULL in an array": (
        "UPDATE server SET tags = '{a,\"b,c\",\"\",NULL,NULL}' WHERE id = 1",
        ("different", "server", "id=1", "tags", "'[\"a\", \"b,c\"", "'{a,\"b,c\",\"\",NULL,NULL}'"),
    ),
    "NULL for an empty array": (
        "UPDATE server SET tags = NULL WHERE id = 2",
        ("different", "server", "id=2", "tags", "'[]'", "NULL"),
    ),
    "trailing blank": (
        "UPDATE server SET name = ' trailing' WHERE id = 10",
        ("different", "server", "id=10", "name", "' trailing '", "' trailing'"),
    ),
    "composed accent": (
        "UPDATE server SET name = left(name, -2) || 'é' WHERE id = 3",
        ("different", "server", "id=3", "name", "at character 3000: ...'" + "x" * 20 + "e\\u0301'", "at character 3000: ...'" + "x" * 20 + "\\xe9'"),
    ),
    "another label": (
        "UPDATE server SET host = 'GITLAB' WHERE id = 1",
        ("different", "server", "id=1", "host", "'GITHUB'", "'GITLAB'"),
    ),
    "another uuid": (
        "UPDATE server SET uuid = '01234567-89ab-cdef-0123-456789abcdee' WHERE id = 1",
        ("different", "server", "id=1", "uuid", "'0123456789ABCDEF0123456789abcdef'", "'01234567-89ab-cdef-0123-456789abcdee'"),
    ),
    "one cent": (
        "UPDATE server SET price = 12.51 WHERE id = 1",
        ("different", "server", "id=1", "price", "12.5", "'12.51'"),
    ),
    "boolean": (
        "UPDATE server SET active = true WHERE id = 2",
        ("different", "server", "id=2", "active", "0", "'t'"),
    ),
    "missing row": (
        "DELETE FROM tool WHERE id = 4",
        ("missing", "tool", "id=4", "", "id=4, server_id=2, name='tool 4'", "(no row)"),
    ),
    "missing last row": (
        "DELETE FROM server WHERE id = 10",
        ("missing", "server", "id=10", "", "id=10, uuid='00000000000000000000000000000002', host=NULL", "(no row)"),
    ),
    "extra row": (
        "INSERT INTO tool VALUES (0, 1, 'new')",
        ("extra", "tool", "id=0", "", "(no row)", "id='0', server_id='1', name='new'"),
    ),
    "missing duplicate": (
        "DELETE FROM log WHERE ctid = (SELECT max(ctid) FROM log WHERE line = 'a')",
        ("missing", "log", "rowid=", "", "line='a', level=1", "(no row)"),
    ),
    "extra duplicate": (
        "INSERT INTO log VALUES ('a', 1)",
        ("extra", "log", "ctid=(0,5)", "", "(no row)", "line='a', level='1'"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(moved: Pair, fault: str) -> None:
    statement, expected = FAULTS[fault]
    moved.postgres(statement)
    result = moved.verify()
    (found,) = listed(result)
    assert found[:2] == expected[:2]
    assert found[2].startswith(expected[2])
    assert found[3] == expected[3]
    for shown, wanted in zip(found[4:], expected[4:], strict=True):
        assert shown.startswith(wanted)
    assert found[4] != found[5]
    assert result["equal"] is False
    assert result["differing"] == 1
    assert [t["table"] for t in result["tables"] if not t["equal"]] == [expected[1]]


def test_swapped_rows(moved: Pair) -> None:
    moved.postgres("UPDATE tool SET name = CASE id WHEN 1 THEN 'tool 2' ELSE 'tool 1' END WHERE id IN (1, 2)")
    assert listed(moved.verify()) == [
        ("different", "tool", "id=1", "name", "'tool 1'", "'tool 2'"),
        ("different", "tool", "id=2", "name", "'tool 2'", "'tool 1'"),
    ]


def test_a_changed_row_without_a_key(moved: Pair) -> None:
    moved.postgres("UPDATE log SET line = NULL WHERE line = ''")
    found = listed(moved.verify())
    assert sorted(row[0] for row in found) == ["extra", "missing"]
    missing = next(row for row in found if row[0] == "missing")
    assert missing[2:] == ("rowid=3", "", "line='', level=NULL", "(no row)")
    extra = next(row for row in found if row[0] == "extra")
    assert extra[5] == "line=NULL, level=NULL"


def test_differences_are_bounded_by_table(moved: Pair) -> None:
    moved.postgres("UPDATE tool SET name = 'x'")
    moved.postgres("UPDATE server SET active = NULL")
    result = moved.verify(max_differences=2)
    assert [row[1] for row in listed(result)] == ["server", "server", "tool", "tool"]
    assert result["differing"] == 5 + 2


# What stands around the rows


def test_a_sequence_behind(moved: Pair) -> None:
    moved.postgres("SELECT setval('tool_id_seq', 4)")
    result = moved.verify()
    assert result["equal"] is False
    assert [s for s in result["sequences"] if not s["ok"]] == [
        {"sequence": "public.tool_id_seq", "table": "tool", "column": "id", "next": 5, "max": 5, "ok": False}
    ]
    assert moved.verify()["sequences"] == result["sequences"], "reading consumed a value"


def test_a_sequence_beyond_the_target_but_not_the_source(moved: Pair) -> None:
    moved.sqlite("INSERT INTO tool VALUES (100, 1, 'late')")
    sequences = {s["sequence"]: s for s in moved.verify()["sequences"]}
    assert sequences["public.tool_id_seq"]["max"] == 100
    assert sequences["public.tool_id_seq"]["ok"] is False


def test_an_identity_column_and_a_sequence_that_only_a_default_names(pair: Pair) -> None:
    pair.sqlite("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY)")
    pair.sqlite("INSERT INTO a VALUES (?)", [(7,)])
    pair.sqlite("INSERT INTO b VALUES (?)", [(7,)])
    pair.postgres(
        "CREATE TABLE a (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY); INSERT INTO a VALUES (7);"
        " CREATE SEQUENCE shared INCREMENT 10; CREATE TABLE b (id integer PRIMARY KEY DEFAULT nextval('shared'));"
        " INSERT INTO b VALUES (7); SELECT nextval('shared')"
    )
    found = {s["table"]: (s["sequence"], s["next"], s["ok"]) for s in pair.verify()["sequences"]}
    assert found == {"a": ("public.a_id_seq", 1, False), "b": ("public.shared", 11, True)}


def test_a_constraint_that_is_not_valid(moved: Pair) -> None:
    moved.postgres("ALTER TABLE tool ADD CONSTRAINT named CHECK (name <> 'tool') NOT VALID")
    result = moved.verify()
    assert result["equal"] is False
    assert [(c["table"], c["name"]) for c in result["constraints"]] == [("tool", "named")]
    assert "not validated" in result["constraints"][0]["reason"]


def test_a_foreign_key_whose_triggers_are_off(moved: Pair, postgres: Any) -> None:
    with contextlib.closing(postgres.as_superuser(moved.database.name).connect()) as connection, connection:
        connection.cursor().execute("ALTER TABLE tool DISABLE TRIGGER ALL")
    result = moved.verify()
    assert result["equal"] is False
    assert [(c["table"], c["name"]) for c in result["constraints"]] == [("tool", "tool_server_id_fkey")]


def test_an_index_that_is_not_valid(moved: Pair) -> None:
    with contextlib.closing(moved.database.connect()) as connection:
        connection.autocommit = True
        with pytest.raises(psycopg2.errors.UniqueViolation):
            connection.cursor().execute("CREATE UNIQUE INDEX CONCURRENTLY one_line ON log (line)")
    result = moved.verify()
    assert result["equal"] is False
    assert [(i["table"], i["name"]) for i in result["indexes"]] == [("log", "one_line")]


def test_missing_counterparts_are_told(moved: Pair) -> None:
    moved.postgres(
        "ALTER TABLE tool DROP CONSTRAINT tool_server_id_fkey; ALTER TABLE server DROP CONSTRAINT server_uuid_key"
    )
    result = moved.verify()
    assert result["equal"] is True
    assert [(p["table"], p["column"], p["severity"]) for p in result["schema"]] == [
        ("server", "uuid", "warning"),
        ("tool", "server_id", "warning"),
    ]


def test_a_key_that_autoincrement_gave_out_once(pair: Pair) -> None:
    pair.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (1), (50); DELETE FROM t WHERE id = 50"
    )
    pair.postgres("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (1); SELECT setval('t_id_seq', 1)")
    (sequence,) = pair.verify()["sequences"]
    assert (sequence["next"], sequence["max"], sequence["ok"]) == (2, 50, False)


def test_a_sequence_of_a_column_that_only_the_target_has(pair: Pair) -> None:
    pair.sqlite("CREATE TABLE t (k TEXT PRIMARY KEY); INSERT INTO t VALUES ('a'), ('b')")
    pair.postgres("CREATE TABLE t (k text PRIMARY KEY, n serial); INSERT INTO t VALUES ('a', 1), ('b', 7)")
    (sequence,) = pair.verify()["sequences"]
    assert (sequence["next"], sequence["max"], sequence["ok"]) == (1, 7, False)


# Keys


def test_text_keys_of_every_kind(pair: Pair) -> None:
    keys = [
        "",
        "A",
        "B",
        "Z",
        "a",
        "a ",
        "aa",
        "b",
        "z",
        "é",
        "e\u0301",
        "\ue000",
        "\uffff",
        "\U00010000",
        "\U0010ffff",
        "ß",
        "'",
        "\\",
        "\t",
        "\n",
        "%s",
    ]
    pair.table(
        "(k TEXT COLLATE NOCASE, v INTEGER, PRIMARY KEY (k COLLATE BINARY))",
        '(k text COLLATE "C" PRIMARY KEY, v integer)',
        [(k, 1) for k in keys],
        [(k, 1) for k in keys],
    )
    result = pair.verify()
    assert listed(result) == []
    assert result["equal"] is True
    assert result["tables"][0]["order"] == "streamed"
    assert result["tables"][0]["target_rows"] == len(keys)


def test_text_is_asked_for_in_the_order_of_its_bytes(database: Database) -> None:
    # Whatever the column's own collation is: the test's server may have no other than C.
    table = TargetTable("s", 't"', (), ())
    with contextlib.closing(database.connect()) as connection:
        query = row_query(table, ["k", "n"], [OrderTerm("k", as_text=True, nulls_first=True), OrderTerm("n")])
        assert query.as_string(connection) == (
            'SELECT "k", "n" FROM "s"."t""" ORDER BY "k"::pg_catalog.text COLLATE pg_catalog."C" NULLS FIRST, "n"'
        )


def test_uuid_keys_in_mixed_spellings(pair: Pair) -> None:
    keys = [f"{number * 0x3A5C7:032x}" for number in range(40)]
    spelled = [
        key.upper()
        if i % 3 == 0
        else f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
        if i % 3 == 1
        else key
        for i, key in enumerate(keys)
    ]
    pair.table(
        "(k CHAR(32) PRIMARY KEY, v INTEGER)",
        "(k uuid PRIMARY KEY, v integer)",
        [(k, i) for i, k in enumerate(spelled)],
        [(k, i) for i, k in enumerate(keys)],
    )
    result = pair.verify()
    assert result["equal"] is True
    assert result["tables"][0]["order"] == "source"
    pair.postgres("UPDATE t SET v = 99 WHERE k = %s", [(keys[7],)])
    pair.postgres("DELETE FROM t WHERE k = %s", [(keys[8],)])
    dashed = f"{keys[7][:8]}-{keys[7][8:12]}-{keys[7][12:16]}-{keys[7][16:20]}-{keys[7][20:]}"
    found = listed(pair.verify())
    assert found[0] == ("different", "t", f"k='{dashed}'", "v", "7", "'99'")
    assert [row[0] for row in found] == ["different", "missing"]


@pytest.mark.parametrize(
    "sqlite_type, target_type, pairs",
    [
        (
            "DATETIME",
            "timestamp",
            [
                ("2025-01-01 00:00:00", "2025-01-01"),
                ("2025-01-01T00:00:00.5", "2025-01-01 00:00:00.5"),
                ("2025-01-01 00:00:00.45", "2025-01-01 00:00:00.45"),
            ],
        ),
        (
            "DATETIME",
            "timestamptz",
            [
                ("2025-01-01 05:00:00+05:00", "2025-01-01 00:00:00+00"),
                ("2025-01-01 01:00:00Z", "2025-01-01 01:00:00+00"),
            ],
        ),
        ("DATE", "date", [("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31")]),
        (
            "BLOB",
            "bytea",
            [(b"", b""), (b"\x00", b"\x00"), (b"\x00\x00", b"\x00\x00"), (b"\xff", b"\xff"), (b"a", b"a")],
        ),
        ("BOOLEAN", "boolean", [(0, False), (1, True)]),
        ("TEXT", "mood", [("SAD", "SAD"), ("HAPPY", "HAPPY")]),
        ("NUMERIC", "numeric", [(-1.5, "-1.50"), (0, "0.000"), (2, "2"), (10, "10.0"), (9.75, "9.75")]),
        ("REAL", "float8", [(-1e300, "-1e300"), (0.0, "0"), (0.1, "0.1"), (3.0, "3")]),
        ("REAL", "real", [(-0.5, "-0.5"), (0.25, "0.25"), (3.0, "3")]),
        ("TEXT", "interval", [("PT36H", "36:00:00"), ("P1D", "1 day"), ("P1M", "1 month")]),
        ("TEXT", "text[]", [('["b"]', "{b}"), ('["a", "c"]', "{a,c}"), ("[]", "{}")]),
        ("CHAR(3)", "char(3)", [("a", "a"), ("ab", "ab"), ("b", "b"), ("", "")]),
    ],
)
def test_keys_of_every_type(pair: Pair, sqlite_type: str, target_type: str, pairs: list[tuple[Any, Any]]) -> None:
    pair.postgres("CREATE TYPE mood AS ENUM ('SAD', 'HAPPY')")
    literals = [(psycopg2.Binary(k) if isinstance(k, bytes) else k, i) for i, (_, k) in enumerate(pairs)]
    pair.table(
        f"(k {sqlite_type} PRIMARY KEY, v INTEGER)",
        f"(k {target_type} PRIMARY KEY, v integer)",
        [(k, i) for i, (k, _) in enumerate(pairs)],
        literals,
    )
    result = pair.verify()
    assert listed(result) == []
    assert result["equal"] is True
    assert result["tables"][0]["compared_values"] == 2 * len(pairs)
    pair.postgres("UPDATE t SET v = 99 WHERE v = 1")
    (found,) = listed(pair.verify())
    assert (found[0], found[3:]) == ("different", ("v", "1", "'99'"))


def test_composite_keys_without_rowid(pair: Pair) -> None:
    rows = [
        (name, number, f"{name}{number}")
        for name in ("a", "B", "é", "\uffff", "\U00010000")
        for number in (-1, 0, 10, 2)
    ]
    pair.table(
        "(name TEXT, number INTEGER, v TEXT, PRIMARY KEY (number, name)) WITHOUT ROWID",
        "(name text, number integer, v text, PRIMARY KEY (name, number))",
        rows,
        rows,
    )
    result = pair.verify()
    assert result["equal"] is True
    assert result["tables"][0]["order"] == "streamed"
    pair.postgres("UPDATE t SET v = '' WHERE name = 'B' AND number = 10")
    assert listed(pair.verify()) == [("different", "t", "number=10, name='B'", "v", "'B10'", "''")]


def test_a_renamed_key_of_another_type(pair: Pair) -> None:
    pair.sqlite("CREATE TABLE old (key INTEGER PRIMARY KEY, v TEXT)")
    pair.sqlite("INSERT INTO old VALUES (?, ?)", [(n, str(n)) for n in (1, 2, 9, 10, 11, 100)])
    pair.postgres("CREATE TABLE new (name text PRIMARY KEY, v text)")
    pair.postgres("INSERT INTO new VALUES (%s, %s)", [(str(n), str(n)) for n in (1, 2, 9, 10, 11, 100)])
    options = {
        "rename_tables": {"old": "new"},
        "rename_columns": {"old.key": "name"},
        "rules": [{"table": "old", "column": "key", "rule": "to_text"}],
    }
    result = pair.verify(**options)
    assert result["equal"] is True
    assert (result["tables"][0]["table"], result["tables"][0]["target"]) == ("old", "new")
    pair.postgres("DELETE FROM new WHERE name = '10'")
    assert [(row[0], row[2]) for row in listed(pair.verify(**options))] == [("missing", "key='10'")]


def test_null_in_a_key_of_sqlite(pair: Pair) -> None:
    pair.table(
        "(k TEXT PRIMARY KEY, v INTEGER)",
        "(k text UNIQUE, v integer)",
        [("a", 1), (None, 2), (None, 3)],
        [("a", 1), (None, 3), (None, 2)],
    )
    result = pair.verify()
    assert result["equal"] is True
    assert result["tables"][0]["order"] == "content"


def test_duplicates_in_a_target_without_a_key(pair: Pair) -> None:
    pair.table(
        "(k INTEGER PRIMARY KEY, v TEXT)", "(k integer, v text)", [(1, "a"), (2, "b")], [(1, "a"), (2, "b"), (2, "b")]
    )
    assert listed(pair.verify()) == [("extra", "t", "k=2", "", "(no row)", "k='2', v='b'")]


def test_minus_zero_where_sqlite_keeps_it(pair: Pair) -> None:
    # A column of REAL affinity stores -0.0 as 0; one without a type keeps it.
    pair.table(
        "(k INTEGER PRIMARY KEY, v)", "(k integer PRIMARY KEY, v float8)", [(1, -0.0), (2, -0.0)], [(1, "-0"), (2, "0")]
    )
    assert listed(pair.verify()) == [("different", "t", "k=2", "v", "-0.0", "'0'")]


def test_numbers_of_jsonb_by_meaning(pair: Pair) -> None:
    pairs = [
        ("1.0", "1"),
        ("1e2", "100"),
        ("0.10", "0.1"),
        ('"1"', "1"),
        ("true", "1"),
        ("12345678901234567890.5", "12345678901234567890.6"),
    ]
    pair.table(
        "(k INTEGER PRIMARY KEY, v JSON)",
        "(k integer PRIMARY KEY, v jsonb)",
        [(i, a) for i, (a, _) in enumerate(pairs)],
        [(i, b) for i, (_, b) in enumerate(pairs)],
    )
    pair_keys = [row[2] for row in listed(pair.verify())]
    assert pair_keys == ["k=3", "k=4", "k=5"]


# Rows that do not fit, rules


def test_rows_that_do_not_fit_are_differences(pair: Pair) -> None:
    pair.table(
        "(k INTEGER PRIMARY KEY, active BOOLEAN, v TEXT)",
        "(k integer PRIMARY KEY, active boolean, v text)",
        [(1, "yes", "a"), (2, 1, b"bytes"), (2**40, 1, "c")],
        [(1, True, "b")],
    )
    found = listed(pair.verify())
    assert sorted(row[:4] for row in found) == [
        ("different", "t", "k=1", "active"),
        ("different", "t", "k=1", "v"),
        ("missing", "t", f"k={2**40}", "k"),
        ("missing", "t", "k=2", "v"),
    ]
    assert any("outside integer" in row[5] for row in found)
    assert any("neither 0 nor 1" in row[4] for row in found)


def test_declared_rules_apply(pair: Pair) -> None:
    pair.table(
        "(k INTEGER PRIMARY KEY, active BOOLEAN)",
        "(k integer PRIMARY KEY, active boolean)",
        [(1, "yes"), (2, "no")],
        [(1, True), (2, True)],
    )
    rules = [{"column": "active", "rule": "map", "options": {"values": {"yes": True, "no": False}}}]
    assert listed(pair.verify(rules=rules)) == [("different", "t", "k=2", "active", "'no'", "'t'")]


def test_quarantined_rows(pair: Pair, tmp_path: Path) -> None:
    pair.table(
        "(k INTEGER PRIMARY KEY, v TEXT)",
        "(k integer PRIMARY KEY, v text)",
        [(1, "a"), (2, b"b"), (3, "c")],
        [(1, "a")],
    )
    file = tmp_path / "quarantine.jsonl"
    file.write_text("".join(json.dumps({"table": "t", "key": {"k": k}}) + "\n" for k in (2, 3)))
    result = pair.verify(quarantine_file=str(file))
    assert result["equal"] is True
    assert result["quarantine"] == {"listed": 2, "found": 2, "problems": []}
    assert (result["tables"][0]["quarantined"], result["tables"][0]["source_rows"]) == (2, 3)
    pair.postgres("INSERT INTO t VALUES (3, 'c')")
    assert [row[:3] for row in listed(pair.verify(quarantine_file=str(file)))] == [("extra", "t", "k=3")]
    pair.sqlite("DELETE FROM t WHERE k = 3")
    pair.postgres("DELETE FROM t WHERE k = 3")
    result = pair.verify(quarantine_file=str(file))
    assert (result["equal"], result["differing"]) == (False, 0)
    assert result["quarantine"]["problems"] == ["t: 2 rows are listed, and the source has 1 of them"]
    assert pair.verify(quarantine_file=str(tmp_path / "none"))["differing"] == 1


def test_sides_that_do_not_fit_together_are_an_error(pair: Pair) -> None:
    pair.sqlite("CREATE TABLE t (k INTEGER PRIMARY KEY); CREATE TABLE lost (k INTEGER PRIMARY KEY)")
    pair.postgres("CREATE TABLE t (k integer PRIMARY KEY)")
    result = pair.verify()
    assert result["failed"]
    assert result["error"] == "MappingError"
    assert "lost" in result["msg"]
    assert pair.verify(exclude=["lost"])["equal"] is True


def test_a_missing_source_is_an_error(pair: Pair) -> None:
    result = pair.verify()
    assert result["failed"]
    assert result["error"] == "SourceError"
    assert not pair.path.exists()


# How it reads


def test_nothing_is_written_and_progress_is_told(moved: Pair, tmp_path: Path) -> None:
    before = moved.path.read_bytes()
    result = moved.verify(progress_file=str(tmp_path / "progress.json"))
    assert result["equal"] is True
    assert moved.path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["application.sqlite", "progress.json"]
    status = json.loads((tmp_path / "progress.json").read_text())
    assert (status["step"], status["tables_done"], status["all_rows"], status["all_rows_total"]) == (
        "verify",
        3,
        13,
        13,
    )


def test_a_role_that_may_only_read_is_enough(moved: Pair, postgres: Any) -> None:
    with contextlib.closing(postgres.as_superuser(moved.database.name).connect()) as connection, connection:
        connection.cursor().execute(
            "CREATE ROLE reader LOGIN PASSWORD 'reader reader'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;"
            " GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader"
        )
    try:
        assert moved.verify(login_user="reader", login_password="reader reader")["equal"] is True
    finally:
        with contextlib.closing(postgres.as_superuser(moved.database.name).connect()) as connection, connection:
            connection.cursor().execute("DROP OWNED BY reader; DROP ROLE reader")


# After a real import


def application(database: Database, run_module: ModuleRunner, folder: Path, *options: str) -> Pair:
    """The reference application's SQLite file with 300 servers, and its tables in the target, without rows."""
    python = os.environ.get("MCPS_APPLICATION_PYTHON", str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"))
    assert Path(python).exists(), "run: make venv-app"
    project = ROOT / "examples" / "mcps"
    path = folder / "mcps.db"
    environment = {**os.environ, "DATABASE_URL": f"sqlite+aiosqlite:///{path}"}
    for command in (["alembic", "upgrade", "head"], ["packages.harvester.cli", "seed", "--servers", "300", *options]):
        subprocess.run([python, "-m", *command], cwd=project, env=environment, check=True, capture_output=True)
    upgraded = run_module("alembic_upgrade", {"project_dir": str(project), "python": python, **database.login})
    assert not upgraded.get("failed"), upgraded
    return Pair(path, database, run_module)


def test_dirty_rows_of_the_reference_application(database: Database, run_module: ModuleRunner, tmp_path: Path) -> None:
    pair = application(database, run_module, tmp_path, "--dirty")
    file = tmp_path / "quarantine.jsonl"
    quarantine = {"on_invalid": "quarantine", "quarantine_file": str(file), "quarantine_budget": 1000}
    imported = run_module("sqlite_import", {"source": str(pair.path), **database.login, **quarantine})
    assert not imported.get("failed"), imported
    result = pair.verify(quarantine_file=str(file))
    assert result["differing"] == 0, result["differences"]
    assert result["quarantine"]["listed"] == result["quarantine"]["found"] == imported["quarantined"] > 20
    # A row that was set aside keeps its key, for the day when it is mended: nothing else may get it.
    with contextlib.closing(sqlite3.connect(pair.path)) as connection:
        for sequence in result["sequences"]:
            ((largest,),) = connection.execute(f'SELECT max(id) FROM "{sequence["table"]}" WHERE id < 2147483648')
            assert (sequence["max"], sequence["ok"]) == (largest, sequence["next"] > largest)
            pair.postgres("SELECT setval(%s, %s)", [(sequence["sequence"], largest)])
    result = pair.verify(quarantine_file=str(file))
    assert result["equal"] is True, result
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    result = pair.verify(quarantine_file=str(file))
    assert (result["equal"], result["differing"]) == (False, 1)


def test_what_the_import_recorded(pair: Pair, tmp_path: Path) -> None:
    pair.sqlite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, x'ff'), (9, x'fe')"
    )
    pair.postgres("CREATE TABLE t (id serial PRIMARY KEY, v text NOT NULL)")
    file = tmp_path / "quarantine.jsonl"
    imported = pair.run_module(
        "sqlite_import",
        {
            "source": str(pair.path),
            **pair.database.login,
            "on_invalid": "quarantine",
            "quarantine_file": str(file),
            "quarantine_budget": 2,
        },
    )
    assert not imported.get("failed"), imported
    pair.postgres("SELECT setval('t_id_seq', 9)")
    result = pair.verify(quarantine_file=str(file))
    assert (result["equal"], result["schema"]) == (True, [])
    assert result["quarantine"] == {"listed": 2, "found": 2, "problems": []}
    assert pair.verify()["differing"] == 2
    pair.postgres("CREATE INDEX later ON t (v); COMMENT ON COLUMN t.v IS 'changed'")
    result = pair.verify(quarantine_file=str(file))
    assert (result["equal"], result["differing"]) == (False, 0)
    assert [problem["severity"] for problem in result["schema"]] == ["error", "error"]
    assert all(problem["reason"].startswith("since the import, ") for problem in result["schema"])
    assert {problem["reason"].split()[3] for problem in result["schema"]} == {"column", "index"}


def test_the_reference_application(database: Database, run_module: ModuleRunner, tmp_path: Path) -> None:
    pair = application(database, run_module, tmp_path)
    imported = run_module("sqlite_import", {"source": str(pair.path), **database.login})
    assert not imported.get("failed"), imported
    result = pair.verify()
    assert listed(result) == []
    assert result["equal"] is True, result
    assert len(result["tables"]) == 15
    assert {table["order"] for table in result["tables"]} == {"ranges"}
    assert result["rows"] == imported["rows"] > 6000
    assert all(sequence["ok"] for sequence in result["sequences"])
    pair.postgres("UPDATE tool SET name = name || ' ' WHERE id = (SELECT max(id) FROM tool)")
    pair.postgres("UPDATE server SET uuid = gen_random_uuid() WHERE id = (SELECT min(id) FROM server)")
    assert [row[:2] + row[3:4] for row in listed(pair.verify())] == [
        ("different", "server", "uuid"),
        ("different", "tool", "name"),
    ]
