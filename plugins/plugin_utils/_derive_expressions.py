# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite's expressions (checks, defaults, generated columns, partial indexes) in PostgreSQL's words.

sqlglot reads them. It would also write them for PostgreSQL, and leave as it is what it does not know; here only what is
known to mean the same on both sides is let through, and everything else is refused with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

#: What SQLite's typeof() says of a value of a PostgreSQL type that SQLite stored.
_CLASSES = {
    "number": "integer",
    "real": "real",
    "boolean": "integer",
    "bytes": "blob",
}
#: What may be in a node of sqlglot's.
_ARGUMENTS = frozenset(
    ("this", "expression", "expressions", "is_string", "low", "high", "start", "length", "true", "false", "ifs", "default",
     "to", "table", "quoted", "typed", "safe", "coalesce")
)  # fmt: skip
_UTC = "(statement_timestamp() AT TIME ZONE 'UTC')"
#: How SQLite prints what CURRENT_TIMESTAMP and its like give.
_NOW = {
    "timestamp": (f"date_trunc('second', {_UTC})", "YYYY-MM-DD HH24:MI:SS"),
    "date": (f"{_UTC}::date", "YYYY-MM-DD"),
    "time": (f"date_trunc('second', {_UTC})::time", "HH24:MI:SS"),
}


#: A node of sqlglot's; what a kind of them has is not typed there.
Node = Any


class Untranslatable(Exception):
    """Something that PostgreSQL has no words for, or none that surely mean the same."""


@dataclass(frozen=True)
class Columns:
    """A table's columns: I(types) by their real names."""

    types: Mapping[str, str]

    def named(self, name: str) -> str:
        """The real spelling of a name. SQLite folds ASCII letters."""
        for real in self.types:
            if real.lower() == name.lower():
                return real
        raise Untranslatable(f"there is no column {name}")

    def family(self, name: str) -> str:
        return family(self.types[self.named(name)])


def family(sql_type: str) -> str:
    """What may be compared with what."""
    bare = re.sub(r"\(.*\)", "", sql_type).strip()
    if bare in ("smallint", "integer", "bigint", "numeric"):
        return "number"
    if bare in ("double precision", "real"):
        return "real"
    if bare in ("text", "character varying", "character"):
        return "text"
    if bare.startswith("timestamp"):
        return "timestamp"
    if bare.startswith("time"):
        return "time"
    return {"boolean": "boolean", "date": "date", "bytea": "bytes", "uuid": "uuid"}.get(bare, bare)


def identifier(name: str) -> str:
    """As PostgreSQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """As PostgreSQL quotes it, whatever standard_conforming_strings says."""
    quoted = value.replace("'", "''")
    return " E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in value else f"'{quoted}'"


def parsed(expression: str) -> Node:
    """Raises Untranslatable."""
    try:
        return sqlglot.parse_one(f"SELECT ({expression})", read="sqlite").expressions[0].unnest()
    except sqlglot.errors.SqlglotError as error:
        raise Untranslatable(f"it cannot be read: {str(error).splitlines()[0]}") from error


def translated(node: Node, columns: Columns) -> str:
    """I(node) for PostgreSQL. Raises Untranslatable."""
    return _Translator(columns).of(node)


def default(expression: str, sql_type: str) -> str | None:
    """A column's default; None for NULL, which is none. Raises Untranslatable."""
    node = parsed(expression)
    kind = family(sql_type)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Column) and not node.args.get("table"):
        # SQLite takes a word in double quotes, or without any, that is no column here, for a text.
        node = (
            exp.Boolean(this=node.name.lower() == "true")
            if node.name.lower() in ("true", "false")
            else exp.Literal.string(node.name)
        )
    moment = _moment(node)
    if moment is not None:
        value, pattern = _NOW[moment]
        if kind == moment:
            return value
        if kind == "text":
            return f"to_char({_UTC}, '{pattern}')"
        if moment == "timestamp" and sql_type.startswith("timestamp with time zone"):
            return "date_trunc('second', statement_timestamp())"
        raise Untranslatable(f"it gives a {moment}, and the column is {sql_type}")
    if kind == "boolean":
        return _truth(node)
    if isinstance(node, exp.Literal) and node.is_string:
        return f"{text(node.this)}::{sql_type}"
    return translated(node, Columns({}))


