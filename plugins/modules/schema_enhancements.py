#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_enhancements
short_description: Add to a schema what PostgreSQL can do and SQLite cannot
version_added: 0.1.0
description:
  - Turns json into jsonb, adds generated columns for full-text and vector search, and indexes, without changing what the
    application reads and writes.
  - Either makes them directly, or writes an Alembic revision into the application's own folder that does, so that its
    chain stays the whole truth about its schema. On SQLite that revision does nothing.
  - Indexes are built C(CONCURRENTLY). One whose build was killed is dropped and built again.
  - Names of indexes begin with C(pgx_), and each generated column has one. By that M(mcps.postgres.alembic_info) tells what
    was made here, which is no drift. Before revisions are written by Alembic's own autogenerate, which knows nothing of it,
    let the C(include_object) of C(env.py) leave it out.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._target
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the statements, or the revision.
  idempotent:
    support: full
options:
  enhancements:
    description:
      - What to add, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description:
          - V(jsonb) turns O(enhancements[].column) from json into jsonb, and adds a GIN index for containment. The table is
            rewritten.
          - V(search) adds a generated C(tsvector) of O(enhancements[].sources) with a GIN index. The table is rewritten.
          - V(vector) adds a generated C(vector) of O(enhancements[].column), a JSON array of numbers, with an HNSW index for the
            cosine distance. An array of another length, or with something else in it, has none. The table is rewritten.
          - V(foreign_keys) adds an index for each foreign key that none begins with.
          - V(index) adds an index over O(enhancements[].columns).
        type: str
        choices:
          - jsonb
          - search
          - vector
          - foreign_keys
          - index
        required: true
      table:
        description:
          - The table. V(foreign_keys) goes over all of them without one.
        type: str
      column:
        description:
          - The column that V(jsonb) and V(vector) are about. The name of V(search)'s column, C(search_vector) if it is not
            given.
        type: str
      columns:
        description:
          - The columns of V(index).
        type: list
        elements: str
      sources:
        description:
          - Columns that are searched, each with its weight, from V(A), the highest, to V(D).
        type: dict
      configuration:
        description:
          - Text search configuration, C(english) if it is not given.
        type: str
      dimensions:
        description:
          - Length of the vectors.
        type: int
      into:
        description:
          - Name of V(vector)'s column, that of O(enhancements[].column) with C(_vector) behind it if it is not given.
        type: str
      method:
        description:
          - Kind of V(index), C(btree) if it is not given. V(brin) serves large tables whose rows come in the order of a column.
        type: str
        choices:
          - btree
          - brin
          - gin
          - gist
          - hash
  state:
    description:
      - V(absent) takes O(enhancements) away again.
    type: str
    choices:
      - present
      - absent
    default: present
  model:
    description:
      - The application's declared tables, as RV(mcps.postgres.alembic_info#module:model) has them, to see in check mode
        whether O(enhancements) could be added to tables that are not there yet. Those that are there are taken as they are.
    type: dict
  lock_timeout:
    description:
      - Seconds to wait for a table that others use. Whoever waits for a lock makes all others wait behind it.
    type: float
    default: 5
  versions_dir:
    description:
      - The folder of the application's revisions. If it is given, a revision is written there, and the database is only
        looked at.
    type: path
  revision:
    description:
      - Name of the revision. If it is not given, one that follows from its statements.
    type: str
  down_revision:
    description:
      - What it follows, usually the RV(mcps.postgres.alembic_info#module:heads) of M(mcps.postgres.alembic_info).
    type: list
    elements: str
    default: []
requirements:
  - psycopg2
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_upgrade
"""

EXAMPLES = r"""
- name: Ask where the application's revisions stand
  mcps.postgres.alembic_info:
    project_dir: /opt/shop
    python: /opt/shop/.venv/bin/python
    login_user: shop
    login_db: shop
  register: chain

- name: Write a revision that adds what PostgreSQL can do
  mcps.postgres.schema_enhancements:
    login_user: shop
    login_db: shop
    versions_dir: /opt/shop/alembic/versions
    down_revision: "{{ chain.heads }}"
    enhancements:
      - {kind: jsonb, table: product, column: attributes}
      - {kind: search, table: product, sources: {name: A, description: B}}
      - {kind: foreign_keys}
      - {kind: index, table: event, columns: [created_at], method: brin}

- name: Or add it directly
  mcps.postgres.schema_enhancements:
    login_user: shop
    login_db: shop
    enhancements:
      - {kind: vector, table: product, column: embedding, dimensions: 384}
"""

RETURN = r"""
statements:
  description: The statements that were run, or in check mode would be, or that the revision holds.
  type: list
  elements: str
  returned: success
  sample: ['CREATE INDEX CONCURRENTLY "pgx_tool_server_id" ON "public"."tool" USING btree ("server_id")']
made:
  description: What was added, or taken away. Empty where a revision was written.
  type: list
  elements: str
  returned: success
  sample: [pgx_tool_server_id]
rewrites:
  description: Tables that are rewritten, and can be neither read nor written meanwhile.
  type: list
  elements: str
  returned: success
  sample: [product]
file:
  description: The revision's file, or an empty string.
  type: str
  returned: success
  sample: /opt/shop/alembic/versions/8c1f0a2b9d3e_postgresql.py
revision:
  description: Its name, or an empty string.
  type: str
  returned: success
  sample: 8c1f0a2b9d3e
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._enhance import argument_spec, enhance
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), enhance)


if __name__ == "__main__":
    main()
