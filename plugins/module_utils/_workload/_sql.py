# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One statement in the spelling of each driver, composed from names that are quoted and values that are parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple, Union

from .._sqlite._names import Sql, joined, quoted

#: How each driver writes the parameter with this number. asyncpg is sent text for every type, as psycopg2 sends it.
MARKS = {"sqlite": "?", "psycopg2": "%s", "asyncpg": "${}::text"}


@dataclass(frozen=True)
class Statement:
    """I(template) with C({names}) for identifiers (or Sql) and C({p1}), C({p2}) ... for its parameters, in order.

    The rule for quoting names is the same on both sides.
    """

    template: str
    names: Mapping[str, Union[str, Sql]] = field(default_factory=dict)
    parameters: int = 0

    def spelled(self, driver: str) -> Sql:
        """The SQL text for V(sqlite), V(psycopg2) or V(asyncpg)."""
        double = driver == "psycopg2" and self.parameters
        names: Dict[str, Any] = {}
        for name, part in self.names.items():
            text = part if isinstance(part, Sql) else quoted(part)
            names[name] = text.replace("%", "%%") if double else text
        marks = {f"p{n}": MARKS[driver].format(n) for n in range(1, self.parameters + 1)}
        return Sql(self.template.format(**names, **marks))


def words(*parts: str) -> str:
    """A template out of parts of templates, with a space between them. Names come in by their places only."""
    return " ".join(parts)


def literally(text: str) -> Statement:
    """A statement that somebody else wrote, without parameters."""
    return Statement("{text}", {"text": Sql(text)})


def column_list(names: Tuple[str, ...], of: str = "") -> Sql:
    """Quoted names joined with commas, each as I(of)'s where that is given."""
    return joined(", ", [Sql(f"{of}.{quoted(name)}") if of else quoted(name) for name in names])
