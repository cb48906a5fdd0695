# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one definition of every conversion: from a SQLite value to a PostgreSQL literal, and what makes two equal.

A codec belongs to one target type. C(encode) turns a SQLite value into the literal that PostgreSQL reads (COPY text
before escaping) and raises Misfit where PostgreSQL would refuse the value or would take it only by changing it.
C(canonical) brings a literal, ours or PostgreSQL's own output, into a normal form: two values mean the same if, and
only if, their normal forms are equal texts. The audit and the load use C(encode); the verification uses both.
C(fast) is a short cut for whole chunks of plain values (see C(_fast)), whose literals mean what C(encode)'s mean;
whatever it does not vouch for goes through C(encode).

PostgreSQL's output is read under DateStyle ISO, IntervalStyle iso_8601, TimeZone UTC, bytea_output hex and
extra_float_digits 1, which every session of this collection sets.
"""

from __future__ import annotations

from typing import Iterable, Union

from ._fast import FastForm, Take, each
from ._types import SqlType
from ._values import LongHex, LongText, Misfit, ReadValue, SqliteValue, storage_class


class Codec:
    """Conversion for one target type; see the module's text for what the methods promise."""

    def __init__(self, sql_type: SqlType) -> None:
        self.type = sql_type

    def encode(self, value: SqliteValue) -> str:
        """The literal of I(value), which is not NULL. Raises Misfit."""
        raise NotImplementedError

    def sent(self, value: ReadValue) -> Union[str, LongHex, LongText]:
        """As M(encode), but a long literal may be one that is written out while it is sent."""
        return self.encode(str(value) if isinstance(value, LongText) else value)

    def fast(self, column: str) -> FastForm:
        """The short cut for I(column) (SQL of SQLite). Here: texts are taken out of SQLite in chunks, and no more."""
        return FastForm({"text": column}, self.singly())

    def singly(self) -> Take:
        """Texts are converted by M(encode), equal ones of a chunk once."""
        return each(self.encode, Misfit)

    def all_fit(self, texts: Iterable[bytes]) -> bool:
        """Whether M(encode) takes each of I(texts)."""
        try:
            for text in texts:
                self.encode(text.decode())
        except Misfit:
            return False
        return True

    def canonical(self, literal: str) -> str:
        """The normal form of a literal that this type printed or C(encode) made."""
        return literal

    def wrong_class(self, value: SqliteValue) -> Misfit:
        """The misfit of a value whose storage class cannot mean this type."""
        return Misfit("storage_class", f"SQLite holds {storage_class(value)} where {self.type} is expected")
