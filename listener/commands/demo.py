"""`listener demo`: no microphone, no broker, no config; everything else is the real thing."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

import soundfile
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.live import Live
from rich.table import Table

from listener.commands.embedded_broker import EmbeddedBroker
from listener.config import Config, ConfigError
from listener.config_file import parse_config
from listener.daemon import Station
from listener.detection.bundle import read_bundle
from listener.exit_codes import ExitCode
from listener.soundscape import (
    SAMPLE_RATE_HZ,
    Generator,
    PlacedSound,
    Scene,
    busy_signal,
    mix_scene,
    pink_noise,
    reversing_beeper,
    smoke_alarm,
    yelp,
)
from listener.starter import starter_bundle_path

_SCENE_SECONDS = 28.0
_PATIENCE_SECONDS = 15.0  # after the end of the scene
_REFRESH_SECONDS = 0.25
_LEAST_OVERLAP_SECONDS = 1.0

# When something sounds, and what it may be: labels of the starter bundle, then of YAMNet
_SLOTS = ((3.0, 9.0), (12.0, 17.0), (20.0, 25.0))
_SOUNDS: dict[str, Generator] = {
    "smoke_alarm": smoke_alarm,
    "siren": yelp,
    "telephone": busy_signal,
    "reversing_beeper": reversing_beeper,
    "smoke_detector_smoke_alarm": smoke_alarm,
    "busy_signal": busy_signal,
    "pink_noise": pink_noise,
}


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """An event as an outside MQTT client received it; times in seconds of the scene."""

    label: str
    onset: float
    offset: float
    peak_score: float

    def matches(self, sound: PlacedSound) -> bool:
        """Whether it is this sound, at about the right time."""
        overlap = min(self.offset, sound.offset) - max(self.onset, sound.onset)
        return self.label == sound.label and overlap >= _LEAST_OVERLAP_SECONDS


def run_demo(bundle: Path | None) -> ExitCode:
    """Play the scene; DONE when every expected event arrived, else FAILED.

    `bundle` None is the starter bundle.

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
        config = _config(bundle, path, broker, scene)
        return _play(config, scene)


def make_demo_scene(labels: Collection[str]) -> Scene:
    """Half a minute with up to three sounds that a bundle with these labels knows.

    Raises:
        ConfigError: it knows none of them.
    """
    known = [label for label in _SOUNDS if label in labels]
    if not known:
        raise ConfigError(f"bundle: expected one of the labels {', '.join(_SOUNDS)}, it has none")
    sounds = [
        (PlacedSound(label, onset, offset), _SOUNDS[label])
        for label, (onset, offset) in zip(known, _SLOTS, strict=False)
    ]
    return mix_scene(sounds, _SCENE_SECONDS, snr_db=30.0)


def _config(bundle: Path, path: Path, broker: EmbeddedBroker, scene: Scene) -> Config:
    document = {
        "station": "demo",
        "bundle": bundle,
        "sources": [{"name": "scene", "kind": "file", "path": path}],
        "detection": {"labels": [sound.label for sound in scene.truth]},
        "mqtt": {"host": broker.host, "port": broker.port, "protocol": "3.1.1"},
        "http": {"port": 0},
        "console": {"enabled": False},
    }
    return parse_config(document, "the demo's settings")


def _play(config: Config, scene: Scene) -> ExitCode:
    console = Console(stderr=True, soft_wrap=True)
    with _Subscriber(config) as subscriber, Station(config) as station:
        began_at = time.time()  # of the scene: the file source has just been opened
        console.print(
            f"{len(scene.truth)} sounds in {_SCENE_SECONDS:g} s, played at the speed of time; "
            f"metrics: http://127.0.0.1:{station.http_port}/metrics"
        )
        heard = _follow(console, scene, subscriber.events(began_at), began_at)
    missing = [sound.label for sound in scene.truth if not _first_match(sound, heard)]
    if missing:
        console.print(f"[red]not heard:[/] {', '.join(missing)}")
        return ExitCode.FAILED
    console.print("[green]every sound was heard[/]")
    return ExitCode.DONE


class _Subscriber:
    """An outside MQTT client: it knows the broker and the topics, nothing of the station."""

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

    def events(self, began_at: float) -> Iterator[HeardEvent | None]:
        """Events as they end, and None now and then, until the demo's time is over."""
        give_up_at = began_at + _SCENE_SECONDS + _PATIENCE_SECONDS
        while time.time() < give_up_at:
            try:
                document = self._messages.get(timeout=_REFRESH_SECONDS)
            except Empty:
                yield None
                continue
            if document["phase"] == "end":
                yield _heard_event(document, began_at)


def _heard_event(document: dict[str, Any], began_at: float) -> HeardEvent:
    onset, offset = (
        datetime.fromisoformat(document[name]).timestamp() - began_at
        for name in ("onset", "offset")
    )
    return HeardEvent(document["label"], onset, offset, document["peak_score"])


def _follow(
    console: Console, scene: Scene, events: Iterator[HeardEvent | None], began_at: float
) -> list[HeardEvent]:
    """Show what arrives beside the truth, until all of it was heard or the time is over."""
    heard: list[HeardEvent] = []
    with Live(console=console, auto_refresh=False) as live:
        for event in events:
            if event is not None:
                heard.append(event)
            live.update(_table(scene, heard, time.time() - began_at), refresh=console.is_terminal)
            if all(_first_match(sound, heard) for sound in scene.truth):
                break
        live.refresh()
    return heard


def _first_match(sound: PlacedSound, heard: list[HeardEvent]) -> HeardEvent | None:
    return next((event for event in heard if event.matches(sound)), None)


def _table(scene: Scene, heard: list[HeardEvent], now: float) -> Table:
    played = min(now, _SCENE_SECONDS)
    table = Table("sound", "played, s", "heard, s", "peak score", title=f"{played:4.1f} s")
    for sound in scene.truth:
        event = _first_match(sound, heard)
        waiting = "playing" if sound.onset <= now < sound.offset else ""
        table.add_row(
            sound.label,
            f"{sound.onset:5.1f} to {sound.offset:4.1f}",
            f"{event.onset:5.1f} to {event.offset:4.1f}" if event else waiting,
            f"{event.peak_score:.2f}" if event else "",
        )
    return table
