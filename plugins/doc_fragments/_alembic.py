# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's own Alembic; mirrors alembic_spec of module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  project_dir:
    description:
      - Folder of the application that its Alembic commands are run in, usually the one that holds C(alembic.ini).
    type: path
    required: true
  config_file:
    description:
      - Alembic's configuration file. A relative path is looked up in O(project_dir).
      - The file is only read. The database URL never gets into it.
    type: path
    default: alembic.ini
  python:
    description:
      - The application's own Python interpreter, usually that of its virtual environment, with Alembic 1.8 or later,
        the application's dependencies and the database driver installed.
    type: path
    required: true
  driver:
    description:
      - SQLAlchemy's name of the database driver that the application uses, for example V(psycopg2), V(psycopg) or
        V(asyncpg). The URL then begins with C(postgresql+psycopg2), C(postgresql+psycopg) or C(postgresql+asyncpg).
      - V(none) or an empty string gives a URL without a driver, C(postgresql), which SQLAlchemy 2.1 reads as psycopg and
        older ones as psycopg2.
    type: str
    default: psycopg2
  url_variable:
    description:
      - Environment variable by which the application is told its database URL. It is set for the application's
        process only.
      - The URL is given to Alembic as C(sqlalchemy.url) as well, in memory.
    type: str
    default: DATABASE_URL
  environment:
    description:
      - More environment variables that the application needs to start, such as keys that its settings insist on.
      - Of the environment of the module itself, the application inherits only what any process needs
        (C(PATH), C(HOME), C(LANG), C(TZ) and the like) and the variables of PostgreSQL's client library (C(PG*)), so that
        a forgotten variable cannot lead it to another database.
    type: dict
    default: {}
requirements:
  - Alembic 1.8 or later and SQLAlchemy 1.4 or later in the application's own interpreter
"""

    PATCHES = r"""
options:
  patches:
    description:
      - Replacements in the SQL that Alembic's offline mode writes. Each has to match exactly once in what its revision writes,
        or nothing is run. Those of revisions that have run already do nothing.
      - M(mcps.postgres.alembic_rehearsal) finds out which are needed.
    type: list
    elements: dict
    default: []
    suboptions:
      revision:
        description: The revision that writes it.
        type: str
        required: true
      find:
        description: What to look for, literally, but any white space matches any other.
        type: str
        required: true
      replace:
        description: What to put in its place. A statement that becomes empty is left out.
        type: str
        default: ""
"""
