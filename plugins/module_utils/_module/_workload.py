# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of workload_benchmark in, the promises with what was measured out."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import ExitStack, closing, suppress
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .._argspec import Spec, mapping_spec, progress_spec, source_spec, target_spec
from .._endpoint import default_ssl_mode, tls_environment
from .._errors import MigrationError, SourceError, TargetError
from .._postgres._catalog import read_tables
from .._postgres._session import Session, compose, connect, connection_arguments, identifier, visit
from .._sqlite._source import SqliteSource
from .._transfer._mapping import options_from_params, plan_mapping, require_sound
from .._workload._clients import Clients, client_processes
from .._workload._copy import own_copy, require_snapshot
from .._workload._disk import sync_seconds
from .._workload._measure import Measurement, Settings, Ways
from .._workload._model import Plan, TableFacts
from .._workload._plan import plan_work
from .._workload._read import Samples, free_connections, open_copy, read_facts, server_settings
from .._workload._slow import slowest
from .._workload._verdict import PROMISES, Facts, judge
from ._progress import progress_for
from ._runner import Outcome, Task

QUERY = {
    "name": {"type": "str", "required": True},
    "sqlite": {"type": "str", "required": True},
    "postgres": {"type": "str", "required": True},
}


def argument_spec() -> Spec:
    """What workload_benchmark takes."""
    return {
        **source_spec(),
        **target_spec(),
        **mapping_spec(),
        "seconds": {"type": "float", "default": 1.0},
        "clients": {"type": "list", "elements": "int", "default": [1, 8, 64]},
        "max_users": {"type": "int", "default": 1024},
        "user_seconds": {"type": "float", "default": 3.0},
        "busy_timeout": {"type": "float", "default": 5.0},
        "queries": {"type": "list", "elements": "dict", "default": [], "options": QUERY},
        "pooler_host": {"type": "str"},
        "pooler_port": {"type": "int", "default": 6432},
        "pooler_db": {"type": "str"},
        "application_python": {"type": "path"},
        "slow_statements": {"type": "int", "default": 10},
        "slow_statements_db": {"type": "str"},
        "missing_rows": {"type": "int", "default": 0},
        "work_dir": {"type": "path"},
        **progress_spec(),
    }


def benchmark(task: Task) -> Outcome:
    """Run the same work on both sides; in check mode say only what would be run."""
    params = task.params
    _require_sensible(params)
    begun = time.monotonic()
    require_snapshot(params["source"])
    folder = params["work_dir"] or os.path.dirname(os.path.abspath(params["source"]))
    with ExitStack() as stack:
        session = stack.enter_context(connect(params, "benchmark"))
        path = stack.enter_context(own_copy(params["source"], folder))
        copy = stack.enter_context(closing(open_copy(path)))
        with SqliteSource.open(path) as source:
            mapping = plan_mapping(
                source.tables(), read_tables(session, params["target_schema"]), options_from_params(params)
            )
        tables = read_facts(
            copy, session, params["target_schema"], require_sound(mapping).tables, params["missing_rows"]
        )
        plan = plan_work(tables, Samples(copy, session), params["queries"])
        planned = _planned(plan)
        if task.check_mode:
            return Outcome(result={"planned": planned, "promises": [], "left_out": plan.left_out})
        _settle(session, tables)
        try:
            result = _measured(params, session, path, copy, plan, stack, folder)
        except sqlite3.Error as error:
            raise SourceError(f"The benchmark's copy of {params['source']} failed: {error}.") from error
    rows = sum(table.rows for table in tables)
    result.update(planned=planned, rows=rows, seconds=round(time.monotonic() - begun, 1))
    return Outcome(result=result)


def _require_sensible(params: Mapping[str, Any]) -> None:
    for name in ("seconds", "user_seconds", "busy_timeout", "max_users"):
        if params[name] <= 0:
            raise MigrationError(f"{name} is {params[name]}.", advice="Give a number above zero.")
    if not params["clients"] or min(params["clients"]) < 1:
        raise MigrationError(f"clients is {params['clients']}.", advice="Give numbers of clients, each at least 1.")


