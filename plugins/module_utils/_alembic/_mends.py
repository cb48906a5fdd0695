# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL refuses a statement that SQLite took, and what to write instead. Pure.

A mend is a proposal: the rehearsal runs it, and compares the schema that comes out with the application's model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Sequence, Tuple

from ._failure import BY_SQLSTATE, REVISION_ADVICE

#: SQLite takes any word for a type. What the words that are not PostgreSQL's mean.
TYPES: Dict[str, str] = {
    "datetime": "TIMESTAMP",
    "blob": "BYTEA",
    "longblob": "BYTEA",
    "clob": "TEXT",
    "tinytext": "TEXT",
    "mediumtext": "TEXT",
    "longtext": "TEXT",
    "string": "TEXT",
    "tinyint": "SMALLINT",
    "mediumint": "INTEGER",
    "number": "NUMERIC",
    "double": "DOUBLE PRECISION",
    "nvarchar": "VARCHAR",
    "nchar": "CHAR",
}
#: SQLite's functions that have one of PostgreSQL's in their place.
FUNCTIONS: Tuple[Tuple[str, str], ...] = (
    (r"\bifnull\s*\(", "coalesce("),
    (r"\b(?:datetime|strftime\s*\(\s*'%Y-%m-%d %H:%M:%S'\s*,)\s*\(?\s*'now'\s*\)", "now()"),
    (r"\bdate\s*\(\s*'now'\s*\)", "current_date"),
    (r"\bgroup_concat\s*\(\s*([^(),]+?)\s*\)", r"string_agg(\1::text, ',')"),
    (r"\brandom\s*\(\s*\)\s*%", "(random() * 2147483647)::int %"),
)
#: Words that only SQLite's grammar has.
GRAMMAR: Tuple[Tuple[str, str], ...] = (
    (r"\s+AUTOINCREMENT\b", ""),
    (r"\s+WITHOUT\s+ROWID\b", ""),
    (r"\s+STRICT(?=\s*;?\s*\Z)", ""),
    (r"`([^`]*)`", r'"\1"'),
)
#: How the name begins under which Alembic's batch mode makes a table anew.
BATCH_TABLE = "_alembic_tmp_"
#: A table's name as statements have it.
_NAME = r'(?:"[^"]+"|[\w.])+'


@dataclass(frozen=True)
class Refused:
    """A statement that PostgreSQL refused, and what it said.

    I(anew): it is one of those that make a table anew (SQLite's way to alter one), see M(made_anew).
    """

    statement: str
    sqlstate: str
    message: str
    anew: bool = False


@dataclass(frozen=True)
class Mend:
    """Why it was refused and what to do. I(statement) is what to run instead: empty to leave it out, None if unknown."""

    cause: str
    advice: str
    statement: Optional[str] = None


Rule = Callable[[Refused], Optional[Mend]]


def explain(refused: Refused) -> Mend:
    """The first of the rules that knows I(refused), or PostgreSQL's code in general."""
    for rule in RULES:
        found = rule(refused)
        if found is not None:
            return found
    return Mend(refused.message, BY_SQLSTATE.get(refused.sqlstate, REVISION_ADVICE))


def _pragma(refused: Refused) -> Optional[Mend]:
    if not re.match(r"\s*PRAGMA\b", refused.statement, re.I):
        return None
    return Mend("a pragma is SQLite's own", "Leave it out on PostgreSQL.", "")


def made_anew(statement: str, later: Sequence[str]) -> bool:
    """Whether I(statement) takes down a table, or a part of it, whose name one of the statements I(later) gives to another."""
    dropped = re.match(rf"\s*(?:DROP|ALTER)\s+TABLE\s+(?:IF\s+EXISTS\s+)?({_NAME})", statement, re.I)
    if not dropped:
        return False
    renamed = (re.match(rf"\s*ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s+({_NAME})", text, re.I) for text in later)
    return any(found and _bare(found.group(1)) == _bare(dropped.group(1)) for found in renamed)


