# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs: contenders take turns, each with a fresh database, and what they did is counted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import lineup, sources
from .contenders import product
from .contenders.task import Answer, ContenderError, Task
from .figures import Line, Point
from .lineup import Contender
from .targets import Contents, Database, Server, Template, contents, encode

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much: I(servers) of the application, I(numbers) in each table of embeddings; seconds for one run at most."""

    servers: int
    numbers: int
    timeout: float = 3600


@dataclass(frozen=True)
class Rounds:
    """How often: I(slow) is for contenders that are so slow that a few rounds tell enough."""

    all: int = 1
    slow: int = 1

    def members(self, contenders: Sequence[Contender], number: int) -> list[Contender]:
        """Who takes part in round I(number), counted from 0."""
        return [one for one in contenders if number < (self.slow if one.slow else self.all)]


class Ground:
    """What a group's contenders work on: the file, the template, the texts that were encoded beforehand."""

    def __init__(self, source: Path, template: Template, files: Path, forms: Sequence[str], timeout: float) -> None:
        self.source = source
        self.template = template
        self.files = files
        self.timeout = timeout
        self.database = template.fresh()
        self.expected = Contents(
            sources.counts(source, template.tables), contents(self.database, template.tables).definitions
        )
        files.mkdir()
        product.load(self._task(template.tables, workers=2))
        if self.differing(template.tables):
            raise ContenderError(
                "mcps.postgres has loaded other values than the source's: nothing can be encoded from them"
            )
        for form in forms:
            encode(self.database, template.tables, files, form)

    def run(self, contender: Contender) -> Answer:
        """One run. Raises ContenderError."""
        tables = contender.tables or self.template.tables
        if contender.loads:
            self.database = self.template.fresh()
        return contender.way(self._task(tables, contender.workers, contender.form, contender.arguments))

    def check(self, contender: Contender, line: Line, values: bool) -> None:
        """Put down what is there after a run that loads; I(values): each value is compared as well."""
        tables = contender.tables or self.template.tables
        rows = {name: self.expected.rows[name] for name in tables}
        found = contents(self.database, tables)
        line.expected, line.rows = sum(rows.values()), sum(found.rows.values())
        line.lost = found.lacks(Contents(rows, self.expected.definitions))
        if values:
            line.differing = self.differing(tables)

    def differing(self, tables: Sequence[str]) -> int:
        """Values that are not the source's."""
        return product.differing(self._task(tables, workers=2))

    def close(self) -> None:
        self.template.close()
        shutil.rmtree(self.files)

    def _task(self, tables: Sequence[str], workers: int, form: str = "text", arguments: Sequence[str] = ()) -> Task:
        database: Database = self.database
        return Task(
            source=str(self.source),
            login=database.dsn,
            tables=list(tables),
            workers=workers,
            files=str(self.files),
            form=form,
            timeout=self.timeout,
            arguments=list(arguments),
        )


class Bench:
    """One server, and a place for files: I(cache) keeps the sources, I(work) goes with the bench."""

    def __init__(self, server: Server, cache: Path, work: Path, say: Say) -> None:
        self.server = server
        self.cache = cache
        self.work = work
        self.say = say

    def ground(self, group: str, sizes: Sizes) -> Ground:
        """Made for one group, with a source that is there already or made now."""
        self.say(f"{group}: making its database and the texts for COPY")
        files = Path(tempfile.mkdtemp(dir=self.work)) / "files"
        if group == lineup.EMBEDDINGS:
            source, template = sources.embeddings(self.cache, sizes.numbers), Template.embeddings(self.server)
        elif group == lineup.SHARED:
            source = sources.without_bare_numbers(self.cache, sizes.servers)
            template = Template.registry(self.server, shared=True)
        else:
            source, template = sources.registry(self.cache, sizes.servers), Template.registry(self.server)
        forms = ("text", "binary") if group == lineup.EMBEDDINGS else ("text",)
        return Ground(source, template, files, forms, sizes.timeout)

    def rounds(self, lines: Mapping[Contender, Line], sizes: Sizes, repeat: Rounds, values: bool) -> None:
        """Every contender as often as I(repeat) says, put down in its line as it goes.

        I(values) of the first round are compared with the source.
        """
        for group in dict.fromkeys(contender.group for contender in lines):
            members = [contender for contender in lines if contender.group == group]
            ground = self.ground(group, sizes)
            try:
                for number in range(repeat.all):
                    self.say(f"{group}: round {number + 1} of {repeat.all}")
                    taking_part = {one: lines[one] for one in repeat.members(members, number)}
                    self._round(ground, taking_part, values and number == 0)
            finally:
                ground.close()

    def _round(self, ground: Ground, lines: Mapping[Contender, Line], values: bool) -> None:
        filled = False
        for contender, line in lines.items():
            line.note = contender.missing()
            if line.note:
                continue
            if contender.against and not contender.loads and not filled:
                line.seconds.append(None)
                line.inside.append(None)
                line.note = f"nothing to work on: {contender.against} failed"
                continue
            try:
                answer = ground.run(contender)
            except ContenderError as error:
                line.seconds.append(None)
                line.inside.append(None)
                line.note = f"failed: {error}"
                filled = filled and not contender.loads
                self.say(f"  {contender.name}: {line.note}")
                continue
            line.seconds.append(answer.seconds)
            line.resident.append(answer.resident)
            line.share.append(answer.share)
            line.processor.append(answer.processor)
            line.note = answer.note
            line.inside.append(answer.inside)
            self.say(f"  {contender.name}: {answer.seconds:.2f} s")
            if contender.loads:
                filled = True
                ground.check(contender, line, values)

    def by_size(
        self, contenders: Sequence[Contender], all_servers: Sequence[int], slow_servers: int, sizes: Sizes
    ) -> list[Point]:
        """One run of every size; beyond I(slow_servers) only of contenders that scale."""
        members = [one for one in contenders if one.group == lineup.WHOLE]
        known = {one.name for one in members}
        members += [one for one in contenders if one.group == lineup.SHARED and one.name not in known]
        points = []
        for servers in sorted(set(all_servers)):
            taking_part = [one for one in members if one.scales or (one.loads and servers <= slow_servers)]
            size = Sizes(servers, sizes.numbers, sizes.timeout)
            lines = {one: one.line() for one in taking_part}
            self.rounds(lines, size, Rounds(), values=False)
            points += _points(servers, list(lines.values()))
        return points


def _points(servers: int, lines: Sequence[Line]) -> list[Point]:
    """Of those that did everything. A verification has as many rows as the loads of its group."""
    rows = {line.group: line.expected for line in lines if line.expected}
    return [
        Point(line.name, servers, rows[line.group], line.median, max(line.resident), max(line.share))
        for line in lines
        if line.median is not None and line.complete and line.group in rows
    ]
