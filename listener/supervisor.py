"""What the main thread does while a station runs: commands, other bundles, mutes that end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from listener.build import open_engine, plan_station
from listener.clips.store import ClipStore
from listener.config.engine import EngineSettings
from listener.config.station import Config
from listener.control.commands import CommandError
from listener.control.dispatcher import CommandDispatcher
from listener.control.handlers import StationCommands
from listener.control.http_commands import HttpCommands, read_token
from listener.control.mqtt import MqttCommands
from listener.detection.bundle import read_bundle
from listener.files import iso_utc
from listener.health import Health
from listener.mqtt.broker import Broker
from listener.mqtt.topics import Topics
from listener.outbox.outbox import Outbox
from listener.pipeline.pipeline import Pipeline
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan, OverrideCommands
from listener.runtime.hot_swap import BundlePath, HotSwap, Refusal
from listener.runtime.overrides import quiet_hours, read_overrides


class Endpoint(Protocol):
    """A server where commands come in."""

    def serve_commands(self, commands: HttpCommands) -> None:
        """Accept commands, too; before the start."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where commands may come in, and where they may lead; None is what the station has not."""

    broker: Broker | None
    http: Endpoint | None
    review: Endpoint | None
    clips: ClipStore | None
    outbox: Outbox | None


class Supervisor:
    """Everything that may change in a running station; built before its parts start.

    Raises:
        ConfigError: the token's file cannot be used.
    """

    def __init__(
        self,
        config: Config,
        engine: EngineSettings,
        pipeline: Pipeline,
        detection: Detection,
        path: BundlePath,
        health: Health,
        doors: Endpoints,
    ) -> None:
        sources = tuple(source.name for source in config.sources)
        state_file = config.control.state_file
        self._at_work = ActivePlan(
            pipeline,
            detection,
            read_overrides(state_file),
            sources,
            quiet=quiet_hours(config.quiet),
        )
        self._bundles = HotSwap(
            self._at_work,
            path,
            lambda directory: load_detection(config, engine, directory, health),
            health,
            config.control,
            _refusals(config, doors.broker),
        )
        rules = OverrideCommands(self._at_work, state_file)
        recorder = None if doors.clips is None else pipeline
        actor = StationCommands(
            rules, self._bundles, sources, doors.clips, recorder, outbox=doors.outbox
        )
        self._desk = CommandDispatcher(actor, health)
        _open_doors(config, self._desk, doors)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Call this, on any thread, when there is a command for `look`; before the doors are open."""
        self._desk.wake = wake

    def look(self) -> None:
        """Carry out the commands that wait, follow the bundle's link, end mutes; a few times a second."""
        self._desk.tick()
        self._bundles.look()
        self._at_work.look()

    def reload(self) -> None:
        """Read the bundle of the config again, as the command does."""
        try:
            self._bundles.reload()
        except CommandError:
            return  # logged, counted and published where it was refused


def load_detection(
    config: Config, engine: EngineSettings, directory: Path, health: Health
) -> Detection:
    """The bundle in a directory, ready to work under the config.

    Raises:
        BundleError: its format, a checksum or the golden check fails.
        ConfigError: the config names a label that it has not.
        EngineError: the engine is not installed.
    """
    bundle = read_bundle(directory)
    plan = plan_station(bundle, config)
    return Detection(open_engine(bundle, engine, health), plan, bundle.manifest)


def _open_doors(config: Config, desk: CommandDispatcher, doors: Endpoints) -> None:
    control = config.control
    if doors.broker is not None and config.mqtt is not None and control.mqtt:
        topics = Topics(config.mqtt.topic_prefix, config.station)
        MqttCommands(doors.broker, topics, desk, control.answer_prefix)
    if control.http_token_file is not None:
        token = read_token(control.http_token_file)
        for origin, door in {"http": doors.http, "review": doors.review}.items():
            if door is not None:
                door.serve_commands(HttpCommands(desk, token, origin))


def _refusals(config: Config, broker: Broker | None) -> Refusal:
    """Publishes which bundle is not used and why, retained until another one is taken."""

    def publish(bundle: str | None, path: Path, reason: str) -> None:
        if broker is None or config.mqtt is None:
            return
        document = {
            "bundle": bundle,
            "path": str(path),
            "reason": reason,
            "at": iso_utc(time.time()),
        }
        payload = json.dumps(document).encode() if reason else b""  # empty: the broker forgets it
        topic = Topics(config.mqtt.topic_prefix, config.station).bundle_refused
        broker.publish(topic, payload, retain=True)

    return publish
