# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic rows in quantity, with the values that migrations trip over.

The rows are made as the tuples that the drivers take: text for datetimes, JSON and uuids, in the form in which
SQLAlchemy writes them to SQLite (and PostgreSQL reads them). What a row holds depends on the seed and its place only,
never on the size of a batch.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, column, func, insert, select, table

from packages.harvester.models import (
    ArticlePlatform,
    Base,
    ContentCategory,
    DependencyType,
    HostType,
    RiskLevel,
    SentimentScore,
    SocialPlatform,
    VideoPlatform,
)

#: A row in the order of the model's columns.
Row = tuple[Any, ...]
#: Rows by table.
Batch = dict[str, list[Row]]

#: Every table, parents before their children.
TABLES = tuple(t.name for t in Base.metadata.sorted_tables)

INT_MIN, INT_MAX = -(2**31), 2**31 - 1

TEXTS = (
    "",
    " ",
    "plain",
    'It\'s "quoted" and back\\slashed \\n \\u0041 \\\\',
    "first line\nsecond line\r\nthird\tline",
    "Zürich – naïve façade – œuvre – ñandú",
    "e\u0301 and é are not the same string",
    "日本語のテキスト 中文 한국어",
    "עברית and العربية side by side",
    "\U0001f680 \U0001f9d1\u200d\U0001f4bb \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e8\U0001f1ed",
    "\ufeffbyte order mark, no-break\u00a0space, line\u2028separator, trailing space ",
    "control \x01\x1f\x7f characters",
    "NULL",
    "null",
    "\\N",
    "100% {braces} $dollar :colon ?mark %s %(name)s",
    "-- comment'; DROP TABLE server; --",
    "0",
    "1e5",
    '  indented,\n\tcomma,separated,"value"\n',
)
_WORDS = (
    "agent archive browser cache calendar code context crawler database deploy diagram email file finance git graph "
    "harvest index jira kafka kubernetes ledger mail memory metrics notes payment pdf postgres prompt queue redis "
    "search secret shell slack sqlite stream test time tool trace vault vector video weather web wiki"
)
WORDS = tuple(_WORDS.split())
LISTS: tuple[list[str | None] | None, ...] = (
    None,
    [],
    ["mcp"],
    ["mcp", "ai", "ai"],
    ["Zürich", "日本", "\U0001f680"],
    ["", " ", "null", "NULL"],
    ['with "quotes"', "back\\slash", "com,ma", "{braces}", "line\nbreak"],
    ["python", "postgresql", "sqlite"],
    [None, "after a null"],
)
DOCUMENTS: tuple[Any, ...] = (
    {},
    [],
    ["search", "vector"],
    {"type": "object", "properties": {"query": {"type": "string", "description": "what to look for"}}},
    {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "integer"}, "b": {"type": ["string", "null"]}},
    },
    {"unicode": "Zürich \U0001f680 e\u0301", "escaped": 'quote " backslash \\ slash / tab \t newline \n'},
    {"numbers": [0, -1, 2**31, 2**53 + 1, 2**63, 10**30, 0.1, 1.0, 1e-7, 1.5e300, -2.5]},
    {"nothing": None, "yes": True, "no": False, "empty": "", "list": [], "object": {}},
    {"deep": {"deeper": [{"deepest": [[[[[]]]], {"end": None}]}]}},
    {"": "empty key", "b": 1, "a": 2, "B": 3},
    [None, True, False, 0, "", [], {}],
    {"like": 12, "share": 3, "view": 4567},
)
#: Documents that are no container. SQLite keeps the numbers as numbers, whose column type has numeric affinity.
SCALARS: tuple[Any, ...] = (None, True, False, "text", "", 42, -7, 1.5)
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1 + 0.2,
    1 / 3,
    2 / 3,
    1e-7,
    123456789.12345678,
    9007199254740993.0,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    3.141592653589793,
)
EDGE_MOMENTS = (
    None,
    "1970-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "0001-01-01 00:00:00.000000",
    "9999-12-31 23:59:59.999999",
    "2024-02-29 12:00:00",
    "2038-01-19 03:14:08.000001",
    "2024-03-31 02:30:00.000000",
)
VERSIONS = ("1.0.0", "0.1.0-rc.1", "2.13.4", "v3", "2024.11.05", "1.2.3+build.7")
LICENSES = (None, "MIT", "Apache-2.0", "GPL-3.0-or-later", "BSD-3-Clause", "")
VECTOR_LENGTH = 384


