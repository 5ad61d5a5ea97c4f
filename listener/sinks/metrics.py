"""Health as Prometheus metrics, made at the moment of a scrape."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from listener import __version__
from listener.detection.audio import Status
from listener.health import (
    FALLBACK,
    Health,
    Histogram,
    LabelHealth,
    OutboxHealth,
    RemoteHealth,
    ServerHealth,
    SourceHealth,
)

_SWITCHES = ("taken", "refused", "rolled_back")


# The metrics of messages that wait, on the way to the broker or to a webhook.


def outbox_metrics(stage: str, receiver: str, outbox: OutboxHealth) -> Iterator[Metric]:
    """`listener_<stage>_...`; `receiver` is who gets the messages, in words for people."""
    age = 0.0 if outbox.oldest_at is None else max(0.0, time.time() - outbox.oldest_at)
    for name, documentation, value in (
        ("events", f"Messages that wait for the {receiver}.", outbox.events),
        ("oldest_seconds", "How long the oldest of them waits.", age),
        ("unsaved", "Messages that the disk has not taken yet.", outbox.unsaved),
        ("failing", "1 while the disk takes nothing.", float(outbox.failing is not None)),
    ):
        yield GaugeMetricFamily(f"listener_{stage}_{name}", documentation, value=value)
    for name, documentation, value in (
        ("dropped", "Messages lost because too many waited.", outbox.dropped),
        ("dead", f"Messages that the {receiver} does not want.", outbox.dead),
        ("quarantined", "Messages that broke connections.", outbox.quarantined),
        ("set_aside", "Broken files that were put aside.", outbox.set_aside),
    ):
        yield CounterMetricFamily(f"listener_{stage}_{name}", documentation, value=value)


# The metrics of the remote engine and its model servers.


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


_Family = type[CounterMetricFamily] | type[GaugeMetricFamily]
_Value = Callable[[SourceHealth], float | None]  # None: not known yet, and so not shown
_Values = Callable[[SourceHealth, LabelHealth], list[float] | None]

_BY_SOURCE: tuple[tuple[_Family, str, str, _Value], ...] = (
    (CounterMetricFamily, "listener_patches", "Patches analysed.", lambda s: s.patches),
    (
        CounterMetricFamily,
        "listener_patches_dropped",
        "Patches dropped because the engine was behind.",
        lambda s: s.dropped,
    ),
    (
        GaugeMetricFamily,
        "listener_last_patch_timestamp_seconds",
        "When a patch was last analysed, unix time.",
        lambda s: s.last_patch_at,
    ),
    (GaugeMetricFamily, "listener_source_up", "1 while patches are analysed.", lambda s: s.up),
    (
        CounterMetricFamily,
        "listener_source_restarts",
        "Times the source was lost and opened again.",
        lambda s: s.restarts,
    ),
    (
        CounterMetricFamily,
        "listener_source_overflows",
        "Times audio was lost before it was read.",
        lambda s: s.overflows,
    ),
    (
        CounterMetricFamily,
        "listener_nonfinite_samples",
        "Samples that were NaN or infinite and were set to zero.",
        lambda s: s.nonfinite_samples,
    ),
    (
        CounterMetricFamily,
        "listener_missing_samples",
        "Samples lost before they were analysed, at the model's rate.",
        lambda s: s.missing_samples,
    ),
    (
        GaugeMetricFamily,
        "listener_level_dbfs",
        "Level over the last patch hop.",
        lambda s: s.level_dbfs if s.patches else None,
    ),
)

_BY_LABEL: tuple[tuple[_Family, str, str, _Values], ...] = (
    (
        GaugeMetricFamily,
        "listener_on_threshold",
        "The smoothed score at which an event opens.",
        lambda _, numbers: numbers.on_thresholds.tolist(),
    ),
    (
        GaugeMetricFamily,
        "listener_score",
        "Smoothed score of the latest patch.",
        lambda s, numbers: numbers.scores.tolist() if s.patches else None,
    ),
    (
        CounterMetricFamily,
        "listener_events",
        "Events that began.",
        lambda _, numbers: numbers.events.tolist(),
    ),
    (
        GaugeMetricFamily,
        "listener_event_active",
        "1 while an event lasts.",
        lambda _, numbers: numbers.active.tolist(),
    ),
)


def metrics_registry(health: Health) -> CollectorRegistry:
    """The metrics of a station and of its process."""
    registry = CollectorRegistry()
    registry.register(HealthCollector(health))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class HealthCollector(Collector):
    """Reads Health while other threads fill it: numbers of one scrape may be a batch apart."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Every metric of CONTRACTS, one family after the other."""
        yield from self._station()
        yield from self._histograms()
        sources = self._health.sources.copy()
        yield from _by_source(sources)
        yield _statuses(sources)
        yield from _by_label(sources)

    def _station(self) -> Iterator[Metric]:
        health = self._health
        name, _, version = health.bundle.rpartition("@")
        build = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("listener_build", "What runs.", value=build)
        yield InfoMetricFamily(
            "listener_bundle", "The bundle in use.", value={"name": name, "version": version}
        )
        depths, drops = health.queue_depths.copy(), health.sink_drops.copy()
        yield _mapped(
            GaugeMetricFamily("listener_queue_depth", "What waits.", labels=["stage"]), depths
        )
        yield _mapped(
            CounterMetricFamily("listener_sink_dropped", "Notices dropped.", labels=["sink"]), drops
        )
        yield from self._bundle_changes()
        yield self._heartbeats()
        yield CounterMetricFamily(
            "listener_clock_steps", "Times the system clock was set.", value=health.clock_steps
        )
        yield self._commands()
        yield _mapped(
            CounterMetricFamily(
                "listener_sink_failures", "Events that a sink did not deliver.", labels=["sink"]
            ),
            health.sink_failures.copy(),
        )
        if health.outbox is not None:
            yield from outbox_metrics("outbox", "broker", health.outbox)
        if health.webhook is not None:
            yield from outbox_metrics("webhook", "receiver", health.webhook)
        if health.remote is not None:
            yield from remote_metrics(health.remote)
        if health.clips_stored is not None:
            yield from self._clips(health.clips_stored)
        if health.mqtt_connected is not None:
            yield from self._mqtt()

    def _bundle_changes(self) -> Iterator[Metric]:
        # from zero on: Prometheus sees no increase where a counter begins with 1
        switches = dict.fromkeys(_SWITCHES, 0) | self._health.bundle_switches.copy()
        yield _mapped(
            CounterMetricFamily(
                "listener_bundle_switches", "Bundles that came while it ran.", labels=["result"]
            ),
            switches,
        )
        yield GaugeMetricFamily(
            "listener_bundle_refused",
            "1 while the bundle that should be in use is not.",
            value=float(self._health.bundle_refused),
        )

    def _heartbeats(self) -> Metric:
        metric = GaugeMetricFamily(
            "listener_heartbeat_age_seconds", "Since a stage last moved.", labels=["stage"]
        )
        now = time.monotonic()
        for stage, at in self._health.heartbeats.copy().items():
            metric.add_metric([stage], max(0.0, now - at))  # under 0: it was given longer
        return metric

    def _clips(self, stored: int) -> Iterator[Metric]:
        health = self._health
        yield GaugeMetricFamily("listener_clips_stored", "Clips in the store.", value=stored)
        yield GaugeMetricFamily(
            "listener_clips_bytes", "Disk that the clips take.", value=health.clips_bytes
        )
        yield CounterMetricFamily(
            "listener_clip_errors", "Clips that could not be stored.", value=health.clip_errors
        )
        if health.clips_free_bytes is not None:
            yield GaugeMetricFamily(
                "listener_clips_free_bytes",
                "Free on the disk that the clips are on.",
                value=health.clips_free_bytes,
            )

    def _commands(self) -> Metric:
        metric = CounterMetricFamily(
            "listener_commands", "Commands, and what became of them.", labels=["command", "result"]
        )
        for labels, count in self._health.commands.copy().items():
            metric.add_metric(labels, count)
        return metric

    def _mqtt(self) -> Iterator[Metric]:
        health = self._health
        yield GaugeMetricFamily(
            "listener_mqtt_connected",
            "1 while connected.",
            value=float(bool(health.mqtt_connected)),
        )
        yield CounterMetricFamily(
            "listener_mqtt_loop_errors",
            "Bugs that ended the loop around the connection, which began anew.",
            value=health.mqtt_loop_errors,
        )
        yield CounterMetricFamily(
            "listener_mqtt_rivals",
            "Times another machine was seen to speak as this station.",
            value=health.mqtt_duplicate_clients,
        )
        reasons = {"queue_full": health.mqtt_dropped, "refused": health.mqtt_refused}
        dropped = CounterMetricFamily(
            "listener_mqtt_dropped", "Messages that the broker did not get.", labels=["reason"]
        )
        yield _mapped(dropped, reasons)

    def _histograms(self) -> Iterator[Metric]:
        health = self._health
        yield _histogram(
            "listener_inference_seconds", "Engine time per batch.", health.inference_seconds
        )
        yield _histogram("listener_batch_patches", "Patches per batch.", health.batch_patches)
        yield _histogram(
            "listener_capture_to_publish_seconds",
            "From the last sample that a decision needed to its publish.",
            health.capture_to_publish_seconds,
        )


