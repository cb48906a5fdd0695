# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole row from SQLite values to PostgreSQL literals: rules, then codecs, then NOT NULL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar, Union
from typing import Counter as CounterType

from ._codec import Codec
from ._codecs import codec_for
from ._codecs_lists import VectorCodec
from ._fast import FastColumn
from ._model import ColumnMap, RuleUse, TableMap
from ._ports import SourceRow
from ._rules import RULES, Change, mapped
from ._values import LongHex, LongText, Misfit, ReadValue, SqliteValue, plain
from ._wire import wire_for, wired_row

Literal = Optional[str]
Made = TypeVar("Made")
#: As it goes to COPY.
Sent = Union[None, str, LongHex, LongText]


@dataclass(frozen=True)
class ColumnMisfit:
    """One value of a row that does not fit: where it stands on both sides, what it is, and why."""

    column: str
    target_column: str
    value: SqliteValue
    misfit: Misfit


class RowMisfit(Exception):
    """A row with at least one value that does not fit; I(problems) names each of them."""

    def __init__(self, problems: List[ColumnMisfit]) -> None:
        super().__init__(problems)
        self.problems = problems


class ColumnConverter:
    """Rules and codec of one mapped column."""

    def __init__(self, column: ColumnMap, changes: CounterType[Tuple[str, str]]) -> None:
        codec = codec_for(column.target.type)
        if codec is None:
            raise ValueError(f"no conversion for {column.target.type}: the mapping has to refuse it")
        self.column = column
        self.codec: Codec = codec
        self.not_null = column.target.not_null
        self._changes = changes
        self._rules: List[Tuple[str, Change]] = [
            (use.rule, RULES[use.rule].make(column.target.type, dict(use.options))) for use in column.rules
        ]

    def convert(self, value: SqliteValue) -> Literal:
        """The literal of I(value), None for NULL. Raises Misfit."""
        for name, change in self._rules:
            changed = change(value)
            if changed is not value and (type(changed) is not type(value) or changed != value):
                self._changes[(self.column.source, name)] += 1
                value = changed
        if value is None:
            if self.not_null:
                raise Misfit("null_in_not_null", f"NULL, but {self.column.target.name} is NOT NULL")
            return None
        return self.codec.encode(value)

    @property
    def inert(self) -> bool:
        """Whether the rules change no value that fits as it is, NULL among them: they only mend what does not."""
        return all(map(self._inert, self.column.rules))

    def _inert(self, use: RuleUse) -> bool:
        if use.rule == "default":
            return self.not_null
        if use.rule == "map":
            return not any(map(self._takes, mapped(dict(use.options))))
        return self.column.target.type.name in RULES[use.rule].inert

    def _takes(self, value: SqliteValue) -> bool:
        """Whether I(value) fits, or may go over in a chunk, of which PostgreSQL refuses some values itself."""
        form = self.codec.fast("NULL")
        if isinstance(value, str) and "text" in form.classes:
            text = value.encode("utf-8", "replace")
            if (form.sound is not None and form.sound(text)) or form.take(text, [text]) is not None:
                return True
        try:
            self.codec.encode(value)
        except Misfit:
            return False
        return True


class RowConverter:
    """Conversion of the rows of one mapped table. The audit, the load and the verification all go through it.

    Rows come in the order of I(columns) (source names); literals leave in the same order, which is also the order of
    I(target_columns).
    """

    def __init__(self, table: TableMap) -> None:
        self.table = table
        #: How many values each declared rule changed, by (source column, rule).
        self.changes: CounterType[Tuple[str, str]] = Counter()
        self.converters = [ColumnConverter(column, self.changes) for column in table.columns]
        self.columns: Tuple[str, ...] = tuple(column.source for column in table.columns)
        self.target_columns: Tuple[str, ...] = tuple(column.target.name for column in table.columns)
        self._steps: List[Callable[[SqliteValue], Literal]] = [
            converter.convert if converter.column.rules else _plain(converter, converter.codec.encode)
            for converter in self.converters
        ]
        self._sending: List[Callable[[ReadValue], Sent]] = [
            _in_full(converter.convert) if converter.column.rules else _plain(converter, converter.codec.sent)
            for converter in self.converters
        ]

    def fast_columns(self) -> Optional[List[FastColumn]]:
        """How whole chunks of this table are converted; None where an operator's rule changes values that fit, too."""
        if not all(converter.inert for converter in self.converters):
            return None
        return [
            FastColumn(
                c.column.source,
                c.not_null,
                c.codec.fast,
                wire_for(c.column.target.type),
                c.codec.blobs if isinstance(c.codec, VectorCodec) else None,
            )
            for c in self.converters
        ]

    def wired(self, literals: Sequence[Sent]) -> bytes:
        """A converted row in binary format, for tables all of whose types have one."""
        fields = []
        for converter, literal in zip(self.converters, literals):
            wire = wire_for(converter.column.target.type)
            assert wire is not None
            fields.append(None if literal is None else wire(str(literal)))
        return wired_row(fields)

    def convert(self, row: SourceRow) -> List[Literal]:
        """The row's literals. Raises RowMisfit with every value that does not fit."""
        return self._stepped(self._steps, row)

    def sent(self, row: Tuple[ReadValue, ...]) -> List[Sent]:
        """As M(convert), for COPY."""
        return self._stepped(self._sending, row)

    def _stepped(self, steps: Sequence[Callable[[Any], Made]], row: Tuple[ReadValue, ...]) -> List[Made]:
        try:
            return [step(value) for step, value in zip(steps, row)]
        except Misfit:
            problems, counted = self._examine(plain(row))
            self.changes.subtract(counted)
            raise RowMisfit(problems) from None

    def misfits(self, row: SourceRow) -> List[ColumnMisfit]:
        """Every value of I(row) that does not fit. Leaves the counts of changes as they are."""
        return self._examine(row)[0]

    def _examine(self, row: SourceRow) -> Tuple[List[ColumnMisfit], CounterType[Tuple[str, str]]]:
        """All misfits of I(row), and the changes that a conversion of it counts before it meets the first of them."""
        problems: List[ColumnMisfit] = []
        kept = self.changes.copy()
        self.changes.clear()
        counted: CounterType[Tuple[str, str]] = Counter()
        for converter, value in zip(self.converters, row):
            try:
                converter.convert(value)
            except Misfit as misfit:
                if not problems:
                    counted = self.changes.copy()
                problems.append(ColumnMisfit(converter.column.source, converter.column.target.name, value, misfit))
        self.changes.clear()
        self.changes.update(kept)
        return problems, counted

    def canonical(self, literals: Sequence[Literal]) -> Tuple[Literal, ...]:
        """The row's normal form; equal exactly if the two rows mean the same. NULL stays None."""
        return tuple(
            None if literal is None else converter.codec.canonical(literal)
            for converter, literal in zip(self.converters, literals)
        )


def _in_full(convert: Callable[[SqliteValue], Literal]) -> Callable[[ReadValue], Literal]:
    """Conversion of a column with rules, which know Python's texts only."""
    return lambda value: convert(str(value) if isinstance(value, LongText) else value)


def _plain(converter: ColumnConverter, encode: Callable[[Any], Made]) -> Callable[[Any], Optional[Made]]:
    """Conversion of a column without rules: the same as ColumnConverter.convert with nothing to count."""
    if not converter.not_null:
        return lambda value: None if value is None else encode(value)

    def there(value: Any) -> Optional[Made]:
        if value is None:
            converter.convert(None)  # raises
            return None
        return encode(value)

    return there
