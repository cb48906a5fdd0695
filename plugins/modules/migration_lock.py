#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes or gives back the lock of a migration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_lock
short_description: Keep two runs of a migration apart
version_added: 0.1.0
description:
  - The lock is a row in the target, one for each target schema. It belongs to a run of C(ansible-playbook), which the
    action plugin of the same name makes out by controller, boot, process and the process's start.
  - A lock whose process is dead is taken over at once when that process ran on this controller. One that another
    controller holds is taken over when its lease ran out.
  - Before a lock is taken over, modules which the dead run may have left at work in the target must have ended.
  - A lock that a live run holds is refused, with who holds it, where, since when and in which phase.
author:
  - The mcps.postgres authors (@mcps-postgres)
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._target
attributes:
  check_mode:
    support: full
    details:
      - A lock that is not to be had fails in check mode as well.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) takes the lock, V(absent) gives it back. A lock of another run is never given back.
    type: str
    choices:
      - present
      - absent
    default: present
  lease:
    description:
      - Seconds after which other controllers may take the lock over, unless M(mcps.postgres.migration_journal) began
        the lease anew. Longer than any phase takes.
    type: int
    default: 3600
  break_lock:
    description:
      - Take the lock over from a live or unreachable run. Only when that run is certainly dead.
    type: bool
    default: false
  patience:
    description:
      - Seconds to wait for what a dead run left at work in the target.
    type: int
    default: 30
  journal_schema:
    description:
      - Schema of the target in which the migration keeps tables of its own.
    type: str
    default: mcps_migration
  run:
    description:
      - Who asks. The action plugin fills this in; playbooks leave it out.
    type: dict
    required: true
    suboptions:
      controller:
        description: Host name of the controller.
        type: str
        default: ""
      machine:
        description: The controller's machine id.
        type: str
        default: ""
      boot:
        description: Identifies the controller's last start.
        type: str
        default: ""
      namespace:
        description: Identifies the controller's table of processes, which containers have of their own.
        type: str
        default: ""
      pid:
        description: Process id of C(ansible-playbook).
        type: str
        default: ""
      started:
        description: When that process was started.
        type: str
        default: ""
      inventory_host:
        description: The host of the inventory that the run works on.
        type: str
        default: ""
      user:
        description: Who started it.
        type: str
        default: ""
  dead:
    description:
      - RV(holder.token) of a holder that the controller knows to be dead. The action plugin fills this in.
    type: str
    default: ""
seealso:
  - module: mcps.postgres.migration_journal
"""

EXAMPLES = r"""
- name: Keep other runs out
  mcps.postgres.migration_lock:
    login_host: db.example.com
    login_db: mcps
    login_user: mcps
    login_password: "{{ mcps_password }}"
  register: lock

- name: Let others in again
  mcps.postgres.migration_lock:
    state: absent
    login_host: db.example.com
    login_db: mcps
    login_user: mcps
    login_password: "{{ mcps_password }}"
"""

RETURN = r"""
lock_id:
  description: Identifies the lock; for O(mcps.postgres.migration_journal#module:lock_id). Empty when given back.
  returned: success
  type: str
  sample: 9d2a3b74-8f05-4b5a-9c5b-0d3f1a7f6f10
taken_over:
  description: Whether another run had the lock before.
  returned: success
  type: bool
  sample: false
reason:
  description: Why the lock was taken over.
  returned: success
  type: str
  sample: ""
former_holder:
  description: Who had the lock when it was taken over.
  returned: success
  type: dict
  sample: null
holder:
  description: Who has the lock.
  returned: when the lock is not to be had
  type: dict
  sample:
    controller: deploy01
    pid: "4711"
    user: ops
    inventory_host: app1
    since: "2026-11-22T10:00:00Z"
    phase: load
    token: 2b8d0c54-6f8e-4b59-8a55-0f8d0e3a7a02
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._lock import argument_spec, manage
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), manage)


if __name__ == "__main__":
    main()
