"""The station: builds everything from the config, runs until it is told to stop, says how it ended."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn, Self

from listener.build import EventOutputs, OpenEngine, open_engine, plan_source, plan_station
from listener.clips.store import ClipStore, DiskGuard
from listener.config.outputs import MqttSettings
from listener.config.station import Config, ConfigError
from listener.control.http_server import HttpServer
from listener.detection.bundle import Bundle, Label, read_bundle
from listener.health import Health
from listener.homeassistant.bridge import HomeAssistantBridge
from listener.mqtt.broker import Broker
from listener.mqtt.client import station_client_id
from listener.mqtt.topics import Topics
from listener.outbox.disk import OutboxError
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from listener.pipeline.plan import Detection
from listener.process import ExitCode
from listener.runtime.hot_swap import BundlePath
from listener.service import ClockWatch, ServiceManager, Signals, Watchdog, return_large_blocks
from listener.sinks.clips import ClipsSink
from listener.sinks.console import ConsoleSink
from listener.sinks.event_document import label_names
from listener.sinks.metrics import metrics_registry
from listener.sinks.mqtt import MqttSink
from listener.sinks.sink import ClockNotice, Sink
from listener.supervisor import Endpoints, Supervisor

if TYPE_CHECKING:
    from listener.review.server import ReviewServer

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5  # how soon the end of the last source is noticed, or another bundle


class Station:
    """A running station; a context that starts everything and stops it in order.

    Raises:
        ConfigError: a label that the bundle has not, an HTTP address that is taken.
        BundleError, ClipError, EngineError, BrokerError: what they say.
    """

    def __init__(self, config: Config, open_engine: OpenEngine = open_engine) -> None:
        path = BundlePath(config.bundle)
        bundle = read_bundle(path.target())
        plan = plan_station(bundle, config)
        groups = plan.group_labels
        # a source's next patch comes a hop later, so that no batch needs more patches than sources
        batch = min(config.engine.max_batch, len(config.sources))
        flow = PipelineSettings(
            config.engine.model_copy(update={"max_batch": batch}), config.backoff, config.condition
        )
        self.health = Health(tuple(plan.policies), bundle.id)
        names = label_names(bundle.manifest, groups)
        self._clips = ClipStore(config.clips, names) if config.clips.enabled else None
        self._broker = _make_broker(config, self.health)
        self._http = _make_http(config, self.health)
        self._review = _make_review(config, bundle, self._clips, groups)
        # takes longest: what may be wrong comes before
        engine = open_engine(bundle, flow.engine, self.health)
        self._outbox = _make_outbox(config, self._broker, self.health)
        active = [Label(slug, names[slug]) for slug in plan.policies]
        self._home = HomeAssistantBridge(config, self._broker, active, self.health)
        self._outlets = EventOutputs(config, names, self.health)
        self.pipeline = Pipeline(
            [plan_source(source) for source in config.sources],
            engine,
            plan,
            self._make_sinks(config, bundle, groups),
            self.health,
            flow,
        )
        self.control = Supervisor(
            config,
            flow.engine,
            self.pipeline,
            Detection(engine, plan, bundle.manifest),
            path,
            self.health,
            Endpoints(self._broker, self._http, self._review, self._clips, self._outbox),
        )
        self._clock = ClockWatch()
        self._caretaker = None if self._clips is None else DiskGuard(self._clips, self.health)
        self.hangs = False  # a thread did not end in time when the station was stopped
        self._running = ExitStack()

    @property
    def http_port(self) -> int | None:
        """Where /metrics is served; None if it is not."""
        return None if self._http is None else self._http.port

    def _make_sinks(
        self, config: Config, bundle: Bundle, groups: Sequence[Label]
    ) -> dict[str, Sink]:
        parts = self.health, self._broker, self._outbox, self._clips
        sinks = _make_sinks(config, bundle, groups, *parts)
        sinks |= self._home.sinks | self._outlets.sinks
        return sinks if self._review is None else sinks | {"review": self._review.live}

    def look_at_clock(self) -> None:
        """Say so if the system clock was set since the last look."""
        step = self._clock.step_seconds()
        if step:
            self.health.clock_steps += 1
            log.warning("the system clock was set by %+.1f s; events under way keep theirs", step)
            self.pipeline.notify(ClockNotice(step, time.time()))

    def look_at_home(self) -> None:
        """Tell Home Assistant what it wants to know."""
        self._home.tick(self.pipeline)

    def look_at_disk(self) -> None:
        """Let clips go where events need the room."""
        if self._caretaker is not None:
            self._caretaker.tick()

    def __enter__(self) -> Self:
        parts = (self._broker, self._outbox, self._http, self._review, self._outlets)
        for part in parts:
            if part is not None:
                part.start()
                self._running.callback(part.close)
        if self._clips is not None:
            self._running.callback(self._clips.close)
        self.pipeline.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hangs = not self.pipeline.stop()
        self._running.close()


def run_daemon(config: Config, open_engine: OpenEngine = open_engine) -> ExitCode:
    """Run a station until SIGTERM, SIGINT or the end of its last source."""
    return_large_blocks()
    faulthandler.enable()  # the watchdog kills with SIGABRT: where each thread hangs is in the log
    signals, manager = Signals(), ServiceManager()
    station = Station(config, open_engine)
    station.control.wake_by(signals.wake)
    with station:
        manager.ready()
        log.info(
            "station %s: %d source(s), bundle %s",
            config.station,
            len(config.sources),
            station.health.bundle,
        )
        stopped = _watch(station, signals, manager)
        manager.stopping()
    code = _exit_code(station, stopped=stopped)
    if station.hangs:
        _leave(code)
    return code


def _exit_code(station: Station, *, stopped: bool) -> ExitCode:
    lost = any(source.failed for source in station.health.sources.values())
    if station.pipeline.failure is not None or (lost and not stopped):
        return ExitCode.LOST
    return ExitCode.DONE


def _leave(code: ExitCode) -> NoReturn:
    """End the process though a library hangs in a thread: its exit handler would hang, too.

    So would flushing stdout, if it is what the thread hangs in; each line on it was flushed.
    """
    logging.shutdown()
    os._exit(code)


def _watch(station: Station, signals: Signals, manager: ServiceManager) -> bool:
    """Until something ends the station; whether that was a stop request."""
    watchdog = Watchdog(manager, station.health)
    while not station.pipeline.ended:
        came = signals.wait(_LOOK_SECONDS)
        if came - {signal.SIGHUP}:
            return True
        if came:
            station.control.reload()
        station.control.look()
        station.pipeline.refresh_health()
        station.look_at_clock()
        station.look_at_home()
        station.look_at_disk()
        watchdog.look()
    return False


def _make_sinks(
    config: Config,
    bundle: Bundle,
    groups: Sequence[Label],
    health: Health,
    broker: Broker | None,
    outbox: Outbox | None,
    clips: ClipStore | None,
) -> dict[str, Sink]:
    sinks: dict[str, Sink] = {}
    if config.console.enabled:
        names = label_names(bundle.manifest, groups)
        sinks["console"] = ConsoleSink(config.console, config.station, names)
    if broker is not None and outbox is not None and config.mqtt is not None:
        sinks["mqtt"] = MqttSink(
            broker,
            outbox,
            _topics(config, config.mqtt),
            health,
            bundle.manifest,
            sources=[source.name for source in config.sources],
            labels=health.labels,
            groups=groups,
            level_interval_seconds=config.mqtt.level_interval_seconds,
        )
    if clips is not None:
        sinks["clips"] = ClipsSink(clips, health)
    return sinks


def _make_broker(config: Config, health: Health) -> Broker | None:
    if config.mqtt is None:
        return None
    status = _topics(config, config.mqtt).status
    return Broker(config.mqtt, station_client_id(config.station), status, health)


def _make_outbox(config: Config, broker: Broker | None, health: Health) -> Outbox | None:
    if broker is None or config.mqtt is None:
        return None
    settings = config.outbox
    bounds = Bounds(settings.max_events, settings.keep_days)
    path = settings.path if settings.enabled else None
    gap_topic = _topics(config, config.mqtt).gap
    try:
        outbox = Outbox(path, bounds, config.station, gap_topic, broker, health)
    except OutboxError as error:
        raise ConfigError(str(error)) from error
    broker.set_listener(outbox)
    return outbox


def _topics(config: Config, mqtt: MqttSettings) -> Topics:
    return Topics(mqtt.topic_prefix, config.station)


def _make_review(
    config: Config, bundle: Bundle, clips: ClipStore | None, groups: Sequence[Label]
) -> ReviewServer | None:
    if not config.review.enabled:
        return None
    try:
        from listener.review.server import make_review  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"review.enabled: expected pip install 'earshot[review]': {error}"
        ) from error
    return make_review(config, bundle, clips, groups)


def _make_http(config: Config, health: Health) -> HttpServer | None:
    if not config.http.enabled:
        return None
    return HttpServer(config.http, health, metrics_registry(health))
