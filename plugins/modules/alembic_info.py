#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_info
short_description: Show where an application's Alembic revisions and its PostgreSQL database stand
version_added: 0.1.0
description:
  - Asks the application's own Alembic, in the application's own interpreter, at which revision the database is, which
    revisions are still to come, and whether the schema is what the application's model says.
  - Returns that model as PostgreSQL would have it, which is what data of an SQLite database has to fit into.
  - Runs the application's C(env.py), synchronous or asynchronous, but no revision. Every commit that C(env.py) asks for
    becomes a rollback.
  - Stops where C(env.py) connects to another database than the one that was asked for.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._alembic
  - mcps.postgres._target
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_upgrade
"""

EXAMPLES = r"""
- name: See where the application's schema stands
  mcps.postgres.alembic_info:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    driver: psycopg2
    login_host: db.example.com
    login_user: mcps
    login_password: "{{ mcps_database_password }}"
    login_db: mcps
    ca_cert: /etc/ssl/private-ca.pem
  register: schema

- name: Stop unless the schema is what the application expects
  ansible.builtin.assert:
    that:
      - schema.at_head
      - schema.drift | length == 0
"""

RETURN = r"""
current:
  description:
    - Revisions that the database is at, as its table C(alembic_version) says. Empty where there is none, several where
      branches are open.
  type: list
  elements: str
  returned: success
  sample: ["0004"]
heads:
  description: Newest revisions of the project. More than one where branches are open.
  type: list
  elements: str
  returned: success
  sample: ["0006"]
unknown:
  description:
    - Revisions that the database is at and that the project does not hold, so that the project is older than the
      database, or another one. Then RV(pending) is empty and RV(at_head) is V(false).
  type: list
  elements: str
  returned: success
  sample: []
pending:
  description: Revisions between the database and the project's heads, in the order in which they would run.
  type: list
  elements: dict
  returned: success
  contains:
    revision:
      description: Name of the revision.
      type: str
      sample: "0005"
    down_revision:
      description: Revisions that it follows. Empty for the first one, several for a merge.
      type: list
      elements: str
      sample: ["0004"]
    message:
      description: First line of its description.
      type: str
      sample: Filters that the web site offers.
    path:
      description: File that it is in.
      type: str
      sample: /opt/mcps/alembic/versions/0005_filters.py
branches:
  description: Revisions that more than one other follows.
  type: list
  elements: str
  returned: success
  sample: []
at_head:
  description: Whether the database is at all of the project's heads.
  type: bool
  returned: success
  sample: false
unversioned:
  description:
    - Whether tables of the application are there although the database has no revision. That is so when the application
      was once started on the empty database and made its tables itself.
  type: bool
  returned: success
  sample: false
existing_tables:
  description: Tables of the application that are there.
  type: list
  elements: str
  returned: success
  sample: [server, tool]
compared:
  description:
    - Whether RV(drift) was looked for. That is so when the application gives Alembic its metadata, and either RV(at_head)
      or RV(unversioned) is V(true).
  type: bool
  returned: success
  sample: true
drift:
  description:
    - What Alembic's autogenerate would still change, with the options that C(env.py) sets, such as C(include_object).
    - What M(mcps.postgres.schema_enhancements) has added is none.
    - Only looked for when RV(compared) is V(true).
  type: list
  elements: dict
  returned: success
  contains:
    operation:
      description: Name of the operation, in autogenerate's words.
      type: str
      sample: modify_type
    table:
      description: Table that it is about.
      type: str
      sample: server
    column:
      description: Column that it is about, or an empty string.
      type: str
      sample: stars
    detail:
      description: How the two sides differ.
      type: str
      sample: type is BIGINT in the database, INTEGER in the application's model
unused_types:
  description:
    - Enum types of the application that are there although no column has them, as a downgrade leaves them behind. The
      revision that makes them fails then. Empty where RV(at_head) is V(true).
  type: list
  elements: str
  returned: success
  sample: [hosttype]
model:
  description:
    - The application's tables by name, from the metadata that C(env.py) gives to Alembic. Empty where it gives none.
    - Where RV(compared) is V(true), with what M(mcps.postgres.schema_enhancements) has added to them.
    - Tables in another schema than O(target_schema) are named with it in front.
  type: dict
  returned: success
  sample:
    server:
      columns:
        id: {type: INTEGER, nullable: false, default: true, generated: false, identity: ""}
        host_type: {type: hosttype, nullable: false, default: true, generated: false, identity: "", expression: "'NPM'"}
      primary_key: [id]
      foreign_keys:
        - columns: [author_id]
          parent: author
          parent_columns: [id]
          name: server_author_id_fkey
          on_delete: CASCADE
          on_update: NO ACTION
          deferrable: null
      checks:
        - {name: ck_server_stars, expression: stars >= 0}
      unique: []
      indexed: [[host_type], [id]]
      enums:
        hosttype: [GITHUB, NPM]
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._alembic import info_spec, plain_values, show
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(info_spec(), show, plain_values=plain_values)


if __name__ == "__main__":
    main()
