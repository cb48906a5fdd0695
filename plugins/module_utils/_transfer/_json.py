# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as PostgreSQL understands it: what json and jsonb take, and when two documents mean the same."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, Callable, Collection, Dict, List, Tuple

from ._values import Misfit, sample

#: numeric, which jsonb keeps its numbers in: digits before and after the decimal point (PostgreSQL manual, 8.1.2).
MAX_INTEGER_DIGITS = 131072
MAX_FRACTION_DIGITS = 16383

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
#: Marks a number inside a normalised tree; text that holds it goes the slow way.
_NUMBER_MARK = "\ue000"
#: Only numbers with such an exponent, or in a text long enough for so many digits, can leave the range of numeric.
_GREAT_EXPONENT = re.compile(r"[eE][+-]?[0-9]{4}")

_FOUR_DIGITS = re.compile(rb"[+-]?[0-9]{4}")
#: A few hundred less than the nesting that Python's parser gives up at.
FEW_BRACKETS = 200
_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F]")
_PAIRS = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def _refuse_constant(name: str) -> Any:
    raise Misfit("json_nan", f"{name} is not JSON")


def _unique_object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise Misfit("json_duplicate_key", f"the key {sample(key)} occurs twice in one object")
            seen.add(key)
    return document


def _parse(text: str, decoder: json.JSONDecoder, kind: str = "invalid_json") -> Any:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise Misfit("json_too_deep", "nested too deeply") from None
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError) and decoder is not _RANGED:
            # Python reads no whole number of more than 4,300 digits; numeric does.
            return _parse(text, _RANGED, kind)
        raise Misfit(kind, f"{sample(text)} is not JSON: {error}") from None


def _keep(text: str) -> str:
    return text


def check_json(text: str) -> None:
    """Raise Misfit unless the type json takes I(text). Numbers of any length and repeated keys are fine there."""
    try:
        # Numbers that Python reads by itself are read in a fraction of the time.
        _PLAIN.decode(text)
    except (ValueError, RecursionError):
        _parse(text, _SPELLED)


def check_jsonb(text: str) -> None:
    """Raise Misfit unless jsonb takes I(text) and keeps all of it."""
    if len(text) > MAX_FRACTION_DIGITS or _GREAT_EXPONENT.search(text):
        document = _parse(text, _RANGED)
    else:
        document = _parse(text, _UNIQUE if "{" in text else _PLAIN)
    if "\\u" in text:
        if "\\u0000" in text:
            _each_string(document, _refuse_nul)
        if _ESCAPED_SURROGATE.search(text):
            _each_string(document, _refuse_surrogate)


def parses(documents: Collection[bytes]) -> bool:
    """False if one of I(documents), all of which PostgreSQL's json takes, is one that C(check_json) refuses."""
    text = b",".join(documents)
    return _flat(text, documents) or _parse_all(text, _SPELLED_ALL)


def keeps(documents: Collection[bytes]) -> bool:
    """False if one of I(documents), all of which PostgreSQL's json takes, is one that C(check_jsonb) refuses.

    It may be false for others too.
    """
    text = b",".join(documents)
    # Looked for before anything longer is: bytes are searched from a needle's end, and texts of many digits hold many of those.
    if b"\\" in text and (
        b"\\u0000" in text or (_SURROGATES.search(text) and _SURROGATES.search(_PAIRS.sub(b"", text)))
    ):
        return False
    if not _in_range(text) or any(len(document) > MAX_FRACTION_DIGITS for document in documents):
        return False
    # Without objects no key occurs twice, and what else there is to refuse PostgreSQL refuses.
    return (b"{" not in text and _flat(text, documents)) or _parse_all(text, _UNIQUE_ALL)


def _flat(text: bytes, documents: Collection[bytes]) -> bool:
    """Whether no document is nested too deeply for Python, as far as the number of brackets tells."""
    most = len(documents) + FEW_BRACKETS
    return _occurrences(text, b"[", most) + _occurrences(text, b"{", most) < most


def _occurrences(text: bytes, byte: bytes, most: int) -> int:
    """How often I(byte) is in I(text), up to I(most). Where that is seldom, count() takes many times as long as find()."""
    found, place = 0, text.find(byte)
    while place >= 0 and found < most:
        found += 1
        place = text.find(byte, place + 1)
    return found


