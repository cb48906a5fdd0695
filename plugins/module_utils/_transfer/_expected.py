# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tables that are there differ from those that an application expects."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from ._model import Check, ForeignKey, TargetColumn, TargetTable
from ._types import SqlType

#: How SQLAlchemy spells a collation behind a type; format_type() leaves it out.
_COLLATION = re.compile(r"\s+collate\s+.*\Z")


#: Autogenerate's operations in the words of this comparison.
OPERATIONS: Dict[str, str] = {
    "add_table": "missing_table",
    "remove_table": "extra_table",
    "add_column": "missing_column",
    "remove_column": "extra_column",
    "modify_type": "type",
    "modify_nullable": "nullable",
    "modify_default": "default",
    "modify_comment": "comment",
    "add_table_comment": "comment",
    "remove_table_comment": "comment",
    "add_index": "index",
    "remove_index": "index",
    "add_constraint": "unique",
    "remove_constraint": "unique",
    "add_fk": "foreign_key",
    "remove_fk": "foreign_key",
}
#: Those that cost speed or say something to people, and keep nothing from working.
HARMLESS = ("extra_table", "extra_column", "comment", "index")
#: The severity of what could not be compared.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """One of them. I(severity) is V(error) where the application may be refused something or lose a promise, else V(note)."""

    kind: str
    table: str
    column: str
    detail: str
    severity: str = "error"

    def as_dict(self) -> Dict[str, str]:
        return dict(vars(self))


class Verdict(NamedTuple):
    """Whether two expressions mean the same; None where that cannot be told. I(why) says so in words.

    I(instead) is what is expected as the server takes it, where it does not take it as it stands.
    """

    same: Optional[bool]
    why: str = ""
    instead: str = ""


class Judge(Protocol):
    """The server that a table was found on, which alone knows what its expressions mean (M(_postgres._expressions))."""

    def default(self, table: TargetTable, column: TargetColumn, expected: str) -> Verdict:
        """Whether I(expected) gives I(column) what its default gives it."""

    def generated(self, table: TargetTable, column: TargetColumn, expected: str) -> Verdict:
        """Whether I(expected) computes what I(column) is."""

    def check(self, table: TargetTable, found: str, expected: str) -> Verdict:
        """Whether two conditions of CHECK let the same rows pass."""

    def condition(self, table: TargetTable, expected: str) -> Tuple[str, str]:
        """How the server writes a condition of CHECK; or an empty text, and why it does not take it."""


@dataclass(frozen=True)
class Comparison:
    """What differs, and (severity V(unknown)) what nobody can tell of."""

    differences: List[Difference]
    not_compared: List[Difference]


def differences(expected: Sequence[TargetTable], found: Sequence[TargetTable]) -> List[Difference]:
    """What differs without regard to expressions: M(compared) without a judge."""
    return compared(expected, found).differences


def compared(
    expected: Sequence[TargetTable], found: Sequence[TargetTable], judge: Optional[Judge] = None
) -> Comparison:
    """All differences in the order of I(expected). Tables that nobody expects are nobody's difference.

    Without I(judge), expressions are not looked at, and CHECK constraints are known by their names and their number.
    """
    there = {table.name: table for table in found}
    listed: List[Difference] = []
    for table in expected:
        if table.name not in there:
            listed.append(Difference("missing_table", table.name, "", "the table is not there"))
            continue
        listed += _columns(table, there[table.name], judge)
        listed += _keys(table, there[table.name])
        listed += _checks(table, there[table.name], judge)
    unknown = [difference for difference in listed if difference.severity == UNKNOWN]
    return Comparison([difference for difference in listed if difference.severity != UNKNOWN], unknown)


def with_drift(listed: Sequence[Difference], drift: Sequence[Mapping[str, str]]) -> List[Difference]:
    """I(listed), and what autogenerate has found besides (alembic_info's V(drift))."""
    known = {(difference.kind, difference.table, difference.column) for difference in listed}
    whole = list(listed)
    for item in drift:
        kind = OPERATIONS.get(item["operation"], item["operation"])
        if (kind, item["table"], item["column"]) not in known:
            severity = "note" if kind in HARMLESS else "error"
            whole.append(Difference(kind, item["table"], item["column"], item["detail"], severity))
    return whole