def seed(engine: Engine, *, servers: int, seed: int = 42, batch: int = 500, append: bool = False) -> dict[str, int]:
    """Write the rows that belong to I(servers) servers, in one transaction; return the number of rows by table.

    I(batch) is how many servers' rows are held in memory at a time. Raises ValueError when the database holds rows
    already and I(append) is false.
    """
    with engine.connect() as connection:
        lite = connection.dialect.name == "sqlite"
        if lite:
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA cache_size = -65536")
        last = {name: _last_id(connection, name) for name in TABLES}
        if any(last.values()) and not append:
            filled = ", ".join(name for name in TABLES if last[name])
            raise ValueError(f"the database already holds rows ({filled}): use an empty one, or --append")
        lists = [_dumps(item) if lite and item is not None else item for item in LISTS]
        maker = _Maker(seed, last, lists)
        write = _write_sqlite if lite else _write
        for rows in maker.batches(servers, batch):
            for name in TABLES:
                if rows[name]:
                    write(connection, name, rows[name])
        if not lite:
            for name in TABLES:
                if maker.last[name]:
                    connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), maker.last[name])))
        connection.commit()
    return {name: maker.last[name] - last[name] for name in TABLES}


def _last_id(connection: Connection, name: str) -> int:
    return int(connection.scalar(select(func.max(Base.metadata.tables[name].c.id))) or 0)


def _write(connection: Connection, name: str, rows: list[Row]) -> None:
    names = Base.metadata.tables[name].columns.keys()
    statement = insert(table(name, *(column(item) for item in names)))
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def _write_sqlite(connection: Connection, name: str, rows: list[Row]) -> None:
    """As _write, several times faster: sqlite3 takes the tuples as they are."""
    names = Base.metadata.tables[name].columns.keys()
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"INSERT INTO {name} ({', '.join(names)}) VALUES ({marks})", rows)


def _dumps(value: Any) -> str:
    return json.dumps(value)


