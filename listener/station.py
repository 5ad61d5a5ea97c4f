"""A running station: starts its parts, runs the main loop, stops them, and gives the exit code."""

import faulthandler
import logging
import os
import signal
from contextlib import ExitStack
from typing import Self

from listener.adapters import open_engine
from listener.build import OpenEngine, StationParts, build_station
from listener.config.station import Config
from listener.process import ExitCode
from listener.service import ServiceManager, Signals, Watchdog, return_large_blocks

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.5  # how soon the end of the last source is noticed, or another bundle


class Station:
    """The parts of a station, running; a context that starts all of them and stops them in order."""

    def __init__(self, parts: StationParts) -> None:
        self._parts = parts
        self._running = ExitStack()
        self._stop_requested = False
        self.hangs = False  # a thread did not end in time

    @property
    def http_port(self) -> int | None:
        """The port that serves /metrics; None if there is none."""
        http = self._parts.endpoints.http
        return None if http is None else http.port

    def __enter__(self) -> Self:
        for service in self._parts.services:
            service.start()
            self._running.callback(service.close)
        if self._parts.endpoints.clips is not None:
            self._running.callback(self._parts.endpoints.clips.close)
        self._parts.pipeline.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hangs = not self._parts.pipeline.stop()
        self._running.close()

    def run(self, signals: Signals, manager: ServiceManager) -> None:
        """The main loop, until a stop request or the end of the pipeline."""
        periodic = (*self._parts.periodic, Watchdog(manager, self._parts.health))
        while not self._parts.pipeline.ended:
            received = signals.wait(_TICK_SECONDS)
            if received - {signal.SIGHUP}:
                self._stop_requested = True
                return
            if received:
                self._parts.supervisor.reload()
            for part in periodic:
                part.tick()

    @property
    def exit_code(self) -> ExitCode:
        """LOST if a thread failed, or a source was lost without a stop request."""
        lost = any(source.failed for source in self._parts.health.sources.values())
        if self._parts.pipeline.failure is not None or (lost and not self._stop_requested):
            return ExitCode.LOST
        return ExitCode.DONE


def run_daemon(config: Config, open_engine: OpenEngine = open_engine) -> ExitCode:
    """Run a station until SIGTERM, SIGINT or the end of its last source.

    Raises:
        ConfigError, BundleError, ClipError, EngineError, BrokerError: as `build_station`.
    """
    return_large_blocks()
    faulthandler.enable()  # the watchdog kills with SIGABRT: the log shows where each thread hangs
    signals, manager = Signals(), ServiceManager()
    parts = build_station(config, open_engine)
    parts.supervisor.wake_by(signals.wake)
    with Station(parts) as station:
        manager.ready()
        log.info(
            "station %s: %d source(s), bundle %s",
            config.station,
            len(config.sources),
            parts.health.bundle,
        )
        station.run(signals, manager)
        manager.stopping()
    if station.hangs:
        # end without the exit handlers of a library that hangs in a thread, for they would hang, too;
        # so would flushing stdout, if that is where it hangs, and each line on it was flushed
        logging.shutdown()
        os._exit(station.exit_code)
    return station.exit_code
