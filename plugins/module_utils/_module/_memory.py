# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a long-running module small: what it no longer needs goes back to the system."""

from __future__ import annotations

from contextlib import suppress

#: glibc's parameters (malloc.h): how many arenas there are, from which size on a block is mapped by itself, and how much
#: may be left unused at the heap's end.
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1
ARENAS, MAPPED, UNUSED = 1, 1 << 16, 1 << 17


def stay_small() -> None:
    """Give freed chunks back at once. By default glibc keeps an arena for each thread, and in it up to 32 MiB for reuse.

    To be called before other threads run. Does nothing where the C library is another one.
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        tune = ctypes.CDLL(None).mallopt
        for parameter, setting in ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, MAPPED), (M_TRIM_THRESHOLD, UNUSED)):
            tune(parameter, setting)
