# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people say about servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ENUMS = {
    "socialplatform": (
        "REDDIT",
        "TWITTER",
        "DISCORD",
        "MASTODON",
        "HACKER_NEWS",
    ),
    "videoplatform": (
        "YOUTUBE",
        "VIMEO",
        "OTHER",
    ),
    "articleplatform": (
        "MEDIUM",
        "DEV_TO",
        "HASHNODE",
        "SUBSTACK",
        "BLOG",
    ),
    "contentcategory": (
        "TUTORIAL",
        "NEWS",
        "DISCUSSION",
        "ANNOUNCEMENT",
        "SHOWCASE",
        "OTHER",
    ),
    "sentimentscore": (
        "VERY_NEGATIVE",
        "NEGATIVE",
        "NEUTRAL",
        "POSITIVE",
        "VERY_POSITIVE",
    ),
}

#: Indexes of one column each, named ix_TABLE_COLUMN.
INDEXES = (
    ("social_posts", "author"),
    ("social_posts", "category"),
    ("social_posts", "platform"),
    ("social_posts", "post_id"),
    ("social_posts", "published_at"),
    ("social_posts", "relevance_score"),
    ("social_posts", "score"),
    ("social_posts", "sentiment"),
    ("videos", "category"),
    ("videos", "channel"),
    ("videos", "platform"),
    ("videos", "published_at"),
    ("videos", "title"),
    ("videos", "video_id"),
    ("videos", "view_count"),
    ("articles", "author"),
    ("articles", "category"),
    ("articles", "platform"),
    ("articles", "published_at"),
    ("articles", "reading_minutes"),
    ("articles", "title"),
    ("discussions", "category"),
    ("discussions", "is_answered"),
    ("discussions", "platform"),
    ("discussions", "reply_count"),
    ("discussions", "started_at"),
    ("discussions", "title"),
    ("events", "is_virtual"),
    ("events", "location"),
    ("events", "name"),
    ("events", "starts_at"),
    ("companies", "employee_count"),
    ("companies", "name"),
)

#: In the order in which foreign keys let them be created.
TABLES = ("social_posts", "videos", "articles", "discussions", "events", "companies")


def enum(name: str) -> sa.types.TypeEngine[str]:
    """The enum I(name): VARCHAR on SQLite, a type of its own on PostgreSQL, created beforehand."""
    labels = ENUMS[name]
    return sa.Enum(*labels, name=name).with_variant(
        postgresql.ENUM(*labels, name=name, create_type=False), "postgresql"
    )


def upgrade() -> None:
    """Create the enum types, the tables and their indexes."""
    if op.get_context().dialect.name == "postgresql":
        for name, labels in ENUMS.items():
            op.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(repr(label) for label in labels)})")
    op.create_table(
        "social_posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("platform", enum("socialplatform"), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("category", enum("contentcategory"), nullable=True),
        sa.Column("sentiment", enum("sentimentscore"), nullable=True),
        sa.Column("hashtags", sa.JSON(), nullable=True),
        sa.Column("mentions", sa.JSON(), nullable=False),
        sa.Column("media_urls", sa.JSON(), nullable=True),
        sa.Column("engagement", sa.JSON(), nullable=False),
        sa.Column("like_count", sa.Integer(), nullable=False),
        sa.Column("comment_count", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("relevance_score", sa.Float(), nullable=True),
        sa.Column("is_reply", sa.Boolean(), nullable=False),
        sa.Column("is_verified_author", sa.Boolean(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_social_posts"),
        sa.UniqueConstraint("url", name="uq_social_posts_url"),
        sa.UniqueConstraint("uuid", name="uq_social_posts_uuid"),
    )
    op.create_table(
        "videos",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("platform", enum("videoplatform"), nullable=False),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("category", enum("contentcategory"), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("chapters", sa.JSON(), nullable=True),
        sa.Column("view_count", sa.Integer(), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("has_captions", sa.Boolean(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
        sa.UniqueConstraint("uuid", name="uq_videos_uuid"),
    )
    op.create_table(
        "articles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("platform", enum("articleplatform"), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("category", enum("contentcategory"), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=True),
        sa.Column("reading_minutes", sa.Integer(), nullable=True),
        sa.Column("is_paywalled", sa.Boolean(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
        sa.UniqueConstraint("url", name="uq_articles_url"),
        sa.UniqueConstraint("uuid", name="uq_articles_uuid"),
    )
    op.create_table(
        "discussions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("platform", enum("socialplatform"), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("category", enum("contentcategory"), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("participants", sa.JSON(), nullable=True),
        sa.Column("reply_count", sa.Integer(), nullable=False),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_discussions"),
        sa.UniqueConstraint("url", name="uq_discussions_url"),
        sa.UniqueConstraint("uuid", name="uq_discussions_uuid"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("speakers", sa.JSON(), nullable=False),
        sa.Column("is_virtual", sa.Boolean(), nullable=False),
        sa.Column("starts_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("uuid", name="uq_events_uuid"),
    )
    op.create_table(
        "companies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("website", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("employee_count", sa.Integer(), nullable=True),
        sa.Column("products", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_companies"),
        sa.UniqueConstraint("uuid", name="uq_companies_uuid"),
        sa.UniqueConstraint("website", name="uq_companies_website"),
    )
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables, children first, and the enum types."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        for name in ENUMS:
            op.execute(f"DROP TYPE {name}")
