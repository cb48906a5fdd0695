# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's services, declared once: their order, their environment, and what starts and stops them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

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
    "probe": {},
    "published_ports": [],
    "volumes": [],
    "stop_seconds": 90,
}
DATABASE = ("host", "port", "user", "password", "database", "ssl_mode", "ca_cert", "ssl_cert", "ssl_key")
#: Variables that libpq, asyncpg and the reference application's web site read, by the way's own names.
TLS = {"ssl_mode": "PGSSLMODE", "ca_cert": "PGSSLROOTCERT", "ssl_cert": "PGSSLCERT", "ssl_key": "PGSSLKEY"}
#: What stands for a free port where a process is only tried, as the module application_probe has it.
PORT = "{port}"
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
    probe = service.get("probe") or {}
    if probe and not (probe.get("command") and {"command", "match"} >= set(probe)):
        raise ServicesError(
            f"The probe of service {name} has {', '.join(probe)}: it needs command, and may have match."
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


def probes(service: Mapping[str, Any], added: Mapping[str, str]) -> list[dict[str, Any]]:
    """What tries I(service) for a moment, with the variables I(added) over its own: each of its pages on a free port, and the
    command that it has for it.

    Raises ServicesError where the port of a page cannot be another one.
    """
    own = {name: str(value) for name, value in service["environment"].items()}
    found = [_page_probe(service, page, own) for page in service["health"]]
    if service["probe"]:
        found.append({"name": service["name"], "environment": own, **service["probe"]})
    place = {"chdir": service["directory"]} if service["directory"] else {}
    return [{**probe, **place, "environment": {**probe["environment"], **added}} for probe in found]


def _page_probe(service: Mapping[str, Any], page: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    address = urlsplit(page["url"])
    port = rf"(^|[:=]){address.port}$"
    environment = {name: re.sub(port, rf"\1{PORT}", value) for name, value in own.items()}
    command = [re.sub(port, rf"\1{PORT}", str(word)) for word in service["command"]]
    if address.port is None or PORT not in " ".join([*environment.values(), *command]):
        raise ServicesError(
            f"Service {service['name']} cannot be tried on a free port: the one of {page['url']} stands neither in its "
            "environment nor in its command. Write the variable that tells it the port into environment."
        )
    url = address._replace(netloc=re.sub(r":\d+$", f":{PORT}", address.netloc)).geturl()
    match = {"match": page["match"]} if page.get("match") else {}
    return {
        "name": f"{service['name']} {address.path}",
        "command": command,
        "environment": environment,
        "url": url,
        **match,
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
