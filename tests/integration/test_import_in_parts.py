# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large tables, loaded in parts by several workers: all rows once, whatever happens on the way."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._errors import SourceError
from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import SourceMoment
from support.imports import Case, Start
from support.server import Server

ROWS = 40_000

SOURCE = f"""
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO author VALUES (1, 'a'), (2, 'b');
CREATE TABLE post (id INTEGER PRIMARY KEY, author_id INTEGER, url TEXT, body TEXT, score REAL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO post SELECT i, 1 + i % 2, 'https://example.org/' || i, hex(randomblob(300)), i / 7.0 FROM n;
"""

TARGET = """
CREATE TABLE author (id serial PRIMARY KEY, name text);
CREATE TABLE post (id serial PRIMARY KEY, author_id integer NOT NULL REFERENCES author, url varchar(60) UNIQUE,
                   body text, score double precision);
CREATE INDEX post_score ON post (score);
CREATE INDEX post_body ON post (md5(body)) WHERE score > 5;
CREATE TABLE noticed (id integer);
CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO noticed VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER noticing AFTER INSERT ON post FOR EACH ROW EXECUTE FUNCTION notice();
ALTER TABLE post ENABLE ALWAYS TRIGGER noticing;
"""

#: A row in the midst of a part in the midst of the table.
HELD = "id <> 20000 OR pause()"
#: An index over it is held up at one row.
HELD_FUNCTION = """
CREATE FUNCTION held(v double precision) RETURNS double precision IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN IF v = 7.0 THEN PERFORM public.pause(); END IF; RETURN v; END'
"""

#: How many processes may help with each index.
RECORDED = """
CREATE TABLE making (name text, processes text);
CREATE FUNCTION record() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
  'BEGIN INSERT INTO public.making SELECT split_part(object_identity, ''.'', 2),
         current_setting(''max_parallel_maintenance_workers'') FROM pg_event_trigger_ddl_commands(); END';
CREATE EVENT TRIGGER recording ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION record();
GRANT SELECT ON making TO PUBLIC;
"""


@pytest.fixture
def posts(case: Case) -> Case:
    case.sqlite(SOURCE)
    case.postgres(TARGET)
    return case


def contents(case: Case) -> list[tuple[Any, ...]]:
    return case.query("SELECT count(*), count(DISTINCT id), sum(length(body)), sum(score) FROM post")


def expected(case: Case) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(case.source)
    rows = connection.execute("SELECT id, author_id, url, body, score FROM post ORDER BY id").fetchall()
    connection.close()
    return rows


def require_whole(case: Case, definitions: list[tuple[Any, ...]]) -> None:
    assert case.query("SELECT id, author_id, url, body, score FROM post ORDER BY id") == expected(case)
    assert case.definitions() == definitions
    assert case.query("SELECT count(*) FROM noticed") == [(0,)]
    assert case.journal("import_open") == [] and case.journal("import_part") == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_all_rows_arrive_once(posts: Case, workers: int) -> None:
    before = posts.definitions()
    result = posts.load(workers=workers)
    assert (result["rows"], result["workers"], result.get("warnings")) == (ROWS + 2, workers, None)
    # Parts are transactions of their own, and so many rows are several parts.
    assert len(posts.query("SELECT DISTINCT xmin::text FROM post")) > 3
    require_whole(posts, before)
    assert not posts.load(workers=workers)["changed"]
    assert posts.query("INSERT INTO post (author_id) VALUES (1) RETURNING id") == [(ROWS + 1,)]


def test_small_tables_need_no_further_connections(case: Case) -> None:
    case.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    case.postgres("CREATE TABLE t (id integer PRIMARY KEY)")
    assert case.load(workers=4)["workers"] == 1


def test_many_tables_are_shared_out_although_none_is_large(case: Case) -> None:
    for name in "abc":
        case.sqlite(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, body TEXT); WITH RECURSIVE n (i) AS"
            f" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) INSERT INTO {name} SELECT i, hex(randomblob(400)) FROM n"
        )
        case.postgres(f"CREATE TABLE {name} (id integer PRIMARY KEY, body text)")
    result = case.load(workers=2)
    assert (result["rows"], result["workers"]) == (18_000, 2)
    assert case.query("SELECT count(DISTINCT xmin::text) FROM a") == [(1,)]


#: Changes values that fit, so that every row is converted by itself.
CHANGING = {"table": "post", "column": "url", "rule": "map", "options": {"values": {"https://example.org/30000": "x"}}}


