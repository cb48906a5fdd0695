# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files: what is read, what an edit leaves alone, and what no file can hold."""

from __future__ import annotations

import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._dotenv import edited, parse, quoted, values
from ansible_collections.mcps.postgres.plugins.module_utils._errors import MigrationError

FILE = """\
# Database
export DATABASE_URL=sqlite+aiosqlite:///data/mcps.db  # the old one
DATABASE_PATH = 'data/mcps.db'

NOTE="two
DATABASE_URL=fake
lines"
DB_ECHO=no
DB_ECHO=false
LAST=#none"""

READ = [
    ("A=1\n", {"A": "1"}),
    ("A=1", {"A": "1"}),
    ("A=\n", {"A": ""}),
    ("  export  A = 1 \n", {"A": "1"}),
    ("#A=1\n", {}),
    ("nonsense\nA=1\n", {"A": "1"}),
    ("A=1\nA=2\n", {"A": "2"}),
    ("A=x#y #z\n", {"A": "x#y"}),
    ("A='x # y' # z\n", {"A": "x # y"}),
    ('A="x\\"y\\\\z"\n', {"A": 'x"y\\z'}),
    ('A="x\ny"\nB=1\n', {"A": "x\ny", "B": "1"}),
    ("A='open\nB=1\n", {"A": "'open", "B": "1"}),
    ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ("A=http://h/#f\n", {"A": "http://h/#f"}),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_reading(text: str, expected: dict[str, str]) -> None:
    assert values(text) == expected


def test_only_the_keys_in_question_change() -> None:
    text = edited(FILE, {"DATABASE_URL": "postgresql://u:p%40@h/d", "DB_ECHO": "true", "NEW": "a b"}, ["DATABASE_PATH"])
    assert text == FILE.replace(
        "export DATABASE_URL=sqlite+aiosqlite:///data/mcps.db  # the old one",
        "export DATABASE_URL=postgresql://u:p%40@h/d",
    ).replace("DATABASE_PATH = 'data/mcps.db'\n", "").replace("DB_ECHO=no\nDB_ECHO=false", "DB_ECHO=true").replace(
        "LAST=#none", "LAST=#none\nNEW='a b'\n"
    )


def test_what_is_there_already_stays_as_it_is_written() -> None:
    assert edited(FILE, {"DATABASE_PATH": "data/mcps.db", "LAST": ""}, ["GONE"]) == FILE


def test_line_ends_are_the_files_own() -> None:
    assert edited("A=1\r\nB=2\r\n", {"A": "3", "C": "4"}) == "A=3\r\nB=2\r\nC=4\r\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("A", "x\ny"),
        ("A", "x\ry"),
        ("A", "x\0y"),
        ("A", "x${y}"),
        ("A", "it's $5"),
        ("A", "a\\$b"),
        ("1A", "x"),
        ("A-B", "x"),
        ("", "x"),
        ("A\n", "x"),
    ],
)
def test_refused(key: str, value: str) -> None:
    with pytest.raises(MigrationError) as caught:
        edited("", {key: value})
    assert caught.value.advice
    assert value not in str(caught.value) or value == "x"


@given(st.text())
def test_stretches_join_to_the_text(text: str) -> None:
    assert "".join(line.text for line in parse(text)) == text
    assert edited(text, {}) == text


SAFE = st.text(alphabet=[c for c in map(chr, range(32, 127)) if c not in "$`"])


@given(SAFE)
def test_what_is_written_is_read_back_and_means_the_same_to_a_shell(value: str) -> None:
    assert values(f"A={quoted(value)}\n") == {"A": value}
    assert shlex.split(f"A={quoted(value)}") == [f"A={value}"]


@given(st.text(alphabet="AB= '\"#\\\nx\r"), SAFE)
def test_an_edit_reaches_its_aim_and_a_second_one_has_nothing_to_do(text: str, value: str) -> None:
    once = edited(text, {"A": value}, ["B"])
    assert values(once).get("A") == value
    assert "B" not in values(once)
    assert edited(once, {"A": value}, ["B"]) == once


def test_letters_and_digits_stand_bare() -> None:
    for value in (string.ascii_letters + string.digits, "postgresql+asyncpg://u:p%40@[::1]:5432/d?ssl=require", ""):
        assert quoted(value) == value
