# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/tools: what servers offer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from packages.api import search
from packages.api.database import DatabaseOf
from packages.api.routes.records import Kind, Limit, Offset, add_paths, found, page_of
from packages.api.schemas import Page, SimilarTool, ToolChange, ToolIn, ToolOut
from packages.harvester.models import Tool

KIND = Kind("tool", Tool, ToolOut, ToolIn, ToolChange)
router = APIRouter(prefix="/tools", tags=["tools"])


@router.get("", response_model=Page[ToolOut])
async def list_tools(database: DatabaseOf, server_id: int | None = None, limit: Limit = 50, offset: Offset = 0) -> Any:
    """Tools by id, those of one server alone if it is named."""
    conditions: list[ColumnElement[bool]] = [] if server_id is None else [Tool.server_id == server_id]
    return await page_of(database, KIND, conditions, limit, offset)


@router.get("/{key}/similar", response_model=list[SimilarTool])
async def similar_tools(database: DatabaseOf, key: int, limit: Limit = 10) -> Any:
    """The tools whose vectors are nearest to that of this one, the nearest first."""

    async def work(session: AsyncSession) -> Any:
        await found(session, KIND, key)
        near = await search.similar(session, key, limit)
        return [SimilarTool(tool=ToolOut.model_validate(tool), distance=distance) for tool, distance in near]

    return await database.run(work)


add_paths(router, KIND)
