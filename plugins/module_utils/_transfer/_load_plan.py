# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load will do: whether anything is left to load, where it goes on, what it undoes first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Mapping as MappingType
from typing import Optional, Sequence, Tuple

from .._errors import TargetError
from ._load_target import LoadTarget, Run
from ._model import Mapping, Skipped, TableMap
from ._ports import RowSource


@dataclass(frozen=True)
class LoadSettings:
    """The operator's choices. I(budget) is None unless rows that do not fit may be set aside.

    I(workers) load large tables together; I(max_rate) is in bytes of COPY text per second, for all of them.
    """

    source: str
    budget: Optional[int] = None
    replace: bool = False
    analyze: bool = True
    workers: int = 1
    max_rate: Optional[int] = None


@dataclass(frozen=True)
class PlannedTable:
    """A table with the rows that it has to give, and those that the target's holds now."""

    map: TableMap
    rows: int
    before: int


@dataclass(frozen=True)
class LoadPlan:
    """What a load will do: M(plan_load) only reads, check mode shows this, M(run_load) does it.

    I(state) is V(existing), V(load) or V(resume); I(undo) is an unfinished run of something else that goes first.
    """

    state: str
    tables: Tuple[PlannedTable, ...]
    skipped: Tuple[Skipped, ...]
    fingerprint: str
    digest: str
    run: Optional[Run] = None
    undo: Optional[Run] = None


def plan_load(source: RowSource, target: LoadTarget, mapping: Mapping, settings: LoadSettings) -> LoadPlan:
    """Look at both sides. Raises TargetError where tables hold rows that nobody allowed to be replaced."""
    names = [table.target.name for table in mapping.tables]
    fingerprint = source.fingerprint()
    digest = mapping_digest(mapping, settings)
    before = target.counts(names)
    unfinished = target.unfinished_run()
    resume = undo = None
    if unfinished is not None:
        # The order of tables may differ: it follows the foreign keys, which an unfinished run has taken away.
        same = (unfinished.fingerprint, unfinished.plan) == (fingerprint, digest)
        if same and not settings.replace and not _emptied(unfinished, before):
            resume = unfinished
        else:
            undo = unfinished
            before = {name: 0 if name in unfinished.tables else count for name, count in before.items()}
    finished = target.finished_run(names) if unfinished is None and not settings.replace else None
    existing = (
        finished is not None
        and (finished.fingerprint, finished.plan) == (fingerprint, digest)
        and all(before[result.target] == result.rows for result in finished.done.values() if result.target in before)
    )
    planned = tuple(
        PlannedTable(table, source.count(table.source), before[table.target.name]) for table in mapping.tables
    )
    if not existing and resume is None and not settings.replace:
        _require_empty(planned, finished)
    return LoadPlan(
        state="existing" if existing else "resume" if resume is not None else "load",
        tables=planned,
        skipped=mapping.skipped,
        fingerprint=fingerprint,
        digest=digest,
        run=finished if existing else resume,
        undo=undo,
    )


def mapping_digest(mapping: Mapping, settings: LoadSettings) -> str:
    """Equal for runs that turn the same source into the same rows, whatever keys and indexes the target has now."""
    described = [
        [
            table.source.name,
            table.target.name,
            [
                [c.source, c.target.name, str(c.target.type), [list(u.options) + [u.rule] for u in c.rules]]
                for c in table.columns
            ],
        ]
        for table in sorted(mapping.tables, key=lambda table: table.source.name)
    ]
    text = json.dumps([described, settings.budget is not None], sort_keys=True, default=repr)
    return sha256(text.encode()).hexdigest()


def _emptied(run: Run, counts: MappingType[str, int]) -> bool:
    """Whether a finished table lost all its rows: a crash of the server empties unlogged tables."""
    return any(rows and not counts.get(name, 0) for name, rows in run.loaded().items())


def _require_empty(tables: Sequence[PlannedTable], finished: Optional[Run]) -> None:
    filled = {table.map.target.name: table.before for table in tables if table.before}
    if not filled:
        return
    listed = ", ".join(f"{name} ({count} rows)" for name, count in sorted(filled.items()))
    history = f" They were imported from {finished.source} at {finished.started}." if finished else ""
    raise TargetError(
        f"The target holds rows already: {listed}.{history}",
        advice="Set replace to true to put the source's rows in their place, or empty the tables.",
        details={"tables": [{"table": name, "rows": count} for name, count in sorted(filled.items())]},
    )