class _Maker:
    """Makes rows. I(last) is the highest id of each table, and goes up with the rows."""

    def __init__(self, seed: int, last: dict[str, int], lists: list[Any]) -> None:
        self.last = dict(last)
        self._lists = lists
        self._random = random.Random(f"{seed}/{last['server']}")
        self._number = self._random.random
        documents = [_dumps(item) for item in DOCUMENTS]
        # Other tools do not escape what is not ASCII, and write no spaces.
        documents += [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in DOCUMENTS]
        self._documents = documents
        self._optional = [*documents, *map(_dumps, SCALARS), None, None, "null"]
        self._moments = [self._moment() for _ in range(2048)]
        self._sentences = [self._sentence() for _ in range(1024)]
        self._numerals = [repr(self._number() * 2 - 1) for _ in range(4096)]

    def batches(self, servers: int, batch: int) -> Iterator[Batch]:
        """The rows of I(servers) servers, I(batch) servers at a time."""
        done = 0
        while done < servers:
            rows: Batch = {name: [] for name in TABLES}
            until = min(done + batch, servers)
            for place in range(done, until):
                self._server(rows, place)
            done = until
            yield rows

    def _pick(self, pool: Any) -> Any:
        return pool[int(self._number() * len(pool))]

    def _moment(self) -> str:
        """A moment of the years 2020 to 2026; one in four without a fraction, as other tools write it."""
        whole = datetime(2020, 1, 1) + timedelta(seconds=int(self._number() * 2.1e8))
        kind = self._number()
        if kind < 0.25:
            return whole.isoformat(" ")
        micros = 0 if kind < 0.35 else int(self._number() * 1_000_000)
        return whole.replace(microsecond=micros).isoformat(" ", "microseconds")

    def _sentence(self) -> str:
        words = [self._pick(WORDS) for _ in range(4 + int(self._number() * 24))]
        if self._number() < 0.4:
            words.append(self._pick(TEXTS))
        return " ".join(words)

    def _integer(self, limit: int) -> int:
        """An integer from 0 up to I(limit), now and then one at the edge of four bytes."""
        number = self._number()
        if number < 0.01:
            return INT_MAX if number < 0.005 else INT_MIN
        return int(number * limit)

    def _float(self) -> float | None:
        number = self._number()
        if number < 0.2:
            return float(self._pick(FLOATS))
        return None if number < 0.25 else number * 1000

    def _uuid(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def _next(self, name: str) -> int:
        self.last[name] += 1
        return self.last[name]

    def _vector(self) -> str:
        start = int(self._number() * (len(self._numerals) - VECTOR_LENGTH))
        return "[" + ", ".join(self._numerals[start : start + VECTOR_LENGTH]) + "]"

    def _server(self, rows: Batch, place: int) -> None:
        """One server and everything that comes with it."""
        pick, number, integer = self._pick, self._number, self._integer
        documents, optional, sentences, moments = self._documents, self._optional, self._sentences, self._moments
        server_id = self._next("server")
        host = pick(HOSTS)
        name = f"{pick(WORDS)}-{pick(WORDS)}-{server_id}"
        url = f"https://{host.lower()}.example/{name}"
        rows["server"].append(
            (
                server_id,
                self._uuid(),
                name,
                url,
                host,
                None if number() < 0.1 else pick(sentences),
                pick(TEXTS),
                None if number() < 0.5 else url + "#readme",
                pick(LICENSES),
                None if number() < 0.3 else "# " + name + "\n\n" + pick(sentences) + "\n" + pick(sentences),
                pick(documents),
                pick(documents),
                pick(self._lists),
                pick(optional),
                pick(optional),
                int(number() ** 4 * 50_000),
                int(number() ** 4 * 2_000_000),
                integer(5_000),
                integer(500),
                number() < 0.3,
                number() < 0.05,
                number() < 0.2,
                int(number() * 101),
                None if number() < 0.1 else number(),
                pick(EDGE_MOMENTS) if number() < 0.1 else pick(moments),
                pick(moments),
                pick(moments),
                pick(moments),
                pick(RISKS),
            )
        )
        for item in range(4):
            tool_id = self._next("tool")
            rows["tool"].append(
                (
                    tool_id,
                    server_id,
                    f"{pick(WORDS)}_{item}",
                    pick(sentences),
                    pick(documents),
                    pick(optional),
                    pick(optional),
                    integer(100_000),
                    number() < 0.5,
                    number() < 0.1,
                    pick(moments),
                    pick(moments),
                )
            )
            if tool_id % 8 == 0:
                short = tool_id % 512 == 0  # an older, shorter model
                vector = "[0.25, -0.5, 1e-05]" if short else self._vector()
                rows["toolembedding"].append(
                    (
                        self._next("toolembedding"),
                        tool_id,
                        vector,
                        "tiny-3" if short else "mini-384",
                        3 if short else VECTOR_LENGTH,
                        pick(moments),
                    )
                )
        rows["prompt"].append(
            (
                self._next("prompt"),
                server_id,
                pick(WORDS),
                pick(sentences),
                pick(documents),
                number() < 0.9,
                pick(moments),
                pick(moments),
            )
        )
        rows["resourcetemplate"].append(
            (
                self._next("resourcetemplate"),
                server_id,
                f"file:///{pick(WORDS)}/{{path}}",
                pick(TEXTS),
                pick(MIME_TYPES),
                pick(sentences),
                pick(optional),
                number() < 0.5,
                pick(moments),
                pick(moments),
            )
        )
        for _ in range(3):
            rows["dependency"].append(
                (
                    self._next("dependency"),
                    server_id,
                    pick(WORDS),
                    pick(VERSIONS),
                    pick(ECOSYSTEMS),
                    pick(DEPENDENCIES),
                    number() < 0.2,
                    pick(documents),
                    pick(moments),
                    pick(moments),
                )
            )
        for _ in range(2):
            rows["release"].append(
                (
                    self._next("release"),
                    server_id,
                    pick(VERSIONS),
                    pick(sentences),
                    pick(moments),
                    number() < 0.1,
                    integer(1_000_000),
                    pick(optional),
                    pick(moments),
                    pick(moments),
                )
            )
            rows["contributor"].append(
                (
                    self._next("contributor"),
                    server_id,
                    pick(WORDS) + pick(NAMES),
                    host,
                    integer(3_000),
                    self._float(),
                    number() < 0.05,
                    pick(optional),
                    pick(moments),
                    pick(moments),
                )
            )
            ok = number() < 0.9
            rows["processinglog"].append(
                (
                    self._next("processinglog"),
                    url,
                    "completed" if ok else "failed",
                    int(number() * 4),
                    self._float(),
                    None if ok else pick(sentences),
                    pick(documents),
                    pick(optional),
                    ok,
                    pick(moments),
                    pick(EDGE_MOMENTS) if number() < 0.1 else pick(moments),
                    pick(moments),
                )
            )
        for _ in range(3):
            self._post(rows)
        if place % 2 == 0:
            self._content(rows)
        if place % 10 == 0:
            self._occasion(rows)

    def _post(self, rows: Batch) -> None:
        pick, number, integer, moments = self._pick, self._number, self._integer, self._moments
        key = self._next("social_posts")
        platform = pick(SOCIALS)
        rows["social_posts"].append(
            (
                key,
                self._uuid(),
                platform,
                f"t3_{key:x}",
                pick(TEXTS) if number() < 0.5 else None,
                pick(self._sentences),
                pick(WORDS),
                f"https://{platform.lower()}.example/{key}",
                pick(CATEGORIES),
                pick(SENTIMENTS),
                pick(self._lists),
                pick(self._documents),
                pick(self._optional),
                pick(self._documents),
                integer(10_000),
                integer(500),
                int(number() * 20_000) - 1_000,
                None if number() < 0.1 else number(),
                number() < 0.3,
                number() < 0.1,
                pick(moments),
                pick(moments),
                pick(moments),
            )
        )

    def _content(self, rows: Batch) -> None:
        pick, number, integer, moments = self._pick, self._number, self._integer, self._moments
        key = self._next("videos")
        rows["videos"].append(
            (
                key,
                self._uuid(),
                pick(VIDEOS),
                f"v{key:x}",
                f"{pick(WORDS)} {pick(TEXTS)}",
                pick(WORDS),
                pick(self._sentences),
                pick(CATEGORIES),
                pick(self._documents),
                pick(self._optional),
                integer(1_000_000),
                integer(7_200),
                number() < 0.5,
                pick(moments),
                pick(moments),
                pick(moments),
            )
        )
        key = self._next("articles")
        rows["articles"].append(
            (
                key,
                self._uuid(),
                pick(ARTICLES),
                f"{pick(WORDS)} {pick(TEXTS)}",
                pick(WORDS),
                f"https://articles.example/{key}",
                pick(self._sentences),
                pick(self._sentences) + "\n\n" + pick(self._sentences),
                pick(CATEGORIES),
                pick(self._documents),
                pick(self._optional),
                int(number() * 30),
                number() < 0.2,
                pick(moments),
                pick(moments),
                pick(moments),
            )
        )
        key = self._next("discussions")
        rows["discussions"].append(
            (
                key,
                self._uuid(),
                pick(SOCIALS),
                f"{pick(WORDS)} {pick(TEXTS)}",
                f"https://discussions.example/{key}",
                pick(self._sentences),
                pick(CATEGORIES),
                pick(self._documents),
                pick(self._optional),
                integer(300),
                number() < 0.5,
                pick(moments),
                pick(moments),
                pick(moments),
            )
        )

    def _occasion(self, rows: Batch) -> None:
        pick, number, moments = self._pick, self._number, self._moments
        key = self._next("events")
        rows["events"].append(
            (
                key,
                self._uuid(),
                f"{pick(WORDS)} days",
                None if number() < 0.3 else f"https://events.example/{key}",
                pick(TEXTS),
                pick(self._sentences),
                pick(self._documents),
                number() < 0.5,
                pick(moments),
                pick(EDGE_MOMENTS),
                pick(moments),
                pick(moments),
            )
        )
        key = self._next("companies")
        rows["companies"].append(
            (
                key,
                self._uuid(),
                f"{pick(WORDS)} {pick(TEXTS)}",
                f"https://company-{key}.example",
                pick(self._sentences),
                None if number() < 0.3 else self._integer(10_000),
                pick(self._documents),
                pick(moments),
                pick(moments),
            )
        )


def _names(kind: type[Any]) -> tuple[str, ...]:
    """The names of an enumeration's members, which are what the database holds."""
    return tuple(member.name for member in kind)


HOSTS = _names(HostType)
RISKS = (*_names(RiskLevel), None)
DEPENDENCIES = _names(DependencyType)
SOCIALS = _names(SocialPlatform)
VIDEOS = _names(VideoPlatform)
ARTICLES = _names(ArticlePlatform)
CATEGORIES = (*_names(ContentCategory), None)
SENTIMENTS = (*_names(SentimentScore), None)
ECOSYSTEMS = ("npm", "pypi", "cargo", "go")
MIME_TYPES = (None, "text/plain", "application/json", "image/png")
NAMES = ("", "-dev", "[bot]", "_é", "\U0001f680")
