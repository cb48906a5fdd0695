# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schema that is derived from a SQLite file: it takes all rows, and refuses and computes what SQLite's did."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.mcps.postgres.plugins.filter.derive_schema import derive_schema
from ansible_collections.mcps.postgres.plugins.plugin_utils._derive_expressions import (
    Columns,
    Untranslatable,
    identifier,
    parsed,
    translated,
)

if TYPE_CHECKING:
    from support.ansible_runs import ModuleRunner
    from support.server import Database


class Case:
    """A SQLite file, an empty database, and the way from one to the other."""

    def __init__(self, database: Database, run_module: ModuleRunner, folder: Path) -> None:
        self.database = database
        self.run_module = run_module
        self.source = folder / "source.sqlite"

    def sqlite(self, script: str) -> None:
        with contextlib.closing(sqlite3.connect(self.source)) as connection, connection:
            connection.executescript(script)

    def found(self) -> dict[str, Any]:
        result = self.run_module("sqlite_schema_info", {"source": str(self.source)})
        assert not result.get("failed"), result
        return result

    def derived(self, **options: Any) -> dict[str, Any]:
        return derive_schema(self.found(), **options)

    def make(self, **options: Any) -> dict[str, Any]:
        """Derive, with nothing left to decide, and run it."""
        derived = self.derived(**options)
        assert derived["problems"] == []
        with contextlib.closing(self.database.connect()) as connection, connection, connection.cursor() as cursor:
            for statement in derived["statements"]:
                cursor.execute(statement)
        compared = self.run_module(
            "schema_compare_info", {**self.database.login, "model": derived["model"], "strict": True}
        )
        assert compared["fits"] and compared["differences"] == compared["not_compared"] == [], compared
        return derived

    def compared(self, derived: dict[str, Any], *statements: str) -> dict[str, Any]:
        """What the comparison says once I(statements) have changed what was made."""
        for statement in statements:
            self.database.query(statement)
        result = self.run_module("schema_compare_info", {**self.database.login, "model": derived["model"]})
        assert not result.get("failed"), result
        return result

    def move(self, without: Collection[str] = ("Email",)) -> None:
        """Load every row, and compare every value; keys I(without) have no counterpart, and the verification says so."""
        arguments = {**self.database.login, "source": str(self.source)}
        loaded = self.run_module("sqlite_import", arguments)
        assert not loaded.get("failed"), loaded
        verified = self.run_module("migration_verify_info", arguments)
        assert verified["equal"], verified
        assert {entry["reason"] for entry in verified["left_out"]} <= {"generated in PostgreSQL"}
        # An index over lower() is not taken for one over the column itself.
        assert {problem["column"] for problem in verified["schema"]} <= set(without)

    def types(self, table: str) -> dict[str, str]:
        return dict(
            self.database.query(
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0",
                (table,),
            )
        )


@pytest.fixture
def case(database: Database, run_module: ModuleRunner, tmp_path: Path) -> Case:
    return Case(database, run_module, tmp_path)


SHOP = """
CREATE TABLE Customer (
    CustomerId INTEGER PRIMARY KEY AUTOINCREMENT,
    Email NVARCHAR(60) NOT NULL COLLATE NOCASE UNIQUE,
    active BOOLEAN NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created DATETIME DEFAULT CURRENT_TIMESTAMP,
    born DATE, at TIME, seen TIMESTAMP, price NUMERIC(10, 2) DEFAULT 0 CHECK (price >= 0), ratio FLOAT,
    shout TEXT GENERATED ALWAYS AS (upper(Email) || '!') STORED,
    kind TEXT DEFAULT 'a' CHECK (kind IN ('a', 'b') AND kind NOT LIKE 'x%'),
    code TEXT CHECK (code GLOB '[A-Z][0-9]*'),
    CONSTRAINT long_enough CHECK (length(Email) > 2 OR typeof(Email) <> 'text')
);
CREATE TABLE "Order Line" (
    id INTEGER PRIMARY KEY, customer INT NOT NULL REFERENCES Customer ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    amount REAL, doc JSON, raw BLOB, uid UUID, anything, epoch DATETIME, UNIQUE (customer, amount)
);
CREATE TABLE pair (k TEXT, v TEXT NOT NULL, n SMALLINT DEFAULT -1, PRIMARY KEY (k, v)) WITHOUT ROWID;
CREATE TABLE bare (t VARCHAR(3));
CREATE INDEX line_customer ON "Order Line" (customer DESC, amount);
CREATE UNIQUE INDEX active_email ON Customer (lower(Email)) WHERE active = 1;
INSERT INTO Customer (Email, born, at, seen, price, ratio, code) VALUES
  ('ann@example.org', '1990-02-03', '04:05:06', '2024-01-02 03:04:05.000006', 12.5, 1, 'A1'),
  ('BOB', NULL, NULL, '2024-01-02', 3, 0.1, NULL);
INSERT INTO "Order Line" VALUES (7, 1, 1.5, '{"a": 1}', x'00ff', '0123456789ABCDEF0123456789abcdef', 5, 1700000000),
  (8, 2, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO pair VALUES ('a', 'b', 40000), ('a', 'c', 2);
INSERT INTO bare VALUES ('four'), (NULL), ('');
"""


