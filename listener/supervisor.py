"""What changes a running station: commands, bundle swaps, mutes and thresholds; and its clock."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from listener.clips.store import ClipStore
from listener.config.station import Config
from listener.control import dispatcher, handlers, http_commands, http_server, mqtt
from listener.files import iso_utc
from listener.health import Health
from listener.mqtt.broker import Broker
from listener.mqtt.topics import Topics
from listener.outbox.outbox import Outbox
from listener.pipeline.pipeline import Pipeline
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan, OverrideCommands
from listener.runtime.hot_swap import BundlePath, HotSwap, Load
from listener.runtime.overrides import Overrides, QuietHours
from listener.sources.source import STEP_SECONDS, unix_minus_monotonic
from listener.worker import Periodic, WorkThread

if TYPE_CHECKING:
    from listener.review.server import ReviewServer  # an extra

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a station is reached by, and its clips; None is a part that the settings leave out."""

    broker: Broker | None
    http: http_server.HttpServer | None
    review: ReviewServer | None
    clips: ClipStore | None


class Supervisor:
    """Handles commands, swaps the bundle and keeps the active plan, all on the thread `control`.

    Built before the other parts start. It may wait for a disk, and takes seconds to check a bundle: the
    main thread goes on. `worker` is the thread that may wait for the clip store.

    Raises:
        ConfigError: the token's file cannot be used.
    """

    def __init__(
        self,
        config: Config,
        pipeline: Pipeline,
        detection: Detection,
        path: BundlePath,
        load: Load,
        health: Health,
        endpoints: Endpoints,
        outbox: Outbox | None,
        worker: WorkThread | None,
    ) -> None:
        sources = tuple(source.name for source in config.sources)
        control = config.control
        overrides = Overrides.read(control.state_file)
        quiet = tuple(map(QuietHours.of, config.quiet))
        active_plan = ActivePlan(pipeline, detection, overrides, sources, quiet=quiet)
        refusals = partial(_publish_refusal, config, endpoints.broker)
        self._hot_swap = HotSwap(active_plan, path, load, health, control, refusals)
        handler = handlers.StationCommands(
            OverrideCommands(active_plan, control.state_file),
            self._hot_swap,
            sources,
            endpoints.clips,
            None if endpoints.clips is None else pipeline,
            outbox,
            worker,
        )
        self._dispatcher = dispatcher.CommandDispatcher(handler, health)
        parts: dict[str, Periodic] = {
            "overrides": active_plan,  # first: mutes follow the clock before a command reads them
            "commands": self._dispatcher,
            "bundle": self._hot_swap,
        }
        self._thread = WorkThread("control", health, parts)
        self._dispatcher.wake = self._thread.wake
        if endpoints.broker is not None and config.mqtt is not None and control.mqtt:
            topics = Topics(config.mqtt.topic_prefix, config.station)
            mqtt.MqttCommands(endpoints.broker, topics, self._dispatcher, control.answer_prefix)
        if control.http_token_file is not None:
            token = http_commands.read_token(control.http_token_file)
            for origin, server in {"http": endpoints.http, "review": endpoints.review}.items():
                if server is not None:
                    server.serve_commands(
                        http_commands.HttpCommands(self._dispatcher, token, origin)
                    )

    def start(self) -> None:
        """Start the thread; the pipeline runs."""
        self._thread.start()

    def reload(self) -> None:
        """Read the bundle of the config again soon, as the command does."""
        self._hot_swap.reload_requested = True
        self._thread.wake()

    def close(self) -> None:
        """Stop the thread."""
        self._thread.close()


def _publish_refusal(
    config: Config, broker: Broker | None, bundle: str | None, path: Path, reason: str
) -> None:
    """Publish, retained, which bundle is refused and why; an empty reason clears it."""
    if broker is None or config.mqtt is None:
        return
    at = iso_utc(time.time())
    document = {"bundle": bundle, "path": str(path), "reason": reason, "at": at}
    payload = json.dumps(document).encode() if reason else b""  # empty: the broker forgets it
    topic = Topics(config.mqtt.topic_prefix, config.station).bundle_refused
    broker.publish(topic, payload, retain=True)


class ClockWatch:
    """Notices when the system clock was set, or the computer slept, and calls `notify(step_seconds)`."""

    def __init__(self, health: Health, notify: Callable[[float], None]) -> None:
        self._health, self._notify = health, notify
        self._offset = unix_minus_monotonic()

    def tick(self) -> None:
        """Report the step since the last call, if there was one: forward, or back if negative."""
        before, self._offset = self._offset, unix_minus_monotonic()
        step = self._offset - before
        if abs(step) > STEP_SECONDS:
            self._health.clock_steps += 1
            log.warning("the system clock was set by %+.1f s; open events keep their times", step)
            self._notify(step)
