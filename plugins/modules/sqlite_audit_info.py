#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find everything in a SQLite database that PostgreSQL would refuse or change."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sqlite_audit_info
short_description: Find everything in a SQLite database that PostgreSQL would refuse or change
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Reads every value of every row and converts it by the very code and declared O(rules) that
    M(mcps.postgres.sqlite_import) uses, so that what this module finds is what the import would stop at.
  - Looks at values that do not fit their column, NULL where it is not allowed, rows that would be the same under a
    unique constraint of the target, foreign keys without a parent, and text that is too long for an index.
  - Checks the file itself too. SQLite's integrity check, its own foreign keys, journal mode and write-ahead log.
  - The types are those of the live target when O(login_db) is given, otherwise those of O(model), which is how the
    application declares them. Without either, only the file itself is checked.
  - The source is read in one read transaction, as it is at one moment. Nothing is changed on either side. To find out
    whether a long text fits into an index after compression, temporary tables are made in the target and rolled back.
  - What is found does not fail the task. Check RV(sound).
notes:
  - RV(disk_need_bytes) is 2.2 times the bytes of the moved tables and their indexes in SQLite. Bytes are those of the
    pages in use where SQLite has its C(dbstat) table. Otherwise they are the lengths of all values for tables, and the
    rest of the file for indexes.
  - A file that fails the integrity check is not scanned any further, because what can be read from it is not reliable.
requirements:
  - psycopg2, if O(login_db) is given
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._source
  - mcps.postgres._target
  - mcps.postgres._target.optional
  - mcps.postgres._mapping
  - mcps.postgres._progress
options:
  model:
    description:
      - The application's declared tables, as RV(mcps.postgres.alembic_info#module:model) has them. Used when there is no
        O(login_db).
      - Whether a text that is long can be compressed enough for an index is not known then, so these are warnings.
    type: dict
  enhancements:
    description:
      - What will be added to these tables before the load, as in M(mcps.postgres.schema_enhancements). What becomes jsonb
        is held against that.
    type: list
    elements: dict
    default: []
  samples:
    description:
      - How many keys and values of each finding are shown. All of them are counted.
    type: int
    default: 5
seealso:
  - module: mcps.postgres.alembic_info
  - module: mcps.postgres.sqlite_import
"""

EXAMPLES = r"""
- name: See whether the data fits, before there is a server
  mcps.postgres.sqlite_audit_info:
    source: /srv/mcps/mcps.sqlite
    model: "{{ application.model }}"
  register: audit

- name: Hold the data against the schema that Alembic made
  mcps.postgres.sqlite_audit_info:
    source: /srv/mcps/mcps.sqlite
    login_host: db.example.org
    login_user: mcps
    login_password: "{{ vault_mcps_password }}"
    login_db: mcps
    ca_cert: /etc/ssl/mcps/ca.pem
    rules:
      - table: processinglog
        column: started_at
        rule: offset_to_utc
  register: audit

- name: Stop unless everything fits
  ansible.builtin.assert:
    that: audit.sound
    fail_msg: "{{ audit.errors }} values do not fit: {{ audit.findings }}"
"""

RETURN = r"""
sound:
  description:
    - Whether the file passes SQLite's integrity check, the two sides fit together (no RV(problems)), and no finding has
      severity V(error).
  returned: success
  type: bool
  sample: false
scanned:
  description: Whether the rows were read, which is only done when the integrity check finds nothing.
  returned: success
  type: bool
  sample: true
compared_with:
  description: V(target), V(model), or V(nothing).
  returned: success
  type: str
  sample: target
integrity:
  description: What SQLite's own checks say.
  returned: success
  type: dict
  contains:
    check:
      description: Messages of the integrity check. Empty for a sound file.
      type: list
      elements: str
      sample: []
    foreign_keys:
      description: Foreign keys of the SQLite schema that rows break, or that cannot be checked (with C(error)).
      type: list
      elements: dict
      sample:
        - table: tool
          parent: server
          rows: 1
