#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches an environment file to new values, and puts it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_file
short_description: Set and remove keys of an environment file at once, and put it back
version_added: 0.1.0
description:
  - Works on files of C(KEY=value) lines, as python-dotenv, systemd's C(EnvironmentFile) and shells read them. Comments,
    C(export) in front of a key, quoted values (over several lines as well) and the order of the lines are kept.
  - All keys change in one atomic replacement of the file, which keeps owner, group and mode. A symbolic link stays
    one. A file that is new has mode V(0600).
  - Where a key stands on several lines, the last one is what readers use; setting it leaves that line only.
author:
  - The mcps.postgres authors (@mcps-postgres)
extends_documentation_fragment:
  - mcps.postgres._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The difference names keys and never shows a value.
  idempotent:
    support: full
options:
  path:
    description:
      - The environment file. Its folder must exist.
    type: path
    required: true
  state:
    description:
      - V(present) sets O(values) and removes O(absent).
      - V(restored) takes that back. The file is again what O(backup) holds. Where others changed the file in the
        meantime, their changes stay and only the keys of O(values) and O(absent) become what they were.
    type: str
    choices:
      - present
      - restored
    default: present
  values:
    description:
      - Keys and the values that they get. YAML's booleans become V(true) and V(false).
      - A line break in a value is refused, and so is a C($) where readers of environment files do not agree about it.
    type: dict
    required: true
  absent:
    description:
      - Keys that are removed.
    type: list
    elements: str
    default: []
  backup:
    description:
      - Where V(present) keeps the file as it was before it is changed, with a mode of at most V(0600). A copy that is
        there is kept, so that a repeated run does not put a changed file in its place. Use one path per change.
      - Needed by O(state=restored).
    type: path
seealso:
  - plugin: mcps.postgres.postgres_url
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Point the application at PostgreSQL
  mcps.postgres.environment_file:
    path: /srv/mcps/.env
    values:
      DATABASE_URL: "{{ {'host': 'db.example.com', 'user': 'mcps', 'password': mcps_password, 'database': 'mcps'}
        | mcps.postgres.postgres_url }}"
      USE_SQLITE: false
    absent:
      - DATABASE_PATH
    backup: /var/lib/mcps-migration/environment.before

- name: Point it back
  mcps.postgres.environment_file:
    path: /srv/mcps/.env
    state: restored
    values:
      DATABASE_URL: ""
      USE_SQLITE: false
    absent:
      - DATABASE_PATH
    backup: /var/lib/mcps-migration/environment.before
"""

RETURN = r"""
set:
  description: Keys that got another value.
  returned: success
  type: list
  elements: str
  sample: [DATABASE_URL, USE_SQLITE]
removed:
  description: Keys that are gone.
  returned: success
  type: list
  elements: str
  sample: [DATABASE_PATH]
backup:
  description: The copy of the file as it was, as O(backup) says.
  returned: success
  type: str
  sample: /var/lib/mcps-migration/environment.before
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._environment import (
    argument_spec,
    manage,
    module_options,
)
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), manage, **module_options())


if __name__ == "__main__":
    main()