def standing(listed: Sequence[Difference], strict: bool, accept: Sequence[str]) -> List[Difference]:
    """Those of I(listed) that stand against the schema: errors, with I(strict) all, but for what an operator accepts."""
    return [
        difference
        for difference in listed
        if (strict or difference.severity == "error") and not accepted(difference, accept)
    ]


def accepted(difference: Difference, patterns: Sequence[str]) -> bool:
    """Whether one of I(patterns) (shell wildcards) is for V(kind table) or V(kind table.column)."""
    place = f"{difference.table}.{difference.column}" if difference.column else difference.table
    return any(fnmatchcase(f"{difference.kind} {place}", pattern) for pattern in patterns)


def _columns(expected: TargetTable, found: TargetTable, judge: Optional[Judge]) -> List[Difference]:
    listed: List[Difference] = []
    for column in expected.columns:
        other = found.column(column.name)
        if other is None:
            listed.append(Difference("missing_column", expected.name, column.name, "the column is not there"))
        else:
            listed += _column(found, column, other, judge)
    known = {column.name for column in expected.columns}
    return listed + [_besides(found.name, column) for column in found.columns if column.name not in known]


def _column(
    table: TargetTable, expected: TargetColumn, found: TargetColumn, judge: Optional[Judge]
) -> List[Difference]:
    listed: List[Difference] = []

    def add(kind: str, detail: str, severity: str = "error") -> None:
        listed.append(Difference(kind, table.name, expected.name, detail, severity))

    if _plain(expected.type) != _plain(found.type):
        add("type", f"it is {_spelled(found.type)}, and {_spelled(expected.type)} is expected")
    if expected.not_null != found.not_null:
        add("nullable", "it takes no NULL" if found.not_null else "it takes NULL")
    if expected.generated != found.generated:
        add("generated", "it is generated" if found.generated else "it is not generated")
    elif _fills(expected) and not _fills(found):
        add("default", "it has no default")
    elif _fills(found) and not _fills(expected):
        add("default", "it has a default", "note")
    elif judge is not None and expected.expression is not None:
        listed += _expression(table, expected, found, judge)
    return listed


def _expression(table: TargetTable, expected: TargetColumn, found: TargetColumn, judge: Judge) -> List[Difference]:
    """Both sides have a default, or both are generated: whether what it is is the same."""
    kind, words = ("generated", "it is computed by") if expected.generated else ("default", "its default is")
    if not expected.expression:
        verdict = Verdict(None, "what is expected cannot be written as SQL")
    elif found.expression is None:
        verdict = Verdict(None, "the column numbers itself" if found.identity else "it comes from the column's domain")
    else:
        ask = judge.generated if expected.generated else judge.default
        verdict = ask(table, found, expected.expression)
    if verdict.same:
        return []
    detail = f"{words} {found.expression or 'another'}, and {expected.expression or 'another'} is expected"
    if verdict.same is None:
        return [Difference(kind, table.name, expected.name, f"{detail}: {verdict.why}", UNKNOWN)]
    mend = "drop the column and add it again as it is expected"
    if not expected.generated:
        mend = f"{_altered(table)} ALTER COLUMN {_quoted(expected.name)} SET DEFAULT {expected.expression} makes it that one"
    return [Difference(kind, table.name, expected.name, f"{detail}: {verdict.why}; {mend}")]


def _altered(table: TargetTable) -> str:
    return f"ALTER TABLE {_quoted(table.schema)}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _besides(table: str, column: TargetColumn) -> Difference:
    refuses = column.not_null and not (_fills(column) or column.generated)
    detail = "nobody expects the column" + (", and a row needs a value for it" if refuses else "")
    return Difference("extra_column", table, column.name, detail, "error" if refuses else "note")


def _fills(column: TargetColumn) -> bool:
    return column.has_default or bool(column.identity)


