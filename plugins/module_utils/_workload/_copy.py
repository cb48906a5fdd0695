# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's own copy of a snapshot: nothing is ever written to what the operator gave."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import Iterator

from .._errors import SourceError
from .._sqlite._file import RawFile
from .._sqlite._manifest import load_manifest, manifest_path, recorded_hash

#: The scratch table and the journals need room beside the copy.
ROOM = 64 << 20


def require_snapshot(path: str) -> None:
    """SourceError unless I(path) is a snapshot of another file, and is what its manifest says."""
    with RawFile(path):  # a missing file has its own words
        pass
    advice = "Take a snapshot by mcps.postgres.sqlite_snapshot, and give that."
    manifest = load_manifest(manifest_path(path))
    if manifest is None:
        raise SourceError(
            f"{path} is no snapshot, as it has no manifest beside it: a benchmark does not run on a live database.",
            advice=advice,
        )
    origin = str((manifest.get("source") or {}).get("path") or "")
    if origin and os.path.exists(origin) and os.path.samefile(origin, path):
        raise SourceError(f"{path} is the live database that its manifest names.", advice=advice)
    if not recorded_hash(path):
        raise SourceError(f"{path} is not the snapshot that its manifest describes: it has changed.", advice=advice)


@contextmanager
def own_copy(path: str, folder: str) -> Iterator[str]:
    """The path of a copy of I(path) in a new folder within I(folder), which is removed with all that is in it."""
    needed = os.stat(path).st_size + ROOM
    try:
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SourceError(
                f"{folder} has {free} bytes left, the benchmark's copy needs {needed}.",
                advice="Free some, or give work_dir another folder.",
            )
        place = tempfile.mkdtemp(prefix=".mcps-workload-", dir=folder)
    except OSError as error:
        raise SourceError(
            f"There can be no copy of {path} in {folder}: {error.strerror}.",
            advice="Give work_dir a folder that the module's user may write to.",
        ) from error
    try:
        copy = os.path.join(place, "copy.db")
        shutil.copyfile(path, copy)
        os.chmod(copy, 0o600)
        yield copy
    finally:
        shutil.rmtree(place, ignore_errors=True)
