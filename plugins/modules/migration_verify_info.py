#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare every value of a SQLite database with what a migration made of it in PostgreSQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_verify_info
short_description: Compare every value of a SQLite database with its copy in PostgreSQL
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Compares every value of every row by meaning. The same spelling is not asked for, the same value is. A UUID may
    have dashes or not, and the keys of a JSON object in a V(jsonb) column may come in any order, but a boolean is not
    a number, JSON V(null) is not SQL NULL, NULL is not an empty text, V(-0.0) is not V(0.0), and a microsecond counts.
  - Values of the source pass through the very conversions and declared O(rules) that M(mcps.postgres.sqlite_import)
    uses. Give this module the same mapping options.
  - Rows are paired by the primary key, which both sides are read by, and never all held in memory. Tables without a
    key on both sides are compared as multisets.
  - Where the key is a whole number, ranges of it are compared by the SHA-256 of each column, which either side computes
    of its own values, by several O(workers); the rows of a range that differs are then compared value by value.
  - Whether constraints and indexes are in force and whether sequences are ahead of the data is checked too.
  - The target is read in one C(REPEATABLE READ READ ONLY) transaction, the source in one read transaction. Nothing is
    changed on either side.
  - A difference does not fail the task. Check RV(equal).
notes:
  - Rows that have to be sorted, because the source stores keys in a spelling that sorts otherwise or because there is
    no key, are kept in a temporary file for the time of the comparison. It is put where the environment variables
    E(SQLITE_TMPDIR) or E(TMPDIR) say, and else into C(/var/tmp).
  - O(login_user) needs SELECT on the tables, on their sequences and, where an import left it, on what is in
    O(journal_schema). Row level security that hides rows from it makes them count as missing.
requirements:
  - psycopg2
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._source
  - mcps.postgres._target
  - mcps.postgres._mapping
  - mcps.postgres._progress
options:
  quarantine_file:
    description:
      - The file in which M(mcps.postgres.sqlite_import) recorded the rows that it left out.
      - These rows are expected to be in the source and not to be in the target.
    type: path
  max_differences:
    description:
      - How many differences of each table are described in RV(differences). All of them are counted.
    type: int
    default: 20
  workers:
    description:
      - How many connections to either side compare together. By default one per processor of the machine that the module
        runs on, at most four. All of them see the same moment of both sides.
    type: int
  max_rate:
    description:
      - How much is compared in a second at most, by all workers together, as a number of bytes (of the values as text) or
        with a unit, for example V(20M), for a server that others use meanwhile.
    type: bytes
  sample:
    description:
      - Percentage of the rows of each table with a whole-number key that are compared. They are spread over the table in
        stretches of about a thousand, the same ones each time. All other tables are compared as a whole.
      - The numbers of rows of both sides are compared at any rate.
      - With less than V(100), RV(equal) means that no difference was found. It is no proof that there is none.
    type: float
    default: 100
  resume_file:
    description:
      - A file in which the module keeps what it has found equal so far. The same task goes on from there after it was
        killed. It is removed once everything was found equal.
      - After a run that found differences it stays, so that the run after they were mended compares what was changed.
      - What an earlier run has found counts only while the source is the same file, the mapping the same, the server has
        not been restarted, and PostgreSQL's own row versions show that these very rows are still there and no others.
        Everything else is compared again.
      - Written with mode V(0600), not in check mode.
    type: path
  journal_schema:
    description:
      - Schema of the target in which M(mcps.postgres.sqlite_import) recorded the definitions that the tables had when
        they were loaded. Where such a record exists, definitions that have changed since are differences.
    type: str
    default: mcps_migration
seealso:
  - module: mcps.postgres.sqlite_import
  - module: mcps.postgres.sqlite_audit_info
"""

EXAMPLES = r"""
- name: Compare every value
  mcps.postgres.migration_verify_info:
    source: /srv/mcps/mcps.sqlite.snapshot
    login_host: db.example.org
    login_user: mcps
    login_password: "{{ vault_mcps_password }}"
    login_db: mcps
    ca_cert: /etc/ssl/mcps/ca.pem
  register: verification

- name: Stop unless everything arrived
  ansible.builtin.assert:
    that: verification.equal
    fail_msg: "{{ verification.differing }} differences, the first: {{ verification.differences | first }}"

- name: Compare with the rules and the quarantine of the import
  mcps.postgres.migration_verify_info:
    source: /srv/mcps/mcps.sqlite.snapshot
    login_host: /run/postgresql
    login_db: mcps
    exclude:
      - "cache_*"
    rules:
      - table: processinglog
        column: started_at
        rule: offset_to_utc
    quarantine_file: /srv/mcps/quarantine.jsonl
    max_differences: 100
"""

RETURN = r"""
equal:
  description:
    - Whether every row and every value is the same on both sides, every sequence is ahead of the data, every
      constraint and index of the moved tables is in force, no definition has changed since the import, and the rows
      that were set aside are the ones that are missing.
  returned: success
  type: bool
  sample: false
sample:
  description: The percentage that was asked for, see O(sample).
  returned: success
  type: float
  sample: 100.0
workers:
  description: How many pairs of connections took part, see O(workers). Small tables do not need more than one.
  returned: success
  type: int
  sample: 2
resumed_rows:
  description: How many of the source's rows an earlier run had found equal, which are still the same, see O(resume_file).
  returned: success
  type: int
  sample: 0
