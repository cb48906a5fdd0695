# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schema for PostgreSQL from what C(sqlite_schema_info) found in a SQLite file, for databases without Alembic.

Everything is carried over or named: a problem stops the derivation until the operator decides over it, a note tells what
is different and does no harm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import sqlglot
from sqlglot import exp

from ._derive_expressions import Columns, Node, Untranslatable, default, family, identifier, translated

#: Bytes of a name in PostgreSQL.
MAX_NAME = 63
_ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class Remark:
    """Something about I(place), which the operator's decisions are named by: V(table.column.default), V(index.name)."""

    place: str
    text: str
    advice: str = ""


@dataclass
class Derived:
    """I(statements) make the schema, in their order. With I(problems), they do not make all of it.

    I(model) are its tables as C(alembic_info) describes an application's.
    """

    statements: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    problems: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def derive(
    found: Mapping[str, Any], schema: str, types: Mapping[str, str], decisions: Mapping[str, str]
) -> dict[str, Any]:
    """What M(as_dict) says of the tables in I(found).

    I(types) are the operator's for columns (V(table.column)). I(decisions) are PostgreSQL's SQL for what cannot be
    translated, by place; an empty text leaves it out.
    """
    return _Derivation(found, schema, types, decisions).run().as_dict()


@dataclass(frozen=True)
class _Declared:
    """What only a table's own statement tells: checks (name, expression), generated columns, deferred foreign keys."""

    checks: Sequence[tuple[str, Node]]
    generated: Mapping[str, Node]
    deferred: frozenset[tuple[str, ...]]


@dataclass
class _Made:
    """What the statements give a table of what a comparison of catalogs looks at: SQLite may have declared more."""

    defaults: dict[str, str] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)
    checks: list[dict[str, str]] = field(default_factory=list)
    unique: list[list[str]] = field(default_factory=list)
    folded: list[Sequence[str | None]] = field(default_factory=list)
    indexed: list[list[str]] = field(default_factory=list)
    foreign_keys: list[dict[str, Any]] = field(default_factory=list)


#: What a table that is left out is, where its kind does not say it.
LEFT_OUT = {"version": "it is where Alembic keeps its revision"}


