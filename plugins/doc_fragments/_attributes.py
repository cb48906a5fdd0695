# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says about check mode, diff mode and idempotency; each module adds its own support."""

from __future__ import annotations


class ModuleDocFragment:
    # Used by every module, which completes each attribute with its own "support" (and "details").
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changes it would make without making any of them.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when run in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second run reports no change.
      - This assumes that what the module works on was not changed by others in the meantime.
"""

    # Used together with the standard fragment by modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads, in check mode as outside it.
  diff_mode:
    support: N/A
    details:
      - This module does not change anything.
  idempotent:
    support: full
    details:
      - This module does not change anything.
"""
