# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures for Prometheus: requests, and the pool as it is when it is asked."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from packages.api.database import Database


class Metrics:
    """A registry of one application's own, so that two in a process do not meet."""

    def __init__(self, database: Database) -> None:
        """Register everything."""
        self.registry = CollectorRegistry()
        labels = ("method", "path", "status")
        self.requests = Counter("mcps_http_requests", "Requests that were answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "mcps_http_request_seconds", "How long they took.", ("method", "path"), registry=self.registry
        )
        self.registry.register(_Pool(database))

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request. I(path) is the route's pattern, so that ids make no series of their own."""
        self.requests.labels(method, path, str(status)).inc()
        self.seconds.labels(method, path).observe(seconds)


class _Pool(Collector):
    def __init__(self, database: Database) -> None:
        self.database = database

    def collect(self) -> Iterable[Metric]:
        """The figures of this moment."""
        connections = GaugeMetricFamily(
            "mcps_db_pool_connections", "Connections of the pool.", labels=["database", "state"]
        )
        for state, number in self.database.pool().items():
            connections.add_metric([self.database.kind, state], number)
        yield connections
        retries = CounterMetricFamily("mcps_db_retries", "Transactions that were tried again.")
        retries.add_metric([], self.database.retries)
        yield retries
