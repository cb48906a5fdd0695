#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an application's kinds of work on SQLite and on PostgreSQL with the same data, and hold promises against it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_benchmark
short_description: Measure what PostgreSQL brings an application that is on SQLite
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Runs the same work on a snapshot of a SQLite database and on a PostgreSQL database with the same data, with the same
    number of clients, each a process of its own. For each promise it says by how much PostgreSQL is better or worse
    on this machine, whether the promise holds, and if it does not, why.
  - What is run is found from the two schemas, so that any application is served. Lookups by key, pages of lists and counts
    come from the indexes that both sides have, searches from full-text and trigram indexes, filters and nearest
    neighbours from the indexes on C(jsonb), arrays and vectors. Own queries are added by O(queries).
  - Settings are honest. SQLite is measured in WAL mode and with its default journal, with C(synchronous) V(NORMAL) and
    V(FULL). PostgreSQL commits durably (C(synchronous_commit)). Where the server runs without C(fsync) or
    C(full_page_writes), writes are called not comparable.
  - For what does not hold it looks for settings of a session and for indexes with which it is faster
    (RV(promises[].tuned)). Each is tried in a transaction that is rolled back.
  - The tables are vacuumed and analyzed first, as the server does by itself some minutes after a load, where O(login_user) may.
  - The operator's data is never changed. Queries run on a copy of O(source) and in read-only transactions, writes go to
    a scratch table with the columns and indexes of a real one, in that copy and in a schema C(mcps_workload) of the
    database. Copy and schema are removed at the end.
notes:
  - Give it a database of its own, made and loaded for the purpose, as C(playbooks/benchmark.yml) does.
  - The server is put under load for about as many seconds as there are measurements, which is a few minutes with the
    defaults. At most two thirds of its free connections are used.
  - Declared O(queries) are run as they are, by the rights of O(login_user). A function that writes by other means than
    the transaction would not be stopped.
requirements:
  - psycopg2
attributes:
  check_mode:
    support: full
    details:
      - Reads both sides and returns RV(planned). Nothing is run or written but the copy of O(source), which is removed.
  diff_mode:
    support: N/A
    details:
      - This module does not leave anything changed.
  idempotent:
    support: full
    details:
      - This module does not leave anything changed. What it measures differs from run to run.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._source
  - mcps.postgres._target
  - mcps.postgres._mapping
  - mcps.postgres._progress
options:
  source:
    description:
      - Path of a snapshot that M(mcps.postgres.sqlite_snapshot) took, with its manifest beside it.
      - A live database is refused.
    type: path
    required: true
  seconds:
    description:
      - How long each measurement takes. A query that takes longer is run once.
    type: float
    default: 1.0
  clients:
    description:
      - Numbers of clients to measure reads and writes with. In place of those that are more than two thirds of the server's
        free connections, so many are measured; RV(left_out) says so.
    type: list
    elements: int
    default: [1, 8, 64]
  max_users:
    description:
      - Up to how many clients are tried, twice as many each time, until one of them has an error or waits for a second.
      - On PostgreSQL no more than a hundred times as many as on SQLite, and without a pooler no more than two thirds of the server's
        free connections.
    type: int
    default: 1024
  user_seconds:
    description:
      - How long each number of clients of O(max_users) works. In less than two seconds a wait of one is easily missed.
    type: float
    default: 3.0
  busy_timeout:
    description:
      - How many seconds SQLite waits for a lock before it gives up.
    type: float
    default: 5.0
  queries:
    description:
      - Queries of the application to compare beside those that were found. They only read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What to call it in the report.
        type: str
        required: true
      sqlite:
        description: The query as SQLite takes it.
        type: str
        required: true
      postgres:
        description: The same query as PostgreSQL takes it.
        type: str
        required: true
  pooler_host:
    description:
      - Host of a PgBouncer before the server. With it the number of clients is measured by way of the pooler.
    type: str
  pooler_port:
    description:
      - Port of the pooler.
    type: int
    default: 6432
  pooler_db:
    description:
      - Name under which the pooler knows O(login_db), if it is another one.
    type: str
  application_python:
    description:
      - The application's interpreter. If it has asyncpg, reads and writes are measured with it as well, with prepared
        statements and with pipelined rows.
    type: path
  slow_statements:
    description:
      - How many of the slowest statements of O(login_db) to return with their plans, where the extension
        C(pg_stat_statements) is there. The plans are made without running the statements.
    type: int
    default: 10
  slow_statements_db:
    description:
      - Another database of the server to look for slow statements in first, such as the one that the application uses.
    type: str
  missing_rows:
    description:
      - How many rows PostgreSQL may lack, because M(mcps.postgres.sqlite_import) set them aside. All others have to be there.
    type: int
    default: 0
  work_dir:
    description:
      - Folder for the copy of O(source), by default the one that O(source) is in. It should be on the disk that the
        application's database is on, since that disk is measured.
    type: path
