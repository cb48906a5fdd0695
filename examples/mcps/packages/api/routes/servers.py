# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/servers: the registry."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import ColumnElement

from packages.api.database import DatabaseOf
from packages.api.routes.records import Kind, Limit, Offset, add_paths, page_of
from packages.api.schemas import Page, ServerChange, ServerIn, ServerOut
from packages.harvester.models import Server
from packages.harvester.models.enums import HostType, RiskLevel

KIND = Kind("server", Server, ServerOut, ServerIn, ServerChange)
router = APIRouter(prefix="/servers", tags=["servers"])


@router.get("", response_model=Page[ServerOut])
async def list_servers(
    database: DatabaseOf,
    host_type: HostType | None = None,
    risk_level: RiskLevel | None = None,
    verified: bool | None = None,
    min_stars: int | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Any:
    """Servers by id, those alone that fit what is asked for."""
    conditions: list[ColumnElement[bool]] = []
    if host_type is not None:
        conditions.append(Server.host_type == host_type)
    if risk_level is not None:
        conditions.append(Server.risk_level == risk_level)
    if verified is not None:
        conditions.append(Server.verified_source.is_(verified))
    if min_stars is not None:
        conditions.append(Server.stars >= min_stars)
    return await page_of(database, KIND, conditions, limit, offset)


add_paths(router, KIND)
