"""`listener demo`: a real station on a generated scene; needs no microphone, broker or config."""

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
from typing import Any, Self

import soundfile
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.live import Live

from listener.build import build_station
from listener.commands import demo_screen, terminal, watch_screen
from listener.commands.demo_screen import SCENE_SECONDS, DemoProgress, HeardEvent
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


def run_demo(bundle: Path | None, *, plain: bool = False) -> ExitCode:
    """Play the scene; DONE if every expected event arrives, else FAILED.

    `bundle` None is the starter bundle. Without a terminal, or with `plain`, only the result is shown.

    Raises:
        ConfigError: the bundle has none of the demo's labels, or amqtt is not installed.
        BundleError, EngineError: the bundle cannot be used or run.
    """
    bundle = bundle or starter_bundle_path()
    scene = demo_screen.make_demo_scene(read_bundle(bundle).labels)
    with (
        tempfile.TemporaryDirectory(prefix="earshot-demo-") as directory,
        EmbeddedBroker() as broker,
    ):
        path = Path(directory) / "scene.wav"
        soundfile.write(path, scene.samples, SAMPLE_RATE_HZ)
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
        return _play(parse_config(document, "the demo's settings"), scene, plain=plain)


def _play(config: Config, scene: Scene, *, plain: bool) -> ExitCode:
    console, progress = Console(stderr=True), DemoProgress(scene)
    with DemoClient(config) as client, Station(build_station(config)) as station:
        began_at = time.time()  # of the scene: the file source has just been opened
        metrics = f"http://127.0.0.1:{station.http_port}/metrics"
        played = f"{len(scene.truth)} sounds in {SCENE_SECONDS:g} s, played in real time"
        console.print(f"{played}; metrics: {metrics}", soft_wrap=True)
        if plain or not terminal.can_draw(console):
            _follow(client, progress, began_at, lambda: None)
            console.print(demo_screen.plain_table(progress))
        else:
            with Live(console=console, auto_refresh=False) as live:

                def show() -> None:
                    progress.add_view(watch_screen.fetch_views(metrics)[_SOURCE])
                    picture = demo_screen.demo_picture(progress, console.width)
                    live.update(picture, refresh=True)

                _follow(client, progress, began_at, show)
    if progress.missing:
        console.print(f"[red]not heard:[/] {', '.join(progress.missing)}", soft_wrap=True)
        return ExitCode.FAILED
    console.print("[green]every sound was heard[/]", soft_wrap=True)
    return ExitCode.DONE


def _follow(
    client: DemoClient, progress: DemoProgress, began_at: float, show: Callable[[], None]
) -> None:
    """Add events as they arrive, until every sound was heard or the time is over."""
    for event in client.events(began_at, SCENE_SECONDS + _PATIENCE_SECONDS):
        progress.now = time.time() - began_at
        if event is not None:
            progress.add_event(event)
        show()
        if not progress.missing:
            break


class DemoClient:
    """An MQTT client that knows only the broker and the topics; subscribes to the station's events.

    Raises:
        ConfigError: the config has no broker.
    """

    def __init__(self, config: Config) -> None:
        mqtt = config.mqtt
        if mqtt is None:
            raise ConfigError("mqtt: the demo needs a broker")
        self._messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _userdata, message: self._messages.put(
            json.loads(message.payload)
        )
        self._client.connect(mqtt.host, mqtt.port)
        self._client.subscribe(f"{mqtt.topic_prefix}/{config.station}/+/event", qos=1)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def events(self, began_at: float, seconds: float) -> Iterator[HeardEvent | None]:
        """Events as they begin and end, and None while none comes, until `seconds` after `began_at`."""
        while time.time() < began_at + seconds:
            try:
                document = self._messages.get(timeout=_REFRESH_SECONDS)
            except Empty:
                yield None
            else:
                onset, offset = (
                    moment and datetime.fromisoformat(moment).timestamp() - began_at
                    for moment in (document["onset"], document["offset"])
                )
                peak = document["peak_score"]
                yield HeardEvent(document["id"], document["label"], onset, offset, peak)


class EmbeddedBroker:
    """amqtt on a free local port, on a thread of its own; MQTT 3.1.1 only. Real stations use Mosquitto.

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
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            self.host, self.port = _HOST, int(probe.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._broker: Any = None
        self._make = Broker
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START_SECONDS)
        return self

    async def _start(self) -> None:
        anonymous = "amqtt.plugins.authentication.AnonymousAuthPlugin"
        settings = {
            "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
            "plugins": {anonymous: {"allow_anonymous": True}},
        }
        self._broker = self._make(settings)
        await self._broker.start()

    def __exit__(self, *_: object) -> None:
        stopped = asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop)
        try:
            stopped.result(_STOP_SECONDS)
        except TimeoutError:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