journal_mode:
  description: SQLite's journal mode.
  returned: success
  type: str
  sample: wal
wal:
  description: The write-ahead log beside the file, and how many frames (pages) fit into its bytes.
  returned: success
  type: dict
  sample:
    present: true
    bytes: 4152
    frames: 1
page_size:
  description: Bytes per page.
  returned: success
  type: int
  sample: 4096
encoding:
  description: The encoding in which SQLite keeps text.
  returned: success
  type: str
  sample: UTF-8
sqlite_version:
  description: Version of the SQLite library that this module uses.
  returned: success
  type: str
  sample: 3.40.1
fingerprint:
  description: Text that differs once somebody has written to the file.
  returned: success
  type: str
  sample: file:4096000-1772330400000000000-17-42
tables:
  description: The tables that would be moved. Without a target, all ordinary tables.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name in the source.
      type: str
      sample: server
    target:
      description: Name in the target. Null when there is neither target nor model.
      type: str
      sample: server
    rows:
      description: Number of rows.
      type: int
      sample: 300
    bytes:
      description: Size of the table in SQLite.
      type: int
      sample: 409600
    index_bytes:
      description: Size of its indexes in SQLite.
      type: int
      sample: 81920
rows:
  description: Rows of RV(tables).
  returned: success
  type: int
  sample: 300
bytes:
  description: Bytes of RV(tables), indexes not included.
  returned: success
  type: int
  sample: 409600
disk_need_bytes:
  description: Estimate of the disk space that the target needs for them, indexes and its own log included.
  returned: success
  type: int
  sample: 1081344
findings:
  description: What is wrong with values. One entry for each table, column and kind, errors first.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table in the source.
      type: str
      sample: server
    column:
      description: Name of the column in the source. Several names for a key of several columns.
      type: str
      sample: stars
    kind:
      description:
        - What is wrong, for example V(storage_class), V(out_of_range), V(not_in_enum), V(invalid_utf8), V(orphan),
          V(duplicate), V(too_long_for_index).
        - With V(parent_quarantined) nothing is wrong with the row but that it hangs on one that is.
      type: str
      sample: storage_class
    severity:
      description:
        - V(error) where the import would stop. V(warning) where it would not, or where that is not known.
      type: str
      sample: error
    reason:
      description: What is wrong with the first of the values.
      type: str
      sample: SQLite holds text where integer is expected
    advice:
      description: What to do.
      type: str
      sample: Correct the row in SQLite, or declare a value rule for the column, or quarantine the row.
    count:
      description: Number of values.
      type: int
      sample: 1
    keys:
      description: Keys of the first O(samples) rows.
      type: list
      elements: str
      sample:
        - id=17
    samples:
      description: Their values.
      type: list
      elements: str
      sample:
        - "'many'"
errors:
  description: Number of values with severity V(error).
  returned: success
  type: int
  sample: 1
rules:
  description: How many values each declared rule changed.
  returned: success
  type: list
  elements: dict
  sample:
    - table: processinglog
      column: started_at
      rule: offset_to_utc
      values: 12
followers_complete:
  description:
    - Whether all rows that hang on refused rows were found. It is false where more than 200,000 rows are refused, or
      where tables that refer to each other would have to be read more than twenty times.
  returned: success
  type: bool
  sample: true
left_out:
  description: Tables and columns of the source that are not moved by intention, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - table: alembic_version
      column: ""
      reason: Alembic keeps it on each side for itself
problems:
  description: Where tables and columns of the two sides do not fit together.
  returned: success
  type: list
  elements: dict
  sample:
    - table: notes
      column: ""
      reason: the target has no table notes
      advice: Bring the target to the right Alembic revision, declare rename_tables, or exclude the table.
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._audit import argument_spec, audit
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), audit)


if __name__ == "__main__":
    main()
