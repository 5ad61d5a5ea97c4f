"""The metrics of the remote engine and its model servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from listener.health import FALLBACK, RemoteHealth, ServerHealth

_Family = type[CounterMetricFamily] | type[GaugeMetricFamily]
_BY_SERVER: tuple[tuple[_Family, str, str, Callable[[ServerHealth], float]], ...] = (
    (
        GaugeMetricFamily,
        "up",
        "1 while the model server has the bundle's model and answers.",
        lambda server: float(server.up),
    ),
    (
        CounterMetricFamily,
        "requests",
        "Batches that the model server was asked for.",
        lambda server: server.requests,
    ),
    (
        CounterMetricFamily,
        "failures",
        "Batches of them that it did not answer.",
        lambda server: server.failures,
    ),
)


def remote_metrics(remote: RemoteHealth) -> Iterator[Metric]:
    """`listener_model_server_...` by server, and what analyses patches now."""
    for family, name, documentation, value_of in _BY_SERVER:
        metric = family(f"listener_model_server_{name}", documentation, labels=["server"])
        for url, server in remote.servers.items():
            metric.add_metric([url], value_of(server))
        yield metric
    active = GaugeMetricFamily(
        "listener_engine_active", "1 for what analyses patches now.", labels=["engine"]
    )
    for name in (*remote.servers, FALLBACK):
        active.add_metric([name], float(name == remote.active))
    yield active
    yield CounterMetricFamily(
        "listener_fallback_patches",
        "Patches analysed here because no model server answered.",
        value=remote.fallback_patches,
    )
