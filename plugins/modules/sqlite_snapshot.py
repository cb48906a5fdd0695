#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a consistent copy of a SQLite database that is in use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sqlite_snapshot
short_description: Take a consistent copy of a SQLite database that is in use
version_added: 0.1.0
author: "The mcps.postgres authors (@mcps-postgres)"
description:
  - Copies a SQLite database by SQLite's own online backup, inside one read transaction, while programs go on using it.
    What was committed is in the copy, even if it is still in the C(-wal) file only. Copying the file alone loses it.
  - In WAL mode writers are not disturbed. With a rollback journal their commits wait until the pages are copied.
  - The copy is checked by SQLite's integrity check. A damaged source is an error, and no snapshot is left.
  - Beside the copy a manifest records its SHA-256, its rows per table and where it came from.
  - The copy is one file in rollback-journal mode, which opens read-only anywhere. Both files have mode 0600.
  - The copy is written beside O(dest) as C(.part) and renamed when it is complete and on the disk. A run that was
    killed is simply repeated.
attributes:
  check_mode:
    support: full
    details:
      - RV(manifest) is null for a snapshot that is yet to be taken.
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - mcps.postgres._attributes
  - mcps.postgres._source
  - mcps.postgres._progress
options:
  dest:
    description:
      - Path of the snapshot. Its directory must exist.
      - A file that is there and is not a snapshot of O(source) is an error, unless O(replace) is set.
    type: path
    required: true
  manifest:
    description:
      - Path of the manifest. By default O(dest) with C(.manifest.json) appended, which is where the other modules of
        this collection look for it.
    type: path
  verify:
    description:
      - Compare the content of an existing snapshot with the SHA-256 in its manifest. Without it the content is only
        read when the file's size or time of modification is not the recorded one.
    type: bool
    default: false
  replace:
    description:
      - Take a new snapshot where O(source) may have changed since the existing one was taken, and overwrite whatever
        else is at O(dest). The old file stays until the new one is complete.
    type: bool
    default: false
seealso:
  - module: mcps.postgres.sqlite_audit_info
  - module: mcps.postgres.sqlite_fence
  - name: SQLite's backup interface
    description: How SQLite copies a database that is in use.
    link: https://www.sqlite.org/backup.html
"""

EXAMPLES = r"""
- name: Take a snapshot of the application's database
  mcps.postgres.sqlite_snapshot:
    source: /srv/mcps/mcps.sqlite
    dest: /var/backups/mcps/mcps.snapshot
  register: snapshot

- name: Say what is in it
  ansible.builtin.debug:
    msg: "{{ snapshot.manifest.rows }} rows in {{ snapshot.manifest.tables | length }} tables"

- name: Make sure that the snapshot is still what it was
  mcps.postgres.sqlite_snapshot:
    source: /srv/mcps/mcps.sqlite
    dest: /var/backups/mcps/mcps.snapshot
    verify: true
"""

RETURN = r"""
path:
  description:
    - Path of the snapshot. Once the file is there, Ansible adds its C(owner), C(group), C(mode), C(size) and so on.
  returned: success
  type: str
  sample: /var/backups/mcps/mcps.snapshot
manifest_path:
  description: Path of the manifest.
  returned: success
  type: str
  sample: /var/backups/mcps/mcps.snapshot.manifest.json
outcome:
  description: V(created), V(replaced), or V(existing) where nothing had to be done.
  returned: success
  type: str
  sample: created
source_changed:
  description:
    - Whether somebody may have written to O(source) since the existing snapshot was taken.
    - To find out what, see O(mcps.postgres.sqlite_fence#module:compare_with).
  returned: success
  type: bool
  sample: false
manifest:
  description: The manifest. Null in check mode where there is no snapshot yet.
  returned: success
  type: dict
  sample:
    format: mcps.postgres/snapshot/1
    created: "2026-03-01T02:00:07+00:00"
    source:
      path: /srv/mcps/mcps.sqlite
      fingerprint: file:4096000-1772330400000000000-17-42:wal:4152-1772330405000000000
      size: 4096000
      inode: 131075
      journal_mode: wal
      user_version: 0
      application_id: 0
    sqlite_version: 3.40.1
    encoding: UTF-8
    size: 4100096
    mtime_ns: 1772330407000000000
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    tables:
      server: 300
      tool: 2400
    rows: 2700
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module
from ansible_collections.mcps.postgres.plugins.module_utils._module._snapshot import argument_spec, snapshot


def main() -> None:
    run_module(argument_spec(), snapshot)


if __name__ == "__main__":
    main()
