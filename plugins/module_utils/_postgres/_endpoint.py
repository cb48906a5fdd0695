# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a connection leads and what its role may do there. Works on connections that a pooler lends."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ._session import Session

_SERVER = """
SELECT d.oid::bigint, d.datname::text, pg_catalog.pg_postmaster_start_time()::text, pg_catalog.pg_is_in_recovery(),
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""

#: What an application needs that reads and writes: the schema, its tables, and the sequences behind their defaults (an
#: identity column's own sequence needs no privilege).
_MISSING = """
SELECT n.nspname::text, 'USAGE' FROM pg_catalog.pg_namespace n
 WHERE n.nspname = %(schema)s AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT c.relname::text, p.privilege
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
 WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND c.relname = ANY (%(tables)s)
   AND NOT pg_catalog.has_table_privilege(c.oid, p.privilege)
UNION ALL
SELECT DISTINCT s.relname::text, 'USAGE'
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
   AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a'
  JOIN pg_catalog.pg_class s ON s.oid = d.objid
 WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
   AND CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE') ELSE false END
 ORDER BY 1, 2
"""


def server_of(session: Session) -> Dict[str, Any]:
    """What tells this database of this server from every other, whatever name and way it was reached by.

    V(system) is None where it may not be read. A copy of the server's files, a standby too, has the same one, but was
    started at another time.
    """
    row = session.one(_SERVER)
    oid, name, started, in_recovery, allowed = row or (None, "", "", False, False)
    query = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
    return {
        "system": session.value(query) if allowed else None,
        "database_oid": oid,
        "database": name,
        "started": started,
        "in_recovery": in_recovery,
    }


def missing_privileges(session: Session, schema: str, tables: Sequence[str]) -> List[Dict[str, str]]:
    """What this role lacks to read and write I(tables): dicts of C(object) and C(privilege). Missing tables are passed
    over."""
    rows = session.query(_MISSING, {"schema": schema, "tables": list(tables)})
    return [{"object": name, "privilege": privilege} for name, privilege in rows]
