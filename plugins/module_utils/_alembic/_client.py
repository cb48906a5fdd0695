# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the application's own Alembic, in the application's own interpreter."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Mapping, Optional, Tuple

from .. import _endpoint
from .._application import is_secret, passes, text
from .._errors import ApplicationError
from .._masking import Mask
from . import _failure
from ._patches import Rendered, Script
from ._process import Interpreter

#: What the driver imports before it is asked anything, by the database driver of the URL.
IMPORTS = {"asyncpg": ["asyncpg", "sqlalchemy.ext.asyncio"], "psycopg": ["psycopg"], "psycopg2": ["psycopg2"]}
#: How much of what the application printed an error shows, from its end.
OUTPUT_LENGTH = 4000


@dataclass(frozen=True)
class Project:
    """The application's Alembic project and the database that it is to work on.

    I(environment) is the whole environment of the application's process; I(secrets) are values that never may show.
    """

    project_dir: str
    config_file: str
    python: str
    driver: str
    url: str = field(repr=False)
    host: str
    port: Optional[int]
    database: str
    schema: str
    environment: Mapping[str, str] = field(repr=False)
    secrets: Tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Plan:
    """What a command would run, and from which heads to which.

    I(revisions) are dicts of revision, down_revision, message and path, in order. I(existing_tables): tables of the
    application that are there although the database has no revision.
    """

    before: Tuple[str, ...]
    after: Tuple[str, ...]
    revisions: Tuple[Dict[str, Any], ...]
    existing_tables: Tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return set(self.before) != set(self.after)


def project_from_params(params: Mapping[str, Any], inherited: Mapping[str, str]) -> Project:
    """The project that C(_argspec.alembic_spec) and C(_argspec.target_spec) describe.

    I(inherited) is this process's environment. ApplicationError where files are missing.
    """
    host = params.get("login_host") or ""
    password = params.get("login_password")
    url = _endpoint.compose_url(
        driver=params["driver"],
        host=host,
        port=params["login_port"],
        user=params.get("login_user"),
        password=password,
        database=params.get("login_db") or "",
    )
    own = {name: text(value) for name, value in params["environment"].items()}
    tls = {name: params.get(name) for name in ("ssl_mode", "ca_cert", "ssl_cert", "ssl_key")}
    environment = {
        **{name: value for name, value in inherited.items() if passes(name)},
        "PYTHONDONTWRITEBYTECODE": "1",
        # Alembic walks through sets: with the same order each time, check mode shows the very SQL that is run.
        "PYTHONHASHSEED": "0",
        **own,
        **_endpoint.tls_environment(host, **tls),
        params["url_variable"]: url,
    }
    hidden = {password or "", environment.get("PGPASSWORD", "")}
    hidden |= {value for name, value in own.items() if is_secret(name, value)}
    project_dir, config_file = params["project_dir"], params["config_file"]
    require_files(project_dir, config_file, params["python"])
    return Project(
        project_dir=project_dir,
        config_file=os.path.join(project_dir, config_file),
        python=params["python"],
        driver=params["driver"],
        url=url,
        host=host,
        port=params["login_port"],
        database=params.get("login_db") or "",
        schema=params.get("target_schema") or "public",
        environment=environment,
        secrets=tuple(sorted(hidden - {""})),
    )


def require_files(project_dir: str, config_file: str, python: str) -> None:
    if not os.path.isdir(project_dir):
        raise ApplicationError(
            f"There is no folder {project_dir}.", advice="Set project_dir to the folder that the application lives in."
        )
    path = os.path.join(project_dir, config_file)
    if not os.path.isfile(path):
        raise ApplicationError(
            f"There is no Alembic configuration {path}.", advice="Set config_file, relative to project_dir."
        )
    if not os.path.isfile(python) or not os.access(python, os.X_OK):
        raise ApplicationError(
            f"{python} is not an interpreter that this user may run.",
            advice="Set python to the interpreter of the application's virtual environment, e.g. /opt/app/.venv/bin/python.",
        )


