#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_rehearsal
short_description: Run an application's Alembic revisions up, down and up on a PostgreSQL database that is thrown away
version_added: 0.1.0
description:
  - Makes a database on the target's server with the target's owner, extensions and settings, runs the application's
    revisions on it, and drops it. The target itself is only read.
  - Up to O(revision), down to an empty schema, up again. At the top it compares the schema with the application's model
    and with the SQLite database, at the bottom it looks for what was left behind.
  - Where a revision fails, the statements that Alembic's offline mode writes are run one by one, and each that PostgreSQL
    refuses is reported with file, line, cause and advice. Where a known mend exists it is tried, and the chain goes on.
    If it then comes to its end, RV(patches) holds what O(strategy=offline) needs, proven by a run from the beginning.
  - A database that a killed run has left behind is dropped by the next one. It is told from others by its comment.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._alembic
  - mcps.postgres._alembic.patches
  - mcps.postgres._target
  - mcps.postgres._mapping
attributes:
  check_mode:
    support: full
    details:
      - Makes no database and therefore rehearses nothing, which RV(rehearsed) says.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  strategy:
    description:
      - How the schema is made, see O(mcps.postgres.migration#role:migration_schema_strategy).
      - V(upgrade) runs the revisions as they are.
      - V(offline) runs the SQL that Alembic's offline mode writes, with O(patches).
      - V(metadata) makes the tables of the application's metadata.
    type: str
    choices:
      - upgrade
      - offline
      - metadata
    default: upgrade
  revision:
    description:
      - Revision to go up to.
    type: str
    default: head
  source:
    description:
      - SQLite database whose tables and columns the schema has to have.
    type: path
  downgrade:
    description:
      - Whether to go down and up again.
    type: bool
    default: true
  admin_user:
    description:
      - Role that may create databases, and the target's extensions in them. O(login_user) if it is not given.
    type: str
  admin_password:
    description:
      - Its password.
    type: str
  admin_db:
    description:
      - Database that it connects to.
    type: str
    default: postgres
  rehearsal_db:
    description:
      - Name of the database that is thrown away. O(login_db) with C(_rehearsal) behind it if it is not given.
    type: str
  prepared:
    description:
      - Whether O(rehearsal_db) has been made already, by a role that may, with O(login_user) as its owner, the target's
        extensions and settings, and the comment C(made by mcps.postgres for a rehearsal, may be dropped). It is emptied before and
        after and not dropped, and O(admin_user) is not needed.
    type: bool
    default: false
  accept:
    description:
      - Differences that are as they should be, as in M(mcps.postgres.schema_compare_info).
    type: list
    elements: str
    default: []
requirements:
  - psycopg2
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_info
  - module: mcps.postgres.alembic_upgrade
"""

EXAMPLES = r"""
- name: See whether the application's revisions run on PostgreSQL
  mcps.postgres.alembic_rehearsal:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    source: /srv/mcps/data/mcps.db
    login_host: /var/run/postgresql
    login_user: mcps
    login_db: mcps
    admin_user: postgres
  register: rehearsal

- name: Stop where they do not
  ansible.builtin.assert:
    that: rehearsal.up
    fail_msg: "{{ rehearsal.failures }} These patches would do: {{ rehearsal.patches }}"
"""

RETURN = r"""
rehearsed:
  description: Whether a rehearsal took place. It does not in check mode, and then nothing else is returned.
  type: bool
  returned: success
  sample: true
strategy:
  description: How the schema was made.
  type: str
  returned: when there was a rehearsal
  sample: upgrade
up:
  description: Whether it went up as O(strategy) says, with O(patches).
  type: bool
  returned: when there was a rehearsal
  sample: false
down:
  description: Whether it went down again. Null where that was not tried.
  type: bool
  returned: when there was a rehearsal
  sample: false
again:
  description: Whether it went up again after that. Null where that was not tried.
  type: bool
  returned: when there was a rehearsal
  sample: false
mended:
  description:
    - Whether the chain goes up with RV(patches) (or without any, if none are needed). Where patches were found, it has also
      to end without RV(drift).
  type: bool
  returned: when there was a rehearsal
  sample: true
failures:
  description: Everything that failed.
  type: list
  elements: dict
  returned: when there was a rehearsal
  contains:
    direction:
      description: V(upgrade), V(downgrade) or V(upgrade again).
      type: str
      sample: upgrade
    revision:
      description: Name of the revision.
      type: str
      sample: "0004"
    file:
      description: File of the application.
      type: str
      sample: /opt/mcps/alembic/versions/0004_rename.py
    line:
      description: Line in it, or 0 where it is not known.
      type: int
      sample: 17
    statement:
      description: What PostgreSQL refused.
      type: str
      sample: DROP TABLE server;
    sqlstate:
      description: PostgreSQL's code of the error.
      type: str
      sample: 2BP01
    reason:
      description: What PostgreSQL said.
      type: str
      sample: cannot drop table server because other objects depend on it
    cause:
      description: Why it is so with an application that was made on SQLite.
      type: str
      sample: other tables refer to the table that is dropped, which SQLite does not check
    advice:
      description: What to write in the revision.
      type: str
      sample: Drop the children first, or let CASCADE take their foreign keys along.
    patch:
      description: What was run instead, as O(patches) takes it. Empty where nothing is known.
      type: dict
      sample: {revision: "0004", find: DROP TABLE server;, replace: DROP TABLE server CASCADE;}
    consequence:
      description: Whether it may have failed only because a statement before it was left out.
      type: bool
      sample: false
patches:
  description: O(patches), and those of RV(failures).
  type: list
  elements: dict
  returned: when there was a rehearsal
  sample: [{revision: "0004", find: DROP TABLE server;, replace: DROP TABLE server CASCADE;}]
compared:
  description: Whether RV(drift) was looked for, which needs the application's metadata in C(env.py).
  type: bool
  returned: when there was a rehearsal
  sample: true
drift:
  description: What the schema at the top still lacks of the application's model, as in M(mcps.postgres.alembic_info).
  type: list
  elements: dict
  returned: when there was a rehearsal
  sample: []
against:
  description:
    - Differences between the schema at the top and the application's model that would stop a migration, as in
      M(mcps.postgres.schema_compare_info), but for O(accept). Not looked for where O(revision) is not the last one, whose
      model nobody has, unless O(strategy=metadata).
  type: list
  elements: dict
  returned: when there was a rehearsal
  sample: []
schema:
  description: Tables, columns, keys and foreign keys of O(source) that the schema at the top has no place for.
  type: list
  elements: dict
  returned: when there was a rehearsal
  contains:
    table:
      description: Table of the SQLite database.
      type: str
      sample: server
    column:
      description: Its column, or an empty string.
      type: str
      sample: notes
    reason:
      description: What is missing.
      type: str
    advice:
      description: What to do about it.
      type: str
  sample: []
unindexed:
  description: Foreign keys at the top that no index begins with, so that every delete of a parent reads all children.
  type: list
  elements: dict
  returned: when there was a rehearsal
  contains:
    table:
      description: The child.
      type: str
      sample: tool
    columns:
      description: Its columns.
      type: list
      elements: str
      sample: [server_id]
    parent:
      description: What they refer to.
      type: str
      sample: server
leftovers:
  description: What the way down left behind. An enum type among it makes the next way up fail.
  type: list
  elements: dict
  returned: when there was a rehearsal
  contains:
    kind:
      description:
        - V(table), V(view), V(materialized view), V(foreign table), V(sequence), V(enum type), V(domain), V(type) or
          V(routine).
      type: str
      sample: enum type
    name:
      description: Its name.
      type: str
      sample: hosttype
sql:
  description:
    - The SQL that Alembic's offline mode writes, for linters. Empty where it was not needed.
  type: str
  returned: when there was a rehearsal
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._rehearsal import (
    argument_spec,
    plain_values,
    rehearse,
)
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), rehearse, plain_values=plain_values)


if __name__ == "__main__":
    main()
