# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: python -m packages.harvester.cli stats | seed."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from packages.harvester.database import DatabaseMissing, sync_engine
from packages.harvester.dirty import CATALOGUE, add_dirty_rows
from packages.harvester.seed import seed
from packages.harvester.settings import Settings, SettingsError, load_settings
from packages.harvester.stats import SchemaMissing, as_text, collect


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after a message on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings()
        if arguments.command == "stats":
            return _stats(settings, as_json=arguments.json)
        return _seed(settings, arguments)
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]).upper() for item in error.errors())
        return _fail(arguments.command, f"the settings are not valid: {fields}")
    except (DatabaseMissing, SchemaMissing, SettingsError, ValueError) as error:
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


def _fail(command: str, message: str) -> int:
    print(f"{command}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