class Alembic:
    """The application's Alembic. Every method works in a process of its own and raises ApplicationError."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._interpreter: Optional[Interpreter] = None
        self.mask = Mask((*project.secrets, project.url))

    def inspect(self) -> Dict[str, Any]:
        """Where database and scripts stand, the drift between them, and the application's model. Reads only."""
        return self._ask("inspect")

    def plan(self, command: str, revision: str) -> Plan:
        """What I(command) (V(upgrade), V(downgrade), V(stamp)) to I(revision) would run. Reads only."""
        answer = self._ask("plan", command=command, revision=revision)
        return Plan(
            before=tuple(answer["before"]),
            after=tuple(answer["after"]),
            revisions=tuple(answer["revisions"]),
            existing_tables=tuple(answer["existing_tables"]),
        )

    def render(self, command: str, revision: str, heads: Tuple[str, ...]) -> str:
        """The SQL of I(command) from I(heads), by Alembic's offline mode, without secrets. Contacts no database."""
        answer = self._ask("render", command=command, revision=revision, heads=list(heads))
        return self.mask(str(answer["sql"]))

    def script(self, command: str, revision: str, heads: Tuple[str, ...]) -> Script:
        """As M(render), statement by statement, as they are to be run: secrets of the application may be in them."""
        answer = self._ask("render", command=command, revision=revision, heads=list(heads))
        return Script(tuple(Rendered(**piece) for piece in answer["statements"]), frozenset(answer["known"]))

    def execute(self, command: str, revision: str) -> Plan:
        """Run I(command). What comes back is what happened, with the heads read anew from the database."""
        return self._change("execute", command=command, revision=revision)

    def create(self, revision: str) -> Plan:
        """Make the tables of the application's metadata and write I(revision) down, both or neither."""
        return self._change("create", command="stamp", revision=revision)

    def _change(self, operation: str, **arguments: str) -> Plan:
        try:
            answer = self._ask(operation, **arguments)
        except ApplicationError as error:
            raise _failure.with_position(error, self._position()) from error
        plan = Plan(before=tuple(answer["before"]), after=tuple(answer["after"]), revisions=tuple(answer["revisions"]))
        return replace(plan, after=self.arrived(plan))

    def arrived(self, plan: Plan) -> Tuple[str, ...]:
        """The heads that the database has after others ran I(plan); ApplicationError where they are not the plan's."""
        current = self._position()
        if current is None or set(current) != set(plan.after):
            answer = {"before": list(plan.before), "after": list(plan.after), "revisions": list(plan.revisions)}
            raise _failure.not_kept(answer, current)
        return current

    def _position(self) -> Optional[Tuple[str, ...]]:
        """The database's heads now; None where even that cannot be found out."""
        try:
            return tuple(self._ask("locate")["current"])
        except ApplicationError:
            return None

    def _ask(self, operation: str, **arguments: Any) -> Dict[str, Any]:
        project = self._project
        marker = f"mcps.postgres {secrets.token_hex(16)} "
        request = {
            "marker": marker,
            "operation": operation,
            "config_file": project.config_file,
            "url": project.url,
            "host": project.host,
            "port": project.port,
            "database": project.database,
            "schema": project.schema,
            **arguments,
        }
        if self._interpreter is None or self._interpreter.ended:
            self._interpreter = Interpreter(
                project.python, project.project_dir, project.environment, IMPORTS.get(project.driver, [])
            )
        reply = self._interpreter.ask(request)
        # The mask comes before the cut, which could fall within a secret.
        output = self.mask(reply.errors)[-OUTPUT_LENGTH:].strip()
        document = read_answer(reply.output, marker)
        if document is None:
            raise _failure.no_answer(reply.status, output, project.python)
        if "failure" in document:
            raise _failure.explained(
                masked(document["failure"], self.mask), output, project.python, project.project_dir
            )
        answer: Dict[str, Any] = document["answer"]
        return answer


def read_answer(output: str, marker: str) -> Optional[Dict[str, Any]]:
    """The driver's document in I(output), in which others may have written as well; None where there is none."""
    _, found, rest = output.rpartition(marker)
    if not found or "\n" not in rest:
        return None
    document: Dict[str, Any] = json.loads(rest.partition("\n")[0])
    return document


def masked(value: Any, mask: Mask) -> Any:
    """I(value) with every text in it masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [masked(item, mask) for item in value]
    return {key: masked(item, mask) for key, item in value.items()} if isinstance(value, dict) else value
