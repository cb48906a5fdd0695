# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's enumerations. The database holds the member's name, never its value."""

from __future__ import annotations

import enum


class HostType(enum.Enum):
    """Where a server is published."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NPM = "npm"
    PYPI = "pypi"
    DOCKER = "docker"
    HTTP = "http"


class RiskLevel(enum.Enum):
    """What a server could do to the machine that runs it."""

    SAFE = "safe"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class DependencyType(enum.Enum):
    """What a dependency is needed for."""

    RUNTIME = "runtime"
    DEV = "dev"
    PEER = "peer"


class SocialPlatform(enum.Enum):
    """Where a post or a discussion was found."""

    REDDIT = "reddit"
    TWITTER = "twitter"
    DISCORD = "discord"
    MASTODON = "mastodon"
    HACKER_NEWS = "hacker-news"


class VideoPlatform(enum.Enum):
    """Where a video was found."""

    YOUTUBE = "youtube"
    VIMEO = "vimeo"
    OTHER = "other"


class ArticlePlatform(enum.Enum):
    """Where an article was found."""

    MEDIUM = "medium"
    DEV_TO = "dev.to"
    HASHNODE = "hashnode"
    SUBSTACK = "substack"
    BLOG = "blog"


class ContentCategory(enum.Enum):
    """What a piece of content is about."""

    TUTORIAL = "tutorial"
    NEWS = "news"
    DISCUSSION = "discussion"
    ANNOUNCEMENT = "announcement"
    SHOWCASE = "showcase"
    OTHER = "other"


class SentimentScore(enum.Enum):
    """How a post feels about its subject."""

    VERY_NEGATIVE = "very-negative"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    VERY_POSITIVE = "very-positive"
