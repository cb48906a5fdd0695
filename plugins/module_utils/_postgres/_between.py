# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A query of one table, kept to a range of its key."""

from __future__ import annotations

from typing import Optional

from .._transfer._compare import KeyRange
from ._session import Statement, compose, identifier, raw


def within(query: Statement, between: Optional[KeyRange]) -> Statement:
    """I(query), which has no WHERE yet, for the rows of I(between), or for all."""
    if between is None:
        return query
    return compose(
        "{query} WHERE {column} BETWEEN {first} AND {last}",
        query=query,
        column=identifier(between.column),
        first=raw(f"'{between.first}'::pg_catalog.int8"),
        last=raw(f"'{between.last}'::pg_catalog.int8"),
    )
