# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fifteen tables of the application."""

from packages.harvester.models.base import Base
from packages.harvester.models.enums import (
    ArticlePlatform,
    ContentCategory,
    DependencyType,
    HostType,
    RiskLevel,
    SentimentScore,
    SocialPlatform,
    VideoPlatform,
)
from packages.harvester.models.registry import (
    Contributor,
    Dependency,
    ProcessingLog,
    Prompt,
    Release,
    ResourceTemplate,
    Server,
    Tool,
    ToolEmbedding,
)
from packages.harvester.models.social import Article, Company, Discussion, Event, SocialPost, Video

__all__ = [
    "Article",
    "ArticlePlatform",
    "Base",
    "Company",
    "ContentCategory",
    "Contributor",
    "Dependency",
    "DependencyType",
    "Discussion",
    "Event",
    "HostType",
    "ProcessingLog",
    "Prompt",
    "Release",
    "ResourceTemplate",
    "RiskLevel",
    "SentimentScore",
    "Server",
    "SocialPlatform",
    "SocialPost",
    "Tool",
    "ToolEmbedding",
    "Video",
    "VideoPlatform",
]
