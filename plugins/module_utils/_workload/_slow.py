# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slowest statements that pg_stat_statements has seen in a database, with their plans."""

from __future__ import annotations

from typing import Any, Dict, List

from .._errors import TargetError
from .._postgres._session import Session, compose, raw

#: Servers from this version on plan a statement whose parameters are not known.
GENERIC_PLANS = 160000

_WHERE = """
SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements'
"""
_SLOWEST = r"""
SELECT query, calls, mean_exec_time / 1000, total_exec_time / 1000, rows
  FROM {schema}.pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL
   AND query ~* '^\s*(select|insert|update|delete|with|merge)\M'
   AND query !~* '(pg_catalog|information_schema|pg_stat|pg_class|pg_extension|ts_stat|mcps_workload|mcps_migration)'
 ORDER BY mean_exec_time DESC LIMIT %s
"""


def slowest(session: Session, schema: str, count: int) -> List[Dict[str, Any]]:
    """The I(count) slowest statements by their mean time; nothing where the extension is not there or not loaded."""
    place = session.value(_WHERE)
    if place is None or not count:
        return []
    try:
        rows = session.query(compose(_SLOWEST, schema=raw(place)), (count,))
    except TargetError:  # created, but not among shared_preload_libraries, or its view may not be read
        return []
    found = []
    for text, calls, mean, total, touched in rows:
        entry = {"statement": text[:4000], "calls": calls, "mean_seconds": mean, "total_seconds": total}
        found.append({**entry, "rows": touched, "plan": _plan(session, schema, text)})
    return found


def _plan(session: Session, schema: str, text: str) -> List[str]:
    """How the server would carry the statement out. It is planned only, never run."""
    if session.version < GENERIC_PLANS and "$1" in text:
        return []
    options = "GENERIC_PLAN" if session.version >= GENERIC_PLANS else "VERBOSE false"
    try:
        with session.transaction(read_only=True):
            session.use_application_path(schema)
            return [row[0] for row in session.query(f"EXPLAIN ({options}) {text}")]
    except TargetError:  # e.g. an object that is gone, or a text that was cut
        return []
