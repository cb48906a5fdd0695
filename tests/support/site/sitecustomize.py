# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Ansible makes of modules, where the environment variable MCPS_ZIP_CODE names a folder for it.

Each run of ansible-playbook packs its modules anew, which is kept by the hash of this collection's sources and the versions of
everything installed (C(packed_modules)); compiled code is kept by C(kept_code).
"""

import os

_folder = os.environ.get("MCPS_ZIP_CODE")
if _folder:
    import sys

    import kept_code

    if any("ansible" in word for word in sys.orig_argv[:4]):
        import packed_modules

        def _compile_plugin(path: str, source: bytes) -> object:
            return kept_code.found(path, source, lambda path, source: compile(source, path, "exec", 0, True))

        packed_modules.keep_in(_folder, _compile_plugin)
