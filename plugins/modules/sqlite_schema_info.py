#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what a SQLite database declares, and which PostgreSQL types its values would fit."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sqlite_schema_info
short_description: Find out what a SQLite database declares, and which PostgreSQL types its values fit
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - For databases whose application has no Alembic. The filter P(mcps.postgres.derive_schema#filter) makes the statements of
    a PostgreSQL schema of what this module returns.
  - Reads tables, columns, keys, indexes, views and triggers as they are declared, and every value of every column. The
    first type is taken that suits the declared type and that takes every value by the conversion that
    M(mcps.postgres.sqlite_import) uses.
  - What is declared is kept apart from what is there. C(DATETIME) becomes V(timestamp without time zone) if all values are
    dates, V(bigint) if all are whole numbers, and nothing at all if no type takes all of them.
  - Whole numbers always become V(bigint), which is what SQLite keeps.
  - The source is read in one read transaction, as it is at one moment. Nothing is changed.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._source
  - mcps.postgres._progress
options:
  exclude:
    description:
      - Tables to leave out, by name.
    type: list
    elements: str
    default: []
seealso:
  - module: mcps.postgres.sqlite_audit_info
  - module: mcps.postgres.sqlite_import
"""

EXAMPLES = r"""
- name: What the file declares, and what is in it
  mcps.postgres.sqlite_schema_info:
    source: /srv/shop/shop.db
  register: found

- name: Tables, keys and indexes for PostgreSQL
  ansible.builtin.set_fact:
    derived: "{{ found | mcps.postgres.derive_schema }}"

- name: Stop where somebody has to decide
  ansible.builtin.assert:
    that: derived.problems | length == 0
    fail_msg: "{{ derived.problems | map(attribute='text') | join(', ') }}"
"""

RETURN = r"""
tables:
  description: The tables in name order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The table's name.
      type: str
      sample: Invoice
    sql:
      description: Its statement.
      type: str
      sample: CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, Total NUMERIC(10, 2) NOT NULL)
    rows:
      description: How many rows it has.
      type: int
      sample: 412
    primary_key:
      description: The columns of its primary key.
      type: list
      elements: str
      sample: [InvoiceId]
    null_key:
      description: The columns of a declared primary key in which NULLs stand, so that it is none.
      type: list
      elements: str
      sample: []
    identity:
      description: The column that SQLite numbers by itself.
      type: str
      sample: InvoiceId
    without_rowid:
      description: Whether it is declared C(WITHOUT ROWID).
      type: bool
      sample: false
    columns:
      description: Its columns.
      type: list
      elements: dict
      contains:
        name:
          description: The column's name.
          type: str
          sample: Total
        declared:
          description: Its declared type.
          type: str
          sample: NUMERIC(10, 2)
        type:
          description: The PostgreSQL type that takes all of its values; null where none does.
          type: str
          sample: numeric(10,2)
        refused:
          description: Types that suit the declared one better, each with the first value that it would not take.
          type: list
          elements: dict
          sample: []
        not_null:
          description: Whether it is declared C(NOT NULL).
          type: bool
          sample: true
        default:
          description: Its default, as it is declared.
          type: str
          sample: "0"
        generated:
          description: V(virtual) or V(stored) for a generated column.
          type: str
          sample: null
        collation:
          description: Its collation, as far as an index tells.
          type: str
          sample: BINARY
    foreign_keys:
      description: Its foreign keys with their actions.
      type: list
      elements: dict
      sample:
        - columns: [CustomerId]
          parent: Customer
          parent_columns: [CustomerId]
          on_update: NO ACTION
          on_delete: NO ACTION
    indexes:
      description: Its indexes and unique constraints, without the primary key's.
      type: list
      elements: dict
      sample: []
left_out:
  description: Virtual tables and their storage (kinds V(virtual) and V(shadow)), and Alembic's own (V(version)).
  returned: success
  type: list
  elements: dict
  sample: []
views:
  description: Views with their statements.
  returned: success
  type: list
  elements: dict
  sample: []
triggers:
  description: Triggers with their statements.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module
from ansible_collections.mcps.postgres.plugins.module_utils._module._schema_info import argument_spec, describe


def main() -> None:
    run_module(argument_spec(), describe)


if __name__ == "__main__":
    main()
