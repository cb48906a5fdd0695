# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether rows are those that an earlier transaction saw, told from PostgreSQL's own row versions.

Every version of a row names the transaction that wrote it (V(xmin)). Rows of which none was written since a snapshot,
and of which there are as many as then, are the rows of that snapshot: nothing was inserted or updated, so that nothing
can have made up for what was deleted.
"""

from __future__ import annotations

from typing import Dict, Optional

from .._transfer._compare import KeyRange
from .._transfer._model import TargetTable
from ._between import within
from ._session import Session, compose, identifier, raw

#: A crash may give out the numbers of transactions that left no trace again: hence both moments, of which a crash or a
#: restart changes at least one. A copy of the server, or one that went back in time, has been started at another moment.
_SERVER = """
SELECT pg_postmaster_start_time()::text, (SELECT stats_reset::text FROM pg_stat_bgwriter),
       (SELECT oid::text FROM pg_database WHERE datname = current_database()), current_user::text
"""

#: All that decides what the rows on disk mean. No answer for a table with children, whose rows could be exchanged.
_SIGNATURE = """
SELECT c.oid || ' ' || md5(string_agg(
         concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod, a.attcollation, a.attmissingval::text,
                   (SELECT string_agg(e.oid || quote_ident(e.enumlabel), ',' ORDER BY e.oid) FROM pg_enum e
                     WHERE e.enumtypid IN (t.oid, t.typelem, t.typbasetype))), ';' ORDER BY a.attnum))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'
   AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)
 GROUP BY c.oid
"""

#: Transaction ids of rows have 32 bits, and are before or after one another in a circle.
_TOUCHED = """
SELECT pg_catalog.count(*),
       pg_catalog.count(*) FILTER (WHERE ((xmin::pg_catalog.text::pg_catalog.int8 - {horizon}) & 4294967295) < 2147483648)
  FROM {table}
"""

#: Rows that are older than this many transactions might be taken for younger ones, or the other way round.
MOST_TRANSACTIONS = 1 << 30


class RowVersions:
    """Asks in the transaction of I(session)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def server(self) -> Dict[str, Optional[str]]:
        """Differs whenever transaction ids may mean something else than before."""
        row = self._session.one(_SERVER)
        assert row is not None
        return dict(zip(("started", "counted_from", "database", "role"), row))

    def horizon(self) -> int:
        """The transaction (64 bits) before which all were over when this session's snapshot was taken."""
        return int(self._session.value("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))

    def signature(self, table: TargetTable) -> Optional[str]:
        """Differs when the same rows would be read as other values; None where nothing can be said."""
        found = self._session.value(_SIGNATURE, (table.schema, table.name))
        return None if found is None else str(found)

    def untouched(self, table: TargetTable, between: Optional[KeyRange], horizon: int, rows: int) -> bool:
        """Whether there are I(rows) rows, none of them written by I(horizon) or later."""
        if self.horizon() - horizon > MOST_TRANSACTIONS:
            return False
        query = compose(_TOUCHED, horizon=raw(str(horizon)), table=identifier(table.schema, table.name))
        row = self._session.one(within(query, between))
        assert row is not None
        return (int(row[0]), int(row[1])) == (rows, 0)
