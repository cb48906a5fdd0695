# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification has found equal so far, so that a killed one goes on, and which rows a sample looks at."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ._fast import FIRST_ROWID, LAST_ROWID, Span
from ._model import TableMap
from ._verdict import TableVerdict

#: Raised whenever what C(TableVerdict) counts, or what equal means, changes: older proofs are void then.
FORMAT = 1
#: Rows that stand together in a sample. Fewer would cost a statement for little.
SAMPLE_ROWS = 1000
EVERYTHING = Span(FIRST_ROWID, LAST_ROWID)


@dataclass(frozen=True)
class Proof:
    """Rows of one table (source name), rowid from I(first) to I(last), that were found equal.

    I(target_rows) rows of the target were seen, in a snapshot in which every transaction before I(horizon) was over
    (PostgreSQL's 64-bit transaction id). So they are the same rows still if there are just as many, and none was
    written by I(horizon) or a later transaction.
    """

    table: str
    first: int
    last: int
    horizon: int
    order: str
    source_rows: int
    target_rows: int
    quarantined: int
    values: int
    source_extremes: Tuple[Tuple[str, int], ...] = ()
    target_extremes: Tuple[Tuple[str, int], ...] = ()

    @classmethod
    def of(cls, verdict: TableVerdict, span: Span, horizon: int) -> Optional[Proof]:
        """None if anything differs: such rows are compared again, so that the differences can be named again."""
        if not verdict.equal:
            return None
        return cls(
            table=verdict.table,
            first=span.first,
            last=span.last,
            horizon=horizon,
            order=verdict.order,
            source_rows=verdict.source_rows,
            target_rows=verdict.target_rows,
            quarantined=verdict.quarantined,
            values=verdict.values,
            source_extremes=tuple(sorted(verdict.source_extremes.items())),
            target_extremes=tuple(sorted(verdict.target_extremes.items())),
        )

    def give(self, verdict: TableVerdict) -> None:
        """Put into an empty I(verdict) what was found."""
        verdict.order = self.order
        verdict.source_rows, verdict.target_rows = self.source_rows, self.target_rows
        verdict.quarantined, verdict.values = self.quarantined, self.values
        verdict.source_extremes.update(self.source_extremes)
        verdict.target_extremes.update(self.target_extremes)

    def line(self) -> str:
        """As a line of a file."""
        return json.dumps(asdict(self), sort_keys=True)


def head(identity: str) -> str:
    """The first line of a file of proofs, which hold for I(identity) only."""
    return json.dumps({"format": FORMAT, "identity": identity})


def read_proofs(lines: Iterable[str], identity: str) -> Optional[List[Proof]]:
    """The proofs of a file; None if they hold for something else. A line that was not finished is left out."""
    found: List[Proof] = []
    known = False
    for number, line in enumerate(lines):
        if number and not line.strip():
            continue
        try:
            document = json.loads(line)
            if number == 0:
                if document != json.loads(head(identity)):
                    return None
                known = True
                continue
            for name in ("source_extremes", "target_extremes"):
                document[name] = tuple((column, extreme) for column, extreme in document[name])
            found.append(Proof(**document))
        except (ValueError, TypeError, KeyError):
            if number == 0:
                return None
    return found if known else None


def identity_of(
    tables: Sequence[TableMap],
    source: str,
    target: Mapping[str, Any],
    watched: Mapping[str, Sequence[str]],
    aside: Mapping[str, Sequence[Sequence[Any]]],
) -> str:
    """Equal for two verifications of which one may take over the proofs of the other.

    I(source) and I(target) tell what the two sides are; I(watched) are columns whose extremes are wanted and I(aside)
    the keys of rows that are set aside, by table.
    """
    described: Dict[str, Any] = {
        "source": source,
        "target": dict(target),
        "watched": {name: sorted(columns) for name, columns in watched.items()},
        "aside": {name: sorted(map(repr, keys)) for name, keys in aside.items()},
        "tables": [
            [t.source.name, t.target.schema, t.target.name, [repr(column) for column in t.columns]]
            for t in sorted(tables, key=lambda table: table.source.name)
        ],
    }
    return sha256(json.dumps(described, sort_keys=True, default=repr).encode()).hexdigest()


def sampled(ends: Span, rows: int, percent: float, seed: str) -> List[Span]:
    """Spans between I(ends) with about I(percent) of the I(rows) that are there, the same for the same I(seed)."""
    pieces = max(1, min(ends.last - ends.first + 1, -(-rows // SAMPLE_ROWS)))
    width = ends.last - ends.first + 1
    edges = [ends.first + width * number // pieces for number in range(pieces + 1)]
    wanted = max(1, min(pieces, round(pieces * percent / 100)))
    # Not for secrets: the same rows have to come up again.
    chosen = sorted(random.Random(seed).sample(range(pieces), wanted))  # noqa: S311
    return [Span(edges[number], edges[number + 1] - 1) for number in chosen]
