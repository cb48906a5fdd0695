# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's tables as the mapping sees them, and everything of their definition that a load must leave as it was.

Definitions are read under the session's pinned search_path, so that every name in them carries its schema.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Tuple

from .._transfer._model import Check, ForeignKey, TargetColumn, TargetTable
from .._transfer._types import SqlType, parse_type
from ._session import Session

_COLUMNS = """
SELECT c.relname, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, a.attgenerated,
       a.attidentity, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname, a.attnum
"""

#: Tables without any column are tables too.
_TABLES = """
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname
"""

_DOMAINS = "SELECT oid, typbasetype, typtypmod, typnotnull, typdefault IS NOT NULL FROM pg_type WHERE typtype = 'd'"

_ARRAYS_OF_DOMAINS = """
SELECT a.oid, d.oid FROM pg_type a JOIN pg_type d ON d.typarray = a.oid WHERE d.typtype = 'd'
"""

_ENUMS = """
SELECT format_type(t.oid, NULL), array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
  FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid GROUP BY t.oid
"""

_FORMAT = "SELECT oid, mod, format_type(oid, mod) FROM unnest(%s::oid[], %s::int[]) AS wanted (oid, mod)"

_FOREIGN_KEYS = """
SELECT c.relname, k.conname,
       CASE WHEN p.relnamespace = c.relnamespace THEN p.relname ELSE pn.nspname || '.' || p.relname END,
       (SELECT array_agg(a.attname::text ORDER BY o.n) FROM unnest(k.conkey) WITH ORDINALITY AS o (num, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.num),
       (SELECT array_agg(a.attname::text ORDER BY o.n) FROM unnest(k.confkey) WITH ORDINALITY AS o (num, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.num),
       k.confdeltype::text, k.confupdtype::text, k.condeferrable, k.condeferred
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_class p ON p.oid = k.confrelid
  JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = to_regnamespace(quote_ident(%s))
 ORDER BY c.relname, k.conname
"""

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

#: CHECK constraints that are enforced (those that are not came with PostgreSQL 18).
_CHECKS = """
SELECT c.relname, k.conname, pg_get_expr(k.conbin, k.conrelid)
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.contype = 'c' AND c.relnamespace = to_regnamespace(quote_ident(%s))
   AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
 ORDER BY c.relname, k.conname
"""

#: b-tree indexes over plain columns; the last column says whether the index holds every row of the table.
_INDEXES = """
SELECT c.relname, i.indisprimary, i.indisunique, i.indpred IS NULL,
       (SELECT array_agg(a.attname::text ORDER BY o.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS o (num, n)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = o.num
         WHERE o.n <= i.indnkeyatts)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
 WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND m.amname = 'btree' AND i.indexprs IS NULL AND i.indisvalid
 ORDER BY c.relname, i.indisprimary DESC, x.relname
"""


_INDEX_NAMES = """
SELECT x.relname::text, i.indisvalid FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
 WHERE x.relnamespace = to_regnamespace(quote_ident(%s))
"""


def index_names(session: Session, schema: str) -> Tuple[FrozenSet[str], FrozenSet[str]]:
    """Names of the valid indexes of I(schema), and of those whose build was not finished."""
    found = session.query(_INDEX_NAMES, (schema,))
    return frozenset(name for name, valid in found if valid), frozenset(name for name, valid in found if not valid)


def read_tables(session: Session, schema: str) -> List[TargetTable]:
    """All tables of I(schema) in name order; partitions belong to their parent and are not listed.

    Domains are resolved to what they are made of: a column counts as NOT NULL, or as having a default, if its domain
    says so. Primary keys are in key order.
    """
    types = _Types(session)
    columns: Dict[str, List[TargetColumn]] = defaultdict(list)
    rows = session.query(_COLUMNS, (schema,))
    types.resolve([(row[3], row[4]) for row in rows])
    for table, name, _number, oid, modifier, not_null, has_default, generated, identity, expression in rows:
        resolved = types.of(oid, modifier)
        columns[table].append(
            TargetColumn(
                name=name,
                type=resolved.type,
                not_null=bool(not_null or resolved.not_null),
                has_default=bool((has_default and not generated) or resolved.has_default),
                generated=bool(generated),
                identity=identity or "",
                expression=expression,
            )
        )
    foreign: Dict[str, List[ForeignKey]] = defaultdict(list)
    for table, name, parent, child_columns, parent_columns, *behaviour in session.query(_FOREIGN_KEYS, (schema,)):
        foreign[table].append(_foreign_key(name, parent, child_columns, parent_columns, *behaviour))
    checks: Dict[str, List[Check]] = defaultdict(list)
    for table, name, expression in session.query(_CHECKS, (schema,)):
        checks[table].append(Check(name, expression))
    primary: Dict[str, Tuple[str, ...]] = {}
    unique: Dict[str, List[Tuple[str, ...]]] = defaultdict(list)
    indexed: Dict[str, List[Tuple[str, ...]]] = defaultdict(list)
    for table, is_primary, is_unique, whole, names in session.query(_INDEXES, (schema,)):
        key = tuple(names)
        if is_primary:
            primary[table] = key
        if is_unique and whole and key not in unique[table]:
            unique[table].append(key)
        if key not in indexed[table]:
            indexed[table].append(key)
    return [
        TargetTable(
            schema=schema,
            name=name,
            columns=tuple(columns[name]),
            primary_key=primary.get(name, ()),
            foreign_keys=tuple(foreign[name]),
            unique=tuple(unique[name]),
            indexed=tuple(indexed[name]),
            checks=tuple(checks[name]),
        )
        for (name,) in session.query(_TABLES, (schema,))
    ]


