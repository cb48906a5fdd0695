# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part, in which group, and against whom. A contender stands behind the one that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from . import application, sources
from .contenders import duckdb_ways, pgloader, product
from .contenders.task import Answer, Task, script
from .figures import Aim, Line

WHOLE = "The whole application"
SHARED = "What pgloader can load"
EMBEDDINGS = "Embeddings"


def always() -> str:
    """What can be run wherever the benchmarks can."""
    return ""


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    I(tables) are all of the group's unless named. I(missing) says why it cannot be run here. I(loads) is false for what
    works on the database that the contender before it has filled, or on none. I(scales): so fast that it takes part in
    the runs of all sizes; I(slow): may take part in fewer rounds.
    """

    name: str
    group: str
    way: Callable[[Task], Answer]
    workers: int = 1
    against: str = ""
    aim: Aim | None = None
    tables: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    form: str = "text"
    missing: Callable[[], str] = always
    loads: bool = True
    scales: bool = False
    slow: bool = False
    memory_aim: int | None = None

    def line(self) -> Line:
        """Without any run yet."""
        return Line(self.name, self.group, self.against, self.aim, memory_aim=self.memory_aim)


limit = partial(script, "limit")
values = partial(script, "value_by_value")
models = partial(script, "sqlalchemy_ways", python=application.PYTHON)
duckdb = partial(script, "duckdb_ways")

LIMIT_1, LIMIT_2 = "limit (1 connection)", "limit (2 connections)"
OURS_1, OURS_2 = "mcps.postgres (1 worker)", "mcps.postgres (2 workers)"
#: Bytes that the load may take, whatever it loads.
MEMORY = 40_000_000


def everything() -> list[Contender]:
    """All contenders in the order of their turns."""
    return [*_whole(), *_shared(), *_embeddings()]


def _whole() -> list[Contender]:
    one = Contender("", WHOLE, product.load)
    return [
        replace(one, name=LIMIT_1, way=limit, scales=True),
        replace(one, name=OURS_1, against=LIMIT_1, aim=Aim(1.08), scales=True, memory_aim=MEMORY),
        replace(
            one,
            name="verification (1 worker)",
            way=product.verify,
            against=OURS_1,
            aim=Aim(0.6),
            loads=False,
            scales=True,
        ),
        replace(one, name=LIMIT_2, way=limit, workers=2, scales=True),
        replace(one, name=OURS_2, workers=2, against=LIMIT_2, aim=Aim(1.12), scales=True, memory_aim=MEMORY),
        replace(
            one,
            name="verification (2 workers)",
            way=product.verify,
            workers=2,
            against=OURS_2,
            aim=Aim(0.6),
            loads=False,
            scales=True,
        ),
        replace(one, name="start of a module alone", way=product.start, loads=False),
        replace(one, name="value by value into COPY", way=values, slow=True, against=OURS_2, aim=Aim(3.5, most=False)),
        replace(
            one,
            name="value by value (indexes rebuilt)",
            way=values,
            slow=True,
            arguments=("rebuild",),
            against=OURS_2,
            aim=Aim(3.5, most=False),
        ),
        replace(one, name="SQLAlchemy Core", way=models, slow=True, against=OURS_2),
        replace(
            one,
            name="SQLAlchemy ORM",
            way=models,
            slow=True,
            arguments=("objects",),
            against=OURS_2,
            aim=Aim(8, most=False),
        ),
        replace(one, name="DuckDB", way=duckdb, slow=True, workers=2, against=OURS_2, missing=duckdb_ways.missing),
        replace(
            one,
            name="DuckDB (indexes rebuilt)",
            way=duckdb,
            slow=True,
            workers=2,
            arguments=("rebuild",),
            against=OURS_2,
            missing=duckdb_ways.missing,
        ),
    ]


def _shared() -> list[Contender]:
    two = Contender("", SHARED, product.load, workers=2)
    return [
        replace(two, name=LIMIT_2, way=limit),
        replace(two, name=OURS_2, against=LIMIT_2),
        replace(
            two,
            name="pgloader",
            way=pgloader.load,
            against=OURS_2,
            aim=Aim(2.5, most=False),
            missing=pgloader.missing,
        ),
        replace(
            two,
            name="DuckDB (indexes rebuilt)",
            way=duckdb,
            arguments=("rebuild",),
            against=OURS_2,
            missing=duckdb_ways.missing,
        ),
    ]


def _embeddings() -> list[Contender]:
    found = []
    for length in sources.DIMENSIONS:
        for workers in (1, 2):
            one = Contender("", EMBEDDINGS, product.load, workers)
            several = "s" * (workers > 1)
            base = f"binary COPY of {length} numbers ({workers} connection{several})"
            text = f"text COPY of {length} numbers ({workers} connection{several})"
            copy = replace(one, way=limit, tables=(f"json_{length}",))
            found += [replace(copy, name=base, form="binary"), replace(copy, name=text, against=base)]
            for kind, title in (("json", "JSON arrays"), ("blob", "float32 BLOBs")):
                name = f"{title} of {length} numbers ({workers} worker{several})"
                found.append(
                    replace(one, name=name, tables=(f"{kind}_{length}",), against=base, aim=Aim(2, judged_from=1))
                )
    return found


def chosen(contenders: Sequence[Contender], wanted: Sequence[str]) -> list[Contender]:
    """Those whose group or name has one of I(wanted) in it, and those that they are held against; all for none.

    Raises ValueError for a word that nothing has in it.
    """
    if not wanted:
        return list(contenders)
    for word in wanted:
        if not any(_has(one, word) for one in contenders):
            raise ValueError(f"no contender has {word!r} in its group or name")
    names = {(one.group, one.name) for one in contenders if any(_has(one, word) for word in wanted)}
    # From the last to the first: a base stands before what is held against it.
    for one in reversed(contenders):
        if one.against and (one.group, one.name) in names:
            names.add((one.group, one.against))
    return [one for one in contenders if (one.group, one.name) in names]


def _has(contender: Contender, word: str) -> bool:
    return word.lower() in f"{contender.group}: {contender.name}".lower()
