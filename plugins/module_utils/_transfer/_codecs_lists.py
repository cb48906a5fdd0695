# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codecs of vectors and arrays."""

from __future__ import annotations

import math
import re
import struct
import sys
from array import array
from decimal import Decimal
from functools import partial
from typing import Any, Collection, List, Optional, Tuple

from . import _json
from ._codec import Codec
from ._codecs_numbers import BooleanCodec, NumericCodec
from ._codecs_texts import JsonCodec
from ._fast import NULL, ROW, UNFIT, FastForm, Fields, Raw
from ._types import SqlType
from ._values import Misfit, SqliteValue, sample
from ._wire import wired_vector

_ROW = ROW.encode()
#: PostgreSQL's limit of an array's dimensions (MAXDIM).
MAX_DIMENSIONS = 6


def _elements(literal: str) -> List[str]:
    """The numbers of a vector's text."""
    return literal.strip()[1:-1].split(",")


def _vectors(size: int, raw: bytes) -> Optional[List[bytes]]:
    """The binary format of vectors that are I(size) bytes of float32, little-endian, each; None where one is not finite."""
    numbers = array("f", raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    # Sign and most of the exponent stand in the last byte; those of infinity and NaN are among these two.
    # One that is not finite makes the sum so; doubles hold any sum of float32.
    if len(raw[3::4].translate(None, b"\x7f\xff")) != len(numbers) and not math.isfinite(sum(numbers)):
        return None
    numbers.byteswap()
    # pgvector's format: the number of dimensions, 16 bits that are not used, and the numbers, big-endian.
    head, swapped = struct.pack(">HH", size // 4, 0), numbers.tobytes()
    return [head + swapped[start : start + size] for start in range(0, len(swapped), size)]


class VectorCodec(Codec):
    """vector and halfvec of pgvector: a JSON array of finite numbers, or a BLOB of little-endian float32.

    A number of an array stands for the nearest value of the type's width (float32, float16), as it does when the
    application writes the column itself. Numbers may be spelled as pgvector spells them, which JSON would not (V(.5)).
    """

    _NUMBER = r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*"
    LITERAL = re.compile(rf"\s*\[{_NUMBER}(?:,{_NUMBER})*\]\s*", re.ASCII)

    def __init__(self, sql_type: SqlType) -> None:
        super().__init__(sql_type)
        self.half = sql_type.name == "halfvec"

    def encode(self, value: SqliteValue) -> str:
        if isinstance(value, str):
            numbers = self._from_text(value)
        elif isinstance(value, bytes):
            numbers = self._from_blob(value)
        else:
            raise self.wrong_class(value)
        if not numbers:
            raise Misfit("not_a_vector", "a vector has at least one number")
        if self.type.length is not None and len(numbers) != self.type.length:
            raise Misfit("not_a_vector", f"{len(numbers)} numbers, {self.type} has {self.type.length}")
        narrow = self._narrow(numbers)
        if isinstance(value, str) and narrow != numbers:
            narrow = self._nearest(value, numbers, narrow)
        return "[" + ",".join([format(number, ".9g") for number in narrow]) + "]"

    def fast(self, column: str) -> FastForm:
        if self.half:
            # pgvector rounds twice there, through float32.
            return super().fast(column)
        # A text that begins as an array may, with white space before: neither NULL's mark nor that of a BLOB. Asked
        # for in one go, because SQLite reads a long text anew each time.
        array_like = f"CASE WHEN {column} COLLATE BINARY BETWEEN char(9) AND 'w' THEN {column} ELSE {UNFIT} END"
        forms = {"text": array_like, "blob": f"'x' || {self._whole(column)}"}
        return FastForm(forms, self._digits, self._wired, self._certain, unmarked=True)

    def blobs(self, column: str) -> FastForm:
        """The short cut for BLOBs of one length, which none but a binary COPY takes."""
        size = 4 * (self.type.length or 0)
        if self.half or not size:
            return self.fast(column)
        mark = f"CASE WHEN length({column}) = {size} THEN 'x' ELSE {UNFIT} END"
        values = f"CASE typeof({column}) WHEN 'blob' THEN {column} ELSE '' END"
        return FastForm({"blob": mark}, lambda _text, _fields: None, raw=Raw(size, values, partial(_vectors, size)))

    def _certain(self, texts: Collection[bytes]) -> bool:
        blobs = [text for text in texts if text[:1] == b"x"]
        return self._wired(b"", blobs) is not None and self.all_fit(text for text in texts if text[:1] != b"x")

    def _whole(self, column: str) -> str:
        """SQL: the digits of I(column), which is a BLOB, if it is as long as a vector of this type."""
        length = self.type.length
        right = f"= {4 * length}" if length is not None else f">= 4 AND length({column}) % 4 = 0"
        return f"CASE WHEN length({column}) {right} THEN hex({column}) ELSE {UNFIT} END"

    def _wired(self, _text: bytes, fields: Fields) -> Optional[List[Optional[bytes]]]:
        wired: List[Optional[bytes]] = []
        try:
            for field in fields:
                if field[:1] == b"x":
                    raw = bytes.fromhex(field[1:].decode())
                    vectors = _vectors(len(raw), raw)
                    if vectors is None:
                        return None
                    wired += vectors
                elif field == NULL.encode():
                    wired.append(None)
                else:
                    wired.append(wired_vector(array("f", map(float, _elements(self.encode(field.decode()))))))
        except (Misfit, ValueError):
            return None
        return wired

    def _digits(self, text: bytes, fields: Fields) -> Optional[Fields]:
        # Of whatever else PostgreSQL takes (0x1p3, say) something is none of these, and the mark of a BLOB is not.
        return None if text.translate(None, b"0123456789+-.eE, []" + ROW.encode() + NULL.encode()) else fields

    def _from_text(self, text: str) -> List[float]:
        try:
            document = _json.load_array(text, "not_a_vector")
        except Misfit:
            if not self.LITERAL.fullmatch(text):
                raise
            document = list(map(float, _elements(text)))
        for number in document:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise Misfit("not_a_vector", f"{sample(str(number))} is not a number")
        try:
            return [float(number) for number in document]
        except OverflowError:
            raise Misfit("out_of_range", "a number is outside the range of floats") from None

    def _from_blob(self, blob: bytes) -> List[float]:
        if len(blob) % 4:
            raise Misfit("not_a_vector", f"a BLOB of {len(blob)} bytes is not an array of float32")
        return list(struct.unpack(f"<{len(blob) // 4}f", blob))

    def _narrow(self, numbers: List[float]) -> List[float]:
        if not all(map(math.isfinite, numbers)):
            raise Misfit("not_a_vector", "NaN or Infinity cannot be an element")
        code = f"<{len(numbers)}{'e' if self.half else 'f'}"
        try:
            return list(struct.unpack(code, struct.pack(code, *numbers)))
        except OverflowError:
            raise Misfit("out_of_range", f"a number is outside the range of {self.type.name}") from None

    @staticmethod
    def _nearest(text: str, numbers: List[float], narrow: List[float]) -> List[float]:
        """I(narrow) corrected where a number's double is half way between two float32, but its text is not.

        Rounding twice (text to double to float32) would round such a half to even, PostgreSQL reads the text at once.
        """
        others = [2 * number - rounded for number, rounded in zip(numbers, narrow)]
        try:
            halves = [n != r and o == f for n, r, o, f in zip(numbers, narrow, others, array("f", others))]
        except OverflowError:
            return narrow
        if not any(halves):
            return narrow
        corrected = list(narrow)
        for place, part in enumerate(_elements(text)):
            if halves[place]:
                exact, half = Decimal(part.strip()), Decimal(numbers[place])
                if exact != half:
                    pair = (narrow[place], others[place])
                    corrected[place] = max(pair) if exact > half else min(pair)
        return corrected

    def canonical(self, literal: str) -> str:
        numbers = [float(part) for part in _elements(literal)]
        if self.half:
            return struct.pack(f"<{len(numbers)}e", *numbers).hex()
        return array("f", numbers).tobytes().hex()


#: Arrays without the signs that part their texts: one pair of quotes each, so that no sign was inside of a text.
_PLAIN_TEXTS = re.compile(rb'(?:(?:\["[^"\\\x00-\x1f]*"\]|\[\]|' + NULL.encode() + rb")" + _ROW + rb")*")


class ArrayCodec(Codec):
    """A native array, from a JSON array whose elements fit the element type. Nested arrays must be rectangular."""

    def __init__(self, sql_type: SqlType, element: Codec) -> None:
        super().__init__(sql_type)
        self.element = element

    def encode(self, value: SqliteValue) -> str:
        if not isinstance(value, str):
            raise self.wrong_class(value)
        if value.strip() == "null":
            raise Misfit("json_null", "JSON null is not an array")
        document = _json.load_array(value, "not_an_array", exact=isinstance(self.element, NumericCodec))
        self._shape(document)
        return self._braces([self._literal(item) for item in document])

    def fast(self, column: str) -> FastForm:
        form = super().fast(column)
        element = self.element.type
        plain = element.name in ("text", "character varying") and element.length is None
        return FastForm(form.classes, self._texts) if plain else form

    def _texts(self, text: bytes, fields: Fields) -> Optional[Fields]:
        # Where all elements are texts that JSON writes as they are, only the brackets differ.
        if not any(_PLAIN_TEXTS.fullmatch(text.replace(sign, b"") + _ROW) for sign in (b'", "', b'","')):
            return self.singly()(text, fields)
        bounded = (_ROW + text + _ROW).replace(_ROW + b"[", _ROW + b"{").replace(b"]" + _ROW, b"}" + _ROW)
        return bounded[1:-1].split(_ROW)

    def _shape(self, items: List[Any], dimensions: int = MAX_DIMENSIONS) -> Tuple[int, ...]:
        """Lengths by dimension; Misfit where there are more of these, or rows of a nested array differ in length."""
        if not dimensions:
            raise Misfit("not_an_array", f"PostgreSQL arrays have at most {MAX_DIMENSIONS} dimensions")
        nested = [item for item in items if isinstance(item, list)]
        if not nested:
            return (len(items),)
        shapes = {self._shape(item, dimensions - 1) for item in nested}
        if len(nested) != len(items) or len(shapes) != 1 or shapes == {(0,)}:
            raise Misfit("not_an_array", "a nested array must be rectangular and not empty")
        return (len(items),) + shapes.pop()

    def _literal(self, item: Any) -> str:
        if item is None:
            return "NULL"
        if isinstance(item, list):
            return self._braces([self._literal(inner) for inner in item])
        return self._quote(self.element.encode(self._element_value(item)))

    def _element_value(self, item: Any) -> SqliteValue:
        if isinstance(self.element, JsonCodec):
            return _json.dump(item)
        if isinstance(item, dict):
            raise Misfit("not_an_array", f"an object is not a {self.element.type}")
        if isinstance(item, bool):
            if not isinstance(self.element, BooleanCodec):
                raise Misfit("not_an_array", f"element {item} is not a {self.element.type}")
            return int(item)
        result: SqliteValue = item
        return result

    @staticmethod
    def _braces(parts: List[str]) -> str:
        return "{" + ",".join(parts) + "}"

    @staticmethod
    def _quote(literal: str) -> str:
        return '"' + literal.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def canonical(self, literal: str) -> str:
        if not literal.startswith("{"):
            # Bounds that do not begin at 1, e.g. [0:1]={a,b}: another array than any that JSON can stand for.
            return literal
        return self._normal(parse_array(literal))

    def _normal(self, items: List[Any]) -> str:
        parts = []
        for item in items:
            if item is None:
                parts.append("NULL")
            elif isinstance(item, list):
                parts.append(self._normal(item))
            else:
                parts.append(self._quote(self.element.canonical(item)))
        return self._braces(parts)


def parse_array(literal: str) -> List[Any]:
    """The nested lists of texts and None of an array literal (PostgreSQL manual, 8.15.6)."""
    stack: List[List[Any]] = []
    position = 0
    length = len(literal)
    while position < length:
        char = literal[position]
        if char == "{":
            inner: List[Any] = []
            if stack:
                stack[-1].append(inner)
            stack.append(inner)
            position += 1
        elif char == "}":
            if len(stack) == 1:
                return stack[0]
            stack.pop()
            position += 1
        elif char == ",":
            position += 1
        elif char == '"':
            position += 1
            piece: List[str] = []
            while literal[position] != '"':
                if literal[position] == "\\":
                    position += 1
                piece.append(literal[position])
                position += 1
            stack[-1].append("".join(piece))
            position += 1
        else:
            end = position
            while literal[end] not in ",}":
                end += 1
            word = literal[position:end]
            stack[-1].append(None if word == "NULL" else word)
            position = end
    raise ValueError(f"not an array literal: {literal[:60]}")