def test_a_shop_without_alembic_is_carried_over(case: Case) -> None:
    case.sqlite(SHOP)
    case.make()
    case.move()
    assert case.types("Customer") == {
        "CustomerId": "bigint",
        "Email": "character varying(60)",
        "active": "boolean",
        "created": "timestamp without time zone",
        "born": "date",
        "at": "time without time zone",
        "seen": "timestamp without time zone",
        "price": "numeric(10,2)",
        "ratio": "double precision",
        "shout": "text",
        "kind": "text",
        "code": "text",
    }
    lines = case.types("Order Line")
    assert (lines["uid"], lines["anything"], lines["epoch"], lines["raw"]) == ("uuid", "bigint", "bigint", "bytea")
    assert case.types("bare") == {"t": "text"}
    with contextlib.closing(sqlite3.connect(case.source)) as connection:
        shouts = connection.execute("SELECT shout FROM Customer ORDER BY CustomerId").fetchall()
    assert case.database.query('SELECT shout FROM "Customer" ORDER BY "CustomerId"') == shouts
    # The next key is the next one, defaults are SQLite's, computed values too.
    ((key, active, price, kind, shout),) = case.database.query(
        'INSERT INTO "Customer" ("Email") VALUES (\'cyd\') RETURNING "CustomerId", active, price, kind, shout'
    )
    assert (key, active, str(price), kind, shout) == (3, True, "0.00", "a", "CYD!")
    case.database.query('DELETE FROM "Customer" WHERE "CustomerId" = 1')
    assert case.database.query('SELECT id FROM "Order Line"') == [(8,)]


@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO "Customer" ("Email") VALUES ('BOB2'), ('bob2')""",
        """INSERT INTO "Customer" ("Email") VALUES ('xy')""",
        """INSERT INTO "Customer" ("Email", price) VALUES ('xyz', -1)""",
        """INSERT INTO "Customer" ("Email", kind) VALUES ('xyz', 'c')""",
        """INSERT INTO "Customer" ("Email", code) VALUES ('xyz', 'a1')""",
        """INSERT INTO "Customer" ("Email", active) VALUES ('xyz', NULL)""",
        """INSERT INTO "Order Line" (customer) VALUES (99)""",
        """INSERT INTO pair VALUES ('a', 'b', 1)""",
    ],
)
def test_what_sqlite_refused_is_refused(case: Case, statement: str) -> None:
    case.sqlite(SHOP)
    case.make()
    case.move()
    with contextlib.closing(sqlite3.connect(case.source)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError), connection:
            connection.execute(statement)
    with pytest.raises(psycopg2.IntegrityError):
        case.database.query(statement)


def test_what_nobody_can_know_is_asked(case: Case) -> None:
    case.sqlite(
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, mixed INT, token TEXT DEFAULT (hex(randomblob(8))),
                        other INT REFERENCES nowhere (id), CHECK (my_function(mixed)));
        CREATE INDEX by_date ON t (strftime('%Y', token));
        CREATE VIEW v AS SELECT 1;
        CREATE TRIGGER g AFTER DELETE ON t BEGIN SELECT 1; END;
        CREATE VIRTUAL TABLE words USING fts5(body);
        """.replace("CHECK (my_function(mixed))", "CHECK (json_valid(token))")
    )
    case.sqlite("INSERT INTO t (id, mixed, token) VALUES (1, 5, '1'), (2, 'five', '2')")
    derived = case.derived()
    places = {problem["place"] for problem in derived["problems"]}
    assert places == {
        "t.mixed",
        "t.token.default",
        "t.check.1",
        "t.foreign_key.other",
        "index.by_date",
        "view.v",
        "trigger.g",
    }
    assert all(place in problem["advice"] for problem in derived["problems"] for place in [problem["place"]])
    (mixed,) = (problem for problem in derived["problems"] if problem["place"] == "t.mixed")
    assert "id=2" in mixed["text"]
    assert [note["place"] for note in derived["notes"]][:1] == ["words"]
    decisions = dict.fromkeys(places - {"t.mixed"}, "")
    decisions["t.token.default"] = "md5(random()::text)"
    decided = case.make(types={"t.mixed": "text"}, decisions=decisions)
    assert any("md5(random()::text)" in statement for statement in decided["statements"])