class _Derivation:
    def __init__(
        self, found: Mapping[str, Any], schema: str, types: Mapping[str, str], decisions: Mapping[str, str]
    ) -> None:
        self._found = found
        self._schema = schema
        self._decisions = dict(decisions)
        self._derived = Derived()
        self._tables = {table["name"]: table for table in found["tables"]}
        self._types: dict[str, dict[str, str]] = {}
        self._given = dict(types)
        self._used: set[str] = set()
        self._late: list[str] = []
        self._made = {name: _Made() for name in self._tables}

    def run(self) -> Derived:
        for name, table in self._tables.items():
            self._types[name] = {column["name"]: self._type(table, column) for column in table["columns"]}
        declared = {name: self._declared(table) for name, table in self._tables.items()}
        self._agree_on_keys()
        for name, table in self._tables.items():
            self._create(table, declared[name])
        for name, table in self._tables.items():
            if table["null_key"]:
                self._note(name, "NULLs stand in its primary key, which becomes a unique constraint")
            for index in table["indexes"]:
                if not index["constraint"]:
                    self._index(table, index)
        self._derived.statements += self._late
        # What a foreign key refers to may be unique by an index only.
        for name, table in self._tables.items():
            self._foreign_keys(table, declared[name])
        self._others()
        self._derived.model = {name: self._modelled(table) for name, table in self._tables.items()}
        for place in sorted({*self._decisions, *self._given} - self._used):
            self._problem(place, "there is nothing of that name to decide over", "Correct or remove it.")
        return self._derived

    # Words

    def _problem(self, place: str, text: str, advice: str) -> None:
        self._derived.problems.append(Remark(place, text, advice))

    def _note(self, place: str, text: str) -> None:
        self._derived.notes.append(Remark(place, text))

    def _name(self, table: str) -> str:
        return f"{identifier(self._schema)}.{identifier(table)}"

    def _columns(self, table: str) -> Columns:
        return Columns(self._types[table])

    def _short(self, name: str, place: str) -> str:
        """I(name), made to fit where it is too long: PostgreSQL would cut it without a word."""
        if len(name.encode()) <= MAX_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        short = name.encode()[: MAX_NAME - 9].decode(errors="ignore") + "_" + digest
        self._note(place, f"its name is too long for PostgreSQL: {short}")
        return short

    def _decided(self, place: str, what: str, expression: str, reason: str) -> str | None:
        """The operator's SQL for I(place); None where it is to be left out, or nobody has decided yet."""
        decided = self._chosen(self._decisions, place)
        if decided is not None:
            return decided or None
        self._problem(
            place,
            f"the {what} {expression} cannot be translated: {reason}",
            f"Give PostgreSQL's SQL for it in migration_derive_decisions ({place}), or an empty text to leave it out.",
        )
        return None

    def _instead(self, place: str, what: str, expression: str, reason: str) -> None:
        """The operator's statement, where there is one, is run in place of what SQLite has."""
        decided = self._decided(place, what, expression, reason)
        self._derived.statements += [decided] if decided else []

    def _chosen(self, given: Mapping[str, str], place: str) -> str | None:
        """What the operator says of I(place): by its name, or by the first pattern that is for it."""
        pattern = place if place in given else next((each for each in given if fnmatchcase(place, each)), None)
        if pattern is None:
            return None
        self._used.add(pattern)
        return given[pattern]

    # Types

    def _type(self, table: Mapping[str, Any], column: Mapping[str, Any]) -> str:
        place = f"{table['name']}.{column['name']}"
        given = self._chosen(self._given, place)
        if given is not None:
            return given
        if len(column["name"].encode()) > MAX_NAME:
            self._problem(place, "its name is too long for PostgreSQL", "Rename the column in SQLite.")
        if column["type"] is None:
            refused = "; ".join(f"{one['type']}: {one['key']} {one['reason']}" for one in column["refused"])
            self._problem(
                place,
                f"no type takes all of its values: {refused}",
                f"Correct the rows, or name the type in migration_derive_types ({place}) and rules or a quarantine for them.",
            )
            return "text"
        if column["refused"]:
            one = column["refused"][0]
            self._note(
                place,
                f"it is {column['type']}, not {one['type']}, as {column['declared'] or 'its values'} suggests: "
                f"{one['key']}: {one['reason']}",
            )
        return str(column["type"])

    def _agree_on_keys(self) -> None:
        """A foreign key needs values that can be compared."""
        numbers = {"number", "real"}
        for child, key in self._keys():
            for mine, its in zip(key["columns"], key["parent_columns"], strict=False):
                one, other = self._types[child][mine], self._types[key["parent"]][its]
                if family(one) == family(other) or {family(one), family(other)} <= numbers:
                    continue
                place, parent = f"{child}.{mine}", f"{key['parent']}.{its}"
                self._problem(
                    place,
                    f"it is {one} and refers to {parent}, which is {other}",
                    f"Name one type for both in migration_derive_types ({place}, {parent}).",
                )

    def _keys(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, table in self._tables.items():
            for key in table["foreign_keys"]:
                if key["parent"] in self._tables and all(
                    column in self._types[key["parent"]] for column in key["parent_columns"]
                ):
                    yield name, key

    # Tables

    def _declared(self, table: Mapping[str, Any]) -> _Declared:
        name = table["name"]
        try:
            tree = _table_tree(table["sql"])
        except sqlglot.errors.SqlglotError as error:
            place = f"{name}.statement"
            words = str(error).splitlines()[0]
            self._decided(
                place, "statement", "of the table", f"it cannot be read ({words}), so that checks are not known"
            )
            return _Declared((), {}, frozenset())
        checks: list[tuple[str, Node]] = []
        generated: dict[str, Node] = {}
        for node in tree.find_all(exp.CheckColumnConstraint):
            owner = node.find_ancestor(exp.Constraint)
            kind = node.find_ancestor(exp.ColumnConstraint)
            label = owner.name if owner is not None else str(kind.name) if kind is not None and kind.this else ""
            checks.append((label, node.this))
        for computed in tree.find_all(exp.ComputedColumnConstraint):
            column = computed.find_ancestor(exp.ColumnDef)
            if column is not None:
                generated[self._columns(name).named(column.name)] = computed.this
        return _Declared(checks, generated, frozenset(_deferred(tree)))

    def _create(self, table: Mapping[str, Any], declared: _Declared) -> None:
        name = table["name"]
        if len(name.encode()) > MAX_NAME:
            self._problem(name, "its name is too long for PostgreSQL", "Rename the table in SQLite.")
        lines = [self._column(table, column, declared) for column in table["columns"]]
        if table["primary_key"]:
            lines.append(f"PRIMARY KEY ({', '.join(map(identifier, table['primary_key']))})")
            by_name = {column["name"]: column for column in table["columns"]}
            key = {"unique": True, "columns": [by_name[column] for column in table["primary_key"]]}
            # The key itself regards case: an index besides keeps the promise of one that does not.
            self._folding(table, key, table["primary_key"])
        for index in table["indexes"]:
            if index["constraint"]:
                lines += self._unique(table, index)
        for number, (label, expression) in enumerate(declared.checks, 1):
            lines += self._check(name, label, number, expression)
        body = ",\n  ".join(lines)
        self._derived.statements.append(f"CREATE TABLE {self._name(name)} (\n  {body}\n)")

    def _column(self, table: Mapping[str, Any], column: Mapping[str, Any], declared: _Declared) -> str:
        name, place = column["name"], f"{table['name']}.{column['name']}"
        sql_type = self._types[table["name"]][name]
        words = [identifier(name), sql_type]
        if name == table["identity"]:
            if family(sql_type) != "number":
                self._problem(
                    place, f"the key that SQLite numbers is {sql_type}", "Name a type of whole numbers for it."
                )
            words.append("GENERATED BY DEFAULT AS IDENTITY")
        if column["generated"]:
            computed = self._generated(place, name, table["name"], declared)
            if computed:
                words.append(f"GENERATED ALWAYS AS ({computed}) STORED")
                self._made[table["name"]].generated[name] = computed
        elif column["default"] is not None and name != table["identity"]:
            value = self._default(f"{place}.default", column["default"], sql_type)
            if value is not None:
                words.append(f"DEFAULT {value}")
                self._made[table["name"]].defaults[name] = value
        if column["not_null"]:
            words.append("NOT NULL")
        return " ".join(words)

    def _generated(self, place: str, name: str, table: str, declared: _Declared) -> str | None:
        place += ".generated"
        if name not in declared.generated:
            return self._decided(place, "expression", "of the generated column", "its statement cannot be read")
        node = declared.generated[name]
        try:
            return translated(node, self._columns(table))
        except Untranslatable as error:
            return self._decided(place, "expression", node.sql(dialect="sqlite"), str(error))

    def _default(self, place: str, expression: str, sql_type: str) -> str | None:
        try:
            return default(expression, sql_type)
        except Untranslatable as error:
            return self._decided(place, "default", expression, str(error))

    def _check(self, table: str, label: str, number: int, node: Node) -> list[str]:
        place = f"{table}.check.{label or number}"
        try:
            words: str | None = translated(node, self._columns(table))
        except Untranslatable as error:
            words = self._decided(place, "check", node.sql(dialect="sqlite"), str(error))
        if words is None:
            return []
        short = self._short(label, place) if label else ""
        self._made[table].checks.append({"name": short, "expression": words})
        return [f"{f'CONSTRAINT {identifier(short)} ' if label else ''}CHECK ({words})"]

    def _unique(self, table: Mapping[str, Any], index: Mapping[str, Any]) -> list[str]:
        names = [column["name"] for column in index["columns"]]
        if self._folding(table, index, names):
            return []
        made = self._made[table["name"]]
        made.unique.append(names)
        made.indexed.append(names)
        return [f"UNIQUE ({', '.join(map(identifier, names))})"]

    def _folding(self, table: Mapping[str, Any], index: Mapping[str, Any], names: Sequence[str | None]) -> bool:
        """Whether a unique set disregards case; such a one becomes an index over lower()."""
        if not any(column["collation"] == "NOCASE" for column in index["columns"]) or not index["unique"]:
            return False
        place = f"{table['name']}.unique.{'.'.join(name or '?' for name in names)}"
        terms = [
            f"lower({identifier(column['name'])})" if column["collation"] == "NOCASE" else identifier(column["name"])
            for column in index["columns"]
        ]
        name = self._short(f"{table['name']}_{'_'.join(name or '' for name in names)}_nocase", place)
        self._late.append(f"CREATE UNIQUE INDEX {identifier(name)} ON {self._name(table['name'])} ({', '.join(terms)})")
        self._made[table["name"]].folded.append(names)
        self._note(place, "it disregards case (NOCASE): unique by lower(); comparisons in statements regard case")
        return True

    # Keys and indexes

    def _foreign_keys(self, table: Mapping[str, Any], declared: _Declared) -> None:
        for key in table["foreign_keys"]:
            name, place = table["name"], f"{table['name']}.foreign_key.{'.'.join(key['columns'])}"
            parent = self._tables.get(key["parent"])
            if parent is None or not all(column in self._types[key["parent"]] for column in key["parent_columns"]):
                self._instead(place, "foreign key to", key["parent"], "there is no such table or column")
                continue
            reason = self._ambiguous(parent, key["parent_columns"])
            if reason:
                self._instead(place, "foreign key to", key["parent"], reason)
                continue
            words = [
                f"ALTER TABLE {self._name(name)} ADD FOREIGN KEY ({', '.join(map(identifier, key['columns']))})",
                f"REFERENCES {self._name(key['parent'])} ({', '.join(map(identifier, key['parent_columns']))})",
            ]
            made = {column: key[column] for column in ("columns", "parent", "parent_columns")}
            for action in ("on_update", "on_delete"):
                made[action] = key[action] if key[action] in _ACTIONS else _ACTIONS[0]
                if made[action] != _ACTIONS[0]:
                    words.append(f"{action.upper().replace('_', ' ')} {made[action]}")
            made["deferrable"] = "NOT DEFERRABLE"
            if tuple(column.lower() for column in key["columns"]) in declared.deferred:
                made["deferrable"] = "DEFERRABLE INITIALLY DEFERRED"
                words.append(made["deferrable"])
            self._derived.statements.append(" ".join(words))
            self._made[name].foreign_keys.append(made)

    def _ambiguous(self, parent: Mapping[str, Any], columns: Sequence[str]) -> str:
        """Why PostgreSQL would not let a foreign key refer to I(columns); empty where it does."""
        made = self._made[parent["name"]]
        if any(set(columns) == set(names) for names in (parent["primary_key"], *made.unique)):
            return ""
        if any(set(columns) == set(names) for names in made.folded):
            return "its columns are unique there by lower() only (NOCASE), to which PostgreSQL lets no key refer"
        return "nothing makes its columns unique there"

    def _index(self, table: Mapping[str, Any], index: Mapping[str, Any]) -> None:
        name, place = table["name"], f"index.{index['name']}"
        names = [column["name"] for column in index["columns"]]
        types = self._types[name]
        if any(column is not None and family(types[column]) == "json" for column in names):
            self._instead(place, "index", str(index["sql"]), "json has no order; jsonb has one")
            return
        if None not in names and not index["partial"]:
            if not self._folding(table, index, names):
                terms = [identifier(c["name"]) + (" DESC" if c["descending"] else "") for c in index["columns"]]
                self._make_index(place, table, index, terms, "")
            return
        try:
            tree = sqlglot.parse_one(index["sql"], read="sqlite")
            parameters = tree.this.args["params"]
            terms = []
            for ordered in parameters.args["columns"]:
                inner = ordered.this if isinstance(ordered, exp.Ordered) else ordered
                words = translated(inner, self._columns(name))
                terms.append(f"({words})" + (" DESC" if ordered.args.get("desc") else ""))
            where = parameters.args.get("where")
            condition = f" WHERE {translated(where.this, self._columns(name))}" if where is not None else ""
        except (Untranslatable, sqlglot.errors.SqlglotError, KeyError) as error:
            self._instead(place, "index", str(index["sql"]), str(error))
            return
        self._make_index(place, table, index, terms, condition)

    def _make_index(
        self, place: str, table: Mapping[str, Any], index: Mapping[str, Any], terms: Sequence[str], condition: str
    ) -> None:
        columns = [column["name"] for column in index["columns"]]
        if all(columns):
            self._made[table["name"]].indexed.append(columns)
            if index["unique"] and not condition:
                self._made[table["name"]].unique.append(columns)
        unique = "UNIQUE " if index["unique"] else ""
        named = identifier(self._short(index["name"], place))
        self._derived.statements.append(
            f"CREATE {unique}INDEX {named} ON {self._name(table['name'])} ({', '.join(terms)}){condition}"
        )

    def _modelled(self, table: Mapping[str, Any]) -> dict[str, Any]:
        types, made = self._types[table["name"]], self._made[table["name"]]
        return {
            "columns": {
                column["name"]: {
                    "type": types[column["name"]],
                    "nullable": not column["not_null"] and column["name"] not in table["primary_key"],
                    "default": column["name"] in made.defaults,
                    "generated": column["name"] in made.generated,
                    "identity": "d" if column["name"] == table["identity"] else "",
                    "expression": made.generated.get(column["name"], made.defaults.get(column["name"])),
                }
                for column in table["columns"]
            },
            "primary_key": list(table["primary_key"]),
            "unique": made.unique,
            "indexed": made.indexed,
            "foreign_keys": made.foreign_keys,
            "checks": made.checks,
        }

    def _others(self) -> None:
        for trigger in self._found["triggers"]:
            self._instead(f"trigger.{trigger['name']}", "trigger on", trigger["table"], "PostgreSQL has other triggers")
        for view in self._found["views"]:
            self._instead(f"view.{view['name']}", "view", view["name"], "its query has to be looked at by people")
        for table in self._found["left_out"]:
            why = LEFT_OUT.get(table["kind"], f"it is a {table['kind']} table")
            self._note(table["name"], f"{why}, which is not carried over")


def _deferred(tree: exp.Create) -> Iterator[tuple[str, ...]]:
    """The columns (in small letters) of each foreign key that is looked at when a transaction ends."""
    for key in tree.find_all(exp.ForeignKey, exp.Reference):
        if "DEFERRABLE INITIALLY DEFERRED" not in key.sql(dialect="sqlite").upper():
            continue
        column = key.find_ancestor(exp.ColumnDef)
        names = [column] if column is not None else key.expressions if isinstance(key, exp.ForeignKey) else []
        if names:
            yield tuple(name.name.lower() for name in names)


def _table_tree(statement: str) -> exp.Create:
    """Raises SqlglotError."""
    # What stands behind the columns, and sqlglot does not know; the facts say it as well.
    bare = re.sub(r"\)[\s,]*((WITHOUT\s+ROWID|STRICT)[\s,]*)+$", ")", statement, flags=re.IGNORECASE)
    tree = sqlglot.parse_one(bare, read="sqlite")
    if not isinstance(tree, exp.Create):
        raise sqlglot.errors.ParseError("it has something that is not known")
    return tree
