#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a SQLite database refuse every write, with a message that says why."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sqlite_fence
short_description: Make a SQLite database refuse every write
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Puts triggers on every ordinary table that refuse to insert, update and delete rows, with O(message) as the error
    that the writing program gets. The fence is a part of the file, so it holds for every program, in the midst of its
    work as well as after a restart. Reading is not affected.
  - All triggers come, or go, in one transaction. They are named C(mcps_fence_*), no other trigger is touched.
  - With O(compare_with) the content is compared with a snapshot inside that very transaction, so that a write
    which came too late for the snapshot cannot be overlooked.
notes:
  - SQLite has no triggers on virtual tables such as FTS5, so these are named in RV(unfenceable). Their own storage
    is left alone on purpose, since SQLite crashes the writing program when it meets triggers there. The content of a
    search index comes from ordinary tables as a rule, and those are fenced.
  - Triggers refuse rows, not changes to the schema. C(DROP TABLE) and C(CREATE TABLE) still work.
  - A statement that does not touch any row is not refused.
  - The module waits for O(busy_timeout) seconds for a program that is writing. With a rollback journal it also waits
    for programs that are reading.
attributes:
  check_mode:
    support: full
    details:
      - With O(compare_with) the content is compared in check mode too.
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._source
  - mcps.postgres._progress
options:
  state:
    description:
      - V(present) puts the fence up, V(absent) takes it down.
    type: str
    choices:
      - present
      - absent
    default: present
  message:
    description:
      - The error that a program gets when it tries to write.
      - An existing fence with another message gets this one.
    type: str
    default: "This database is read-only: its data is being moved to PostgreSQL, or has been moved already."
  compare_with:
    description:
      - A snapshot that M(mcps.postgres.sqlite_snapshot) took of O(source). Every value of every ordinary table is
        compared with it, storage classes included, and the result is in RV(changed_since_snapshot).
      - Writers have to wait in the meantime. A difference does not fail the task and does not keep the fence away.
    type: path
  busy_timeout:
    description:
      - How long to wait for other programs' locks, in seconds.
    type: float
    default: 30.0
seealso:
  - module: mcps.postgres.sqlite_snapshot
"""

EXAMPLES = r"""
- name: Stop writes, and find out what was written since the snapshot
  mcps.postgres.sqlite_fence:
    source: /srv/mcps/mcps.sqlite
    compare_with: /var/backups/mcps/mcps.snapshot
  register: fence

- name: Go on only if the snapshot is still everything
  ansible.builtin.assert:
    that: not fence.changed_since_snapshot
    fail_msg: "{{ fence.changed_since_snapshot }}"

- name: Let the application write to SQLite again
  mcps.postgres.sqlite_fence:
    source: /srv/mcps/mcps.sqlite
    state: absent
"""

RETURN = r"""
fenced:
  description: Whether the fence is up after this task (in check mode, whether it would be).
  returned: success
  type: bool
  sample: true
tables:
  description: The tables that refuse writes.
  returned: success
  type: list
  elements: str
  sample:
    - server
    - tool
unfenceable:
  description: The virtual tables, on which SQLite has no triggers.
  returned: success
  type: list
  elements: str
  sample: []
changed_since_snapshot:
  description: The tables whose content is not that of the snapshot. Empty where nothing differs.
  returned: when O(compare_with) is given
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table.
      type: str
      sample: server
    rows_missing:
      description: Rows of the snapshot that are gone.
      type: int
      sample: 0
    rows_extra:
      description: Rows that the snapshot does not have.
      type: int
      sample: 1
    rows_changed:
      description: Rows with the same key and other values.
      type: int
      sample: 0
    first_keys:
      description:
        - The first ten of these rows, by their primary key. Where there is none, by their first columns.
      type: list
      elements: str
      sample:
        - id=301
    reason:
      description: Set where the table itself is new, gone, or has other columns.
      type: str
      sample: ""
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._fence import argument_spec, fence
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), fence)


if __name__ == "__main__":
    main()
