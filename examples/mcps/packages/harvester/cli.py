# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: python -m packages.harvester.cli stats | seed | harvest-social."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
from collections.abc import Sequence

import httpx
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from packages.harvester.database import DatabaseMissing, async_engine, sync_engine
from packages.harvester.dirty import CATALOGUE, add_dirty_rows
from packages.harvester.seed import seed
from packages.harvester.settings import Settings, SettingsError, load_settings
from packages.harvester.social import FEEDS, FeedError, harvest
from packages.harvester.stats import SchemaMissing, as_text, collect


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after a message on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings()
        if arguments.command == "stats":
            return _stats(settings, as_json=arguments.json)
        if arguments.command == "harvest-social":
            return asyncio.run(_harvest(settings, arguments))
        return _seed(settings, arguments)
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]).upper() for item in error.errors())
        return _fail(arguments.command, f"the settings are not valid: {fields}")
    except KeyboardInterrupt:
        return _fail(arguments.command, "stopped; the same command goes on")
    except (DatabaseMissing, FeedError, SchemaMissing, SettingsError, ValueError) as error:
        return _fail(arguments.command, str(error))
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        return _fail(arguments.command, f"the database refused: {str(cause).strip()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="packages.harvester.cli", description="The harvester's command line.")
    commands = parser.add_subparsers(dest="command", required=True)
    stats = commands.add_parser("stats", help="count rows and a few figures")
    stats.add_argument("--json", action="store_true", help="print JSON")
    seeding = commands.add_parser("seed", help="fill an empty, migrated database with generated rows")
    seeding.add_argument("--servers", type=_positive, required=True, help="how many servers; about 21 rows each")
    seeding.add_argument("--seed", type=int, default=42, help="the same seed gives the same rows (default 42)")
    seeding.add_argument("--batch", type=_positive, default=500, help="servers held in memory at a time (default 500)")
    seeding.add_argument("--append", action="store_true", help="add to the rows that are there")
    seeding.add_argument("--dirty", action="store_true", help="add rows that PostgreSQL will not take (SQLite only)")
    social = commands.add_parser(
        "harvest-social", help="read the feeds of social platforms, from where the last run ended"
    )
    social.add_argument("--platform", default="all", choices=["all", *FEEDS], help="which feed (default all)")
    social.add_argument("--workers", type=_positive, default=4, help="how many feeds at a time (default 4)")
    social.add_argument("--page", type=_positive, default=100, help="items per page, a transaction each (default 100)")
    social.add_argument("--every", type=float, help="begin anew so many seconds after the end, until stopped")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _stats(settings: Settings, *, as_json: bool) -> int:
    engine = sync_engine(settings)
    try:
        figures = collect(engine)
    finally:
        engine.dispose()
    print(json.dumps(figures, indent=2) if as_json else as_text(figures))
    return 0


def _seed(settings: Settings, arguments: argparse.Namespace) -> int:
    path = settings.sqlite_path
    if arguments.dirty and path is None:
        raise ValueError("--dirty needs an SQLite file: PostgreSQL takes no such rows")
    engine = sync_engine(settings)
    try:
        counts = seed(
            engine,
            servers=arguments.servers,
            seed=arguments.seed,
            batch=arguments.batch,
            append=arguments.append,
        )
    finally:
        engine.dispose()
    for name, count in counts.items():
        print(f"{name:<20} {count}")
    print(f"{'total':<20} {sum(counts.values())}")
    if arguments.dirty and path is not None:
        try:
            add_dirty_rows(path)
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the dirty rows are in the database already ({error})") from error
        print("dirty rows")
        for row in CATALOGUE:
            print(f"  {row.name:<24} {row.table}.{row.column} id {row.row_id}: {row.kind}")
    return 0


async def _harvest(settings: Settings, arguments: argparse.Namespace) -> int:
    if not settings.feed_url:
        raise ValueError("set FEED_URL to where the feeds are")
    names = list(FEEDS) if arguments.platform == "all" else [arguments.platform]
    engine = async_engine(settings)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        async with httpx.AsyncClient(base_url=settings.feed_url, timeout=30) as client:
            while True:
                found = await harvest(
                    engine, client, names, workers=arguments.workers, limit=arguments.page, stopped=stopped
                )
                for name, count in sorted(found.items.items()):
                    print(f"{name:<20} {count}")
                print(f"{'total':<20} {found.total}", flush=True)
                if arguments.every is None or stopped.is_set():
                    return 0
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), arguments.every)
                    return 0
    finally:
        await engine.dispose()


def _fail(command: str, message: str) -> int:
    print(f"{command}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
