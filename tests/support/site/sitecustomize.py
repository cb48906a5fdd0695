# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Ansible makes of modules, where the environment variable MCPS_ZIP_CODE names a folder for it.

Ansible sends each module as a zip file. Each run of ansible-playbook packs its modules anew, and on the other side Python
compiles all of it anew for every task: a good half of what a task costs. Tests run the same modules thousands of times.

Packed modules are kept by the hash of this collection's sources and the versions of everything installed, compiled code by
the hash of its source and name. What cannot be kept is made as ever.
"""

import os

_folder = os.environ.get("MCPS_ZIP_CODE")
if _folder:
    import hashlib
    import marshal
    import sys
    import zipimport
    from collections.abc import Callable

    _compile = zipimport._compile_source  # type: ignore[attr-defined]

    # Python asks twice for each module of a zip file: where it lies, and for its code.
    _asked = {}

    def _kept(path: str, source: bytes) -> object:
        code = _asked.pop(path, None)
        if code is None:
            code = _asked[path] = _found(path, source)
        return code

    def _found(path: str, source: bytes, make: Callable[[str, bytes], object] = _compile) -> object:
        # Each zip file lies in a folder of its own; the name within it is what stays.
        name = hashlib.blake2b(source + path.rpartition(".zip")[2].encode(), digest_size=16).hexdigest()
        file = os.path.join(_folder, sys.implementation.cache_tag + "-" + name)
        try:
            with open(file, "rb") as stream:
                return marshal.load(stream)
        except (OSError, EOFError, ValueError, TypeError):
            code = make(path, source)
        try:
            with open(f"{file}.{os.getpid()}", "wb") as stream:
                marshal.dump(code, stream)
            os.replace(stream.name, file)
        except OSError:
            pass
        return code

    zipimport._compile_source = _kept  # type: ignore[attr-defined]

    if any("ansible" in word for word in sys.orig_argv[:4]):
        import packed_modules

        def _compile_plugin(path: str, source: bytes) -> object:
            return _found(path, source, lambda path, source: compile(source, path, "exec", 0, True))

        packed_modules.keep_in(_folder, _compile_plugin)
