# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two expressions mean the same, as far as the server can tell: defaults, generated columns, CHECK constraints.

Both are given to a temporary table with columns of the same names and types. The same if the server writes them back as
the same text; different if the two give something different for the same row. In between nobody can tell. Everything is
rolled back. Nothing is ever computed that the server does not hold for free of side effects: a default is computed if it
is not volatile, everything else if it is immutable.
"""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from .._errors import TargetError
from .._transfer._expected import Verdict
from .._transfer._model import TargetColumn, TargetTable
from ._session import Session, Statement, columns, comma, compose, identifier, join, literal, raw

_PROBE = ("pg_temp", "mcps_probe")
_EXPRESSION = """
SELECT pg_get_expr(d.adbin, d.adrelid), a.atthasmissing
  FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = 'pg_temp.mcps_probe'::regclass AND a.attname = %s
"""
_CONDITION = (
    "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 'pg_temp.mcps_probe'::regclass"
    " AND contype = 'c' AND conname = 'mcps_probe_expected'"
)
#: Documented to be the same (functions-datetime.html#FUNCTIONS-DATETIME-CURRENT).
_SAME_WORDS = {"current_timestamp": "now()", "transaction_timestamp()": "now()"}
_REFUSED = "PostgreSQL does not take what is expected ({})"
_LITERALS = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(\d+(?:\.\d+)?)")
#: The values that columns are tried with: so many of each, where an expression is about so many columns.
_TRIED = {1: 40, 2: 20, 3: 8}


class Expressions:
    """A session that reads expressions. Its M(_expected.Judge) methods never raise for an expression that is refused."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._schema = schema

    def hindrance(self) -> str:
        """Why this session cannot compare expressions; empty where it can."""
        try:
            with self._probe(()):
                return ""
        except TargetError as error:
            return _reason(error)

    def default(self, table: TargetTable, column: TargetColumn, expected: str) -> Verdict:
        found = column.expression or ""
        if _bare(found) == _bare(expected):
            return Verdict(True)
        try:
            return self._defaults(column, found, expected)
        except TargetError as error:
            mismatch = error.details.get("sqlstate") == "42804"
            reason = _reason(error)
        if mismatch:
            # SQLite's 0 and 1 are booleans, for one: what PostgreSQL does not take by itself it may if told to.
            told = f"CAST(({expected}) AS {column.type})"
            with suppress(TargetError):
                return self._defaults(column, found, told)._replace(instead=told)
        return Verdict(None, _REFUSED.format(reason))

    def generated(self, table: TargetTable, column: TargetColumn, expected: str) -> Verdict:
        found = column.expression or ""
        if _bare(found) == _bare(expected):
            return Verdict(True)
        others = [other for other in table.columns if other.name != column.name]
        try:
            with self._probe(others):
                self._add(column.name, str(column.type), expected, "GENERATED ALWAYS AS ({expression}) STORED")
                if self._read(column.name)[0] == found:
                    return Verdict(True)
        except TargetError as error:
            return Verdict(None, _REFUSED.format(_reason(error)))
        return self._tried(others, str(column.type), found, expected, "it is {found}, and {expected} is expected")

    def check(self, table: TargetTable, found: str, expected: str) -> Verdict:
        words, reason = self.condition(table, expected)
        if not words:
            return Verdict(None, _REFUSED.format(reason))
        if words == found:
            return Verdict(True)
        # What is neither true nor false passes.
        pair = [f"(({condition}) IS NOT FALSE)" for condition in (found, expected)]
        return self._tried(table.columns, "boolean", pair[0], pair[1], "it is {found} that it passes")

    def condition(self, table: TargetTable, expected: str) -> Tuple[str, str]:
        template = "ALTER TABLE {probe} ADD CONSTRAINT mcps_probe_expected CHECK ({expression})"
        try:
            with self._probe(table.columns):
                self._session.execute(compose(template, probe=identifier(*_PROBE), expression=raw(expected)))
                self._session.pin_path()
                return str(self._session.value(_CONDITION)), ""
        except TargetError as error:
            return "", _reason(error)

    def _defaults(self, column: TargetColumn, found: str, expected: str) -> Verdict:
        """Raises TargetError where the server does not take them."""
        kind = str(column.type)
        with self._probe(()):
            # The server computes it at once where it is not volatile, and else for each row, of which there are none.
            self._add("found", kind, found, "DEFAULT ({expression})")
            there, fixed = self._read("found")
            self._session.use_application_path(self._schema)
            self._add("expected", kind, expected, "DEFAULT ({expression})")
            wanted, also = self._read("expected")
            if there == wanted:
                return Verdict(True)
            if fixed != also:
                return Verdict(False, "one is computed for each row, and the other is not")
            if not fixed:
                return Verdict(None, "both are computed for each row, and are written differently")
            self._session.use_application_path(self._schema)
            self._session.execute(compose("INSERT INTO {probe} DEFAULT VALUES", probe=identifier(*_PROBE)))
            values = self._differing()
            if values:
                return Verdict(False, f"it gives {_shown(values[0][0])} and not {_shown(values[0][1])}")
        try:
            with self._probe(()):
                for name, expression in (("found", found), ("expected", expected)):
                    self._add(name, kind, expression, "GENERATED ALWAYS AS ({expression}) STORED")
            return Verdict(True)  # Constants.
        except TargetError:
            return Verdict(None, "both give the same now, and need not at another time")

    def _tried(self, others: Sequence[TargetColumn], kind: str, found: str, expected: str, words: str) -> Verdict:
        """A row that makes a difference, if one is found among those that suit the two expressions."""
        unknown = Verdict(None, "they are written differently, and may mean the same")
        used = [column for column in others if _mentions(column.name, found) or _mentions(column.name, expected)]
        if not 0 < len(used) <= max(_TRIED):
            return unknown
        # Names that no column has.
        names = {side: _free(side, others) for side in ("found", "expected")}
        try:
            with self._probe(others):
                for side, expression in (("found", found), ("expected", expected)):
                    self._add(names[side], kind, expression, "GENERATED ALWAYS AS ({expression}) STORED")
                choices = [self._takes(column, _values(f"{found} {expected}")) for column in used]
                rows = [list(row) for row in itertools.product(*(few[: _TRIED[len(used)]] for few in choices))]
                self._fill([column.name for column in used], rows, [str(column.type) for column in used])
                witnesses = self._differing(names["found"], names["expected"], [column.name for column in used])
        except TargetError:
            return unknown
        if not witnesses:
            return unknown
        there, wanted, *values = witnesses[0]
        row = ", ".join(f"{column.name} = {_shown(value)}" for column, value in zip(used, values))
        return Verdict(False, f"with {row} " + words.format(found=_shown(there), expected=_shown(wanted)))

    # The temporary table

    @contextmanager
    def _probe(self, of: Sequence[TargetColumn]) -> Iterator[None]:
        """A temporary table with the columns I(of), plain ones, which is gone after the block."""
        with self._session.undone():
            self._session.pin_path()
            made = [compose("{name} {kind}", name=identifier(c.name), kind=raw(str(c.type))) for c in of]
            self._session.execute(compose("CREATE TEMPORARY TABLE {p} ({c})", p=identifier(_PROBE[1]), c=comma(made)))
            self._session.use_application_path(self._schema)
            yield

    def _add(self, name: str, kind: str, expression: str, words: str) -> None:
        self._session.execute(
            compose(
                "ALTER TABLE {probe} ADD COLUMN {name} {kind} " + words,
                probe=identifier(*_PROBE),
                name=identifier(name),
                kind=raw(kind),
                expression=raw(expression),
            )
        )

    def _read(self, name: str) -> Tuple[str, bool]:
        """How the server writes a column's expression, and whether it has computed it once for all rows."""
        self._session.pin_path()
        ((text, missing),) = self._session.query(_EXPRESSION, (name,))
        return text, missing

    def _takes(self, column: TargetColumn, values: Sequence[str]) -> List[Statement]:
        """Those of I(values) that a column can hold, and NULL."""
        found: List[Statement] = [literal(None)]
        for value in values:
            cast = compose("CAST({value} AS {kind})", value=literal(value), kind=raw(str(column.type)))
            try:
                with self._session.savepoint():
                    self._session.value(compose("SELECT {cast} IS NULL", cast=cast))
            except TargetError:
                continue
            found.append(literal(value))
        return found

    def _fill(self, names: List[str], rows: Sequence[Sequence[Statement]], kinds: Sequence[str]) -> None:
        lines = []
        for row in rows:
            cells = [compose("CAST({v} AS {k})", v=value, k=raw(kind)) for value, kind in zip(row, kinds)]
            lines.append(compose("({cells})", cells=comma(cells)))
        statement = "INSERT INTO {probe} ({names}) VALUES {lines}"
        self._session.execute(compose(statement, probe=identifier(*_PROBE), names=columns(names), lines=comma(lines)))

    def _differing(
        self, found: str = "found", expected: str = "expected", shown: Sequence[str] = ()
    ) -> List[Tuple[Any, ...]]:
        """Rows of the probe in which the two differ, as text; JSON knows a value of any type by what it is."""
        texts = [compose("{name}::text", name=identifier(name)) for name in (found, expected, *shown)]
        return self._session.query(
            compose(
                "SELECT {texts} FROM {probe} WHERE to_jsonb({one}) IS DISTINCT FROM to_jsonb({other}) LIMIT 1",
                texts=join(", ", texts),
                probe=identifier(*_PROBE),
                one=identifier(found),
                other=identifier(expected),
            )
        )


def _bare(expression: str) -> str:
    text = expression.strip()
    return _SAME_WORDS.get(text.lower(), text)


def _reason(error: TargetError) -> str:
    return str(error.details.get("reason") or error.message).strip().splitlines()[0]


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)


def _mentions(name: str, expression: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", expression, re.IGNORECASE) is not None


def _free(name: str, others: Sequence[TargetColumn]) -> str:
    taken = {column.name for column in others}
    while name in taken:
        name += "_"
    return name


def _values(expressions: str) -> List[str]:
    """What columns are tried with: what the expressions themselves speak of, and what lies beside it."""
    found: Dict[str, None] = {}
    for text, number in _LITERALS.findall(expressions):
        near = [number, *(str(int(float(number)) + step) for step in (-1, 1))] if number else [text.replace("''", "'")]
        found.update(dict.fromkeys(near))
    return [*found, *(value for value in ("0", "1", "-1", "", "x", "true", "false") if value not in found)]
