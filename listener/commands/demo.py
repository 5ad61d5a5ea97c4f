"""`listener demo`: no microphone, no broker, no config; everything else is the real thing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import soundfile
from rich.console import Console
from rich.live import Live

from listener.commands.demo_client import DemoClient
from listener.commands.demo_scene import SCENE_SECONDS, make_demo_scene, not_heard
from listener.commands.demo_screen import DemoProgress, demo_picture, plain_table
from listener.commands.embedded_broker import EmbeddedBroker
from listener.commands.station_view import fetch_views
from listener.commands.terminal import can_draw
from listener.config.load import parse_config
from listener.config.station import Config
from listener.daemon import Station
from listener.detection.bundle import read_bundle
from listener.exit_codes import ExitCode
from listener.soundscape import SAMPLE_RATE_HZ, Scene
from listener.starter import starter_bundle_path

_PATIENCE_SECONDS = 15.0  # after the end of the scene
_SOURCE = "scene"


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
    with DemoClient(config) as client, Station(config) as station:
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
