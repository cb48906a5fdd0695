# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a long-running module small."""

from __future__ import annotations

from contextlib import suppress

#: glibc's parameter for the number of arenas (malloc.h).
M_ARENA_MAX = -8


def stay_small() -> None:
    """Let all threads allocate from one place: by default glibc keeps one for each, and what was freed in it.

    To be called before other threads run. Does nothing where the C library is another one.
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
