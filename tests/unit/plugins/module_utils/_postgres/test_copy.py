# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""COPY text as PostgreSQL's documentation describes it, read and written here by other means than the code's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._postgres import _copy
from ansible_collections.mcps.postgres.plugins.module_utils._postgres._copy import chunks, decode_row, encode_chunk

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")) | st.text(
    "\\\n\r\t\x02\x03\x04Nbfv.ab", max_size=8
)
FIELDS = st.none() | TEXT
ROWS = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[FIELDS] * width), min_size=1, max_size=6))

#: What a backslash makes of the next character (PostgreSQL, "COPY", text format).
SPECIAL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def read_as_the_server(data: bytes) -> list[tuple[str | None, ...]]:
    """A reader one character at a time: lines, then fields, NULL before escapes are taken away."""
    text = data.decode()
    assert text.endswith("\n")
    rows = []
    for line in re.findall(r"((?:[^\\\n]|\\.)*)\n", text, re.DOTALL):
        fields = re.findall(r"((?:[^\\\x02]|\\.)*)(?:\x02|\Z)", line, re.DOTALL)
        if not line.endswith("\x02") and len(fields) > 1:
            fields = fields[:-1] if fields[-1] == "" else fields
        rows.append(tuple(None if f == "\x04" else re.sub(r"\\(.)", unescape, f, flags=re.DOTALL) for f in fields))
    return rows


def unescape(match: re.Match[str]) -> str:
    return SPECIAL.get(match.group(1), match.group(1))


@given(ROWS)
def test_what_is_written_is_read_back(rows: list[tuple[str | None, ...]]) -> None:
    data = encode_chunk(rows)
    assert b"\r" not in data and data.count(b"\n") == len(rows)
    # A sentinel keeps empty last fields apart from none.
    guarded = encode_chunk([(*row, "end") for row in rows])
    assert [row[:-1] for row in read_as_the_server(guarded)] == rows


@pytest.mark.parametrize(
    ("row", "data"),
    [
        (("a", "b"), b"a\x02b\n"),
        ((None, ""), b"\x04\x02\n"),
        (("\x04", "\\N"), b"\\\x04\x02\\\\N\n"),
        (("\x02\x03",), b"\\\x02\x03\n"),
        (("line\nreturn\rback\\",), b"line\\nreturn\\rback\\\\\n"),
        (("\\.",), b"\\\\.\n"),
    ],
)
def test_the_text_itself(row: tuple[str | None, ...], data: bytes) -> None:
    assert encode_chunk([row]) == data


def as_the_server_writes(row: tuple[str | None, ...]) -> bytes:
    letters = {special: letter for letter, special in SPECIAL.items()}
    fields = [
        "\\N" if field is None else "".join("\\" + letters.get(c, c) if c in letters or c == "\\" else c for c in field)
        for field in row
    ]
    return ("\t".join(fields) + "\n").encode()


@given(st.lists(FIELDS, min_size=1, max_size=5).map(tuple))
def test_what_the_server_writes_is_read(row: tuple[str | None, ...]) -> None:
    assert decode_row(as_the_server_writes(row)) == row


def test_chunks_are_bounded_by_rows_and_by_bytes() -> None:
    small = list(chunks(["x"] for _ in range(2 * _copy.CHUNK_ROWS + 1)))
    assert [count for count, _ in small] == [_copy.CHUNK_ROWS, _copy.CHUNK_ROWS, 1]
    large = list(chunks(["x" * (_copy.CHUNK_BYTES // 2)] for _ in range(5)))
    assert [count for count, _ in large] == [2, 2, 1]
    assert b"".join(data for _, data in small).count(b"\n") == 2 * _copy.CHUNK_ROWS + 1
    assert list(chunks([])) == []


def test_a_long_row_is_sent_in_pieces() -> None:
    long = "a\\b\n\x02\x03\x04\r\u20ac" * (_copy.PIECE_CHARACTERS // 4)
    rows = [["1", "x", None], ["2", long, ""], ["3", None, "y"], ["4", "\x04" * (_copy.PIECE_CHARACTERS + 1), None]]
    pieces = list(chunks(rows))
    assert [count for count, _ in pieces if count] == [1, 1, 1, 1]
    assert all(pieces_data for _, pieces_data in pieces), "an empty piece would end the COPY"
    assert max(len(data) for _, data in pieces) < 4 * _copy.PIECE_CHARACTERS
    assert b"".join(data for _, data in pieces) == b"".join(encode_chunk([row]) for row in rows)
