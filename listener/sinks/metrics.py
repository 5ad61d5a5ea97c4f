"""Health as Prometheus metrics, made at the moment of a scrape."""

import itertools
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily as Counter
from prometheus_client.metrics_core import GaugeMetricFamily as Gauge
from prometheus_client.metrics_core import HistogramMetricFamily, InfoMetricFamily, Metric
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
    SourceHealth,
)

_Family = type[Counter] | type[Gauge]
_Value = Callable[[SourceHealth], float | None]  # None: not known yet, and so not shown
_Values = Callable[[SourceHealth, LabelHealth], list[float] | None]

_BY_SOURCE: tuple[tuple[_Family, str, str, _Value], ...] = (
    (Counter, "listener_patches", "Patches analysed.", lambda s: s.patches),
    (Counter, "listener_patches_dropped",
     "Patches dropped because the engine was behind.", lambda s: s.dropped),
    (Gauge, "listener_last_patch_timestamp_seconds",
     "When a patch was last analysed, unix time.", lambda s: s.last_patch_at),
    (Gauge, "listener_source_up", "1 while patches are analysed.", lambda s: s.up),
    (Counter, "listener_source_restarts",
     "Times the source was lost and opened again.", lambda s: s.restarts),
    (Counter, "listener_source_faults",
     "Losses with an unexpected error, which the log shows.", lambda s: s.faults),
    (Counter, "listener_source_overflows",
     "Times audio was lost before it was read.", lambda s: s.overflows),
    (Counter, "listener_nonfinite_samples",
     "Samples that were NaN or infinite and were set to zero.", lambda s: s.nonfinite_samples),
    (Counter, "listener_missing_samples",
     "Samples lost before they were analysed, at the model's rate.", lambda s: s.missing_samples),
    (Gauge, "listener_level_dbfs",
     "Level over the last patch hop.", lambda s: s.level_dbfs if s.patches else None),
    (Gauge, "listener_source_bandwidth_hz",
     "Above it the source has nothing; absent while it is full or unknown.",
     lambda s: s.bandwidth_hz),
)  # fmt: skip
_BY_LABEL: tuple[tuple[_Family, str, str, _Values], ...] = (
    (Gauge, "listener_on_threshold", "The smoothed score at which an event opens.",
     lambda _, numbers: numbers.on_thresholds.tolist()),
    (Gauge, "listener_score", "Smoothed score of the latest patch.",
     lambda s, numbers: numbers.scores.tolist() if s.patches else None),
    (Counter, "listener_events", "Events that started.",
     lambda _, numbers: numbers.events.tolist()),
    (Gauge, "listener_event_active", "1 while an event lasts.",
     lambda _, numbers: numbers.active.tolist()),
)  # fmt: skip


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
        """Every metric of docs/monitoring.md, one family after the other."""
        health = self._health
        yield from _station_metrics(health)
        if health.outbox is not None:
            yield from outbox_metrics("outbox", "broker", health.outbox)
        if health.webhook is not None:
            yield from outbox_metrics("webhook", "receiver", health.webhook)
        if health.remote is not None:
            yield from remote_metrics(health.remote)
        if health.clips_stored is not None:
            yield Gauge("listener_clips_stored", "Clips in the store.", value=health.clips_stored)
            yield Gauge("listener_clips_bytes", "Disk used by the clips.", value=health.clips_bytes)
            yield Counter(
                "listener_clip_errors", "Clips that could not be stored.", value=health.clip_errors
            )
        if health.clips_stored is not None and health.clips_free_bytes is not None:
            free = health.clips_free_bytes
            yield Gauge("listener_clips_free_bytes", "Free on the clips' disk.", value=free)
        if health.mqtt_connected is not None:
            yield from _mqtt_metrics(health)
        seconds, patches = health.inference_seconds, health.batch_patches
        yield _histogram("listener_inference_seconds", "Engine time per batch.", seconds)
        yield _histogram("listener_batch_patches", "Patches per batch.", patches)
        yield _histogram(
            "listener_capture_to_publish_seconds",
            "From the last sample that a decision needed to its publish.",
            health.capture_to_publish_seconds,
        )
        yield from _source_metrics(health.sources.copy())


def _station_metrics(health: Health) -> Iterator[Metric]:
    name, _, version = health.bundle.rpartition("@")
    build = {"version": __version__, "python": platform.python_version()}
    yield InfoMetricFamily("listener_build", "What runs.", value=build)
    bundle = {"name": name, "version": version}
    yield InfoMetricFamily("listener_bundle", "The bundle in use.", value=bundle)
    # from zero on: Prometheus sees no increase where a counter begins with 1
    switches = dict.fromkeys(("taken", "refused", "rolled_back"), 0) | health.bundle_switches.copy()
    yield _labelled(
        Counter, "listener_bundle_switches", "Bundles that came while it ran.", "result", switches
    )
    yield Gauge(
        "listener_bundle_refused",
        "1 while the bundle that should be in use is not.",
        value=float(health.bundle_refused),
    )
    yield Counter(
        "listener_clock_steps", "Times the system clock was set.", value=health.clock_steps
    )
    commands = Counter(
        "listener_commands", "Commands, and what became of them.", labels=["command", "result"]
    )
    for labels, count in health.commands.copy().items():
        commands.add_metric(labels, count)
    yield commands
    depths, drops = health.queue_depths.copy(), health.sink_drops.copy()
    yield _labelled(Gauge, "listener_queue_depth", "What waits.", "stage", depths)
    yield _labelled(Counter, "listener_sink_dropped", "Notices dropped.", "sink", drops)
    failures = health.sink_failures.copy()
    yield _labelled(
        Counter, "listener_sink_failures", "Events that a sink did not deliver.", "sink", failures
    )
    faults = health.faults.copy()
    yield _labelled(
        Counter, "listener_faults", "Unexpected errors that a part survived.", "part", faults
    )
    now = time.monotonic()
    beats = health.heartbeats.copy().items()
    ages = {stage: max(0.0, now - at) for stage, at in beats}  # under 0: it was given longer
    yield _labelled(
        Gauge, "listener_heartbeat_age_seconds", "Since a stage last moved.", "stage", ages
    )


