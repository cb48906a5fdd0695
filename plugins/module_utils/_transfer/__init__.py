# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves: pure planning, and executors that see their two ends through Protocols.

Nothing in here opens a file, a socket or a database, and nothing in here imports an adapter.
"""
