# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small applications with an Alembic project of their own, thrown away after a test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .server import Database

INI = """\
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = .
# The application's own database, which nothing here may touch.
sqlalchemy.url = sqlite:///%(here)s/own.db
"""

MODEL = """\
import sqlalchemy as sa

metadata = sa.MetaData()
color = sa.Enum("RED", "GREEN", name="color")
parent = sa.Table(
    "parent",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False, index=True),
    sa.Column("color", color),
)
child = sa.Table(
    "child",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id"), nullable=False, unique=True),
)
"""

#: What every env.py has: I(OPTIONS) and the two functions that run the revisions.
ENV = """\
import os

from alembic import context
from sqlalchemy import create_engine, engine_from_config, pool, text

from model import metadata

config = context.config
OPTIONS = {{"target_metadata": metadata, {options}}}


def offline(url):
    context.configure(url=url, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def on(connection):
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


{before}
{run}
"""

#: Reads Alembic's configuration only.
INI_ONLY = """\
if context.is_offline_mode():
    offline(config.get_main_option("sqlalchemy.url"))
else:
    engine = engine_from_config(config.get_section(config.config_ini_section), poolclass=pool.NullPool)
    with engine.connect() as connection:
        on(connection)
"""

#: Reads the environment only, and hands the URL to Alembic without doubling its percent signs.
ENVIRONMENT_ONLY = """\
config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"])
if context.is_offline_mode():
    offline(config.get_main_option("sqlalchemy.url"))
else:
    with create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool).connect() as connection:
        on(connection)
"""

ASYNCHRONOUS = """\
import asyncio

from sqlalchemy.ext.asyncio import async_engine_from_config


async def online():
    section = config.get_section(config.config_ini_section)
    engine = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(on)
    await engine.dispose()


if context.is_offline_mode():
    offline(config.get_main_option("sqlalchemy.url"))
else:
    asyncio.run(online())
"""

CREATE_PARENT = """\
    op.create_table(
        "parent",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("color", sa.Enum("RED", "GREEN", name="color")),
    )
    op.create_index("ix_parent_name", "parent", ["name"])"""
DROP_PARENT = """\
    op.drop_table("parent")
    op.execute("DROP TYPE color")"""
CREATE_CHILD = """\
    op.create_table(
        "child",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id"), nullable=False, unique=True),
    )"""
DROP_CHILD = """\
    op.drop_table("child")"""


class AlembicProject:
    """An application in I(folder) whose two revisions, 0001 and 0002, make what its model says."""

    def __init__(
        self, folder: Path, run: str = INI_ONLY, *, options: str = "", before: str = "", revisions: bool = True
    ) -> None:
        self.folder = folder
        #: The application's interpreter.
        self.python = sys.executable
        self.versions = folder / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        self.ini = folder / "alembic.ini"
        self.ini.write_text(INI)
        (folder / "model.py").write_text(MODEL)
        self.env = folder / "migrations" / "env.py"
        self.env.write_text(ENV.format(options=options, before=before, run=run))
        if revisions:
            self.revision("0001", None, CREATE_PARENT, DROP_PARENT, message="Parents.")
            self.revision("0002", "0001", CREATE_CHILD, DROP_CHILD, message="Children.")

    def revision(
        self,
        name: str,
        down: str | tuple[str, ...] | None,
        upgrade: str = "    pass",
        downgrade: str = "    pass",
        *,
        message: str = "",
        depends_on: str | None = None,
    ) -> Path:
        """Write one revision; returns its file."""
        path = self.versions / f"{name}.py"
        path.write_text(
            f'"""{message or name}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
            f"revision = {name!r}\ndown_revision = {down!r}\nbranch_labels = None\ndepends_on = {depends_on!r}\n\n\n"
            f"def upgrade():\n{upgrade}\n\n\ndef downgrade():\n{downgrade}\n"
        )
        return path

    def arguments(self, database: Database, **more: Any) -> dict[str, Any]:
        """The modules' arguments for this project and I(database)."""
        return {"project_dir": str(self.folder), "python": self.python, **database.login, **more}
