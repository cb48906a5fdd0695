#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look where a way to a PostgreSQL database leads."""

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Look where a way to a PostgreSQL database leads
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Logs in, and tells which server and database that led to, whether a pooler such as PgBouncer is in between and how
    it lends its connections, and what the role lacks to work with given tables.
  - Two ways lead to the same database exactly if their RV(server) is equal.
  - Nothing is set, not even for the session, so that nothing is left behind in a pooler's connections.
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._target
options:
  tables:
    description:
      - Tables in O(target_schema) that the role has to read and write. Those that are not there are passed over.
    type: list
    elements: str
    default: []
seealso:
  - module: mcps.postgres.migration_journal_info
"""

EXAMPLES = r"""
- name: See whether the application's role may work with its tables, through the pooler
  mcps.postgres.endpoint_info:
    login_host: pooler.example.com
    login_port: 6432
    login_db: mcps
    login_user: mcps_app
    login_password: "{{ mcps_password }}"
    ca_cert: /etc/mcps-tls/ca.crt
    tables: [server, tool]
  register: way
  failed_when: way is failed or way.missing_privileges | length > 0
"""

RETURN = r"""
server:
  description: What tells the database that was reached from every other.
  returned: success
  type: dict
  contains:
    system:
      description: The server's system identifier, none where the role may not read it.
      type: str
      returned: always
      sample: "7411223344556677889"
    database_oid:
      description: The database's object identifier.
      type: int
      returned: always
      sample: 16388
    database:
      description: Its name there, which a pooler's entry may differ from.
      type: str
      returned: always
      sample: mcps
    started:
      description: When the server was started, which tells it from its standbys and copies.
      type: str
      returned: always
      sample: "2026-03-01 04:00:12.123456+00"
    in_recovery:
      description: Whether it is a standby, which takes no writes.
      type: bool
      returned: always
      sample: false
user:
  description: The role that works there.
  returned: success
  type: str
  sample: mcps_app
version_number:
  description: The server's version as a number.
  returned: success
  type: int
  sample: 170006
pooling:
  description:
    - V(none) where the server is reached directly; otherwise for how long a pooler lends its connections, V(session) or
      V(transaction).
  returned: success
  type: str
  sample: transaction
missing_privileges:
  description: What the role lacks to read and write O(tables), empty where it lacks nothing.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: The schema, table or sequence.
      type: str
      returned: always
      sample: server_id_seq
    privilege:
      description: What has to be granted on it.
      type: str
      returned: always
      sample: USAGE
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._endpoint import argument_spec, inform
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), inform)


if __name__ == "__main__":
    main()
