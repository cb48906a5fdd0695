# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles out of zip files, where the environment variable MCPS_ZIP_CODE names a folder for it.

Ansible sends each module as a zip file, and Python compiles all of it anew for every task: a good half of what a task costs.
Tests run the same modules thousands of times. The code is kept by the hash of its source and name, so that it can only
be found by the same source; what cannot be kept is compiled as ever.
"""

import os

_folder = os.environ.get("MCPS_ZIP_CODE")
if _folder:
    import hashlib
    import marshal
    import sys
    import zipimport

    _compile = zipimport._compile_source  # type: ignore[attr-defined]

    def _kept(path: str, source: bytes) -> object:
        # Each zip file lies in a folder of its own; the name within it is what stays.
        name = hashlib.blake2b(source + path.rpartition(".zip")[2].encode(), digest_size=16).hexdigest()
        file = os.path.join(_folder, sys.implementation.cache_tag + "-" + name)
        try:
            with open(file, "rb") as stream:
                return marshal.load(stream)
        except (OSError, EOFError, ValueError, TypeError):
            code = _compile(path, source)
        try:
            with open(f"{file}.{os.getpid()}", "wb") as stream:
                marshal.dump(code, stream)
            os.replace(stream.name, file)
        except OSError:
            pass
        return code

    zipimport._compile_source = _kept  # type: ignore[attr-defined]
