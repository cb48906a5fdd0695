# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of alembic_rehearsal in, what the application's revisions do on a database that is thrown away out."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ContextManager, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import _argspec
from .._alembic._client import Alembic, project_from_params
from .._alembic._mends import Mend, Refused, explain, made_anew
from .._alembic._patches import Patch, Rendered, executable, patched, patches_from_params
from .._application import plain_values
from .._argspec import Spec
from .._errors import ApplicationError, TargetError
from .._postgres._catalog import read_tables
from .._postgres._script import run_script, try_script
from .._postgres._session import Session, connect
from .._postgres._throwaway import objects, prepared, throwaway, unindexed
from .._sqlite._source import SqliteSource
from .._transfer._counterparts import missing_counterparts
from .._transfer._expected import standing, with_drift
from .._transfer._mapping import options_from_params, plan_mapping
from ._alembic import patches_spec, script_failure
from ._compare import held_against
from ._runner import Outcome, Task

__all__ = ["argument_spec", "plain_values", "rehearse"]

#: Failures that a revision is to blame for; all others keep the rehearsal from being one.
OF_REVISIONS = ("revision", "commit", "create")


def argument_spec() -> Spec:
    """What alembic_rehearsal takes."""
    return {
        **_argspec.alembic_spec(),
        **_argspec.target_spec(),
        **_argspec.mapping_spec(),
        "strategy": {"type": "str", "choices": ["upgrade", "offline", "metadata"], "default": "upgrade"},
        "revision": {"type": "str", "default": "head"},
        "patches": patches_spec(),
        "source": {"type": "path"},
        "downgrade": {"type": "bool", "default": True},
        "admin_user": {"type": "str"},
        "admin_password": {"type": "str", "no_log": True},
        "admin_db": {"type": "str", "default": "postgres"},
        "rehearsal_db": {"type": "str"},
        "prepared": {"type": "bool", "default": False},
        "accept": {"type": "list", "elements": "str", "default": []},
    }


@dataclass
class Findings:
    """What came to light so far."""

    failures: List[Dict[str, Any]] = field(default_factory=list)
    patches: List[Patch] = field(default_factory=list)
    mended: bool = True
    drift: List[Dict[str, str]] = field(default_factory=list)
    compared: bool = False
    against: List[Dict[str, str]] = field(default_factory=list)
    schema: List[Dict[str, str]] = field(default_factory=list)
    unindexed: List[Dict[str, Any]] = field(default_factory=list)
    leftovers: List[Dict[str, str]] = field(default_factory=list)
    sql: str = ""

    def failed(self, direction: str) -> bool:
        return any(failure["direction"] == direction for failure in self.failures)


def rehearse(task: Task) -> Outcome:
    """Up, down, up, with a look around at the top and at the bottom. The target itself is only read."""
    if task.check_mode:
        return Outcome(result={"rehearsed": False})
    rehearsal = _Rehearsal(task.params)
    found = rehearsal.run()
    up = not found.failed("upgrade")
    return Outcome(
        result={
            "rehearsed": True,
            "strategy": task.params["strategy"],
            "up": up,
            "down": not found.failed("downgrade") if rehearsal.went_down else None,
            "again": not found.failed("upgrade again") if rehearsal.went_again else None,
            "mended": found.mended,
            "failures": found.failures,
            "patches": [dict(patch.as_dict()) for patch in found.patches],
            "compared": found.compared,
            "drift": found.drift,
            "against": found.against,
            "schema": found.schema,
            "unindexed": found.unindexed,
            "leftovers": found.leftovers,
            "sql": found.sql,
        }
    )


