# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements are spelled for each driver, with names that could be taken for something else."""

from __future__ import annotations

import sqlite3

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._workload._sql import Statement, column_list, literally

NAMES = ['a "quoted" one', "100%", "{p1}", "$1", "?", "%s", "select"]


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("sqlite", 'SELECT "50%" FROM "t" WHERE "50%" = ? OR "50%" = ?'),
        ("psycopg2", 'SELECT "50%%" FROM "t" WHERE "50%%" = %s OR "50%%" = %s'),
        ("asyncpg", 'SELECT "50%" FROM "t" WHERE "50%" = $1::text OR "50%" = $2::text'),
    ],
)
def test_each_driver_has_its_marks(driver: str, expected: str) -> None:
    statement = Statement("SELECT {c} FROM {t} WHERE {c} = {p1} OR {c} = {p2}", {"c": "50%", "t": "t"}, 2)
    assert statement.spelled(driver) == expected


def test_without_parameters_psycopg2_takes_a_per_cent_sign_as_it_is() -> None:
    assert Statement("SELECT {c}", {"c": "50%"}).spelled("psycopg2") == 'SELECT "50%"'
    assert literally("SELECT '%s', '{x}'").spelled("psycopg2") == "SELECT '%s', '{x}'"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_a_name(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        names = {"t": name, "c": name, "all": column_list((name,))}
        connection.execute(Statement("CREATE TABLE {t} ({all})", names).spelled("sqlite"))
        connection.execute(Statement("INSERT INTO {t} ({all}) VALUES ({p1})", names, 1).spelled("sqlite"), (5,))
        found = Statement("SELECT {all} FROM {t} WHERE {c} = {p1}", names, 1).spelled("sqlite")
        assert connection.execute(found, (5,)).fetchall() == [(5,)]
    finally:
        connection.close()