#: What SQLite declares and PostgreSQL gets differently, or not at all: what is compared is what was made.
DIFFERENTLY = {
    "unique_without_case": "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INT, UNIQUE (a COLLATE NOCASE, b))",
    "index_without_case": "CREATE TABLE t (a TEXT COLLATE NOCASE); CREATE UNIQUE INDEX i ON t (a); CREATE INDEX j ON t (a)",
    "default_null": "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT NULL, b INT DEFAULT (NULL), c INT DEFAULT 1)",
    "default_left_out": "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT (hex(randomblob(4))))",
    "generated_left_out": "CREATE TABLE t (a TEXT, b TEXT GENERATED ALWAYS AS (printf('%05d', a)) STORED)",
    "key_to_nothing_unique": "CREATE TABLE p (a INT); CREATE TABLE t (b INT REFERENCES p (a))",
    "key_to_nothing": "CREATE TABLE t (id INTEGER PRIMARY KEY, b INT REFERENCES gone (id))",
    "index_over_json": "CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON); CREATE INDEX i ON t (doc)",
    "partial_index": "CREATE TABLE t (a INT, b INT); CREATE UNIQUE INDEX i ON t (a) WHERE b = 1",
}


@pytest.mark.parametrize("script", DIFFERENTLY.values(), ids=DIFFERENTLY)
def test_what_was_made_is_what_is_expected(case: Case, script: str) -> None:
    case.sqlite(script)
    places = [problem["place"] for problem in case.derived()["problems"]]
    case.make(decisions=dict.fromkeys(places, ""))
    case.move(without=("a", "a, b", "b"))


def test_what_was_decided_is_run(case: Case) -> None:
    case.sqlite(
        DIFFERENTLY["key_to_nothing_unique"] + ";" + "CREATE TABLE d (id INTEGER PRIMARY KEY, doc JSON);"
        " CREATE INDEX by_doc ON d (doc)"
    )
    decisions = {
        "t.foreign_key.b": "COMMENT ON TABLE t IS 'of p'",
        "index.by_doc": "CREATE INDEX by_doc ON d (md5(doc::text))",
    }
    assert set(decisions.values()) < set(case.make(decisions=decisions)["statements"])


def test_only_a_deferred_key_is_deferred(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, now INT REFERENCES a (id),"
        " Later INT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED, t INT, FOREIGN KEY (t) REFERENCES a (id)"
        " DEFERRABLE INITIALLY DEFERRED)"
    )
    case.make()
    found = case.database.query("SELECT conname::text, condeferred FROM pg_constraint WHERE contype = 'f' ORDER BY 1")
    assert found == [("b_Later_fkey", True), ("b_now_fkey", False), ("b_t_fkey", True)]


