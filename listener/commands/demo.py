"""`listener demo`: no microphone, no broker, no config; everything else is the real thing."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

import soundfile
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.live import Live

from listener.build import build_station
from listener.commands.demo_screen import (
    SCENE_SECONDS,
    DemoProgress,
    HeardEvent,
    demo_picture,
    make_demo_scene,
    not_heard,
    plain_table,
)
from listener.commands.terminal import can_draw
from listener.commands.watch_screen import fetch_views
from listener.config.load import parse_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import read_bundle
from listener.process import ExitCode
from listener.soundscape.scene import Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from listener.starter import starter_bundle_path
from listener.station import Station

_REFRESH_SECONDS = 0.25
_HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 3.0  # amqtt's shutdown has been seen to hang; its thread is a daemon
_PATIENCE_SECONDS = 15.0  # after the end of the scene
_SOURCE = "scene"


# An MQTT client outside the demo's station: it knows the broker and the topics, and nothing else.


class DemoClient:
    """Subscribes to the events of a station. A context.

    Raises:
        ConfigError: there is no broker in the config.
    """

    def __init__(self, config: Config) -> None:
        mqtt = config.mqtt
        if mqtt is None:
            raise ConfigError("mqtt: the demo needs a broker")
        self._messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect(mqtt.host, mqtt.port)
        self._client.subscribe(f"{mqtt.topic_prefix}/{config.station}/+/event", qos=1)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._messages.put(json.loads(message.payload))

    def events(self, began_at: float, seconds: float) -> Iterator[HeardEvent | None]:
        """Events as they begin and end, and None now and then, until so long after `began_at`."""
        while time.time() < began_at + seconds:
            try:
                yield _heard_event(self._messages.get(timeout=_REFRESH_SECONDS), began_at)
            except Empty:
                yield None


def _heard_event(document: dict[str, Any], began_at: float) -> HeardEvent:
    onset = _seconds(document["onset"], began_at)
    offset = None if document["offset"] is None else _seconds(document["offset"], began_at)
    return HeardEvent(document["id"], document["label"], onset, offset, document["peak_score"])


def _seconds(moment: str, began_at: float) -> float:
    return datetime.fromisoformat(moment).timestamp() - began_at


# A small MQTT broker inside the process, for the demo; real stations use Mosquitto or the like.


class EmbeddedBroker:
    """amqtt on a free port of this machine, on a thread of its own; MQTT 3.1.1 only. A context.

    Raises:
        ConfigError: amqtt is not installed.
    """

    def __init__(self) -> None:
        try:
            from amqtt.broker import Broker  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                "the demo's broker is not installed: pip install 'earshot[broker]'"
            ) from error
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self.host, self.port = _HOST, _free_port()
        self._loop = asyncio.new_event_loop()
        self._broker: Any = None
        self._make = Broker
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START_SECONDS)
        return self

    async def _start(self) -> None:
        self._broker = self._make(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await self._broker.start()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        stopped = asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop)
        try:
            stopped.result(_STOP_SECONDS)
        except TimeoutError:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def run_demo(bundle: Path | None, *, plain: bool = False) -> ExitCode:
    """Play the scene; DONE when every expected event arrived, else FAILED.

    `bundle` None is the starter bundle. Without a terminal, or with `plain`, only the result is shown.

    Raises:
        ConfigError: no sound of the demo is a label of the bundle, or amqtt is not installed.
        BundleError, EngineError: what they say.
    """
    bundle = bundle or starter_bundle_path()
    scene = make_demo_scene(read_bundle(bundle).labels)
    with (
        tempfile.TemporaryDirectory(prefix="earshot-demo-") as directory,
        EmbeddedBroker() as broker,
    ):
        path = Path(directory) / "scene.wav"
        soundfile.write(path, scene.samples, SAMPLE_RATE_HZ)
        return _play(_config(bundle, path, broker, scene), scene, plain=plain)


def _config(bundle: Path, path: Path, broker: EmbeddedBroker, scene: Scene) -> Config:
    document = {
        "station": "demo",
        "bundle": bundle,
        "sources": [{"name": _SOURCE, "kind": "file", "path": path}],
        "detection": {"labels": [sound.label for sound in scene.truth]},
        "mqtt": {"host": broker.host, "port": broker.port, "protocol": "3.1.1"},
        "outbox": {"enabled": False},
        "http": {"port": 0},
        "console": {"enabled": False},
    }
    return parse_config(document, "the demo's settings")


def _play(config: Config, scene: Scene, *, plain: bool) -> ExitCode:
    console = Console(stderr=True)
    with DemoClient(config) as client, Station(build_station(config)) as station:
        began_at = time.time()  # of the scene: the file source has just been opened
        metrics = f"http://127.0.0.1:{station.http_port}/metrics"
        _tell(
            console,
            f"{len(scene.truth)} sounds in {SCENE_SECONDS:g} s, played at the speed of time; "
            f"metrics: {metrics}",
        )
        progress = DemoProgress(scene)
        if plain or not can_draw(console):
            _follow(client, progress, began_at)
            console.print(plain_table(progress))
        else:
            _draw(console, metrics, client, progress, began_at)
    return _conclude(console, not_heard(scene, progress.heard.values()))


def _tell(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True)


def _follow(
    client: DemoClient,
    progress: DemoProgress,
    began_at: float,
    show: Callable[[], None] = lambda: None,
) -> None:
    """Take what arrives, until all of it was heard or the time is over."""
    for event in client.events(began_at, SCENE_SECONDS + _PATIENCE_SECONDS):
        progress.now = time.time() - began_at
        if event is not None:
            progress.take_event(event)
        show()
        if not not_heard(progress.scene, progress.heard.values()):
            break


def _draw(
    console: Console, metrics: str, client: DemoClient, progress: DemoProgress, began_at: float
) -> None:
    with Live(console=console, auto_refresh=False) as live:

        def show() -> None:
            progress.take_view(fetch_views(metrics)[_SOURCE])
            live.update(demo_picture(progress, console.width), refresh=True)

        _follow(client, progress, began_at, show)


def _conclude(console: Console, missing: list[str]) -> ExitCode:
    if missing:
        _tell(console, f"[red]not heard:[/] {', '.join(missing)}")
        return ExitCode.FAILED
    _tell(console, "[green]every sound was heard[/]")
    return ExitCode.DONE
