# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference application's own commands, in its own environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "examples" / "mcps"
PYTHON = Path(os.environ.get("MCPS_APPLICATION_PYTHON", ROOT / ".cache" / "venv-mcps" / "bin" / "python"))


def migrate(url: str) -> None:
    """Alembic's whole chain. Raises RuntimeError."""
    _run(url, "alembic", "upgrade", "head")


def seed(url: str, servers: int) -> None:
    """Rows of I(servers) servers. Raises RuntimeError."""
    _run(url, "packages.harvester.cli", "seed", "--servers", str(servers))


def _run(url: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(PYTHON), "-m", *arguments],
        cwd=HOME,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr}")
