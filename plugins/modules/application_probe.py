#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_probe
short_description: Start one of an application's processes for a moment and see whether it works
version_added: 0.1.0
description:
  - Starts O(command), waits until O(url) answers rightly, or until the process ends by itself where no O(url) is given,
    and stops it again. Meant for trying an application on an empty database before it is switched over.
  - C({port}) in O(command), O(environment) and O(url) is a free port, so that what runs already is not in the way.
  - The process inherits only what any process needs (C(PATH), C(HOME), C(LANG), C(TZ) and the like, and C(PG*)). It ends with
    the module, however that ends.
extends_documentation_fragment:
  - mcps.postgres._attributes
attributes:
  check_mode:
    support: full
    details:
      - Starts nothing, which RV(probed) says.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  command:
    description:
      - The program with its whole path, and its arguments.
    type: list
    elements: str
    required: true
  chdir:
    description:
      - Folder to start it in.
    type: path
  environment:
    description:
      - Its environment variables.
    type: dict
    default: {}
  url:
    description:
      - Page that it has to answer with HTTP status 200.
    type: str
  match:
    description:
      - Regular expression that the page, or what the process prints, has to match.
    type: str
    default: ""
  ca_cert:
    description:
      - File with the certificates of the authorities that may have signed the page's certificate.
    type: path
  timeout:
    description:
      - Seconds that it may take to answer or to end.
    type: float
    default: 60
  stop_timeout:
    description:
      - Seconds that it may take to stop when it is told to. Then it is killed.
    type: float
    default: 30
author:
  - The mcps.postgres authors (@mcps-postgres)
seealso:
  - module: mcps.postgres.alembic_rehearsal
"""

EXAMPLES = r"""
- name: See whether the API starts on PostgreSQL
  mcps.postgres.application_probe:
    command: [/opt/mcps/.venv/bin/python, -m, packages.api]
    chdir: /opt/mcps
    environment:
      DATABASE_URL: "{{ rehearsal_url }}"
      API_PORT: "{port}"
    url: http://127.0.0.1:{port}/health
    match: '"status": *"healthy"'

- name: See whether the command line finds its tables
  mcps.postgres.application_probe:
    command: [/opt/mcps/.venv/bin/python, -m, packages.harvester.cli, stats]
    chdir: /opt/mcps
    environment:
      DATABASE_URL: "{{ rehearsal_url }}"
"""

RETURN = r"""
probed:
  description: Whether it was started. It is not in check mode, and then nothing else is returned.
  type: bool
  returned: success
  sample: true
answer:
  description: The end of the right answer.
  type: str
  returned: when it was started
  sample: '{"status":"healthy"}'
seconds:
  description: How long it took until then.
  type: float
  returned: when it was started
  sample: 1.8
output:
  description: The end of what it printed, without secrets.
  type: str
  returned: when it was started, and failure
"""

from ansible_collections.mcps.postgres.plugins.module_utils._module._probe import argument_spec, plain_values, probe
from ansible_collections.mcps.postgres.plugins.module_utils._module._runner import run_module


def main() -> None:
    run_module(argument_spec(), probe, plain_values=plain_values)


if __name__ == "__main__":
    main()