def _keys(expected: TargetTable, found: TargetTable) -> List[Difference]:
    name = expected.name
    listed: List[Difference] = []
    if expected.primary_key != found.primary_key:
        shown = ", ".join(found.primary_key) or "none"
        wanted = ", ".join(expected.primary_key) or "none"
        listed.append(Difference("primary_key", name, "", f"it is {shown}, and {wanted} is expected"))
    listed += _sets("unique", name, _unordered(expected.unique), _unordered(found.unique), "unique constraint", "error")
    listed += _sets("foreign_key", name, _references(expected), _references(found), "foreign key", "error")
    listed += _behaviours(expected, found)
    unique = _unordered((*expected.unique, *found.unique))
    indexed = [_unordered(table.indexed) - unique for table in (expected, found)]
    return listed + _sets("index", name, indexed[0], indexed[1], "index", "note")


def _sets(
    kind: str, table: str, expected: FrozenSet[str], found: FrozenSet[str], what: str, severity: str
) -> List[Difference]:
    missing = [Difference(kind, table, "", f"the {what} {item} is not there", severity) for item in expected - found]
    besides = [Difference(kind, table, "", f"nobody expects the {what} {item}", severity) for item in found - expected]
    return sorted(missing, key=str) + sorted(besides, key=str)


def _unordered(keys: Sequence[Tuple[str, ...]]) -> FrozenSet[str]:
    return frozenset(f"({', '.join(sorted(key))})" for key in keys)


def _references(table: TargetTable) -> FrozenSet[str]:
    return frozenset(map(_reference, table.foreign_keys))


def _reference(key: ForeignKey) -> str:
    pairs = sorted(zip(key.columns, key.parent_columns))
    children, parents = (", ".join(names) for names in zip(*pairs))
    return f"({children}) to {key.parent} ({parents})"


def _behaviours(expected: TargetTable, found: TargetTable) -> List[Difference]:
    """Foreign keys that are there, and do something else when a parent's row goes, or are looked at another time."""
    listed: List[Difference] = []
    for key in expected.foreign_keys:
        others = [other for other in found.foreign_keys if _reference(other) == _reference(key)]
        unlike = [_unlike(key, other) for other in others]
        if unlike and all(unlike):
            other = others[0]
            named = " ".join(filter(None, ("the foreign key", other.name, _reference(other))))
            detail = f"{named} is {unlike[0]}; {_made_anew(found, key, other)} makes it that one"
            listed.append(Difference("foreign_key", expected.name, "", detail))
    return listed


def _unlike(key: ForeignKey, other: ForeignKey) -> str:
    """How I(other), which is there, differs from I(key), which is expected; empty where it does not."""
    pairs = (
        ("ON DELETE ", key.on_delete, other.on_delete),
        ("ON UPDATE ", key.on_update, other.on_update),
        ("", key.deferrable, other.deferrable),
    )
    unlike = [(word + there, word + wanted) for word, wanted, there in pairs if wanted and there and wanted != there]
    return ", ".join(f"{there} and not {wanted}, which is expected" for there, wanted in unlike)


def _made_anew(table: TargetTable, key: ForeignKey, other: ForeignKey) -> str:
    """The statement that gives I(other) what I(key) says."""
    children, parents = (", ".join(map(_quoted, names)) for names in (other.columns, other.parent_columns))
    parent = ".".join(_quoted(name) for name in [table.schema, *other.parent.split(".", 1)][-2:])
    words = [f"{_altered(table)} DROP CONSTRAINT {_quoted(other.name)}, ADD CONSTRAINT {_quoted(other.name)}"]
    words.append(f"FOREIGN KEY ({children}) REFERENCES {parent} ({parents})")
    for word, action in (
        ("ON DELETE", key.on_delete or other.on_delete),
        ("ON UPDATE", key.on_update or other.on_update),
    ):
        words += [f"{word} {action}"] if action not in (None, "NO ACTION") else []
    moment = key.deferrable or other.deferrable
    return " ".join([*words, moment] if moment not in (None, "NOT DEFERRABLE") else words)