def _measured(
    params: Mapping[str, Any],
    session: Session,
    path: str,
    copy: sqlite3.Connection,
    plan: Plan,
    stack: ExitStack,
    folder: str,
) -> Dict[str, Any]:
    # Others may need the server at the same time: a third of what is free stays so.
    connections = max(1, free_connections(session) * 2 // 3)
    counts = tuple(sorted({min(count, connections) for count in params["clients"]}))
    for count in sorted({count for count in params["clients"] if count > connections}):
        reason = f"{count} clients: {connections} in their place, which is two thirds of the server's free connections"
        plan.leave_out("reads", reason)
        plan.leave_out("writes", reason)
    settings = Settings(
        seconds=params["seconds"],
        user_seconds=params["user_seconds"],
        clients=counts,
        max_users=params["max_users"],
        connections=connections,
        busy_timeout=params["busy_timeout"],
    )
    ways = Ways(connection_arguments(params), _pooler(params), _asyncpg(params))
    clients = stack.enter_context(client_processes(sys.executable))
    asynchronous = _asynchronous(params, ways, stack, plan)
    measurement = Measurement(path, copy, session, ways, settings, clients, asynchronous)
    durable, trouble, server = _durability(session, params)
    facts = Facts(
        cores=_cores(),
        sync=sync_seconds(folder),
        round_trip=measurement.round_trip(),
        durable=durable,
        not_durable=trouble,
        most_clients=params["max_users"],
        connections=connections,
        pooled=ways.pooler is not None,
    )
    progress = progress_for(params, "benchmark", measurement.expected(plan), unit="measurements")
    cases = measurement.run(plan, progress)
    promises: List[Dict[str, Any]] = []
    for promise in PROMISES:
        missing = "; ".join(one["reason"] for one in plan.left_out if one["promise"] == promise.name)
        if promise.name == "users" and plan.write is None:
            missing = "no table could be written to"
        trials = measurement.trials.get(promise.name, [])
        found = judge(promise, cases.get(promise.name, []), facts, missing, trials)
        promises.append({**found, "statements": measurement.statements.get(promise.name, [])})
    return {
        "promises": promises,
        "left_out": plan.left_out,
        "environment": {
            "cores": facts.cores,
            "sync_seconds": facts.sync,
            "round_trip_seconds": facts.round_trip,
            "way": _way(params["login_host"]),
            "pooler": ways.pooler is not None,
            "python": ".".join(map(str, sys.version_info[:3])),
            "sqlite_version": sqlite3.sqlite_version,
            "server_version": session.value("SHOW server_version"),
            "server_settings": server,
            "durable": durable,
            "asyncpg": asynchronous is not None,
        },
        "slow_statements": _slow_statements(params, session, plan),
    }


def _settle(session: Session, tables: Sequence[TableFacts]) -> None:
    """What the server does by itself some minutes after a load: without it, no index alone answers a query.

    Only an owner may; others leave it to the server.
    """
    for table in tables:
        name = identifier(table.map.target.schema, table.map.target.name)
        with suppress(TargetError):
            session.execute(compose("VACUUM (ANALYZE) {table}", table=name))


def _slow_statements(params: Mapping[str, Any], session: Session, plan: Plan) -> List[Dict[str, Any]]:
    """Those of the application's own database, or, where it has none, those that the benchmark has just run."""
    schema, count = params["target_schema"], params["slow_statements"]
    other = params["slow_statements_db"]
    found: List[Dict[str, Any]] = []
    if other and other != params["login_db"]:
        try:
            with connect({**params, "login_db": other}, "benchmark") as application:
                found = [{"database": other, **one} for one in slowest(application, schema, count)]
        except TargetError as error:
            plan.leave_out("slow_statements", error.message)
    return found or [{"database": params["login_db"], **one} for one in slowest(session, schema, count)]


def _way(host: str) -> str:
    """How far it is to the server: V(socket), V(loopback), or V(network)."""
    if not host or host.startswith(("/", "@")):
        return "socket"
    # What is encrypted by choice only does not leave the machine.
    return "loopback" if default_ssl_mode(host) == "prefer" else "network"


def _planned(plan: Plan) -> List[Dict[str, str]]:
    found = [{"promise": name, "name": query.name} for name, queries in plan.queries.items() for query in queries]
    if plan.write is not None:
        name = f"rows like those of {plan.write.table.name}, in a scratch table"
        found += [{"promise": promise, "name": name} for promise in ("writes", "users")]
    return found


def _durability(session: Session, params: Mapping[str, Any]) -> Tuple[bool, str, Dict[str, Any]]:
    """Whether the server's commits survive a power cut, why not, and its settings."""
    settings = dict(server_settings(session))
    off = [name for name in ("fsync", "full_page_writes") if settings[name] == "off"]
    trouble = f"the server runs with {' and '.join(off)} off" if off else ""
    if not off and params["pooler_host"]:
        # A pooler's sessions cannot be told: they are lent for one transaction at a time.
        with visit(_by_pooler(params), "benchmark") as lent:
            if lent.value("SHOW synchronous_commit") == "off":
                trouble = "the pooler's sessions run with synchronous_commit off"
    return not trouble, trouble, settings


def _pooler(params: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    if not params["pooler_host"]:
        return None
    return connection_arguments(_by_pooler(params))


def _by_pooler(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The login_* arguments of the way through the pooler."""
    other = {"login_host": params["pooler_host"], "login_port": params["pooler_port"]}
    return {**params, **other, "login_db": params["pooler_db"] or params["login_db"]}


def _asyncpg(params: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    if not params["application_python"]:
        return None
    given = connection_arguments(params)
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
    # What a role or a database says of commits is not to count: those that are measured are durable.
    durable = {"server_settings": {"synchronous_commit": "on"}}
    return {**{names[name]: setting for name, setting in given.items() if name in names}, **durable}


def _asynchronous(params: Mapping[str, Any], ways: Ways, stack: ExitStack, plan: Plan) -> Optional[Clients]:
    """Clients under the application's own Python, if it has asyncpg."""
    if ways.asyncpg is None:
        return None
    tls = {name: params[name] for name in ("ca_cert", "ssl_cert", "ssl_key")}
    mode = params["ssl_mode"] or default_ssl_mode(params["login_host"])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.update(tls_environment(params["login_host"], ssl_mode=mode, **tls))
    clients = stack.enter_context(client_processes(params["application_python"], environment))
    job = {"engine": "asyncpg", "connect": dict(ways.asyncpg), "shape": "query", "warm": False, "seconds": 0.0}
    queries = [{"sql": "SELECT 1", "parameters": []}]
    try:
        figures = clients.run({**job, "queries": queries, "limit": 20.0, "wait": 0.0}, 1)
        trouble = next(iter(figures.errors), "")
    except MigrationError as error:
        trouble = error.message
    if trouble:
        plan.leave_out("asyncpg", trouble)
        return None
    return clients


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
