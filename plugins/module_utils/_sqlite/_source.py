# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a SQLite database: one moment of it, unchanged, every value as it is stored."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

from .._errors import SourceError
from .._transfer._fast import LONGEST, NULL, PIECES, ROW, UNFIT, Chunk, FastColumn, Raw, Reader, Span
from .._transfer._model import ForeignKey, SourceTable
from .._transfer._ports import SourceRow
from .._transfer._values import LONG, InvalidText, LongText, ReadValue, SqliteValue, plain
from ._digits import Digits
from ._file import BUSY_TIMEOUT, RawFile, connect, explained, locked, wal_bytes, wal_path
from ._manifest import recorded_hash
from ._names import ROWID_NAMES, Sql, compose, folded, joined, literal
from ._schema import read_tables

#: Rows that are fetched at a time, at first and at most, and about how many bytes.
FIRST_ROWS, CHUNK_ROWS, CHUNK_BYTES = 8, 500, 1 << 20
#: One row in so many tells how large all of them are.
SAMPLED = 8
#: KiB of pages that a connection keeps: tables are read from one end to the other, so that hardly any is met again, and
#: each worker has a connection.
CACHE_KIB = 512


def text_value(long: List[bool], raw: bytes) -> Union[str, LongText, InvalidText]:
    """TEXT as str, or its bytes where they are many, which I(long) is told, or not UTF-8."""
    try:
        if len(raw) <= LONG:
            return raw.decode("utf-8")
        long.append(True)
        return LongText(raw)
    except UnicodeDecodeError:
        return InvalidText(raw)


