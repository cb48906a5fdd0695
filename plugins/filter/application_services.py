# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's services, as the role application and the role migration want to know them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.mcps.postgres.plugins.filter.postgres_url import postgres_url
from ansible_collections.mcps.postgres.plugins.plugin_utils import _services

#: Where a container that is tried finds authority, certificate and key.
TRIED_TLS = "/run/tried-tls"


def _plain(value: Any) -> Any:
    """Ansible's own texts and lists are made on demand."""
    return json.loads(json.dumps(value))


def _ordered(services: Sequence[Mapping[str, Any]], deployment: str) -> list[dict[str, Any]]:
    try:
        return _services.in_order(_plain([dict(service) for service in services]), deployment)
    except _services.ServicesError as error:
        raise AnsibleFilterError(str(error)) from error


def _url(service: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, str]:
    """The variable with the URL of I(way), if I(service) reads one."""
    target = {key: value for key, value in way.items() if key not in _services.TLS}
    variable, driver = service["url_variable"], service["url_driver"]
    return {variable: postgres_url(target, driver=driver, tls="environment")} if variable else {}


def application_services(services: Sequence[Mapping[str, Any]], deployment: str = "systemd") -> list[dict[str, Any]]:
    """I(services) in the order in which they are started, each with all that it did not say."""
    return _ordered(services, deployment)


def application_environments(
    services: Sequence[Mapping[str, Any]],
    database: Mapping[str, Any],
    name: str = "mcps",
    absent: Sequence[str] = (),
    deployment: str = "systemd",
) -> list[dict[str, Any]]:
    """The environment file of every service, with its variables."""
    place = _plain(dict(database))
    folder = f"/run/{name}-tls" if deployment == "container" else ""
    found = []
    for service in _ordered(services, "systemd"):
        path = service["environment_file"] or f"/etc/{name}/{service['name']}/environment"
        environment = {key: str(value) for key, value in service["environment"].items()}
        if place:
            way = _services.way(service, place)
            environment = {**_services.tls_variables(way, folder), **environment}
            environment.update(_url(service, way))
        found.append({"path": path, "environment": environment, "absent": list(absent)})
    return found


def application_probes(
    services: Sequence[Mapping[str, Any]],
    database: Mapping[str, Any],
    deployment: str = "systemd",
    network: str = "",
    variables: Sequence[str] = ("PGDATABASE", "PGPASSWORD"),
) -> list[dict[str, Any]]:
    """What tries every service on I(database), whatever way it goes itself. There is no password in it."""
    way = _services.way({}, _plain(dict(database)))
    if way.get("password"):
        raise AnsibleFilterError(
            "application_probes makes what may be shown: leave password out of the database, and write it as PGPASSWORD into "
            "migration_probe_environment."
        )
    folder = TRIED_TLS if deployment == "container" else ""
    tls = _services.tls_variables(way, folder)
    files = {f"{folder}/{key}": str(way[key]) for key in _services.TLS if key in way and key != "ssl_mode"}
    trial = _services.Trial(network, _plain([*variables]), files)
    found = []
    for service in _ordered(services, deployment):
        added = {**tls, **_url(service, way)}
        try:
            if deployment == "container":
                found += _services.container_probes(service, added, trial)
            else:
                found += _services.probes(service, added)
        except _services.ServicesError as error:
            raise AnsibleFilterError(str(error)) from error
    return found


def application_commands(
    services: Sequence[Mapping[str, Any]],
    action: str,
    name: str = "mcps",
    deployment: str = "systemd",
    writers: bool = False,
    periodic: bool | None = None,
) -> list[list[str]]:
    """The commands that start the services in their order, or stop them in the reverse; with I(periodic) those of a timer alone,
    or those without one."""
    if action not in ("start", "stop"):
        raise AnsibleFilterError(f"application_commands cannot {action}: say start or stop.")
    chosen = [service for service in _ordered(services, "systemd") if service["writer"] or not writers]
    if periodic is not None:
        chosen = [service for service in chosen if bool(service["every"]) == periodic]
    return _services.commands(chosen, name, deployment, action == "start")


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "application_services": application_services,
            "application_environments": application_environments,
            "application_probes": application_probes,
            "application_commands": application_commands,
        }
