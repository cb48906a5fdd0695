#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the record of a migration one step further."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_journal
short_description: Record which phases of a migration are done
version_added: 0.1.0
description:
  - The journal is a file C(journal.json) in O(state_dir) and, the same, a row in the target's schema
    O(journal_schema). A run that was killed anywhere finds there where to go on.
  - Both copies have to be of the same migration. A state directory that was lost, or a connection to the wrong
    database, is an error which says what to do.
  - The file is replaced atomically and synced, and only its owner can read it.
  - Each call with O(lock_id) also begins the lease of the run's lock anew, see M(mcps.postgres.migration_lock).
author:
  - The mcps.postgres authors (@mcps-postgres)
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._target
  - mcps.postgres._target.optional
attributes:
  check_mode:
    support: full
    details:
      - The order of the phases is not enforced, since those before have not really been done.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - V(started) of O(state) is recorded anew when the phase was ended in the meantime.
options:
  state_dir:
    description:
      - Folder of the migration, on the host of the SQLite database. It is made with mode V(0700) when it is missing.
    type: path
    required: true
  journal_schema:
    description:
      - Schema of the target in which the migration keeps tables of its own.
    type: str
    default: mcps_migration
  mirror:
    description:
      - Whether the target is looked at and written. V(false) is for taking a migration back whose target is lost.
    type: bool
    default: true
  state:
    description:
      - V(begun) begins a migration of O(source), or goes on with the one that is there.
      - V(started), V(done), V(failed) and V(undone) are the states of O(phase). A phase can be started only when
        all phases before it are done. V(undone) also takes back the phases after it, which were built on it.
      - V(finished) and V(rolled_back) close the migration. After V(rolled_back), V(begun) begins a new one.
    type: str
    choices:
      - begun
      - started
      - done
      - failed
      - undone
      - finished
      - rolled_back
    required: true
  phase:
    description:
      - The phase that O(state) is about.
    type: str
    choices:
      - preflight
      - schema
      - snapshot
      - load
      - verify
      - fence
      - switch
      - rollback
  facts:
    description:
      - What is worth keeping about the phase. It is added to what the phase has recorded since it was started.
      - Anything JSON can hold; no secrets.
    type: dict
    default: {}
  source:
    description:
      - The SQLite database; needed by O(state=begun). It has to stay the same file until the migration is closed.
    type: path
  adopt:
    description:
      - Go on with the target's copy of the journal when the one in O(state_dir) is lost.
    type: bool
    default: false
  lock_id:
    description:
      - The lock of this run, as RV(mcps.postgres.migration_lock#module:lock_id). The task fails when another run has
        it by now.
    type: str
seealso:
  - module: mcps.postgres.migration_journal_info
  - module: mcps.postgres.migration_lock
"""

EXAMPLES = r"""
- name: Begin the migration, or go on with it
  mcps.postgres.migration_journal:
    state: begun
    source: /srv/mcps/data/mcps.db
    state_dir: /var/lib/mcps-migration
    login_host: db.example.com
    login_db: mcps
    login_user: mcps
    login_password: "{{ mcps_password }}"

- name: The data are loaded
  mcps.postgres.migration_journal:
    state: done
    phase: load
    facts:
      rows: 41267
    state_dir: /var/lib/mcps-migration
    login_host: db.example.com
    login_db: mcps
    login_user: mcps
    login_password: "{{ mcps_password }}"
"""

RETURN = r"""
journal:
  description: The whole record.
  returned: success
  type: dict
  contains:
    format:
      description: Name and version of the format.
      type: str
      returned: always
      sample: mcps.postgres/journal/1
    id:
      description: Identifies the migration in both copies.
      type: str
      returned: always
      sample: 0c8a3a0c-5b8e-4d6e-9b61-1b2a4a3f4d55
    source:
      description: Path and inode of the SQLite database.
      type: dict
      returned: always
      sample: {path: /srv/mcps/data/mcps.db, inode: 131085}
    target:
      description: Address of the target, and what identifies cluster and database whatever address they have.
      type: dict
      returned: always
      sample: {host: db.example.com, port: 5432, database: mcps, schema: public, system: "7554", database_oid: 16389}
    phases:
      description: For each phase its state, when it was started and finished (UTC), and its facts.
      type: dict
      returned: always
      sample:
        load: {state: done, started: "2026-11-22T10:00:00Z", finished: "2026-11-22T10:01:12Z", facts: {rows: 41267}}
    outcome:
      description: Where the migration as a whole stands.
      type: str
      returned: always
      sample: running
    history:
      description: Migrations before this one, all of which were rolled back.
      type: list
      elements: dict
      returned: always
      sample: []
id:
  description: Identifies the migration.
  returned: success
  type: str
  sample: 0c8a3a0c-5b8e-4d6e-9b61-1b2a4a3f4d55
outcome:
  description: V(running), V(finished) or V(rolled_back).
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
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._journal import (
    argument_spec,
    manage,
    module_options,
)
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), manage, **module_options())


if __name__ == "__main__":
    main()
