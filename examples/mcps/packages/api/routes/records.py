# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, read, update and delete, which servers, tools and posts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from packages.api.database import Database, DatabaseOf

Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]


@dataclass(frozen=True)
class Kind:
    """One of the models, and the documents that stand for it."""

    name: str
    model: type[Any]
    out: type[BaseModel]
    new: type[BaseModel]
    change: type[BaseModel]


async def found(session: AsyncSession, kind: Kind, key: int) -> Any:
    """The record with this id. Raises HTTPException 404."""
    record = await session.get(kind.model, key) if -(2**31) <= key < 2**31 else None
    if record is None:
        raise HTTPException(404, f"there is no {kind.name} {key}")
    return record


async def page_of(
    database: Database, kind: Kind, conditions: Sequence[ColumnElement[bool]], limit: int, offset: int
) -> dict[str, Any]:
    """A page of the records for which I(conditions) hold, by id."""

    async def work(session: AsyncSession) -> dict[str, Any]:
        total = await session.scalar(select(func.count()).select_from(kind.model).where(*conditions))
        statement = select(kind.model).where(*conditions).order_by(kind.model.id).limit(limit).offset(offset)
        items = [kind.out.model_validate(item) for item in (await session.scalars(statement)).all()]
        return {"items": items, "total": total or 0, "limit": limit, "offset": offset}

    return await database.run(work)


def add_paths(router: APIRouter, kind: Kind) -> None:
    """Give I(router) the four paths of single records."""
    out, new, change = kind.out, kind.new, kind.change

    async def create(database: DatabaseOf, document: Any) -> Any:
        async def work(session: AsyncSession) -> Any:
            record = kind.model(**document.model_dump())
            session.add(record)
            await session.flush()
            return out.model_validate(record)

        return await _without_conflict(database, work)

    async def read(database: DatabaseOf, key: int) -> Any:
        async def work(session: AsyncSession) -> Any:
            return out.model_validate(await found(session, kind, key))

        return await database.run(work)

    async def update(database: DatabaseOf, key: int, document: Any) -> Any:
        async def work(session: AsyncSession) -> Any:
            record = await found(session, kind, key)
            for name, value in document.model_dump(exclude_unset=True).items():
                setattr(record, name, value)
            await session.flush()
            await session.refresh(record)
            return out.model_validate(record)

        return await _without_conflict(database, work)

    async def delete(database: DatabaseOf, key: int) -> Response:
        async def work(session: AsyncSession) -> None:
            await session.delete(await found(session, kind, key))

        await _without_conflict(database, work)
        return Response(status_code=204)

    # FastAPI reads the kind of document from the annotation.
    create.__annotations__["document"] = new
    update.__annotations__["document"] = change
    router.add_api_route("", create, methods=["POST"], status_code=201, response_model=out, name=f"create {kind.name}")
    router.add_api_route("/{key}", read, methods=["GET"], response_model=out, name=f"read {kind.name}")
    router.add_api_route("/{key}", update, methods=["PATCH"], response_model=out, name=f"update {kind.name}")
    router.add_api_route("/{key}", delete, methods=["DELETE"], status_code=204, name=f"delete {kind.name}")


async def _without_conflict(database: Any, work: Any) -> Any:
    """As Database.run; a value that is there already, or another record that still refers to this one, is 409."""
    try:
        return await database.run(work)
    except IntegrityError as error:
        raise HTTPException(409, "another record stands against it") from error
