# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in every client process of a benchmark, where nothing of this collection can be imported.

M(_clients) sends this file's source on standard input, and then, line by line as JSON: a job, the word that it may
start, the next job ... The answers go to standard output: whether all connections are open, and what came of the job.
Passwords come this way only. Works with Python 3.8 and newer, sqlite3, psycopg2 and asyncpg.
"""

from __future__ import annotations

import array
import base64
import json
import math
import os
import random
import sqlite3
import sys
import threading
import time
import uuid
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

#: Durations are counted in buckets, each 2 per cent longer than the one before, in units of 0.1 microseconds.
UNIT = 1e-7
GROWTH = math.log(1.02)
#: After an error a client waits, as an application does before it tries again.
PAUSE_AFTER_ERROR = 0.001
#: SQLite's virtual machine asks this often whether a statement has run for too long.
STEPS_BETWEEN_LOOKS = 20000
CONNECT_SECONDS = 20
#: SQLite's names of what PRAGMA synchronous tells as a number.
SYNCHRONOUS = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}
SERVER_SETTINGS = ("synchronous_commit", "fsync", "default_transaction_read_only")


class Tally:
    """What one client did. I(histogram): operations by bucket of their duration."""

    def __init__(self) -> None:
        self.operations = 0
        self.elapsed = 0.0
        self.slowest = 0.0
        self.rows = 0
        self.histogram: Dict[int, int] = {}
        self.errors: Dict[str, int] = {}
        #: What the connection said of itself.
        self.settings: Dict[str, str] = {}

    def done(self, seconds: float) -> None:
        self.operations += 1
        self.slowest = max(self.slowest, seconds)
        place = int(math.log(max(seconds, UNIT) / UNIT) / GROWTH)
        self.histogram[place] = self.histogram.get(place, 0) + 1

    def failed(self, error: BaseException, seconds: float) -> None:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        self.errors[text] = self.errors.get(text, 0) + 1
        self.slowest = max(self.slowest, seconds)


class Rows:
    """Rows to write: those of the sample in turn, with new values where a unique index wants them."""

    def __init__(self, write: Dict[str, Any], seed: int) -> None:
        self._rows: List[List[Any]] = [decoded(row) for row in write["rows"]]
        self._fresh: List[List[Any]] = write["fresh"]
        self._place = seed % len(self._rows)
        self.random = random.Random(seed)

    def take(self) -> List[Any]:
        row = list(self._rows[self._place])
        self._place = (self._place + 1) % len(self._rows)
        for index, form in self._fresh:
            row[index] = fresh(form, self.random)
        return row


def fresh(form: str, chance: random.Random) -> Any:
    """A value that nobody else has: V(uuid), V(hex:N) with N digits, or V(int)."""
    if form == "int":
        return chance.randrange(1 << 30)
    value = uuid.UUID(bytes=os.urandom(16))
    return str(value) if form == "uuid" else (value.hex * 4)[: int(form.partition(":")[2])]


def decoded(values: Sequence[Any]) -> List[Any]:
    """Values as they came through JSON, in which bytes are an object."""
    return [base64.b64decode(value["base64"]) if isinstance(value, dict) else value for value in values]


def as_texts(values: Sequence[Any]) -> List[Optional[str]]:
    """Values as asyncpg sends them: every parameter is a text that PostgreSQL reads."""
    return [None if value is None else str(value) for value in values]


class SqliteClient:
    """One connection to the file."""

    def __init__(self, job: Dict[str, Any]) -> None:
        connect = job["connect"]
        self._limit = job["limit"]
        self._begun = 0.0
        self._connection = sqlite3.connect(
            connect["path"], timeout=connect["busy_timeout"], isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous = " + connect["synchronous"])
        if connect["read_only"]:
            self._connection.execute("PRAGMA query_only = ON")
        self._connection.create_function("mcps_distance", 3, distance)
        self._connection.set_progress_handler(self._too_long, STEPS_BETWEEN_LOOKS)

    def _too_long(self) -> bool:
        return time.monotonic() - self._begun > self._limit

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._begun = time.monotonic()
        return len(self._connection.execute(statement, parameters).fetchall())

    def settings(self) -> Dict[str, str]:
        """What decides how durable and how patient this connection is, as it says itself."""
        found = {name: self._pragma(name) for name in ("journal_mode", "synchronous", "busy_timeout")}
        return {**found, "synchronous": SYNCHRONOUS.get(found["synchronous"], found["synchronous"])}

    def _pragma(self, name: str) -> str:
        return str(self._connection.execute("PRAGMA " + name).fetchone()[0])

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


class PostgresClient:
    """One connection of psycopg2."""

    def __init__(self, job: Dict[str, Any]) -> None:
        import psycopg2

        connect = dict(job["connect"])
        session = connect.pop("session")
        self._connection = psycopg2.connect(connect_timeout=CONNECT_SECONDS, **connect)
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        for statement in session:
            self._cursor.execute(statement)

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._cursor.execute(statement, parameters or None)
        return len(self._cursor.fetchall()) if self._cursor.description else 0

    def settings(self) -> Dict[str, str]:
        """As of SqliteClient."""
        found: Dict[str, str] = {}
        for name in SERVER_SETTINGS:
            self._cursor.execute("SHOW " + name)
            found[name] = self._cursor.fetchone()[0]
        return found

    def rollback(self) -> None:
        self._cursor.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


def distance(how: str, stored: Any, wanted: str) -> float:
    """How far two vectors are from one another, as an application without an extension computes it.

    I(how): V(cosine), V(l2) or V(ip), as pgvector names them. I(stored): a JSON array, or float32 values as bytes.
    """
    try:
        one = array.array("f", stored) if isinstance(stored, bytes) else json.loads(stored)
        other = json.loads(wanted)
        if len(one) != len(other):
            return math.inf
        if how == "l2":
            return sum((a - b) ** 2 for a, b in zip(one, other))
        product = sum(a * b for a, b in zip(one, other))
        if how == "ip":
            return -product
        return 1 - product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
    except (TypeError, ValueError, ZeroDivisionError):
        return math.inf


def operation(job: Dict[str, Any], client: Any, seed: int) -> Callable[[], int]:
    """What a client of this job does again and again; returns the number of rows that it got."""
    if job["shape"] == "query":
        return querying(job, client, seed)
    write, wait = job["write"], job["wait"]
    rows = Rows(write, seed)

    def short() -> int:
        client.run("BEGIN")
        client.run(write["insert"], rows.take())
        client.run("COMMIT")
        return 0

    def held() -> int:
        client.run("BEGIN")
        client.run(write["insert"], rows.take())
        time.sleep(wait)
        client.run(write["insert"], rows.take())
        client.run("COMMIT")
        return 0

    def read_then_write() -> int:
        key = rows.random.randint(1, write["keys"])
        client.run("BEGIN")
        client.run(write["select"], [key])
        client.run(write["update"], [rows.take()[write["updated"]], key])
        client.run("COMMIT")
        return 0

    def batch() -> int:
        client.run("BEGIN")
        for _ in range(write["batch"]):
            client.run(write["insert"], rows.take())
        client.run("COMMIT")
        return 0

    return {"short": short, "held": held, "read_then_write": read_then_write, "batch": batch}[job["shape"]]


def querying(job: Dict[str, Any], client: Any, seed: int) -> Callable[[], int]:
    queries = [(query["sql"], [decoded(row) for row in query["parameters"]] or [[]]) for query in job["queries"]]
    place = seed

    def one() -> int:
        nonlocal place
        statement, parameters = queries[place % len(queries)]
        found: int = client.run(statement, parameters[(place // len(queries)) % len(parameters)])
        place += 1
        return found

    return one


def work(client: Any, perform: Callable[[], int], seconds: float) -> Tally:
    """Repeat for I(seconds), the last operation to its end, at least one."""
    tally = Tally()
    begun = time.perf_counter()
    while True:
        start = time.perf_counter()
        if start - begun >= seconds and (tally.operations or tally.errors):
            break
        try:
            tally.rows += perform()
            tally.done(time.perf_counter() - start)
        except Exception as error:
            tally.failed(error, time.perf_counter() - start)
            try:
                client.rollback()
            except Exception as second:
                tally.failed(second, 0.0)
                break
            time.sleep(PAUSE_AFTER_ERROR)
    tally.elapsed = time.perf_counter() - begun
    return tally


def refused(error: BaseException) -> Tally:
    """Of a client that could not even begin."""
    tally = Tally()
    tally.failed(error, 0.0)
    return tally


def in_threads(job: Dict[str, Any], talk: Talk) -> List[Tally]:
    """The clients of this process; each has a connection of its own, and a thread where there are several."""
    make = SqliteClient if job["engine"] == "sqlite" else PostgresClient
    if job["engine"] == "psycopg2":
        __import__("psycopg2")  # that it is missing is no error of a connection
    clients: List[Tuple[Any, Callable[[], int], Dict[str, str]]] = []
    tallies: List[Tally] = []
    for number in range(job["first"], job["first"] + job["clients"]):
        client: Any = None
        try:
            client = make(job)
            perform = operation(job, client, number)
            if job["warm"]:
                perform()
            clients.append((client, perform, client.settings()))
        except Exception as error:
            tallies.append(refused(error))
            if client is not None:
                client.close()
    if not talk.wait_for_go():
        return tallies

    def run(client: Any, perform: Callable[[], int], settings: Dict[str, str]) -> None:
        tally = work(client, perform, job["seconds"])
        tally.settings = settings
        tallies.append(tally)

    threads = [threading.Thread(target=run, args=each) for each in clients[1:]]
    for thread in threads:
        thread.start()
    if clients:
        run(*clients[0])
    for thread in threads:
        thread.join()
    for client, _, _ in clients:
        client.close()
    return tallies


def in_loop(job: Dict[str, Any], talk: Talk) -> List[Tally]:
    """As in_threads, by asyncpg: statements are prepared once, and rows of a batch are sent without waiting."""
    import asyncio

    import asyncpg

    async def operation_of(connection: Any, number: int) -> Callable[[], Any]:
        if job["shape"] == "query":
            pairs = [(await connection.prepare(q["sql"]), q["parameters"] or [[]]) for q in job["queries"]]
            place = number

            async def query() -> int:
                nonlocal place
                statement, parameters = pairs[place % len(pairs)]
                found = await statement.fetch(*parameters[(place // len(pairs)) % len(parameters)])
                place += 1
                return len(found)

            return query
        write = job["write"]
        rows = Rows(write, number)
        insert = await connection.prepare(write["insert"])
        select: Any = None
        update: Any = None
        if job["shape"] == "read_then_write":
            select, update = [await connection.prepare(write[name]) for name in ("select", "update")]

        async def held() -> int:
            async with connection.transaction():
                await insert.fetch(*as_texts(rows.take()))
                if job["shape"] == "held":
                    await asyncio.sleep(job["wait"])
                    await insert.fetch(*as_texts(rows.take()))
            return 0

        async def read_then_write() -> int:
            key = str(rows.random.randint(1, write["keys"]))
            async with connection.transaction():
                await select.fetch(key)
                await update.fetch(*as_texts([rows.take()[write["updated"]]]), key)
            return 0

        async def batch() -> int:
            async with connection.transaction():
                await insert.executemany([as_texts(rows.take()) for _ in range(write["batch"])])
            return 0

        return {"batch": batch, "read_then_write": read_then_write}.get(job["shape"], held)

    async def run(perform: Callable[[], Any], settings: Dict[str, str]) -> Tally:
        tally = Tally()
        tally.settings = settings
        begun = time.perf_counter()
        while True:
            start = time.perf_counter()
            if start - begun >= job["seconds"] and (tally.operations or tally.errors):
                break
            try:
                tally.rows += await perform()
                tally.done(time.perf_counter() - start)
            except Exception as error:
                tally.failed(error, time.perf_counter() - start)
                await asyncio.sleep(PAUSE_AFTER_ERROR)
        tally.elapsed = time.perf_counter() - begun
        return tally

    async def all_clients() -> List[Tally]:
        made: List[Tuple[Any, Callable[[], Any], Dict[str, str]]] = []
        tallies: List[Tally] = []
        for number in range(job["first"], job["first"] + job["clients"]):
            connection: Any = None
            try:
                connection = await asyncpg.connect(timeout=CONNECT_SECONDS, **job["connect"])
                perform = await operation_of(connection, number)
                if job["warm"]:
                    await perform()
                settings = {name: await connection.fetchval("SHOW " + name) for name in SERVER_SETTINGS}
                made.append((connection, perform, settings))
            except Exception as error:
                tallies.append(refused(error))
                if connection is not None:
                    await connection.close()
        if talk.wait_for_go():
            tallies += await asyncio.gather(*(run(perform, settings) for _, perform, settings in made))
        for connection, _, _ in made:
            await connection.close()
        return tallies

    return asyncio.run(all_clients())


class Talk:
    """The lines to and from the benchmark. What libraries print goes to standard error."""

    def __init__(self) -> None:
        self._input = sys.stdin.buffer
        self._output = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
        os.dup2(2, 1)

    def next_job(self) -> Optional[Dict[str, Any]]:
        line = self._input.readline()
        return json.loads(line) if line.strip() else None

    def wait_for_go(self) -> bool:
        """Say that everything is ready; whether the work is to begin."""
        self.say({"ready": True})
        return bool(self._input.readline().strip())

    def say(self, answer: Dict[str, Any]) -> None:
        self._output.write(json.dumps(answer) + "\n")


def summary(tallies: Sequence[Tally]) -> Dict[str, Any]:
    """All clients of this process together; M(_figures) adds up the processes."""
    histogram: Dict[int, int] = {}
    errors: Dict[str, int] = {}
    for tally in tallies:
        for place, count in tally.histogram.items():
            histogram[place] = histogram.get(place, 0) + count
        for text, count in tally.errors.items():
            errors[text] = errors.get(text, 0) + count
    settings: Dict[str, List[str]] = {}
    for tally in tallies:
        for name, value in tally.settings.items():
            if value not in settings.setdefault(name, []):
                settings[name].append(value)
    return {
        "settings": settings,
        "operations": sum(tally.operations for tally in tallies),
        "rate": sum(tally.operations / tally.elapsed for tally in tallies if tally.elapsed),
        "seconds": max((tally.elapsed for tally in tallies), default=0.0),
        "slowest": max((tally.slowest for tally in tallies), default=0.0),
        "rows": sum(tally.rows for tally in tallies),
        "histogram": histogram,
        "errors": errors,
    }


def main(_request: Dict[str, Any]) -> None:
    talk = Talk()
    while True:
        job = talk.next_job()
        if job is None:
            return
        try:
            tallies = in_loop(job, talk) if job["engine"] == "asyncpg" else in_threads(job, talk)
            talk.say({"answer": summary(tallies)})
        except ImportError as error:
            talk.say({"failure": str(error)})
