# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document beside a snapshot that says what it is: content hash, rows per table, where it came from."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, Optional

from .._errors import SourceError
from ._file import RawFile, wal_bytes

FORMAT = "mcps.postgres/snapshot/1"
SUFFIX = ".manifest.json"


def manifest_path(snapshot: str) -> str:
    """Where the manifest of I(snapshot) is unless somebody wants it elsewhere."""
    return snapshot + SUFFIX


def load_manifest(path: str) -> Optional[Dict[str, Any]]:
    """The manifest in the file I(path); None where there is no file. Raises SourceError where it is something else."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SourceError(
            f"The snapshot's manifest {path} cannot be read: {error}.", advice="Remove it, or take a new snapshot."
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise SourceError(
            f"{path} is not a snapshot's manifest of this collection.", advice="Choose another name for the manifest."
        )
    return document


def hash_file(path: str) -> str:
    """SHA-256 of the file's bytes in hexadecimal."""
    with RawFile(path) as file:
        return _hash(file)


def _hash(file: RawFile) -> str:
    digest = hashlib.sha256()
    for piece in file.pieces():
        digest.update(piece)
    return digest.hexdigest()


def recorded_hash(snapshot: str) -> str:
    """The content hash of I(snapshot) by the manifest beside it, or empty if there is none or the file is another.

    The file is hashed only where its time of change is not the recorded one (a copy, a restored backup).
    """
    try:
        manifest = load_manifest(manifest_path(snapshot))
    except SourceError:
        return ""
    if manifest is None or wal_bytes(snapshot):
        return ""
    with RawFile(snapshot) as file:
        status = file.status()
        if status.st_size != manifest.get("size"):
            return ""
        recorded = str(manifest.get("sha256", ""))
        return recorded if status.st_mtime_ns == manifest.get("mtime_ns") or _hash(file) == recorded else ""
