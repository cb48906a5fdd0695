#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_upgrade
short_description: Bring a PostgreSQL database to a revision of an application's Alembic project
version_added: 0.1.0
description:
  - Runs the application's own Alembic, in the application's own interpreter, until the database is at the wanted revision.
  - Every revision runs in a transaction, as C(env.py) says one each or one for all. When one fails, the database stays
    at the revision before it, or before all of them. The error names the revision, its file and line, the statement,
    what the database said and at which revision the database is.
  - Looks afterwards at which revision the database really is, and fails where C(env.py) did not commit.
  - Stops before anything is run where C(env.py) connects to another database than the one that was asked for.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._alembic
  - mcps.postgres._alembic.patches
  - mcps.postgres._target
attributes:
  check_mode:
    support: full
    details:
      - Runs C(env.py), but no revision. Every commit that C(env.py) asks for becomes a rollback.
  diff_mode:
    support: full
    details:
      - Shows the SQL of the revisions, by Alembic's offline mode and without secrets. Revisions that cannot run offline,
        because they look at the database, are listed instead, with a warning.
  idempotent:
    support: partial
    details:
      - A relative O(revision), such as V(+1) or V(-1), moves on with every run. All others are reached once.
options:
  command:
    description:
      - What to do.
      - V(upgrade) runs the revisions up to O(revision).
      - V(downgrade) takes back those after O(revision).
      - V(stamp) runs nothing and writes down that the database is at O(revision), for a schema that was made otherwise.
      - V(create) makes the tables of the metadata that C(env.py) gives to Alembic, and writes down that the database is
        at O(revision). Both or neither are kept. It needs a database without tables of the application.
    type: str
    choices:
      - upgrade
      - downgrade
      - stamp
      - create
    default: upgrade
  revision:
    description:
      - Revision to go to, in any of Alembic's spellings, such as V(head), V(heads), V(base), V(ae10), V(+1), V(branch@head).
      - V(downgrade) of O(command) needs one other than V(head).
    type: str
    default: head
  offline:
    description:
      - Let Alembic's offline mode write the revisions' SQL, apply O(patches) to it, and run it statement by statement as
        O(login_user), in the transactions that Alembic writes. For chains that PostgreSQL refuses as they are.
      - Revisions that ask the database something while they run cannot be written so.
      - Needs psycopg2 in the interpreter that Ansible uses on the host.
    type: bool
    default: false
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_info
  - module: mcps.postgres.alembic_rehearsal
"""

EXAMPLES = r"""
- name: Bring the schema up with the application's own revisions
  mcps.postgres.alembic_upgrade:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    driver: psycopg2
    login_host: db.example.com
    login_user: mcps
    login_password: "{{ mcps_database_password }}"
    login_db: mcps
    ca_cert: /etc/ssl/private-ca.pem

- name: Take the last revision back, through the local socket, for an application that uses asyncpg
  mcps.postgres.alembic_upgrade:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    driver: asyncpg
    environment:
      SECRET_KEY: "{{ mcps_secret_key }}"
    login_host: /var/run/postgresql
    login_user: mcps
    login_db: mcps
    command: downgrade
    revision: "-1"

- name: Write down that a schema made from the application's model is at the newest revision
  mcps.postgres.alembic_upgrade:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    login_user: mcps
    login_db: mcps
    command: stamp

- name: Run revisions that PostgreSQL refuses as they are
  mcps.postgres.alembic_upgrade:
    project_dir: /opt/mcps
    python: /opt/mcps/.venv/bin/python
    login_user: mcps
    login_db: mcps
    offline: true
    patches:
      - revision: "0004"
        find: DROP TABLE server;
        replace: DROP TABLE server CASCADE;
"""

RETURN = r"""
command:
  description: What was done, or in check mode would be done.
  type: str
  returned: success
  sample: upgrade
before:
  description: Revisions that the database was at. Empty where it had none.
  type: list
  elements: str
  returned: success
  sample: ["0004"]
after:
  description: Revisions that the database is at, or in check mode would be at.
  type: list
  elements: str
  returned: success
  sample: ["0006"]
revisions:
  description: Revisions that ran, or in check mode would run, in order. For V(stamp) of O(command), those written down.
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
revision:
  description: The revision that failed, as in RV(revisions), or nothing where it was none of them.
  type: dict
  returned: failure
  sample: {revision: "0005", down_revision: ["0004"], message: Filters, path: /opt/mcps/alembic/versions/0005_filters.py}
current:
  description: Revisions that the database is at after the failure.
  type: list
  elements: str
  returned: failure of a revision
  sample: ["0004"]
file:
  description: File of the application in which it failed.
  type: str
  returned: failure
  sample: /opt/mcps/alembic/versions/0005_filters.py
line:
  description: Line of RV(file).
  type: int
  returned: failure
  sample: 31
statement:
  description: SQL statement that the database refused.
  type: str
  returned: failure
  sample: DROP TABLE server
sqlstate:
  description: PostgreSQL's code of the error.
  type: str
  returned: failure
  sample: 2BP01
reason:
  description: What the database, Alembic or the application said.
  type: str
  returned: failure
  sample: cannot drop table server because other objects depend on it
traceback:
  description: The application's own traceback, without secrets.
  type: str
  returned: failure
output:
  description: The end of what the application printed, without secrets.
  type: str
  returned: failure
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._alembic import move, plain_values, upgrade_spec
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(upgrade_spec(), move, plain_values=plain_values)


if __name__ == "__main__":
    main()