compared_rows:
  description: The source's rows that were looked at, here or in the run before; all of RV(rows) unless O(sample) is less.
  returned: success
  type: int
  sample: 424000
tables:
  description: The verdict over each table, in the order in which tables are loaded.
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
    source_rows:
      description: Rows of the source.
      type: int
      sample: 300
    target_rows:
      description: Rows of the target.
      type: int
      sample: 300
    quarantined:
      description: Rows of the source that RV(quarantine) lists, which are expected to be absent from the target.
      type: int
      sample: 0
    compared_rows:
      description: Rows of the source that were looked at.
      type: int
      sample: 300
    compared_values:
      description: Pairs of values that were compared.
      type: int
      sample: 9300
    equal:
      description: Whether the table has no difference.
      type: bool
      sample: false
    missing:
      description: Rows that the target lacks.
      type: int
      sample: 0
    extra:
      description: Rows that only the target has.
      type: int
      sample: 0
    different:
      description: Values that differ in rows that both sides have.
      type: int
      sample: 1
    order:
      description:
        - How the rows were brought together. V(ranges) is by hashes of ranges of a key of whole numbers, and row by row
          where those differ. All others are row by row. V(streamed) is as both databases order them, V(source) is with the
          source sorted on disk, V(both) with both sides sorted on disk, V(content) by the content of the rows.
      type: str
      sample: ranges
    seconds:
      description: How long it took.
      type: float
      sample: 0.31
rows:
  description: Rows of the source.
  returned: success
  type: int
  sample: 300
values:
  description: Pairs of values that were compared.
  returned: success
  type: int
  sample: 9300
differing:
  description: The number of all differences, listed or not.
  returned: success
  type: int
  sample: 1
differences:
  description: The first O(max_differences) differences of each table.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table in the source.
      type: str
      sample: server
    key:
      description:
        - The row's key. Without a key on both sides it is the rowid of the source, or the place (C(ctid)) in the target.
      type: str
      sample: id=17
    column:
      description: Name of the column in the source. Empty where the whole row is missing or extra.
      type: str
      sample: updated_at
    source:
      description: The value in SQLite, or the whole row, or V((no row\)).
      type: str
      sample: "'2025-01-02 03:04:05.000001'"
    target:
      description: The value in PostgreSQL, or the whole row, or V((no row\)) and why it could not be there.
      type: str
      sample: "'2025-01-02 03:04:05'"
    kind:
      description: V(missing) in the target, V(extra) in the target, or V(different).
      type: str
      sample: different
constraints:
  description: Constraints of the moved tables that are not validated, not enforced, or switched off.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table in the source.
      type: str
      sample: tool
    name:
      description: Name of the constraint.
      type: str
      sample: tool_server_id_fkey
    reason:
      description: What is wrong with it.
      type: str
      sample: "it is not validated: rows that were there before were never checked"
indexes:
  description: Indexes of the moved tables that PostgreSQL does not use.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table in the source.
      type: str
      sample: server
    name:
      description: Name of the index.
      type: str
      sample: ix_server_name
    reason:
      description: What is wrong with it.
      type: str
      sample: "it is invalid: its build failed or was interrupted"
sequences:
  description: The sequences that feed columns of the moved tables.
  returned: success
  type: list
  elements: dict
  contains:
    sequence:
      description: Name of the sequence.
      type: str
      sample: public.server_id_seq
    table:
      description: Name of the table in the source.
      type: str
      sample: server
    column:
      description: Name of the column in the target.
      type: str
      sample: id
    next:
      description: The value that the next insert gets. Finding out consumes none.
      type: int
      sample: 301
    max:
      description: The largest value of both sides. Null where there is no row.
      type: int
      sample: 300
    ok:
      description: Whether RV(sequences[].next) is beyond RV(sequences[].max).
      type: bool
      sample: true
schema:
  description:
    - What the definitions of the target lack. With severity V(warning) it is a key, unique index or foreign key of the
      SQLite schema that has no counterpart, which leaves RV(equal) as it is. With V(error) it is a definition that has
      changed since the import, or an import that is not finished.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table in the source. Empty where the text names the object.
      type: str
      sample: tool
    column:
      description: Names of the columns.
      type: str
      sample: server_id
    reason:
      description: What is missing.
      type: str
      sample: the foreign key of SQLite to server (id) has no counterpart
    advice:
      description: What can be done.
      type: str
      sample: Add the foreign key by an Alembic revision, if the application counts on it.
    severity:
      description: V(warning) or V(error).
      type: str
      sample: warning
quarantine:
  description: Rows that O(quarantine_file) lists, and those of them that the source has.
  returned: success
  type: dict
  contains:
    listed:
      description: Rows in the file.
      type: int
      sample: 2
    found:
      description: Rows of the source that are in the file.
      type: int
      sample: 2
    problems:
      description: Tables for which the two disagree, which makes RV(equal) false.
      type: list
      elements: str
      sample: []
left_out:
  description: Tables and columns of the source that are not moved by intention, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - table: alembic_version
      column: ""
      reason: Alembic keeps it on each side for itself
seconds:
  description: How long everything took.
  returned: success
  type: float
  sample: 1.204
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module
from ansible_collections.mcps.postgres.plugins.module_utils._module._verify import argument_spec, verify


def main() -> None:
    run_module(argument_spec(), verify)


if __name__ == "__main__":
    main()