class _Rehearsal:
    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.schema = params["target_schema"]
        self.name = params["rehearsal_db"] or f"{params['login_db']}_rehearsal"
        self.admin = {
            **params,
            "login_db": params["admin_db"],
            "login_user": params["admin_user"] or params["login_user"],
            "login_password": params["admin_password"] if params["admin_user"] else params["login_password"],
        }
        self.declared = patches_from_params(params["patches"])
        self.found = Findings(patches=list(self.declared))
        self.went_down = self.went_again = False

    def run(self) -> Findings:
        with self._place() as place:
            alembic = self._alembic(place)
            # Revisions that ask the database something cannot be written as a script.
            with suppress(ApplicationError):
                self.found.sql = alembic.render("upgrade", self.params["revision"], ())
            failure = self._up(alembic, place, self.declared)
            if failure is None:
                self._look_around(alembic, place)
                self._back_and_forth(alembic, place)
        if failure is not None:
            self._mend(failure)
        return self.found

    def _place(self) -> ContextManager[Dict[str, Any]]:
        """An empty database, and the login_* arguments that lead to it."""
        if self.params["prepared"]:
            return prepared(self.params, self.name)
        return throwaway(self.params, self.admin, self.name)

    def _alembic(self, place: Mapping[str, Any]) -> Alembic:
        return Alembic(project_from_params(place, os.environ))

    def _up(self, alembic: Alembic, place: Mapping[str, Any], patches: Sequence[Patch]) -> Optional[ApplicationError]:
        """Bring the schema up as the strategy does; returns the failure that a revision is to blame for."""
        strategy, revision = self.params["strategy"], self.params["revision"]
        try:
            if strategy == "metadata":
                alembic.create(revision)
            elif strategy == "offline" or len(patches) > len(self.declared):
                self._run_script(place, self._statements(alembic, patches))
            else:
                alembic.execute("upgrade", revision)
        except ApplicationError as error:
            if error.details.get("kind") not in OF_REVISIONS:
                raise
            return error
        return None

    def _statements(self, alembic: Alembic, patches: Sequence[Patch]) -> List[Rendered]:
        return executable(patched(alembic.script("upgrade", self.params["revision"], ()), patches))

    def _run_script(self, place: Mapping[str, Any], statements: Sequence[Rendered]) -> None:
        with connect(place, "rehearsal") as session:
            try:
                run_script(session, self.schema, [statement.text for statement in statements])
            except TargetError as error:
                raise script_failure(error, statements) from error

    # --- up

    def _mend(self, first: ApplicationError) -> None:
        """Find every statement that is refused and what would do instead, on a fresh database."""
        self.found.mended = False
        if self.params["strategy"] == "metadata":
            self._note("upgrade", first)
            return
        with self._place() as place:
            alembic = self._alembic(place)
            try:
                statements = self._statements(alembic, self.declared)
            except ApplicationError as error:
                if error.details.get("kind") not in OF_REVISIONS:
                    raise
                # It cannot be written as a script: there is but the one failure to tell of.
                self._note("upgrade", first)
                return
            trial = _Trial(statements)
            with connect(place, "rehearsal") as session:
                given_up = try_script(session, self.schema, [each.text for each in statements], trial.instead)
            self._keep(alembic, trial, given_up)
            if not self.found.failures:
                self._note("upgrade", first)  # Only online it fails.
        if not given_up and self.found.failures:
            self._prove()

    def _prove(self) -> None:
        """The patches as they would be declared, from the beginning, and the way back after them."""
        with self._place() as place:
            alembic = self._alembic(place)
            if self._up(alembic, place, self.found.patches) is None:
                self._look_around(alembic, place)
                # Patches that lead somewhere else than the application's model are none.
                self.found.mended = not self.found.drift
                self._back_and_forth(alembic, place)

    def _keep(self, alembic: Alembic, trial: _Trial, given_up: Sequence[int]) -> None:
        lost = False
        for number, refusals in trial.refusals.items():
            statement = trial.statements[number]
            refused = refusals[0][0]
            mends = list(dict.fromkeys(mend for _refused, mend in refusals))
            patch = None if number in given_up else Patch(statement.revision, statement.text, trial.last[number])
            self.found.failures.append(
                {
                    "direction": "upgrade",
                    "revision": statement.revision,
                    "file": statement.file,
                    "line": statement.line,
                    "statement": alembic.mask(statement.text),
                    "sqlstate": refused.sqlstate,
                    "reason": alembic.mask(refused.message),
                    "cause": alembic.mask("; ".join(dict.fromkeys(mend.cause for mend in mends))),
                    "advice": " ".join(dict.fromkeys(mend.advice for mend in mends)),
                    "patch": dict(patch.as_dict()) if patch else {},
                    # What comes after a statement that was left out may only miss what it would have made.
                    "consequence": lost,
                }
            )
            lost = lost or number in given_up
            if patch:
                self.found.patches.append(patch)

    def _note(self, direction: str, error: ApplicationError) -> None:
        details = error.details
        statement, sqlstate, reason = (details.get(name) or "" for name in ("statement", "sqlstate", "reason"))
        mend = explain(Refused(statement, sqlstate, reason, anew=bool(details.get("batch"))))
        self.found.failures.append(
            {
                "direction": direction,
                "revision": (details.get("revision") or {}).get("revision", ""),
                **{name: details.get(name) or "" for name in ("file", "statement", "sqlstate", "reason")},
                "line": details.get("line") or 0,
                "cause": mend.cause or error.message,
                "advice": mend.advice,
                "patch": {},
                "consequence": False,
            }
        )

    # --- around

    def _look_around(self, alembic: Alembic, place: Mapping[str, Any]) -> None:
        facts = alembic.inspect()
        self.found.drift, self.found.compared = facts["drift"], facts["compared"]
        with connect(place, "rehearsal") as session:
            self.found.unindexed = unindexed(session, self.schema)
            tables = read_tables(session, self.schema)
            # The model is that of the last revision.
            if facts["at_head"] or self.params["strategy"] == "metadata":
                self.found.against = self._against(facts, session)
            if self.params["source"]:
                with SqliteSource.open(self.params["source"]) as source:
                    mapping = plan_mapping(source.tables(), tables, options_from_params(self.params))
                problems = [*mapping.problems, *missing_counterparts(mapping)]
                self.found.schema = [problem.as_dict() for problem in problems]

    def _against(self, facts: Mapping[str, Any], session: Session) -> List[Dict[str, str]]:
        """What would keep a migration from going on with this schema (schema_compare_info's V(against))."""
        _, comparison = held_against(session, self.schema, facts["model"])
        found = with_drift(comparison.differences, facts["drift"])
        # Where nobody's revisions have made the tables, nothing may differ.
        strict = self.params["strategy"] == "metadata"
        return [difference.as_dict() for difference in standing(found, strict, self.params["accept"])]

    # --- back

    def _back_and_forth(self, alembic: Alembic, place: Mapping[str, Any]) -> None:
        if not self.params["downgrade"] or not alembic.plan("downgrade", "base").revisions:
            return
        self.went_down = True
        try:
            alembic.execute("downgrade", "base")
        except ApplicationError as error:
            if error.details.get("kind") not in OF_REVISIONS:
                raise
            self._note("downgrade", error)
            return
        with connect(place, "rehearsal") as session:
            left = objects(session, self.schema)
        own = ("alembic_version",)
        self.found.leftovers = [item for item in left if item["name"] not in own]
        self.went_again = True
        failure = self._up(alembic, place, self.found.patches)
        if failure is not None:
            self._note("upgrade again", failure)


class _Trial:
    """What PostgreSQL refused of a script, and what was run instead."""

    def __init__(self, statements: Sequence[Rendered]) -> None:
        self.statements = statements
        self.refusals: Dict[int, List[Tuple[Refused, Mend]]] = {}
        self.last: Dict[int, str] = {}

    def instead(self, number: int, text: str, error: TargetError) -> Optional[str]:
        revision = self.statements[number].revision
        later = [each.text for each in self.statements[number + 1 :] if each.revision == revision]
        refused = Refused(
            text, error.details.get("sqlstate", ""), error.details.get("reason", ""), anew=made_anew(text, later)
        )
        mend = explain(refused)
        self.refusals.setdefault(number, []).append((refused, mend))
        if mend.statement is not None:
            self.last[number] = mend.statement
        return mend.statement