def _checks(expected: TargetTable, found: TargetTable, judge: Optional[Judge]) -> List[Difference]:
    """By name, then by what they say, and what has no name by its number."""
    if expected.checks is None or found.checks is None:
        return []
    wanted, there = list(expected.checks), list(found.checks)
    listed: List[Difference] = []
    for check in expected.checks:
        other = next((other for other in there if check.name and other.name == check.name), None)
        if other is not None:
            wanted.remove(check)
            there.remove(other)
            listed += _condition(found, check, other, judge) if judge is not None else []
    refused: Dict[Check, str] = {}
    if judge is not None:
        for check in list(wanted):
            words, refused[check] = judge.condition(found, check.expression)
            other = next((other for other in there if words and other.expression == words), None)
            if other is not None:
                wanted.remove(check)
                there.remove(other)
        listed += [_missing(found, check, refused[check]) for check in wanted if check.name]
        wanted = [check for check in wanted if not check.name]
        if len(wanted) == len(there) == 1:
            return listed + _condition(found, wanted[0], there[0], judge)
        if len(wanted) == len(there) > 0:
            detail = f"its {len(there)} CHECK constraints {_some(there)} have no names in {_some(wanted)}: only counted"
            return [*listed, Difference("check", found.name, "", detail, UNKNOWN)]
    if len(wanted) > len(there):
        if not there:
            return listed + [_missing(found, check, refused.get(check, "")) for check in wanted]
        detail = f"{len(wanted)} CHECK constraints like {_some(wanted)} are expected, and {len(there)} are there: {_some(there)}"
        return [*listed, Difference("check", found.name, "", f"{detail}; add what is missing")]
    if not wanted:
        extra = (
            "nobody expects the CHECK constraint {name} ({expression}), which may refuse what the application writes"
        )
        return listed + [
            Difference("check", found.name, "", extra.format(name=c.name, expression=c.expression), "note")
            for c in there
        ]
    if len(there) > len(wanted):
        detail = f"nobody expects {len(there) - len(wanted)} of its CHECK constraints {_some(there)}"
        listed.append(Difference("check", found.name, "", detail, "note"))
    return listed


def _condition(table: TargetTable, check: Check, other: Check, judge: Judge) -> List[Difference]:
    """A CHECK constraint that is expected, and the one that is there in its place."""
    if check.expression:
        verdict = judge.check(table, other.expression, check.expression)
    else:
        verdict = Verdict(None, "what is expected cannot be written as SQL")
    if verdict.same:
        return []
    detail = f"the CHECK constraint {other.name} is {other.expression}, and {check.expression or 'another'} is expected"
    if verdict.same is None:
        return [Difference("check", table.name, "", f"{detail}: {verdict.why}", UNKNOWN)]
    name = _quoted(other.name)
    mend = (
        f"{_altered(table)} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({check.expression}) makes it that one"
    )
    return [Difference("check", table.name, "", f"{detail}: {verdict.why}; {mend}")]


def _missing(table: TargetTable, check: Check, refused: str) -> Difference:
    named = " ".join(filter(None, ("the CHECK constraint", check.name, f"({check.expression})")))
    constraint = f"CONSTRAINT {_quoted(check.name)} " if check.name else ""
    mend = f"{_altered(table)} ADD {constraint}CHECK ({check.expression}) adds it"
    if refused:
        mend = f"PostgreSQL takes no such condition ({refused}): add one that says the same in its words"
    return Difference("check", table.name, "", f"{named} is not there; {mend}")


def _some(checks: Sequence[Check]) -> str:
    shown = [" ".join(filter(None, (check.name, f"({check.expression})"))) for check in checks[:5]]
    return ", ".join(shown) + (f" and {len(checks) - 5} more" if len(checks) > 5 else "")


def _plain(type_: SqlType) -> SqlType:
    """I(type_) without what only its spelling says."""
    element = _plain(type_.element) if type_.element is not None else None
    return replace(type_, name=_COLLATION.sub("", type_.name), element=element, display="")


def _spelled(type_: SqlType) -> str:
    return f"{type_} of {', '.join(type_.labels)}" if type_.labels else str(type_)
