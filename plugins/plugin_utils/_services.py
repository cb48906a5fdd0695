# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's services, declared once: their order, their environment, and what starts and stops them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
#: What a service may have, with what it is where it is not said.
DEFAULTS: Mapping[str, Any] = {
    "name": "",
    "description": "",
    "command": [],
    "image": "",
    "every": "",
    "user": "",
    "directory": "",
    "environment": {},
    "environment_file": "",
    "url_variable": "",
    "url_driver": "postgresql+asyncpg",
    "database": {},
    "writer": True,
    "enabled": True,
    "after": [],
    "health": [],
    "published_ports": [],
    "volumes": [],
    "stop_seconds": 90,
}
DATABASE = ("host", "port", "user", "password", "database", "ssl_mode", "ca_cert", "ssl_cert", "ssl_key")
#: Variables that libpq, asyncpg and the reference application's web site read, by the way's own names.
TLS = {"ssl_mode": "PGSSLMODE", "ca_cert": "PGSSLROOTCERT", "ssl_cert": "PGSSLCERT", "ssl_key": "PGSSLKEY"}
LOCAL = re.compile(r"(/|@|localhost\Z|127\.|::1\Z|\Z)")


class ServicesError(ValueError):
    """The services cannot be as they are declared; the text says which, and what to do."""


def in_order(services: Sequence[Mapping[str, Any]], deployment: str = "systemd") -> list[dict[str, Any]]:
    """I(services) with everything said, each after those that it names in C(after), otherwise as they were given."""
    complete = [_complete(service, deployment) for service in services]
    names = [service["name"] for service in complete]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ServicesError(f"Services need names of their own: {', '.join(twice)} stands more than once.")
    for service in complete:
        unknown = [name for name in service["after"] if name not in names]
        if unknown:
            raise ServicesError(
                f"Service {service['name']} is to start after {', '.join(unknown)}, which is not declared: "
                f"there are {', '.join(names)}."
            )
    return _sorted(complete)


def _complete(service: Mapping[str, Any], deployment: str) -> dict[str, Any]:
    name = str(service.get("name", ""))
    if not NAME.match(name):
        raise ServicesError(
            f"A service is called {name!r}: give it a name of a-z, 0-9, - and _ that begins with a letter."
        )
    unknown = sorted(set(service) - set(DEFAULTS))
    if unknown:
        raise ServicesError(f"Service {name} has {', '.join(unknown)}: it may have {', '.join(DEFAULTS)}.")
    strange = sorted(set(service.get("database") or {}) - set(DATABASE))
    if strange:
        raise ServicesError(
            f"The database of service {name} has {', '.join(strange)}: it may have {', '.join(DATABASE)}."
        )
    complete = {**DEFAULTS, **{key: value for key, value in service.items() if value is not None}}
    if not complete["command"]:
        # A container's own command is not used: a shell reads the environment file first.
        raise ServicesError(f"Service {name} has no command: give it one, as a list of words.")
    if deployment == "container" and not complete["image"]:
        raise ServicesError(f"Service {name} has no image, and application_deployment is container: give it one.")
    if deployment == "container" and complete["every"]:
        raise ServicesError(
            f"Service {name} has every, which needs a timer of systemd: give it a command that goes on by itself."
        )
    return complete


def _sorted(services: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    waiting = list(services)
    while waiting:
        names = {service["name"] for service in found}
        ready = next((service for service in waiting if names >= set(service["after"])), None)
        if ready is None:
            circle = ", ".join(service["name"] for service in waiting)
            raise ServicesError(
                f"No service of {circle} can be started first: each waits for another. Take one out of after."
            )
        found.append(ready)
        waiting.remove(ready)
    return found


def way(service: Mapping[str, Any], database: Mapping[str, Any]) -> dict[str, Any]:
    """How I(service) goes to the database: the application's way, with what it has of its own. Beyond this host verify-full."""
    own = {key: value for key, value in (service.get("database") or {}).items() if value not in (None, "")}
    found = {**{key: value for key, value in database.items() if value not in (None, "")}, **own}
    if "ssl_mode" not in found and not LOCAL.match(str(found.get("host", ""))):
        found["ssl_mode"] = "verify-full"
    return found


def tls_variables(found: Mapping[str, Any], folder: str = "") -> dict[str, str]:
    """The variables that tell every driver about TLS. I(folder): where a container has the files, each by its option's name."""
    return {
        variable: f"{folder}/{key}" if folder and key != "ssl_mode" else str(found[key])
        for key, variable in TLS.items()
        if key in found
    }


def commands(services: Sequence[Mapping[str, Any]], prefix: str, deployment: str, start: bool) -> list[list[str]]:
    """What starts I(services), given in their order, or stops them in the reverse; timers before what they start."""
    ordered = [service for service in services if service["enabled"]] if start else [*reversed(services)]
    if deployment == "container":
        seconds = {service["name"]: str(service["stop_seconds"]) for service in ordered}
        return [
            ["docker", "start", f"{prefix}-{service['name']}"]
            if start
            else ["docker", "stop", "--time", seconds[service["name"]], f"{prefix}-{service['name']}"]
            for service in ordered
        ]
    if start:
        units = [f"{prefix}-{service['name']}.{'timer' if service['every'] else 'service'}" for service in ordered]
        return [["systemctl", "start", unit] for unit in units]
    timers = [f"{prefix}-{service['name']}.timer" for service in ordered if service["every"]]
    running = [["systemctl", "stop", f"{prefix}-{service['name']}.service"] for service in ordered]
    return [*([["systemctl", "stop", *timers]] if timers else []), *running]
