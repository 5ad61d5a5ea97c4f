"""Builds a station from its settings: the one module that knows every part a station may have."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from listener.adapters import open_engine, plan_source
from listener.clips.store import ClipStore, DiskGuard
from listener.config.engine import EngineSettings
from listener.config.outputs import MqttSettings, WebhookSettings
from listener.config.station import Config, ConfigError
from listener.control.http_server import HttpServer
from listener.detection.bundle import Bundle, Label, read_bundle
from listener.engines.engine import Engine
from listener.health import Health
from listener.homeassistant.bridge import HomeAssistantBridge
from listener.mqtt.broker import Broker
from listener.mqtt.client import station_client_id
from listener.mqtt.topics import Topics
from listener.outbox.disk import OutboxError
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import Detection, DetectionPlan
from listener.planning import plan_station
from listener.runtime.hot_swap import BundlePath
from listener.sinks import clip_store as clips
from listener.sinks import console, event_document, event_file, hook, metrics, mqtt, sink, webhook
from listener.supervisor import ClockWatch, Endpoints, Supervisor
from listener.worker import Periodic, WorkThread

OpenEngine = Callable[[Bundle, EngineSettings, Health], Engine]

_WEBHOOK_KEEP_DAYS = 1.0  # of delivered messages, for a person who reads the file


class Service(Protocol):
    """A part with threads of its own."""

    def start(self) -> None:
        """Start them."""

    def close(self) -> None:
        """Stop them, within a second or two."""


@dataclass(frozen=True, slots=True)
class StationParts:
    """The parts of a station, built and not started.

    `services` start in this order before the pipeline, and close in the reverse order after it; the
    supervisor runs while the pipeline does. `periodic` is the work of the main loop, by its name.
    """

    health: Health
    endpoints: Endpoints
    services: tuple[Service, ...]
    pipeline: Pipeline
    supervisor: Supervisor
    periodic: Mapping[str, Periodic]


def build_station(config: Config, open_engine: OpenEngine = open_engine) -> StationParts:
    """The parts of the station that the settings describe.

    Raises:
        ConfigError: a label that the bundle lacks, an address that is taken, a file that cannot be used.
        BundleError, ClipError, EngineError, BrokerError: as their names say.
    """
    path = BundlePath(config.bundle)
    bundle = read_bundle(path.resolve())
    plan = plan_station(bundle, config)
    names = event_document.label_names(bundle.manifest, plan.group_labels)
    health = Health(tuple(plan.policies), bundle.id)
    endpoints = _open_endpoints(config, bundle, plan, names, health)
    # a source's next patch comes a hop later: no batch holds more patches than there are sources
    batch = min(config.engine.max_batch, len(config.sources))
    flow = PipelineSettings(
        config.engine.model_copy(update={"max_batch": batch}), config.backoff, config.condition
    )
    # opening the engine takes longest, so most of what can fail comes before it
    detection = Detection(open_engine(bundle, flow.engine, health), plan, bundle.manifest)
    outputs = EventOutputs(config, detection, names, health, endpoints)
    active = [Label(slug, names[slug]) for slug in plan.policies]
    bridge = HomeAssistantBridge(config, endpoints.broker, active, health)
    sinks = outputs.sinks | bridge.sinks
    if endpoints.review is not None:
        sinks["review"] = endpoints.review.live
    sources = [plan_source(source) for source in config.sources]
    pipeline = Pipeline(sources, detection.engine, plan, sinks, health, flow)
    bridge.notify = pipeline.notify
    load = partial(load_detection, config, flow.engine, health, open_engine)
    worker = None
    if endpoints.clips is not None:
        worker = WorkThread("clips", health, {"disk": DiskGuard(endpoints.clips, health)})
    supervisor = Supervisor(
        config, pipeline, detection, path, load, health, endpoints, outputs.outbox, worker
    )
    clock = ClockWatch(health, lambda step: pipeline.notify(sink.ClockNotice(step, time.time())))
    services = (endpoints.broker, outputs, endpoints.http, endpoints.review, worker)
    return StationParts(
        health,
        endpoints,
        tuple(service for service in services if service is not None),
        pipeline,
        supervisor,
        {"pipeline": pipeline, "clock": clock, "homeassistant": bridge},
    )


def load_detection(
    config: Config,
    settings: EngineSettings,
    health: Health,
    open_engine: OpenEngine,
    directory: Path,
) -> Detection:
    """The bundle in a directory, ready to run under the config.

    Raises:
        BundleError: its format, a checksum or the golden check fails.
        ConfigError: the config names a label that it lacks.
        EngineError: the engine is not installed.
    """
    bundle = read_bundle(directory)
    plan = plan_station(bundle, config)
    return Detection(open_engine(bundle, settings, health), plan, bundle.manifest)


def _open_endpoints(
    config: Config, bundle: Bundle, plan: DetectionPlan, names: Mapping[str, str], health: Health
) -> Endpoints:
    store = ClipStore(config.clips, names) if config.clips.enabled else None
    broker = http = review = None
    if config.mqtt is not None:
        status = Topics(config.mqtt.topic_prefix, config.station).status
        broker = Broker(config.mqtt, station_client_id(config.station), status, health)
    if config.http.enabled:
        http = HttpServer(config.http, health, metrics.metrics_registry(health))
    if config.review.enabled:
        try:
            from listener.review.server import make_review  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"review.enabled: expected pip install 'earshot[review]': {error}"
            ) from error
        review = make_review(config, bundle, store, plan.group_labels)
    return Endpoints(broker, http, review, store)


class EventOutputs:
    """Where events go: console, MQTT, clips, a webhook, a file, a program; a Service.

    `sinks` are the pipeline's, by name. `outbox` keeps the messages for the broker; None without one.

    Raises:
        ConfigError: a file cannot be used.
    """

    def __init__(
        self,
        config: Config,
        detection: Detection,
        names: Mapping[str, str],
        health: Health,
        endpoints: Endpoints,
    ) -> None:
        self.sinks: dict[str, sink.Sink] = {}
        self.outbox: Outbox | None = None
        self._services: list[Service] = []
        self._station, self._names, self._health = config.station, names, health
        if config.console.enabled:
            self.sinks["console"] = console.ConsoleSink(config.console, config.station, names)
        if endpoints.broker is not None and config.mqtt is not None:
            self._open_mqtt(config, config.mqtt, detection, endpoints.broker)
        if endpoints.clips is not None:
            self.sinks["clips"] = clips.ClipsSink(endpoints.clips, health)
        if config.webhook is not None:
            self._open_webhook(config.webhook)
        if config.event_file is not None:
            self.sinks["event_file"] = event_file.EventFileSink(
                config.event_file, self._documents(), health
            )
        if config.hook is not None:
            self.sinks["hook"] = hook.HookSink(config.hook, self._documents(), health)

    def _open_mqtt(
        self, config: Config, settings: MqttSettings, detection: Detection, broker: Broker
    ) -> None:
        topics = Topics(settings.topic_prefix, config.station)
        bounds = Bounds(config.outbox.max_events, config.outbox.keep_days)
        path = config.outbox.path if config.outbox.enabled else None
        try:
            self.outbox = Outbox(path, bounds, config.station, topics.gap, broker, self._health)
        except OutboxError as error:
            raise ConfigError(str(error)) from error
        broker.set_listener(self.outbox)
        self._services.append(self.outbox)
        self.sinks["mqtt"] = mqtt.MqttSink(
            broker,
            self.outbox,
            topics,
            self._health,
            detection.manifest,
            sources=[source.name for source in config.sources],
            labels=self._health.labels,
            groups=detection.plan.group_labels,
            level_interval_seconds=settings.level_interval_seconds,
        )

    def _open_webhook(self, settings: WebhookSettings) -> None:
        transport = webhook.WebhookTransport(webhook.Receiver(settings), self._health.faults)
        bounds = Bounds(settings.max_waiting, _WEBHOOK_KEEP_DAYS)
        try:
            outbox = Outbox(
                settings.waiting_file,
                bounds,
                self._station,
                webhook.TOPIC,
                transport,
                self._health,
                webhook.TOPIC,
                doubtful_seconds=0.0,  # a server answers after it has handled a message
            )
        except OutboxError as error:
            raise ConfigError(f"webhook: {error}") from error
        transport.set_listener(outbox)
        self._services += [outbox, transport]
        self.sinks["webhook"] = webhook.WebhookSink(outbox, self._documents())

    def _documents(self) -> event_document.EventDocuments:
        return event_document.EventDocuments(self._station, self._names)

    def start(self) -> None:
        """Start to send."""
        for service in self._services:
            service.start()

    def close(self) -> None:
        """Send for another second what is left, if it is accepted; all of it is on disk."""
        for service in self._services:
            service.close()
