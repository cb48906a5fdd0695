# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codecs of texts and of what is written as one: bytes, UUIDs, enumerations, JSON."""

from __future__ import annotations

import math
import re
from typing import Collection, FrozenSet, Optional, Union

from . import _json
from ._codec import Codec
from ._fast import NULL, UNFIT, FastForm, Fields, among, anything, shaped, text_within, whole
from ._types import SqlType
from ._values import LONG, InvalidText, LongHex, LongText, Misfit, ReadValue, SqliteValue, sample

#: Marks a number between JSON texts.
REAL = "\x05"


class TextCodec(Codec):
    """text, character varying(n), citext: the same characters, counted, never cut or padded."""

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            if isinstance(value, InvalidText):
                raise Misfit("invalid_utf8", f"the text is not UTF-8: {sample(value)}")
            raise self.wrong_class(value)
        if "\x00" in value:
            raise Misfit("nul_character", f"NUL character at position {value.index(chr(0))}")
        if self.type.length is not None and len(value) > self.type.length:
            raise Misfit("too_long", f"{len(value)} characters, {self.type} holds {self.type.length}")
        return value

    def sent(self, value: ReadValue) -> Union[str, LongHex, LongText]:
        if isinstance(value, LongText) and self.type.length is None and 0 not in value.raw:
            return value
        return super().sent(value)

    def fast(self, column: str) -> FastForm:
        form = {"text": text_within(column, self.type.length)}
        return FastForm(form, whole(anything), sound=anything)


class CharacterCodec(TextCodec):
    """character(n): PostgreSQL pads with blanks, which have no meaning in this type."""

    def canonical(self, literal: str) -> str:
        return literal.rstrip(" ")


class ByteaCodec(Codec):
    """bytea: BLOB, byte for byte."""

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, bytes):
            raise self.wrong_class(value)
        return str(LongHex(value))

    def sent(self, value: ReadValue) -> Union[str, LongHex, LongText]:
        return LongHex(value) if isinstance(value, bytes) and len(value) > LONG else super().sent(value)

    def fast(self, column: str) -> FastForm:
        return FastForm({"blob": f"'\\x' || hex({column})"}, whole(anything), sound=anything)


class UuidCodec(Codec):
    """uuid: 32 hexadecimal digits with or without dashes, or a BLOB of 16 bytes."""

    FORM = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            if not self.FORM.fullmatch(value):
                raise Misfit("not_uuid", f"{sample(value)} is not a UUID")
            digits = value.replace("-", "").lower()
        elif isinstance(value, bytes) and len(value) == 16:
            digits = value.hex()
        else:
            raise self.wrong_class(value)
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def fast(self, column: str) -> FastForm:
        # PostgreSQL reads the digits without dashes and in capitals too, but also dashes in other places.
        forms = {
            "text": column,
            "blob": f"CASE WHEN length({column}) = 16 THEN hex({column}) ELSE {UNFIT} END",
        }
        shapes = frozenset(["0" * 32, "-".join(["0" * 8, "0" * 4, "0" * 4, "0" * 4, "0" * 12])])
        sound = shaped(shapes, hexadecimal=True)
        return FastForm(forms, whole(sound), sound=sound)


class EnumCodec(Codec):
    """A native enum: TEXT that is one of its labels, letter for letter."""

    def __init__(self, sql_type: SqlType) -> None:
        super().__init__(sql_type)
        self.labels: FrozenSet[str] = frozenset(sql_type.labels)

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            raise self.wrong_class(value)
        if value not in self.labels:
            known = ", ".join(self.type.labels[:12]) + (", ..." if len(self.type.labels) > 12 else "")
            raise Misfit("not_in_enum", f"{sample(value)} is not a label of {self.type} ({known})")
        return value

    def fast(self, column: str) -> FastForm:
        sound = among(self.labels)
        return FastForm({"text": column}, whole(sound), sound=sound)


class JsonCodec(Codec):
    """json: the document's text as it is. A column of declared type JSON keeps bare numbers as INTEGER or REAL."""

    def encode(self, value: SqliteValue) -> str:
        text = self._text(value)
        self.check(text)
        return text

    def check(self, text: str) -> None:
        """Raise Misfit unless I(text) is a JSON document that this type keeps whole."""
        _json.check_json(text)

    def fast(self, column: str) -> FastForm:
        # The shortest decimal of a number is Python's to find: SQLite's digits would be another number.
        # They are marked by a character with which no text that qualifies begins.
        forms = {
            "text": f"CASE WHEN {column} >= ' ' COLLATE BINARY THEN {column} ELSE {UNFIT} END",
            "integer": column,
        }
        return FastForm(forms, self._documents, certain=self._certain, real=REAL, unmarked=True)

    def _certain(self, documents: Collection[bytes]) -> bool:
        mark = REAL.encode()
        try:
            for document in documents:
                if document[:1] != mark:
                    self.check(document.decode())
        except Misfit:
            return False
        return True

    def _documents(self, text: bytes, fields: Fields) -> Optional[Fields]:
        if REAL.encode() in text:
            mark = REAL.encode()
            fields = [repr(float(field[1:])).encode() if field[:1] == mark else field for field in fields]
        return fields if self.sound(set(fields) - {NULL.encode()}) else None

    def sound(self, documents: Collection[bytes]) -> bool:
        """False if one of the documents, all of which PostgreSQL takes, is one that C(check) refuses."""
        return _json.parses(documents)

    def _text(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            if "\x00" in value:
                raise Misfit("nul_character", f"NUL character at position {value.index(chr(0))}")
            return value
        if isinstance(value, float):
            if math.isinf(value):
                raise Misfit("json_nan", f"{value!r} is not a JSON number")
            return repr(value)
        if isinstance(value, int):
            return str(value)
        if isinstance(value, InvalidText):
            raise Misfit("invalid_utf8", f"the text is not UTF-8: {sample(value)}")
        raise self.wrong_class(value)


class JsonbCodec(JsonCodec):
    """jsonb: by meaning. Order of keys, white space and the spelling of equal numbers have none."""

    def check(self, text: str) -> None:
        _json.check_jsonb(text)

    def sound(self, documents: Collection[bytes]) -> bool:
        return _json.keeps(documents)

    def canonical(self, literal: str) -> str:
        return _json.canonical(literal)
