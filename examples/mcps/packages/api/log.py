# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines as JSON on standard output, without passwords."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

#: What stands between the user's name and the host in a URL; to the last @, where one in it was not encoded.
_IN_URL = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^:/@\s]*:)\S+(?=@)", re.I)
#: A name that says that its value is a secret, and a setting of such a name.
_NAME = re.compile(r"\w*(?:password|passwd|secret|token)\w*", re.I)
_SETTING = re.compile(rf"(?P<before>\b{_NAME.pattern}\b[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&}}]+)", re.I)
MASK = "********"


def configure(level: str = "INFO") -> None:
    """Send everything that is logged, by structlog or by logging, to standard output, one JSON object a line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_secrets,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # With DB_ECHO, SQLAlchemy would give it a handler that masks nothing.
    echo = logging.getLogger("sqlalchemy.engine.Engine")
    echo.handlers, echo.propagate = [handler], False
    # Requests are logged by the application itself, with their duration.
    logging.getLogger("uvicorn.access").disabled = True


def mask_secrets(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A processor of structlog's, the last before the line is written: I(event) without passwords."""
    return {key: _masked(key, value) for key, value in event.items()}


def masked(value: Any) -> Any:
    """I(value) for JSON, with the passwords of URLs and settings taken out of its texts."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(item) for item in value]
    text = _IN_URL.sub(rf"\g<before>{MASK}", str(value))
    return _SETTING.sub(rf"\g<before>{MASK}", text)


def _masked(key: object, value: Any) -> Any:
    return MASK if _NAME.fullmatch(str(key)) and value is not None else masked(value)
