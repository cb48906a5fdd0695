# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets runs of ansible-playbook share the modules that they have packed, see C(sitecustomize)."""

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Optional, Sequence

PACKER = "ansible.executor.module_common"
#: This collection's sources that can go into a packed module.
PLUGINS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "plugins")


def keep_in(folder: str) -> None:
    """Once Ansible's packer is imported, let its cache, which ends with the run, be one in I(folder)."""
    sys.meta_path.insert(0, _Finder(folder))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, _path: Optional[Sequence[str]], _target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name == PACKER:
            sys.meta_path.remove(self)
            self._share()
        return None

    def _share(self) -> None:
        from ansible import constants
        from ansible.release import __version__

        place = os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")
        shared = os.path.join(self._folder, f"packed-{__version__}-{sources()}")
        try:
            os.makedirs(shared, exist_ok=True)
            os.symlink(shared, place)
        except OSError:  # then this run packs for itself
            pass


def sources() -> str:
    """A hash over the content of everything that this collection's modules are made of, and where other collections lie."""
    found = hashlib.blake2b(digest_size=16)
    for entry in sys.path:
        found.update(entry.encode() + b"\0")
    for top in ("modules", "module_utils"):
        for folder, folders, files in os.walk(os.path.join(PLUGINS, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as stream:
                        found.update(os.path.relpath(path, PLUGINS).encode() + b"\0" + stream.read() + b"\0")
    return found.hexdigest()