def outbox_metrics(stage: str, receiver: str, outbox: OutboxHealth) -> Iterator[Metric]:
    """`listener_<stage>_...`: messages that wait; `receiver` is who gets them, in words for people."""
    prefix = f"listener_{stage}"
    age = 0.0 if outbox.oldest_at is None else max(0.0, time.time() - outbox.oldest_at)
    failing = float(outbox.failing is not None)
    yield Gauge(f"{prefix}_events", f"Messages that wait for the {receiver}.", value=outbox.events)
    yield Gauge(f"{prefix}_oldest_seconds", "How long the oldest of them waits.", value=age)
    yield Gauge(f"{prefix}_unsaved", "Messages not yet on disk.", value=outbox.unsaved)
    yield Gauge(f"{prefix}_failing", "1 while the disk takes nothing.", value=failing)
    for name, documentation, value in (
        ("dropped", "Messages lost because too many waited.", outbox.dropped),
        ("dead", f"Messages that the {receiver} refused.", outbox.dead),
        ("quarantined", "Messages that broke connections.", outbox.quarantined),
        ("set_aside", "Broken files that were set aside.", outbox.set_aside),
    ):
        yield Counter(f"{prefix}_{name}", documentation, value=value)


def remote_metrics(remote: RemoteHealth) -> Iterator[Metric]:
    """`listener_model_server_...` by server, and what analyses patches now."""
    for family, name, documentation, values in (
        (Gauge, "up", "1 while the model server has the bundle's model and answers.",
         {url: float(server.up) for url, server in remote.servers.items()}),
        (Counter, "requests", "Batches that the model server was asked for.",
         {url: server.requests for url, server in remote.servers.items()}),
        (Counter, "failures", "Batches of them that it did not answer.",
         {url: server.failures for url, server in remote.servers.items()}),
    ):  # fmt: skip
        yield _labelled(family, f"listener_model_server_{name}", documentation, "server", values)
    active = {name: float(name == remote.active) for name in (*remote.servers, FALLBACK)}
    yield _labelled(
        Gauge, "listener_engine_active", "1 for what analyses patches now.", "engine", active
    )
    yield Counter(
        "listener_fallback_patches",
        "Patches analysed here because no model server answered.",
        value=remote.fallback_patches,
    )


def _mqtt_metrics(health: Health) -> Iterator[Metric]:
    connected = float(bool(health.mqtt_connected))
    yield Gauge("listener_mqtt_connected", "1 while connected.", value=connected)
    yield Counter(
        "listener_mqtt_loop_errors",
        "Bugs that ended the loop around the connection, which was set up again.",
        value=health.mqtt_loop_errors,
    )
    yield Counter(
        "listener_mqtt_rivals",
        "Times another machine was seen to speak as this station.",
        value=health.mqtt_duplicate_clients,
    )
    dropped = {"queue_full": health.mqtt_dropped, "refused": health.mqtt_refused}
    yield _labelled(
        Counter, "listener_mqtt_dropped", "Messages the broker did not get.", "reason", dropped
    )


def _source_metrics(sources: Mapping[str, SourceHealth]) -> Iterator[Metric]:
    for family, name, documentation, value_of in _BY_SOURCE:
        values = {source: value_of(health) for source, health in sources.items()}
        known = {source: float(value) for source, value in values.items() if value is not None}
        yield _labelled(family, name, documentation, "source", known)
    statuses = Gauge(
        "listener_source_status", "1 for what the source is now.", labels=["source", "status"]
    )
    for source, health in sources.items():
        now = health.status  # once: another thread may change it
        for status in get_args(Status):
            statuses.add_metric([source, status], float(status == now))
    yield statuses
    # once a scrape: another bundle replaces them, labels and numbers together
    numbers = {source: health.by_label for source, health in sources.items()}
    for family, name, documentation, values_of in _BY_LABEL:
        metric = family(name, documentation, labels=["source", "label"])
        for source, health in sources.items():
            scores = values_of(health, numbers[source]) or ()
            for label, value in zip(numbers[source].labels, scores, strict=False):
                metric.add_metric([source, label], float(value))
        yield metric


def _labelled(
    family: _Family, name: str, documentation: str, label: str, values: Mapping[str, float]
) -> Metric:
    metric = family(name, documentation, labels=[label])
    for key, value in values.items():
        metric.add_metric([key], value)
    return metric


def _histogram(name: str, documentation: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*map(str, histogram.bounds), "+Inf"]  # "1.0", as OpenMetrics wants it
    buckets = list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=histogram.sum)
