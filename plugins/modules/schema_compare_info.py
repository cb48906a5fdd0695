#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_compare_info
short_description: Compare the tables of a PostgreSQL schema with those that an application expects
version_added: 0.1.0
description:
  - Holds PostgreSQL's catalog against a model - tables, columns with type, NULL and default, primary keys, unique
    constraints, foreign keys with what they do, CHECK constraints, generated columns and b-tree indexes - whoever has made
    the schema.
  - Alembic's autogenerate compares less (no primary keys, no labels of enums, no CHECK constraints) or more (whatever
    C(env.py) asks for), and needs the application. This needs the model only.
  - Expressions are never compared as texts of two dialects. The server is given both, on temporary tables that are rolled
    back, and they are the same where it writes both the same way or both are one constant, and different where a row is
    found for which they differ. What is neither is in RV(not_compared), and in a warning.
  - That takes the privilege C(TEMPORARY) on the database, which every role has unless it was revoked.
  - Tables that are not in the model are not looked at.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._target
options:
  model:
    description:
      - The tables that are expected, as M(mcps.postgres.alembic_info) and P(mcps.postgres.derive_schema#filter) return them.
    type: dict
    required: true
  drift:
    description:
      - What autogenerate has found, as M(mcps.postgres.alembic_info) returns it. It is added to what is found here.
    type: list
    elements: dict
    default: []
  strict:
    description:
      - Whether differences that keep nothing from working, such as a missing index, stand against the schema as well.
    type: bool
    default: false
  accept:
    description:
      - Differences that are as they should be, as C(kind table) or C(kind table.column), with shell wildcards. The same goes
        for what could not be compared, of which there is no warning then.
    type: list
    elements: str
    default: []
requirements:
  - psycopg2
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_info
"""

EXAMPLES = r"""
- name: Ask the application what it expects
  mcps.postgres.alembic_info:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    login_user: mcps
    login_db: mcps
  register: application

- name: See whether that is there
  mcps.postgres.schema_compare_info:
    login_user: mcps
    login_db: mcps
    model: "{{ application.model }}"
    drift: "{{ application.drift }}"
    accept:
      - index legacy_*
  register: comparison
  failed_when: not comparison.fits
"""

RETURN = r"""
tables:
  description: Number of tables that were expected.
  type: int
  returned: success
  sample: 15
fits:
  description: Whether RV(against) is empty.
  type: bool
  returned: success
  sample: true
against:
  description:
    - Those of RV(differences) that stand against the schema, because of their severity (or any, with O(strict)), and are
      not accepted.
  type: list
  elements: dict
  returned: success
  sample: []
differences:
  description: How the schema differs.
  type: list
  elements: dict
  returned: success
  contains:
    kind:
      description:
        - V(missing_table), V(missing_column), V(extra_column), V(type), V(nullable), V(default), V(generated),
          V(primary_key), V(unique), V(foreign_key), V(check) or V(index); of O(drift) also V(extra_table), V(comment), or an operation
          of autogenerate's.
      type: str
      sample: type
    table:
      description: The table.
      type: str
      sample: server
    column:
      description: The column, or an empty string.
      type: str
      sample: stars
    detail:
      description: What is there and what is expected, and for a constraint or a default the statement that makes it so.
      type: str
      sample: it is bigint, and INTEGER is expected
    severity:
      description:
        - V(error) where the application may be refused something, or loses a promise that the schema should make for it;
          V(note) otherwise.
      type: str
      sample: error
not_compared:
  description:
    - What is there on both sides, and of which nobody can tell whether it is the same, for instance two defaults that are
      computed anew for each row. None of it is in RV(differences) or stands against the schema.
  type: list
  elements: dict
  returned: success
  contains:
    kind:
      description: V(default), V(generated), V(check), or V(expression) for all of them.
      type: str
      sample: default
    table:
      description: The table.
      type: str
      sample: server
    column:
      description: The column, or an empty string.
      type: str
      sample: token
    detail:
      description: What is there, what is expected, and why nobody can tell.
      type: str
      sample: >-
        its default is gen_random_uuid(), and uuid_generate_v4() is expected: both are computed for each row, and are
        written differently
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._compare import argument_spec, compare
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), compare)


if __name__ == "__main__":
    main()