@pytest.mark.parametrize("rules", [[], [CHANGING]], ids=["chunks", "rows"])
def test_a_run_killed_inside_of_a_table_goes_on_there(posts: Case, running: Start, rules: list[dict[str, Any]]) -> None:
    before = posts.definitions()
    run = running(posts, "post", HELD, workers=2, rules=rules)
    run.wait_for("advisory")
    wait_until(lambda: len(posts.journal("import_part")) >= 2)
    run.kill()
    run.go_on()
    wait_until(lambda: not others(posts))
    kept = posts.query("SELECT id, xmin::text FROM post")
    assert 0 < len(kept) < ROWS
    assert posts.run(check=True, rules=rules)["resumed"]
    result = posts.load(workers=2, rules=rules)
    assert result["resumed"] and result["rows"] == ROWS + 2
    assert [rule["values"] for rule in result["rules"]] == [1] * len(rules)
    if rules:
        posts.postgres("UPDATE post SET url = 'https://example.org/30000' WHERE url = 'x'")
    now = dict(posts.query("SELECT id, xmin::text FROM post"))
    assert all(now[key] == transaction for key, transaction in kept)
    posts.postgres("ALTER TABLE post DROP CONSTRAINT pausing")
    require_whole(posts, before)


def test_a_run_killed_while_indexes_are_made(posts: Case, running: Start) -> None:
    run = running(posts, "author", "true", workers=2)
    posts.postgres(f"{HELD_FUNCTION}; CREATE INDEX post_held ON post (held(score))")
    before = posts.definitions()
    run.wait_for("advisory")
    wait_until(
        lambda: posts.journal("import_open") and not posts.query("SELECT 1 WHERE to_regclass('post_held') IS NOT NULL")
    )
    run.kill()
    run.go_on()
    wait_until(lambda: not others(posts))
    assert posts.load(workers=2)["resumed"]
    require_whole(posts, before)


def test_indexes_are_made_side_by_side(posts: Case, running: Start) -> None:
    run = running(posts, "author", "true", workers=2)
    posts.postgres(
        f"{HELD_FUNCTION}; CREATE INDEX post_held ON post (held(score)); CREATE INDEX post_held_too ON post (held(score), id)"
    )
    before = posts.definitions()
    making = (
        "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event = 'advisory' AND query LIKE 'CREATE INDEX%'"
    )
    wait_until(lambda: posts.query(making) == [(2,)])
    run.go_on()
    assert run.result()["rows"] == ROWS + 2
    require_whole(posts, before)


@pytest.mark.parametrize("all_cores", [True, False])
def test_sessions_that_have_all_cores_make_each_index_alone(posts: Case, postgres: Server, all_cores: bool) -> None:
    posts.postgres(
        "ALTER TABLE post ADD near vector(2) GENERATED ALWAYS AS ((ARRAY[score, 1]::real[])::vector(2)) STORED;"
        " CREATE INDEX post_near ON post USING hnsw (near vector_l2_ops) WHERE id < 100"
    )
    superuser = posts.database.connect(user=postgres.superuser, password=postgres.password)
    with contextlib.closing(superuser), superuser, superuser.cursor() as cursor:
        cursor.execute(RECORDED)
    before = posts.definitions()
    cores = len(os.sched_getaffinity(0))
    assert posts.load(workers=cores if all_cores else 1)["rows"] == ROWS + 2
    usual = posts.query("SHOW max_parallel_maintenance_workers")[0][0]
    assert usual != "0"
    expected = dict.fromkeys(["post_body", "post_near", "post_score"], usual)
    if all_cores or cores == 1:
        expected.update(post_body="0", post_score="0")
    assert dict(posts.query("SELECT name, processes FROM making WHERE name LIKE 'post%'")) == expected
    require_whole(posts, before)


def test_the_planner_knows_the_tables_and_the_server_keeps_its_settings(posts: Case, postgres: Server) -> None:
    def settings() -> list[Any]:
        superuser = posts.database.connect(user=postgres.superuser, password=postgres.password)
        found = []
        with contextlib.closing(superuser), superuser.cursor() as cursor:
            for statement in (
                "SELECT pg_read_file('postgresql.auto.conf')",
                "SELECT name, setting, source FROM pg_settings WHERE name NOT LIKE '%_fileno' ORDER BY 1",
                "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2",
            ):
                cursor.execute(statement)
                found.append(cursor.fetchall())
        return found

    before = settings()
    # A superuser could change them for all.
    posts.load(workers=2, login_user=postgres.superuser, login_password=postgres.password)
    assert settings() == before
    tables = ("author", "post")
    analyzed = "SELECT relname, last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relname = ANY (%s) ORDER BY 1"
    wait_until(lambda: posts.database.query(analyzed, (list(tables),)) == [(name, True) for name in tables])
    assert posts.query("SELECT reltuples FROM pg_class WHERE relname = 'post'") == [(ROWS,)]
    assert posts.query("SELECT n_distinct FROM pg_stats WHERE tablename = 'post' AND attname = 'url'") == [(-1,)]