def _moment(node: Node) -> str | None:
    """Whether it is now: timestamp, date or time."""
    if isinstance(node, exp.CurrentTimestamp):
        return "timestamp"
    if isinstance(node, exp.CurrentDate):
        return "date"
    if isinstance(node, exp.CurrentTime):
        return "time"
    called = node.sql(dialect="sqlite").lower().replace(" ", "")
    return {"datetime('now')": "timestamp", "date('now')": "date", "time('now')": "time"}.get(called)


def _truth(node: Node) -> str:
    if isinstance(node, exp.Boolean):
        return "TRUE" if node.this else "FALSE"
    if isinstance(node, exp.Literal) and node.this in ("0", "1"):
        return "TRUE" if node.this == "1" else "FALSE"
    raise Untranslatable(f"{node.sql(dialect='sqlite')} is neither 0 nor 1")


def glob_pattern(pattern: str) -> str:
    """SQLite's GLOB as a regular expression of PostgreSQL, anchored on both sides."""
    found, place = [], 0
    while place < len(pattern):
        letter = pattern[place]
        closing = pattern.find("]", place + 2)
        if letter == "*":
            found.append(".*")
        elif letter == "?":
            found.append(".")
        elif letter == "[" and closing > 0:
            inside = pattern[place + 1 : closing].replace("\\", "\\\\")
            found.append(f"[{inside}]")
            place = closing
        else:
            found.append(re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", letter))
        place += 1
    return f"^{''.join(found)}$"


class _Translator:
    """One expression over one table's columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def of(self, node: Node) -> str:
        for kinds, translate in self._known():
            if isinstance(node, kinds):
                # What sqlglot has beside the usual (NOT in "negate", a window, a filter) must not get lost.
                further = {name for name, value in node.args.items() if value} - _ARGUMENTS
                if further == {"negate"}:
                    plain = node.copy()
                    plain.set("negate", None)
                    return f"(NOT {translate(plain)})"
                if further:
                    break
                return translate(node)
        raise Untranslatable(f"{node.sql(dialect='sqlite')} is not known to mean the same in PostgreSQL")

    def _known(self) -> list[tuple[tuple[type[Any], ...], Callable[[Node], str]]]:
        return [
            ((exp.Paren,), lambda node: f"({self.of(node.this)})"),
            ((exp.Column,), self._column),
            ((exp.Literal,), lambda node: text(node.this) if node.is_string else node.this),
            ((exp.Boolean,), lambda node: "TRUE" if node.this else "FALSE"),
            ((exp.Null,), lambda node: "NULL"),
            ((exp.Neg,), lambda node: f"-{self.of(node.this)}"),
            ((exp.Not,), lambda node: f"(NOT {self._condition(node.this)})"),
            ((exp.And, exp.Or), self._joined),
            (
                (exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
                self._compared,
            ),
            ((exp.In,), self._in),
            ((exp.Between,), self._between),
            ((exp.Like, exp.Glob), self._like),
            ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), self._computed),
            ((exp.DPipe,), self._concatenated),
            ((exp.Length,), self._length),
            ((exp.Coalesce, exp.Lower, exp.Upper, exp.Abs, exp.Nullif, exp.Trim), self._called),
            ((exp.Substring,), self._substring),
            ((exp.If, exp.Case), self._case),
            ((exp.Cast,), self._cast),
            ((exp.Typeof,), self._typeof),
            ((exp.Anonymous,), self._anonymous),
        ]

    def _column(self, node: Node) -> str:
        try:
            return identifier(self._columns.named(node.name))
        except Untranslatable:
            # A word in double quotes that is no column is a text to SQLite.
            if node.this.args.get("quoted") and not node.args.get("table"):
                return text(node.name)
            raise

    def _family(self, node: Node) -> str:
        """What kind of value an expression has; nothing where it is not certain."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            return self._columns.family(node.name)
        if isinstance(node, exp.Literal):
            return "text" if node.is_string else "number"
        if isinstance(node, exp.Boolean):
            return "boolean"
        if isinstance(node, exp.Length | exp.Neg | exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
            return "number"
        if isinstance(node, exp.DPipe | exp.Lower | exp.Upper | exp.Substring | exp.Trim | exp.Typeof):
            return "text"
        if isinstance(node, exp.Abs | exp.Coalesce | exp.Nullif):
            return self._family(node.this)
        return ""

    def _beside(self, node: Node, other: Node) -> str:
        """I(node) as it has to be written to be compared with I(other)."""
        mine, its = self._family(node), self._family(other)
        if its == "boolean" and mine == "number":
            return _truth(node.unnest())
        numbers = {"number", "real"}
        literal = isinstance(node.unnest(), exp.Literal)
        same = mine == its or not mine or not its or {mine, its} <= numbers
        # PostgreSQL reads a text literal as whatever it is compared with.
        if (
            not same
            and not (literal and mine == "text" and its not in numbers)
            and not (isinstance(other.unnest(), exp.Literal) and its == "text" and mine not in numbers)
            and not (mine == "boolean" and its == "number")
        ):
            raise Untranslatable(f"it compares {mine} with {its}")
        return self.of(node)

    def _condition(self, node: Node) -> str:
        """Where PostgreSQL wants a boolean, and SQLite takes any number."""
        bare = node.unnest()
        found = self.of(node)
        if isinstance(bare, exp.Column | exp.Literal) and self._family(bare) in ("number", "real"):
            return f"({found} <> 0)"
        return found

    def _joined(self, node: Node) -> str:
        word = "AND" if isinstance(node, exp.And) else "OR"
        return f"({self._condition(node.this)} {word} {self._condition(node.expression)})"

    def _compared(self, node: Node) -> str:
        left, right = node.this, node.expression
        if isinstance(node, exp.Is):
            if isinstance(right, exp.Null):
                return f"({self.of(left)} IS NULL)"
            word = "IS NOT DISTINCT FROM"
        elif isinstance(node, exp.NullSafeEQ):
            word = "IS NOT DISTINCT FROM"
        elif isinstance(node, exp.NullSafeNEQ):
            word = "IS DISTINCT FROM"
        else:
            words: dict[Any, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
            word = words[type(node)]
        kinds = {self._family(left), self._family(right)}
        if word in ("<", "<=", ">", ">=") and "text" in kinds and kinds <= {"text", ""}:
            # SQLite orders text by its bytes.
            return f'({self.of(left)} {word} {self.of(right)} COLLATE "C")'
        return f"({self._beside(left, right)} {word} {self._beside(right, left)})"

    def _in(self, node: Node) -> str:
        if node.args.get("query") or not node.expressions:
            raise Untranslatable("it asks for rows of a query")
        choices = ", ".join(self._beside(choice, node.this) for choice in node.expressions)
        for choice in node.expressions:
            self._beside(node.this, choice)
        return f"({self.of(node.this)} IN ({choices}))"

    def _between(self, node: Node) -> str:
        low, high = node.args["low"], node.args["high"]
        if self._family(node.this) == "text":
            raise Untranslatable("it compares the order of texts")
        return (
            f"{self._beside(node.this, low)} BETWEEN {self._beside(low, node.this)} AND {self._beside(high, node.this)}"
        )

    def _like(self, node: Node) -> str:
        pattern = node.expression
        if not (isinstance(pattern, exp.Literal) and pattern.is_string) or self._family(node.this) != "text":
            raise Untranslatable(f"{node.sql(dialect='sqlite')} is not a text and a fixed pattern")
        if isinstance(node, exp.Glob):
            return f"({self.of(node.this)} ~ {text(glob_pattern(pattern.this))})"
        # Without regard to case, which SQLite knows of ASCII only; and it has no escape unless one is named.
        return f"({self.of(node.this)} ILIKE {text(pattern.this)} ESCAPE '')"

    def _computed(self, node: Node) -> str:
        for side in (node.this, node.expression):
            if self._family(side) not in ("number", "real", ""):
                raise Untranslatable(f"it computes with {self._family(side)}")
        signs: dict[Any, str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
        if isinstance(node, exp.Div | exp.Mod):
            # SQLite gives NULL where PostgreSQL stops.
            return f"({self.of(node.this)} {signs[type(node)]} nullif({self.of(node.expression)}, 0))"
        return f"({self.of(node.this)} {signs[type(node)]} {self.of(node.expression)})"

    def _concatenated(self, node: Node) -> str:
        parts = []
        for side in (node.this, node.expression):
            kind = self._family(side)
            if kind not in ("text", "number"):
                raise Untranslatable(f"SQLite and PostgreSQL may write {kind or 'a part of it'} differently")
            parts.append(self.of(side) + ("" if kind == "text" else "::text"))
        return f"({parts[0]} || {parts[1]})"

    def _length(self, node: Node) -> str:
        kind = self._family(node.this)
        if kind not in ("text", "bytes"):
            raise Untranslatable(f"it asks for the length of {kind or 'an expression'}")
        return f"{'char_length' if kind == 'text' else 'octet_length'}({self.of(node.this)})"

    def _called(self, node: Node) -> str:
        name: dict[Any, str] = {exp.Coalesce: "coalesce", exp.Lower: "lower", exp.Upper: "upper", exp.Abs: "abs"}
        name |= {exp.Nullif: "nullif", exp.Trim: "trim"}
        if isinstance(node, exp.Trim) and (node.args.get("expression") or node.args.get("position")):
            raise Untranslatable("it trims other letters than blanks")
        if isinstance(node, exp.Lower | exp.Upper | exp.Trim) and self._family(node.this) != "text":
            raise Untranslatable(f"{name[type(node)]}() of what is no text")
        rest = [*node.expressions, *([node.expression] if isinstance(node, exp.Nullif) else [])]
        return f"{name[type(node)]}({', '.join([self.of(node.this), *(self._beside(one, node.this) for one in rest)])})"

    def _substring(self, node: Node) -> str:
        bounds = [node.args.get("start"), node.args.get("length")]
        if self._family(node.this) != "text" or not all(
            one is None or (isinstance(one, exp.Literal) and not one.is_string and int(one.this) > 0) for one in bounds
        ):
            raise Untranslatable("substr() counts from the end, or is not of a text")
        return f"substr({', '.join(self.of(one) for one in [node.this, *bounds] if one is not None)})"

    def _case(self, node: Node) -> str:
        if isinstance(node, exp.If):
            cases, otherwise = [node], node.args.get("false")
        else:
            if node.this is not None:
                raise Untranslatable("a CASE that compares one value with several")
            cases, otherwise = node.args["ifs"], node.args.get("default")
        words = [f"WHEN {self._condition(one.this)} THEN {self.of(one.args['true'])}" for one in cases]
        words += [f"ELSE {self.of(otherwise)}"] if otherwise is not None else []
        return f"CASE {' '.join(words)} END"

    def _cast(self, node: Node) -> str:
        kind, wanted = self._family(node.this), node.to.sql(dialect="sqlite").upper()
        if wanted == "TEXT" and kind in ("text", "number"):
            return f"{self.of(node.this)}::text"
        if wanted == "REAL" and kind in ("number", "real"):
            return f"{self.of(node.this)}::double precision"
        if wanted == "INTEGER" and kind == "real":
            return f"trunc({self.of(node.this)})::bigint"
        if wanted == "INTEGER" and kind == "number":
            return f"trunc({self.of(node.this)})::bigint"
        raise Untranslatable(f"{node.sql(dialect='sqlite')} is a conversion that the two do differently")

    def _typeof(self, node: Node) -> str:
        return self._class_of(node.this)

    def _class_of(self, node: Node) -> str:
        kind = self._family(node)
        if not isinstance(node.unnest(), exp.Column):
            raise Untranslatable("typeof() of an expression")
        return f"CASE WHEN {self.of(node)} IS NULL THEN 'null' ELSE '{_CLASSES.get(kind, 'text')}' END"

    def _anonymous(self, node: Node) -> str:
        name = str(node.this).lower()
        if name == "typeof" and len(node.expressions) == 1:
            return self._class_of(node.expressions[0])
        if (
            name == "json_valid"
            and len(node.expressions) == 1
            and self._family(node.expressions[0]) in ("json", "jsonb")
        ):
            return "TRUE"
        raise Untranslatable(f"{name}() is not known to mean the same in PostgreSQL")