seealso:
  - module: mcps.postgres.sqlite_snapshot
  - module: mcps.postgres.sqlite_import
"""

EXAMPLES = r"""
- name: Measure what PostgreSQL brings
  mcps.postgres.workload_benchmark:
    source: /var/backups/mcps/benchmark.db
    login_host: db.example.org
    login_user: mcps
    login_password: "{{ vault_mcps_password }}"
    login_db: mcps_benchmark
    ca_cert: /etc/ssl/mcps/ca.pem
  register: benchmark

- name: Say it
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.verdict }}. {{ item.reason }}"
  loop: "{{ benchmark.promises }}"
  loop_control:
    label: "{{ item.name }}"

- name: Measure longer, with a query of the application, through PgBouncer, and with the application's asyncpg
  mcps.postgres.workload_benchmark:
    source: /var/backups/mcps/benchmark.db
    login_host: /run/postgresql
    login_user: mcps
    login_db: mcps_benchmark
    seconds: 5
    clients: [1, 4, 16, 64]
    max_users: 1024
    pooler_host: 127.0.0.1
    application_python: /opt/mcps/.venv/bin/python
    queries:
      - name: servers with their tools
        sqlite: SELECT s.name, count(*) FROM server s JOIN tool t ON t.server_id = s.id GROUP BY s.id LIMIT 50
        postgres: SELECT s.name, count(*) FROM server s JOIN tool t ON t.server_id = s.id GROUP BY s.id LIMIT 50
