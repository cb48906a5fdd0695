# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m packages.api: serve until told to stop, and finish what was begun."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType

import structlog
import uvicorn
from pydantic import ValidationError

from packages.api import log as logs
from packages.api.app import create_app
from packages.harvester.database import DatabaseMissing
from packages.harvester.settings import SettingsError, load_settings


class Server(uvicorn.Server):
    """One that says that it is not ready any more as soon as it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no new connections; running requests are finished, for API_SHUTDOWN_SECONDS at most."""
        app = self.config.loaded_app if self.config.loaded else None
        structlog.get_logger("packages.api").info("stopping", signal=signal.Signals(sig).name)
        state = getattr(self.config.app, "state", None) or getattr(app, "state", None)
        if state is not None:
            state.stopping = True
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve; 0 at the end, or 1 after a message on standard error where the settings are no good."""
    try:
        settings = load_settings()
        logs.configure(settings.log_level)
        app = create_app(settings)
    except (DatabaseMissing, SettingsError) as error:
        print(f"api: {error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]).upper() for item in error.errors())
        print(f"api: the settings are not valid: {fields}", file=sys.stderr)
        return 1
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.api_shutdown_seconds,
    )
    server = Server(config)
    asyncio.run(server.serve())
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
