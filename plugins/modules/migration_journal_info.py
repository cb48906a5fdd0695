#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the record of a migration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_journal_info
short_description: Read which phases of a migration are done
version_added: 0.1.0
description:
  - Reads both copies of the journal, the file in O(state_dir) and the row in the target, and tells whether they
    agree. It does not fail when they do not.
author:
  - The mcps.postgres authors (@mcps-postgres)
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._attributes.info_module
  - mcps.postgres._target
  - mcps.postgres._target.optional
options:
  state_dir:
    description:
      - Folder of the migration, on the host of the SQLite database. It need not exist.
    type: path
    required: true
  journal_schema:
    description:
      - Schema of the target in which the migration keeps tables of its own.
    type: str
    default: mcps_migration
  mirror:
    description:
      - Whether the target is looked at.
    type: bool
    default: true
seealso:
  - module: mcps.postgres.migration_journal
"""

EXAMPLES = r"""
- name: See how far the migration is
  mcps.postgres.migration_journal_info:
    state_dir: /var/lib/mcps-migration
    login_host: db.example.com
    login_db: mcps
    login_user: mcps
    login_password: "{{ mcps_password }}"
  register: migration
"""

RETURN = r"""
journal:
  description: The whole record as M(mcps.postgres.migration_journal) returns it, none where no migration was begun.
  returned: success
  type: dict
  sample: {format: mcps.postgres/journal/1, id: 0c8a3a0c-5b8e-4d6e-9b61-1b2a4a3f4d55, outcome: running}
id:
  description: Identifies the migration; empty where none was begun.
  returned: success
  type: str
  sample: 0c8a3a0c-5b8e-4d6e-9b61-1b2a4a3f4d55
outcome:
  description: V(running), V(finished), V(rolled_back), or empty.
  returned: success
  type: str
  sample: running
phases:
  description: The state of every phase, an empty text for one that was never begun.
  returned: success
  type: dict
  sample: {preflight: done, schema: started, snapshot: "", load: "", verify: "", fence: "", switch: "", rollback: ""}
loaded_before:
  description: Whether an earlier migration of the same source, rolled back since, has begun to load rows.
  returned: success
  type: bool
  sample: false
verdict:
  description:
    - What the two copies say together.
    - V(none) no migration was begun; V(same) or V(local) (no target asked) all is well; V(behind) the target's copy
      misses the last step, which the next step mends.
    - V(target_unknown) the target knows nothing of the migration; V(state_lost) only the target knows one;
      V(different) the two are of different migrations.
  returned: success
  type: str
  sample: same
problem:
  description: What is wrong with the two copies, empty where nothing is.
  returned: success
  type: str
  sample: ""
advice:
  description: What to do about RV(problem).
  returned: success
  type: str
  sample: ""
target:
  description: What identifies the target whatever address it has, and what it offers; none where no target was asked.
  returned: success
  type: dict
  contains:
    system:
      description: The cluster's system identifier, none where the role may not read it.
      type: str
      returned: always
      sample: "7554"
    database_oid:
      description: The database's object identifier.
      type: int
      returned: always
      sample: 16389
    database:
      description: Name of the database.
      type: str
      returned: always
      sample: mcps
    schema:
      description: Name of the schema.
      type: str
      returned: always
      sample: public
    version_number:
      description: The server's version as a number.
      type: int
      returned: always
      sample: 180006
    version:
      description: The server's version.
      type: str
      returned: always
      sample: "18.6"
    in_recovery:
      description: Whether the server is a standby, which takes no writes.
      type: bool
      returned: always
      sample: false
    schema_exists:
      description: Whether the schema exists.
      type: bool
      returned: always
      sample: true
    may_create:
      description: Whether the role may create tables in the schema.
      type: bool
      returned: always
      sample: true
    may_journal:
      description: Whether the role may create O(journal_schema), or tables in it if it exists.
      type: bool
      returned: always
      sample: true
    extensions:
      description: The extensions of the database and their versions.
      type: dict
      returned: always
      sample: {vector: 0.8.6}
free_bytes:
  description: Room on the disk of O(state_dir), or of the folder above it that is there.
  returned: success
  type: int
  sample: 53687091200
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._journal import info_argument_spec, inform
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(info_argument_spec(), inform)


if __name__ == "__main__":
    main()
