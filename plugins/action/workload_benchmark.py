# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module workload_benchmark in the background and shows how far its measuring is."""

from __future__ import annotations

from ansible_collections.mcps.postgres.plugins.plugin_utils._progress_action import WatchedActionModule


class ActionModule(WatchedActionModule):
    """The module's own result, with progress on the way."""