#: Holds up whoever looks for rows that break a foreign key. Only a superuser may do that.
HELD_CHECK = """
CREATE FUNCTION public.hold_check() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_query() LIKE '%VALIDATE CONSTRAINT%' THEN PERFORM public.pause(); END IF;
END $$;
CREATE EVENT TRIGGER hold_check ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION public.hold_check()
"""
TWO_KEYS = """
CREATE TABLE note (id serial PRIMARY KEY, author_id integer CONSTRAINT note_author REFERENCES author ON DELETE CASCADE);
COMMENT ON CONSTRAINT note_author ON note IS 'who wrote it'
"""
NOTES = "CREATE TABLE note (id INTEGER PRIMARY KEY, author_id INTEGER); INSERT INTO note VALUES (1, 1), (2, 2)"


@pytest.mark.parametrize("orphan", [False, True])
def test_a_run_killed_while_foreign_keys_are_checked(
    posts: Case, running: Start, postgres: Server, orphan: bool
) -> None:
    posts.sqlite(NOTES)
    posts.postgres(TWO_KEYS)
    if orphan:
        posts.sqlite("INSERT INTO note VALUES (3, 9)")
    before = posts.definitions()
    run = running(posts, "author", "true", workers=2, **(posts.setting_aside(1) if orphan else {}))
    postgres.as_superuser(posts.database.name).query(HELD_CHECK)
    run.wait_for("advisory")
    promised = posts.query("SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated ORDER BY 1")
    assert promised == [("note_author",), ("post_author_id_fkey",)]
    run.kill()
    run.go_on()
    wait_until(lambda: not others(posts))
    postgres.as_superuser(posts.database.name).query("DROP EVENT TRIGGER hold_check")
    result = posts.load(workers=2, **(posts.setting_aside(1) if orphan else {}))
    posts.postgres("ALTER TABLE author DROP CONSTRAINT pausing")
    assert result["resumed"] and result["rows"] == ROWS + 4
    assert result["quarantined"] == int(orphan)
    require_whole(posts, before)


def test_a_failure_after_rows_were_taken_out_undoes_everything(posts: Case, running: Start, postgres: Server) -> None:
    posts.sqlite(NOTES + "; INSERT INTO note VALUES (3, 9)")
    posts.postgres(TWO_KEYS)
    run = running(posts, "author", "true", workers=2, **posts.setting_aside(1))
    postgres.as_superuser(posts.database.name).query(HELD_CHECK)
    run.wait_for("advisory")
    posts.postgres("ALTER TABLE author DROP CONSTRAINT pausing")
    run.go_on()
    result = run.result()
    assert result["failed"] and "constraint pausing of public.author is gone" in result["msg"]
    assert result["error"] == "TargetError"
    assert posts.query("SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM note)") == [(0, 0)]
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    assert posts.query(f"{keys} AND convalidated") == posts.query(keys) == [(2,)]


def test_orphans_of_a_key_that_passes_on_deletions_take_nothing_along(posts: Case) -> None:
    """Taking out an author must not take out the notes of others, nor leave a key that was not checked."""
    posts.sqlite(NOTES)
    posts.sqlite("UPDATE post SET author_id = 9 WHERE id = 15000")
    posts.postgres(TWO_KEYS)
    before = posts.definitions()
    result = posts.load(workers=2, **posts.setting_aside(1))
    assert result["quarantined"] == 1
    assert posts.definitions() == before
    assert posts.query("SELECT count(*) FROM note") == [(2,)]


def test_an_unfinished_table_is_undone_for_another_source(posts: Case, running: Start) -> None:
    before = posts.definitions()
    run = running(posts, "post", HELD, workers=2)
    run.wait_for("advisory")
    wait_until(lambda: posts.journal("import_part"))
    run.kill()
    run.go_on()
    posts.postgres("ALTER TABLE post DROP CONSTRAINT pausing")
    posts.sqlite("UPDATE post SET body = 'changed' WHERE id = 5")
    result = posts.load(workers=2)
    assert not result["resumed"] and "unfinished import" in str(result["warnings"])
    require_whole(posts, before)


