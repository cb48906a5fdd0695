# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's services, declared once: their order, their environment, and what starts and stops them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    number = urlsplit(page["url"]).port
    port = rf"(^|[:=]){number}$"
    environment = {name: re.sub(port, rf"\1{PORT}", value) for name, value in own.items()}
    command = [re.sub(port, rf"\1{PORT}", str(word)) for word in service["command"]]
    if number is None or PORT not in " ".join([*environment.values(), *command]):
        raise ServicesError(
            f"Service {service['name']} cannot be tried on a free port: the one of {page['url']} stands neither in its "
            "environment nor in its command. Write the variable that tells it the port into environment."
        )
    return {"command": command, "environment": environment, **_answer(service, page)}


def _answer(service: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    """What a page's probe is called, and what it has to answer on the free port."""
    address = urlsplit(page["url"])
    url = address._replace(netloc=re.sub(r":\d+$", f":{PORT}", address.netloc)).geturl()
    match = {"match": page["match"]} if page.get("match") else {}
    return {"name": f"{service['name']} {address.path}", "url": url, **match}


@dataclass(frozen=True)
class Trial:
    """How a container of a service is tried. I(network): the engine's network, if not its default one.

    I(variables): those that it gets beside the service's own, whatever they hold. I(files): where it finds files of the
    host, which may be where only root can look; C({inside: on the host}).
    """

    network: str
    variables: Sequence[str]
    files: Mapping[str, str]


def container_probes(service: Mapping[str, Any], added: Mapping[str, str], trial: Trial) -> list[dict[str, Any]]:
    """As C(probes), in containers that are gone afterwards. The port of a page is another one of the host, not of the service.

    Values are in the environment of the command that starts the container; on its command line are names alone. Raises
    ServicesError where no published port is the one of a page.
    """
    environment = {**{name: str(value) for name, value in service["environment"].items()}, **added}
    names = [*environment, *(name for name in trial.variables if name not in environment)]
    found: list[dict[str, Any]] = [
        {
            "command": _run(service, service["command"], names, trial, _published(service, page)),
            **_answer(service, page),
        }
        for page in service["health"]
    ]
    if service["probe"]:
        command = _run(service, service["probe"]["command"], names, trial)
        found.append({"name": service["name"], **service["probe"], "command": command})
    return [{**probe, "environment": environment} for probe in found]


def _published(service: Mapping[str, Any], page: Mapping[str, Any]) -> str:
    """What the page's port is within the container, published as the free one of the loopback."""
    port = urlsplit(page["url"]).port
    for published in service["published_ports"]:
        host, _, inside = str(published).rpartition(":")
        if port is not None and host.rpartition(":")[2] == str(port):
            return f"127.0.0.1:{PORT}:{inside}"
    raise ServicesError(
        f"Service {service['name']} cannot be tried on a free port: the one of {page['url']} is none of its published_ports. "
        f"Publish it, such as 127.0.0.1:{port or 8000}:8000."
    )


def _run(
    service: Mapping[str, Any], command: Sequence[str], names: Sequence[str], trial: Trial, published: str = ""
) -> list[str]:
    """What runs I(command) in a new container as the service's own runs, and removes it."""
    first, *rest = (str(word) for word in command)
    options = [
        *(["--network", trial.network] if trial.network else []),
        *(["--publish", published] if published else []),
        *(["--user", service["user"]] if service["user"] else []),
        *(["--workdir", service["directory"]] if service["directory"] else []),
        *(word for volume in service["volumes"] for word in ("--volume", str(volume))),
        *(
            word
            for inside, file in trial.files.items()
            for word in ("--mount", f"type=bind,source={file},target={inside},readonly")
        ),
        *(word for name in names for word in ("--env", name)),
    ]
    # With a first process of the engine's own, so that the service ends when it is told to, whatever it makes of signals.
    return ["docker", "run", "--rm", "--init", *options, "--entrypoint", first, service["image"], *rest]


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
