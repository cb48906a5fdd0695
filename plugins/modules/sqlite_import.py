#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the rows of a SQLite database into the tables that Alembic made in PostgreSQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sqlite_import
short_description: Load a SQLite database into the tables of a PostgreSQL database
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Loads every row of a SQLite file into tables that are there already, as the application's Alembic made them. No table
    is created and no definition is changed.
  - A value arrives as it is, or the row is refused with table, key, column, value and reason. No value is cut, rounded,
    parsed or replaced unless one of the declared O(rules) says so.
  - Foreign keys, secondary indexes and user triggers are out of the way during the load, and are as they were
    afterwards, which is checked against the catalog. Sequences go on behind the largest key.
  - Either all rows are there in the end, or the target is as it was before.
  - Each table is one transaction, and a journal in the target knows which are done. Large tables are loaded in parts,
    which several O(workers) take on together, each a transaction of its own. Where the module, the server or the
    machine was killed, running the same task again goes on from there, inside of a large table too. With O(replace)
    everything is one transaction of one worker.
notes:
  - O(login_user) has to own the tables (no superuser is needed), and to be allowed to create objects in
    O(target_schema) and to make O(journal_schema), or to own it.
  - Connect to PostgreSQL itself. A pooler in transaction mode (PgBouncer) does not keep a session's lock.
  - Nobody may write to the target's tables during the load. Rows that came from elsewhere are noticed, and nothing is
    thrown away then.
  - Rows that were inserted before a foreign key declared C(NOT VALID) or C(NOT ENFORCED) are none of its business, and
    so are the loaded ones.
requirements:
  - psycopg2
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._source
  - mcps.postgres._target
  - mcps.postgres._mapping
  - mcps.postgres._progress
attributes:
  check_mode:
    support: full
    details:
      - Builds the plan that is executed otherwise, with the rows that there are to load. Values are not looked at, for
        which there is M(mcps.postgres.sqlite_audit_info).
  diff_mode:
    support: full
    details:
      - Tables with their number of rows before and after.
  idempotent:
    support: partial
    details:
      - An import that is finished is not repeated as long as source and mapping are the same and the tables hold the
        rows that it put there. With O(replace=true) it is.
options:
  on_invalid:
    description:
      - What becomes of rows that do not fit the target, of rows without the parent that a foreign key asks for, and of
        rows whose key another row holds already.
      - With V(fail) any such row stops the import.
      - With V(quarantine) they are set aside in O(quarantine_file), and with them the rows that refer to them.
    type: str
    choices:
      - fail
      - quarantine
    default: fail
  quarantine_file:
    description:
      - Where rows that are set aside are kept, from where they can be restored. One JSON object per line and row,
        readable by its owner only. It is written as a whole, also if there is no such row.
      - Required for O(on_invalid=quarantine).
    type: path
  quarantine_budget:
    description:
      - How many rows may be set aside in all. One more stops the import.
    type: int
    default: 0
  replace:
    description:
      - Tables that hold rows are refused unless this is set. With it the source's rows take their place, in one
        transaction with the whole load, so that the old rows are still there whenever it fails.
    type: bool
    default: false
  journal_schema:
    description:
      - Schema of the target in which imports are journaled. It is made if it is missing.
    type: str
    default: mcps_migration
  maintenance_work_mem:
    description:
      - Memory that the server may use to build an index, as PostgreSQL spells it. For this session only.
    type: str
    default: 256MB
  workers:
    description:
      - How many connections to either side load large tables together, and make their indexes. By default one per
        processor of the machine that the module runs on, at most four.
      - Where the server is on this machine too and each processor has a worker, indexes are made by one process each,
        whatever the server's C(max_parallel_maintenance_workers) says; those of vectors (HNSW, IVFFlat) excepted.
      - Where the source is written to during the load, or the server has no connection left, it has fewer, and a
        warning says so.
    type: int
  max_rate:
    description:
      - How much is sent to the server in a second at most, by all workers together, as a number of bytes or with a unit,
        for example V(20M).
    type: bytes
  analyze:
    description:
      - Collect the planner's statistics of the loaded tables in the end.
    type: bool
    default: true
seealso:
  - module: mcps.postgres.sqlite_audit_info
  - module: mcps.postgres.sqlite_snapshot
  - module: mcps.postgres.migration_verify_info