def test_rows_of_others_in_an_unfinished_table_stay(posts: Case, running: Start) -> None:
    run = running(posts, "post", HELD, workers=2)
    run.wait_for("advisory")
    wait_until(lambda: posts.journal("import_part"))
    run.kill()
    run.go_on()
    wait_until(lambda: not others(posts))
    posts.postgres("INSERT INTO post (id, author_id, url) VALUES (99999, 1, 'mine')")
    assert posts.run(workers=2)["error"] == "JournalError"
    assert posts.query("SELECT url FROM post WHERE id = 99999") == [("mine",)]
    posts.postgres("DELETE FROM post WHERE id = 99999")
    assert posts.load(workers=2)["resumed"]


def test_a_row_that_does_not_fit_undoes_everything(posts: Case) -> None:
    posts.sqlite("UPDATE post SET score = 'many' WHERE id IN (300, 39000)")
    result = posts.fail(workers=2)
    assert result["counts"] == [{"table": "post", "kind": "not_numeric", "rows": 2}]
    assert [row["key"]["id"] for row in result["rows"]] == [300, 39000]


def test_rows_are_set_aside_from_all_parts(posts: Case) -> None:
    before = posts.definitions()
    posts.sqlite("UPDATE post SET score = 'many' WHERE id IN (300, 12000, 39000)")
    refused = posts.fail(workers=2, **posts.setting_aside(2))
    assert refused["total"] == 3
    result = posts.load(workers=2, **posts.setting_aside(3))
    assert (result["rows"], result["quarantined"]) == (ROWS - 1, 3)
    assert [entry["key"]["id"] for entry in posts.set_aside()] == [300, 12000, 39000]
    assert posts.definitions() == before
    assert posts.query("SELECT count(*) FROM post") == [(ROWS - 3,)]


def test_duplicates_in_different_parts_are_named(posts: Case) -> None:
    before = posts.definitions()
    posts.sqlite("UPDATE post SET url = 'https://example.org/100' WHERE id = 30100")
    result = posts.fail(workers=2)
    assert result["counts"] == [{"table": "post", "kind": "duplicate", "rows": 1}]
    assert result["rows"][0]["key"] == {"id": 30100}
    posts.load(workers=2, **posts.setting_aside(1))
    assert posts.query("SELECT id FROM post WHERE url = 'https://example.org/100'") == [(100,)]
    assert posts.definitions() == before


def test_duplicates_that_an_index_finds_in_the_end(posts: Case) -> None:
    posts.postgres("CREATE UNIQUE INDEX post_once ON post (body)")
    posts.sqlite("UPDATE post SET body = (SELECT body FROM post WHERE id = 7) WHERE id = 33333")
    assert posts.fail(workers=2)["rows"][0]["key"] == {"id": 33333}


def test_orphans_undo_everything_too(posts: Case) -> None:
    posts.sqlite("UPDATE post SET author_id = 9 WHERE id = 15000")
    assert posts.fail(workers=2)["counts"] == [{"table": "post", "kind": "orphan", "rows": 1}]


