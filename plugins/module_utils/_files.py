# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that are there as a whole or not at all, however the machine stops."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Optional


def read_optional(path: str) -> Optional[bytes]:
    """The content of I(path), None where there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def replace_file(path: str, content: bytes, mode: Optional[int] = None) -> None:
    """Put I(content) at I(path) by writing beside it, syncing and renaming.

    A file that is replaced hands on its owner, group, mode and extended attributes; I(mode) overrides the
    mode, and a new file has 0600 without it. A symbolic link stays one: the file it leads to is replaced.
    OSError as the system raises it.
    """
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    handle, beside = tempfile.mkstemp(prefix=".mcps-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            _take_over(path, beside, mode)
            os.fsync(stream.fileno())
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    sync_folder(folder)


def remove_file(path: str) -> None:
    """Remove I(path) for good; nothing happens where there is no such file."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(os.path.realpath(path)))


def sync_folder(folder: str) -> None:
    """Make names that came or went in I(folder) survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_over(original: str, beside: str, mode: Optional[int]) -> None:
    """Give the new file the old one's owner and attributes; it is 0600 until then."""
    try:
        was = os.stat(original)
    except FileNotFoundError:
        os.chmod(beside, 0o600 if mode is None else mode)
        return
    now = os.stat(beside)
    if (now.st_uid, now.st_gid) != (was.st_uid, was.st_gid):
        os.chown(beside, was.st_uid, was.st_gid)
    shutil.copystat(original, beside)
    os.utime(beside)
    if mode is not None:
        os.chmod(beside, mode)
