"""A running station: starts its parts, runs the main loop, stops them, and gives the exit code."""

import faulthandler
import logging
import os
import signal
from contextlib import ExitStack
from enum import Enum
from typing import Self

from listener.adapters import open_engine
from listener.build import OpenEngine, StationParts, build_station
from listener.config.station import Config
from listener.process import ExitCode
from listener.service import ServiceManager, Signals, Watchdog, return_large_blocks
from listener.worker import TICK_SECONDS, Rounds

log = logging.getLogger(__name__)


class EndReason(Enum):
    """Why a station that runs ends; for anything else it goes on. docs/promises.md lists them."""

    STOP = "it was asked to"  # SIGTERM or SIGINT
    SOURCES = "every source has ended"
    ANALYSIS = "the analysis failed"  # an engine that cannot be trusted, or a run over files alone


class Station:
    """The parts of a station, running; a context that starts all of them and stops them in order."""

    def __init__(self, parts: StationParts) -> None:
        self._parts = parts
        self._running = ExitStack()
        self._reason: EndReason | None = None
        self.hangs = False  # a thread did not end in time

    @property
    def http_port(self) -> int | None:
        """The port that serves /metrics; None if there is none."""
        http = self._parts.endpoints.http
        return None if http is None else http.port

    def __enter__(self) -> Self:
        if self._parts.endpoints.clips is not None:
            self._running.callback(self._parts.endpoints.clips.close)
        for service in self._parts.services:
            service.start()
            self._running.callback(service.close)
        self._parts.pipeline.start()
        self._parts.supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.supervisor.close()
        self.hangs = not self._parts.pipeline.stop()
        self._running.close()

    def run(self, signals: Signals, manager: ServiceManager) -> EndReason:
        """The main loop, which waits for nothing but signals; why it ended."""
        health = self._parts.health
        watchdog = {"watchdog": Watchdog(manager, health)}
        rounds = Rounds({**self._parts.periodic, **watchdog}, health)
        while not self._parts.pipeline.ended:
            received = signals.wait(TICK_SECONDS)
            if received - {signal.SIGHUP}:
                return self._end(EndReason.STOP)
            if received:
                self._parts.supervisor.reload()
            rounds.tick()
        failed = self._parts.pipeline.failure is not None
        return self._end(EndReason.ANALYSIS if failed else EndReason.SOURCES)

    def _end(self, reason: EndReason) -> EndReason:
        log.info("the station ends: %s", reason.value)
        self._reason = reason
        return reason

    @property
    def exit_code(self) -> ExitCode:
        """LOST if the analysis failed, or a source was lost without a stop request."""
        lost = any(source.failed for source in self._parts.health.sources.values())
        failed = self._parts.pipeline.failure is not None
        if failed or (lost and self._reason is not EndReason.STOP):
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