def _foreign_key(
    name: str,
    parent: str,
    columns: Sequence[str],
    parent_columns: Sequence[str],
    on_delete: str,
    on_update: str,
    deferrable: bool,
    deferred: bool,
) -> ForeignKey:
    moment = "DEFERRABLE INITIALLY DEFERRED" if deferred else "DEFERRABLE" if deferrable else "NOT DEFERRABLE"
    return ForeignKey(
        tuple(columns), parent, tuple(parent_columns), name, _ACTIONS[on_delete], _ACTIONS[on_update], moment
    )


@dataclass(frozen=True)
class _Resolved:
    type: SqlType
    not_null: bool = False
    has_default: bool = False


class _Types:
    """Type oids and modifiers as SqlType, with domains taken apart."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._domains = {row[0]: row[1:] for row in session.query(_DOMAINS)}
        self._arrays: Dict[int, int] = dict(session.query(_ARRAYS_OF_DOMAINS))
        self._enums: Dict[str, Sequence[str]] = {
            name.replace('"', ""): labels for name, labels in session.query(_ENUMS)
        }
        self._names: Dict[Tuple[int, int], str] = {}

    def resolve(self, wanted: Sequence[Tuple[int, int]]) -> None:
        """Fetch the names of all these (oid, modifier) at once."""
        bases = {self._base(oid, modifier)[:2] for oid, modifier in wanted}
        for array, domain in self._arrays.items():
            if any(oid == array for oid, _ in bases):
                bases.add(self._base(domain, -1)[:2])
        oids, modifiers = [oid for oid, _ in sorted(bases)], [modifier for _, modifier in sorted(bases)]
        for oid, modifier, name in self._session.query(_FORMAT, (oids, modifiers)):
            self._names[(oid, modifier)] = name

    def of(self, oid: int, modifier: int) -> _Resolved:
        base, base_modifier, not_null, has_default = self._base(oid, modifier)
        element = self._arrays.get(base)
        name = (base, base_modifier) if element is None else self._base(element, -1)[:2]
        text = self._names[name] + ("" if element is None else "[]")
        return _Resolved(parse_type(text, self._enums), not_null, has_default)

    def _base(self, oid: int, modifier: int) -> Tuple[int, int, bool, bool]:
        not_null = has_default = False
        while oid in self._domains:
            # The modifier belongs to the domain that names it; a column of a domain has none of its own.
            oid, modifier, domain_not_null, domain_default = self._domains[oid]
            not_null = not_null or domain_not_null
            has_default = has_default or domain_default
        return oid, modifier, not_null, has_default


@dataclass(frozen=True)
class Catalog:
    """Definitions as text by what they define, e.g. V(index tool_server_id_idx of tool)."""

    entries: Mapping[str, str] = field(default_factory=dict)

    def differences(self, other: Catalog) -> List[str]:
        """What I(other) lacks, has besides, or defines otherwise; empty if the two are the same."""
        found: List[str] = []
        for name in sorted(set(self.entries) | set(other.entries)):
            before, after = self.entries.get(name), other.entries.get(name)
            if after is None:
                found.append(f"{name} is gone: {before}")
            elif before is None:
                found.append(f"{name} is new: {after}")
            elif before != after:
                found.append(f"{name} was {before} and is {after}")
        return found

    def to_json(self) -> str:
        return json.dumps(dict(self.entries), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Catalog:
        return cls(json.loads(text))


#: The tables asked for and their partitions.
SCOPE = """
WITH RECURSIVE scope AS (
  SELECT c.oid, c.relname::text AS name FROM pg_class c
   WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relname = ANY(%(tables)s)
     AND c.relkind IN ('r', 'p')
  UNION
  SELECT i.inhrelid, i.inhrelid::regclass::text FROM pg_inherits i JOIN scope s ON s.oid = i.inhparent
)
"""

#: Each query gives names and definitions. What differs between server versions is read through to_jsonb(), which gives
#: whatever columns there are.
_FINGERPRINT: Tuple[str, ...] = (
    # Tables themselves. Statistics, storage and transaction ids change by loading and are left out.
    """
    SELECT 'table ' || s.name, jsonb_build_object(
             'kind', c.relkind, 'persistence', c.relpersistence, 'owner', c.relowner::regrole, 'options', c.reloptions,
             'tablespace', c.reltablespace, 'rls', c.relrowsecurity, 'forced', c.relforcerowsecurity,
             'replica', c.relreplident, 'privileges', c.relacl, 'comment', obj_description(c.oid, 'pg_class'))::text
      FROM scope s JOIN pg_class c USING (oid)
    """,
    """
    SELECT 'column ' || s.name || '.' || a.attname, jsonb_build_object(
             'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull, 'identity', a.attidentity,
             'generated', a.attgenerated, 'default', pg_get_expr(d.adbin, d.adrelid), 'collation', a.attcollation,
             'storage', a.attstorage, 'statistics', to_jsonb(a) -> 'attstattarget', 'options', a.attoptions,
             'compression', to_jsonb(a) -> 'attcompression', 'privileges', a.attacl,
             'comment', col_description(a.attrelid, a.attnum))::text
      FROM scope s JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    """,
    # Constraints of these tables, and foreign keys of others that point at them.
    """
    SELECT 'constraint ' || k.conname || ' of ' || k.conrelid::regclass, jsonb_build_object(
             'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated,
             'enforced', to_jsonb(k) -> 'conenforced', 'comment', obj_description(k.oid, 'pg_constraint'))::text
      FROM pg_constraint k
     WHERE k.conrelid IN (SELECT oid FROM scope) OR k.confrelid IN (SELECT oid FROM scope)
    """,
    """
    SELECT 'index ' || x.relname || ' of ' || s.name, jsonb_build_object(
             'definition', pg_get_indexdef(x.oid), 'valid', i.indisvalid, 'clustered', i.indisclustered,
             'replica', i.indisreplident, 'tablespace', x.reltablespace, 'options', x.reloptions,
             'statistics', (SELECT jsonb_agg(to_jsonb(a) -> 'attstattarget' ORDER BY a.attnum)
                              FROM pg_attribute a WHERE a.attrelid = x.oid),
             'comment', obj_description(x.oid, 'pg_class'))::text
      FROM scope s JOIN pg_index i ON i.indrelid = s.oid JOIN pg_class x ON x.oid = i.indexrelid
    """,
    """
    SELECT 'trigger ' || t.tgname || ' of ' || s.name, jsonb_build_object(
             'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled,
             'comment', obj_description(t.oid, 'pg_trigger'))::text
      FROM scope s JOIN pg_trigger t ON t.tgrelid = s.oid WHERE NOT t.tgisinternal
    """,
    """
    SELECT 'rule ' || r.rulename || ' of ' || s.name, jsonb_build_object(
             'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled)::text
      FROM scope s JOIN pg_rewrite r ON r.ev_class = s.oid
    """,
    """
    SELECT 'policy ' || p.polname || ' of ' || s.name, jsonb_build_object(
             'command', p.polcmd, 'permissive', p.polpermissive, 'roles', p.polroles,
             'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))::text
      FROM scope s JOIN pg_policy p ON p.polrelid = s.oid
    """,
    """
    SELECT 'sequence ' || q.seqrelid::regclass, jsonb_build_object(
             'type', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement, 'max', q.seqmax,
             'min', q.seqmin, 'cache', q.seqcache, 'cycle', q.seqcycle, 'owned by', s.name || '.' || d.refobjsubid,
             'comment', obj_description(q.seqrelid, 'pg_class'))::text
      FROM scope s
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_class'::regclass
       AND d.deptype IN ('a', 'i')
      JOIN pg_sequence q ON q.seqrelid = d.objid
    """,
    """
    SELECT 'statistics ' || e.stxname || ' of ' || s.name, pg_get_statisticsobjdef(e.oid)
      FROM scope s JOIN pg_statistic_ext e ON e.stxrelid = s.oid
    """,
)


def fingerprint(session: Session, schema: str, tables: Sequence[str]) -> Catalog:
    """Everything that defines I(tables) of I(schema): columns, constraints, indexes, triggers, sequences, comments ..."""
    entries: Dict[str, str] = {}
    parameters: Dict[str, Any] = {"schema": schema, "tables": list(tables)}
    for part in _FINGERPRINT:
        entries.update(session.query(SCOPE + part, parameters))
    return Catalog(entries)