def _by_source(sources: dict[str, SourceHealth]) -> Iterator[Metric]:
    for family, name, documentation, value_of in _BY_SOURCE:
        metric = family(name, documentation, labels=["source"])
        for source, health in sources.items():
            value = value_of(health)
            if value is not None:
                metric.add_metric([source], float(value))
        yield metric


def _statuses(sources: dict[str, SourceHealth]) -> Metric:
    metric = GaugeMetricFamily(
        "listener_source_status", "1 for what the source is now.", labels=["source", "status"]
    )
    for source, health in sources.items():
        now = health.status  # once: another thread may change it
        for status in get_args(Status):
            metric.add_metric([source, status], float(status == now))
    return metric


def _by_label(sources: dict[str, SourceHealth]) -> Iterator[Metric]:
    # once a scrape: another bundle replaces them, labels and numbers together
    numbers = {name: source.by_label for name, source in sources.items()}
    for family, name, documentation, values_of in _BY_LABEL:
        metric = family(name, documentation, labels=["source", "label"])
        for source, health in sources.items():
            values = values_of(health, numbers[source])
            for label, value in zip(numbers[source].labels, values or (), strict=False):
                metric.add_metric([source, label], float(value))
        yield metric


def _mapped(metric: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, int]) -> Metric:
    for key, value in values.items():
        metric.add_metric([key], value)
    return metric


def _histogram(name: str, documentation: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*map(str, histogram.bounds), "+Inf"]  # "1.0", as OpenMetrics wants it
    buckets = list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=histogram.sum)
