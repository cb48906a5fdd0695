# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the compiled code of modules, in the folder that MCPS_ZIP_CODE names or, on the scenarios' hosts, in FOLDER.

Ansible sends each module as a zip file, all of which Python compiles anew for every task: a good half of what a task costs.
Tests run the same modules thousands of times.

Code is kept by the hash of its source and name. What cannot be kept is made as ever. Python 3.9 and newer.
"""

import hashlib
import marshal
import os
import sys
import zipimport

#: Where the scenarios' hosts share it (molecule/shared/create.yml).
FOLDER = "/var/cache/mcps-test-code"

_folder = os.environ.get("MCPS_ZIP_CODE") or FOLDER
_compile = getattr(zipimport, "_compile_source", None)
# Python asks twice for each module of a zip file: where it lies, and for its code.
_asked = {}


def _kept(path, source):  # type: ignore[no-untyped-def]
    code = _asked.pop(path, None)
    if code is None:
        code = _asked[path] = found(path, source, _compile)
    return code


def found(path, source, make):  # type: ignore[no-untyped-def]
    """The code of a file's path and source, kept from another process or made by I(make)."""
    # Each zip file lies in a folder of its own; the name within it is what stays.
    name = hashlib.blake2b(source + path.rpartition(".zip")[2].encode(), digest_size=16).hexdigest()
    file = os.path.join(_folder, sys.implementation.cache_tag + "-" + name)
    try:
        with open(file, "rb") as stream:
            return marshal.load(stream)
    except (OSError, EOFError, ValueError, TypeError):
        code = make(path, source)
    try:
        # Several hosts may have the folder.
        with open(f"{file}.{os.uname().nodename}.{os.getpid()}", "wb") as stream:
            marshal.dump(code, stream)
        os.replace(stream.name, file)
    except OSError:
        pass
    return code


if _compile and os.path.isdir(_folder):
    zipimport._compile_source = _kept  # type: ignore[attr-defined]
