# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgAdmin takes every name of this module as a setting: those of settings.json beside it."""

import json as _json
from pathlib import Path as _Path

globals().update(_json.loads(_Path(__file__).with_name("settings.json").read_text(encoding="utf-8")))