def _bare(name: str) -> str:
    """The last part of a name that may have a schema in front and quotes around it."""
    return name.split(".")[-1].strip('"').lower()


def _batch(refused: Refused) -> Optional[Mend]:
    # CASCADE would take the children's foreign keys along, and nobody would make them again.
    reasons = {
        "2BP01": "other tables refer to the one that is dropped",
        "42P07": "names of its constraints or its own are taken",
    }
    if refused.sqlstate not in reasons or not (refused.anew or BATCH_TABLE in refused.statement):
        return None
    return Mend(
        f"the table is made anew under another name (batch mode), but {reasons[refused.sqlstate]}",
        "Let it be altered in place: op.batch_alter_table without recreate='always', or op.alter_column and its like.",
    )


def _drop_order(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "2BP01":
        return None
    if not re.match(r"\s*DROP\s+TABLE\b", refused.statement, re.I):
        return Mend(
            "other objects depend on it, which SQLite does not check",
            "Drop what depends on it first, children before parents.",
        )
    return Mend(
        "other tables refer to the table that is dropped, which SQLite does not check",
        "Drop the children first, or let CASCADE take their foreign keys along.",
        _without_end(refused.statement) + " CASCADE;",
    )


def _type(refused: Refused) -> Optional[Mend]:
    found = re.search(r'type "([^"]+)" does not exist', refused.message)
    if refused.sqlstate != "42704" or not found:
        return None
    name = found.group(1).split(".")[-1].lower()
    if name not in TYPES:
        return Mend(
            f"PostgreSQL does not know the type {name}",
            "Let a revision before this one create it; a type of an extension needs CREATE EXTENSION first.",
        )
    return Mend(
        f"{name} is a type's name in SQLite only",
        f"Use {TYPES[name]}, or SQLAlchemy's own types, which are spelled for either database.",
        _outside_quotes(rf"\b{name}\b", TYPES[name], refused.statement),
    )


def _collation(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42704" or 'collation "' not in refused.message:
        return None
    return Mend(
        "the collation is SQLite's own",
        "Leave it out, and compare lower() of both sides or use citext where case must not matter.",
        _outside_quotes(r"\s+COLLATE\s+\"?(?:NOCASE|BINARY|RTRIM)\"?", "", refused.statement),
    )


def _missing_name(refused: Refused) -> Optional[Mend]:
    found = re.search(r"\b(DROP\s+(?:CONSTRAINT|INDEX))\s+(?!IF\b)", refused.statement, re.I)
    if refused.sqlstate != "42704" or not found:
        return None
    return Mend(
        "what is dropped has another name on PostgreSQL, or is not there",
        "Name constraints and indexes by a naming convention; drop it only if it is there.",
        refused.statement[: found.start()] + found.group(1) + " IF EXISTS " + refused.statement[found.end() :],
    )


def _boolean_default(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42804" or "boolean" not in refused.message:
        return None
    cause = "0 and 1 are no booleans on PostgreSQL"
    advice = "Write false and true (SQLAlchemy: sa.false(), sa.true())."
    text = _boolean_defaults(refused.statement)
    column = re.search(r'column "([^"]+)" is of type boolean', refused.message)
    if text == refused.statement and column:
        text = re.sub(
            rf'("?\b{re.escape(column.group(1))}\b"?\s*=\s*)([01])\b',
            lambda match: match.group(1) + _boolean(match.group(2)),
            text,
        )
    return Mend(cause, advice, None if text == refused.statement else text)


def _boolean_defaults(statement: str) -> str:
    pattern = r"(\bBOOLEAN\b(?:\s+NOT\s+NULL)?\s+DEFAULT\s+|\bSET\s+DEFAULT\s+)\(?([01])\b\)?"
    return re.sub(pattern, lambda match: match.group(1) + _boolean(match.group(2)), statement, flags=re.I)


def _boolean(digit: str) -> str:
    return "true" if digit == "1" else "false"


def _cast(refused: Refused) -> Optional[Mend]:
    found = re.match(
        r"\s*ALTER\s+TABLE\s+.*?ALTER\s+(?:COLUMN\s+)?(?P<column>\"[^\"]+\"|\S+)\s+(?:SET\s+DATA\s+)?TYPE\s+(?P<type>[^;]+?)\s*;?\s*\Z",
        refused.statement,
        re.I | re.S,
    )
    if refused.sqlstate != "42804" or "cannot be cast automatically" not in refused.message or not found:
        return None
    column, type_ = found.group("column"), found.group("type")
    return Mend(
        "PostgreSQL changes a type only where it is told how the values become the new ones",
        "Give postgresql_using.",
        _without_end(refused.statement) + f" USING {column}::{type_};",
    )


def _exists(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42710" or not re.match(r"\s*CREATE\s+TYPE\b", refused.statement, re.I):
        return None
    return Mend(
        "the type is there already: two revisions make it, or an earlier downgrade left it behind",
        "Let one revision create it (create_type=False in the others), and let its downgrade drop it.",
        "",
    )


def _double_quotes(refused: Refused) -> Optional[Mend]:
    found = re.search(r'column "([^"]+)" does not exist', refused.message)
    if refused.sqlstate != "42703" or not found or f'"{found.group(1)}"' not in refused.statement:
        return None
    name = found.group(1)
    return Mend(
        f'"{name}" is a text for SQLite and a column for PostgreSQL',
        "Put texts between single quotes.",
        refused.statement.replace(f'"{name}"', "'" + name.replace("'", "''") + "'"),
    )


def _function(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42883" or "function" not in refused.message:
        return None
    text = refused.statement
    for pattern, instead in FUNCTIONS:
        text = re.sub(pattern, instead, text, flags=re.I)
    return Mend("the function is SQLite's own", "Use PostgreSQL's.", None if text == refused.statement else text)


def _comparison(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42883" or "operator does not exist" not in refused.message:
        return None
    return Mend(
        "PostgreSQL does not compare values of these types with each other: " + refused.message,
        "Cast one side, and compare booleans with true and false.",
    )


def _catalog(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42P01" or not re.search(r"\bsqlite_\w+", refused.message):
        return None
    writes = re.match(r"\s*(UPDATE|DELETE|INSERT)\b", refused.statement, re.I)
    return Mend("it reads SQLite's own catalog", "Leave it out on PostgreSQL.", "" if writes else None)


def _ignore(refused: Refused) -> Optional[Mend]:
    found = re.match(r"(\s*INSERT)\s+OR\s+IGNORE(\s.*?)\s*;?\s*\Z", refused.statement, re.I | re.S)
    if refused.sqlstate != "42601" or not found:
        return None
    return Mend(
        "INSERT OR IGNORE is SQLite's own",
        "Write INSERT ... ON CONFLICT DO NOTHING.",
        f"{found.group(1)}{found.group(2)} ON CONFLICT DO NOTHING;",
    )


def _grammar(refused: Refused) -> Optional[Mend]:
    if refused.sqlstate != "42601":
        return None
    text = refused.statement
    for pattern, instead in GRAMMAR:
        text = _outside_quotes(pattern, instead, text)
    return Mend(
        "PostgreSQL does not understand the statement: " + refused.message,
        "Write it in standard SQL, or by Alembic's own operations.",
        None if text == refused.statement else text,
    )


RULES: Tuple[Rule, ...] = (
    *(_pragma, _batch, _drop_order, _type, _collation, _missing_name, _boolean_default, _cast, _exists, _double_quotes),
    *(_function, _comparison, _catalog, _ignore, _grammar),
)


def _without_end(statement: str) -> str:
    return statement.rstrip("; \t\r\n")


def _outside_quotes(pattern: str, instead: str, statement: str) -> str:
    """I(statement) with I(pattern) replaced, but for what stands between single quotes."""
    parts = re.split(r"('(?:[^']|'')*')", statement)
    return "".join(
        part if number % 2 else re.sub(pattern, instead, part, flags=re.I) for number, part in enumerate(parts)
    )
