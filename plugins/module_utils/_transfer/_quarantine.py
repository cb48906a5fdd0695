# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the quarantine file: which rows of the source are expected not to be in the target.

docs/quarantine.md has the format, M(_rejects.Reject.as_dict) writes its lines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterable, List, Sequence, Set, Tuple

from .._errors import JournalError
from ._model import SourceTable
from ._values import SqliteValue, from_json

Key = Tuple[SqliteValue, ...]


@dataclass
class Quarantine:
    """The rows of a quarantine file, by table and key. I(listed) counts the lines of each table."""

    listed: Dict[str, int] = field(default_factory=dict)
    _keys: Dict[str, Set[Key]] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: Iterable[str], tables: Sequence[SourceTable]) -> Quarantine:
        """The rows that I(lines) list. Raises JournalError for a line that is none of such a file."""
        known = {table.name: table for table in tables}
        found = cls()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                document = json.loads(line)
                name = document["table"]
                names = known[name].key if name in known else tuple(document["key"])
                key = tuple(from_json(document["key"][column]) for column in names)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise JournalError(
                    f"Line {number} of the quarantine file is not what sqlite_import writes ({error!r}).",
                    advice="Give the file of the very import that is verified, unchanged.",
                ) from error
            found.listed[name] = found.listed.get(name, 0) + 1
            found._keys.setdefault(name, set()).add(key)
        return found

    def keys(self, table: str) -> FrozenSet[Key]:
        return frozenset(self._keys.get(table, ()))

    def problems(self, met: Dict[str, int]) -> List[str]:
        """Where the file and the source disagree; I(met) are the rows of each mapped table that the file names."""
        found: List[str] = []
        for table in sorted(self.listed):
            if table not in met:
                found.append(f"{table}: {self.listed[table]} rows are listed, but the table is not compared")
            elif met[table] != self.listed[table]:
                found.append(f"{table}: {self.listed[table]} rows are listed, and the source has {met[table]} of them")
        return found
