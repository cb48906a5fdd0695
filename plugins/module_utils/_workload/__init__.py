# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's kinds of work, run on SQLite and on PostgreSQL with the same data, and what came of it."""
