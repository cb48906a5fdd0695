# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every model shares: naming convention, column types, time stamps."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, Float, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Names of constraints and indexes, the same on SQLite and PostgreSQL.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: Any JSON document: text on SQLite, jsonb on PostgreSQL. None is stored as JSON null, sqlalchemy.null() as SQL NULL.
JsonDocument = JSON().with_variant(JSONB(), "postgresql")

#: A list of strings: text[] on PostgreSQL, a JSON array on SQLite; None is SQL NULL on both.
TextList = ARRAY(Text).with_variant(JSON(none_as_null=True), "sqlite")

PrimaryKey = Annotated[int, mapped_column(primary_key=True)]
PublicId = Annotated[uuid.UUID, mapped_column(Uuid(), unique=True, default=uuid.uuid4)]
LongText = Annotated[str, mapped_column(Text())]
Json = Annotated[Any, mapped_column(JsonDocument, nullable=False)]
OptionalJson = Annotated[Any, mapped_column(JsonDocument, nullable=True)]
Strings = Annotated[list[str], mapped_column(TextList)]


def utc_now() -> datetime:
    """The present moment in UTC without a time zone, as every datetime column holds it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {float: Float()}


class Created:
    """When the row was written first."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now, sort_order=90)


class Stamped(Created):
    """When the row was written first and last."""

    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now, sort_order=91)