#: The first only mends what does not fit, and lets the rest go in chunks; with the second, none does.
COUNTED = [
    ({"table": "post", "column": "url", "rule": "strip_nul"}, ROWS // 1000),
    ({"table": "post", "column": "author_id", "rule": "map", "options": {"values": {"2": 1}}}, ROWS // 2),
]


@pytest.mark.parametrize("count", [1, 2])
def test_rules_are_counted_over_all_parts(posts: Case, count: int) -> None:
    posts.sqlite("UPDATE post SET url = url || char(0) WHERE id % 1000 = 0")
    result = posts.load(workers=2, rules=[rule for rule, _ in COUNTED[:count]])
    assert posts.query("SELECT count(DISTINCT xmin::text) > 2 FROM post") == [(True,)]
    changed = {rule["column"]: rule["values"] for rule in result["rules"]}
    assert changed == {rule["column"]: values for rule, values in COUNTED[:count]}
    assert posts.query("SELECT count(*) FROM post WHERE url = 'https://example.org/' || id") == [(ROWS,)]
    assert posts.query("SELECT count(*) FROM post WHERE author_id = 2") == [(ROWS // 2 if count == 1 else 0,)]


def test_fewer_connections_than_wanted(posts: Case, postgres: Server) -> None:
    before = posts.definitions()
    postgres.admin.query(f'ALTER ROLE "{posts.database.user}" CONNECTION LIMIT 2')
    result = posts.load(workers=4)
    postgres.admin.query(f'ALTER ROLE "{posts.database.user}" CONNECTION LIMIT -1')
    assert result["workers"] == 2 and "2 of 4 workers" in str(result["warnings"])
    require_whole(posts, before)


def test_a_table_with_vectors_in_blobs(case: Case) -> None:
    case.sqlite(
        "CREATE TABLE e (id INTEGER PRIMARY KEY, u CHAR(32), ok BOOLEAN, at DATETIME, day DATE, doc JSON, raw BLOB,"
        " note TEXT, weight REAL, v BLOB)"
    )
    rows: list[Any] = [
        (
            key,
            f"{key:032x}",
            key % 2,
            f"19{key % 90 + 10}-02-03 04:05:06.{key:06d}",
            "1969-12-31",
            '{"a": [1, "x"]}',
            bytes([key % 256, 0]),
            None if key % 3 else "x\ttext\n\u20ac",
            key / 3,
            None if key % 7 == 0 else struct.pack("<4f", key, -key / 3, 1e-40, 0.0),
        )
        for key in range(5, 1500)
    ]
    # One value that goes singly, among those in binary format.
    rows[690] = (*rows[690][:3], "2024-01-01 00:00:00.1234560", rows[690][4], 5.5, *rows[690][6:])
    with contextlib.closing(sqlite3.connect(case.source)) as connection, connection:
        connection.executemany("INSERT INTO e VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    case.postgres(
        "CREATE TABLE e (id bigint PRIMARY KEY, u uuid, ok boolean, at timestamp, day date, doc jsonb, raw bytea,"
        " note text, weight double precision, v vector(4))"
    )
    assert case.load()["rows"] == len(rows)
    compared = case.run_module("migration_verify_info", {**case.database.login, "source": str(case.source)})
    assert compared["equal"] and compared["values"] == 10 * len(rows), compared["differences"]
    assert compared["tables"][0]["order"] == "ranges"
    assert case.query("SELECT at::text, doc::text FROM e WHERE id = 695") == [("2024-01-01 00:00:00.123456", "5.5")]
    case.postgres("UPDATE e SET v = '[1,2,3,4]' WHERE id = 44")
    found = case.run_module("migration_verify_info", {**case.database.login, "source": str(case.source)})
    assert [(d["key"], d["column"]) for d in found["differences"]] == [("id=44", "v")]


def test_vectors_after_many_rows_without_one(case: Case, postgres: Server) -> None:
    """The server's own record of what it was told says that they come in binary format all the same."""
    case.sqlite("CREATE TABLE e (id INTEGER PRIMARY KEY, v BLOB)")
    with contextlib.closing(sqlite3.connect(case.source)) as connection, connection:
        vectors = [(key, struct.pack("<3f", key, 0.1, -key) if key > 300 else None) for key in range(1, 1000)]
        connection.executemany("INSERT INTO e VALUES (?, ?)", vectors)
    case.postgres("CREATE TABLE e (id bigint PRIMARY KEY, v vector(3))")
    assert case.load()["rows"] == 999
    assert case.query("SELECT count(v), min(v::text) FROM e WHERE id IN (300, 301)") == [(1, "[301,0.1,-301]")]
    admin = postgres.as_superuser(case.database.name)
    admin.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    told = admin.query(
        "SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
        " WHERE d.datname = current_database() AND query ILIKE 'copy%'"
    )
    assert len(told) == 1 and "binary" in told[0][0].lower(), told


def test_a_vector_that_is_not_finite_is_named(case: Case) -> None:
    case.sqlite("CREATE TABLE e (id INTEGER PRIMARY KEY, v BLOB)")
    with contextlib.closing(sqlite3.connect(case.source)) as connection, connection:
        good, bad = struct.pack("<2f", 1, 2), struct.pack("<2f", 1, float("nan"))
        connection.executemany("INSERT INTO e VALUES (?, ?)", [(key, bad if key == 77 else good) for key in range(200)])
    case.postgres("CREATE TABLE e (id bigint PRIMARY KEY, v vector(2))")
    result = case.fail()
    assert [row["key"] for row in result["rows"]] == [{"id": 77}]


def test_the_rate_is_kept(posts: Case) -> None:
    free = posts.load(workers=2)
    posts.postgres("TRUNCATE author, post")
    wanted = 2 * free["seconds"] + 2
    kept = posts.load(workers=2, max_rate=str(int(free["bytes"] / wanted)))
    assert (kept["bytes"], kept["workers"]) == (free["bytes"], 2)
    assert kept["seconds"] >= 0.95 * wanted


def test_connections_never_see_different_moments(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (v)")
    writer.commit()
    moment = SourceMoment(str(path))
    moment.open().close()
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    with pytest.raises(SourceError, match="being written to"):
        moment.open()
    writer.close()


def others(case: Case) -> list[tuple[Any, ...]]:
    """Sessions of the module that the server has not ended yet."""
    return case.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'mcps.postgres import%'"
        " AND datname = current_database()"
    )


def wait_until(happens: Any) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)