#: What SQLite declares, what somebody did to it in PostgreSQL, and the difference that has to be named.
CHANGED: dict[str, tuple[str, str, str, list[str]]] = {
    "on_delete": (
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT REFERENCES p ON DELETE CASCADE)",
        "ALTER TABLE t DROP CONSTRAINT t_a_fkey, ADD FOREIGN KEY (a) REFERENCES p",
        "foreign_key t",
        ["t_a_fkey (a) to p (id)", "ON DELETE NO ACTION", "not ON DELETE CASCADE", "ALTER TABLE"],
    ),
    "on_update": (
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT REFERENCES p)",
        "ALTER TABLE t DROP CONSTRAINT t_a_fkey, ADD FOREIGN KEY (a) REFERENCES p ON UPDATE SET NULL",
        "foreign_key t",
        ["ON UPDATE SET NULL", "not ON UPDATE NO ACTION"],
    ),
    "deferred": (
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        "ALTER TABLE t ALTER CONSTRAINT t_a_fkey NOT DEFERRABLE",
        "foreign_key t",
        ["is NOT DEFERRABLE", "not DEFERRABLE INITIALLY DEFERRED"],
    ),
    "check": (
        "CREATE TABLE t (a INT CHECK (a > 0), b TEXT, CONSTRAINT short CHECK (length(b) < 5))",
        "ALTER TABLE t DROP CONSTRAINT short",
        "check t",
        ["short", "char_length", "is not there"],
    ),
    "check_without_a_name": (
        "CREATE TABLE t (a INT CHECK (a > 0), b TEXT CHECK (b IN ('x', 'y')))",
        "ALTER TABLE t DROP CONSTRAINT t_b_check, ADD CHECK (b IN ('x'))",
        "check t",
        ["t_b_check", "with b = y", "false that it passes"],
    ),
    "default": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT DEFAULT 3)",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 4",
        "default t.a",
        ["its default is 4, and 3 is expected", "SET DEFAULT 3"],
    ),
    "generated": (
        "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED)",
        "ALTER TABLE t DROP COLUMN b, ADD COLUMN b bigint GENERATED ALWAYS AS (a * 3) STORED",
        "generated t.b",
        ["(a * 3)", '"a" * 2', "with a = "],
    ),
}


@pytest.mark.parametrize(("script", "change", "place", "words"), CHANGED.values(), ids=CHANGED)
def test_what_was_made_differently_is_named(case: Case, script: str, change: str, place: str, words: list[str]) -> None:
    case.sqlite(script)
    derived = case.make()
    result = case.compared(derived, change)
    (found,) = result["against"]
    assert place == f"{found['kind']} {found['table']}{'.' if found['column'] else ''}{found['column']}"
    assert all(word in found["detail"] for word in words), found
    assert not result["fits"] and result["not_compared"] == []
    # The statement that is named does what it says.
    for statement in (part for part in found["detail"].split("; ") if part.startswith("ALTER TABLE")):
        mended = case.compared(derived, statement.rsplit(" makes it", 1)[0].rsplit(" adds it", 1)[0])
        assert mended["fits"] and mended["differences"] == [], mended


NOCASE = {
    "constraint": "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE)",
    "index": "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE); CREATE UNIQUE INDEX i ON p (a)",
}


@pytest.mark.parametrize("script", NOCASE.values(), ids=NOCASE)
def test_a_key_to_what_is_unique_without_case_is_asked_about(case: Case, script: str) -> None:
    case.sqlite(f"{script}; CREATE TABLE t (b TEXT REFERENCES p (a))")
    (problem,) = case.derived()["problems"]
    assert problem["place"] == "t.foreign_key.b" and "NOCASE" in problem["text"]
    case.make(decisions={"t.foreign_key.b": ""})
    with pytest.raises(psycopg2.IntegrityError):
        case.database.query("INSERT INTO p (a) VALUES ('x'), ('X')")


def test_a_primary_key_without_case(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE p (a TEXT COLLATE NOCASE PRIMARY KEY NOT NULL); CREATE TABLE t (b TEXT REFERENCES p);"
        " INSERT INTO p VALUES ('x'); INSERT INTO t VALUES ('x')"
    )
    derived = case.make()
    assert [note["place"] for note in derived["notes"]] == ["p.unique.a"]
    case.move()
    with pytest.raises(psycopg2.IntegrityError):
        case.database.query("INSERT INTO p (a) VALUES ('X')")


def test_a_key_to_what_an_index_makes_unique(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE a (b INT REFERENCES p (n) ON DELETE SET NULL); CREATE TABLE p (n INT);"
        " CREATE UNIQUE INDEX i ON p (n)"
    )
    assert len(case.make()["model"]["a"]["foreign_keys"]) == 1