def _row_size(rows: Sequence[SourceRow]) -> int:
    """About how many bytes a row like these has: a look at each value would cost a tenth of its conversion."""
    some = rows[::SAMPLED]
    return max(_size(some) // len(some), _size(rows[-1:]))


def _size(rows: Sequence[SourceRow]) -> int:
    """Bytes (or characters) of the values in I(rows) that may be large."""
    return sum([len(value) for row in rows for value in row if isinstance(value, (str, bytes, LongText))])


class SqliteSource:
    """One SQLite database in one read transaction, which lasts until M(close); a C(_transfer._ports.RowSource).

    Writers are not disturbed in WAL mode; with a rollback journal their commits wait until M(close).
    """

    def __init__(self, file: RawFile, connection: sqlite3.Connection) -> None:
        self.path = file.path
        self._file = file
        self.connection = connection
        self._long_texts: List[bool] = []
        connection.text_factory = partial(text_value, self._long_texts)
        self._tables: Optional[List[SourceTable]] = None
        self._digits: Optional[Digits] = None
        self._keeps_nul: Optional[bool] = None
        #: Why M(reader) has refused tables that it is made for.
        self.hindrances: List[str] = []
        # The order of text is that of its UTF-8 bytes; a database in UTF-16 would order by those.
        self.encoding: str = connection.execute("PRAGMA encoding").fetchone()[0]
        self._collation = "BINARY"
        if self.encoding != "UTF-8":
            self._collation = "mcps_code_points"
            connection.create_collation(self._collation, lambda a, b: (a > b) - (a < b))

    @classmethod
    def open(cls, path: str, busy_timeout: float = BUSY_TIMEOUT) -> SqliteSource:
        """The database in the file I(path), which is never created or changed.

        The one exception is SQLite's own: where a writer died in the middle, its unfinished transaction is rolled back
        first, as every program that opens the file does. I(busy_timeout) is in seconds. Raises SourceError.
        """
        file = RawFile(path)
        connection = None
        try:
            file.header()
            connection = _open_reading(path, busy_timeout)
            return cls(file, connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            file.close()
            if isinstance(error, sqlite3.Error):
                raise explained(path, "Opening", error) from error
            raise

    def close(self) -> None:
        """End the read transaction; may be called more than once."""
        self.connection.close()
        self._file.close()

    def __enter__(self) -> SqliteSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # What RowSource promises

    def tables(self) -> List[SourceTable]:
        if self._tables is None:
            try:
                self._tables = read_tables(lambda sql: self.connection.execute(sql).fetchall())
            except sqlite3.Error as error:
                raise explained(self.path, "Reading the schema", error) from error
            except (AttributeError, TypeError) as error:
                raise SourceError(
                    f"Reading the schema of the SQLite file {self.path} failed: a name in it is not UTF-8 ({error}).",
                    advice="Rename that table or column in SQLite.",
                ) from error
        return list(self._tables)

    def count(self, table: SourceTable) -> int:
        for row in self.query(compose("SELECT count(*) FROM main.{table}", table=table.name), what=table.name):
            return int(row[0])
        raise AssertionError("count(*) returns one row")

    def rowids(self, table: SourceTable) -> Optional[Tuple[int, int]]:
        """See RowSource."""
        if table.rowid is None:
            return None
        statement = compose(
            "SELECT (SELECT min({rowid}) FROM main.{table} AS t), (SELECT max({rowid}) FROM main.{table} AS t)",
            rowid=column_of_t(table.rowid),
            table=table.name,
        )
        first, last = next(self.query(statement, what=table.name))
        return None if first is None else (first, last)

    def outermost(self, table: SourceTable, column: str, limit: int, smallest: bool) -> Optional[int]:
        """The largest (or smallest) INTEGER of a column that is within C(-limit) and C(limit - 1), None without one."""
        _check_columns(table, [column])
        statement = compose(
            "SELECT {aggregate}({column}) FROM main.{table} AS t"
            " WHERE typeof({column}) = 'integer' AND {column} BETWEEN ? AND ?",
            aggregate=Sql("min" if smallest else "max"),
            column=column_of_t(column),
            table=table.name,
        )
        found: Optional[int] = next(self.query(statement, [-limit, limit - 1], table.name))[0]
        return found

    def rows(
        self,
        table: SourceTable,
        columns: Sequence[str],
        order_by: Sequence[str] = (),
        after: Optional[SourceRow] = None,
        span: Optional[Span] = None,
    ) -> Iterator[SourceRow]:
        """See RowSource. In I(order_by)'s order NULL comes first, then numbers, text, BLOB (SQLite's own order).

        Raises ValueError for a column that is not there, SourceError where reading fails.
        """
        _check_columns(table, order_by)
        statement, parameters = self._selected(table, columns, span if after is None else None)
        if after is not None:
            condition, parameters = self._behind(order_by, after)
            statement = joined(" WHERE ", (statement, condition))
        if order_by:
            statement = joined(" ORDER BY ", (statement, joined(", ", map(self._ordered, order_by))))
        return self.query(statement, parameters, table.name)

    def long_rows(
        self, table: SourceTable, columns: Sequence[str], span: Optional[Span] = None
    ) -> Iterator[Tuple[ReadValue, ...]]:
        """See RowSource."""
        for chunk, _ in self._chunks(*self._selected(table, columns, span), table.name):
            yield from chunk

    def first_kind(self, table: SourceTable, column: str, span: Span) -> Optional[str]:
        """See RowSource."""
        _check_columns(table, [column])
        statement = compose(
            "SELECT typeof({column}) FROM main.{table} AS t"
            " WHERE {rowid} BETWEEN ? AND ? AND {column} IS NOT NULL ORDER BY {rowid} LIMIT 1",
            column=column_of_t(column),
            table=table.name,
            rowid=column_of_t(table.rowid or ""),
        )
        return next((kind for (kind,) in self.query(statement, span, table.name)), None)

    def reader(self, table: SourceTable, columns: Sequence[FastColumn]) -> Optional[Reader]:
        """See RowSource. None for a table without rowid, a virtual one, and where M(hindrances) say why."""
        if table.kind != "table" or table.rowid is None:
            return None
        if self.encoding != "UTF-8":
            self._hindered(f"the texts of {self.path} are in {self.encoding}")
            return None
        _check_columns(table, [column.name for column in columns])
        parts = {"table": table.name, "rowid": column_of_t(table.rowid)}
        within = " FROM main.{table} AS t WHERE {rowid} BETWEEN ? AND ?"
        edge = compose("SELECT {rowid}" + within + " ORDER BY {rowid} LIMIT 1 OFFSET ?", **parts)
        ends = compose("SELECT max({rowid}), count(*)" + within, **parts)
        in_digits = [place for place, one in enumerate(columns) if self._raw(one) and not self._strings_bytes()]
        never_null = [place for place, one in enumerate(columns) if one.not_null and not self._raw(one)]
        texts = compose(
            "SELECT max({rowid}), count(*), {texts}" + within, texts=joined(", ", map(self._texts, columns)), **parts
        )
        try:
            # Functions that this SQLite does not have show when the statement is prepared.
            self.connection.execute(f"EXPLAIN {texts}", (0, 0)).close()
        except sqlite3.Error as error:
            self._hindered(f"SQLite {sqlite3.sqlite_version} cannot read many at once ({error})")
            return None
        lengths = [compose("total(length({column}))", column=column_of_t(one.name)) for one in columns]
        bounds = _Bounds(self.connection, compose("SELECT {sizes}" + within, sizes=joined(" + ", lengths), **parts))

        def read(first: int, last: int, rows: int) -> Optional[Chunk]:
            while True:
                edges = [found for (found,) in self.query(edge, (first, last, rows - 1), table.name)]
                end = edges[0] if edges else last
                try:
                    with bounds.reading(first, end):
                        found, count, *made = next(self.query(texts, (first, end), table.name))
                    for place in in_digits if count else ():
                        made[place] = _without_digits(made[place], count)
                    for place in never_null if count else ():
                        # A text that is NULL's mark, or holds it: SQLite was not asked which, to save a look at each.
                        if NULL.encode() in made[place]:
                            made[place] += ROW.encode()
                    return Chunk(first, found, count, made) if count else None
                except _TooLong:
                    found, count = next(self.query(ends, (first, end), table.name))
                if count == 1:
                    # Two separators where one row is: nothing of it qualifies.
                    return Chunk(first, found, 1, [2 * ROW.encode()] * len(columns))
                rows = max(1, count // PIECES)

        return read

    def _hindered(self, reason: str) -> None:
        told = f"Rows are read one by one, which takes many times as long: {reason}."
        if told not in self.hindrances:
            self.hindrances.append(told)

    def _texts(self, column: FastColumn) -> Sql:
        """The texts of the column's values, as the bytes that they are."""
        texts = compose("group_concat({text}, {mark})", text=self._text(column), mark=Sql(f"char({ord(ROW)})"))
        raw = self._raw(column)
        if raw is not None:
            # A text of SQLite's is any bytes.
            values = Sql(raw.sql if self._strings_bytes() else f"hex({raw.sql})")
            texts = compose("{texts} || {mark} || group_concat({raw}, '')", texts=texts, mark=Sql(UNFIT), raw=values)
        return compose("CAST({texts} AS BLOB)", texts=texts)

    def _strings_bytes(self) -> bool:
        """Whether group_concat() keeps what is behind a NUL, which older versions cut off (3.35 does)."""
        if self._keeps_nul is None:
            probe = "SELECT length(CAST(group_concat(v, '') AS BLOB)) FROM (SELECT x'6100' AS v)"
            self._keeps_nul = self.connection.execute(probe).fetchone()[0] == 2
        return self._keeps_nul

    @staticmethod
    def _raw(column: FastColumn) -> Optional[Raw]:
        return column.form(column_of_t(column.name)).raw

    def _text(self, column: FastColumn) -> Sql:
        """The text of one value of a column. It is never NULL, which would make the whole row vanish."""
        name = column_of_t(column.name)
        form = column.form(name)
        mark = f"char({ord(NULL)})"
        if form.cases is not None:
            subject, cases, null = "", [(Sql(when), text) for when, text in form.cases.items()], f"{name} IS NULL"
        else:
            subject, null = f"typeof({name})", "'null'"
            classes = dict(form.classes)
            if "text" in classes and not (column.not_null or form.unmarked):
                classes["text"] = f"CASE WHEN {name} <> {mark} COLLATE BINARY THEN {classes['text']} ELSE {UNFIT} END"
            cases = [(literal(kind), text) for kind, text in classes.items()]
        if form.real is not None:
            cases.insert(0, (literal("real"), self._real(form.real, name)))
        if not column.not_null:
            cases.append((Sql(null), mark))
        whens = " ".join(f"WHEN {case} THEN {text}" for case, text in cases)
        return Sql(f"CASE {subject} {whens} ELSE {UNFIT} END")

    def _real(self, lead: str, name: Sql) -> str:
        if self._digits is None:
            self._digits = Digits(self.connection)
        digits = self._digits.of(name)
        return f"char({ord(lead)}) || {digits}" if lead else digits

    def fingerprint(self) -> str:
        """For a snapshot with its manifest: the content's hash. Otherwise what changes with every commit."""
        recorded = recorded_hash(self.path)
        if recorded:
            return f"sha256:{recorded}"
        return file_fingerprint(self.path)

    # What else this layer needs

    def query(
        self, statement: str, parameters: Sequence[Any] = (), what: Optional[str] = None
    ) -> Iterator[Tuple[Any, ...]]:
        """The rows of I(statement), streamed. I(what) is the table that an error names."""
        for chunk, long in self._chunks(statement, parameters, what):
            for number in range(len(chunk)) if long else ():
                chunk[number] = plain(chunk[number])
            yield from chunk

    def _chunks(
        self, statement: str, parameters: Sequence[Any], what: Optional[str]
    ) -> Iterator[Tuple[List[Tuple[Any, ...]], bool]]:
        """Rows, so many that they are not large together, and whether there may be a LongText among them."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement, parameters)
            # One row at a time would hand Python's lock to and fro between the threads for each of them.
            wanted = FIRST_ROWS
            while True:
                chunk = cursor.fetchmany(wanted)
                if not chunk:
                    return
                wanted = max(1, min(CHUNK_ROWS, 2 * wanted, CHUNK_BYTES // max(_row_size(chunk), 1)))
                long, self._long_texts[:] = bool(self._long_texts), []
                yield chunk, long
        except sqlite3.Error as error:
            raise explained(self.path, "Reading", error, what) from error
        finally:
            cursor.close()

    @staticmethod
    def _selected(table: SourceTable, columns: Sequence[str], span: Optional[Span]) -> Tuple[Sql, List[Any]]:
        """The statement that reads I(columns) of all rows, or of those of I(span), and its parameters."""
        _check_columns(table, columns)
        statement = compose(
            "SELECT {columns} FROM main.{table} AS t",
            columns=joined(", ", map(column_of_t, columns)) if columns else Sql("NULL"),
            table=table.name,
        )
        if span is None:
            return statement, []
        condition = compose("{rowid} BETWEEN ? AND ?", rowid=column_of_t(table.rowid or ""))
        return joined(" WHERE ", (statement, condition)), list(span)

    def orphans(self, table: SourceTable, columns: Sequence[str], key: ForeignKey) -> Iterator[SourceRow]:
        """I(columns) of the rows of I(table) whose foreign key I(key) is nowhere NULL and has no parent.

        Text is compared by its bytes, whatever the columns' collations are. Raises ValueError for unknown columns.
        """
        _check_columns(table, [*columns, *key.columns])
        parent = next((one for one in self.tables() if one.name == key.parent), None)
        if parent is None:
            raise ValueError(f"there is no table {key.parent}")
        _check_columns(parent, key.parent_columns)
        there = [compose("{column} IS NOT NULL", column=column_of_t(name)) for name in key.columns]
        same = [
            compose("p.{parent} = t.{child} COLLATE BINARY", parent=theirs, child=ours)
            for ours, theirs in zip(key.columns, key.parent_columns)
        ]
        statement = compose(
            "SELECT {columns} FROM main.{table} AS t"
            " WHERE {there} AND NOT EXISTS (SELECT 1 FROM main.{parent} AS p WHERE {same})",
            columns=joined(", ", map(column_of_t, columns)),
            table=table.name,
            there=joined(" AND ", there),
            parent=parent.name,
            same=joined(" AND ", same),
        )
        return self.query(statement, what=table.name)

    def pragma(self, name: str) -> Any:
        """The value of a PRAGMA that returns one."""
        return next(self.query(f"PRAGMA {name}"))[0]

    def _ordered(self, name: str) -> Sql:
        return compose("{column} COLLATE {collation}", column=column_of_t(name), collation=Sql(self._collation))

    def _behind(self, order_by: Sequence[str], after: SourceRow) -> Tuple[Sql, List[Any]]:
        """Condition and parameters for rows behind the key I(after), NULL being before everything."""
        if not order_by or len(after) != len(order_by):
            raise ValueError(f"a key of {len(order_by)} columns cannot start behind {len(after)} values")
        if all(value is not None for value in after):
            left = joined(", ", map(self._ordered, order_by))
            right = joined(", ", map(_placeholder, after))
            return compose("({left}) > ({right})", left=left, right=right), [_bound(value) for value in after]
        alternatives: List[Sql] = []
        parameters: List[Any] = []
        for index, value in enumerate(after):
            terms = []
            for name, same in zip(order_by[:index], after[:index]):
                terms.append(joined(" IS ", (self._ordered(name), _placeholder(same))))
                parameters.append(_bound(same))
            if value is None:
                terms.append(compose("{column} IS NOT NULL", column=column_of_t(order_by[index])))
            else:
                terms.append(joined(" > ", (self._ordered(order_by[index]), _placeholder(value))))
                parameters.append(_bound(value))
            alternatives.append(compose("({terms})", terms=joined(" AND ", terms)))
        return compose("({any})", any=joined(" OR ", alternatives)), parameters


class SourceMoment:
    """Lets several connections see the same moment of a file. To be made before the first of them is opened."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fingerprint: Optional[str] = None
        # What is wrong with the file, opening it will say.
        with suppress(SourceError):
            self._fingerprint = file_fingerprint(path)

    def open(self) -> SqliteSource:
        """One more connection. Raises SourceError where somebody has written to the file meanwhile."""
        source = SqliteSource.open(self._path)
        if file_fingerprint(self._path) != self._fingerprint:
            source.close()
            raise SourceError(
                f"The SQLite file {self._path} is being written to, so that two connections see different rows.",
                advice="Load from a snapshot.",
            )
        return source


def column_of_t(name: str) -> Sql:
    """The column of the table that is called t in the statement.

    Qualified, because SQLite takes an unqualified name in double quotes that is no column for a text.
    """
    return compose("t.{column}", column=name)


def _without_digits(text: bytes, rows: int) -> bytes:
    """A column of C(Raw) whose values are digits, after a mark and a separator for each row."""
    return text[: 2 * rows] + bytes.fromhex(text[2 * rows :].decode())


class _TooLong(Exception):
    """A value, or what SQLite makes of a chunk, has more than LONGEST bytes."""


class _Bounds:
    """Keeps SQLite from taking up long values, of which each step would hold a copy.

    I(sizes) is a query for the characters and bytes of a chunk's values.
    """

    def __init__(self, connection: sqlite3.Connection, sizes: Sql) -> None:
        self._connection = connection
        self._sizes = sizes
        # SQLite's own limit costs nothing, and Python knows it since version 3.11.
        self._limit: Optional[int] = getattr(sqlite3, "SQLITE_LIMIT_LENGTH", None)

    @contextmanager
    def reading(self, first: int, last: int) -> Iterator[None]:
        """Raises _TooLong where the rows from I(first) to I(last), or what is read of them inside, are too long."""
        if self._limit is None:
            # A character has four bytes at most, a byte two digits.
            if self._connection.execute(self._sizes, (first, last)).fetchone()[0] > LONGEST // 4:
                raise _TooLong
            yield
            return
        before = self._connection.setlimit(self._limit, LONGEST)  # type: ignore[attr-defined]
        try:
            yield
        except SourceError as error:
            if isinstance(error.__cause__, sqlite3.DataError):
                raise _TooLong from error
            raise
        finally:
            self._connection.setlimit(self._limit, before)  # type: ignore[attr-defined]


def _open_reading(path: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection that has begun reading. Raises sqlite3.Error."""
    try:
        return _begun(connect(path, busy_timeout=busy_timeout), busy_timeout)
    except sqlite3.OperationalError as error:
        text = str(error).lower()
        if "readonly" not in text and "unable to open" not in text:
            raise
        if _is_alone(path):
            # In WAL mode even readers write the -shm file, here they cannot. The file alone is everything.
            return _begun(connect(path, immutable=True, busy_timeout=busy_timeout), busy_timeout)
        if "unable to open" in text:
            raise
        # A hot journal: somebody died while writing, and only a connection that may write can roll back.
        return _begun(connect(path, "rw", busy_timeout=busy_timeout), busy_timeout)


def _is_alone(path: str) -> bool:
    """Whether no -wal and no -journal holds a part of the content of I(path), and none can come to be here."""
    real = os.path.realpath(path)
    return not (wal_bytes(path) or os.path.exists(real + "-journal") or os.access(os.path.dirname(real), os.W_OK))


def _begun(connection: sqlite3.Connection, busy_timeout: float) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        # BEGIN itself reads nothing: the moment is fixed by the first read.
        locked(connection, "SELECT count(*) FROM sqlite_master", busy_timeout).fetchone()
        # Needs the schema, and with it the lock, which is there by now.
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_columns(table: SourceTable, names: Sequence[str]) -> None:
    known = {column.name for column in table.columns}
    for name in names:
        if name not in known and not (table.rowid and folded(name) in ROWID_NAMES):
            raise ValueError(f"{table.name} has no column {name}")


def _placeholder(value: SqliteValue) -> Sql:
    # The plus takes the affinity away that CAST gives, so that a column's numbers are not compared as text.
    return Sql("+CAST(? AS TEXT)") if isinstance(value, InvalidText) else Sql("?")


def _bound(value: SqliteValue) -> Any:
    return value.raw if isinstance(value, InvalidText) else value


def file_fingerprint(path: str) -> str:
    """Text that differs once somebody has committed to I(path). An empty -wal is the same as none."""
    with RawFile(path) as file:
        header = file.header()
        status = file.status()
    parts = [status.st_size, status.st_mtime_ns, header.change_counter, header.schema_cookie]
    text = "file:" + "-".join(str(part) for part in parts)
    try:
        log = os.stat(wal_path(path))
    except OSError:
        return text
    return f"{text}:wal:{log.st_size}-{log.st_mtime_ns}" if log.st_size else text
