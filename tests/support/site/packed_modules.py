# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets runs of ansible-playbook share what they have packed and compiled, see C(sitecustomize)."""

import hashlib
import importlib.abc
import importlib.machinery
import os
import sys
from types import CodeType, ModuleType
from typing import Any, Callable, Optional, Sequence

PACKER = "ansible.executor.module_common"
#: Loads collections' plugins, each of which it compiles anew in every process. Imported before the packer is.
LOADER = "ansible.utils.collection_loader._collection_finder"
#: This collection's sources that can go into a packed module.
PLUGINS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "plugins")


def keep_in(folder: str, compiled: Callable[[str, bytes], Any]) -> None:
    """Once Ansible's packer is imported, let its cache, which ends with the run, be one in I(folder).

    I(compiled) makes code of a file's path and source.
    """
    sys.meta_path.insert(0, _Finder(folder, compiled))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, folder: str, compiled: Callable[[str, bytes], Any]) -> None:
        self._folder = folder
        self._compiled = compiled

    def find_spec(
        self, name: str, _path: Optional[Sequence[str]], _target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name == PACKER:
            sys.meta_path.remove(self)
            self._share()
            self._keep_plugins(sys.modules[LOADER])
        return None

    def _keep_plugins(self, loader: Any) -> None:
        """Let Ansible's loader of collections take kept code."""
        base = loader._AnsibleCollectionPkgLoaderBase
        compiled = self._compiled

        def get_code(self: Any, name: str) -> Optional[CodeType]:
            if self._compiled_code is None:
                source = self.get_source(name)
                if source is None:
                    return None
                data = source.encode() if isinstance(source, str) else source
                self._compiled_code = compiled(self.get_filename(name) or "<string>", data)
            code: CodeType = self._compiled_code
            return code

        base.get_code = get_code

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
    """A hash over this collection's sources of modules, and over what is installed beside it, by name and version."""
    found = hashlib.blake2b(digest_size=16)
    for entry in sys.path:
        found.update(entry.encode() + b"\0")
        if os.path.isdir(entry):
            installed = sorted(name for name in os.listdir(entry) if name.endswith(".dist-info"))
            found.update("\0".join(installed).encode() + b"\0")
    for top in ("modules", "module_utils"):
        for folder, folders, files in os.walk(os.path.join(PLUGINS, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as stream:
                        found.update(os.path.relpath(path, PLUGINS).encode() + b"\0" + stream.read() + b"\0")
    return found.hexdigest()