def _parse_all(documents: bytes, decoder: json.JSONDecoder) -> bool:
    try:
        decoder.decode("[" + documents.decode() + "]")
    except (Misfit, ValueError, RecursionError):
        return False
    return True


def _in_range(documents: bytes) -> bool:
    """Whether no number can have a great exponent."""
    # Most texts of numbers have no exponent at all, which is found out in a fraction of the time that parting them takes.
    letters = [letter for letter in (b"e", b"E") if letter in documents]
    behind = {part[:5] for letter in letters for part in documents.split(letter)[1:]}
    return not any(map(_FOUR_DIGITS.match, behind))


def _refuse_repeated(pairs: List[Tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise Misfit("json_duplicate_key", "a key occurs twice in one object")


def _ranged(number: str) -> str:
    if "e" in number or "E" in number or len(number) > MAX_FRACTION_DIGITS:
        _, digits, exponent = Decimal(number).as_tuple()
        if len(digits) + int(exponent) > MAX_INTEGER_DIGITS or -int(exponent) > MAX_FRACTION_DIGITS:
            raise Misfit("out_of_range", f"the number {sample(number)} does not fit numeric, which jsonb uses")
    return number


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise Misfit("out_of_range", f"the number {sample(number)} is outside the range of doubles")
    return value


def _refuse_nul(text: str) -> None:
    if "\x00" in text:
        raise Misfit("json_nul", f"the text {sample(text)} holds \\u0000, which jsonb refuses")


def _refuse_surrogate(text: str) -> None:
    if _SURROGATE.search(text):
        raise Misfit("json_surrogate", "an unpaired surrogate, which jsonb refuses")


def _each_string(document: Any, visit: Callable[[str], None]) -> None:
    """Call I(visit) for every text of the document, keys included, without recursion."""
    todo = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            visit(item)
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            todo.extend(item.keys())
            todo.extend(item.values())


def canonical(text: str) -> str:
    """The normal form of a jsonb document: sorted keys, no white space, numbers by value as numeric compares them."""
    if _NUMBER_MARK in text or "\\ue000" in text.lower():
        return "tagged " + json.dumps(_tagged(_parse(text, _TAGGED)))
    return _SORTED.encode(_parse(text, _MARKED))


def _marked(number: str) -> str:
    return _NUMBER_MARK + normal_number(number)


def normal_number(number: str) -> str:
    """A JSON number without exponent, trailing zeros or the sign of zero: C(1.0), C(1) and C(1e0) are the same."""
    if "e" in number or "E" in number:
        number = format(Decimal(number), "f")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return "0" if number == "-0" else number


class _Number(str):
    """A number while documents are compared whose texts use the mark themselves."""


def _decoder(**hooks: Any) -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_refuse_constant, **hooks)


# Made once: json.loads() would make a new one for each document.
_PLAIN = _decoder()
_UNIQUE = _decoder(object_pairs_hook=_unique_object)
_SPELLED = _decoder(parse_int=_keep, parse_float=_keep)
_RANGED = _decoder(parse_int=_ranged, parse_float=_ranged, object_pairs_hook=_unique_object)
_MARKED = _decoder(parse_int=_marked, parse_float=_marked)
_TAGGED = _decoder(parse_int=_Number, parse_float=_Number)
_EXACT = _decoder(parse_float=_keep, object_pairs_hook=_unique_object)
_FINITE = _decoder(parse_float=_finite, object_pairs_hook=_unique_object)
_SPELLED_ALL = _decoder(parse_int=_keep, parse_float=_keep)
_UNIQUE_ALL = _decoder(object_pairs_hook=_refuse_repeated)
_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _tagged(item: Any) -> Any:
    if isinstance(item, _Number):
        return ["n", normal_number(item)]
    if isinstance(item, list):
        return ["a", [_tagged(inner) for inner in item]]
    if isinstance(item, dict):
        return ["o", sorted([key, _tagged(value)] for key, value in item.items())]
    return ["v", item]


def load_array(text: str, kind: str, exact: bool = False) -> List[Any]:
    """The elements of a JSON array; Misfit of I(kind) where I(text) is anything else.

    Numbers become int and float, or with I(exact) stay text as they are spelled if they are not whole.
    """
    document = _parse(text, _EXACT if exact else _FINITE, kind)
    if not isinstance(document, list):
        raise Misfit(kind, f"{sample(text)} is not a JSON array")
    return document


def dump(document: Any) -> str:
    """A parsed document as text again."""
    return json.dumps(document, ensure_ascii=False)