def test_a_decision_over_nothing_is_a_problem(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    derived = case.derived(types={"t.none": "text"}, decisions={"t.id.default": "1"})
    assert {problem["place"] for problem in derived["problems"]} == {"t.none", "t.id.default"}


def test_names_that_are_too_long(case: Case) -> None:
    index, check = "i" * 70, "c" * 70
    case.sqlite(f"CREATE TABLE t (a INT, CONSTRAINT {check} CHECK (a > 0)); CREATE INDEX {index} ON t (a)")
    derived = case.make()
    assert {note["place"] for note in derived["notes"]} == {f"t.check.{check}", f"index.{index}"}
    case.sqlite(f"CREATE TABLE {'x' * 64} (a INT)")
    assert [problem["place"] for problem in case.derived()["problems"]] == ["x" * 64]


# Expressions, on both sides

COLUMNS = {
    "n": "bigint",
    "m": "bigint",
    "r": "double precision",
    "t": "text",
    "u": "text",
    "b": "boolean",
    "raw": "bytea",
}
ROWS: list[tuple[Any, ...]] = [
    (0, 0, 0.0, "", "a", 0, b""),
    (1, 2, 1.5, "a", "b", 1, b"\x00\x01"),
    (-3, 7, -2.5, "Zebra", "zebra", 1, b"abc"),
    (None, None, None, None, None, None, None),
    (10, 3, 1e10, "x_%y\\", "A1", 0, b"\xff"),
    (2**40, -1, 0.1, " é ", "É", 1, b"1"),
]
#: What has to be refused, because the two would differ or nobody has looked.
REFUSED = (
    *("max(n, m)", "t COLLATE NOCASE = 'A'", "n & 1", "t BETWEEN 'a' AND 'b'", "n = '1'", "t = 1", "instr(t, 'a')"),
    *(
        "round(r)",
        "t LIKE 'x!%' ESCAPE '!'",
        "strftime('%Y', t)",
        "t REGEXP 'a'",
        "n IN (SELECT 1)",
        "CAST(t AS INTEGER)",
    ),
    "r || t",
)
EXPRESSIONS = [
    *("n > 0", "n >= m", "n <> m", "n = 1 OR m = 2 AND n = 3", "(n = 1 OR m = 2) AND NOT n = 3", "NOT n", "n AND m"),
    *("n IN (1, 2, 10)", "n NOT IN (1, 2)", "n BETWEEN 0 AND 5", "n NOT BETWEEN 0 AND 5", "n IS NULL", "n IS NOT NULL"),
    *(
        "n IS m",
        "n IS NOT m",
        "n + m * 2",
        "(n + m) * 2",
        "n - m - 1",
        "n / m",
        "n % m",
        "r / m",
        "-n",
        "abs(n)",
        "n == m",
    ),
    *(
        "t = 'a'",
        "t < u",
        "t >= 'Z'",
        "t LIKE 'Z%'",
        "t LIKE '%_y%'",
        "t NOT LIKE 'z%'",
        "t GLOB 'Z*'",
        "u GLOB '[A-Z]?'",
    ),
    *("u GLOB '[^a-z]*'", "t || u", "t || n", "length(t)", "length(raw)", "lower(t)", "trim(t)", "substr(t, 1, 3)"),
    *(
        "coalesce(n, m, 0)",
        "ifnull(t, 'none')",
        "nullif(n, 0)",
        "iif(n > 0, 'yes', 'no')",
        "b",
        "NOT b",
        "b = 1",
        "b IN (0)",
    ),
    *(
        "CASE WHEN n > 0 THEN t WHEN m > 0 THEN u ELSE 'x' END",
        "CAST(r AS INTEGER)",
        "CAST(n AS TEXT)",
        "CAST(n AS REAL)",
    ),
    *("typeof(n)", "typeof(t) = 'text'", "typeof(raw)", "typeof(r)", "n > 0 AND (t <> '' OR u LIKE 'a')", "n = 1 = b"),
    *REFUSED,
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_means_the_same_or_is_refused(database: Database, expression: str) -> None:
    try:
        words = translated(parsed(expression), Columns(COLUMNS))
    except Untranslatable:
        assert expression in REFUSED
        return
    assert expression not in REFUSED, words
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (n INTEGER, m INTEGER, r REAL, t TEXT, u TEXT, b BOOLEAN, raw BLOB)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        ours = [value for (value,) in connection.execute(f"SELECT {expression} FROM t ORDER BY rowid")]
    columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in COLUMNS.items())
    database.query(f"CREATE TABLE t (place serial, {columns})")
    for row in ROWS:
        values = [bool(value) if place == 5 and value is not None else value for place, value in enumerate(row)]
        database.query("INSERT INTO t (n, m, r, t, u, b, raw) VALUES (%s, %s, %s, %s, %s, %s, %s)", values)
    theirs = [value for (value,) in database.query(f"SELECT {words} FROM t ORDER BY place")]
    assert [
        None if value is None else float(value) if isinstance(value, (bool, int)) else value for value in theirs
    ] == [float(value) if isinstance(value, int) else value for value in ours]
