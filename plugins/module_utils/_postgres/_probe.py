# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a live target whether an index takes a value. Everything happens in a transaction that is rolled back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Dict, Iterator, Optional, Sequence, Tuple

from .._errors import TargetError
from .._transfer._model import TargetTable
from ._session import Session, columns, comma, compose, identifier, literal, raw

#: program_limit_exceeded: "index row size 5016 exceeds btree version 4 maximum 2704 for index".
LIMIT_EXCEEDED = "54000"


class _Undone(Exception):
    """Ends the transaction by a rollback."""


class LiveIndexProbe:
    """Implements C(_transfer._scan.IndexProbe) with temporary copies of the target's (empty) tables."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made: Dict[Tuple[str, str, Tuple[str, ...]], str] = {}

    def refusal(self, table: TargetTable, names: Sequence[str], literals: Sequence[Optional[str]]) -> str:
        copy = self._copy_of(table, names)
        values = comma([raw("NULL") if text is None else literal(text) for text in literals])
        try:
            with self._session.savepoint():
                self._session.execute(
                    compose(
                        "INSERT INTO pg_temp.{copy} ({names}) VALUES ({values})",
                        copy=identifier(copy),
                        names=columns(names),
                        values=values,
                    )
                )
                self._session.execute(compose("TRUNCATE pg_temp.{copy}", copy=identifier(copy)))
        except TargetError as error:
            if error.details.get("sqlstate") == LIMIT_EXCEEDED:
                return error.message
            raise
        return ""

    def _copy_of(self, table: TargetTable, names: Sequence[str]) -> str:
        """A temporary table like I(table) with just that index, made on first use."""
        wanted = (table.schema, table.name, tuple(names))
        if wanted not in self._made:
            copy = f"mcps_probe_{len(self._made)}"
            # What decides the size of an entry: the columns' types, storage and compression.
            including = "INCLUDING STORAGE" + (" INCLUDING COMPRESSION" if self._session.version >= 140000 else "")
            self._session.execute(
                compose(
                    "CREATE TEMPORARY TABLE {copy} (LIKE {table} {including})",
                    copy=identifier(copy),
                    table=identifier(table.schema, table.name),
                    including=raw(including),
                )
            )
            for column in table.columns:
                if column.not_null:
                    self._session.execute(
                        compose(
                            "ALTER TABLE pg_temp.{copy} ALTER COLUMN {column} DROP NOT NULL",
                            copy=identifier(copy),
                            column=identifier(column.name),
                        )
                    )
            self._session.execute(
                compose("CREATE INDEX ON pg_temp.{copy} ({names})", copy=identifier(copy), names=columns(names))
            )
            self._made[wanted] = copy
        return self._made[wanted]


@contextmanager
def index_probe(session: Session) -> Iterator[Optional[LiveIndexProbe]]:
    """A probe for as long as the block lasts, None where this role may not create temporary tables."""
    if not session.value("SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        yield None
        return
    try:
        with session.transaction():
            yield LiveIndexProbe(session)
            raise _Undone
    except _Undone:
        pass