"""

RETURN = r"""
promises:
  description: The promises, each with what was measured. Empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(writes), V(reads), V(latency), V(users), V(search), V(json), V(arrays) or V(vectors).
      type: str
      sample: search
    title:
      description: The same in words.
      type: str
      sample: Full-text search against LIKE
    promised:
      description: What is promised, in words.
      type: str
      sample: 20 times as fast
    promised_ratio:
      description: The same as a number. For the last three it is V(1), since faster is all that is promised.
      type: float
      sample: 20.0
    verdict:
      description:
        - V(yes) if it holds in all cases, V(partly), V(no), V(unmeasured), or V(unfair) if the server's commits are not
          durable.
      type: str
      sample: partly
    holds:
      description: Whether RV(promises[].verdict) is V(yes).
      type: bool
      sample: false
    lowest:
      description: The lowest ratio of all cases.
      type: float
      sample: 1.8
    median:
      description: The ratio in the middle.
      type: float
      sample: 48.5
    highest:
      description: The highest ratio.
      type: float
      sample: 130.2
    holds_in:
      description: Names of the cases in which it holds.
      type: list
      elements: str
      sample: ["articles with 'kubernet' counted"]
    reason:
      description: One or two sentences made from what was measured.
      type: str
      sample: "It holds in 6 of 8 cases. At the least (articles with 'server' counted: 1.8 times) the term is in 31% of the rows."
    cases:
      description: The comparisons.
      type: list
      elements: dict
      contains:
        name:
          description: What was run, and under which conditions.
          type: str
          sample: "articles with 'kubernet' counted"
        conditions:
          description: The conditions as data, such as V(clients), V(shape), V(journal), V(synchronous), V(driver), V(sync_seconds).
          type: dict
          sample: {clients: 1}
        facts:
          description: What is known of the query, such as its V(table), V(kind), V(term) and the V(share) of the rows that have it.
          type: dict
          sample: {kind: full text, term: kubernet, share: 0.001, table: articles}
        sqlite:
          description:
            - Figures of SQLite. Times are seconds, V(rate) is operations a second, V(errors) their number. C(settings) is what
              the clients' connections said of themselves.
          type: dict
          sample: {clients: 1, operations: 41, seconds: 1.02, rate: 40.2, p50: 0.0247, p95: 0.0271, slowest: 0.03, errors: 0, error_texts: {}}
        postgresql:
          description: Figures of PostgreSQL.
          type: dict
          sample: {clients: 1, operations: 3900, seconds: 1.0, rate: 3900.0, p50: 0.00025, p95: 0.0003, slowest: 0.002, errors: 0, error_texts: {}}
        ratio:
          description: How many times better PostgreSQL is. Below 1 it is worse. Null where one side had no result.
          type: float
          sample: 98.8
        holds:
          description: Whether RV(promises[].cases[].ratio) is at least what is promised.
          type: bool
          sample: true
    tuned:
      description:
        - Cases in which it does not hold, again with changes on PostgreSQL's side that made them at least 1.2 times as
          fast. They do not count for RV(promises[].verdict), and none of them is left behind.
        - Settings of a session can be given to a role by C(ALTER ROLE ... SET) or to a database by C(ALTER DATABASE ... SET).
      type: list
      elements: dict
      contains:
        name:
          description: The case's name.
          type: str
          sample: all of tool by host_type of server
        conditions:
          description: The case's conditions.
          type: dict
          sample: {clients: 1}
        changes:
          description:
            - SQL of the changes, in order.
            - With C(synchronous_commit) off the last commits may be lost in a crash, as in SQLite with C(journal_mode) V(WAL)
              and C(synchronous) V(NORMAL). It is tried against these settings only.
          type: list
          elements: str
          sample: ["SET work_mem = '64MB'", 'CREATE INDEX ON "public"."server" ("id") INCLUDE ("host_type")']
        sqlite:
          description: Figures of SQLite.
          type: dict
          sample: {clients: 1, operations: 12, seconds: 1.02, rate: 11.7, p50: 0.085, p95: 0.09, slowest: 0.09, errors: 0, error_texts: {}}
        before:
          description: Figures of PostgreSQL without the changes, measured by the trials themselves.
          type: dict
          sample: {clients: 1, operations: 5, seconds: 0.29, rate: 17.1, p50: 0.058, p95: 0.06, slowest: 0.06, errors: 0, error_texts: {}}
        after:
          description: Figures of PostgreSQL with the changes.
          type: dict
          sample: {clients: 1, operations: 8, seconds: 0.27, rate: 29.3, p50: 0.034, p95: 0.036, slowest: 0.04, errors: 0, error_texts: {}}
        ratio:
          description: How many times better PostgreSQL is with the changes.
          type: float
          sample: 2.5
        holds:
          description: Whether RV(promises[].tuned[].ratio) is at least what is promised.
          type: bool
          sample: true
        plan:
          description: What C(EXPLAIN (ANALYZE, BUFFERS\)) said with the changes. Empty for writes.
          type: list
          elements: str
          sample: ["HashAggregate  (cost=2012.02..2012.03 rows=5 width=12) (actual time=33.020..33.020 rows=5.00 loops=1)"]
    statements:
      description: The SQL of both sides, with the plans.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the query.
          type: str
          sample: "articles with 'kubernet' counted"
        sqlite:
          description: SQLite's statement.
          type: str
          sample: SELECT count(*) FROM "articles" WHERE "title" LIKE ? OR "content" LIKE ?
        postgresql:
          description: PostgreSQL's statement, with the driver's marks for its parameters.
          type: str
          sample: SELECT count(*) FROM "public"."articles" WHERE "search_vector" @@ plainto_tsquery('simple', %s)
        plan:
          description: What C(EXPLAIN (ANALYZE, BUFFERS\)) said.
          type: list
          elements: str
          sample: ["Aggregate  (cost=12.02..12.03 rows=1 width=8) (actual time=0.020..0.020 rows=1.00 loops=1)"]
        sqlite_plan:
          description: What C(EXPLAIN QUERY PLAN) said.
          type: list
          elements: str
          sample: [SCAN articles]
planned:
  description: What is run, or in check mode would be.
  returned: success
  type: list
  elements: dict
  sample:
    - promise: search
      name: "articles with 'kubernet' counted"
left_out:
  description: What was not run, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - promise: arrays
      reason: no array column has a GIN index
environment:
  description: The machine and the settings that all of it was measured under. Times are seconds.
  returned: success, not in check mode
  type: dict
  sample:
    cores: 2
    sync_seconds: 0.000073
    round_trip_seconds: 0.000055
    way: socket
    pooler: false
    asyncpg: false
    python: 3.11.7
    sqlite_version: 3.40.1
    server_version: "18.1"
    server_settings: {fsync: "on", synchronous_commit: "on", shared_buffers: 128MB}
    durable: true
slow_statements:
  description: The slowest statements by their mean time, with the plan that the server makes for them.
  returned: success, not in check mode
  type: list
  elements: dict
  sample:
    - database: mcps
      statement: SELECT count(*) FROM server WHERE readme ILIKE $1
      calls: 12
      mean_seconds: 0.41
      total_seconds: 4.9
      rows: 12
      plan: ["Aggregate  (cost=1.00..2.00 rows=1 width=8)"]
rows:
  description: Rows of all tables together.
  returned: success, not in check mode
  type: int
  sample: 825000
seconds:
  description: How long all of it took.
  returned: success, not in check mode
  type: float
  sample: 142.7
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module
from ansible_collections.mcps.postgres.plugins.module_utils._module._workload import argument_spec, benchmark


def main() -> None:
    run_module(argument_spec(), benchmark)


if __name__ == "__main__":
    main()