"""

EXAMPLES = r"""
- name: Load the snapshot
  mcps.postgres.sqlite_import:
    source: /srv/mcps/mcps.sqlite.snapshot
    login_host: db.example.org
    login_user: mcps
    login_password: "{{ vault_mcps_password }}"
    login_db: mcps
    ca_cert: /etc/ssl/mcps/ca.pem

- name: Set rows that do not fit aside, but not more than ten
  mcps.postgres.sqlite_import:
    source: /srv/mcps/mcps.sqlite.snapshot
    login_host: /run/postgresql
    login_db: mcps
    on_invalid: quarantine
    quarantine_file: /srv/mcps/quarantine.jsonl
    quarantine_budget: 10
    rules:
      - table: processinglog
        column: started_at
        rule: offset_to_utc

- name: Put the source's rows in the place of those that are there
  mcps.postgres.sqlite_import:
    source: /srv/mcps/mcps.sqlite.snapshot
    login_host: /run/postgresql
    login_db: mcps
    exclude:
      - "cache_*"
    replace: true
"""

RETURN = r"""
state:
  description:
    - V(loaded) if rows were (in check mode would be) loaded, V(existing) if the same import was finished before.
  returned: success
  type: str
  sample: loaded
tables:
  description: What became of each table, in the order of loading.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name in the source.
      type: str
      sample: server
    target:
      description: Name in the target.
      type: str
      sample: server
    rows:
      description: Rows that were loaded. In check mode the rows that there are to load.
      type: int
      sample: 500
    bytes:
      description: Size of the rows as COPY text.
      type: int
      sample: 412345
    seconds:
      description: Time that the table took, indexes included. Tables that were loaded together count the same time.
      type: float
      sample: 0.213
    quarantined:
      description: Rows that were set aside.
      type: int
      sample: 0
rows:
  description: Rows of all tables.
  returned: success
  type: int
  sample: 9731
bytes:
  description: Bytes of all tables.
  returned: success
  type: int
  sample: 5412345
seconds:
  description: Seconds that the load took, in check mode and for an import that was finished before those of its tables.
  returned: success
  type: float
  sample: 2.713
workers:
  description: How many connections to either side loaded together. One where no table is large.
  returned: success and not in check mode
  type: int
  sample: 2
rows_per_second:
  description: Rows per second over all tables, V(none) in check mode.
  returned: success
  type: float
  sample: 3586.8
quarantined:
  description: Rows that were set aside.
  returned: success
  type: int
  sample: 0
quarantine_file:
  description: Where they are, V(none) without O(on_invalid=quarantine).
  returned: success and not in check mode
  type: str
  sample: /srv/mcps/quarantine.jsonl
rules:
  description: How many values each declared rule has changed.
  returned: success
  type: list
  elements: dict
  sample: [{"table": "processinglog", "column": "started_at", "rule": "offset_to_utc", "values": 12}]
sequences:
  description:
    - Where each sequence of the loaded tables stands, with the outermost number in use (V(none) for empty tables).
      Empty in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{"sequence": "public.server_id_seq", "table": "server", "column": "id", "next": 501, "max": 500}]
left_out:
  description: Tables and columns of the source that were left out, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"table": "alembic_version", "column": "", "reason": "Alembic keeps it on each side for itself"}]
catalog_unchanged:
  description: Whether all definitions are what they were before. Anything else is an error.
  returned: success and not in check mode
  type: bool
  sample: true
resumed:
  description: Whether an import that had been killed was gone on with.
  returned: success
  type: bool
  sample: false
memory_peak_bytes:
  description: Largest memory of the module's process.
  returned: success and not in check mode
  type: int
  sample: 48000000
counts:
  description: How many rows of each table do not fit, by kind.
  returned: failure because of such rows
  type: list
  elements: dict
  sample: [{"table": "tool", "kind": "orphan", "rows": 2}]
total:
  description: How many rows do not fit.
  returned: failure because of such rows
  type: int
  sample: 2
more:
  description: Whether there are (or may be) more such rows than RV(rows) names. It is a list in this case.
  returned: failure because of such rows
  type: bool
  sample: false
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._import import (
    argument_spec,
    import_sqlite,
    module_options,
)
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), import_sqlite, **module_options())


if __name__ == "__main__":
    main()
